//! Two nodes over links that do not do as they should, on virtual time.

use std::time::Duration;

use shiome_handshake::Side;
use shiome_session::{CallEnd, Config, LIVENESS_TIMEOUT};
use shiome_transport::{
    AuthenticateError, LinkEnd,
    memory::fault::{Conditions, Direction, link},
};
use shiome_wire::{Capabilities, node};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::endpoint::{Endpoint, Heard, PID};

const BOTH: [Direction; 2] = [Direction::FromDialler, Direction::ToDialler];

/// More than any deadline on the way.
const LONG: Duration = Duration::from_secs(600);

#[tokio::test(start_paused = true)]
async fn a_stalled_link_is_given_up_at_both_ends() {
    for native in [None, Some(Capabilities::ALL)] {
        let (here, there, faults) = link("a", "b", Conditions::default());
        let links = (here, there);
        let (a, b) = Endpoint::pair_with(links, Config::default(), [native; 2]).await;
        assert_eq!(a.call("echo").await.unwrap().unwrap(), "echo");
        for direction in BOTH {
            faults.stall(direction);
        }
        let began = Instant::now();
        let call = a.call("anybody there?");
        for end in [a.end, b.end] {
            let end = timeout(LONG, end).await.expect("in time").unwrap();
            assert!(matches!(end, LinkEnd::Unresponsive { .. }), "{end:?}");
        }
        assert!(began.elapsed() < LIVENESS_TIMEOUT * 2);
        assert!(matches!(call.await.unwrap(), Err(CallEnd::Closed { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stall_that_is_short_does_no_harm() {
    let (here, there, faults) = link("a", "b", Conditions::default());
    let (a, b) = Endpoint::native_pair((here, there)).await;
    let call = a.call("echo");
    for direction in BOTH {
        faults.stall(direction);
    }
    tokio::time::sleep(LIVENESS_TIMEOUT / 4).await;
    for direction in BOTH {
        faults.resume(direction);
    }
    assert_eq!(call.await.unwrap().unwrap(), "echo");
    assert!(!a.end.is_finished() && !b.end.is_finished());
}

#[tokio::test(start_paused = true)]
async fn far_nodes_join_and_call_in_the_time_of_the_way() {
    let latency = Duration::from_millis(300);
    let conditions = Conditions::default().with_latency(latency);
    let (here, there, _) = link("a", "b", conditions.with_bandwidth(100_000));
    let (a, b) = Endpoint::native_pair((here, there)).await;
    let began = Instant::now();
    assert_eq!(a.call("echo").await.unwrap().unwrap(), "echo");
    assert!(
        (latency * 2..latency * 3).contains(&began.elapsed()),
        "{:?}",
        began.elapsed()
    );
    drop(b);
}

/// In the handshake, in the sync, in the middle of a frame: wherever the link breaks, both ends hear of it at once.
#[tokio::test(start_paused = true)]
async fn a_link_may_be_cut_at_any_byte() {
    let mut joined = 0;
    for direction in BOTH {
        for at in (0..1200).step_by(13) {
            joined += usize::from(is_joined_and_cut(direction, at).await);
        }
    }
    assert!(joined > 0, "some are cut after the handshake");
    assert!(joined < 2 * 93, "some are cut before its end");
}

/// A call that is longer than the link lasts.
async fn is_answered(end: &Endpoint) -> bool {
    let (caller, reply) = oneshot::channel();
    let call = node::Call {
        to: PID,
        what: vec![0; 2000].into(),
        ..node::Call::default()
    };
    let called = end
        .peer
        .apply(|session, now| session.call(now, call, None, caller));
    called.is_ok() && reply.await.unwrap().is_ok()
}

async fn is_joined_and_cut(direction: Direction, at: u64) -> bool {
    let (here, there, faults) = link("a", "b", Conditions::default());
    faults.cut_at(direction, at);
    let began = Instant::now();
    let joined = async {
        tokio::join!(
            Endpoint::start("a", "cookie", Side::Client, here),
            Endpoint::start("b", "cookie", Side::Server, there),
        )
    };
    let (a, b) = timeout(LONG, joined).await.expect("in time");
    let joined = a.is_ok() && b.is_ok();
    for end in [a, b] {
        match end {
            Ok(mut end) => {
                // It may be cut before the sync is over.
                if end.heard.recv().await == Some(Heard::Ready) {
                    assert!(!is_answered(&end).await);
                }
                let end = end.end.await.unwrap();
                assert!(
                    matches!(
                        end,
                        LinkEnd::Read(_) | LinkEnd::Write(_) | LinkEnd::ClosedByPeer
                    ),
                    "{end:?}"
                );
            }
            Err(error) => assert!(
                matches!(
                    error,
                    AuthenticateError::Read(_)
                        | AuthenticateError::Write(_)
                        | AuthenticateError::Closed
                ),
                "{error:?}"
            ),
        }
    }
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "{:?}",
        began.elapsed()
    );
    joined
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_ends_its_direction_has_left() {
    let (here, there, faults) = link("a", "b", Conditions::default());
    let (a, b) = Endpoint::pair((here, there)).await;
    faults.end(Direction::FromDialler);
    let end = b.end.await.unwrap();
    assert!(matches!(end, LinkEnd::ClosedByPeer), "{end:?}");
    let end = a.end.await.unwrap();
    assert!(
        matches!(end, LinkEnd::ClosedByPeer | LinkEnd::Write(_)),
        "{end:?}"
    );
}
