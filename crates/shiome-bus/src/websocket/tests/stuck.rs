//! Clients and peers that do not take what is for them, and what must not suffer from that. On virtual time.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use tokio::{io::duplex, sync::Semaphore};

use super::raw::{Raw, envelope, hello, id, relay};
use crate::{
    Bus, BusOptions, Delivery, Peer, PeerOptions,
    websocket::{ServerOptions, WebSocketServer},
    wire::Frame,
};

const MS: Duration = Duration::from_millis(1);

/// Counts how often a future is polled, and stops it when that is too often.
struct Counted<F>(Pin<Box<F>>, Arc<AtomicUsize>);

/// How often a future runs before it is stopped.
const MAX_POLLS: usize = 5000;

impl<F: Future<Output = ()>> Future for Counted<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.1.fetch_add(1, Ordering::Relaxed) > MAX_POLLS {
            return Poll::Ready(());
        }
        self.0.as_mut().poll(cx)
    }
}

/// A client, and how often the server's task for it ran.
fn counted(server: &Arc<WebSocketServer>, room: usize) -> (Raw, Arc<AtomicUsize>) {
    let (near, far) = duplex(room);
    let (server, polls) = (Arc::clone(server), Arc::new(AtomicUsize::new(0)));
    let serves = async move { server.serve(far).await };
    tokio::spawn(Counted(Box::pin(serves), Arc::clone(&polls)));
    (Raw::over(near), polls)
}

