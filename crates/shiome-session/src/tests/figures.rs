use super::*;
use crate::{Figures, Lane, LaneFigures};

fn lane(figures: &Figures, lane: Lane) -> LaneFigures {
    figures.lanes[lane as usize]
}

#[test]
fn what_waits_and_what_has_left_is_told_by_lane() {
    let mut pair = Pair::native().served(&[1, 2]);
    let before = pair.a.session.figures();
    let long = numbered(1, 7, 3 * FRAGMENT_THRESHOLD);
    pair.a.session.cast(long).unwrap();
    pair.a.session.cast(cast(2)).unwrap();
    pair.call(2, None, 1);
    let waiting = pair.a.session.figures();
    assert_eq!(lane(&waiting, Lane::Bulk).queued, 2);
    assert!(lane(&waiting, Lane::Bulk).queued_bytes > 3 * FRAGMENT_THRESHOLD as u64);
    // The call is behind a cast to the same actor, and express all the same.
    assert_eq!(lane(&waiting, Lane::Express).queued, 1);
    assert_eq!(waiting.calls_out, 1);
    assert_eq!(waiting.remote_actors, 2);

    pair.settle();
    let (sent, came) = (pair.a.session.figures(), pair.b.session.figures());
    for at in Lane::ALL {
        let (was, is) = (lane(&before, at), lane(&sent, at));
        assert_eq!((is.queued, is.queued_bytes), (0, 0));
        let waited = lane(&waiting, at).queued;
        if at != Lane::Control {
            assert_eq!(is.sent - was.sent, waited, "{at:?}");
        }
    }
    assert_eq!(
        lane(&sent, Lane::Bulk).sent_bytes,
        lane(&waiting, Lane::Bulk).queued_bytes
    );
    // Four fragments and a cast.
    assert_eq!(lane(&came, Lane::Bulk).received, 5);
    assert!(lane(&came, Lane::Bulk).received_bytes > 3 * FRAGMENT_THRESHOLD as u64);
    assert_eq!(lane(&came, Lane::Express).received, 1);
    assert_eq!(came.calls_in, 1);
}

#[test]
fn credit_is_told_of_peers_that_grant_it() {
    let mut native = Pair::native().served(&[1]);
    let before = native.a.session.figures().credit.unwrap();
    native.a.session.cast(cast(1)).unwrap();
    let _ = polled(&mut native.a.session);
    assert!(native.a.session.figures().credit.unwrap() < before);
    assert_eq!(Pair::serving(&[1]).a.session.figures().credit, None);
}

#[test]
fn a_closed_session_tells_what_had_passed_and_nothing_waits() {
    let mut pair = Pair::native().served(&[1]);
    pair.a.session.cast(cast(1)).unwrap();
    pair.settle();
    pair.a.session.cast(cast(1)).unwrap();
    pair.a.session.close();
    let figures = pair.a.session.figures();
    assert_eq!(lane(&figures, Lane::Bulk).sent, 1);
    assert_eq!(lane(&figures, Lane::Bulk).queued, 0);
}
