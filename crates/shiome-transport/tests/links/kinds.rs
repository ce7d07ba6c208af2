//! The same story over every kind of link.

use std::sync::Arc;

use shiome_handshake::Side;
use shiome_transport::{Link, LinkEnd, memory::Network, tcp, tls};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{PrivatePkcs8KeyDer, ServerName},
    },
};

use super::endpoint::{Endpoint, Heard};

pub(crate) async fn memory() -> (Link, Link) {
    let network = Network::default();
    let mut listener = network.listen("b").unwrap();
    let here = network.dial("a", "b").unwrap();
    (here, listener.accept().await.unwrap())
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = tcp::listen(Some([127, 0, 0, 1].into()), 0).unwrap();
    let address = listener.local_addr().unwrap();
    let (dialled, accepted) = tokio::join!(tcp::dial(address), listener.accept());
    (dialled.unwrap(), accepted.unwrap().0)
}

async fn tcp() -> (Link, Link) {
    let (here, there) = sockets().await;
    (Link::tcp(here), Link::tcp(there))
}

/// An acceptor for `localhost` and a connector that trusts it.
fn tls_ends() -> (TlsAcceptor, TlsConnector) {
    let signed = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(ring::default_provider());
    let key = PrivatePkcs8KeyDer::from(signed.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key.into())
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(signed.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}

pub(crate) async fn tls() -> (Link, Link) {
    let (acceptor, connector) = tls_ends();
    let (here, there) = sockets().await;
    let localhost = ServerName::try_from("localhost").unwrap();
    let (here, there) = tokio::join!(
        tls::connect(&connector, localhost, here),
        tls::accept(&acceptor, there),
    );
    (
        tls::dialled(here.unwrap(), "b".to_owned(), "a".to_owned()),
        tls::accepted(there.unwrap(), "a".to_owned(), "b".to_owned()),
    )
}

async fn story(links: (Link, Link)) {
    let (a, mut b) = Endpoint::pair(links).await;
    assert_eq!(a.proven.name.name, "b@test");
    assert_eq!(
        (b.proven.name.name.as_str(), b.proven.side),
        ("a@test", Side::Server)
    );

    for n in 0..1000u32 {
        a.cast(n.to_be_bytes().to_vec());
    }
    for n in 0..1000u32 {
        let expected = Heard::Cast(n.to_be_bytes().to_vec().into());
        assert_eq!(b.heard.recv().await, Some(expected));
    }
    let large = vec![7; 8 * 1024 * 1024];
    assert_eq!(b.call(large.clone()).await.unwrap().unwrap(), large);
    assert_eq!(a.call("echo").await.unwrap().unwrap(), "echo");

    a.cast("last words");
    a.peer.close();
    assert_eq!(b.heard.recv().await, Some(Heard::Cast("last words".into())));
    assert!(matches!(a.end.await.unwrap(), LinkEnd::Closed));
    assert!(matches!(b.end.await.unwrap(), LinkEnd::ClosedByPeer));
}

#[tokio::test]
async fn over_memory() {
    story(memory().await).await;
}

#[tokio::test]
async fn over_tcp() {
    story(tcp().await).await;
}

#[tokio::test]
async fn over_tls() {
    story(tls().await).await;
}

#[tokio::test]
async fn tls_refuses_a_server_that_is_not_who_it_must_be() {
    let (acceptor, connector) = tls_ends();
    let (here, there) = sockets().await;
    let other = ServerName::try_from("elsewhere").unwrap();
    let (here, _there) = tokio::join!(
        tls::connect(&connector, other, here),
        tls::accept(&acceptor, there),
    );
    assert!(here.is_err());
}

#[tokio::test(start_paused = true)]
async fn tls_does_not_wait_for_a_silent_client() {
    let (acceptor, _) = tls_ends();
    let (_silent, there) = sockets().await;
    let error = tls::accept(&acceptor, there).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}
