//! The cluster's handshake over TLS, and peers that speak another TLS, or none.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use shiome_handshake::{
    Admission, Config, Entropy, Handshake, HandshakeError, Local, Peer, RefusedBy, Side,
};
use shiome_transport::{
    AuthenticateError, FrameReader, Gate, Link, PeerIdentity, ReadError, Security, authenticate,
    tls::{self, Alpn, NodeNameError, TlsError},
};
use shiome_wire::{
    MAX_FRAME_LEN,
    auth::{AuthenticationMessage, NameMessage, NodeFlags, authentication_message},
    encode,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, duplex};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        self, AlertDescription, RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        version::TLS12,
    },
};

use super::{
    authority::Authority,
    ends::{client, credentials, greet, handshake, localhost, node, open, provider, server},
};

/// Admits whom the link does not prove to be another.
struct Open(Option<Arc<dyn PeerIdentity>>);

impl Gate for Open {
    fn verify_name(&self, peer: &NameMessage) -> Result<(), NodeNameError> {
        let verify = |identity: &Arc<dyn PeerIdentity>| identity.verify_node_name(&peer.name);
        self.0.as_ref().map_or(Ok(()), verify)
    }

    async fn admit(&self, _: &NameMessage) -> Admission {
        Admission::Ok
    }

    async fn named(&self, _: &NameMessage) {}

    fn is_reflected(&self, _: &AuthenticationMessage) -> bool {
        false
    }

    async fn replace(&self) -> bool {
        true
    }
}

async fn shake_hands(link: Link, name: &str, side: Side) -> Result<Peer, AuthenticateError> {
    let local = Local {
        name: format!("{name}@localhost"),
        connection_string: format!("{name}:1"),
    };
    let letter = name.as_bytes()[0];
    let entropy = Entropy {
        challenge: letter.into(),
        connection_id: 1,
        nonce: [letter; 32],
    };
    let (config, now) = (
        Config::new(local, "cookie".into()),
        tokio::time::Instant::now(),
    );
    let handshake = match side {
        Side::Client => Handshake::client(now.into_std(), config, entropy),
        Side::Server => Handshake::server(now.into_std(), config, entropy),
    };
    let mut reader = FrameReader::new(link.reader, MAX_FRAME_LEN);
    let mut writer = link.writer;
    authenticate(&mut reader, &mut writer, handshake, &Open(link.identity)).await
}

/// `a` dials as `as_a`, `b` accepts as `as_b`, each with the certificate of its own name.
async fn meet(
    authority: &Authority,
    as_a: &str,
    as_b: &str,
) -> (
    Result<Peer, AuthenticateError>,
    Result<Peer, AuthenticateError>,
) {
    let (here, there) = (client(&node(authority, "a")), server(&node(authority, "b")));
    let (dialled, accepted) = open(&here, &there).await;
    let dialled = here.link(dialled, "b".to_owned(), "a".to_owned());
    let accepted = there.link(accepted, "a".to_owned(), "b".to_owned());
    tokio::join!(
        shake_hands(dialled, as_a, Side::Client),
        shake_hands(accepted, as_b, Side::Server),
    )
}

fn lied(result: &Result<Peer, AuthenticateError>, name: &str) -> bool {
    let other = NodeNameError::OtherNode;
    matches!(result, Err(AuthenticateError::NodeName { name: told, error }) if told == name && *error == other)
}

#[tokio::test]
async fn who_knows_the_cookie_still_cannot_take_another_nodes_name() {
    let authority = Authority::new();
    let (here, there) = meet(&authority, "a", "b").await;
    assert_eq!(here.unwrap().name.name, "b@localhost");
    assert_eq!(there.unwrap().name.name, "a@localhost");

    let (here, there) = meet(&authority, "c", "b").await;
    assert!(lied(&there, "c@localhost"), "{there:?}");
    let refused = HandshakeError::Refused(RefusedBy::NotAllowed);
    assert!(
        matches!(&here, Err(AuthenticateError::Handshake(error)) if *error == refused),
        "{here:?}"
    );

    let (here, there) = meet(&authority, "a", "c").await;
    assert!(lied(&here, "c@localhost"), "{here:?}");
    assert!(matches!(there, Err(AuthenticateError::Closed)), "{there:?}");
}

#[tokio::test]
async fn a_liar_that_does_not_wait_for_the_answer_is_a_liar() {
    struct Nobody;
    impl PeerIdentity for Nobody {
        fn verify_node_name(&self, _: &str) -> Result<(), NodeNameError> {
            Err(NodeNameError::OtherNode)
        }
    }
    let (mut here, there) = duplex(64 * 1024);
    let name = NameMessage {
        name: "c@localhost".to_owned(),
        flags: Some(NodeFlags::default()),
        connection_string: "c:1".to_owned(),
        connection_id: 1,
    };
    let mut frame = bytes::BytesMut::new();
    let name = authentication_message::Msg::Name(name);
    encode(&name.into(), MAX_FRAME_LEN, &mut frame).unwrap();
    here.write_all(&frame).await.unwrap();
    drop(here);
    let link = Link::from_stream(there, "c", "b", Security::Tls).with_identity(Arc::new(Nobody));
    let result = shake_hands(link, "b", Side::Server).await;
    assert!(lied(&result, "c@localhost"), "{result:?}");
}

/// A connection whose server has said why it takes nothing more.
struct Refusing;

impl AsyncRead for Refusing {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
        Poll::Ready(Err(io::Error::other(alert)))
    }
}

