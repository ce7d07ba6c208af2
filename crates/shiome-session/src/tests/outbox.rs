//! What waits to be sent, and what becomes of it.

use super::*;

use prost::Message as _;

use crate::{
    Length::{Long, Short},
    config::{MAX_CONTROL_BACKLOG, MESSAGE_OVERHEAD},
};

fn small() -> Config {
    Config {
        max_outbox: 100_000,
        ..Config::default()
    }
}

fn full(session: &mut Session<Handle>) -> usize {
    for sent in 0.. {
        match session.cast(numbered(7, sent, 1000)) {
            Ok(()) => {}
            Err(SendError::Full { queued, limit }) => {
                assert_eq!((queued, limit), (session.queued_len(), 100_000));
                return sent as usize;
            }
            Err(other) => panic!("{other}"),
        }
    }
    unreachable!()
}

#[test]
fn casts_and_calls_are_refused_from_the_limit_on_until_a_quarter_is_free() {
    let mut pair = Pair::with(small(), small()).served(&[7]);
    let session = &mut pair.a.session;
    let cost = NetworkMessage::from(numbered(7, 0, 1000)).encoded_len() + MESSAGE_OVERHEAD;
    let sent = full(session);
    assert_eq!(sent, 100_000_usize.div_ceil(cost));
    assert_eq!(session.queued_len(), sent * cost);
    let forward = node_message::Msg::Cast(cast(7));
    let forward = node::NodeMessage { msg: Some(forward) };
    let now = pair.now;
    assert!(matches!(
        session.call(now, call(7), None, 1),
        Err(SendError::Full { .. })
    ));
    assert!(matches!(
        session.forward(forward),
        Err(SendError::Full { .. })
    ));
    // What is told does not wait.
    session.announce([actor(1)]);
    session.probe(now);

    while session.queued_len() >= 75_000 {
        assert!(session.is_full() && session.cast(cast(7)).is_err());
        assert!(session.poll_transmit().is_some());
    }
    assert!(!session.is_full());
    assert_eq!(session.cast(cast(7)), Ok(()));
}

#[test]
fn who_can_wait_is_asked_to_from_the_high_water_mark_on_and_nobody_is_refused() {
    let config = Config {
        high_water: 10_000,
        ..small()
    };
    let mut pair = Pair::with(config, small()).served(&[7]);
    let session = &mut pair.a.session;
    while session.queued_len() < 10_000 {
        assert!(!session.is_high(Short));
        session.cast_in_turn(numbered(7, 0, 1000)).unwrap();
    }
    assert!(session.is_high(Short) && !session.is_full());
    let (queued, limit) = (session.queued_len(), 10_000);
    let refused = Err(SendError::Full { queued, limit });
    assert_eq!(session.cast_in_turn(numbered(7, 0, 1000)), refused);
    while session.queued_len() >= 7_500 {
        assert!(session.is_high(Short));
        assert!(session.poll_transmit().is_some());
    }
    assert!(!session.is_high(Short));
    session.cast_in_turn(numbered(7, 0, 5000)).unwrap();
    assert!(session.is_high(Short));
    session.close();
    assert!(!session.is_high(Short));
}

#[test]
fn what_does_not_wait_for_its_turn_takes_nobodys() {
    let config = Config {
        high_water: 10_000,
        ..small()
    };
    let mut pair = Pair::native_with(config, small()).served(&[7]);
    let session = &mut pair.a.session;
    full(session);
    assert!(!session.is_high(Short) && !session.is_high(Long));
    let mut sent = 0;
    while session.cast_in_turn(numbered(7, 0, 1000)).is_ok() {
        sent += 1;
    }
    assert!(session.is_high(Short) && session.is_full());
    assert!((7..=10).contains(&sent), "{sent}");
    while session.poll_transmit().is_some() {}
    assert!(!session.is_high(Short) && session.queued_len() == 0);
}

