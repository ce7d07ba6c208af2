//! What a server does about clients that do what they should not, and those that come back. On virtual time.

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

#[tokio::test(start_paused = true)]
async fn a_token_lets_in_the_peer_that_it_is_for() {
    let relay = relay(ServerOptions::new(
        |id: &PeerId, token: Option<&str>| match token {
            Some(token) if token == format!("secret of {id}") => Admission::Peer,
            _ => Admission::No,
        },
    ));
    for more in ["", r#","token":"""#, r#","token":"secret of bob""#] {
        let mut raw = Raw::new(&relay);
        raw.say(&hello("alice", 1, more)).await;
        assert_eq!(raw.ends().await.0, CloseReason::Unauthorized);
    }
    let mut raw = Raw::new(&relay);
    raw.say(&hello("alice", 1, r#","token":"secret of alice""#))
        .await;
    raw.welcome().await;
    assert_eq!(relay.stats().peers, 1);
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_peers_than_allowed() {
    let relay = relay(ServerOptions::anyone().max_peers(2));
    let _held = (Raw::enter(&relay, "a").await, Raw::enter(&relay, "b").await);
    let mut third = Raw::new(&relay);
    third.say(&hello("c", 1, "")).await;
    let (reason, frames) = third.ends().await;
    assert_eq!(reason, CloseReason::Limit);
    assert!(matches!(&frames[..], [Frame::Refused(refused)] if refused.retry_ms.is_some()));
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_stays_with_the_owner_that_answers() {
    let relay = relay(ServerOptions::anyone());
    let mut owner = Raw::enter(&relay, "alice").await;
    let mut impostor = Raw::new(&relay);
    impostor
        .say(&hello("alice", 2, r#","reclaim":"guessed""#))
        .await;
    let (reason, frames) = impostor.ends().await;
    assert_eq!(reason, CloseReason::NameTaken);
    let [Frame::Refused(refused)] = &frames[..] else {
        panic!("{frames:?}");
    };
    let retry = Duration::from_millis(refused.retry_ms.unwrap());
    let Frame::Ping { nonce } = owner.hear().await.unwrap() else {
        panic!("no probe");
    };
    owner
        .say(&format!(r#"[{{"type":"pong","nonce":{nonce}}}]"#))
        .await;
    tokio::time::sleep(retry).await;
    let mut again = Raw::new(&relay);
    again.say(&hello("alice", 2, "")).await;
    assert_eq!(again.ends().await.0, CloseReason::NameTaken);
    let mut bob = Raw::enter(&relay, "bob").await;
    bob.say(&envelope(1, "bob", "alice", "")).await;
    loop {
        match owner.hear().await.unwrap() {
            Frame::Envelope(envelope) => break assert_eq!(envelope.id.seq, 1),
            Frame::Ping { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_taken_name_is_free_once_the_owner_does_not_answer() {
    let relay = relay(ServerOptions::anyone());
    let mut frozen = Raw::enter(&relay, "alice").await;
    let mut second = Raw::new(&relay);
    second.say(&hello("alice", 2, "")).await;
    let (_, frames) = second.ends().await;
    let [Frame::Refused(refused)] = &frames[..] else {
        panic!("{frames:?}");
    };
    tokio::time::sleep(Duration::from_millis(refused.retry_ms.unwrap())).await;
    let mut second = Raw::new(&relay);
    second.say(&hello("alice", 2, "")).await;
    let welcome = second.welcome().await;
    assert!(!welcome.resumed);
    assert_eq!(frozen.ends().await.0, CloseReason::Unresponsive);
}

#[tokio::test(start_paused = true)]
async fn a_newer_run_with_the_secret_has_the_name_at_once() {
    let relay = relay(ServerOptions::anyone());
    let mut old = Raw::new(&relay);
    old.say(&hello("alice", 5, "")).await;
    let reclaim = old.welcome().await.reclaim;
    let more = format!(r#","reclaim":"{}""#, reclaim.reveal());
    let mut new = Raw::new(&relay);
    new.say(&hello("alice", 6, &more)).await;
    let welcome = new.welcome().await;
    assert!(!welcome.resumed);
    assert_ne!(welcome.reclaim, reclaim);
    assert_eq!(old.ends().await.0, CloseReason::Replaced);
    let mut bob = Raw::enter(&relay, "bob").await;
    bob.say(&envelope(1, "bob", "alice", "")).await;
    assert_eq!(new.envelope().await, 1);
    // A straggler of the old run has the old secret, and no claim.
    let mut straggler = Raw::new(&relay);
    straggler.say(&hello("alice", 5, &more)).await;
    assert_eq!(straggler.ends().await.0, CloseReason::NameTaken);
    let more = format!(r#","reclaim":"{}""#, welcome.reclaim.reveal());
    let mut straggler = Raw::new(&relay);
    straggler.say(&hello("alice", 5, &more)).await;
    assert_eq!(straggler.ends().await.0, CloseReason::Stale);
}

#[tokio::test(start_paused = true)]
async fn a_session_goes_on_over_a_new_connection() {
    let relay = relay(ServerOptions::anyone());
    let mut bob = Raw::enter(&relay, "bob").await;
    let mut alice = Raw::new(&relay);
    alice.say(&hello("alice", 1, "")).await;
    let reclaim = alice.welcome().await.reclaim;
    alice.say(&envelope(1, "alice", "bob", "")).await;
    assert_eq!(bob.envelope().await, 1);
    for seq in 1..=3 {
        bob.say(&envelope(seq, "bob", "alice", "")).await;
    }
    assert_eq!(alice.envelope().await, 1);
    drop(alice);
    settle(&mut bob).await;
    bob.say(&envelope(4, "bob", "alice", "")).await;
    assert_eq!(
        settle(&mut bob).await,
        [],
        "it waits for alice to come back"
    );
    let mut alice = Raw::new(&relay);
    let more = format!(r#","reclaim":"{}","received":1"#, reclaim.reveal());
    alice.say(&hello("alice", 1, &more)).await;
    let welcome = alice.welcome().await;
    assert!(welcome.resumed);
    assert_eq!(welcome.received, 1);
    for seq in 2..=4 {
        assert_eq!(alice.envelope().await, seq);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_client_did_not_get_is_told_to_the_senders_after_the_grace() {
    let relay = relay(ServerOptions::anyone().grace(Duration::from_secs(10)));
    let mut bob = Raw::enter(&relay, "bob").await;
    let alice = Raw::enter(&relay, "alice").await;
    drop(alice);
    settle(&mut bob).await;
    bob.say(&envelope(1, "bob", "alice", "")).await;
    assert_eq!(settle(&mut bob).await, []);
    tokio::time::sleep(Duration::from_secs(11)).await;
    loop {
        match bob.hear().await.unwrap() {
            Frame::Ping { .. } => {}
            Frame::Envelope(nack) => {
                assert_eq!(nack.intent.payload().value()["error"], "not_connected");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((relay.stats().peers, relay.stats().lost), (1, 1));
    bob.say(&envelope(2, "bob", "alice", "")).await;
    assert_eq!(bob.nack().await, (2, "node_not_found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn who_says_goodbye_is_gone_at_once() {
    let relay = relay(ServerOptions::anyone());
    let mut bob = Raw::enter(&relay, "bob").await;
    let mut alice = Raw::enter(&relay, "alice").await;
    alice.say(r#"[{"type":"goodbye","reason":"closed"}]"#).await;
    assert_eq!(alice.ends().await.0, CloseReason::Closed);
    bob.say(&envelope(1, "bob", "alice", "")).await;
    assert_eq!(bob.nack().await, (1, "node_not_found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_says_so_and_lets_nobody_in() {
    let relay = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&relay, "alice").await;
    relay.close();
    let (reason, frames) = alice.ends().await;
    assert_eq!(reason, CloseReason::GoingAway);
    assert!(matches!(&frames[..], [Frame::Goodbye(goodbye)] if goodbye.reason == reason));
    let mut bob = Raw::new(&relay);
    bob.say(&hello("bob", 1, "")).await;
    assert_eq!(bob.ends().await.0, CloseReason::GoingAway);
    assert_eq!(relay.stats().peers, 0);
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_relay_hear_of_each_other() {
    let relay = relay(ServerOptions::anyone());
    let mut alice = Raw::enter(&relay, "alice").await;
    let Frame::Presence(first) = alice.next().await.unwrap() else {
        panic!("no presence");
    };
    assert!(first.all && first.present.is_empty(), "{first:?}");
    let mut bob = Raw::enter(&relay, "bob").await;
    let Frame::Presence(first) = bob.next().await.unwrap() else {
        panic!("no presence");
    };
    assert_eq!(first.present[0].0, id("alice"));
    let Frame::Presence(news) = alice.next().await.unwrap() else {
        panic!("no presence");
    };
    assert!(!news.all);
    assert_eq!(news.present[0].0, id("bob"));
    bob.say(r#"[{"type":"goodbye","reason":"closed"}]"#).await;
    let Frame::Presence(news) = alice.next().await.unwrap() else {
        panic!("no presence");
    };
    assert_eq!(news.absent, [id("bob")]);
}

#[tokio::test(start_paused = true)]
async fn a_gateway_speaks_for_those_whose_names_are_free() {
    let options = ServerOptions::new(|id: &PeerId, _: Option<&str>| match id.as_str() {
        "gate" => Admission::Gateway,
        _ => Admission::Peer,
    });
    let relay = relay(options);
    let mut bob = Raw::enter(&relay, "bob").await;
    let mut gate = Raw::enter(&relay, "gate").await;
    gate.say(r#"[{"type":"presence","all":true,"present":[["carol",1],["bob",1],["relay",1]]}]"#)
        .await;
    for name in ["bob", "relay"] {
        let Frame::Refused(refused) = gate.hear().await.unwrap() else {
            panic!("no refusal");
        };
        assert_eq!(
            (refused.id, refused.reason),
            (Some(id(name)), CloseReason::NameTaken)
        );
    }
    bob.say(&envelope(1, "bob", "carol", "")).await;
    assert_eq!(gate.envelope().await, 1);
    gate.say(&envelope(2, "carol", "bob", "")).await;
    assert_eq!(bob.envelope().await, 2);
    let mut carol = Raw::new(&relay);
    carol.say(&hello("carol", 9, "")).await;
    assert_eq!(carol.ends().await.0, CloseReason::NameTaken);
    gate.say(r#"[{"type":"presence","absent":["carol"]}]"#)
        .await;
    settle(&mut gate).await;
    gate.say(&envelope(3, "carol", "bob", "")).await;
    assert_eq!(gate.nack().await, (3, "unauthorized".to_owned()));
    drop(Raw::enter(&relay, "carol").await);
}

/// A server whose peer answers.
fn answering() -> (Bus, Peer, Arc<WebSocketServer>) {
    let bus = Bus::new();
    let server = bus.peer("server").unwrap();
    server
        .on("ask", |delivery: &crate::Delivery| {
            let _ = delivery.try_respond("answer");
        })
        .unwrap()
        .detach();
    let websockets = WebSocketServer::new(&bus, &id("server"), ServerOptions::anyone()).unwrap();
    (bus, server, Arc::new(websockets))
}

#[tokio::test(start_paused = true)]
async fn a_client_of_a_bus_is_a_peer_of_it() {
    let (bus, server, websockets) = answering();
    let mut alice = Raw::enter(&websockets, "alice").await;
    assert!(server.reachable("alice"));
    alice
        .say(&envelope(1, "alice", "server", "").replace(r#""name":"n""#, r#""name":"ask""#))
        .await;
    let mut answered = false;
    while !answered {
        match alice.hear().await.unwrap() {
            Frame::Envelope(heard) if heard.intent.name().as_str() == "sys.ack" => {}
            Frame::Envelope(heard) => {
                assert_eq!(heard.intent.payload().as_str(), Some("answer"));
                answered = true;
            }
            other => panic!("{other:?}"),
        }
    }
    server
        .send("alice", Intent::new("hi", 1).unwrap())
        .await
        .unwrap();
    let Frame::Envelope(heard) = alice.hear().await.unwrap() else {
        panic!("no envelope");
    };
    assert_eq!(heard.from, id("server"));
    alice.say(&envelope(2, "alice", "nobody", "")).await;
    assert_eq!(alice.nack().await, (2, "node_not_found".to_owned()));
    drop(bus);
}

#[tokio::test(start_paused = true)]
async fn a_remote_claim_of_a_local_name_is_refused() {
    let (bus, _server, websockets) = answering();
    let _other = bus.peer("local").unwrap();
    for name in ["server", "local"] {
        let mut raw = Raw::new(&websockets);
        raw.say(&hello(name, u64::from(u32::MAX) << 20, "")).await;
        let (reason, frames) = raw.ends().await;
        assert_eq!(reason, CloseReason::NameTaken, "{name}");
        assert!(matches!(&frames[..], [Frame::Refused(refused)] if refused.retry_ms.is_none()));
    }
    assert!(bus.has(&id("local")));
    assert_eq!(websockets.stats().peers, 0);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_lost_client_fails_at_once() {
    let (_bus, server, websockets) = answering();
    let alice = Raw::enter(&websockets, "alice").await;
    let asks = server.clone();
    let asked =
        tokio::spawn(async move { asks.request("alice", Intent::new("ask", ()).unwrap()).await });
    tokio::task::yield_now().await;
    let before = tokio::time::Instant::now();
    drop(alice);
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::NotConnected, "{error}");
    assert!(before.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn what_a_lost_client_of_a_bus_did_not_get_is_a_dead_letter() {
    let (bus, server, websockets) = answering();
    let alice = Raw::enter(&websockets, "alice").await;
    let hi = Intent::new("hi", 1).unwrap();
    server.send("alice", hi).await.unwrap();
    drop(alice);
    tokio::time::sleep(Duration::from_secs(11)).await;
    let [dropped] = &bus.recent_drops()[..] else {
        panic!("{:?}", bus.recent_drops());
    };
    assert_eq!(dropped.reason, crate::DropReason::NotConnected);
    assert_eq!((&dropped.to, dropped.intent.as_str()), (&id("alice"), "hi"));
    assert_eq!(websockets.stats().lost, 1);
}

/// Hears of presence until that is known.
async fn told(
    raw: &mut Raw,
    known: &mut BTreeSet<PeerId>,
    until: impl Fn(&BTreeSet<PeerId>) -> bool,
) {
    while !until(known) {
        if let Frame::Presence(news) = raw.next().await.unwrap() {
            if news.all {
                known.clear();
            }
            known.extend(news.present.into_iter().map(|(peer, _)| peer));
            known.retain(|peer| !news.absent.contains(peer));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clients_of_a_bridge_know_together_who_is_behind_its_other_links() {
    let bus = Bus::with(BusOptions::default().bridge());
    let server = WebSocketServer::new(&bus, &id("server"), ServerOptions::anyone());
    let server = Arc::new(server.unwrap());
    let elsewhere = Bus::new();
    let bob = elsewhere.peer("bob").unwrap();
    let carol = elsewhere.peer("carol").unwrap();
    let _erin = elsewhere.peer("erin").unwrap();
    let _link = MemoryLink::new().connect(&bus, &elsewhere).unwrap();
    let mut alice = Raw::enter(&server, "alice").await;
    let both = |known: &BTreeSet<_>| known.contains(&id("bob")) && known.contains(&id("carol"));
    let mut known = BTreeSet::new();
    told(&mut alice, &mut known, both).await;
    let mut dave = Raw::enter(&server, "dave").await;
    let mut known_to_dave = BTreeSet::new();
    told(&mut dave, &mut known_to_dave, both).await;
    bob.close(300 * MS).await.unwrap();
    let gone = |known: &BTreeSet<_>| !known.contains(&id("bob"));
    told(&mut alice, &mut known, gone).await;
    told(&mut dave, &mut known_to_dave, gone).await;
    assert!(known.contains(&id("carol")) && known_to_dave.contains(&id("carol")));
    // Nobody is there when another goes, and who comes then does not hear of it.
    drop((alice, dave));
    tokio::time::sleep(600_000 * MS).await;
    assert_eq!(server.stats().peers, 0);
    carol.close(300 * MS).await.unwrap();
    tokio::time::sleep(10_000 * MS).await;
    let mut frank = Raw::enter(&server, "frank").await;
    let mut known = BTreeSet::new();
    let some = |known: &BTreeSet<_>| !known.is_empty();
    told(&mut frank, &mut known, some).await;
    assert_eq!(known, BTreeSet::from([id("erin")]));
}
