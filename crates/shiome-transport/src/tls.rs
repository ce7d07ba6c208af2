//! TLS over TCP, with the application's own configuration.
//!
//! No cryptography provider is switched on here: the application's `rustls` decides.

use std::{io, time::Duration};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, rustls::pki_types::ServerName, server};

/// Time for a TLS handshake. A peer that is slower is not served.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

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
