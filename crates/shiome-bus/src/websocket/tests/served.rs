//! What a server does about clients that do what they should not, and those that come back. On virtual time.

mod names;
mod presence;
mod sessions;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::raw::{Raw, envelope, hello, id, relay, short_queues};
use crate::{
    Bus, BusOptions, Intent, Peer, PeerId, Priority,
    memory::MemoryLink,
    websocket::{Admission, ServerOptions, WebSocketServer},
    wire::{CloseReason, Frame},
};

const MS: Duration = Duration::from_millis(1);

/// The answer to a ping, after all that was said before.
async fn settle(raw: &mut Raw) -> Vec<Frame> {
    raw.say(r#"[{"type":"ping","nonce":77}]"#).await;
    let mut before = Vec::new();
    loop {
        match raw.hear().await.unwrap() {
            Frame::Pong { nonce: 77 } => return before,
            frame => before.push(frame),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn envelopes_are_passed_on_as_they_came() {
    let relay = relay(ServerOptions::anyone());
    let (mut alice, mut bob) = (
        Raw::enter(&relay, "alice").await,
        Raw::enter(&relay, "bob").await,
    );
    alice
        .say(r#"[{"type":"envelope","id":"1.7","from":"alice","to":"bob","name":"n","payload":{ "x": 1.0 },"sent_at":5,"hops":2,"reply_to":"2.3","level":"handled","priority":"bulk"}]"#)
        .await;
    let Frame::Envelope(heard) = bob.hear().await.unwrap() else {
        panic!("no envelope");
    };
    assert_eq!((heard.hops, heard.sent_at), (2, 5));
    assert_eq!(heard.intent.payload().text(), r#"{ "x": 1.0 }"#);
    assert_eq!(heard.reply_to.unwrap().to_string(), "2.3");
    assert_eq!(
        (heard.level, heard.priority),
        (crate::Level::Handled, Priority::Bulk)
    );
    assert_eq!(relay.stats().passed_on, 1);
}

#[tokio::test(start_paused = true)]
async fn the_lane_of_the_bus_is_not_for_what_users_say() {
    let server = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&server, "alice").await;
    let mut bob = Raw::enter(&server, "bob").await;
    for (more, priority) in [
        ("", Priority::Normal),
        (r#","reply_to":"1.7""#, Priority::System),
    ] {
        let more = format!(r#","priority":"system"{more}"#);
        alice.say(&envelope(1, "alice", "bob", &more)).await;
        match bob.hear().await {
            Ok(Frame::Envelope(came)) => assert_eq!(came.priority, priority),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_there_cannot_be_reached() {
    let relay = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&relay, "alice").await;
    alice.say(&envelope(1, "alice", "nobody", "")).await;
    assert_eq!(alice.nack().await, (1, "node_not_found".to_owned()));
    alice.say(&envelope(2, "alice", "alice", "")).await;
    assert_eq!(
        alice.nack().await,
        (2, "node_not_found".to_owned()),
        "nothing goes back"
    );
    alice
        .say(&envelope(3, "alice", "nobody", r#","reply_to":"1.1""#))
        .await;
    alice
        .say(&envelope(4, "alice", "nobody", "").replace("received", "accepted"))
        .await;
    assert_eq!(
        settle(&mut alice).await,
        [],
        "who does not wait is not told"
    );
    assert_eq!(relay.stats().not_found, 4);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_goes_round_comes_to_an_end() {
    let relay = relay(ServerOptions::new(|_: &PeerId, _: Option<&str>| {
        Admission::Gateway
    }));
    let (mut gate, mut bob) = (
        Raw::enter(&relay, "gate").await,
        Raw::enter(&relay, "bob").await,
    );
    gate.say(r#"[{"type":"presence","present":[["carol",1]]}]"#)
        .await;
    gate.say(&envelope(1, "carol", "bob", r#","hops":7"#)).await;
    let Frame::Envelope(heard) = bob.hear().await.unwrap() else {
        panic!("no envelope");
    };
    assert_eq!(heard.hops, 8, "the gateway has passed it on before");
    gate.say(&envelope(2, "carol", "bob", r#","hops":8"#)).await;
    assert_eq!(gate.nack().await, (2, "too_many_hops".to_owned()));
    // What a client says itself was not passed on yet.
    gate.say(&envelope(3, "gate", "bob", r#","hops":8"#)).await;
    assert_eq!(bob.envelope().await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_forged_sender_is_refused_and_in_the_end_shut_out() {
    let relay = relay(ServerOptions::anyone());
    let (mut eve, mut bob) = (
        Raw::enter(&relay, "eve").await,
        Raw::enter(&relay, "bob").await,
    );
    for seq in 1..16 {
        eve.say(&envelope(seq, "alice", "bob", "")).await;
        assert_eq!(eve.nack().await, (seq, "unauthorized".to_owned()));
    }
    eve.say(&envelope(16, "bob", "bob", "")).await;
    assert_eq!(eve.ends().await.0, CloseReason::Policy);
    assert_eq!(settle(&mut bob).await, []);
    assert_eq!(relay.stats().forged, 16);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_gets_no_more_and_the_sender_is_told() {
    let relay = relay(short_queues().heartbeat(Duration::from_secs(60)));
    let mut alice = Raw::enter(&relay, "alice").await;
    let mut slow = Raw::with_room(&relay, 4096);
    slow.say(&hello("slow", 1, "")).await;
    slow.welcome().await;
    // What it does not acknowledge counts, so that it does not matter what the system takes.
    for seq in 1..=16 {
        alice.say(&envelope(seq, "alice", "slow", "")).await;
    }
    for seq in 9..=16 {
        assert_eq!(alice.nack().await, (seq, "queue_full".to_owned()));
    }
    for seq in 1..=8 {
        assert_eq!(slow.envelope().await, seq);
    }
    slow.say(r#"[{"type":"ack","received":8}]"#).await;
    settle(&mut slow).await;
    alice.say(&envelope(21, "alice", "slow", "")).await;
    assert_eq!(slow.envelope().await, 21);
    assert_eq!(relay.stats().queue_full, 8);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_messages_that_nobody_takes_holds_no_memory() {
    let relay = relay(short_queues());
    let mut alice = Raw::enter(&relay, "alice").await;
    // Receipts for these find room for eight and two more, as it acknowledges none.
    for seq in 1..=500 {
        alice.say(&envelope(seq, "alice", "nobody", "")).await;
    }
    let told = settle(&mut alice).await;
    assert_eq!(told.len(), 10);
    assert_eq!(relay.stats().not_found, 500);
}

#[tokio::test(start_paused = true)]
async fn who_neither_reads_nor_answers_is_closed() {
    let relay = relay(
        ServerOptions::anyone()
            .heartbeat(Duration::from_secs(1))
            .grace(MS),
    );
    let mut frozen = Raw::enter(&relay, "frozen").await;
    tokio::time::sleep(Duration::from_millis(1900)).await;
    assert_eq!(relay.stats().peers, 1);
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert_eq!(
        relay.stats().peers,
        0,
        "found within two intervals, and the grace"
    );
    let (reason, frames) = frozen.ends().await;
    assert_eq!(reason, CloseReason::Unresponsive);
    assert!(matches!(frames[0], Frame::Ping { .. }));
}

#[tokio::test(start_paused = true)]
async fn who_writes_and_never_reads_is_closed() {
    let relay = relay(ServerOptions::anyone().heartbeat(Duration::from_secs(1)));
    let mut alice = Raw::enter(&relay, "alice").await;
    let mut deaf = Raw::with_room(&relay, 1024);
    deaf.say(&hello("deaf", 1, "")).await;
    let payload = format!(r#","payload":"{}""#, "x".repeat(10_000));
    alice.say(&envelope(1, "alice", "deaf", &payload)).await;
    let alive = r#"[{"type":"ping","nonce":1}]"#;
    for _ in 0..3 {
        tokio::time::sleep(500 * MS).await;
        alice.say(alive).await;
        deaf.say(alive).await;
    }
    let linked = || {
        let member = relay.hub().member(&id("deaf"));
        member.is_some_and(|member| member.holder().linked)
    };
    assert!(linked(), "it may be slow");
    tokio::time::sleep(600 * MS).await;
    assert!(!linked(), "but not for two intervals, whatever it says");
}

#[tokio::test(start_paused = true)]
async fn bad_json_ends_the_link_and_nothing_of_it_counts() {
    for bad in [
        "{",
        r#"[{"type":"envelope","id":"1.1","from":"alice","to":"bob","name":"n"},{"type":"ping"}]"#,
        r#"[{"type":"presence","present":[["eve",1]]}]"#,
        r#"[{"type":"hello","version":1,"id":"alice","incarnation":1}]"#,
        r#"[{"type":"ack","received":1}]"#,
    ] {
        let relay = relay(ServerOptions::anyone());
        let (mut alice, mut bob) = (
            Raw::enter(&relay, "alice").await,
            Raw::enter(&relay, "bob").await,
        );
        alice.say(bad).await;
        let (reason, frames) = alice.ends().await;
        assert_eq!(reason, CloseReason::Malformed, "{bad}");
        assert!(matches!(frames[..], [Frame::Goodbye(_)]));
        assert_eq!(settle(&mut bob).await, []);
        assert_eq!(relay.stats().malformed, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_that_were_not_agreed_on_end_the_link() {
    let relay = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&relay, "alice").await;
    alice.say_bytes(&[0x03, 1, 1]).await;
    assert_eq!(alice.ends().await.0, CloseReason::Malformed);
    let mut bob = Raw::new(&relay);
    bob.say(&hello("bob", 1, r#","encodings":["binary"]"#))
        .await;
    bob.welcome().await;
    bob.say_bytes(&[0x03, 1, 1]).await;
    assert_eq!(bob.hear().await, Ok(Frame::Pong { nonce: 1 }));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_ends_the_link() {
    let relay = relay(ServerOptions::anyone().max_message(8192));
    let mut alice = Raw::enter(&relay, "alice").await;
    let payload = format!(r#","payload":"{}""#, "x".repeat(9000));
    alice.say(&envelope(1, "alice", "bob", &payload)).await;
    assert_eq!(alice.ends().await.0, CloseReason::TooLong);
    let mut before = Raw::new(&relay);
    before
        .say(&hello(
            "bob",
            1,
            &format!(r#","new":"{}""#, "x".repeat(9000)),
        ))
        .await;
    assert_eq!(before.ends().await.0, CloseReason::TooLong);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_long_for_the_destination_goes_no_further() {
    let relay = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&relay, "alice").await;
    let mut small = Raw::new(&relay);
    small
        .say(&hello("small", 1, r#","max_message":4096"#))
        .await;
    small.welcome().await;
    let payload = format!(r#","payload":"{}""#, "x".repeat(5000));
    alice.say(&envelope(1, "alice", "small", &payload)).await;
    assert_eq!(alice.nack().await, (1, "payload_too_large".to_owned()));
    alice.say(&envelope(2, "alice", "small", "")).await;
    assert_eq!(small.envelope().await, 2);
}

#[tokio::test(start_paused = true)]
async fn only_a_hello_opens_a_link_and_only_in_time() {
    let relay = relay(ServerOptions::anyone());
    for text in [
        "",
        "[]",
        r#"[{"type":"ping","nonce":1}]"#,
        &hello("a b", 1, ""),
    ] {
        let mut raw = Raw::new(&relay);
        raw.say(text).await;
        let (reason, frames) = raw.ends().await;
        assert_eq!(reason, CloseReason::Malformed, "{text}");
        assert!(matches!(&frames[..], [Frame::Refused(refused)] if refused.reason == reason));
    }
    let mut silent = Raw::new(&relay);
    assert_eq!(silent.ends().await.0, CloseReason::Malformed);
    let mut old = Raw::new(&relay);
    old.say(&hello("old", 1, "").replace(r#""version":1"#, r#""version":0"#))
        .await;
    assert_eq!(old.ends().await.0, CloseReason::UnsupportedVersion);
    assert_eq!((relay.stats().peers, relay.stats().turned_away), (0, 6));
}
