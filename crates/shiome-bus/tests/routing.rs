//! Who is reached over what.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::time::Duration;

use shiome_bus::{
    Bus, BusError, BusOptions, DropEvent, DropReason, ErrorKind, Intent, Level, LinkKind,
    LinkOptions, Peer, PeerId, PeerOptions, Remote, SendOptions, Via,
    memory::{Conditions, Connected, MemoryLink},
};
use tokio::{sync::mpsc, time::Instant};

const SOON: Duration = Duration::from_secs(5);

fn text(text: &str) -> Intent {
    Intent::new("x", text).unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T, BusError>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn received() -> SendOptions {
    SendOptions::default().level(Level::Received)
}

/// What a peer gets: who from, what, and how.
fn hears(peer: &Peer) -> mpsc::UnboundedReceiver<(String, String, Via)> {
    let (heard, hears) = mpsc::unbounded_channel();
    let all = peer.on_any(move |delivery| {
        let from = delivery.from().to_string();
        heard.send((from, delivery.payload().to_string(), delivery.via()))
    });
    all.unwrap().detach();
    hears
}

fn uplink() -> LinkOptions {
    LinkOptions::default().uplink()
}

fn joined(first: &Bus, second: &Bus) -> Connected {
    MemoryLink::new().connect(first, second).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_bus_goes_before_a_link() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, b) = (here.peer("a").unwrap(), here.peer("b").unwrap());
    let mut heard = hears(&b);
    joined(&here, &there);
    let receipt = a.send("b", text("near")).await.unwrap();
    assert_eq!(receipt.via, Via::Bus);
    assert_eq!(heard.recv().await.unwrap().2, Via::Bus);
    let sent: u64 = here
        .links()
        .iter()
        .map(|(_, stats)| stats.messages_sent)
        .sum();
    assert_eq!(sent, 0);
}

#[tokio::test(start_paused = true)]
async fn siblings_behind_a_gateway_get_and_answer() {
    let (here, there) = (Bus::new(), Bus::new());
    let far = there.peer("far").unwrap();
    let (near, sibling) = (here.peer("near").unwrap(), here.peer("sibling").unwrap());
    joined(&here, &there);
    far.wait_for("sibling", SOON).await.unwrap();
    let mut heard = hears(&far);
    sibling
        .on_async("x", |delivery| async move {
            delivery
                .peer()?
                .send(delivery.from(), text("back"))
                .await
                .map(drop)
        })
        .unwrap()
        .detach();
    far.send("sibling", text("there")).await.unwrap();
    let link = Via::Link(LinkKind::MEMORY);
    assert_eq!(
        heard.recv().await.unwrap(),
        ("sibling".into(), "\"back\"".into(), link)
    );
    assert_eq!(near.stats().messages_received, 0);
}

/// A peer that nobody told of is reached back over the link that brought something of it, while that is up.
#[tokio::test(start_paused = true)]
async fn the_way_back_is_learned_and_ends_with_the_link() {
    let (home, relay, away) = (
        Bus::new(),
        Bus::with(BusOptions::default().relay()),
        Bus::new(),
    );
    let (a, z) = (home.peer("a").unwrap(), away.peer("z").unwrap());
    let (first, _second) = (joined(&home, &relay), joined(&relay, &away));
    // The relay tells of its own peers only, which it has none of.
    let to_relay = MemoryLink::new().options(uplink(), LinkOptions::default());
    to_relay.connect(&away, &relay).unwrap();
    let mut heard = hears(&a);
    assert!(!a.reachable("z"));
    assert_eq!(
        kind(a.send("z", text("too early")).await),
        ErrorKind::NodeNotFound
    );
    z.send("a", text("hello")).await.unwrap();
    assert_eq!(heard.recv().await.unwrap().0, "z");
    assert!(a.reachable("z"));
    let mut heard_far = hears(&z);
    a.send("z", text("back")).await.unwrap();
    assert_eq!(heard_far.recv().await.unwrap().1, "\"back\"");
    first.cut();
    assert!(!a.reachable("z"));
    assert_eq!(
        kind(a.send("z", text("gone")).await),
        ErrorKind::NodeNotFound
    );
}

