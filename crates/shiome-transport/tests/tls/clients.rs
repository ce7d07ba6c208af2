//! Which clients a server takes, and where a client that is not taken learns of it.

use std::sync::Arc;

use shiome_transport::{
    Link, tcp,
    tls::{self, ClientAuth, Credentials, ServerConfig, TlsError},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio_rustls::rustls::{AlertDescription, CertificateError};

use super::{
    authority::{Authority, Flaw, Issued},
    ends::{client, credentials, greet, handshake, localhost, node, open, server},
};

/// What both sides say when this client dials a server of `authority`. The client's dial itself succeeds.
async fn refused(authority: &Authority, here: &Arc<Credentials>) -> (AlertDescription, TlsError) {
    let (client, server) = (client(here), server(&node(authority, "b")));
    let (here, there) = duplex(64 * 1024);
    let dial = async {
        let mut dialled = client.connect(localhost(), here).await.unwrap();
        dialled.read_u8().await.unwrap_err()
    };
    let (error, accepted) = tokio::join!(dial, server.accept(there));
    (tls::refusal(&error).unwrap(), accepted.unwrap_err())
}

#[tokio::test]
async fn a_client_must_show_a_certificate() {
    let authority = Authority::new();
    let anonymous = credentials(None, authority.trust());
    let (heard, said) = refused(&authority, &anonymous).await;
    assert_eq!(heard, AlertDescription::CertificateRequired);
    assert!(matches!(said, TlsError::NoCertificate), "{said:?}");
}

#[tokio::test]
async fn a_client_of_another_authority_is_refused() {
    let authority = Authority::new();
    for issued in [Authority::new().issue("a"), Issued::self_signed("a")] {
        let here = credentials(Some(issued.identity()), authority.trust());
        let (_, said) = refused(&authority, &here).await;
        assert!(
            matches!(
                said,
                TlsError::Certificate(
                    CertificateError::BadSignature | CertificateError::UnknownIssuer
                )
            ),
            "{said:?}"
        );
    }
}

#[tokio::test]
async fn a_client_whose_certificate_expired_is_refused() {
    let authority = Authority::new();
    let expired = authority.issue_flawed("a", Flaw::Expired);
    let here = credentials(Some(expired.identity()), authority.trust());
    let (heard, said) = refused(&authority, &here).await;
    assert_eq!(heard, AlertDescription::CertificateExpired);
    assert!(
        matches!(
            said,
            TlsError::Certificate(CertificateError::ExpiredContext { .. })
        ),
        "{said:?}"
    );
}

#[tokio::test]
async fn where_certificates_are_optional_a_bad_one_is_refused_all_the_same() {
    let authority = Authority::new();
    let there = ServerConfig::builder(&node(&authority, "b"))
        .client_auth(ClientAuth::Optional)
        .build()
        .unwrap();
    let anonymous = credentials(None, authority.trust());
    let (_, none) = open(&client(&anonymous), &there).await;
    assert_eq!(none.get_ref().1.peer_certificates(), None);
    let (_, shown) = open(&client(&node(&authority, "a")), &there).await;
    assert!(shown.get_ref().1.peer_certificates().is_some());

    let bad = Issued::self_signed("a").identity();
    let (_, refused) = handshake(&client(&credentials(Some(bad), authority.trust())), &there).await;
    assert!(matches!(refused.unwrap_err(), TlsError::Certificate(_)));
}

/// Else its write would fail, and the reason would never be read.
#[tokio::test]
async fn a_client_that_speaks_on_still_hears_why_it_was_refused() {
    let authority = Authority::new();
    let anonymous = client(&credentials(None, authority.trust()));
    let there = server(&node(&authority, "b"));
    let listener = tcp::listen(Some([127, 0, 0, 1].into()), 0).unwrap();
    let stream = tcp::dial(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    let accepting = tokio::spawn(async move { there.accept(accepted).await.map(|_| ()) });

    let mut dialled = anonymous.connect(localhost(), stream).await.unwrap();
    // The refusal is here, and not read yet.
    dialled.get_ref().0.readable().await.unwrap();
    for _ in 0..8 {
        dialled.write_all(&[7; 1024]).await.unwrap();
        dialled.flush().await.unwrap();
    }
    let error = dialled.read_u8().await.unwrap_err();
    let alert = tls::refusal(&error);
    assert_eq!(
        alert,
        Some(AlertDescription::CertificateRequired),
        "{error:?}"
    );
    drop(dialled);
    let said = accepting.await.unwrap().unwrap_err();
    assert!(matches!(said, TlsError::NoCertificate), "{said:?}");
}

#[tokio::test]
async fn links_of_one_connection_share_a_binding_that_no_other_has() {
    let authority = Authority::new();
    let (a, b) = (node(&authority, "a"), node(&authority, "b"));
    let (a, b) = (client(&a), server(&b));
    let mut bindings = Vec::new();
    // The second connection resumes the session of the first.
    for _ in 0..2 {
        let (here, there) = open(&a, &b).await;
        let here: Link = tls::dialled(here, "b".to_owned(), "a".to_owned());
        let there: Link = tls::accepted(there, "a".to_owned(), "b".to_owned());
        assert_eq!(here.channel_binding, there.channel_binding);
        bindings.push(here.channel_binding.unwrap());
        let (mut writer, mut reader) = (here.writer, there.reader);
        greet(&mut writer, &mut reader).await;
    }
    assert_ne!(bindings[0], bindings[1]);
}
