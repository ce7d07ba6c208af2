//! TLS over TCP, with the application's own configuration.
//!
//! No cryptography provider is switched on here: the application's `rustls` decides.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, client,
    rustls::{ConnectionCommon, pki_types::ServerName},
    server,
};

use crate::link::{Link, Security};

/// Time for a TLS handshake. A peer that is slower is not served.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Label of the keying material that binds a handshake to its TLS connection (RFC 8446 §7.5, RFC 5705).
const BINDING_LABEL: &[u8] = b"EXPORTER-shiome-native";

/// Runs the server's side of the TLS handshake on an accepted connection.
///
/// # Errors
///
/// The handshake's, or [`io::ErrorKind::TimedOut`] after [`TLS_HANDSHAKE_TIMEOUT`].
pub async fn accept(
    acceptor: &TlsAcceptor,
    stream: TcpStream,
) -> io::Result<server::TlsStream<TcpStream>> {
    timeout(TLS_HANDSHAKE_TIMEOUT, acceptor.accept(stream))
        .await
        .map_err(io::Error::from)?
}

/// Runs the client's side of the TLS handshake on a dialled connection, where the server must prove to be `server`.
///
/// # Errors
///
/// The handshake's, or [`io::ErrorKind::TimedOut`] after [`TLS_HANDSHAKE_TIMEOUT`]. With TLS 1.3 a server's refusal
/// of the client's certificate only shows at the first read.
pub async fn connect(
    connector: &TlsConnector,
    server: ServerName<'static>,
    stream: TcpStream,
) -> io::Result<client::TlsStream<TcpStream>> {
    timeout(TLS_HANDSHAKE_TIMEOUT, connector.connect(server, stream))
        .await
        .map_err(io::Error::from)?
}

/// A link over a TLS connection that was accepted, with the labels of its ends.
pub fn accepted<S>(stream: server::TlsStream<S>, peer: String, local: String) -> Link
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let channel_binding = channel_binding(stream.get_ref().1);
    Link {
        channel_binding,
        ..Link::from_stream(stream, peer, local, Security::Tls)
    }
}

/// A link over a TLS connection that was dialled, with the labels of its ends.
pub fn dialled<S>(stream: client::TlsStream<S>, peer: String, local: String) -> Link
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let channel_binding = channel_binding(stream.get_ref().1);
    Link {
        channel_binding,
        ..Link::from_stream(stream, peer, local, Security::Tls)
    }
}

/// What both ends of this connection know, and no two connections share. `None` before the TLS handshake is over.
fn channel_binding<D>(connection: &ConnectionCommon<D>) -> Option<[u8; 32]> {
    connection
        .export_keying_material([0; 32], BINDING_LABEL, None)
        .ok()
}
