//! What native peers ask of each other's actors.

use super::*;

fn native() -> Pair {
    Pair::native().served(&[7, 8])
}

/// `a` monitors 7, and `b` knows.
fn monitored() -> Pair {
    let mut pair = native();
    pair.a.session.monitor(7).unwrap();
    pair.settle();
    assert!(matches!(pair.b.event(), Event::MonitorRequested { pid: 7 }));
    pair
}

fn exit(pid: u64, kind: native::exit::Kind) -> native::Exit {
    native::Exit {
        pid,
        kind: kind.into(),
        reason: Some("reason".to_owned()),
    }
}

/// What is told of the ends of actors.
fn ends(end: &mut End) -> Vec<(u64, ExitKind)> {
    let events = end.events().into_iter();
    let ends = events.filter_map(|event| match event {
        Event::Exited { pid, kind, .. } => Some((pid, kind)),
        _ => None,
    });
    ends.collect()
}

#[test]
fn calls_that_are_not_answered_end_with_the_reason() {
    let codes = [
        CallErrorCode::Undecodable,
        CallErrorCode::NoReply,
        CallErrorCode::NotAllowed,
        CallErrorCode::Other,
    ];
    for code in codes {
        let mut pair = native();
        pair.call(7, None, 1);
        pair.settle();
        let call = pair.b.inbound_calls().remove(0);
        let now = pair.now;
        pair.b.session.drop_call(now, call.to, call.tag, code);
        pair.b.session.drop_call(now, call.to, call.tag, code);
        pair.settle();
        assert_eq!(pair.a.ended(), [(1, Some(CallEnd::Refused(code)))]);
        assert_eq!(kinds(&pair.b.sent)[2..], ["call error"]);
    }
}

#[test]
fn the_session_answers_calls_that_reach_no_actor() {
    let config = Config {
        max_open_calls: 1,
        ..Config::default()
    };
    let mut pair = Pair::native_with(Config::default(), config).served(&[7, 8]);
    pair.call(7, None, 1);
    pair.call(7, None, 2);
    pair.b.session.terminate(pair.now, 8);
    pair.call(8, None, 3);
    pair.settle();
    let mut ended = pair.a.ended();
    ended.sort_unstable_by_key(|(call, _)| *call);
    let refused = |code| Some(CallEnd::Refused(code));
    let expected = [
        (2, refused(CallErrorCode::Overloaded)),
        (3, refused(CallErrorCode::UnknownActor)),
    ];
    assert_eq!(ended, expected);
}

#[test]
fn a_legacy_caller_is_told_nothing() {
    let mut pair = Pair::serving(&[7]);
    pair.call(7, Some(Duration::from_secs(1)), 1);
    pair.settle();
    let now = pair.now;
    pair.b.session.drop_call(now, 7, 1, CallErrorCode::NoReply);
    pair.inject(call(9)).unwrap();
    pair.drive(Duration::from_secs(1));
    assert_eq!(pair.a.ended(), [(1, Some(CallEnd::TimedOut))]);
    assert_eq!(kinds(&pair.b.sent), ["spawn", "ready"]);
}

#[test]
fn late_errors_and_replies_are_skipped() {
    let mut pair = native();
    pair.call(7, Some(Duration::from_millis(100)), 1);
    pair.call(7, None, 2);
    pair.drive(Duration::from_millis(100));
    assert_eq!(pair.a.ended(), [(1, Some(CallEnd::TimedOut))]);
    let now = pair.now;
    pair.b.session.drop_call(now, 7, 1, CallErrorCode::NoReply);
    pair.b.session.reply(now, 7, 2, Bytes::new()).unwrap();
    pair.settle();
    let late = Skipped::UnknownReply { pid: 7, tag: 1 };
    let events = pair.a.events();
    let [Event::Skipped(why), Event::Reply { call: 2, .. }] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*why, late);
}

