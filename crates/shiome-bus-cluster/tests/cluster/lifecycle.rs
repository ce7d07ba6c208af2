//! What becomes of links when sessions, nodes and buses come and go.

use std::time::Duration;

use shiome_bus::{
    Bus, BusOptions, ErrorKind, Intent, Level, LinkKind, LinkState, SendOptions, Via,
};
use shiome_bus_cluster::{ClusterBus, ClusterOptions, NodeRole};
use shiome_ractor::ChannelError;
use shiome_transport::memory::Network;

use super::support::{SOON, builder, id, inbox, intent, kind, linked, linked_with, until};

fn handled() -> SendOptions {
    SendOptions::default().level(Level::Handled)
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_lost_fails_what_waits_and_the_next_one_goes_on() {
    let network = Network::default();
    let (a, b) = (
        linked(&network, "lost-a").await,
        linked(&network, "lost-b").await,
    );
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    let mut heard = inbox(&bob);
    let session = a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    let asked = tokio::spawn({
        let alice = alice.clone();
        async move { alice.request("bob", intent("never.answered")).await }
    });
    let delivery = heard.recv().await.unwrap();
    assert_eq!(delivery.via(), Via::Link(LinkKind::CLUSTER));
    let began = tokio::time::Instant::now();
    session.disconnect();
    assert_eq!(kind(asked.await.unwrap()), ErrorKind::NotConnected);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(alice.stats().waiting, 0);
    // It is known that he is behind a link that is down.
    assert_eq!(
        kind(alice.send("bob", intent("x")).await),
        ErrorKind::NotConnected
    );
    assert!(!alice.reachable("bob"));
    let links = a.links.links();
    assert_eq!((links.len(), &links[0].state), (1, &LinkState::Connecting));
    assert_eq!(links[0].node, b.node.name());

    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    alice
        .send_with("bob", intent("again"), handled())
        .await
        .unwrap();
    assert_eq!(heard.recv().await.unwrap().name(), "again");
    assert!(
        heard.try_recv().is_err(),
        "what was under way is not sent again"
    );
    assert_eq!(a.bus.links().len(), 1, "the same link");
    // The answer to what was asked before the loss is nobody's.
    delivery.respond("late").await.unwrap();
    alice.ping("bob", SOON).await.unwrap();
    assert_eq!(a.bus.dropped(shiome_bus::DropReason::LateReply), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_does_not_come_back_is_forgotten() {
    let network = Network::default();
    let a = linked_with(
        &network,
        "forget-a",
        Bus::new(),
        ClusterOptions::default().grace(Duration::from_secs(3)),
    )
    .await;
    let b = linked(&network, "forget-b").await;
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    let session = a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    session.disconnect();
    until(|| !alice.reachable("bob")).await;
    let began = tokio::time::Instant::now();
    until(|| a.links.links().is_empty()).await;
    let after = began.elapsed();
    assert!((2..4).contains(&after.as_secs()), "{after:?}");
    assert!(a.bus.links().is_empty());
    assert_eq!(
        kind(alice.send("bob", intent("x")).await),
        ErrorKind::NodeNotFound
    );
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_one_end_ends_on_purpose_the_other_forgets_at_once() {
    let network = Network::default();
    let (a, b) = (
        linked(&network, "bye-a").await,
        linked(&network, "bye-b").await,
    );
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    let began = tokio::time::Instant::now();
    b.links.close().await;
    until(|| a.bus.links().is_empty()).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(
        kind(alice.send("bob", intent("x")).await),
        ErrorKind::NodeNotFound
    );
    assert!(b.bus.links().is_empty());
    // The session is there for more.
    let links = ClusterBus::new(&b.node, &b.bus, ClusterOptions::default()).unwrap();
    alice.wait_for(bob.id(), SOON).await.unwrap();
    let twice = ClusterBus::new(&b.node, &b.bus, ClusterOptions::default());
    assert_eq!(twice.unwrap_err(), ChannelError::NameInUse);
    drop(links);
    until(|| a.bus.links().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_closes_sends_what_waits_and_says_goodbye() {
    const COUNT: usize = 500;
    let network = Network::default();
    let (a, b) = (
        linked(&network, "close-a").await,
        linked(&network, "close-b").await,
    );
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    let mut heard = inbox(&bob);
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    for number in 0..COUNT {
        let some = Intent::new("x", number).unwrap();
        alice.send("bob", some).await.unwrap();
    }
    a.bus.close(SOON).await.unwrap();
    for number in 0..COUNT {
        let payload = heard.recv().await.unwrap().payload().clone();
        assert_eq!(payload.parse::<usize>().unwrap(), number);
    }
    until(|| b.bus.links().is_empty()).await;
    assert!(a.bus.links().is_empty());
    assert_eq!(
        kind(bob.send("alice", intent("x")).await),
        ErrorKind::NodeNotFound
    );
    assert_eq!(
        kind(alice.send("bob", intent("x")).await),
        ErrorKind::Closed
    );
}

#[tokio::test(start_paused = true)]
async fn links_keep_neither_bus_nor_node() {
    let network = Network::default();
    let (a, b) = (
        linked(&network, "keep-a").await,
        linked(&network, "keep-b").await,
    );
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    // The last handle on the bus.
    let weak = b.bus.downgrade();
    drop((b.bus, bob));
    until(|| weak.upgrade().is_none()).await;
    until(|| a.bus.links().is_empty()).await;

    let network = Network::default();
    let c = linked(&network, "keep-c").await;
    let d = linked(&network, "keep-d").await;
    let (carol, dave) = (c.peer("carol"), d.peer("dave"));
    c.dial(&d).await;
    carol.wait_for(dave.id(), SOON).await.unwrap();
    d.node.stop().await;
    until(|| !carol.reachable("dave")).await;
    until(|| d.links.links().is_empty() && d.bus.links().is_empty()).await;
    assert!(matches!(
        kind(dave.send("carol", intent("x")).await),
        ErrorKind::NodeNotFound
    ));
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_relays_joins_nodes_that_have_no_session() {
    let network = Network::default();
    let relay = || ClusterOptions::default().roles(|_| NodeRole::Relay);
    let bus = Bus::with(BusOptions::default().relay());
    let b = linked_with(&network, "hop-b", bus, ClusterOptions::default()).await;
    let a = linked_with(&network, "hop-a", Bus::new(), relay()).await;
    let c = linked_with(&network, "hop-c", Bus::new(), relay()).await;
    let (alice, bob, carol) = (a.peer("alice"), b.peer("bob"), c.peer("carol"));
    a.dial(&b).await;
    c.dial(&b).await;
    for other in [&alice, &carol] {
        other.wait_for(bob.id(), SOON).await.unwrap();
        bob.wait_for(other.id(), SOON).await.unwrap();
    }
    let answers = carol.on("ask", |delivery| delivery.try_respond("carol").map(drop));
    answers.unwrap().detach();
    // Nobody has told alice of carol, nor carol of alice.
    assert!(!alice.reachable("carol"));
    let answer = alice.request("carol", intent("ask")).await.unwrap();
    assert_eq!(answer.payload().as_str(), Some("carol"));
    // She has learned the way back.
    assert!(carol.reachable("alice"));
    carol
        .send_with("alice", intent("hello"), handled())
        .await
        .unwrap_err();
    assert_eq!(
        kind(alice.request("nobody", intent("ask")).await),
        ErrorKind::NodeNotFound
    );

    // Without being declared one, nobody relays.
    let strict = linked(&network, "hop-d").await;
    let dave = strict.peer("dave");
    strict.dial(&b).await;
    dave.wait_for(bob.id(), SOON).await.unwrap();
    bob.wait_for(dave.id(), SOON).await.unwrap();
    assert_eq!(
        kind(dave.send("alice", intent("x")).await),
        ErrorKind::NodeNotFound
    );
    let options = SendOptions::default()
        .level(Level::Received)
        .timeout(Duration::from_secs(1));
    assert_eq!(
        kind(alice.send_with("dave", intent("x"), options).await),
        ErrorKind::Timeout
    );
    assert_eq!(strict.bus.dropped(shiome_bus::DropReason::Forged), 1);
}

#[tokio::test(start_paused = true)]
async fn strangers_and_nodes_without_a_bus_get_no_link() {
    let network = Network::default();
    let picky = ClusterOptions::default().roles(|session| match session.name.as_str() {
        name if name.starts_with("picky-b") => NodeRole::Stranger,
        name if name.starts_with("picky-c") => panic!("on purpose"),
        _ => NodeRole::Peers,
    });
    let a = linked_with(&network, "picky-a", Bus::new(), picky).await;
    let (b, c) = (
        linked(&network, "picky-b").await,
        linked(&network, "picky-c").await,
    );
    let d = linked(&network, "picky-d").await;
    let without = builder(&network, "picky-e").start().await.unwrap();
    let (alice, dave) = (a.peer("alice"), d.peer("dave"));
    for other in [&b, &c, &d] {
        a.dial(other).await;
    }
    a.node.connect("mem:picky-e").await.unwrap();
    alice.wait_for(dave.id(), SOON).await.unwrap();
    until(|| b.bus.links().is_empty() && c.bus.links().is_empty()).await;
    assert_eq!(a.bus.links().len(), 1);
    assert_eq!(a.node.sessions().await.unwrap().len(), 4);
    drop(without);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_does_not_keep_up_slows_its_senders_down_and_loses_nothing() {
    const COUNT: usize = 20_000;
    let network = Network::default();
    let a = linked(&network, "slow-a").await;
    let patience = BusOptions::default().inbound_patience(Duration::from_secs(60));
    let b = linked_with(
        &network,
        "slow-b",
        Bus::with(patience),
        ClusterOptions::default(),
    )
    .await;
    let (alice, bob) = (a.peer("alice"), b.peer("bob"));
    let (put, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let slow = bob.on_async("x", move |delivery| {
        let put = put.clone();
        async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let _ = put.send(delivery.parse::<usize>()?);
            Ok::<_, shiome_bus::BusError>(())
        }
    });
    slow.unwrap().detach();
    a.dial(&b).await;
    alice.wait_for(bob.id(), SOON).await.unwrap();
    let mut queued = 0;
    for number in 0..COUNT {
        let options = SendOptions::default().timeout(Duration::from_secs(60));
        let some = Intent::new("x", number).unwrap();
        alice.send_with("bob", some, options).await.unwrap();
        queued = queued.max(a.bus.links()[0].1.queued);
    }
    assert!(queued <= shiome_bus_cluster::LANE_CAPACITY, "{queued}");
    for number in 0..COUNT {
        assert_eq!(heard.recv().await.unwrap(), number);
    }
    assert_eq!(b.bus.dropped(shiome_bus::DropReason::QueueFull), 0);
    assert!(b.bus.has(&id("bob")));
}
