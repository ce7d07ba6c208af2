use std::{fmt, net::SocketAddr};

use shiome_transport::{BoxRead, BoxWrite, Link, Security, tls};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, client, server};

/// How connections from other nodes are protected.
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "the drop-in API")]
pub enum IncomingEncryptionMode {
    /// Not at all.
    Raw,
    /// By TLS, as the acceptor is configured.
    Tls(TlsAcceptor),
}

impl fmt::Debug for IncomingEncryptionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Raw => "Raw",
            Self::Tls(_) => "Tls",
        })
    }
}

/// An open connection to another node.
#[expect(clippy::exhaustive_enums, reason = "the drop-in API")]
pub enum NetworkStream {
    /// Plain TCP.
    Raw {
        /// The peer's address.
        peer_addr: SocketAddr,
        /// The own address.
        local_addr: SocketAddr,
        /// The connection.
        stream: TcpStream,
    },
    /// TLS on a connection that was accepted.
    TlsServer {
        /// The peer's address.
        peer_addr: SocketAddr,
        /// The own address.
        local_addr: SocketAddr,
        /// The connection.
        stream: server::TlsStream<TcpStream>,
    },
    /// TLS on a connection that was dialled.
    TlsClient {
        /// The peer's address.
        peer_addr: SocketAddr,
        /// The own address.
        local_addr: SocketAddr,
        /// The connection.
        stream: client::TlsStream<TcpStream>,
    },
    /// A stream that was opened elsewhere.
    External {
        /// What to call the peer.
        peer_label: Option<String>,
        /// What to call the own end.
        local_label: Option<String>,
        /// Bytes from the peer.
        reader: BoxRead,
        /// Bytes to the peer.
        writer: BoxWrite,
    },
}

impl NetworkStream {
    /// The peer's socket address, if it has one.
    pub(crate) fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Raw { peer_addr, .. }
            | Self::TlsServer { peer_addr, .. }
            | Self::TlsClient { peer_addr, .. } => Some(*peer_addr),
            Self::External { .. } => None,
        }
    }

    /// The own socket address, if it has one.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Raw { local_addr, .. }
            | Self::TlsServer { local_addr, .. }
            | Self::TlsClient { local_addr, .. } => Some(*local_addr),
            Self::External { .. } => None,
        }
    }

    /// Both socket addresses, the own one first, if it has some. There is one such connection at a time; the own address
    /// alone can be that of several.
    pub(crate) fn ends(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.local_addr().zip(self.socket_addr())
    }

    /// How the bytes are protected.
    pub(crate) fn security(&self) -> Security {
        match self {
            Self::Raw { .. } => Security::Plain,
            Self::TlsServer { .. } | Self::TlsClient { .. } => Security::Tls,
            Self::External { .. } => Security::Unknown,
        }
    }

    /// The peer's address or label.
    pub(crate) fn peer_label(&self) -> String {
        match self {
            Self::External { peer_label, .. } => external(peer_label.clone()),
            Self::Raw { peer_addr, .. }
            | Self::TlsServer { peer_addr, .. }
            | Self::TlsClient { peer_addr, .. } => peer_addr.to_string(),
        }
    }
}

impl From<NetworkStream> for Link {
    fn from(stream: NetworkStream) -> Self {
        let peer = stream.peer_label();
        match stream {
            NetworkStream::Raw { stream, .. } => Self::tcp(stream),
            NetworkStream::TlsServer {
                local_addr, stream, ..
            } => tls::accepted(stream, peer, local_addr.to_string()),
            NetworkStream::TlsClient {
                local_addr, stream, ..
            } => tls::dialled(stream, peer, local_addr.to_string()),
            NetworkStream::External {
                local_label,
                reader,
                writer,
                ..
            } => Self {
                reader,
                writer,
                peer,
                local: external(local_label),
                security: Security::Unknown,
                channel_binding: None,
            },
        }
    }
}

fn external(label: Option<String>) -> String {
    label.unwrap_or_else(|| "external".to_owned())
}

impl fmt::Debug for NetworkStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Raw { .. } => "Raw",
            Self::TlsServer { .. } => "TlsServer",
            Self::TlsClient { .. } => "TlsClient",
            Self::External { .. } => "External",
        };
        f.debug_struct(kind)
            .field("peer", &self.peer_label())
            .finish_non_exhaustive()
    }
}
