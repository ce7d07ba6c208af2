//! Connections to other nodes.

use std::io;

use ractor::{ActorRef, MessagingErr};
use shiome_transport::{tcp, tls};
use thiserror::Error;
use tokio::net::{TcpStream, ToSocketAddrs};
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::{NodeServerMessage, serving::Serving};
use crate::{ClusterBidiStream, Connection, KeepError, NetworkStream, Reconnect};

/// A connection was not opened.
#[derive(Debug, Error)]
#[expect(clippy::exhaustive_enums, reason = "the drop-in API")]
pub enum ClientConnectErr {
    /// The address cannot be resolved or reached.
    #[error("connection failed: {0}")]
    Socket(#[from] io::Error),
    /// The node server is gone.
    #[error("node server is not running: {0}")]
    Messaging(#[from] MessagingErr<NodeServerMessage>),
    /// The TLS handshake failed.
    #[error("TLS handshake failed: {0}")]
    Encryption(io::Error),
}

/// Connects `node_server` to the node at `address` over plain TCP.
///
/// Returns when the connection is open; whether the peer is authentic and the session ready is told by
/// [events](crate::NodeEventSubscription). Cancel-safe: dropped earlier, nothing has happened.
///
/// # Errors
///
/// See [`ClientConnectErr`].
pub async fn connect<T: ToSocketAddrs>(
    node_server: &ActorRef<NodeServerMessage>,
    address: T,
) -> Result<(), ClientConnectErr> {
    let stream = raw(tcp::dial(address).await?)?;
    Ok(open(node_server, stream)?)
}

/// Connects `node_server` to the node at `address` over TLS, where it must prove to be `domain`.
///
/// From then on the connections that the node dials by itself, to the peers of its peers, use `encryption_settings`
/// too, with the host of the peer's connection string as the name to prove; unless the node was built with
/// [links](crate::Builder::links) or [credentials](crate::Builder::tls) of its own, which stay. Otherwise as [`connect`].
///
/// # Errors
///
/// See [`ClientConnectErr`].
pub async fn connect_enc<T: ToSocketAddrs>(
    node_server: &ActorRef<NodeServerMessage>,
    address: T,
    encryption_settings: TlsConnector,
    domain: ServerName<'static>,
) -> Result<(), ClientConnectErr> {
    let tcp = tcp::dial(address).await?;
    let (peer_addr, local_addr) = (tcp.peer_addr()?, tcp.local_addr()?);
    let stream = tls::connect(&encryption_settings, domain, tcp)
        .await
        .map_err(ClientConnectErr::Encryption)?;
    if let Some(connections) = Serving::find(node_server.get_id()) {
        connections.dialer().use_connector(encryption_settings);
    }
    let stream = NetworkStream::TlsClient {
        peer_addr,
        local_addr,
        stream,
    };
    Ok(open(node_server, stream)?)
}

/// Keeps `node_server` connected to the node at `address`, with or without scheme: dials at once, again until there is a session,
/// and again when it is lost, as `reconnect` says. Returns at once.
///
/// Protected as the connections that the node dials by itself, see [`connect_enc`]. It ends with the node server. More of
/// it stands at [`Node::keep_connected`](crate::Node::keep_connected), which does the same.
///
/// # Errors
///
/// See [`KeepError`].
pub fn keep_connected(
    node_server: &ActorRef<NodeServerMessage>,
    address: &str,
    reconnect: Reconnect,
) -> Result<Connection, KeepError> {
    let connections = Serving::find(node_server.get_id());
    let connections = connections.ok_or(KeepError::Stopped)?;
    connections.keep(address, reconnect)
}

/// Connects `node_server` over a stream that was opened elsewhere, at its client's end.
///
/// # Errors
///
/// [`ClientConnectErr::Messaging`].
pub async fn connect_external(
    node_server: &ActorRef<NodeServerMessage>,
    stream: Box<dyn ClusterBidiStream>,
) -> Result<(), ClientConnectErr> {
    node_server.cast(NodeServerMessage::ConnectionOpenedExternal {
        stream,
        is_server: false,
    })?;
    Ok(())
}

/// A plain TCP connection with its addresses.
pub(crate) fn raw(stream: TcpStream) -> io::Result<NetworkStream> {
    Ok(NetworkStream::Raw {
        peer_addr: stream.peer_addr()?,
        local_addr: stream.local_addr()?,
        stream,
    })
}

#[expect(clippy::result_large_err, reason = "the drop-in API's error")]
fn open(
    node_server: &ActorRef<NodeServerMessage>,
    stream: NetworkStream,
) -> Result<(), MessagingErr<NodeServerMessage>> {
    node_server.cast(NodeServerMessage::ConnectionOpened {
        stream: Box::new(stream),
        is_server: false,
    })
}
