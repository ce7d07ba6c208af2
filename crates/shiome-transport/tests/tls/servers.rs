//! Which servers a client believes.

use shiome_transport::tls::{
    ClientAuth, ClientConfig, ConfigError, NodeNameError, ServerConfig, TlsError,
};
use tokio::io::duplex;
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, HandshakeKind, pki_types::ServerName,
};

use super::{
    authority::{Authority, Flaw, Issued},
    ends::{Dialled, client, credentials, greet, handshake, localhost, node, open, server},
};

/// Why the client refuses a server with this certificate; the server hears of it.
async fn refused(authority: &Authority, issued: &Issued) -> CertificateError {
    let there = credentials(Some(issued.identity()), authority.trust());
    let here = node(authority, "here");
    let (here, there) = handshake(&client(&here), &server(&there)).await;
    assert!(matches!(there.unwrap_err(), TlsError::Refused(_)));
    match here.unwrap_err() {
        TlsError::Certificate(error) => error,
        error => panic!("{error:?}"),
    }
}

#[tokio::test]
async fn a_server_of_the_own_authority_is_believed() {
    let authority = Authority::new();
    let (a, b) = (node(&authority, "a"), node(&authority, "b"));
    let (here, there) = open(&client(&a), &server(&b)).await;
    let alpn = Some(&b"shiome/1"[..]);
    assert_eq!(here.get_ref().1.alpn_protocol(), alpn);
    assert_eq!(there.get_ref().1.alpn_protocol(), alpn);
}

