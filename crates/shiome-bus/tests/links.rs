//! What a link may say, and what the bus makes of it.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::FutureExt;
use serde_json::{Value, json};
use shiome_bus::{
    BoxFuture, Bus, BusError, BusOptions, DropReason, Envelope, ErrorKind, Inbound, Incarnation,
    Intent, Level, Link, LinkId, LinkKind, LinkOptions, LinkState, LinkStats, Mesh, MessageId,
    Name, Peer, PeerId, PeerOptions, Priority, Remote, SendOptions,
    memory::{Conditions, MemoryLink},
};
use tokio::sync::{Notify, mpsc, watch};

const SOON: Duration = Duration::from_secs(5);

fn intent() -> Intent {
    Intent::new("x", ()).unwrap()
}

fn id(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn life(number: u64) -> Incarnation {
    Incarnation::new(number).unwrap()
}

/// Something of `from` in that life, its first.
fn first_word(from: &PeerId, number: u64, to: &Peer, intent: Intent) -> Envelope {
    let first = MessageId {
        incarnation: life(number),
        seq: 1,
    };
    Envelope::new(first, from.clone(), to.id().clone(), intent)
}

/// A link whose other end is the test. It takes all that is sent, but what is called `end`: with that it ends.
#[derive(Debug)]
struct ByHand {
    inbound: Mutex<Option<Arc<dyn Inbound>>>,
    state: watch::Sender<LinkState>,
}

impl ByHand {
    /// Attached to `bus`, and up.
    fn up(bus: &Bus, remote: Remote) -> (Arc<dyn Inbound>, LinkId) {
        let link = Arc::new(Self {
            inbound: Mutex::default(),
            state: watch::Sender::new(LinkState::Up),
        });
        let id = bus.attach(link.clone(), LinkOptions::default()).unwrap();
        let inbound = link.inbound.lock().unwrap().clone().unwrap();
        inbound.up(remote);
        (inbound, id)
    }
}

impl Link for ByHand {
    fn kind(&self) -> LinkKind {
        LinkKind::new("hand")
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        *self.inbound.lock().unwrap() = Some(inbound);
        Ok(())
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        if envelope.intent.name().as_str() != "end" {
            return Ok(());
        }
        let inbound = self.inbound.lock().unwrap().take();
        inbound.unwrap().closed();
        Err(BusError::Closed(envelope.to.clone()))
    }

    fn send<'a>(&'a self, _: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self, _: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn peers(&self) -> Vec<PeerId> {
        Vec::new()
    }

    fn stats(&self) -> LinkStats {
        LinkStats::new(LinkKind::new("hand"))
    }

    fn local_peer(&self, _: &PeerId, _: Incarnation, _: bool) {}
}

#[tokio::test]
async fn what_a_link_says_last_of_its_own_side_holds_however_its_clocks_go() {
    let bus = Bus::new();
    let a = bus.peer("a").unwrap();
    let relay = || Remote::gateway(id("relay"));
    let ((near, _), (far, _)) = (ByHand::up(&bus, relay()), ByHand::up(&bus, relay()));
    let bob = id("bob");
    near.peer_up(&bob, life(2000)).unwrap();
    near.peer_up(&bob, life(1000)).unwrap();
    near.peer_down(&bob, life(2000));
    assert!(a.reachable("bob"), "that was another life");
    near.peer_down(&bob, life(1000));
    assert!(!a.reachable("bob"));
    // Of two links the later life is believed, and of the other nothing is left.
    near.peer_up(&bob, life(2000)).unwrap();
    far.peer_up(&bob, life(2000)).unwrap();
    let refused = near.peer_up(&bob, life(1000)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NameTaken);
    far.peer_down(&bob, life(2000));
    assert!(!a.reachable("bob"));
}

#[tokio::test]
async fn what_comes_late_of_a_life_that_is_over_does_not_make_it_reachable() {
    let bus = Bus::new();
    let a = bus.peer("a").unwrap();
    let ((near, _), (far, _)) = (
        ByHand::up(&bus, Remote::gateway(id("near"))),
        ByHand::up(&bus, Remote::gateway(id("far"))),
    );
    let bob = id("bob");
    let word = |life| first_word(&bob, life, &a, intent());
    near.peer_up(&bob, life(5)).unwrap();
    near.peer_down(&bob, life(5));
    near.deliver(word(5)).await;
    assert!(!a.reachable("bob"), "after the word that it is gone");
    near.deliver(word(6)).await;
    assert!(a.reachable("bob"), "a later life, not told of yet");
    near.peer_up(&bob, life(6)).unwrap();
    near.peer_up(&bob, life(4)).unwrap();
    near.peer_down(&bob, life(4));
    near.deliver(word(4)).await;
    assert!(!a.reachable("bob"), "the last of its lives");
    near.peer_up(&bob, life(4)).unwrap();
    assert!(a.reachable("bob"), "the link says so");
    near.peer_down(&bob, life(4));
    far.deliver(word(3)).await;
    assert!(a.reachable("bob"), "another link has said nothing of it");
    far.down();
    near.tells_of_all(false);
    near.deliver(word(2)).await;
    assert!(a.reachable("bob"), "nobody would say that it is back");
}

#[tokio::test(start_paused = true)]
async fn who_was_on_a_relay_and_is_behind_it_now_is_answered_though_its_clock_is_behind() {
    let (home, relay) = (Bus::new(), Bus::with(BusOptions::default().relay()));
    let (a, z) = (home.peer("a").unwrap(), relay.peer("z").unwrap());
    let _link = MemoryLink::new().connect(&home, &relay).unwrap();
    a.wait_for("z", SOON).await.unwrap();
    z.close(SOON).await.unwrap();
    while a.reachable("z") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (beyond, _) = ByHand::up(&relay, Remote::gateway(id("beyond")));
    let (heard, mut hears) = mpsc::unbounded_channel();
    a.on("x", move |d| heard.send(d.from().clone()).unwrap())
        .unwrap()
        .detach();
    beyond.deliver(first_word(&id("z"), 1, &a, intent())).await;
    assert_eq!(hears.recv().await, Some(id("z")));
    a.send("z", intent()).await.unwrap();
}

#[tokio::test]
async fn what_a_relay_says_in_the_place_of_a_peer_does_not_make_it_reachable() {
    let bus = Bus::new();
    let a = bus.peer("a").unwrap();
    let (near, _) = ByHand::up(&bus, Remote::gateway(id("relay")));
    let bob = id("bob");
    near.peer_up(&bob, life(5)).unwrap();
    let receipt = a.send("bob", intent()).await.unwrap();
    near.peer_down(&bob, life(5));
    // The relay is younger than who was behind it.
    let nack = Intent::of(
        Name::any("sys.nack").unwrap(),
        json!({"error": "closed"}).into(),
    );
    let mut refusal = first_word(&bob, 9, &a, nack);
    refusal.reply_to = Some(receipt.id);
    near.deliver(refusal).await;
    assert!(!a.reachable("bob"));
    near.deliver(first_word(&bob, 10, &a, intent())).await;
    assert!(a.reachable("bob"), "its own words");
}

#[tokio::test(start_paused = true)]
async fn what_comes_late_of_a_life_that_is_over_does_not_bring_it_back_into_a_room() {
    let bus = Bus::new();
    let (a, c) = (bus.peer("a").unwrap(), bus.peer("c").unwrap());
    let room = Mesh::join(&a, "r").unwrap();
    let (told, mut tells) = mpsc::unbounded_channel();
    let says = told.clone();
    room.on_join(move |bob| {
        says.send(format!("join {}", bob.incarnation.get()))
            .unwrap()
    })
    .detach();
    let says = told.clone();
    room.on_leave(move |bob, why| {
        says.send(format!("{why:?} {}", bob.incarnation.get()))
            .unwrap()
    })
    .detach();
    room.on("words", move |words, _| {
        told.send(words.to_string()).unwrap()
    })
    .unwrap()
    .detach();
    let (inbound, _) = ByHand::up(&bus, Remote::gateway(id("relay")));
    let bob = id("bob");
    let number = AtomicU64::new(1);
    let said = |life, verb: &str, payload: Value| {
        let name = Name::any(&format!("sys.mesh.{verb}.r")).unwrap();
        let mut said = first_word(&bob, life, &a, Intent::of(name, payload.into()));
        said.id.seq = number.fetch_add(1, Ordering::Relaxed);
        said.priority = Priority::System;
        said
    };
    let join = |life| said(life, "join", json!({"answer": true}));
    let handled = SendOptions::default().level(Level::Handled);
    // Until all is handled that has come, and the room has looked.
    let mut seen = async || {
        c.send_with("a", intent(), handled).await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(1)).await;
        std::iter::from_fn(|| tells.try_recv().ok()).collect::<Vec<_>>()
    };
    inbound.peer_up(&bob, life(5)).unwrap();
    inbound.deliver(join(5)).await;
    assert_eq!(seen().await, ["join 5"]);
    inbound.peer_down(&bob, life(5));
    assert_eq!(seen().await, ["Gone 5"]);
    let words = json!({"name": "words", "payload": "bye", "seq": 9, "turn": 0});
    inbound
        .deliver_all(vec![join(5), said(5, "say", words)])
        .await;
    assert_eq!(seen().await, ["\"bye\""], "and last words are heard");
    // A mailbox is slower than what the link tells.
    inbound.deliver(join(5)).await;
    inbound.peer_up(&bob, life(6)).unwrap();
    inbound.deliver(said(5, "full", Value::Null)).await;
    assert_eq!(seen().await, Vec::<String>::new());
    assert!(!room.is_full());
    inbound.deliver(join(6)).await;
    assert_eq!(seen().await, ["join 6"]);
    inbound.peer_up(&bob, life(4)).unwrap();
    assert_eq!(seen().await, ["Gone 6"]);
    inbound.deliver(join(6)).await;
    assert_eq!(seen().await, Vec::<String>::new(), "its clock is behind");
    inbound.deliver(join(4)).await;
    assert_eq!(seen().await, ["join 4"]);
    inbound.peer_down(&bob, life(4));
    assert_eq!(seen().await, ["Gone 4"]);
    inbound.tells_of_all(false);
    inbound.deliver(join(4)).await;
    assert_eq!(seen().await, ["join 4"], "nobody would say that it is back");
    assert_eq!(room.members().len(), 1);
}

