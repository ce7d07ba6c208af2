//! A node that comes back while a session with it seems to be there.

use std::time::Duration;

use shiome_ractor::{Node, NodeDown, NodeEvent};
use shiome_wire::{
    auth::{self, NameMessage, authentication_message, server_status::Status},
    control::{self, control_message},
};
use tokio::time::{Instant, advance};

use super::support::{COOKIE, RawPeer, digest, eventually_async, name_of, node, sessions};

/// As a node of `ractor_cluster` 0.15.12 introduces itself.
fn nonceless(name: &str) -> NameMessage {
    NameMessage {
        connection_id: 0,
        ..name_of(name)
    }
}

/// As one of 0.16.5 does, whose nonce loses against that of any other session.
fn unlucky(name: &str) -> NameMessage {
    NameMessage {
        connection_id: u64::MAX,
        ..name_of(name)
    }
}

/// Lets some time pass after the last that was heard of a peer.
async fn fall_silent(peer: &mut RawPeer) {
    peer.ping(9).await;
    advance(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_is_let_in_at_the_first_try_behind_a_link_that_nobody_closed() {
    for (kind, name) in [
        ("nonceless", nonceless("lost")),
        ("unlucky", unlucky("lost")),
    ] {
        let server = node(&format!("halfopen-{kind}")).await;
        // Keeps the link open, and is never heard of again.
        let mut stale = RawPeer::join(&server, "lost").await;
        let old = sessions(&server).await.remove(0).node_id;
        fall_silent(&mut stale).await;

        let began = Instant::now();
        let mut newcomer = RawPeer::dial(&server);
        let status = newcomer.authenticate_with(name).await;
        assert!([Status::Ok, Status::OkSimultaneous].contains(&status));
        newcomer.synchronise().await;
        let took = began.elapsed();
        assert!(took <= Duration::from_millis(1500), "{took:?}");
        stale.until_closed().await;
        newcomer.ping(1).await;
        eventually_async(|| async {
            let left = sessions(&server).await;
            left.len() == 1 && left[0].node_id != old
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_restarted_node_waits_no_longer_than_the_session_in_its_way() {
    let server = node("gone-meanwhile").await;
    let mut stale = RawPeer::join(&server, "gone").await;
    fall_silent(&mut stale).await;
    let mut newcomer = RawPeer::dial(&server);
    let claim = authentication_message::Msg::Name(unlucky("gone"));
    newcomer.send(claim).await;
    // Once the session is probed, the other end's system says that nobody is there.
    stale
        .expect(|message| match message.into_control()? {
            control_message::Msg::Ping(_) => Some(()),
            _ => None,
        })
        .await;
    let began = Instant::now();
    drop(stale);
    assert_eq!(newcomer.status().await, Status::Ok);
    assert!(began.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_lives_is_not_taken_over() {
    for (kind, name) in [
        ("nonceless", nonceless("lively")),
        ("unlucky", unlucky("lively")),
    ] {
        let server = node(&format!("lives-{kind}")).await;
        let mut live = RawPeer::join(&server, "lively").await;
        advance(Duration::from_millis(1)).await;
        let mut newcomer = RawPeer::dial(&server);
        newcomer.send(authentication_message::Msg::Name(name)).await;
        let refused = async {
            assert_eq!(newcomer.status().await, Status::NotOk);
            newcomer.until_closed().await;
        };
        tokio::select! {
            () = refused => {}
            never = live.answer_pings() => match never {},
        }
        live.ping(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_that_claims_a_name_does_no_harm_to_a_session_that_is_slow_to_answer() {
    let server = node("slowly").await;
    let mut slow = RawPeer::join(&server, "slow").await;
    fall_silent(&mut slow).await;
    let mut stranger = RawPeer::dial(&server);
    stranger
        .send(authentication_message::Msg::Name(unlucky("slow")))
        .await;
    // The session did not answer the probe, so the stranger is let in, up to where it has to prove the cookie.
    assert_eq!(stranger.status().await, Status::OkSimultaneous);
    let challenge = stranger.challenge().await;
    stranger
        .send(auth::ChallengeReply {
            challenge: 1,
            digest: digest("a guess", challenge),
        })
        .await;
    stranger.until_closed().await;
    slow.ping(1).await;
    assert_eq!(sessions(&server).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_answers_after_the_probe_is_no_suspect_any_more() {
    let server = node("late").await;
    let mut late = RawPeer::join(&server, "late-peer").await;
    fall_silent(&mut late).await;
    let mut newcomer = RawPeer::dial(&server);
    newcomer
        .send(authentication_message::Msg::Name(unlucky("late-peer")))
        .await;
    assert_eq!(newcomer.status().await, Status::OkSimultaneous);
    let challenge = newcomer.challenge().await;
    late.ping(1).await;
    newcomer
        .send(auth::ChallengeReply {
            challenge: 1,
            digest: digest(COOKIE, challenge),
        })
        .await;
    // Now the election decides, and there the smaller nonce stays.
    newcomer.until_closed().await;
    late.ping(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_later_run_takes_over_at_once_and_the_reason_is_told() {
    let address = "later-run@127.0.0.1:0";
    let node = Node::builder(address).cookie(COOKIE).start().await.unwrap();
    let mut events = node.events();
    let mut first = RawPeer::join_native(node.server(), "runner", 1).await;
    let session = node.sessions().await.unwrap().remove(0);
    let monitor = node.monitor(&session).unwrap();

    let began = Instant::now();
    let mut second = RawPeer::join_native(node.server(), "runner", 2).await;
    assert_eq!(began.elapsed(), Duration::ZERO, "no probe was needed");
    assert_eq!(monitor.down().await, NodeDown::Restarted);
    first.until_closed().await;
    second.ping(1).await;
    let reason = loop {
        if let NodeEvent::NodeDown { session, reason } = events.next().await.unwrap() {
            assert_eq!(session.name, "runner@raw");
            break reason;
        }
    };
    assert_eq!(reason, NodeDown::Restarted);

    // An earlier run, come late, does not get in.
    let mut late = RawPeer::dial(node.server());
    late.send_native_name("runner", 1).await;
    let refused = async {
        assert_eq!(late.status().await, Status::NotOk);
    };
    tokio::select! {
        () = refused => {}
        never = second.answer_pings() => match never {},
    }
    second.ping(2).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_link_of_the_same_run_is_taken_over() {
    let server = node("twice").await;
    let mut stays = RawPeer::join_native(&server, "twice-peer", 1).await;
    fall_silent(&mut stays).await;
    let mut newcomer = RawPeer::dial(&server);
    newcomer.authenticate_native("twice-peer", 1).await;
    stays.until_closed().await;
    newcomer.send(control::Ready {}).await;
    newcomer
        .expect(|message| match message.into_control()? {
            control_message::Msg::Ready(_) => Some(()),
            _ => None,
        })
        .await;
}
