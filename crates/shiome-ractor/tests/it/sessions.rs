//! Which connections become sessions, and what is told of them.

use ractor::ActorRef;
use shiome_ractor::{
    NodeEventSubscription, NodeServerMessage,
    node::{NodeConnectionMode, NodeServerSessionInformation},
};
use shiome_wire::{
    auth::{self, NameMessage, server_status::Status},
    control::{self, control_message::Msg},
    meta::NetworkMessage,
};
use tokio::sync::mpsc;

use super::support::{COOKIE, RawPeer, digest, name_of, node, node_in_mode, sessions};

struct Recorder(mpsc::UnboundedSender<(&'static str, Option<String>)>);

impl Recorder {
    fn record(&self, event: &'static str, session: NodeServerSessionInformation) {
        let _ = self.0.send((event, session.peer_name.map(|n| n.name)));
    }
}

impl NodeEventSubscription for Recorder {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        self.record("opened", session);
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        self.record("authenticated", session);
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        self.record("ready", session);
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        self.record("disconnected", session);
    }
}

fn subscribe(
    server: &ActorRef<NodeServerMessage>,
    id: &str,
    subscription: impl NodeEventSubscription,
) {
    server
        .cast(NodeServerMessage::SubscribeToEvents {
            id: id.to_owned(),
            subscription: Box::new(subscription),
        })
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_session_is_told_from_its_first_to_its_last_moment() {
    struct Panics;
    impl NodeEventSubscription for Panics {
        fn node_session_opened(&self, _: NodeServerSessionInformation) {
            panic!("a bad subscription");
        }
    }
    let server = node("told").await;
    let (events, mut told) = mpsc::unbounded_channel();
    subscribe(&server, "bad", Panics);
    subscribe(&server, "good", Recorder(events));
    let peer = RawPeer::join(&server, "toldpeer").await;
    let name = Some("toldpeer@raw".to_owned());
    assert_eq!(told.recv().await.unwrap().0, "opened");
    assert_eq!(told.recv().await.unwrap(), ("authenticated", name.clone()));
    assert_eq!(told.recv().await.unwrap(), ("ready", name.clone()));
    drop(peer);
    assert_eq!(told.recv().await.unwrap(), ("disconnected", name));
}

#[tokio::test(start_paused = true)]
async fn the_old_spelling_of_the_subscription_is_called_too() {
    struct Old(mpsc::UnboundedSender<()>);
    #[allow(deprecated, reason = "what is tested")]
    impl NodeEventSubscription for Old {
        fn node_session_authenicated(&self, _: NodeServerSessionInformation) {
            let _ = self.0.send(());
        }
    }
    let server = node("old").await;
    let (events, mut told) = mpsc::unbounded_channel();
    subscribe(&server, "old", Old(events));
    let _peer = RawPeer::join(&server, "oldpeer").await;
    told.recv().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_does_not_connect_to_itself() {
    let server = node("itself").await;
    let mut peer = RawPeer::dial(&server);
    let mut name = name_of("x");
    name.name = "itself@node".to_owned();
    peer.send(auth::authentication_message::Msg::Name(name))
        .await;
    assert!(peer.until_closed().await.is_empty());
    assert!(sessions(&server).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_connections_with_one_peer_the_smaller_nonce_stays() {
    let server = node("twice").await;
    let mut first = RawPeer::join(&server, "twicepeer").await;
    // A larger nonce loses at once.
    let mut second = RawPeer::dial(&server);
    let mut name = name_of("twicepeer");
    name.connection_id = 8;
    second
        .send(auth::authentication_message::Msg::Name(name.clone()))
        .await;
    assert_eq!(second.status().await, Status::NotOk);
    assert!(second.until_closed().await.is_empty());
    first.ping(1).await;

    // A smaller one wins, once it has proven the cookie and not before.
    let mut third = RawPeer::dial(&server);
    name.connection_id = 6;
    third
        .send(auth::authentication_message::Msg::Name(name))
        .await;
    assert_eq!(third.status().await, Status::OkSimultaneous);
    let challenge = third.challenge().await;
    first.ping(2).await;
    third
        .send(auth::ChallengeReply {
            challenge: 1,
            digest: digest(COOKIE, challenge),
        })
        .await;
    first.until_closed().await;
    third.ping(3).await;
    assert_eq!(sessions(&server).await.len(), 1);
}

/// Names of the nodes that the peer of that name is told of when it asks.
async fn told_of(peer: &mut RawPeer, name: &str) -> Vec<String> {
    peer.send(Msg::EnumerateNodeSessions(name_of(name))).await;
    let listed = peer
        .expect(|message| match message.into_control()? {
            Msg::NodeSessions(list) => Some(list.sessions),
            _ => None,
        })
        .await;
    listed.into_iter().map(|node| node.name).collect()
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_told_of_the_others_and_not_of_itself() {
    let server = node("list").await;
    let _first = RawPeer::join(&server, "list1").await;
    let _unauthenticated = RawPeer::dial(&server);
    let mut second = RawPeer::join(&server, "list2").await;
    assert_eq!(told_of(&mut second, "list2").await, ["list1@raw"]);
}

#[tokio::test(start_paused = true)]
async fn a_peer_is_not_told_of_nodes_that_nobody_can_dial() {
    let server = node("nameless").await;
    let mut nowhere = RawPeer::dial(&server);
    nowhere
        .authenticate_as(NameMessage {
            connection_string: String::new(),
            ..name_of("nameless1")
        })
        .await;
    nowhere.synchronise().await;
    let _dialled = RawPeer::join(&server, "nameless2").await;
    assert_eq!(sessions(&server).await.len(), 2);
    let mut asker = RawPeer::join(&server, "nameless3").await;
    assert_eq!(told_of(&mut asker, "nameless3").await, ["nameless2@raw"]);
}

#[tokio::test(start_paused = true)]
async fn the_number_of_a_connection_is_told_to_nobody() {
    assert_ne!(name_of("number1").connection_id, 0);
    let server = node("number").await;
    let _first = RawPeer::join(&server, "number1").await;
    for session in sessions(&server).await {
        assert_eq!(session.peer_name.map(|name| name.connection_id), Some(0));
    }
    let mut second = RawPeer::join(&server, "number2").await;
    let ask = Msg::EnumerateNodeSessions(name_of("number2"));
    second.send(ask).await;
    let listed = second
        .expect(|message| match message.into_control()? {
            Msg::NodeSessions(list) => Some(list.sessions),
            _ => None,
        })
        .await;
    let numbers: Vec<_> = listed.iter().map(|name| name.connection_id).collect();
    assert_eq!(numbers, [0]);
}

#[tokio::test(start_paused = true)]
async fn an_isolated_node_neither_asks_nor_dials() {
    let server = node_in_mode("isolated", NodeConnectionMode::Isolated).await;
    let (events, mut told) = mpsc::unbounded_channel();
    let mut peer = RawPeer::dial(&server);
    peer.authenticate("isolatedpeer").await;
    loop {
        match peer.expect(|m| m.into_control()).await {
            Msg::EnumerateNodeSessions(_) => panic!("an isolated node does not ask"),
            Msg::Ready(_) => break,
            _ => {}
        }
    }
    subscribe(&server, "isolated", Recorder(events));
    let mut elsewhere = name_of("elsewhere");
    elsewhere.connection_string = "127.0.0.1:1".to_owned();
    let sessions = vec![elsewhere];
    peer.send(control::NodeSessions { sessions }).await;
    peer.ping(1).await;
    assert!(told.try_recv().is_err(), "nothing was opened");
}

#[tokio::test]
async fn a_transitive_node_asks_and_dials_whom_it_does_not_know() {
    let server = node_in_mode("transitive", NodeConnectionMode::Transitive).await;
    let mut peer = RawPeer::dial(&server);
    peer.authenticate("transitivepeer").await;
    let own = peer
        .expect(|message| match message.into_control()? {
            Msg::EnumerateNodeSessions(name) => Some(name),
            _ => None,
        })
        .await;
    assert_eq!(own.name, "transitive@node");

    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut unknown = name_of("elsewhere");
    unknown.connection_string = elsewhere.local_addr().unwrap().to_string();
    // Itself and the peer are known; the address must not be dialled twice.
    let sessions = vec![own, name_of("transitivepeer"), unknown.clone(), unknown];
    peer.send(control::NodeSessions { sessions }).await;
    let (_dialled, _) = elsewhere.accept().await.unwrap();
    peer.ping(1).await;
    let again = tokio::time::timeout(std::time::Duration::from_millis(50), elsewhere.accept());
    assert!(again.await.is_err(), "one dial");
}

#[tokio::test]
async fn a_peer_cannot_make_a_transitive_node_open_connections_without_end() {
    let server = node_in_mode("scanned", NodeConnectionMode::Transitive).await;
    // Takes connections, and says nothing.
    let silent = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut peer = RawPeer::dial(&server);
    peer.authenticate("scanned-peer").await;
    let mut taken = Vec::new();
    for third in 0..2 {
        let sessions = (1..=64).map(|host| {
            let mut node = name_of(&format!("scanned-{third}-{host}"));
            node.connection_string = format!("127.0.{third}.{host}:{port}");
            node
        });
        let sessions = sessions.collect();
        peer.send(control::NodeSessions { sessions }).await;
        peer.ping(1).await;
        while taken.len() < 64 {
            let (stream, _) = silent.accept().await.unwrap();
            let mut accepted = RawPeer::over(stream);
            accepted.receive().await.expect("the node's name");
            taken.push(accepted);
        }
    }
    let more = tokio::time::timeout(std::time::Duration::from_millis(100), silent.accept());
    assert!(more.await.is_err(), "more than 64 at a time");
}

#[tokio::test]
async fn a_stranger_that_claims_a_name_keeps_a_transitive_node_from_nobody() {
    let server = node_in_mode("claimed", NodeConnectionMode::Transitive).await;
    let elsewhere = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut unknown = name_of("claimed-elsewhere");
    unknown.connection_string = elsewhere.local_addr().unwrap().to_string();
    let mut stranger = RawPeer::dial(&server);
    let claim = auth::authentication_message::Msg::Name(unknown.clone());
    stranger.send(claim).await;
    assert_eq!(stranger.status().await, Status::Ok);

    let mut peer = RawPeer::dial(&server);
    peer.authenticate("claimed-peer").await;
    let sessions = vec![unknown];
    peer.send(control::NodeSessions { sessions }).await;
    let dialled = tokio::time::timeout(std::time::Duration::from_secs(60), elsewhere.accept());
    dialled.await.expect("it is dialled all the same").unwrap();
}

/// A name without nonce, as nodes of 0.15.12 send it.
fn nonceless(name: &str) -> auth::authentication_message::Msg {
    let mut name = name_of(name);
    name.connection_id = 0;
    auth::authentication_message::Msg::Name(name)
}

/// Plays the acceptor up to the end of the handshake.
pub(crate) async fn accept(peer: &mut RawPeer, name: &str) {
    peer.receive().await.expect("the node's name");
    peer.send_challenge(name).await;
    let challenge = peer
        .expect(|message| match message.into_auth()? {
            auth::authentication_message::Msg::ClientChallenge(reply) => Some(reply.challenge),
            _ => None,
        })
        .await;
    peer.send(auth::ChallengeAck {
        digest: digest(COOKIE, challenge),
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_nonceless_peer_waits_for_a_dial_that_may_lead_to_it_but_not_for_ever() {
    let server = node("hold").await;
    let mut dialled = RawPeer::dialled_by(&server);
    dialled.receive().await.expect("the node's name");
    let mut accepted = RawPeer::dial(&server);
    accepted.send(nonceless("holdpeer")).await;
    let began = tokio::time::Instant::now();
    assert_eq!(accepted.status().await, Status::Ok);
    assert_eq!(began.elapsed().as_millis(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_nonceless_peer_is_refused_when_the_dial_has_led_to_it() {
    let server = node("hold2").await;
    let mut dialled = RawPeer::dialled_by(&server);
    let mut accepted = RawPeer::dial(&server);
    accepted.send(nonceless("hold2peer")).await;
    let began = tokio::time::Instant::now();
    accept(&mut dialled, "hold2peer").await;
    assert_eq!(accepted.status().await, Status::NotOk);
    assert!(began.elapsed().as_millis() < 500, "as soon as it is known");
    dialled.ping(1).await;
    assert_eq!(sessions(&server).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_dial_waits_for_a_nonceless_peer_that_is_being_challenged() {
    let server = node("hold3").await;
    let mut accepted = RawPeer::dial(&server);
    accepted.send(nonceless("hold3peer")).await;
    assert_eq!(accepted.status().await, Status::Ok);
    let mut dialled = RawPeer::dialled_by(&server);
    let began = tokio::time::Instant::now();
    dialled.receive().await.expect("the node's name");
    assert!(began.elapsed().as_millis() >= 500, "{:?}", began.elapsed());
}

/// The node's own dial to `name` as far as the peer's challenge: whether it succeeds is up to the peer.
async fn challenge_the_dialler(server: &ActorRef<NodeServerMessage>, name: &str) -> (RawPeer, u32) {
    let mut dialled = RawPeer::dialled_by(server);
    let named = dialled.expect(|message| match message.into_auth()? {
        auth::authentication_message::Msg::Name(_) => Some(()),
        _ => None,
    });
    named.await;
    let status = auth::ServerStatus {
        status: Status::Ok.into(),
    };
    dialled.send(status).await;
    let NameMessage {
        name,
        connection_string,
        ..
    } = name_of(name);
    dialled
        .send(auth::Challenge {
            name,
            flags: None,
            challenge: 1,
            connection_string,
        })
        .await;
    let reply = dialled.expect(|message| match message.into_auth()? {
        auth::authentication_message::Msg::ClientChallenge(reply) => Some(reply.challenge),
        _ => None,
    });
    let challenge = reply.await;
    (dialled, challenge)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_an_own_dial_may_replace_is_not_ready_before_that_has_succeeded() {
    // Named after the peer, so that the node's dial wins.
    let server = node("zz-wins").await;
    let (events, mut told) = mpsc::unbounded_channel();
    subscribe(&server, "all", Recorder(events));
    let (mut dialled, challenge) = challenge_the_dialler(&server, "dialled-first").await;
    let mut accepted = RawPeer::dial(&server);
    accepted.authenticate("dialled-first").await;
    accepted.send(control::Ready {}).await;

    let digest = digest(COOKIE, challenge);
    dialled.send(auth::ChallengeAck { digest }).await;
    dialled.send(control::Ready {}).await;
    let ready = dialled.expect(|message| match message.into_control()? {
        Msg::Ready(_) => Some(()),
        _ => None,
    });
    ready.await;
    // The replaced one was never of use: nothing came after the handshake but the proof that belongs to it.
    let words = accepted.until_closed().await;
    let kinds: Vec<_> = words.iter().map(NetworkMessage::kind).collect();
    assert_eq!(kinds, ["proof"]);

    dialled.ping(1).await;
    drop(dialled);
    let mut kinds = Vec::new();
    while kinds.iter().filter(|kind| **kind == "disconnected").count() < 2 {
        kinds.push(told.recv().await.unwrap().0);
    }
    assert_eq!(kinds.iter().filter(|kind| **kind == "ready").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_an_own_dial_may_replace_begins_when_that_has_failed() {
    let server = node("zz-fails").await;
    let (dialled, _) = challenge_the_dialler(&server, "dialled-in-vain").await;
    let mut accepted = RawPeer::dial(&server);
    accepted.authenticate("dialled-in-vain").await;
    drop(dialled);
    let ready = accepted.expect(|message| match message.into_control()? {
        Msg::Ready(_) => Some(()),
        _ => None,
    });
    ready.await;
    accepted.ping(1).await;
}
