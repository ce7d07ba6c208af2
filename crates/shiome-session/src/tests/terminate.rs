use super::*;

/// Actor 1 of the peer of `b` is known, and `b` has calls to it open with these timeouts.
fn calling(timeouts: &[Duration]) -> Pair {
    let mut pair = Pair::new();
    pair.inject(spawn([actor(1)])).unwrap();
    let now = pair.now;
    for (handle, timeout) in (1..).zip(timeouts) {
        let session = &mut pair.b.session;
        session.call(now, call(1), Some(*timeout), handle).unwrap();
    }
    pair.drain();
    pair.b.events();
    pair
}

const LONG: Duration = Duration::from_secs(60);

/// Actor 7 of `b` has a call open and is gone.
fn held() -> Pair {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, None, 1);
    pair.settle();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.drain();
    pair
}

fn told_gone(pair: &Pair) -> usize {
    let kinds = kinds(&pair.b.sent);
    kinds.iter().filter(|kind| **kind == "terminate").count()
}

#[test]
fn an_actor_that_replies_and_stops_is_heard() {
    for replies_first in [true, false] {
        let mut pair = Pair::serving(&[7]);
        pair.call(7, None, 1);
        pair.settle();
        let now = pair.now;
        let session = &mut pair.b.session;
        if replies_first {
            session.reply(now, 7, 1, Bytes::new()).unwrap();
            session.terminate(now, 7);
        } else {
            session.terminate(now, 7);
            session.reply(now, 7, 1, Bytes::new()).unwrap();
        }
        pair.settle();
        assert_eq!(told_gone(&pair), 0, "the reply has a head start");
        pair.drive(REPLY_HEADSTART);
        let events = pair.a.events();
        assert!(
            matches!(&events[..], [Event::Reply { call: 1, .. }, Event::Terminated(pids)] if pids[..] == [7]),
            "{events:?}"
        );
    }
}

#[test]
fn the_end_is_told_after_the_last_of_several_replies() {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, None, 1);
    pair.call(7, None, 2);
    pair.settle();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.b.session.reply(pair.now, 7, 2, Bytes::new()).unwrap();
    pair.settle();
    assert_eq!(told_gone(&pair), 0);
    pair.b.session.reply(pair.now, 7, 1, Bytes::new()).unwrap();
    pair.drive(TERMINATE_HOLD * 2);
    assert_eq!(kinds(&pair.b.sent)[2..], ["reply", "reply", "terminate"]);
    assert_eq!(pair.a.ended(), [(2, None), (1, None)]);
}

#[test]
fn an_idle_actors_end_is_told_at_once_and_once() {
    let mut pair = Pair::serving(&[7]);
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.b.session.terminate(now, 7);
    pair.b.session.terminate(now, 8);
    pair.settle();
    assert_eq!(told_gone(&pair), 1);
    assert!(matches!(pair.a.event(), Event::Terminated(pids) if pids[..] == [7]));
    assert_eq!(
        pair.a.session.cast(cast(7)),
        Err(SendError::UnknownActor { pid: 7 })
    );
}

#[test]
fn a_reply_of_long_ago_holds_nothing_back() {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, None, 1);
    pair.settle();
    pair.b.session.reply(pair.now, 7, 1, Bytes::new()).unwrap();
    pair.drive(REPLY_HEADSTART);
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.settle();
    assert_eq!(told_gone(&pair), 1);
}

#[test]
fn a_dropped_call_leaves_the_last_reply_its_head_start() {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, None, 1);
    pair.call(7, None, 2);
    pair.settle();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.b.session.reply(now, 7, 1, Bytes::new()).unwrap();
    pair.b.session.drop_call(now, 7, 2, CallErrorCode::NoReply);
    pair.drive(REPLY_HEADSTART - Duration::from_millis(1));
    assert_eq!(told_gone(&pair), 0);
    pair.drive(Duration::from_millis(1));
    assert_eq!(told_gone(&pair), 1);
}

#[test]
fn a_reply_at_the_end_of_the_hold_has_its_head_start_too() {
    for other_call_open in [false, true] {
        let mut pair = Pair::serving(&[7]);
        pair.call(7, None, 1);
        if other_call_open {
            pair.call(7, None, 2);
        }
        pair.settle();
        let now = pair.now;
        pair.b.session.terminate(now, 7);
        let almost = Duration::from_millis(1);
        pair.drive(TERMINATE_HOLD - almost);
        pair.b.session.reply(pair.now, 7, 1, Bytes::new()).unwrap();
        pair.drive(REPLY_HEADSTART - almost);
        assert_eq!(told_gone(&pair), 0);
        pair.drive(almost);
        assert_eq!(told_gone(&pair), 1);
    }
}