#[tokio::test]
async fn a_link_may_end_while_it_is_sent_to() {
    let bus = Bus::new();
    let a = bus.peer("a").unwrap();
    let (inbound, _) = ByHand::up(&bus, Remote::gateway(id("relay")));
    inbound.peer_up(&id("bob"), life(1)).unwrap();
    a.send("bob", intent()).await.unwrap();
    let sent = a.send("bob", Intent::new("end", ()).unwrap()).await;
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::Closed);
    assert!(bus.links().is_empty() && !a.reachable("bob"));
    let sent = a.send("bob", intent()).await;
    assert_eq!(sent.unwrap_err().kind(), ErrorKind::NodeNotFound);
    a.close(SOON).await.unwrap();
}

#[tokio::test]
async fn what_users_say_over_a_link_does_not_overtake_as_the_bus_does() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let eve = id("eve");
    let (inbound, _) = ByHand::up(&bus, Remote::peer(eve.clone()));
    let (told, mut tells) = mpsc::unbounded_channel();
    b.on_any(move |d| told.send((d.from().clone(), d.envelope().priority)))
        .unwrap()
        .detach();
    a.try_send("b", intent()).unwrap();
    let mut envelope = first_word(&eve, 1, &b, intent());
    envelope.priority = Priority::System;
    inbound.deliver(envelope).await;
    let normal = Priority::Normal;
    assert_eq!(tells.recv().await, Some((a.id().clone(), normal)));
    assert_eq!(tells.recv().await, Some((eve, normal)));
}