#[tokio::test]
async fn a_server_of_another_authority_is_not() {
    let issued = Authority::new().issue("there");
    let error = refused(&Authority::new(), &issued).await;
    // Two authorities of one name: the signature tells them apart.
    assert!(
        matches!(
            error,
            CertificateError::BadSignature | CertificateError::UnknownIssuer
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_of_no_authority_is_not() {
    let error = refused(&Authority::new(), &Issued::self_signed("there")).await;
    assert!(
        matches!(
            error,
            CertificateError::BadSignature | CertificateError::UnknownIssuer
        ),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_certificate_holds_for_its_time() {
    let authority = Authority::new();
    let error = refused(&authority, &authority.issue_flawed("old", Flaw::Expired)).await;
    assert!(
        matches!(error, CertificateError::ExpiredContext { .. }),
        "{error:?}"
    );
    let early = authority.issue_flawed("early", Flaw::NotYetValid);
    let error = refused(&authority, &early).await;
    assert!(
        matches!(error, CertificateError::NotValidYetContext { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_must_be_the_host_that_was_dialled() {
    let authority = Authority::new();
    let (a, b) = (node(&authority, "a"), node(&authority, "b"));
    let (here, there) = duplex(64 * 1024);
    let elsewhere = ServerName::try_from("elsewhere").unwrap();
    let (client, server) = (client(&a), server(&b));
    let (here, there) = tokio::join!(client.connect(elsewhere, here), server.accept(there));
    assert!(matches!(
        here.unwrap_err(),
        TlsError::Certificate(CertificateError::NotValidForNameContext { .. })
    ));
    assert!(matches!(
        there.unwrap_err(),
        TlsError::Refused(AlertDescription::BadCertificate | AlertDescription::CertificateUnknown)
    ));
}

/// What a client that dials nodes at `elsewhere` says to a server with this certificate.
async fn dialled_elsewhere(
    authority: &Authority,
    issued: &Issued,
) -> Result<Dialled, CertificateError> {
    let there = server(&credentials(Some(issued.identity()), authority.trust()));
    let here = client(&node(authority, "here")).for_nodes();
    dial_elsewhere(&here, &there).await
}

async fn dial_elsewhere(
    client: &ClientConfig,
    server: &ServerConfig,
) -> Result<Dialled, CertificateError> {
    let (here, there) = duplex(64 * 1024);
    let elsewhere = ServerName::try_from("elsewhere").unwrap();
    let (here, there) = tokio::join!(client.connect(elsewhere, here), server.accept(there));
    assert_eq!(here.is_ok(), there.is_ok());
    let mut here = here.map_err(|error| match error {
        TlsError::Certificate(error) => error,
        error => panic!("{error:?}"),
    })?;
    // The client has its tickets then.
    greet(&mut there.unwrap(), &mut here).await;
    Ok(here)
}

#[tokio::test]
async fn a_node_may_be_anywhere_if_nodes_are_dialled_and_is_no_other_node() {
    let authority = Authority::new();
    let stream = dialled_elsewhere(&authority, &authority.issue("there")).await;
    let here = client(&node(&authority, "here")).for_nodes();
    let link = here.link(stream.unwrap(), "there".to_owned(), "here".to_owned());
    let identity = link.identity.unwrap();
    assert_eq!(identity.verify_node_name("there@localhost"), Ok(()));
    for other in ["here@localhost", "there@elsewhere", "elsewhere"] {
        let verified = identity.verify_node_name(other);
        assert_eq!(verified, Err(NodeNameError::OtherNode), "{other}");
    }
}

#[tokio::test]
async fn else_the_certificate_of_a_node_must_be_as_good_as_any() {
    let authority = Authority::new();
    let host = authority.issue_for_host();
    let error = dialled_elsewhere(&authority, &host).await.unwrap_err();
    assert!(
        matches!(error, CertificateError::NotValidForNameContext { .. }),
        "{error:?}"
    );
    let old = authority.issue_flawed("old", Flaw::Expired);
    let error = dialled_elsewhere(&authority, &old).await.unwrap_err();
    assert!(
        matches!(error, CertificateError::ExpiredContext { .. }),
        "{error:?}"
    );
    for stranger in [
        Authority::new().issue("there"),
        Issued::self_signed("there"),
    ] {
        let error = dialled_elsewhere(&authority, &stranger).await.unwrap_err();
        assert!(
            matches!(
                error,
                CertificateError::BadSignature | CertificateError::UnknownIssuer
            ),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_session_with_a_node_elsewhere_is_not_resumed_where_hosts_count() {
    let authority = Authority::new();
    let there = server(&node(&authority, "there"));
    let hosts = client(&node(&authority, "here"));
    let nodes = hosts.for_nodes();
    for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let stream = dial_elsewhere(&nodes, &there).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
    }
    let error = dial_elsewhere(&hosts, &there).await.unwrap_err();
    assert!(matches!(
        error,
        CertificateError::NotValidForNameContext { .. }
    ));
    let without = hosts.without_resumption().for_nodes();
    for _ in 0..2 {
        let stream = dial_elsewhere(&without, &there).await.unwrap();
        let kind = stream.get_ref().1.handshake_kind();
        assert_eq!(kind, Some(HandshakeKind::Full));
    }
}

#[tokio::test]
async fn a_client_needs_no_identity_where_none_is_asked_for() {
    let authority = Authority::new();
    let anonymous = credentials(None, authority.trust());
    let there = ServerConfig::builder(&node(&authority, "b"))
        .client_auth(ClientAuth::None)
        .build()
        .unwrap();
    let (_, there) = open(&client(&anonymous), &there).await;
    assert_eq!(there.get_ref().1.peer_certificates(), None);
}

#[test]
fn a_server_needs_an_identity() {
    let anonymous = credentials(None, Authority::new().trust());
    let built = ServerConfig::builder(&anonymous).build();
    assert!(matches!(built, Err(ConfigError::NoIdentity)));
}

#[tokio::test(start_paused = true)]
async fn neither_side_waits_for_ever() {
    let authority = Authority::new();
    let a = node(&authority, "a");
    let (here, _silent) = duplex(1024);
    let began = tokio::time::Instant::now();
    let result = client(&a).connect(localhost(), here).await;
    assert!(matches!(result.unwrap_err(), TlsError::TimedOut));
    let (_silent, there) = duplex(1024);
    let result = server(&a).accept(there).await;
    assert!(matches!(result.unwrap_err(), TlsError::TimedOut));
    let limit = shiome_transport::tls::TLS_HANDSHAKE_TIMEOUT;
    assert_eq!(began.elapsed(), 2 * limit);
}