#[test]
fn replies_put_the_end_off_by_one_head_start_at_most() {
    let mut pair = Pair::serving(&[7]);
    for handle in 1..=20 {
        pair.call(7, None, handle);
    }
    pair.settle();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.drive(TERMINATE_HOLD - REPLY_HEADSTART / 2);
    for tag in 1..=10 {
        pair.b
            .session
            .reply(pair.now, 7, tag, Bytes::new())
            .unwrap();
        pair.drive(REPLY_HEADSTART / 2);
    }
    assert_eq!(told_gone(&pair), 1);
}

#[test]
fn a_dropped_call_ends_the_hold() {
    let mut pair = held();
    assert_eq!(told_gone(&pair), 0);
    pair.b
        .session
        .drop_call(pair.now, 7, 1, CallErrorCode::NoReply);
    pair.drain();
    assert_eq!(told_gone(&pair), 1);
    pair.drive(TERMINATE_HOLD * 2);
    assert_eq!(told_gone(&pair), 1);
}

#[test]
fn a_reply_too_long_to_send_ends_the_hold() {
    let config = Config {
        max_frame_len: 100,
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), config).served(&[7]);
    pair.call(7, None, 1);
    pair.settle();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    let long = Bytes::from(vec![0; 100]);
    assert!(matches!(
        pair.b.session.reply(pair.now, 7, 1, long),
        Err(SendError::TooLong { .. })
    ));
    pair.drain();
    assert_eq!(told_gone(&pair), 1);
}

#[test]
fn the_hold_is_bounded_and_the_late_reply_still_arrives() {
    let mut pair = held();
    pair.drive(TERMINATE_HOLD - Duration::from_millis(1));
    assert_eq!(told_gone(&pair), 0);
    pair.drive(Duration::from_millis(1));
    assert_eq!(told_gone(&pair), 1);

    // Within the grace that the caller's side gives.
    pair.drive(REPLY_GRACE / 2);
    pair.b.session.reply(pair.now, 7, 1, Bytes::new()).unwrap();
    pair.drive(REPLY_GRACE * 2);
    assert_eq!(pair.a.ended(), [(1, None)]);
    assert_eq!(told_gone(&pair), 1);
}

#[test]
fn an_endless_hold_lasts_until_the_reply() {
    let config = Config {
        terminate_hold: Duration::MAX,
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), config).served(&[7]);
    pair.call(7, Some(LONG * 100), 1);
    pair.settle();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.drive(LONG * 10);
    assert_eq!(told_gone(&pair), 0);
    pair.b.session.reply(pair.now, 7, 1, Bytes::new()).unwrap();
    pair.drive(REPLY_HEADSTART);
    assert_eq!(told_gone(&pair), 1);
    assert_eq!(pair.a.ended(), [(1, None)]);
}

#[test]
fn nothing_is_delivered_to_an_actor_that_is_gone() {
    let mut pair = held();
    pair.b.events();
    assert!(!pair.b.session.is_announced(7));
    pair.a.session.cast(cast(7)).unwrap();
    pair.call(7, Some(LONG), 2);
    pair.settle();
    let skipped = |event| matches!(event, &Event::Skipped(Skipped::NotAnnounced { pid: 7 }));
    let events = pair.b.events();
    assert!(
        events.len() == 2 && events.iter().all(skipped),
        "{events:?}"
    );
    // Its caller hears of it with the end.
    pair.drive(TERMINATE_HOLD + REPLY_GRACE + LATENCY);
    let ended = pair.a.ended();
    assert!(ended.contains(&(2, Some(CallEnd::Terminated))), "{ended:?}");
}

#[test]
fn late_news_do_not_revive_an_actor_that_is_gone() {
    let mut pair = held();
    let sent = pair.b.sent.len();
    pair.b.session.announce([actor(7)]);
    pair.b
        .session
        .join("scope", "group", vec![actor(7), actor(8)]);
    pair.b
        .session
        .drop_call(pair.now, 7, 1, CallErrorCode::NoReply);
    pair.settle();
    assert_eq!(
        kinds(&pair.b.sent[sent..]),
        ["spawn", "group join", "terminate"]
    );
    let known: Vec<_> = pair.a.session.remote_pids().collect();
    assert_eq!(known, [8]);
    let joined = pair
        .a
        .events()
        .into_iter()
        .any(|event| matches!(event, Event::Joined { actors, .. } if actors[..] != [actor(8)]));
    assert!(!joined);
}

