//! TLS: links whose bytes nobody on the way can read or change, between nodes that know whom they speak to.
//!
//! # With shiome's configuration
//!
//! 1. [`Identity`] is what a node shows, [`Trust`] whom it believes; [`Credentials`] are both, with a provider of
//!    cryptography, which is always passed and never taken from the process. [`Reloading`] keeps them like their files.
//! 2. [`ServerConfig`] accepts and [`ClientConfig`] dials with them: TLS 1.3, the peer's certificate verified, for the host
//!    that was dialled.
//! 3. Once the cluster's handshake has told the peer's node name, [`authenticate()`](crate::authenticate()) asks whether its
//!    certificate is for that node: the certificate of `a` cannot speak as `b`. [`ServerConfig::link`] and
//!    [`ClientConfig::link`] put it into the [`Link`], on resumed connections too, where it is that of the first.
//!
//! # With the application's own
//!
//! [`accept()`] and [`connect()`] take any acceptor and connector of `tokio_rustls`, and so those that [`ServerConfig`] and
//! [`ClientConfig`] make.
//!
//! No cryptography provider is switched on here unless the feature `ring` is: the application's `rustls` decides.

use std::{io, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, client,
    rustls::{ConnectionCommon, pki_types::ServerName},
    server,
};

use crate::link::{Link, Security};

mod config;
mod credentials;
mod error;
mod identity;
mod load;
mod name;
mod peer;
mod reload;
mod sessions;
#[cfg(test)]
mod testing;
mod trust;
mod verify;

pub use config::{
    ALPN_PROTOCOL, Alpn, ClientAuth, ClientConfig, ConfigError, ServerConfig, ServerConfigBuilder,
};
pub use credentials::Credentials;
pub use error::{TlsError, refusal};
pub use identity::Identity;
pub use load::{LoadError, MAX_PEM_LEN};
pub use name::{NODE_URI_PREFIX, NodeNameError, node_uri, verify_node_name};
pub use reload::{Files, Reloading};
pub use sessions::{MAX_ACCEPTED_SESSIONS, MAX_DIALLED_SESSIONS};
pub use trust::{Pin, Trust};

/// Time for a TLS handshake. A peer that is slower is not served.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long, and for how many bytes, a client that was refused is listened to. A connection that is closed with bytes unread
/// is reset, and the reset overtakes the alert that says why.
const REFUSAL_LINGER: Duration = Duration::from_millis(500);
const MAX_REFUSED_BYTES: u64 = 64 * 1024;

/// Label of the keying material that binds a handshake to its TLS connection (RFC 8446 §7.5, RFC 5705).
const BINDING_LABEL: &[u8] = b"EXPORTER-shiome-native";

/// The cryptography of `ring`, to be passed wherever a provider is asked for.
#[cfg(feature = "ring")]
pub fn ring() -> std::sync::Arc<tokio_rustls::rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(tokio_rustls::rustls::crypto::ring::default_provider())
}

/// Runs the server's side of the TLS handshake on an accepted connection.
///
/// # Errors
///
/// The handshake's, or [`io::ErrorKind::TimedOut`] after [`TLS_HANDSHAKE_TIMEOUT`]. The client was told why.
pub async fn accept<S>(acceptor: &TlsAcceptor, stream: S) -> io::Result<server::TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = async {
        match acceptor.accept(stream).into_fallible().await {
            Ok(stream) => Ok(stream),
            Err((error, stream)) => {
                // The error counts, not whether the client listens.
                let _ = timeout(REFUSAL_LINGER, linger(stream)).await;
                Err(error)
            }
        }
    };
    timeout(TLS_HANDSHAKE_TIMEOUT, handshake)
        .await
        .map_err(io::Error::from)?
}

/// Ends the own direction, and reads until the peer ends its own.
async fn linger<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> io::Result<()> {
    stream.shutdown().await?;
    let mut unread = stream.take(MAX_REFUSED_BYTES);
    tokio::io::copy(&mut unread, &mut tokio::io::sink()).await?;
    Ok(())
}

/// Runs the client's side of the TLS handshake on a dialled connection, where the server must prove to be `server`.
///
/// # Errors
///
/// The handshake's, or [`io::ErrorKind::TimedOut`] after [`TLS_HANDSHAKE_TIMEOUT`]. With TLS 1.3 a server's refusal
/// of the client's certificate only shows at the first read.
pub async fn connect<S>(
    connector: &TlsConnector,
    server: ServerName<'static>,
    stream: S,
) -> io::Result<client::TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
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
