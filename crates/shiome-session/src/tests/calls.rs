use super::*;

#[test]
fn a_cast_arrives_as_it_was_sent() {
    let mut pair = Pair::serving(&[7]);
    let cast = node::Cast {
        metadata: Some(Bytes::from_static(b"trace")),
        ..cast(7)
    };
    pair.a.session.cast(cast.clone()).unwrap();
    pair.settle();
    assert!(matches!(pair.b.event(), Event::Cast(got) if got == cast));
}

#[test]
fn a_reply_brings_the_handle_back() {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, Some(Duration::from_secs(2)), 1);
    pair.settle();
    let Event::Call(inbound) = pair.b.event() else {
        panic!("no call");
    };
    assert_eq!((inbound.to, inbound.tag), (7, 1));
    assert_eq!(inbound.timeout, Some(Duration::from_secs(2)));
    assert_eq!(
        (&inbound.variant[..], &inbound.what[..]),
        ("Ask", &b"argument"[..])
    );

    let answer = Bytes::from_static(b"answer");
    pair.b
        .session
        .reply(pair.now, 7, 1, answer.clone())
        .unwrap();
    pair.settle();
    assert!(matches!(pair.a.event(), Event::Reply { call: 1, what } if what == answer));
    // Nothing is left to time out.
    pair.drive(Duration::from_secs(10));
    assert!(pair.a.events().is_empty());
}

#[test]
fn calls_are_numbered_from_1_for_every_callee() {
    let mut pair = Pair::serving(&[7, 8]);
    for (pid, handle) in [(7, 1), (8, 2), (7, 3), (7, 4), (8, 5)] {
        pair.call(pid, None, handle);
        pair.settle();
        pair.b.answer_all(pair.now);
    }
    assert_eq!(tags(&pair.a.sent), [(7, 1), (8, 1), (7, 2), (7, 3), (8, 2)]);
}

#[test]
fn replies_find_their_calls_in_any_order() {
    let mut pair = Pair::serving(&[7, 8]);
    pair.call(7, None, 1);
    pair.call(7, None, 2);
    pair.call(8, None, 3);
    pair.settle();
    for (pid, tag) in [(8, 1), (7, 2), (7, 1)] {
        pair.b
            .session
            .reply(pair.now, pid, tag, Bytes::new())
            .unwrap();
    }
    pair.settle();
    assert_eq!(pair.a.ended(), [(3, None), (2, None), (1, None)]);
}

#[test]
fn a_call_without_answer_times_out_and_the_late_reply_is_skipped() {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, Some(Duration::from_millis(500)), 1);
    pair.drive(Duration::from_millis(499));
    assert!(pair.a.events().is_empty());
    pair.drive(Duration::from_millis(1));
    assert_eq!(pair.a.ended(), [(1, Some(CallEnd::TimedOut))]);

    // The next call of the same callee has another number, so the late reply cannot pass for its own.
    pair.call(7, None, 2);
    pair.b.session.reply(pair.now, 7, 1, Bytes::new()).unwrap();
    pair.settle();
    let late = Skipped::UnknownReply { pid: 7, tag: 1 };
    assert!(matches!(pair.a.event(), Event::Skipped(why) if why == late));
}

#[test]
fn calls_without_timeout_get_the_default() {
    let config = Config {
        default_call_timeout: Some(Duration::from_secs(3)),
        ..Config::default()
    };
    let mut pair = Pair::with(config, Config::default()).served(&[7]);
    pair.call(7, None, 1);
    pair.settle();
    assert_eq!(timeouts(&pair.a.sent), [Some(3000)]);
    pair.drive(Duration::from_secs(3));
    assert_eq!(pair.a.ended(), [(1, Some(CallEnd::TimedOut))]);
}

#[test]
fn timeouts_travel_in_whole_milliseconds_rounded_up() {
    let mut pair = Pair::serving(&[7]);
    let timeouts_us = [0, 1, 999, 1000, 1001];
    for (handle, us) in (1..).zip(timeouts_us) {
        pair.call(7, Some(Duration::from_micros(us)), handle);
    }
    pair.drain();
    let told = timeouts(&pair.a.sent);
    assert_eq!(told, [Some(0), Some(1), Some(1), Some(1), Some(2)]);
}

#[test]
fn endless_timeouts_are_none() {
    let config = Config {
        default_call_timeout: None,
        ..Config::default()
    };
    let mut pair = Pair::with(config, Config::default()).served(&[7]);
    pair.call(7, Some(Duration::MAX), 1);
    pair.call(7, None, 2);
    pair.drive(Duration::from_secs(3600));
    assert!(pair.a.ended().is_empty());
    assert_eq!(timeouts(&pair.a.sent), [None, None]);

    pair.b.events();
    let endless = node::Call {
        timeout_ms: Some(u64::MAX),
        ..call(9)
    };
    pair.b.session.announce([actor(9)]);
    pair.inject(endless).unwrap();
    assert!(matches!(pair.b.event(), Event::Call(call) if call.timeout.is_none()));
}

#[test]
fn calls_with_the_same_tag_are_both_open() {
    let mut pair = Pair::serving(&[7]);
    let twin = node::Call { tag: 5, ..call(7) };
    pair.inject(twin.clone()).unwrap();
    pair.inject(twin).unwrap();
    assert_eq!(pair.b.inbound_calls().len(), 2);
    let sent = pair.b.sent.len();
    pair.b.session.reply(pair.now, 7, 5, Bytes::new()).unwrap();
    pair.b.session.reply(pair.now, 7, 5, Bytes::new()).unwrap();
    pair.drain();
    assert_eq!(kinds(&pair.b.sent[sent..]), ["reply", "reply"]);
}

