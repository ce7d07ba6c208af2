//! Two nodes, and a TLS connection between them.

use std::sync::Arc;

use shiome_transport::tls::{ClientConfig, Credentials, Identity, ServerConfig, TlsError, Trust};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio_rustls::{
    client,
    rustls::{
        HandshakeKind,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, ServerName},
    },
    server,
};

use super::authority::Authority;

pub(crate) type Dialled = client::TlsStream<DuplexStream>;
pub(crate) type Accepted = server::TlsStream<DuplexStream>;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(crate) fn credentials(identity: Option<Identity>, trust: Trust) -> Arc<Credentials> {
    Credentials::new(identity, trust, provider()).unwrap()
}

/// The credentials of the node `name`, of an authority that it also believes.
pub(crate) fn node(authority: &Authority, name: &str) -> Arc<Credentials> {
    credentials(Some(authority.issue(name).identity()), authority.trust())
}

/// A server with all defaults, which are to demand certificates.
pub(crate) fn server(credentials: &Arc<Credentials>) -> ServerConfig {
    ServerConfig::builder(credentials).build().unwrap()
}

pub(crate) fn client(credentials: &Arc<Credentials>) -> ClientConfig {
    ClientConfig::new(credentials).unwrap()
}

pub(crate) fn localhost() -> ServerName<'static> {
    ServerName::try_from("localhost").unwrap()
}

/// Both sides' results of a handshake where `localhost` is dialled.
pub(crate) async fn handshake(
    client: &ClientConfig,
    server: &ServerConfig,
) -> (Result<Dialled, TlsError>, Result<Accepted, TlsError>) {
    let (here, there) = duplex(64 * 1024);
    tokio::join!(client.connect(localhost(), here), server.accept(there))
}

/// An open connection over which bytes went both ways: the client has its tickets then.
pub(crate) async fn open(client: &ClientConfig, server: &ServerConfig) -> (Dialled, Accepted) {
    let (here, there) = handshake(client, server).await;
    let (mut here, mut there) = (here.unwrap(), there.unwrap());
    greet(&mut here, &mut there).await;
    greet(&mut there, &mut here).await;
    (here, there)
}

pub(crate) async fn greet(from: &mut (impl AsyncWrite + Unpin), to: &mut (impl AsyncRead + Unpin)) {
    let mut heard = [0; 5];
    from.write_all(b"hello").await.unwrap();
    from.flush().await.unwrap();
    to.read_exact(&mut heard).await.unwrap();
    assert_eq!(&heard, b"hello");
}

/// Whether the handshake was a resumed one, as both sides say.
pub(crate) fn is_resumed(ends: &(Dialled, Accepted)) -> bool {
    let here = ends.0.get_ref().1.handshake_kind();
    let there = ends.1.get_ref().1.handshake_kind();
    assert_eq!(here, there);
    here == Some(HandshakeKind::Resumed)
}

/// The certificates of the peer, on each side.
pub(crate) fn peers(
    ends: &(Dialled, Accepted),
) -> (&[CertificateDer<'static>], &[CertificateDer<'static>]) {
    (
        ends.0.get_ref().1.peer_certificates().unwrap(),
        ends.1.get_ref().1.peer_certificates().unwrap(),
    )
}
