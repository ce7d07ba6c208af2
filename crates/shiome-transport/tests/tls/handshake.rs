//! The cluster's handshake over TLS, and peers that speak another TLS, or none.

use shiome_handshake::{Admission, Config, Entropy, Handshake, Local, Peer, Side};
use shiome_transport::{
    AuthenticateError, FrameReader, Gate, Link, ReadError, authenticate,
    tls::{self, Alpn, NodeNameError, TlsError},
};
use shiome_wire::{
    MAX_FRAME_LEN,
    auth::{AuthenticationMessage, NameMessage},
};
use tokio::io::{AsyncWriteExt, duplex};
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
    ends::{client, credentials, greet, handshake, localhost, node, open, peers, provider, server},
};

struct Open;

impl Gate for Open {
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
    authenticate(&mut reader, &mut writer, handshake, &Open).await
}

#[tokio::test]
async fn who_knows_the_cookie_still_cannot_take_another_nodes_name() {
    let authority = Authority::new();
    let (mallory, b) = (node(&authority, "mallory"), node(&authority, "b"));
    let ends = open(&client(&mallory), &server(&b)).await;
    let (of_b, of_mallory) = peers(&ends);
    let (of_b, of_mallory) = (of_b.to_vec(), of_mallory.to_vec());
    let (here, there) = (
        tls::dialled(ends.0, "b".to_owned(), "m".to_owned()),
        tls::accepted(ends.1, "m".to_owned(), "b".to_owned()),
    );
    let (here, there) = tokio::join!(
        shake_hands(here, "alice", Side::Client),
        shake_hands(there, "b", Side::Server),
    );
    let (here, there) = (here.unwrap().name.name, there.unwrap().name.name);
    assert_eq!(there, "alice@localhost");
    assert_eq!(
        b.verify_node_name(&of_mallory, &there),
        Err(NodeNameError::OtherNode)
    );
    assert_eq!(b.verify_node_name(&of_mallory, "mallory@localhost"), Ok(()));
    assert_eq!(mallory.verify_node_name(&of_b, &here), Ok(()));
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
    let connector = TlsConnector::from(std::sync::Arc::new(their_client));
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
    let acceptor = TlsAcceptor::from(std::sync::Arc::new(their_server));
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
    let connector = TlsConnector::from(std::sync::Arc::new(old));
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