#[tokio::test(start_paused = true)]
async fn what_comes_from_a_link_goes_to_none_unless_the_bus_is_a_relay() {
    for relays in [false, true] {
        let options = BusOptions::default();
        let middle = Bus::with(if relays { options.relay() } else { options });
        let (home, away) = (Bus::new(), Bus::new());
        let (a, z) = (home.peer("a").unwrap(), away.peer("z").unwrap());
        let mut heard = hears(&z);
        let up = MemoryLink::new().options(uplink(), LinkOptions::default());
        up.connect(&home, &middle).unwrap();
        joined(&middle, &away);
        let scout = middle.peer("scout").unwrap();
        scout.wait_for("z", SOON).await.unwrap();
        let sent = a.send_with("z", text("on"), received()).await;
        if relays {
            sent.unwrap();
            assert_eq!(heard.recv().await.unwrap().0, "a");
        } else {
            assert_eq!(kind(sent), ErrorKind::NodeNotFound);
            assert_eq!(middle.dropped(DropReason::NodeNotFound), 1);
            assert_eq!(z.stats().messages_received, 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_no_gateway_speaks_for_itself_alone() {
    let (here, there) = (Bus::new(), Bus::new());
    let (w, sibling, b) = (
        here.peer("w").unwrap(),
        here.peer("sibling").unwrap(),
        there.peer("b").unwrap(),
    );
    let remote = |id| Remote::peer(PeerId::new(id).unwrap());
    let link = MemoryLink::new().ends(remote("w"), remote("b"));
    link.connect(&here, &there).unwrap();
    w.wait_for("b", SOON).await.unwrap();
    let mut heard = hears(&b);
    sibling.send("b", text("forged")).await.unwrap();
    w.send("b", text("true")).await.unwrap();
    assert_eq!(heard.recv().await.unwrap().1, "\"true\"");
    assert_eq!(there.dropped(DropReason::Forged), 1);
    assert_eq!(b.peers(), [w.id().clone()]);
}

#[tokio::test(start_paused = true)]
async fn the_cheapest_way_that_is_up_is_taken() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, b) = (here.peer("a").unwrap(), there.peer("b").unwrap());
    let cost = |cost| LinkOptions::default().cost(cost);
    let dear = MemoryLink::new()
        .options(cost(9), cost(9))
        .connect(&here, &there)
        .unwrap();
    let cheap = MemoryLink::new()
        .options(cost(1), cost(1))
        .connect(&here, &there)
        .unwrap();
    a.wait_for("b", SOON).await.unwrap();
    let mut heard = hears(&b);
    let sent_over = |link: &Connected| {
        let stats = here
            .links()
            .into_iter()
            .find(|(id, _)| *id == link.ids()[0]);
        stats.unwrap().1.messages_sent
    };
    // Both have told of it by now.
    a.ping("b", SOON).await.unwrap();
    let before = sent_over(&dear);
    a.send("b", text("1")).await.unwrap();
    heard.recv().await.unwrap();
    assert_eq!(sent_over(&dear), before);
    cheap.cut();
    a.send("b", text("2")).await.unwrap();
    heard.recv().await.unwrap();
    assert_eq!(sent_over(&dear), before + 1);
    dear.cut();
    assert_eq!(kind(a.send("b", text("3")).await), ErrorKind::NotConnected);
    cheap.mend();
    a.send("b", text("4")).await.unwrap();
    assert_eq!(heard.recv().await.unwrap().1, "\"4\"");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_a_link_reaches_is_taken() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, b) = (here.peer("a").unwrap(), there.peer("b").unwrap());
    let link = joined(&here, &there);
    a.wait_for("b", SOON).await.unwrap();
    assert_eq!(kind(here.peer("b")), ErrorKind::NameTaken);
    link.cut();
    let own = here.peer("b").unwrap();
    link.mend();
    // Each bus keeps its own; nobody is taken over.
    own.ping("a", SOON).await.unwrap();
    a.ping("b", SOON).await.unwrap();
    assert_eq!(b.stats().messages_received, 0);
}

#[tokio::test(start_paused = true)]
async fn latency_is_what_it_is_said_to_be() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, _b) = (here.peer("a").unwrap(), there.peer("b").unwrap());
    let slow = Conditions::default().latency(Duration::from_millis(40));
    MemoryLink::new()
        .conditions(slow)
        .connect(&here, &there)
        .unwrap();
    a.wait_for("b", SOON).await.unwrap();
    let took = a.ping("b", SOON).await.unwrap();
    assert!((80..=84).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_a_partition_comes_when_it_is_over() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, b) = (here.peer("a").unwrap(), there.peer("b").unwrap());
    let link = joined(&here, &there);
    a.wait_for("b", SOON).await.unwrap();
    let mut heard = hears(&b);
    link.partition();
    a.send("b", text("1")).await.unwrap();
    let short = Duration::from_millis(300);
    assert_eq!(kind(a.ping("b", short).await), ErrorKind::Timeout);
    assert!(heard.try_recv().is_err());
    link.heal();
    assert_eq!(heard.recv().await.unwrap().1, "\"1\"");
    a.ping("b", SOON).await.unwrap();
}

/// One that takes nothing holds up its neighbours behind the link for a time that is known, and no longer.
#[tokio::test(start_paused = true)]
async fn a_full_peer_keeps_a_link_waiting_for_a_while_only() {
    let (here, there) = (Bus::new(), Bus::new());
    let a = here.peer("a").unwrap();
    let stuck = there
        .peer_with("stuck", PeerOptions::default().capacity(1))
        .unwrap();
    let free = there.peer("free").unwrap();
    stuck
        .on_async("x", |_| std::future::pending::<()>())
        .unwrap()
        .detach();
    joined(&here, &there);
    for peer in [&stuck, &free] {
        a.wait_for(peer.id(), SOON).await.unwrap();
    }
    let mut heard = hears(&free);
    for _ in 0..2 {
        a.send_with("stuck", text("in"), received()).await.unwrap();
        tokio::task::yield_now().await;
    }
    let (begin, mut drops) = (Instant::now(), there.drops());
    a.send("stuck", text("over")).await.unwrap();
    a.send("free", text("behind")).await.unwrap();
    assert_eq!(heard.recv().await.unwrap().1, "\"behind\"");
    assert_eq!(begin.elapsed().as_secs(), 1);
    let Some(DropEvent::Dropped(dropped)) = drops.next().await else {
        panic!("nothing was dropped");
    };
    assert_eq!(
        (dropped.reason, dropped.to.as_str()),
        (DropReason::QueueFull, "stuck")
    );
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_ends_takes_its_links_along() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, b) = (here.peer("a").unwrap(), there.peer("b").unwrap());
    joined(&here, &there);
    a.wait_for("b", SOON).await.unwrap();
    drop((b, there));
    // Tasks of the peer hold the bus until they have run once more.
    let gone = async {
        while !here.links().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
    assert_eq!(kind(a.send("b", text("x")).await), ErrorKind::NodeNotFound);
    let third = Bus::new();
    joined(&here, &third);
    here.close(SOON).await.unwrap();
    assert!(here.links().is_empty() && third.links().is_empty());
    assert!(a.is_closed());
}
