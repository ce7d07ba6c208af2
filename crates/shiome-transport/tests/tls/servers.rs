//! Which servers a client believes.

use shiome_transport::tls::{ClientAuth, ConfigError, ServerConfig, TlsError};
use tokio::io::duplex;
use tokio_rustls::rustls::{AlertDescription, CertificateError, pki_types::ServerName};

use super::{
    authority::{Authority, Flaw, Issued},
    ends::{client, credentials, handshake, localhost, node, open, server},
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
