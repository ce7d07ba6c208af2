use std::{fmt, net::SocketAddr};

use shiome_transport::{BoxRead, BoxWrite, Link, Links, Policy, Security, SocketAddrs, tls};
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

impl IncomingEncryptionMode {
    /// Links that are accepted so, and dialled without falling back: over TLS once there is a connector.
    pub(crate) fn links(self) -> Links {
        with_websocket(match self {
            Self::Raw => Links::new(Policy::Any),
            Self::Tls(acceptor) => {
                Links::new(Policy::Encrypted).with_tls_streams(None, Some(acceptor))
            }
        })
    }
}

/// With WebSockets, if they are built in.
pub(crate) fn with_websocket(links: Links) -> Links {
    #[cfg(feature = "websocket")]
    let links = links.with_websocket(shiome_transport::websocket::Origins::none());
    links
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
    /// The peer's address or label.
    fn peer_label(&self) -> String {
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
        match stream {
            NetworkStream::Raw {
                peer_addr,
                local_addr,
                stream,
            } => {
                let link = Self {
                    peer: peer_addr.to_string(),
                    ..Self::tcp(stream)
                };
                link.between(addrs(peer_addr, local_addr))
            }
            NetworkStream::TlsServer {
                peer_addr,
                local_addr,
                stream,
            } => tls::accepted(stream, peer_addr.to_string(), local_addr.to_string())
                .between(addrs(peer_addr, local_addr)),
            NetworkStream::TlsClient {
                peer_addr,
                local_addr,
                stream,
            } => tls::dialled(stream, peer_addr.to_string(), local_addr.to_string())
                .between(addrs(peer_addr, local_addr)),
            NetworkStream::External {
                peer_label,
                local_label,
                reader,
                writer,
            } => {
                let labels = (external(peer_label), external(local_label));
                Self::over(reader, writer, labels, Security::Unknown)
            }
        }
    }
}

fn addrs(peer: SocketAddr, local: SocketAddr) -> Option<SocketAddrs> {
    Some(SocketAddrs { peer, local })
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
