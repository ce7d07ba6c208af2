use std::fmt;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// Readable half of a link.
pub type BoxRead = Box<dyn AsyncRead + Unpin + Send + 'static>;

/// Writable half of a link.
pub type BoxWrite = Box<dyn AsyncWrite + Unpin + Send + 'static>;

/// A reliable, ordered stream of bytes in both directions that someone else opened.
///
/// Anything that is one can be a link: a pipe, a tunnel, a multiplexed stream.
pub trait ClusterBidiStream: Send + 'static {
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
}

impl Link {
    /// A link over a TCP connection.
    pub fn tcp(stream: TcpStream) -> Self {
        let label = |addr: std::io::Result<std::net::SocketAddr>| {
            addr.map_or_else(|_| "unknown".to_owned(), |addr| addr.to_string())
        };
        let (peer, local) = (label(stream.peer_addr()), label(stream.local_addr()));
        let (reader, writer) = stream.into_split();
        Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer,
            local,
            security: Security::Plain,
            channel_binding: None,
        }
    }

    /// A link over any stream, with the labels of its ends and without a channel binding.
    pub fn from_stream(
        stream: impl AsyncRead + AsyncWrite + Send + 'static,
        peer: impl Into<String>,
        local: impl Into<String>,
        security: Security,
    ) -> Self {
        let (reader, writer) = tokio::io::split(stream);
        Self {
            reader: Box::new(reader),
            writer: Box::new(writer),
            peer: peer.into(),
            local: local.into(),
            security,
            channel_binding: None,
        }
    }
}

impl From<Box<dyn ClusterBidiStream>> for Link {
    fn from(stream: Box<dyn ClusterBidiStream>) -> Self {
        let label = |label: Option<String>| label.unwrap_or_else(|| "external".to_owned());
        let (peer, local) = (label(stream.peer_label()), label(stream.local_label()));
        let (reader, writer) = stream.split();
        Self {
            reader,
            writer,
            peer,
            local,
            security: Security::Unknown,
            channel_binding: None,
        }
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