#[test]
fn a_reply_that_its_callees_end_has_overtaken_is_heard() {
    let mut pair = calling(&[LONG, LONG]);
    pair.inject(terminate([1])).unwrap();
    assert!(matches!(pair.b.event(), Event::Terminated(_)));
    pair.drive(REPLY_GRACE - Duration::from_millis(1));
    pair.inject(reply(1, 2)).unwrap();
    assert_eq!(pair.b.ended(), [(2, None)]);

    pair.drive(Duration::from_millis(1));
    assert_eq!(pair.b.ended(), [(1, Some(CallEnd::Terminated))]);
    pair.inject(reply(1, 1)).unwrap();
    assert!(matches!(
        pair.b.event(),
        Event::Skipped(Skipped::UnknownReply { .. })
    ));
}

#[test]
fn the_grace_never_prolongs_a_timeout() {
    let short = REPLY_GRACE / 2;
    let mut pair = calling(&[short, LONG]);
    pair.inject(terminate([1])).unwrap();
    pair.drive(short);
    pair.b
        .events
        .retain(|event| !matches!(event, Event::Terminated(_)));
    assert_eq!(pair.b.ended(), [(1, Some(CallEnd::TimedOut))]);
    pair.drive(REPLY_GRACE - short);
    assert_eq!(pair.b.ended(), [(2, Some(CallEnd::Terminated))]);
}

#[test]
fn an_endless_grace_leaves_timeouts_alone() {
    let config = Config {
        reply_grace: Duration::MAX,
        ..Config::default()
    };
    let mut pair = Pair::with(Config::default(), config);
    pair.inject(spawn([actor(1)])).unwrap();
    let now = pair.now;
    pair.b.session.call(now, call(1), Some(LONG), 1).unwrap();
    pair.inject(terminate([1])).unwrap();
    pair.drive(LONG);
    assert_eq!(pair.b.ended(), [(1, Some(CallEnd::TimedOut))]);
}

#[test]
fn repeated_ends_do_not_prolong_the_grace() {
    let mut pair = calling(&[LONG]);
    for _ in 0..10 {
        pair.inject(terminate([1])).unwrap();
        pair.inject(spawn([actor(1)])).unwrap();
        pair.drive(REPLY_GRACE / 10);
    }
    assert_eq!(pair.b.ended(), [(1, Some(CallEnd::Terminated))]);
}

#[test]
fn ends_are_told_once_and_only_of_known_actors() {
    let mut pair = Pair::new();
    pair.inject(spawn([actor(1), actor(2)])).unwrap();
    pair.b.events();
    pair.inject(terminate([3, 1, 1, u64::MAX, 2, 1])).unwrap();
    assert!(matches!(pair.b.event(), Event::Terminated(pids) if pids[..] == [1, 2]));
    pair.inject(terminate([1, 2, 3])).unwrap();
    pair.inject(terminate([])).unwrap();
    assert!(pair.b.events().is_empty());
}

#[test]
fn numbering_goes_on_while_calls_to_the_former_actor_are_open() {
    let mut pair = calling(&[LONG]);
    pair.inject(terminate([1])).unwrap();
    pair.inject(spawn([actor(1)])).unwrap();
    let now = pair.now;
    pair.b.session.call(now, call(1), Some(LONG), 2).unwrap();
    pair.drive(REPLY_GRACE);
    // The first ended with its callee, the second goes to the new one.
    assert_eq!(pair.b.ended(), [(1, Some(CallEnd::Terminated))]);
    pair.inject(terminate([1])).unwrap();
    pair.drive(REPLY_GRACE);
    assert_eq!(pair.b.ended(), [(2, Some(CallEnd::Terminated))]);

    pair.inject(spawn([actor(1)])).unwrap();
    let now = pair.now;
    pair.b.session.call(now, call(1), Some(LONG), 3).unwrap();
    pair.drain();
    assert_eq!(tags(&pair.b.sent), [(1, 1), (1, 2), (1, 1)]);
}
