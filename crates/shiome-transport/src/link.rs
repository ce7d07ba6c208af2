use std::{any::Any, fmt, net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::tls::NodeNameError;

/// Readable half of a link.
pub type BoxRead = Box<dyn AsyncRead + Unpin + Send + 'static>;

/// Writable half of a link.
pub type BoxWrite = Box<dyn AsyncWrite + Unpin + Send + 'static>;

/// A reliable, ordered stream of bytes in both directions that someone else opened.
///
/// Anything that is one can be a link: a pipe, a tunnel, a multiplexed stream.
pub trait ClusterBidiStream: Send + Any {
    /// Takes the two halves.
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite);

    /// What to call the peer in logs and events. Default: nothing.
    fn peer_label(&self) -> Option<String> {
        None
    }

    /// What to call the own end in logs and events. Default: nothing.
    fn local_label(&self) -> Option<String> {
        None
    }
}

/// How the bytes of a link are protected on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Security {
    /// Not at all.
    Plain,
    /// By TLS.
    Tls,
    /// They do not leave the host: memory, Unix sockets.
    Local,
    /// The stream was opened elsewhere.
    Unknown,
}

/// What a link has proven of its peer, for whoever hears the name that the peer goes by.
pub trait PeerIdentity: Send + Sync {
    /// Whether the peer may speak as the node of this name.
    ///
    /// # Errors
    ///
    /// [`NodeNameError`]; the link is to be closed.
    fn verify_node_name(&self, node_name: &str) -> Result<(), NodeNameError>;
}

/// The sockets that a link is between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a connection has two ends")]
pub struct SocketAddrs {
    /// The peer's.
    pub peer: SocketAddr,
    /// The own.
    pub local: SocketAddr,
}

/// An open connection to another node, not authenticated yet.
pub struct Link {
    /// Bytes from the peer.
    pub reader: BoxRead,
    /// Bytes to the peer.
    pub writer: BoxWrite,
    /// The peer's address or label, for logs and events.
    pub peer: String,
    /// The own address or label, for logs and events.
    pub local: String,
    /// How the bytes are protected.
    pub security: Security,
    /// What both ends of the protected channel know and nobody else, for
    /// [`Config::channel_binding`](shiome_handshake::Config::channel_binding). `None` on plain links and for streams
    /// that were opened elsewhere.
    pub channel_binding: Option<[u8; 32]>,
    /// What has been proven of the peer; `None` when nothing has, and it may speak as any node that knows the cookie.
    pub identity: Option<Arc<dyn PeerIdentity>>,
    /// Where the node at the other end is reached at its socket and nothing stands in between: over TCP and TLS. `None` for
    /// all other links; those of WebSockets may lead to a proxy of many nodes.
    pub addrs: Option<SocketAddrs>,
}

impl Link {
    /// A link over a TCP connection.
    pub fn tcp(stream: TcpStream) -> Self {
        let addrs = SocketAddrs::of(&stream);
        let (reader, writer) = stream.into_split();
        Self::over(
            Box::new(reader),
            Box::new(writer),
            (
                unknown(addrs.map(|addrs| addrs.peer)),
                unknown(addrs.map(|addrs| addrs.local)),
            ),
            Security::Plain,
        )
        .between(addrs)
    }

    /// A link over any stream, with the labels of its ends and without a channel binding.
    pub fn from_stream(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        peer: impl Into<String>,
        local: impl Into<String>,
        security: Security,
    ) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        let labels = (peer.into(), local.into());
        Self::over(Box::new(reader), Box::new(writer), labels, security)
    }

    /// A link over two halves, with the labels of the peer and of the own end, of which nothing else is known.
    pub fn over(
        reader: BoxRead,
        writer: BoxWrite,
        (peer, local): (String, String),
        security: Security,
    ) -> Self {
        Self {
            reader,
            writer,
            peer,
            local,
            security,
            channel_binding: None,
            identity: None,
            addrs: None,
        }
    }

    /// The peer has proven to be this one.
    #[must_use]
    pub fn with_identity(self, identity: Arc<dyn PeerIdentity>) -> Self {
        Self {
            identity: Some(identity),
            ..self
        }
    }

    /// The link is between these sockets, see [`addrs`](Self::addrs).
    #[must_use]
    pub fn between(self, addrs: Option<SocketAddrs>) -> Self {
        Self { addrs, ..self }
    }
}

impl SocketAddrs {
    /// Those of a connection; `None` when it is gone already.
    pub fn of(stream: &TcpStream) -> Option<Self> {
        let (peer, local) = (stream.peer_addr().ok()?, stream.local_addr().ok()?);
        Some(Self { peer, local })
    }
}

fn unknown(addr: Option<SocketAddr>) -> String {
    addr.map_or_else(|| "unknown".to_owned(), |addr| addr.to_string())
}

impl From<Box<dyn ClusterBidiStream>> for Link {
    fn from(stream: Box<dyn ClusterBidiStream>) -> Self {
        let label = |label: Option<String>| label.unwrap_or_else(|| "external".to_owned());
        let (peer, local) = (label(stream.peer_label()), label(stream.local_label()));
        let (reader, writer) = stream.split();
        Self::over(reader, writer, (peer, local), Security::Unknown)
    }
}

impl ClusterBidiStream for Link {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        (self.reader, self.writer)
    }

    fn peer_label(&self) -> Option<String> {
        Some(self.peer.clone())
    }

    fn local_label(&self) -> Option<String> {
        Some(self.local.clone())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("peer", &self.peer)
            .field("local", &self.local)
            .field("security", &self.security)
            .finish_non_exhaustive()
    }
}