#[test]
fn only_the_first_answer_of_a_call_is_sent() {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, None, 1);
    pair.settle();
    pair.b.session.reply(pair.now, 7, 1, Bytes::new()).unwrap();
    assert_eq!(pair.b.session.reply(pair.now, 7, 1, Bytes::new()), Ok(()));
    pair.b
        .session
        .drop_call(pair.now, 7, 1, CallErrorCode::NoReply);
    pair.settle();
    assert_eq!(pair.a.ended(), [(1, None)]);
    assert_eq!(kinds(&pair.b.sent), ["spawn", "ready", "reply"]);
}

#[test]
fn a_message_above_the_peers_limit_costs_nothing_but_itself() {
    let config = Config {
        max_frame_len: 1000,
        ..Config::default()
    };
    let mut pair = Pair::with(config.clone(), config).served(&[7]);
    let long = Bytes::from(vec![0; 1000]);
    let limit = 1000;
    let too_long = |result| matches!(result, Err(SendError::TooLong { len, limit: l }) if l == limit && len > limit);

    let what = long.clone();
    assert!(too_long(
        pair.a.session.cast(node::Cast { what, ..cast(7) })
    ));
    let what = long.clone();
    let now = pair.now;
    let refused = pair
        .a
        .session
        .call(now, node::Call { what, ..call(7) }, None, 1);
    assert!(too_long(refused));
    pair.call(7, Some(Duration::from_secs(1)), 2);
    pair.settle();
    assert_eq!(tags(&pair.a.sent), [(7, 1)]);

    assert!(too_long(pair.b.session.reply(pair.now, 7, 1, long.clone())));
    let what = long;
    let forward = node_message::Msg::Cast(node::Cast { what, ..cast(7) });
    let forward = node::NodeMessage { msg: Some(forward) };
    assert!(too_long(pair.a.session.forward(forward)));
    pair.drive(Duration::from_secs(1));
    assert_eq!(pair.a.ended(), [(2, Some(CallEnd::TimedOut))]);
    assert_eq!(kinds(&pair.b.sent), ["spawn", "ready"]);
}

#[test]
fn actors_that_were_never_announced_cannot_be_addressed() {
    let mut pair = Pair::serving(&[7]);
    let unknown = Err(SendError::UnknownActor { pid: 8 });
    assert_eq!(pair.a.session.cast(cast(8)), unknown);
    let now = pair.now;
    assert_eq!(pair.a.session.call(now, call(8), None, 1), unknown);

    pair.inject(cast(8)).unwrap();
    pair.inject(call(8)).unwrap();
    let skipped = |event| matches!(event, &Event::Skipped(Skipped::NotAnnounced { pid: 8 }));
    let events = pair.b.events();
    assert!(
        events.len() == 2 && events.iter().all(skipped),
        "{events:?}"
    );
}

#[test]
fn replies_that_answer_nothing_are_skipped() {
    let mut pair = Pair::serving(&[7]);
    pair.a.session.announce([actor(1)]);
    pair.settle();
    pair.b.events();
    let now = pair.now;
    pair.b.session.call(now, call(1), None, 1).unwrap();
    for (pid, tag) in [(1, 0), (1, 2), (1, u64::MAX), (2, 1)] {
        pair.inject(reply(pid, tag)).unwrap();
        let why = Skipped::UnknownReply { pid, tag };
        assert!(matches!(pair.b.event(), Event::Skipped(w) if w == why));
    }
    pair.inject(reply(1, 1)).unwrap();
    assert_eq!(pair.b.ended(), [(1, None)]);
}

#[test]
fn close_ends_every_call_in_order_and_sends_nothing() {
    let mut pair = Pair::serving(&[7, 8]);
    for (pid, handle) in [(8, 4), (7, 1), (7, 2), (8, 5), (7, 3)] {
        pair.call(pid, None, handle);
    }
    pair.settle();
    let now = pair.now;
    let session = &mut pair.a.session;
    session.close();
    session.close();
    session.start(now, None);
    session.announce([actor(1)]);
    session.join("scope", &"n".repeat(MAX_NAME_LEN + 1), vec![actor(1)]);
    session.synced();
    session.terminate(now, 1);
    session.list_sessions(Vec::new());
    assert_eq!(session.cast(cast(7)), Err(SendError::Closed));
    assert_eq!(session.call(now, call(7), None, 9), Err(SendError::Closed));
    assert_eq!(
        session.reply(now, 1, 1, Bytes::new()),
        Err(SendError::Closed)
    );
    assert_eq!(session.handle_message(now, cast(1).into()), Ok(()));
    assert!(session.poll_transmit().is_none() && session.poll_timeout().is_none());

    let sent = pair.a.sent.len();
    pair.drive(Duration::from_secs(100));
    assert_eq!(pair.a.sent.len(), sent);
    let closed = (1..=5).map(|handle| (handle, Some(CallEnd::Closed { written: true })));
    assert_eq!(pair.a.ended(), closed.collect::<Vec<_>>());
}

#[test]
fn ready_is_not_told_after_close() {
    let mut pair = Pair::new();
    pair.inject(control::Ready {}).unwrap();
    pair.b.session.close();
    pair.b.session.synced();
    pair.drain();
    assert!(pair.b.events().is_empty());
}

#[test]
fn a_borrowed_cast_is_whole_when_it_was_not_sent() {
    let mut pair = Pair::serving(&[7]);
    let long = node::Cast {
        what: vec![7; 10_000].into(),
        metadata: Some(vec![8; 10_000].into()),
        ..cast(8)
    };
    let mut refused = long.clone();
    let unknown = Err(SendError::UnknownActor { pid: 8 });
    assert_eq!(pair.a.session.cast(&mut refused), unknown);
    assert_eq!(pair.a.session.cast_in_turn(&mut refused), unknown);
    assert_eq!(refused, long);
}
