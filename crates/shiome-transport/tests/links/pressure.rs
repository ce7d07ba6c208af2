//! Full outboxes, slow and stuck links, and how a link is closed on them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use shiome_session::{CallEnd, Config, GoodbyeReason, LIVENESS_TIMEOUT, Length, SessionError};
use shiome_transport::{Link, LinkEnd, STALL_TIMEOUT, Security};
use shiome_wire::{Capabilities, node};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::{Instant, sleep, timeout},
};

use super::{
    endpoint::{Endpoint, FREEZE, Heard, PID},
    kinds::memory,
};

const SOON: Duration = Duration::from_secs(60);

fn chunk(len: usize) -> Bytes {
    vec![7; len].into()
}

/// Waits until the end hears so many casts.
async fn casts(end: &mut Endpoint, count: usize) {
    for _ in 0..count {
        let heard = timeout(SOON, end.heard.recv()).await.expect("in time");
        assert!(matches!(heard, Some(Heard::Cast(_))), "{heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_native_peer_hears_why_the_link_is_closed_after_all_else() {
    let (a, mut b) = Endpoint::native_pair(memory().await).await;
    let call = a.call("echo");
    a.cast(chunk(1_000_000));
    a.peer.close_with(GoodbyeReason::Shutdown, "good night");
    casts(&mut b, 1).await;
    let LinkEnd::Goodbye { reason, detail } = b.end.await.unwrap() else {
        panic!("no goodbye");
    };
    assert_eq!((reason, &*detail), (GoodbyeReason::Shutdown, "good night"));
    assert!(matches!(a.end.await.unwrap(), LinkEnd::Closed));
    let answer = call.await.unwrap();
    assert!(answer.is_ok() || answer == Err(CallEnd::Closed { written: true }));
}

#[tokio::test(start_paused = true)]
async fn a_native_peer_that_breaks_a_rule_hears_which() {
    let some = Capabilities::from_bits(Capabilities::ALL.bits() & !Capabilities::STOP.bits());
    let of_both = [Some(Capabilities::ALL), Some(some)];
    let (a, b) = Endpoint::pair_with(memory().await, Config::default(), of_both).await;
    a.peer
        .apply(|session, _| session.stop(PID, None, true))
        .unwrap();
    let LinkEnd::Session(error) = b.end.await.unwrap() else {
        panic!("not an error of the session");
    };
    assert_eq!(error, SessionError::NotNegotiated { kind: "stop" });
    let LinkEnd::Goodbye { reason, detail } = a.end.await.unwrap() else {
        panic!("no goodbye");
    };
    assert_eq!(
        (reason, detail),
        (GoodbyeReason::Protocol, error.to_string())
    );
}

#[tokio::test(start_paused = true)]
async fn a_close_does_not_wait_for_a_peer_that_takes_nothing() {
    for native in [false, true] {
        let links = memory().await;
        let (mut a, b) = match native {
            true => Endpoint::native_pair(links).await,
            false => Endpoint::pair(links).await,
        };
        a.cast(FREEZE);
        for _ in 0..100 {
            a.cast(chunk(100_000));
        }
        let call = a.call("anybody there?");
        let began = Instant::now();
        a.peer.close();
        assert!(a.try_cast("too late").is_err());
        let end = a.end.await.unwrap();
        assert!(
            matches!(end, LinkEnd::Closed | LinkEnd::Unresponsive { .. }),
            "{end:?}"
        );
        assert!(began.elapsed() < Duration::from_secs(7));
        assert!(matches!(call.await.unwrap(), Err(CallEnd::Closed { .. })));
        let unsent = loop {
            match a.heard.recv().await {
                Some(Heard::Unsent(casts)) => break casts,
                other => assert!(other.is_some(), "nothing unsent"),
            }
        };
        assert!((60..=101).contains(&unsent), "{unsent}");
        drop(b);
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_takes_nothing_is_stalled_and_one_that_does_is_not() {
    let (a, mut b) = Endpoint::native_pair(memory().await).await;
    assert!(!a.peer.is_stalled());
    for _ in 0..20 {
        a.cast(chunk(1_000_000));
    }
    assert!(a.peer.queued_len() > 10_000_000);
    assert!(!a.peer.is_stalled());
    casts(&mut b, 20).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(a.peer.queued_len(), 0);
    assert!(!a.peer.is_stalled());

    a.cast(FREEZE);
    for _ in 0..20 {
        a.cast(chunk(1_000_000));
    }
    sleep(2 * STALL_TIMEOUT).await;
    assert!(a.peer.is_stalled());
}

#[tokio::test(start_paused = true)]
async fn two_ends_with_full_outboxes_get_out_of_it() {
    for native in [None, Some(Capabilities::ALL)] {
        let mut limits = Config::default();
        limits.max_outbox = 4_000_000;
        let (mut a, mut b) = Endpoint::pair_with(memory().await, limits, [native; 2]).await;
        let mut sent = [0, 0];
        for (end, sent) in [&a, &b].into_iter().zip(&mut sent) {
            while end.try_cast(chunk(100_000)).is_ok() {
                *sent += 1;
            }
            assert!(*sent >= 39);
        }
        tokio::join!(casts(&mut a, sent[1]), casts(&mut b, sent[0]));
        timeout(SOON, a.peer.room()).await.unwrap();
        assert_eq!(a.call("echo").await.unwrap().unwrap(), "echo");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_sender_is_left_asleep() {
    for native in [None, Some(Capabilities::ALL)] {
        let mut limits = Config::default();
        (limits.high_water, limits.max_outbox) = (10_000, 20_000);
        // That an end hears nothing for a while is not looked at.
        limits.liveness_timeout = Duration::from_secs(600);
        let (a, mut b) = Endpoint::pair_with(memory().await, limits, [native; 2]).await;
        let senders = (0..16).map(|number| {
            let peer = Arc::clone(&a.peer);
            tokio::spawn(async move {
                let mut sent = 0;
                while sent < 500 {
                    let in_turn = number % 2 > 0;
                    let _turn = if in_turn {
                        Some(peer.low_water(Length::Short).await)
                    } else {
                        peer.room().await;
                        None
                    };
                    let cast = node::Cast {
                        to: PID,
                        what: chunk(1000),
                        ..node::Cast::default()
                    };
                    let cast = peer.apply(|session, _| match in_turn {
                        true => session.cast_in_turn(cast),
                        false => session.cast(cast),
                    });
                    sent += usize::from(cast.is_ok());
                }
            })
        });
        let senders: Vec<_> = senders.collect();
        casts(&mut b, 16 * 500).await;
        for sender in senders {
            timeout(SOON, sender).await.unwrap().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn senders_are_let_go_when_the_link_ends() {
    let mut limits = Config::default();
    limits.max_outbox = 100_000;
    let (a, b) = Endpoint::pair_with(memory().await, limits, [None; 2]).await;
    a.cast(FREEZE);
    while a.try_cast(chunk(10_000)).is_ok() {}
    let peer = Arc::clone(&a.peer);
    let waits = tokio::spawn(async move {
        let low_water = async { drop(peer.low_water(Length::Short).await) };
        tokio::join!(peer.room(), low_water)
    });
    drop(b.end);
    a.peer.abandon(drop);
    timeout(Duration::from_millis(1), waits)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(a.end.await.unwrap(), LinkEnd::Closed));
}

/// Two ends joined by a wire that passes so many bytes in a tenth of a second.
fn slow_wire(len: usize) -> (Link, Link) {
    let (here, mut near) = duplex(8 * 1024);
    let (there, mut far) = duplex(8 * 1024);
    tokio::spawn(async move {
        let (mut to_there, mut to_here) = (vec![0; len], vec![0; len]);
        loop {
            let tick = sleep(Duration::from_millis(100));
            tokio::select! {
                read = near.read(&mut to_there) => match read {
                    Ok(read @ 1..) => drop(far.write_all(&to_there[..read]).await),
                    _ => return,
                },
                read = far.read(&mut to_here) => match read {
                    Ok(read @ 1..) => drop(near.write_all(&to_here[..read]).await),
                    _ => return,
                },
            }
            tick.await;
        }
    });
    let link = |stream, at: &str| Link::from_stream(stream, at, at, Security::Plain);
    (link(here, "b"), link(there, "a"))
}

#[tokio::test(start_paused = true)]
async fn a_very_slow_link_that_carries_a_long_message_stays() {
    for native in [None, Some(Capabilities::ALL)] {
        let links = slow_wire(2000);
        let (a, mut b) = Endpoint::pair_with(links, Config::default(), [native; 2]).await;
        let began = Instant::now();
        a.cast(chunk(1_000_000));
        let heard = timeout(SOON * 10, b.heard.recv()).await.expect("in time");
        assert!(matches!(heard, Some(Heard::Cast(_))), "{heard:?}");
        assert!(began.elapsed() > LIVENESS_TIMEOUT * 5);
        assert_eq!(a.call("echo").await.unwrap().unwrap(), "echo");
        assert!(!a.end.is_finished() && !b.end.is_finished());
    }
}
