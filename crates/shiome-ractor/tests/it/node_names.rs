//! A certificate is for one node: who shows it cannot speak as another.

use shiome_handshake::Fault;
use shiome_ractor::{ConnectError, Node, NodeEvent, PeerInfo, TargetInfo, Verb};
use shiome_transport::tls::{ClientConfig, NodeNameError, ServerConfig};
use shiome_wire::auth::{authentication_message::Msg, server_status::Status};
use tokio::net::TcpListener;
use tokio_rustls::rustls::HandshakeKind;

use super::{
    sessions,
    support::{
        COOKIE, RawPeer, probe,
        tls::{Authority, dial, failures},
    },
};

fn client(authority: &Authority, shown: &str) -> ClientConfig {
    ClientConfig::new(&authority.credentials(shown)).unwrap()
}

#[tokio::test]
async fn a_dialler_cannot_speak_as_another_node() {
    let authority = Authority::new();
    let a = authority.node("names-a").await;
    let liar = authority.builder("names-b", "names-c@127.0.0.1");
    let liar = liar.start().await.unwrap();
    let refused = liar.connect(a.local_addr()).await;
    let Err(ConnectError::Handshake(failure)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(failure.fault(), Some(Fault::Refused));
    assert!(a.sessions().await.unwrap().is_empty());
    failures(&a, 1).await;
    assert_eq!(a.admission().authenticated, 0);
}

#[tokio::test]
async fn an_acceptor_cannot_speak_as_another_node() {
    let authority = Authority::new();
    let a = authority.node("names2-a").await;
    let liar = authority.builder("names2-b", "names2-c@127.0.0.1");
    let liar = liar.start().await.unwrap();
    let error = a.connect(liar.local_addr()).await.unwrap_err();
    let ConnectError::NodeName { name, error: why } = &error else {
        panic!("{error:?}");
    };
    assert_eq!(name, "names2-b@127.0.0.1");
    assert_eq!(*why, NodeNameError::OtherNode);
    assert!(error.is_permanent());
    assert!(a.sessions().await.unwrap().is_empty());
    assert!(liar.sessions().await.unwrap().is_empty());
}

#[tokio::test]
async fn nor_can_who_resumes_a_session() {
    let authority = Authority::new();
    let a = authority.node("resumed-a").await;
    let config = client(&authority, "resumed-c@raw");
    let honest = dial(&config, &a).await;
    let mut honest = RawPeer::over(honest);
    honest.authenticate("resumed-c").await;
    honest.synchronise().await;
    honest.ping(1).await;

    let stream = dial(&config, &a).await;
    let kind = stream.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(HandshakeKind::Resumed));
    let mut liar = RawPeer::over(stream);
    liar.send_name("resumed-b").await;
    assert_eq!(liar.status().await, Status::NotAllowed);
    assert!(liar.until_closed().await.is_empty());
    failures(&a, 1).await;
    honest.ping(2).await;
}

/// Accepts a connection of the node by hand.
async fn accept(listener: &TcpListener, config: &ServerConfig) -> (RawPeer, Option<HandshakeKind>) {
    let (stream, _) = listener.accept().await.unwrap();
    let stream = config.accept(stream).await.unwrap();
    let kind = stream.get_ref().1.handshake_kind();
    (RawPeer::over(stream), kind)
}

