//! Sessions that are lost, go on, and end.

use super::*;

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
