//! Whose a name is.

use super::*;

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