#[tokio::test]
async fn the_lane_of_the_bus_is_refused_to_users_and_not_given_silently() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let urgent = SendOptions::default().priority(Priority::System);
    let refused = a.send_with("b", intent(), urgent).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    let refused = a.request_with("b", intent(), urgent).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert_eq!(b.stats().queued.total(), 0);
    a.ping("b", SOON).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_arrived_before_its_link_ended_is_not_forged() {
    let bus = Bus::new();
    let small = PeerOptions::default().capacity(1);
    let b = bus.peer_with("b", small).unwrap();
    let go_on = Arc::new(Notify::new());
    let goes = go_on.clone();
    let (told, mut tells) = mpsc::unbounded_channel();
    b.on_async("x", move |delivery| {
        let (goes, told) = (goes.clone(), told.clone());
        async move {
            goes.notified().await;
            told.send(delivery.envelope().id.seq)
        }
    })
    .unwrap()
    .detach();
    let server = id("server");
    let (inbound, link) = ByHand::up(&bus, Remote::peer(server.clone()));
    let envelopes = (1..=5).map(|seq| {
        let mut envelope = first_word(&server, 1, &b, intent());
        envelope.id.seq = seq;
        envelope
    });
    let mut delivers = inbound.deliver_all(envelopes.collect());
    let done = (&mut delivers).now_or_never();
    assert!(done.is_none(), "the mailbox is full");
    inbound.down();
    bus.detach(link);
    let goes_on = async {
        for seq in 1..=5 {
            go_on.notify_one();
            assert_eq!(tells.recv().await, Some(seq));
        }
    };
    tokio::join!(delivers, goes_on);
    assert_eq!(bus.dropped(DropReason::Forged), 0);
    assert!(!b.reachable("server"), "and there is no way back");
}