#[tokio::test]
async fn who_is_dialled_and_lies_gets_no_proof_of_the_cookie() {
    let authority = Authority::new();
    let a = authority.node("proof-a").await;
    let credentials = authority.credentials("proof-c@raw");
    let config = ServerConfig::builder(&credentials).build().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();

    let honest = async {
        let (mut peer, _) = accept(&listener, &config).await;
        sessions::accept(&mut peer, "proof-c").await;
        peer.synchronise().await;
        peer
    };
    let mut events = a.events();
    let (session, honest) = tokio::join!(a.connect(address), honest);
    assert_eq!(session.unwrap().name, "proof-c@raw");
    drop(honest);
    // A dial beside that session would be one too many.
    while !matches!(events.next().await.unwrap(), NodeEvent::Disconnected(session) if session.name == "proof-c@raw")
    {
    }

    let liar = async {
        let (mut peer, kind) = accept(&listener, &config).await;
        peer.receive().await.expect("the node's name");
        peer.send_challenge("proof-b").await;
        let heard = peer.until_closed().await;
        let replies = heard.into_iter().filter_map(|message| message.into_auth());
        let proofs = replies.filter(|message| matches!(message, Msg::ClientChallenge(_)));
        assert_eq!(proofs.count(), 0);
        kind
    };
    let (refused, kind) = tokio::join!(a.connect(address), liar);
    assert_eq!(kind, Some(HandshakeKind::Resumed));
    assert!(
        matches!(&refused, Err(ConnectError::NodeName { name, .. }) if name == "proof-b@raw"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_claimed_name_does_not_disturb_who_bears_it() {
    let authority = Authority::new();
    let a = authority.node("claim-a").await;
    let bearer = dial(&client(&authority, "claim-b@raw"), &a).await;
    let mut bearer = RawPeer::over(bearer);
    bearer.authenticate("claim-b").await;
    bearer.synchronise().await;

    let rogue = client(&authority, "claim-c@raw");
    for _ in 0..3 {
        let mut liar = RawPeer::over(dial(&rogue, &a).await);
        liar.send_name("claim-b").await;
        assert_eq!(liar.status().await, Status::NotAllowed);
        assert!(liar.until_closed().await.is_empty());
    }
    bearer.ping(1).await;
    let sessions = a.sessions().await.unwrap();
    assert_eq!(sessions.len(), 1);
    assert_eq!(sessions[0].name, "claim-b@raw");
}

#[tokio::test]
async fn the_own_streams_of_a_program_bind_nobody_to_a_name() {
    let authority = Authority::new();
    let credentials = authority.credentials("c@raw");
    let acceptor = ServerConfig::builder(&credentials)
        .build()
        .unwrap()
        .acceptor();
    let mode = shiome_ractor::IncomingEncryptionMode::Tls(acceptor);
    let a = Node::builder("unbound-a@127.0.0.1:0").cookie(COOKIE);
    let a = a.encryption(mode).start().await.unwrap();
    let mut peer = RawPeer::over(dial(&client(&authority, "c@raw"), &a).await);
    peer.authenticate("unbound-b").await;
    peer.synchronise().await;
    peer.ping(1).await;
}

#[tokio::test]
async fn a_policy_is_told_whether_a_name_is_bound() {
    let authority = Authority::new();
    let (asked, mut asks) = tokio::sync::mpsc::unbounded_channel();
    let policy = move |peer: &PeerInfo, _: &TargetInfo, _: Verb| {
        let _ = asked.send((peer.name.clone(), peer.is_bound));
        true
    };
    let (_actor, _) = probe(None).await;
    let a = authority.builder("told-bound-a", "told-bound-a@127.0.0.1");
    let a = a.policy(policy).start().await.unwrap();
    let config = client(&authority, "told-bound@raw");
    let mut bound = RawPeer::over(dial(&config, &a).await);
    bound.authenticate("told-bound").await;
    bound.synchronise().await;
    assert_eq!(
        asks.recv().await.unwrap(),
        ("told-bound@raw".to_owned(), true)
    );
    let mut unbound = RawPeer::dial(a.server());
    unbound.authenticate("told-unbound").await;
    unbound.synchronise().await;
    loop {
        let (name, is_bound) = asks.recv().await.unwrap();
        assert_eq!(is_bound, name == "told-bound@raw", "{name}");
        if !is_bound {
            break;
        }
    }
}

#[tokio::test]
async fn a_node_is_reached_at_addresses_that_its_certificate_does_not_name() {
    let authority = Authority::new();
    let start = |name: &'static str, shown: &'static str| {
        let credentials = authority.credentials_at("elsewhere.example", shown);
        let builder = Node::builder(format!("{name}@elsewhere.example:0"));
        let builder = builder.listen([127, 0, 0, 1].into()).cookie(COOKIE);
        builder.tls(&credentials).start()
    };
    let a = start("moved-a", "moved-a@elsewhere.example").await.unwrap();
    let b = start("moved-b", "moved-b@elsewhere.example").await.unwrap();
    let session = a.connect(b.local_addr()).await.unwrap();
    assert_eq!(session.name, "moved-b@elsewhere.example");
    // It still is no other node.
    let liar = start("moved-d", "moved-c@elsewhere.example").await.unwrap();
    let error = a.connect(liar.local_addr()).await.unwrap_err();
    assert!(matches!(error, ConnectError::NodeName { .. }), "{error:?}");
}
