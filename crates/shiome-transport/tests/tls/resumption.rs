//! Sessions that are resumed, and what is still looked at then.

use shiome_transport::tls::{NodeNameError, ServerConfig};

use super::{
    authority::Authority,
    ends::{client, handshake, is_resumed, node, open, peers, server},
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
