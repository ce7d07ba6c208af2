//! Keys that are believed without an authority.

use shiome_transport::tls::{NodeNameError, Pin, TlsError, Trust};
use tokio_rustls::rustls::{
    CertificateError,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{
    authority::{Authority, Flaw, Issued},
    ends::{client, credentials, handshake, open, peers, server},
};

fn key_of(issued: &Issued) -> [u8; 32] {
    let certificate = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    Pin::key_of(&certificate).unwrap()
}

fn trust_in(issued: &Issued, node: &str) -> Trust {
    Trust::pins([Pin::for_node(key_of(issued), node)]).unwrap()
}

#[tokio::test]
async fn pinned_keys_need_no_authority() {
    let (a, b) = (Issued::self_signed("a"), Issued::self_signed("b"));
    let here = credentials(Some(a.identity()), trust_in(&b, "b@localhost"));
    let there = credentials(Some(b.identity()), trust_in(&a, "a@localhost"));
    let ends = open(&client(&here), &server(&there)).await;
    let (of_b, of_a) = peers(&ends);
    assert_eq!(here.verify_node_name(of_b, "b@localhost"), Ok(()));
    assert_eq!(there.verify_node_name(of_a, "a@localhost"), Ok(()));
    assert_eq!(
        there.verify_node_name(of_a, "b@localhost"),
        Err(NodeNameError::OtherNode)
    );
}

#[tokio::test]
async fn another_key_is_refused_by_either_side() {
    // An authority does not help who is not pinned.
    let authority = Authority::new();
    let (a, b, c) = (
        authority.issue("a"),
        authority.issue("b"),
        authority.issue("b"),
    );
    let here = || Some(a.identity());
    let unknown = |error: TlsError| {
        matches!(
            error,
            TlsError::Certificate(CertificateError::ApplicationVerificationFailure)
        )
    };
    let pins_a = credentials(Some(c.identity()), trust_in(&a, "a@localhost"));
    let pins_b = credentials(here(), trust_in(&b, "b@localhost"));
    let (dialled, accepted) = handshake(&client(&pins_b), &server(&pins_a)).await;
    assert!(unknown(dialled.unwrap_err()) && accepted.is_err());

    let pins_c = credentials(here(), trust_in(&c, "b@localhost"));
    let pins_b = credentials(Some(c.identity()), trust_in(&b, "b@localhost"));
    let (_, accepted) = handshake(&client(&pins_c), &server(&pins_b)).await;
    assert!(unknown(accepted.unwrap_err()));
}

/// A copy of a pinned certificate is worth nothing without the key.
#[tokio::test]
async fn a_certificate_without_its_key_is_of_no_use() {
    let (a, b) = (Issued::self_signed("a"), Issued::self_signed("b"));
    let stolen = Issued {
        certificate: a.certificate.clone(),
        key: b.key.clone(),
    };
    let made = shiome_transport::tls::Credentials::new(
        Some(stolen.identity()),
        trust_in(&b, "b"),
        super::ends::provider(),
    );
    assert!(matches!(
        made,
        Err(shiome_transport::tls::LoadError::Identity(_))
    ));
}

#[tokio::test]
async fn a_pinned_key_has_no_other_end_than_its_pin() {
    let expired = Authority::new().issue_flawed("a", Flaw::Expired);
    let both = credentials(Some(expired.identity()), trust_in(&expired, "a@localhost"));
    let ends = open(&client(&both), &server(&both)).await;
    assert_eq!(both.verify_node_name(peers(&ends).0, "a@localhost"), Ok(()));
}