#[test]
fn long_casts_wait_for_each_other_and_short_ones_do_not_wait_for_them() {
    let high_water = 200_000;
    let config = Config {
        high_water,
        ..Config::default()
    };
    let mut pair = Pair::native_with(config, Config::default()).served(&[7, 8]);
    let session = &mut pair.a.session;
    assert_eq!(session.cast_in_turn(numbered(7, 0, 1_000_000)), Ok(()));
    assert!(session.is_high(Long) && !session.is_high(Short));
    let refused = session.cast_in_turn(numbered(8, 0, 100_000));
    assert!(matches!(refused, Err(SendError::Full { limit, .. }) if limit == high_water));
    assert_eq!(session.cast_in_turn(numbered(8, 1, 1000)), Ok(()));
    // It gives way after a piece.
    assert_eq!(
        kinds(&polled(session))[..3],
        ["fragment", "cast", "fragment"]
    );
    // What was granted is 2 MiB: all has left.
    assert!(!session.is_high(Long) && session.queued_len() == 0);

    // Room for the next before the last piece is gone.
    session.cast_in_turn(numbered(7, 2, 1_000_000)).unwrap();
    while session.is_high(Long) {
        assert!(session.queued_len() >= high_water / 4 * 3);
        assert!(session.poll_transmit().is_some());
    }
    assert!(session.queued_len() > 0);
}

#[test]
fn the_high_water_mark_is_not_above_the_limit() {
    let mut pair = Pair::with(small(), small()).served(&[7]);
    assert!(Config::default().high_water > small().max_outbox);
    let session = &mut pair.a.session;
    while session.cast_in_turn(numbered(7, 0, 1000)).is_ok() {}
    assert!(session.is_full() && session.is_high(Short));
}

#[test]
fn replies_do_not_wait_for_room() {
    let mut pair = Pair::with(small(), small()).served(&[7]);
    pair.a.session.announce([actor(7)]);
    pair.call(7, None, 1);
    pair.settle();
    full(&mut pair.b.session);
    let long = Bytes::from(vec![0; 60_000]);
    pair.b.session.reply(pair.now, 7, 1, long).unwrap();
    pair.settle();
    assert_eq!(pair.a.ended(), [(1, None)]);
}

#[test]
fn what_was_not_handed_to_the_link_is_told_once() {
    let mut pair = Pair::native().served(&[7]);
    pair.a.session.announce([actor(1)]);
    pair.call(7, None, 1);
    pair.settle();
    pair.b.events();
    let (now, session) = (pair.now, &mut pair.b.session);
    session.reply(now, 7, 1, "answer".into()).unwrap();
    for _ in 0..3 {
        session.cast(cast(1)).unwrap();
    }
    session.call(now, call(1), None, 2).unwrap();
    session.announce([actor(8)]);
    session.close();
    session.close();
    assert!(session.poll_transmit().is_none());
    pair.drain();
    let len = |message: NetworkMessage| message.encoded_len();
    let what = Bytes::from("answer");
    let expected = len(node::CallReply {
        to: 7,
        tag: 1,
        what,
    }
    .into())
        + 3 * len(cast(1).into())
        + len(node::Call {
            tag: 1,
            timeout_ms: Some(60_000),
            ..call(1)
        }
        .into());
    let events = pair.b.events();
    let [
        Event::Unsent {
            casts: 3,
            calls: 1,
            replies: 1,
            bytes,
        },
        Event::CallEnded {
            call: 2,
            why: CallEnd::Closed { written: false },
        },
    ] = events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(bytes, expected);
}

#[test]
fn nothing_unsent_is_not_told() {
    let mut pair = Pair::serving(&[7]);
    pair.a.session.cast(cast(7)).unwrap();
    pair.drain();
    pair.a.session.announce([actor(1)]);
    pair.a.session.probe(pair.now);
    pair.a.session.close();
    pair.drain();
    assert!(pair.a.events().is_empty());
}