impl AsyncWrite for Refusing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn a_refusal_is_the_reason_also_when_the_first_write_fails() {
    let link = Link::from_stream(Refusing, "b", "a", Security::Tls);
    match shake_hands(link, "a", Side::Client).await.unwrap_err() {
        AuthenticateError::Read(ReadError::Io(error)) => assert_eq!(
            tls::refusal(&error),
            Some(AlertDescription::CertificateExpired)
        ),
        error => panic!("{error:?}"),
    }
    // Where nobody has said anything, it is the write that failed.
    let (here, there) = duplex(64 * 1024);
    drop(there);
    let link = Link::from_stream(here, "b", "a", Security::Tls);
    let error = shake_hands(link, "a", Side::Client).await.unwrap_err();
    assert!(matches!(error, AuthenticateError::Write(_)), "{error:?}");
}

#[tokio::test]
async fn a_refused_certificate_ends_the_cluster_handshake_with_the_reason() {
    let authority = Authority::new();
    let anonymous = client(&credentials(None, authority.trust()));
    let server = server(&node(&authority, "b"));
    let (here, there) = duplex(64 * 1024);
    let shaking = async {
        // The server has not seen the certificate yet: the dial succeeds.
        let here = anonymous.connect(localhost(), here).await.unwrap();
        let link = tls::dialled(here, "b".to_owned(), "a".to_owned());
        shake_hands(link, "a", Side::Client).await.unwrap_err()
    };
    let (error, accepted) = tokio::join!(shaking, server.accept(there));
    assert!(matches!(accepted.unwrap_err(), TlsError::NoCertificate));
    match error {
        AuthenticateError::Read(ReadError::Io(error)) => assert_eq!(
            tls::refusal(&error),
            Some(AlertDescription::CertificateRequired)
        ),
        error => panic!("{error:?}"),
    }
}

/// What an application makes for itself, without a word on ALPN and with TLS 1.2 too.
fn foreign(
    authority: &Authority,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> (rustls::ClientConfig, rustls::ServerConfig) {
    let issued = authority.issue("foreign");
    let chain = || vec![CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()];
    let key = || PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain(), key())
        .unwrap();
    let server = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain(), key())
        .unwrap();
    (client, server)
}

#[tokio::test]
async fn a_peer_with_a_configuration_of_its_own_is_welcome() {
    let authority = Authority::new();
    let b = node(&authority, "b");
    let (their_client, their_server) = foreign(&authority, rustls::DEFAULT_VERSIONS);

    let (here, there) = duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(their_client));
    let acceptor = server(&b).acceptor();
    let (here, there) = tokio::join!(
        tls::connect(&connector, localhost(), here),
        tls::accept(&acceptor, there),
    );
    let (mut here, mut there) = (here.unwrap(), there.unwrap());
    greet(&mut here, &mut there).await;
    assert_eq!(there.get_ref().1.alpn_protocol(), None);
    let shown = there.get_ref().1.peer_certificates().unwrap();
    assert_eq!(b.verify_node_name(shown, "foreign@localhost"), Ok(()));

    let (here, there) = duplex(64 * 1024);
    let acceptor = TlsAcceptor::from(Arc::new(their_server));
    let connector = client(&b).connector();
    let (here, there) = tokio::join!(
        tls::connect(&connector, localhost(), here),
        tls::accept(&acceptor, there),
    );
    greet(&mut there.unwrap(), &mut here.unwrap()).await;
}

#[tokio::test]
async fn tls_1_2_is_not_spoken() {
    let authority = Authority::new();
    let (old, _) = foreign(&authority, &[&TLS12]);
    let (here, there) = duplex(64 * 1024);
    let connector = TlsConnector::from(Arc::new(old));
    let server = server(&node(&authority, "b"));
    let (here, there) = tokio::join!(
        tls::connect(&connector, localhost(), here),
        server.accept(there),
    );
    let alert = tls::refusal(&here.unwrap_err());
    assert_eq!(alert, Some(AlertDescription::ProtocolVersion));
    assert!(matches!(there.unwrap_err(), TlsError::Protocol(_)));
}

#[tokio::test]
async fn peers_that_want_different_protocols_do_not_meet() {
    let authority = Authority::new();
    let (a, b) = (
        client(&node(&authority, "a")),
        server(&node(&authority, "b")),
    );
    let (here, there) = handshake(&a.with_alpn(Alpn::Http), &b).await;
    assert!(matches!(
        here.unwrap_err(),
        TlsError::Refused(AlertDescription::NoApplicationProtocol)
    ));
    assert!(matches!(there.unwrap_err(), TlsError::Protocol(_)));

    let http = b.with_alpn(Alpn::Http);
    open(&a.with_alpn(Alpn::Http), &http).await;
    open(&a.with_alpn(Alpn::Silent), &http).await;
    open(&a, &b.with_alpn(Alpn::Silent)).await;
}

#[tokio::test]
async fn what_is_not_tls_is_refused() {
    let (mut plain, there) = duplex(64 * 1024);
    let server = server(&node(&Authority::new(), "b"));
    // The first frame of a cluster's handshake: its length, and a name.
    let frame = b"\0\0\0\0\0\0\0\x12\x0a\x10\x0a\x0e\x0a\x03a@h\x12\x02\x08\x01\x1a\x03h:1";
    plain.write_all(frame).await.unwrap();
    let (accepted, ()) = tokio::join!(server.accept(there), async {
        plain.shutdown().await.unwrap();
    });
    assert!(matches!(accepted.unwrap_err(), TlsError::Protocol(_)));
}