#[test]
fn a_stop_reaches_the_actor_that_it_is_for() {
    let mut pair = native();
    let reason = Some("no use".to_owned());
    pair.a.session.stop(7, reason.clone(), true).unwrap();
    pair.settle();
    let event = pair.b.event();
    let Event::StopRequested {
        pid: 7,
        reason: got,
        kill: true,
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!(got, reason);
    pair.b.session.refuse(7, Verb::Stop);
    pair.settle();
    assert!(matches!(
        pair.a.event(),
        Event::Refused {
            pid: 7,
            verb: Verb::Stop
        }
    ));

    let unknown = Err(SendError::UnknownActor { pid: 9 });
    assert_eq!(pair.a.session.stop(9, None, false), unknown);
    let stop = native::Stop {
        pid: 9,
        reason: None,
        kill: false,
    };
    pair.inject(stop).unwrap();
    let skipped = Skipped::NotAnnounced { pid: 9 };
    assert!(matches!(pair.b.event(), Event::Skipped(why) if why == skipped));
    let mut legacy = Pair::serving(&[7]);
    assert_eq!(
        legacy.a.session.stop(7, None, true),
        Err(SendError::NotNegotiated)
    );
}

#[test]
fn the_end_of_a_monitored_actor_is_told_once_with_its_reason() {
    let mut pair = monitored();
    pair.a.session.monitor(7).unwrap();
    let now = pair.now;
    let reason = "r".repeat(5000);
    pair.b.session.exited(7, ExitKind::Failed, Some(reason));
    pair.b.session.exited(7, ExitKind::Stopped, None);
    pair.b.session.exited(8, ExitKind::Stopped, None);
    pair.b.session.terminate(now, 7);
    pair.b.session.terminate(now, 8);
    pair.settle();
    let events = pair.a.events();
    let [
        Event::Exited {
            pid: 7,
            kind: ExitKind::Failed,
            reason: Some(reason),
        },
        Event::Terminated(seven),
        Event::Terminated(_),
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((reason.len(), &seven[..]), (4096, &[7][..]));
    assert_eq!(
        kinds(&pair.a.sent)
            .iter()
            .filter(|kind| **kind == "monitor")
            .count(),
        1
    );
}

#[test]
fn whatever_the_peer_says_a_monitor_ends_once() {
    use native::exit::Kind;
    let mut pair = monitored();
    let now = pair.now;
    let session = &mut pair.a.session;
    for message in [
        NetworkMessage::from(exit(8, Kind::Failed)),
        exit(9, Kind::Failed).into(),
        exit(7, Kind::Killed).into(),
        exit(7, Kind::Failed).into(),
        terminate([7]).into(),
        exit(7, Kind::Stopped).into(),
    ] {
        session.handle_message(now, message).unwrap();
    }
    pair.drain();
    let skipped = pair
        .a
        .events
        .iter()
        .filter(|event| matches!(event, Event::Skipped(Skipped::NotMonitored { .. })));
    assert_eq!(skipped.count(), 4);
    assert_eq!(ends(&mut pair.a), [(7, ExitKind::Killed)]);
    // Of one that is known again a new monitor is a new one.
    pair.a
        .session
        .handle_message(now, spawn([actor(7)]).into())
        .unwrap();
    pair.a.session.monitor(7).unwrap();
    pair.a
        .session
        .handle_message(now, terminate([7, 7]).into())
        .unwrap();
    pair.drain();
    assert_eq!(ends(&mut pair.a), [(7, ExitKind::Unknown)]);
}

#[test]
fn a_legacy_actor_that_is_monitored_ends_for_no_known_reason() {
    let mut pair = Pair::serving(&[7, 8]);
    pair.a.session.monitor(7).unwrap();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.b.session.terminate(now, 8);
    pair.settle();
    assert_eq!(ends(&mut pair.a), [(7, ExitKind::Unknown)]);
    assert_eq!(kinds(&pair.a.sent), ["ready"]);
}

#[test]
fn who_does_not_want_to_know_is_not_told() {
    let mut pair = monitored();
    pair.a.session.demonitor(7).unwrap();
    pair.a.session.demonitor(7).unwrap();
    pair.settle();
    assert!(matches!(
        pair.b.event(),
        Event::DemonitorRequested { pid: 7 }
    ));
    let now = pair.now;
    pair.b.session.exited(7, ExitKind::Stopped, None);
    pair.b.session.terminate(now, 7);
    pair.settle();
    assert!(matches!(pair.a.event(), Event::Terminated(_)));
    pair.inject(native::Demonitor { pid: 8 }).unwrap();
    let skipped = Skipped::NotMonitored { pid: 8 };
    assert!(matches!(pair.b.event(), Event::Skipped(why) if why == skipped));
}

#[test]
fn an_end_that_was_under_way_is_not_told_after_demonitor() {
    let mut pair = monitored();
    let now = pair.now;
    pair.b.session.exited(7, ExitKind::Stopped, None);
    pair.b.session.terminate(now, 7);
    pair.drain();
    pair.a.session.demonitor(7).unwrap();
    pair.settle();
    assert!(ends(&mut pair.a).is_empty());
}

#[test]
fn a_monitor_of_no_actor_ends_at_once() {
    let mut pair = native();
    let now = pair.now;
    pair.b.session.terminate(now, 7);
    pair.a.session.monitor(7).unwrap();
    pair.inject(native::Monitor { pid: 9 }).unwrap();
    pair.settle();
    assert_eq!(kinds(&pair.b.sent)[2..], ["terminate", "exit", "exit"]);
    // The news of its end was there first.
    assert_eq!(ends(&mut pair.a), [(7, ExitKind::Unknown)]);
}

#[test]
fn a_refused_monitor_is_over() {
    let mut pair = monitored();
    pair.b.session.refuse(7, Verb::Monitor);
    pair.settle();
    assert!(matches!(
        pair.a.event(),
        Event::Refused {
            pid: 7,
            verb: Verb::Monitor
        }
    ));
    let now = pair.now;
    pair.b.session.exited(7, ExitKind::Stopped, None);
    pair.b.session.terminate(now, 7);
    pair.settle();
    assert!(matches!(pair.a.event(), Event::Terminated(_)));
}

#[test]
fn as_many_monitors_as_allowed_each_way() {
    let config = Config {
        max_monitors: 2,
        ..Config::default()
    };
    let mut pair = Pair::native_with(config.clone(), config).served(&[1, 2, 3]);
    for pid in [1, 2, 1, 2] {
        pair.a.session.monitor(pid).unwrap();
    }
    let refused = pair.a.session.monitor(3);
    assert_eq!(refused, Err(SendError::TooManyMonitors { limit: 2 }));
    pair.settle();
    assert_eq!(pair.b.events().len(), 2);
    pair.inject(native::Monitor { pid: 1 }).unwrap();
    let error = SessionError::TooManyMonitors { limit: 2 };
    assert_eq!(pair.inject(native::Monitor { pid: 3 }), Err(error));
}

#[test]
fn what_was_not_agreed_on_closes_the_session() {
    let messages: [(NetworkMessage, Capabilities); 9] = [
        (fragment(1, 0, 2, b"a").into(), Capabilities::FRAGMENTS),
        (native::Credit { bytes: 1 }.into(), Capabilities::CREDIT),
        (
            native::CallError::default().into(),
            Capabilities::CALL_ERRORS,
        ),
        (native::Stop::default().into(), Capabilities::STOP),
        (native::Monitor::default().into(), Capabilities::MONITORS),
        (native::Demonitor::default().into(), Capabilities::MONITORS),
        (native::Exit::default().into(), Capabilities::MONITORS),
        (
            native::Refused { pid: 1, verb: 1 }.into(),
            Capabilities::STOP,
        ),
        (native::Goodbye::default().into(), Capabilities::GOODBYE),
    ];
    for (message, needed) in messages {
        let kind = message.kind();
        let without = Capabilities::from_bits(Capabilities::ALL.bits() & !needed.bits());
        let config = Config::default;
        let mut pairs = [Pair::new(), Pair::capable_of(without, config(), config())];
        for pair in &mut pairs {
            let refused = pair.inject(message.clone());
            assert_eq!(refused, Err(SessionError::NotNegotiated { kind }));
        }
        let mut able = Pair::capable_of(needed, config(), config());
        assert_eq!(able.inject(message), Ok(()), "{kind}");
    }
}

#[test]
fn a_proof_in_a_legacy_session_is_a_downgrade_and_in_a_native_one_nothing() {
    let proof = || native::Proof {
        mac: vec![1; 32].into(),
    };
    assert_eq!(Pair::new().inject(proof()), Err(SessionError::Downgraded));
    // To a side that has announced nothing, peers prove what they have announced to legacy nodes, too.
    let mut unannounced = Pair::new();
    unannounced.b.session.unannounced();
    for mut pair in [native(), unannounced] {
        pair.inject(proof()).unwrap();
        assert!(matches!(
            pair.b.event(),
            Event::Skipped(Skipped::Unexpected)
        ));
    }
}

#[test]
fn words_of_later_versions_are_skipped() {
    let mut pair = monitored();
    let now = pair.now;
    let session = &mut pair.a.session;
    session
        .handle_message(now, native::NativeMessage::default().into())
        .unwrap();
    let refused = native::Refused { pid: 7, verb: 99 };
    session.handle_message(now, refused.into()).unwrap();
    let exit = native::Exit {
        pid: 7,
        kind: 99,
        reason: None,
    };
    session.handle_message(now, exit.into()).unwrap();
    pair.drain();
    let events = pair.a.events();
    let skipped = |event: &Event<Handle>| matches!(event, Event::Skipped(Skipped::Unexpected));
    assert!(skipped(&events[0]) && skipped(&events[1]));
    assert!(matches!(
        events[2],
        Event::Exited {
            pid: 7,
            kind: ExitKind::Unknown,
            ..
        }
    ));
}
