//! The builder's node.

use std::{sync::mpsc, time::Duration};

use ractor::{ActorRef, ActorStatus, registry::where_is};
use shiome_ractor::{
    BuildError, ConnectError, Node, NodeEvent, NodeEventSubscription, NodeServerMessage,
    node::NodeServerSessionInformation,
};
use tokio::{task::block_in_place, time::timeout};

use super::support::{COOKIE, ProbeMessage, RawPeer, arguments};

async fn start(name: &str) -> Node {
    let address = format!("{name}@127.0.0.1:0");
    Node::builder(address).cookie(COOKIE).start().await.unwrap()
}

#[tokio::test]
async fn a_node_without_cookie_does_not_start() {
    let error = Node::builder("a@127.0.0.1:0").start().await.unwrap_err();
    assert!(matches!(error, BuildError::NoCookie));
}

#[tokio::test]
async fn two_nodes_connect_and_tell() {
    let (a, b) = (start("tell-a").await, start("tell-b").await);
    let mut events = b.events();
    let session = a.connect(b.local_addr()).await.unwrap();
    assert_eq!(session.name, "tell-b@127.0.0.1");
    assert!(!session.is_server);
    assert_eq!(session.connection_string, b.local_addr().to_string());
    let mut told = Vec::new();
    while told.len() < 3 {
        match events.next().await.unwrap() {
            NodeEvent::Opened(_) => told.push("opened"),
            NodeEvent::Authenticated(peer) if peer.name == a.name() => told.push("authenticated"),
            NodeEvent::Ready(peer) if peer.is_server => told.push("ready"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, ["opened", "authenticated", "ready"]);

    let again = a.connect(b.local_addr()).await;
    assert!(matches!(&again, Err(ConnectError::Duplicate(Some(known))) if known.name == b.name()));
    assert_eq!(a.sessions().await.unwrap().len(), 1);

    a.stop().await;
    loop {
        match events.next().await.unwrap() {
            NodeEvent::Disconnected(peer) if peer.name == "tell-a@127.0.0.1" => break,
            _ => {}
        }
    }
    assert!(b.sessions().await.unwrap().is_empty());
    b.stop().await;
}

/// Holds up the node server once a session is authenticated, until there is no sender any more.
struct HoldsUp(mpsc::Receiver<()>);

impl NodeEventSubscription for HoldsUp {
    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {
        let _ = block_in_place(|| self.0.recv());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_that_is_short_is_told_in_order_whatever_the_server_is_at() {
    let node = start("short").await;
    let mut events = node.events();
    let (goes_on, held_up) = mpsc::channel();
    let subscription = NodeServerMessage::SubscribeToEvents {
        id: "holds up".to_owned(),
        subscription: Box::new(HoldsUp(held_up)),
    };
    node.server().cast(subscription).unwrap();
    drop(RawPeer::join(node.server(), "shortpeer").await);

    let mut told = Vec::new();
    let telling = async {
        let mut goes_on = Some(goes_on);
        while told.last() != Some(&"disconnected") {
            told.push(match events.next().await.unwrap() {
                NodeEvent::Opened(_) => "opened",
                NodeEvent::Authenticated(_) => "authenticated",
                NodeEvent::Ready(_) => "ready",
                NodeEvent::NodeDown { .. } => {
                    drop(goes_on.take());
                    "down"
                }
                NodeEvent::Disconnected(_) => "disconnected",
                other => panic!("{other:?}"),
            });
        }
    };
    let in_time = timeout(Duration::from_secs(60), telling).await;
    let expected = ["opened", "authenticated", "ready", "down", "disconnected"];
    assert_eq!(told, expected);
    in_time.unwrap();
    node.stop().await;
}

#[tokio::test]
async fn a_wrong_cookie_is_told_to_who_connects() {
    let a = Node::builder("wrong-a@127.0.0.1:0").cookie("another");
    let (a, b) = (a.start().await.unwrap(), start("wrong-b").await);
    let refused = a.connect(b.local_addr()).await;
    assert!(matches!(refused, Err(ConnectError::Handshake(_))));
    assert!(b.sessions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_told() {
    // Held, so that nobody else can listen there.
    let held = tokio::net::TcpSocket::new_v4().unwrap();
    held.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = held.local_addr().unwrap();
    let refused = start("nobody").await.connect(address).await;
    assert!(matches!(refused, Err(ConnectError::Dial(_))));
}

#[tokio::test]
async fn a_stopped_node_says_so() {
    let node = start("stopped").await;
    let server = node.server().clone();
    let mut events = node.events();
    node.stop().await;
    assert_eq!(server.get_status(), ActorStatus::Stopped);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn remote_actors_are_found_by_name_though_the_registry_does_not_know_them() {
    let node = start("find").await;
    let mut peer = RawPeer::join(node.server(), "findpeer").await;
    peer.announce([(9, "find-me")]).await;
    peer.ping(1).await;
    let session = node.sessions().await.unwrap().remove(0);
    assert!(where_is("find-me").is_none());
    assert!(node.remote_actor(&session, "nobody").await.is_none());
    let found = node.remote_actor(&session, "find-me").await.unwrap();
    assert_eq!(found.get_id().pid(), 9);
    let found = ActorRef::<ProbeMessage>::from(found);
    found.cast(ProbeMessage::Note("hello".into())).unwrap();
    assert_eq!(peer.expect_cast().await.what, arguments(&[b"hello"]));
}
