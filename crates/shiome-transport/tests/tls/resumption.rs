//! Sessions that are resumed, and what is still looked at then.

use std::time::{Duration, Instant};

use shiome_transport::tls::{ClientConfig, NodeNameError, ServerConfig, TlsError};
use tokio_rustls::rustls::{CertificateError, HandshakeKind};

use super::{
    authority::{Authority, Flaw},
    ends::{
        Accepted, Dialled, client, credentials, greet, handshake, is_resumed, node, open, peers,
        server,
    },
};

#[tokio::test]
async fn a_second_connection_resumes_and_its_peer_is_still_known() {
    let authority = Authority::new();
    let (a, b) = (node(&authority, "a"), node(&authority, "b"));
    let (here, there) = (client(&a), server(&b));
    assert!(!is_resumed(&open(&here, &there).await));
    let second = open(&here, &there).await;
    assert!(is_resumed(&second));
    let (of_b, of_a) = peers(&second);
    assert_eq!(a.verify_node_name(of_b, "b@localhost"), Ok(()));
    assert_eq!(b.verify_node_name(of_a, "a@localhost"), Ok(()));
    for (verifier, chain, other) in [(&a, of_b, "a@localhost"), (&b, of_a, "b@localhost")] {
        let verified = verifier.verify_node_name(chain, other);
        assert_eq!(verified, Err(NodeNameError::OtherNode));
    }
}

#[tokio::test]
async fn either_side_can_do_without() {
    let authority = Authority::new();
    let (a, b) = (node(&authority, "a"), node(&authority, "b"));
    let (here, there) = (client(&a).without_resumption(), server(&b));
    open(&here, &there).await;
    assert!(!is_resumed(&open(&here, &there).await));

    let there = ServerConfig::builder(&b).resumption(false).build().unwrap();
    let here = client(&a);
    open(&here, &there).await;
    assert!(!is_resumed(&open(&here, &there).await));
}

#[tokio::test]
async fn no_session_survives_a_replacement_on_either_side() {
    let authority = Authority::new();
    let (a, b) = (node(&authority, "a"), node(&authority, "b"));
    let (here, there) = (client(&a), server(&b));
    for (replaced, name) in [(&a, "a"), (&b, "b")] {
        open(&here, &there).await;
        assert!(is_resumed(&open(&here, &there).await));
        let identity = authority.issue(name).identity();
        replaced.replace(Some(identity), authority.trust()).unwrap();
        assert!(!is_resumed(&open(&here, &there).await), "{name}");
    }
}

#[tokio::test]
async fn a_peer_that_is_believed_no_more_cannot_resume() {
    let (old, new) = (Authority::new(), Authority::new());
    let (a, b) = (node(&old, "a"), node(&old, "b"));
    let (here, there) = (client(&a), server(&b));
    open(&here, &there).await;
    // The server's certificate stays; the client's authority is out.
    b.replace(Some(old.issue("b").identity()), new.trust())
        .unwrap();
    let (_, accepted) = handshake(&here, &there).await;
    assert!(accepted.is_err());
}

/// Several times as long as a brief certificate is valid.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two ends of which one shows a certificate that ends soon, after a first handshake in which it was valid still: a
/// busy machine may be too late for that.
async fn begun(make: impl Fn() -> (ClientConfig, ServerConfig)) -> (ClientConfig, ServerConfig) {
    let patience = Instant::now() + PATIENCE;
    loop {
        let (here, there) = make();
        match handshake(&here, &there).await {
            (Ok(mut dialled), Ok(mut accepted)) => {
                // With what the client hears it can resume.
                greet(&mut accepted, &mut dialled).await;
                return (here, there);
            }
            refused => assert!(Instant::now() < patience, "{refused:?}"),
        }
    }
}

/// Resumes a session again and again, until one side will not have it any more.
async fn resume_while_possible(
    here: &ClientConfig,
    there: &ServerConfig,
) -> (Result<Dialled, TlsError>, Result<Accepted, TlsError>) {
    let patience = Instant::now() + PATIENCE;
    while Instant::now() < patience {
        match handshake(here, there).await {
            (Ok(mut dialled), Ok(mut accepted)) => {
                greet(&mut accepted, &mut dialled).await;
                assert!(is_resumed(&(dialled, accepted)));
            }
            refused => return refused,
        }
    }
    panic!("resumed for {PATIENCE:?}");
}

fn is_expired(error: &TlsError) -> bool {
    matches!(
        error,
        TlsError::Certificate(CertificateError::ExpiredContext { .. })
    )
}

#[tokio::test]
async fn a_client_cannot_resume_past_the_end_of_its_certificate() {
    let authority = Authority::new();
    let (here, there) = begun(|| {
        let brief = authority.issue_flawed("a", Flaw::ExpiresSoon).identity();
        let here = client(&credentials(Some(brief), authority.trust()));
        (here, server(&node(&authority, "b")))
    })
    .await;
    let (dialled, accepted) = resume_while_possible(&here, &there).await;
    assert!(is_expired(&accepted.unwrap_err()));
    let kind = dialled.unwrap().get_ref().1.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Resumed));
}

#[tokio::test]
async fn a_server_is_not_believed_past_the_end_of_its_certificate() {
    let authority = Authority::new();
    let (here, there) = begun(|| {
        let brief = authority.issue_flawed("b", Flaw::ExpiresSoon).identity();
        let there = server(&credentials(Some(brief), authority.trust()));
        (client(&node(&authority, "a")), there)
    })
    .await;
    let (dialled, accepted) = resume_while_possible(&here, &there).await;
    assert!(is_expired(&dialled.unwrap_err()));
    // In a full handshake the server would have been told so; here TLS itself had nothing to refuse.
    assert!(!matches!(accepted, Err(TlsError::Refused(_))));
}
