//! Peers that come to nodes over links of another kind.

use std::time::Duration;

use shiome_bus::{
    Bus, BusOptions, ErrorKind, Level, Peer, SendOptions,
    memory::{Connected, MemoryLink},
};
use shiome_bus_cluster::ClusterOptions;
use shiome_transport::memory::Network;

use super::support::{Linked, SOON, intent, kind, linked, linked_with};

/// A node whose bus tells each side of the other.
async fn bridge(network: &Network, name: &str) -> Linked {
    let bus = Bus::with(BusOptions::default().bridge());
    linked_with(network, name, bus, ClusterOptions::default()).await
}

/// A peer on a bus of its own, behind that node.
fn behind(node: &Linked, name: &str) -> (Peer, Connected) {
    let bus = Bus::new();
    let peer = bus.peer(name).unwrap();
    let link = MemoryLink::new().connect(&node.bus, &bus).unwrap();
    (peer, link)
}

async fn gone(from: &Peer, name: &str) {
    let gone = async {
        while from.reachable(name) {
            // On the paused clock, until something else happens.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn peers_behind_one_node_reach_those_behind_another() {
    let network = Network::default();
    let (a, b) = (
        bridge(&network, "bridge-a").await,
        bridge(&network, "bridge-b").await,
    );
    let (alice, _at_a) = behind(&a, "alice");
    let (bob, at_b) = behind(&b, "bob");
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    bob.wait_for(alice.id(), SOON).await.unwrap();
    let answers = bob.on("ask", |delivery| delivery.try_respond("bob").map(drop));
    answers.unwrap().detach();
    let answer = alice.request("bob", intent("ask")).await.unwrap();
    assert_eq!(answer.payload().as_str(), Some("bob"));
    let handled = SendOptions::default().level(Level::Handled);
    alice
        .send_with("bob", intent("ask"), handled)
        .await
        .unwrap();
    assert_eq!(b.bus.dropped(shiome_bus::DropReason::Forged), 0);

    // Who comes later is told of, and who goes is told of to the end.
    let (carol, _with_carol) = behind(&b, "carol");
    alice.wait_for(carol.id(), SOON).await.unwrap();
    bob.close(SOON).await.unwrap();
    gone(&alice, "bob").await;
    assert!(alice.reachable("carol"));
    assert_eq!(
        kind(alice.send("bob", intent("ask")).await),
        ErrorKind::NodeNotFound
    );
    at_b.cut();
}

#[tokio::test(start_paused = true)]
async fn who_went_while_nobody_was_there_to_be_told_is_gone_for_those_who_come_later() {
    let network = Network::default();
    let (a, b) = (
        bridge(&network, "later-a").await,
        bridge(&network, "later-b").await,
    );
    let (alice, at_a) = behind(&a, "alice");
    let (bob, _at_b) = behind(&b, "bob");
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    a.bus.detach(at_a.ids()[0]);
    bob.close(SOON).await.unwrap();
    let (carol, _with_carol) = behind(&b, "carol");
    let (dave, _with_dave) = behind(&a, "dave");
    dave.wait_for(carol.id(), SOON).await.unwrap();
    assert!(!dave.reachable("bob"));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_that_of_the_peer_who_had_it_first_until_it_goes() {
    let network = Network::default();
    let (a, b) = (
        bridge(&network, "first-a").await,
        bridge(&network, "first-b").await,
    );
    let (alice, _at_a) = behind(&a, "alice");
    let (bob, _at_b) = behind(&b, "bob");
    a.dial(&b).await;
    bob.wait_for(alice.id(), SOON).await.unwrap();
    let (second, _with_second) = behind(&b, "alice");
    let who = |peer: &Peer, name: &'static str| {
        let answers = peer.on("who", move |delivery| delivery.try_respond(name).map(drop));
        answers.unwrap().detach();
    };
    who(&alice, "first");
    who(&second, "second");
    let answer = bob.request("alice", intent("who")).await.unwrap();
    assert_eq!(answer.payload().as_str(), Some("first"));
    alice.close(SOON).await.unwrap();
    gone(&bob, "alice").await;
}

#[tokio::test(start_paused = true)]
async fn without_a_bridge_nobody_is_told_of_others() {
    let network = Network::default();
    let (a, b) = (
        linked(&network, "plain-a").await,
        bridge(&network, "plain-b").await,
    );
    let (alice, _at_a) = behind(&a, "alice");
    let (bob, _at_b) = behind(&b, "bob");
    let local = b.peer("local");
    let own = a.peer("own");
    a.dial(&b).await;
    own.wait_for(bob.id(), SOON).await.unwrap();
    own.wait_for(local.id(), SOON).await.unwrap();
    bob.wait_for(own.id(), SOON).await.unwrap();
    assert!(!bob.reachable("alice") && !local.reachable("alice"));
    assert!(!alice.reachable("bob"));
}
