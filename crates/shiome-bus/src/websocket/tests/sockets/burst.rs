//! Bursts through a relay: what it took arrives, or its sender hears that it does not.

use super::*;
use crate::wire::Frame;

const BURST: u64 = 10_000;

/// A relay with room for so few that all have to wait.
fn narrow() -> ServerOptions {
    ServerOptions::anyone().queue(QueueLimits::new(64, 1 << 20))
}

/// The same, which waits long enough for any machine.
fn patient() -> ServerOptions {
    narrow().patience(PATIENCE)
}

fn number(number: u64) -> Intent {
    Intent::new("number", number).unwrap()
}

#[tokio::test]
async fn a_burst_arrives_whole_and_in_order() {
    for (server, client) in [
        (ServerOptions::anyone(), ClientOptions::default()),
        (
            ServerOptions::anyone(),
            ClientOptions::default().json_only(),
        ),
        (patient(), ClientOptions::default()),
    ] {
        let (relay, listening) = relay(server).await;
        let alice = Side::connected("alice", listening.url(), client.clone()).await;
        let mut bob = Side::connected("bob", listening.url(), client).await;
        for number in 0..BURST {
            alice.send("bob", number).await;
        }
        bob.hears("alice", 0..BURST).await;
        alice.link.flush().await.unwrap();
        assert_eq!(alice.link.stats().queued, 0);
        assert_eq!(alice.bus.stats().drops, []);
        assert_eq!(bob.bus.stats().drops, []);
        let stats = relay.stats();
        assert_eq!((stats.passed_on, stats.queue_full), (BURST, 0));
    }
}

#[tokio::test]
async fn two_that_flood_each_other_wait_for_nobody_but_themselves() {
    let (relay, listening) = relay(patient()).await;
    // Each acknowledges only what the relay has room for, and would wait for the other for ever if the relay did not go on to
    // hear that the other has made room.
    let client = || ClientOptions::default().queue(QueueLimits::new(128, 1 << 20));
    let mut alice = Side::connected("alice", listening.url(), client()).await;
    let mut bob = Side::connected("bob", listening.url(), client()).await;
    let flood = async |side: &Side, to: &str| {
        for number in 0..BURST {
            side.send(to, number).await;
        }
    };
    tokio::join!(flood(&alice, "bob"), flood(&bob, "alice"));
    alice.hears("bob", 0..BURST).await;
    bob.hears("alice", 0..BURST).await;
    assert_eq!(relay.stats().queue_full, 0);
}

#[tokio::test]
async fn answers_of_a_burst_of_requests_all_come() {
    const REQUESTS: u64 = 1000;
    let (_relay, listening) = relay(patient()).await;
    let alice = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    let bob = Side::connected("bob", listening.url(), ClientOptions::default()).await;
    let answer = |delivery: &Delivery| delivery.try_respond(delivery.payload().clone()).map(drop);
    bob.peer.on("ask", answer).unwrap().detach();
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..REQUESTS {
        let alice = alice.peer.clone();
        asked.spawn(async move {
            let asked = Intent::new("ask", number).unwrap();
            let answer = alice.request("bob", asked).await.unwrap();
            assert_eq!(answer.parse::<u64>().unwrap(), number);
        });
    }
    while let Some(answered) = asked.join_next().await {
        answered.unwrap();
    }
    assert_eq!(alice.bus.stats().drops, []);
}

#[tokio::test]
async fn who_never_reads_stops_nobody_and_the_sender_hears_what_was_lost() {
    const FLOOD: u64 = 2000;
    let (relay, listening) = relay(narrow()).await;
    let relay = Arc::new(relay);
    let _deaf = Raw::enter(&relay, "deaf").await;
    let alice = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    let carol = Side::connected("carol", listening.url(), ClientOptions::default()).await;
    let mut bob = Side::connected("bob", listening.url(), ClientOptions::default()).await;
    let begin = std::time::Instant::now();
    for number in 0..FLOOD {
        alice.send("deaf", number).await;
        if number % 2 == 0 {
            alice.send("bob", number).await;
        }
        carol.send("bob", number).await;
    }
    // Neither those of others wait, nor for long those of the same sender.
    let (mut of_alice, mut of_carol) = (0, 0);
    while of_alice < FLOOD / 2 || of_carol < FLOOD {
        let heard = tokio::time::timeout(PATIENCE, bob.heard.recv()).await;
        let (from, number) = heard.unwrap().unwrap();
        let (count, step) = match from.as_str() {
            "alice" => (&mut of_alice, 2),
            _ => (&mut of_carol, 1),
        };
        assert_eq!(number, *count * step, "{from}");
        *count += 1;
    }
    assert!(
        begin.elapsed() < Duration::from_secs(20),
        "one wait, not one for each"
    );
    alice.link.flush().await.unwrap();
    let lost = FLOOD - 64;
    assert_eq!(relay.stats().queue_full, lost);
    let told = async {
        while alice.bus.dropped(DropReason::QueueFull) == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, told).await.unwrap();
    let dropped = alice.bus.recent_drops().pop().unwrap();
    assert_eq!(dropped.reason, DropReason::QueueFull);
    assert_eq!(
        (dropped.to, dropped.intent.as_str()),
        (id("deaf"), "number")
    );
    let sent = SendOptions::default().level(Level::Received);
    let refused = alice.peer.send_with("deaf", number(0), sent).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::QueueFull);
    assert_eq!(relay.hub().parked_bytes(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_destination_that_makes_room_now_and_then_loses_nothing() {
    let relay = super::super::raw::relay(narrow().heartbeat(Duration::from_secs(60)));
    let mut alice = Raw::enter(&relay, "alice").await;
    let mut slow = Raw::enter(&relay, "slow").await;
    for seq in 1..=200 {
        let envelope = super::super::raw::envelope(seq, "alice", "slow", "");
        alice.say(&envelope).await;
    }
    for seq in 1..=200 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(slow.envelope().await, seq);
        let ack = format!(r#"[{{"type":"ack","received":{seq}}}]"#);
        slow.say(&ack).await;
    }
    assert_eq!(relay.stats().queue_full, 0);
    // A reader of ours hears of them all, in its own time.
    tokio::time::sleep(Duration::from_secs(1)).await;
    alice.say(r#"[{"type":"ping","nonce":1}]"#).await;
    let mut acknowledged = 0;
    loop {
        match alice.next().await.unwrap() {
            Frame::Ack { received } => acknowledged = received,
            Frame::Pong { .. } => break,
            _ => {}
        }
    }
    assert_eq!(acknowledged, 200);
}