#[tokio::test]
async fn a_sender_with_many_lives_does_not_make_others_come_twice() {
    let bus = Bus::new();
    let b = bus.peer("b").unwrap();
    let bob = id("bob");
    let eve = id("eve");
    let (of_bob, _) = ByHand::up(&bus, Remote::peer(bob.clone()));
    let (of_eve, _) = ByHand::up(&bus, Remote::peer(eve.clone()));
    of_bob.deliver(first_word(&bob, 7, &b, intent())).await;
    for number in 0..9000 {
        of_eve.deliver(first_word(&eve, number, &b, intent())).await;
    }
    let before = bus.dropped(DropReason::Duplicate);
    of_bob.deliver(first_word(&bob, 7, &b, intent())).await;
    assert_eq!(bus.dropped(DropReason::Duplicate), before + 1);
}

#[tokio::test(start_paused = true)]
async fn who_asked_is_told_that_the_answer_is_too_large() {
    let small = Bus::with(BusOptions::default().max_payload_len(1000));
    let there = Bus::new();
    let (a, b) = (small.peer("a").unwrap(), there.peer("b").unwrap());
    b.on("x", |d| d.try_respond("x".repeat(2000)).map(drop))
        .unwrap()
        .detach();
    let _link = MemoryLink::new().connect(&small, &there).unwrap();
    a.wait_for("b", SOON).await.unwrap();
    let asked = a.request("b", intent()).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::PayloadTooLarge);
}

/// Receipts find no room for all of them at once on the link, and go when there is.
#[tokio::test(start_paused = true)]
async fn who_waits_for_many_peers_hears_of_all() {
    const PEERS: usize = 40;
    const EACH: usize = 20;
    let (here, there) = (Bus::new(), Bus::new());
    let a = here.peer("a").unwrap();
    let peers: Vec<_> = (0..PEERS)
        .map(|n| there.peer(format!("p{n}")).unwrap())
        .collect();
    for peer in &peers {
        peer.on("x", |_| ()).unwrap().detach();
    }
    let slow = Conditions::default().latency(Duration::from_millis(5));
    let link = MemoryLink::new().conditions(slow);
    let _link = link.connect(&here, &there).unwrap();
    for peer in &peers {
        a.wait_for(peer.id(), SOON).await.unwrap();
    }
    let handled = SendOptions::default()
        .level(Level::Handled)
        .timeout(60 * SOON);
    let mut waits = tokio::task::JoinSet::new();
    for peer in peers.iter().cycle().take(EACH * PEERS) {
        let (asks, to) = (a.clone(), peer.id().clone());
        waits.spawn(async move { asks.send_with(&to, intent(), handled).await.map(drop) });
        // Pongs are receipts, too.
        let (asks, to) = (a.clone(), peer.id().clone());
        waits.spawn(async move { asks.ping(&to, 60 * SOON).await.map(drop) });
    }
    let results = waits.join_all().await;
    let failed: Vec<_> = results.iter().filter_map(|r| r.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} failed: {}", failed.len(), failed[0]);
    let calls: u64 = peers.iter().map(|peer| peer.stats().handler_calls).sum();
    assert_eq!(calls as usize, PEERS * EACH);
    assert_eq!(there.dropped(DropReason::QueueFull), 0);
}