#[test]
fn what_a_driver_does_not_know_to_be_written_is_unsent() {
    let mut pair = Pair::serving(&[7]);
    let (now, session) = (pair.now, &mut pair.a.session);
    session.written(now);
    session.cast(cast(7)).unwrap();
    assert_eq!(polled(session).len(), 1);
    session.written(now);
    session.cast(cast(7)).unwrap();
    session.cast(cast(7)).unwrap();
    assert_eq!(polled(session).len(), 2);
    session.cast(cast(7)).unwrap();
    session.close();
    pair.drain();
    assert!(matches!(
        pair.a.event(),
        Event::Unsent {
            casts: 3,
            calls: 0,
            replies: 0,
            ..
        }
    ));
}

#[test]
fn a_peer_that_makes_this_side_answer_and_does_not_read_is_told_of_once() {
    let call_of = |pid| NetworkMessage::from(call(pid));
    let monitor = NetworkMessage::from(native::Monitor { pid: 9 });
    let ping = NetworkMessage::from(control::Ping { timestamp: None });
    for message in [call_of(9), call_of(7), monitor, ping] {
        let config = Config {
            max_open_calls: 0,
            ..Config::default()
        };
        let mut pair = Pair::native_with(config.clone(), config).served(&[7]);
        let session = &mut pair.b.session;
        let mut overflows = 0;
        for _ in 0..2 * MAX_CONTROL_BACKLOG / MESSAGE_OVERHEAD {
            session.handle_message(pair.now, message.clone()).unwrap();
            while let Some(event) = session.poll_event() {
                overflows += usize::from(matches!(event, Event::NotReading));
            }
        }
        assert_eq!(overflows, 1, "{}", message.kind());
        let most = MAX_CONTROL_BACKLOG + MESSAGE_OVERHEAD + 100;
        assert!(session.queued_len() <= most);
    }
}

#[test]
fn goodbye_is_said_when_all_else_is() {
    let mut pair = Pair::native().served(&[7]);
    pair.call(7, None, 1);
    pair.a.session.cast(numbered(7, 1, 200_000)).unwrap();
    pair.a
        .session
        .goodbye(GoodbyeReason::Shutdown, "that is all");
    pair.a.session.goodbye(GoodbyeReason::Closed, "again");
    assert_eq!(pair.a.session.cast(cast(7)), Err(SendError::Closed));
    assert_eq!(pair.a.session.monitor(7), Err(SendError::Closed));
    assert!(!pair.a.session.is_drained());
    pair.drain();
    assert!(pair.a.session.is_drained());
    let sent = kinds(&pair.a.sent);
    assert_eq!(
        sent[sent.len() - 6..],
        [&["call"][..], &["fragment"; 4], &["goodbye"]].concat()
    );
    pair.settle();
    let events = pair.b.events();
    let [
        Event::Call(_),
        Event::Cast(_),
        Event::Goodbye { reason, detail },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!(
        (*reason, &detail[..]),
        (GoodbyeReason::Shutdown, "that is all")
    );
    assert!(pair.b.session.is_closed() && pair.b.session.poll_timeout().is_none());

    pair.a.session.close();
    pair.drain();
    let end = CallEnd::Closed { written: true };
    assert_eq!(pair.a.ended(), [(1, Some(end))]);
}

#[test]
fn a_goodbye_outlives_a_close_and_what_waited_does_not() {
    let mut pair = Pair::native().served(&[7]);
    pair.a.session.cast(cast(7)).unwrap();
    let detail = "ä".repeat(10_000);
    pair.a.session.goodbye(GoodbyeReason::Duplicate, &detail);
    pair.a.session.close();
    assert!(!pair.a.session.is_drained());
    assert_eq!(kinds(&polled(&mut pair.a.session)), ["goodbye"]);
    assert!(pair.a.session.is_drained());
    pair.drain();
    assert!(matches!(pair.a.event(), Event::Unsent { casts: 1, .. }));
}

#[test]
fn a_legacy_peer_hears_no_goodbye() {
    let mut pair = Pair::serving(&[7]);
    pair.a.session.cast(cast(7)).unwrap();
    pair.a.session.goodbye(GoodbyeReason::Closed, "");
    assert_eq!(kinds(&polled(&mut pair.a.session)), ["cast"]);
    assert!(pair.a.session.is_drained());
}