/// A server on whose bus handlers of `slow` wait for a permit, and say how many began.
fn slow() -> (
    Bus,
    Peer,
    Arc<Semaphore>,
    Arc<AtomicUsize>,
    Arc<WebSocketServer>,
) {
    let bus = Bus::with(BusOptions::default().inbound_patience(Duration::from_secs(3600)));
    let slow = bus
        .peer_with("slow", PeerOptions::default().capacity(1))
        .unwrap();
    let (gate, count) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (waits, counts) = (gate.clone(), count.clone());
    slow.on_async("n", move |_: Delivery| {
        let (gate, count) = (waits.clone(), counts.clone());
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
        }
    })
    .unwrap()
    .detach();
    let server = WebSocketServer::new(&bus, &id("server"), ServerOptions::anyone()).unwrap();
    (bus, slow, gate, count, Arc::new(server))
}

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_write_rests_though_it_has_to_acknowledge() {
    let relay = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&relay, "alice").await;
    let (mut deaf, polls) = counted(&relay, 1024);
    deaf.say(&hello("deaf", 1, "")).await;
    deaf.welcome().await;
    let payload = format!(r#","payload":"{}""#, "x".repeat(10_000));
    for seq in 1..=20 {
        alice.say(&envelope(seq, "alice", "deaf", &payload)).await;
    }
    tokio::time::sleep(10 * MS).await;
    let before = polls.load(Ordering::Relaxed);
    deaf.say(&envelope(1, "deaf", "alice", "")).await;
    tokio::time::sleep(1000 * MS).await;
    let ran = polls.load(Ordering::Relaxed) - before;
    assert!(
        ran < 100,
        "ran {ran} times in a second in which nothing could be done"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_a_mailbox_rests_though_another_wants_the_name() {
    let (_bus, _slow, _gate, _, server) = slow();
    let (mut alice, polls) = counted(&server, 1 << 20);
    alice.say(&hello("alice", 1, "")).await;
    alice.welcome().await;
    for seq in 1..=5 {
        alice.say(&envelope(seq, "alice", "slow", "")).await;
    }
    tokio::time::sleep(1000 * MS).await;
    let before = polls.load(Ordering::Relaxed);
    let mut other = Raw::new(&server);
    other.say(&hello("alice", 2, "")).await;
    other.ends().await;
    tokio::time::sleep(5000 * MS).await;
    let ran = polls.load(Ordering::Relaxed) - before;
    assert!(
        ran < 100,
        "ran {ran} times in seconds in which nothing could be done"
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_handled_though_the_connection_broke_meanwhile() {
    let (_bus, _slow, gate, count, server) = slow();
    let mut alice = Raw::new(&server);
    alice.say(&hello("alice", 1, "")).await;
    let reclaim = alice.welcome().await.reclaim;
    let together: Vec<_> = (1..=20)
        .map(|seq| envelope(seq, "alice", "slow", "").replace("received", "accepted"))
        .map(|text| text[1..text.len() - 1].to_owned())
        .collect();
    // One is handled, one waits, and the others came with them.
    alice.say(&format!("[{}]", together.join(","))).await;
    tokio::time::sleep(50 * MS).await;
    drop(alice);
    // The server finds out when it writes.
    tokio::time::sleep(1000 * MS).await;
    let mut again = Raw::new(&server);
    let more = format!(r#","reclaim":"{}","received":0"#, reclaim.reveal());
    again.say(&hello("alice", 1, &more)).await;
    let welcome = again.welcome().await;
    assert!(welcome.resumed);
    // What the server did not count is sent again.
    for seq in welcome.received + 1..=20 {
        let accepted = envelope(seq, "alice", "slow", "").replace("received", "accepted");
        again.say(&accepted).await;
    }
    gate.add_permits(100);
    tokio::time::sleep(1000 * MS).await;
    assert_eq!(
        count.load(Ordering::SeqCst),
        20,
        "of which {} were counted",
        welcome.received
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_replaced_says_nothing_more() {
    let relay = relay(ServerOptions::anyone());
    let mut bob = Raw::enter(&relay, "bob").await;
    let mut old = Raw::with_room(&relay, 1024);
    old.say(&hello("alice", 1, "")).await;
    let reclaim = old.welcome().await.reclaim;
    let payload = format!(r#","payload":"{}""#, "x".repeat(10_000));
    for seq in 1..=20 {
        let text = envelope(seq, "bob", "alice", &payload).replace("received", "accepted");
        bob.say(&text).await;
    }
    tokio::time::sleep(10 * MS).await;
    let mut new = Raw::new(&relay);
    let more = format!(r#","reclaim":"{}""#, reclaim.reveal());
    new.say(&hello("alice", 2, &more)).await;
    new.welcome().await;
    old.say(&envelope(7, "alice", "bob", "")).await;
    tokio::time::sleep(10 * MS).await;
    new.say(&envelope(8, "alice", "bob", "")).await;
    // Before, it hears what the old one did not get.
    let heard = loop {
        match bob.hear().await.unwrap() {
            Frame::Envelope(nack) if nack.intent.name().as_str() == "sys.nack" => {}
            Frame::Envelope(envelope) => break envelope.id.seq,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(heard, 8, "7 is of one that has the name no longer");
}

#[tokio::test(start_paused = true)]
async fn who_is_away_has_no_name_though_what_it_sent_is_still_being_taken() {
    let (_bus, _slow, _gate, _, server) = slow();
    let mut alice = Raw::enter(&server, "alice").await;
    for seq in 1..=5 {
        alice.say(&envelope(seq, "alice", "slow", "")).await;
    }
    drop(alice);
    tokio::time::sleep(10 * MS).await;
    // Nobody has to be asked whether it is there.
    drop(Raw::enter(&server, "alice").await);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_resumed_counts_what_is_still_being_taken_once() {
    let (_bus, _slow, gate, count, server) = slow();
    let mut alice = Raw::new(&server);
    alice.say(&hello("alice", 1, "")).await;
    let reclaim = alice.welcome().await.reclaim;
    for seq in 1..=5 {
        alice.say(&envelope(seq, "alice", "slow", "")).await;
    }
    tokio::time::sleep(10 * MS).await;
    // The one before is not over yet.
    let mut again = Raw::new(&server);
    let more = format!(r#","reclaim":"{}","received":0"#, reclaim.reveal());
    again.say(&hello("alice", 1, &more)).await;
    assert_eq!(again.welcome().await.received, 5);
    again.say(&envelope(6, "alice", "slow", "")).await;
    gate.add_permits(6);
    let mut acknowledged = 0;
    while acknowledged < 6 {
        if let Frame::Ack { received } = again.next().await.unwrap() {
            acknowledged = received;
        }
    }
    assert_eq!(acknowledged, 6, "no more than came");
    while count.load(Ordering::SeqCst) < 6 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.hub().parked_bytes(), 0);
}
