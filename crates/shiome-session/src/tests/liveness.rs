use super::*;

use prost_types::Timestamp;

const TICK: Duration = Duration::from_nanos(LIVENESS_TIMEOUT.as_nanos() as u64 * 19 / 20 / 6);

fn timestamp(seconds: i64, nanos: i32) -> Timestamp {
    Timestamp { seconds, nanos }
}

/// A session alone, and the time.
fn alone(config: Config) -> (Session<Handle>, Instant) {
    let now = Instant::now();
    let mut session = Session::new(now, config, 7);
    session.start(now, None);
    (session, now)
}

fn sent_ping(session: &mut Session<Handle>) -> Option<Timestamp> {
    let message = session.poll_transmit()?;
    match message.into_control()? {
        control_message::Msg::Ping(ping) => ping.timestamp,
        _ => None,
    }
}

fn pong(timestamp: Timestamp) -> NetworkMessage {
    let timestamp = Some(timestamp);
    control::Pong { timestamp }.into()
}

/// The age of the session that a ping was stamped with.
fn age(stamp: Timestamp) -> Duration {
    Duration::new(stamp.seconds as u64, stamp.nanos as u32)
}

#[test]
fn a_silent_peer_is_pinged_at_every_tick_with_the_sessions_age() {
    let (mut session, began) = alone(Config::default());
    assert_eq!(sent_ping(&mut session).map(age), Some(Duration::ZERO));
    let first = session.poll_timeout().unwrap();
    assert!((TICK / 2..=TICK).contains(&(first - began)));
    session.handle_timeout(first);
    assert!(session.poll_transmit().is_none(), "it has just begun");
    let mut now = first;
    for _ in 0..20 {
        let next = session.poll_timeout().unwrap();
        assert_eq!(next - now, TICK);
        now = next;
        session.handle_timeout(now);
        assert_eq!(sent_ping(&mut session).map(age), Some(now - began));
        assert!(session.poll_transmit().is_none());
    }
}

#[test]
fn sessions_do_not_tick_together() {
    let now = Instant::now();
    let first_ticks = (0..200).map(|seed| {
        let mut session = Session::<Handle>::new(now, Config::default(), seed);
        session.start(now, None);
        session.poll_timeout().unwrap() - now
    });
    let early = first_ticks.filter(|tick| *tick < TICK * 3 / 4).count();
    assert!(
        (60..140).contains(&early),
        "{early} of 200 in the first half"
    );
}

#[test]
fn a_peer_that_talks_is_not_pinged() {
    let (mut session, _) = alone(Config::default());
    sent_ping(&mut session).unwrap();
    for _ in 0..100 {
        let now = session.poll_timeout().unwrap();
        session.heard(now - TICK / 2);
        session.handle_timeout(now);
        assert!(session.poll_transmit().is_none());
    }
    assert!(session.poll_event().is_none());
}

#[test]
fn a_pong_tells_the_round_trip() {
    let mut pair = Pair::new();
    pair.drive(Duration::from_secs(30));
    for end in [&pair.a, &pair.b] {
        let pongs = end.events.iter().map(|event| match event {
            Event::Pong { round_trip } => *round_trip,
            other => panic!("{other:?}"),
        });
        let pongs: Vec<_> = pongs.collect();
        assert!((8..=37).contains(&pongs.len()), "{} pongs", pongs.len());
        assert!(pongs.iter().all(|round_trip| *round_trip == LATENCY * 2));
    }
}

#[test]
fn a_pong_slower_than_the_next_ping_counts() {
    let (mut session, _) = alone(Config::default());
    let first = sent_ping(&mut session).unwrap();
    session.handle_timeout(session.poll_timeout().unwrap());
    let second_at = session.poll_timeout().unwrap();
    session.handle_timeout(second_at);
    let second = sent_ping(&mut session).unwrap();

    let now = second_at + Duration::from_secs(1);
    session.handle_message(now, pong(first)).unwrap();
    session.handle_message(now, pong(second)).unwrap();
    let slow = session.poll_event();
    assert!(
        matches!(slow, Some(Event::Pong { round_trip }) if round_trip > Duration::from_secs(1))
    );
    let fast = session.poll_event();
    assert!(
        matches!(fast, Some(Event::Pong { round_trip }) if round_trip == Duration::from_secs(1))
    );
}

#[test]
fn odd_pongs_are_skipped() {
    let (mut session, now) = alone(Config::default());
    let sent = sent_ping(&mut session).unwrap();
    let odd = [
        timestamp(1_700_000_000, 0),
        timestamp(-1, 0),
        timestamp(i64::MIN, i32::MIN),
        timestamp(i64::MAX, i32::MAX),
        timestamp(0, 1),
    ];
    let odd = odd.map(Some).into_iter().chain([None]);
    for timestamp in odd {
        session
            .handle_message(now, control::Pong { timestamp }.into())
            .unwrap();
        assert!(matches!(
            session.poll_event(),
            Some(Event::Skipped(Skipped::OddPong))
        ));
    }
    // None of them stood for the real one, and that counts once.
    session.handle_message(now, pong(sent)).unwrap();
    assert!(matches!(session.poll_event(), Some(Event::Pong { .. })));
    session.handle_message(now, pong(sent)).unwrap();
    assert!(matches!(
        session.poll_event(),
        Some(Event::Skipped(Skipped::OddPong))
    ));
    assert!(session.poll_transmit().is_none());
}

#[test]
fn a_ping_is_echoed_bit_for_bit() {
    let (mut session, now) = alone(Config::default());
    sent_ping(&mut session).unwrap();
    let stamps = [
        Some(timestamp(12, 345_678_901)),
        Some(timestamp(0, 0)),
        Some(timestamp(-1, 0)),
        Some(timestamp(-62_135_596_800, 5)),
        Some(timestamp(1_700_000_000, -1)),
        Some(timestamp(i64::MIN, i32::MIN)),
        Some(timestamp(i64::MAX, i32::MAX)),
        None,
    ];
    for timestamp in stamps {
        session
            .handle_message(now, control::Ping { timestamp }.into())
            .unwrap();
        let echo = NetworkMessage::from(control::Pong { timestamp });
        assert_eq!(session.poll_transmit(), Some(echo));
        assert!(session.poll_transmit().is_none() && session.poll_event().is_none());
    }
}

#[test]
fn a_silent_peer_is_noticed_in_time_idle_or_busy() {
    for busy in [false, true] {
        for offset in 0..12 {
            let mut pair = Pair::serving(&[7]);
            pair.drive(TICK * offset / 12);
            let last = pair.a.session.last_heard();
            pair.cut = true;
            pair.a.events();
            while pair.a.events.is_empty() {
                assert!(pair.step(pair.now + TICK));
                if busy {
                    pair.a.session.cast(cast(7)).unwrap();
                }
            }
            let event = pair.a.event();
            let Event::Unresponsive { silence } = event else {
                panic!("{event:?}");
            };
            let lasted = pair.now - last;
            assert!(
                (TICK * 5 - LATENCY..=LIVENESS_TIMEOUT).contains(&lasted),
                "{lasted:?}"
            );
            assert_eq!(silence, lasted);

            // Back again: not unresponsive any more.
            pair.cut = false;
            pair.drive(TICK);
            pair.a.events();
            pair.drive(Duration::from_secs(120));
            assert!(pair.a.events().is_empty());
        }
    }
}

#[test]
fn a_frozen_peer_is_noticed_though_the_link_takes_what_is_sent() {
    let mut pair = Pair::serving(&[7]);
    pair.b.taking = Taking::Nothing;
    pair.drive(LIVENESS_TIMEOUT + TICK);
    assert!(matches!(
        pair.a.events()[..],
        [Event::Unresponsive { .. }, ..]
    ));
}

#[test]
fn a_peer_that_says_anything_is_not_silent() {
    let (mut session, began) = alone(Config::default());
    let mut now = began;
    while now < began + LIVENESS_TIMEOUT * 5 {
        now = session.poll_timeout().unwrap();
        session.handle_timeout(now);
        session
            .handle_message(now, NetworkMessage::default())
            .unwrap();
        while let Some(event) = session.poll_event() {
            assert!(
                matches!(event, Event::Skipped(Skipped::Unexpected)),
                "{event:?}"
            );
        }
    }
}

#[test]
fn a_byte_now_and_then_is_a_sign_of_life() {
    let (mut session, began) = alone(Config::default());
    let mut now = began;
    while now < began + LIVENESS_TIMEOUT * 10 {
        for _ in 0..4 {
            now = session.poll_timeout().unwrap();
            session.handle_timeout(now);
        }
        session.heard(now);
        assert_eq!(session.last_heard(), now);
    }
    assert!(session.poll_event().is_none());
}

#[test]
fn a_ping_that_waits_behind_something_long_is_given_the_time_that_the_link_takes() {
    let (mut session, began) = alone(Config::default());
    session.written(began);
    sent_ping(&mut session).unwrap();
    session.written(began);
    session.forward(node::NodeMessage::default()).unwrap();
    assert!(
        session.poll_transmit().is_some(),
        "something long, on its way"
    );
    let mut now = began;
    for _ in 0..100 {
        now = session.poll_timeout().unwrap();
        session.wrote(now);
        session.handle_timeout(now);
        assert!(session.poll_event().is_none());
    }
    // One ping waits for all that time, not a hundred.
    session.written(now);
    sent_ping(&mut session).unwrap();
    assert!(session.poll_transmit().is_none());
    // It is written, and the peer has its time to answer. Bytes that are taken after it prove nothing.
    session.written(now);
    let written = now;
    while session.poll_event().is_none() {
        now = session.poll_timeout().unwrap();
        session.wrote(now);
        session.handle_timeout(now);
        let _ = session.poll_transmit();
        session.written(now);
    }
    assert!((TICK * 4..=LIVENESS_TIMEOUT).contains(&(now - written)));
}

#[test]
fn a_link_that_takes_nothing_is_noticed_though_the_ping_waits() {
    let (mut session, began) = alone(Config::default());
    let mut now = began;
    while session.poll_event().is_none() {
        now = session.poll_timeout().unwrap();
        session.handle_timeout(now);
    }
    assert!(now - began <= LIVENESS_TIMEOUT);
}

#[test]
fn a_pause_of_this_side_is_one_tick_however_long() {
    let (mut session, began) = alone(Config::default());
    let mut now = began;
    // The first tick is free, the peer has just been there.
    for _ in 0..5 {
        now += LIVENESS_TIMEOUT * 100;
        session.handle_timeout(now);
        assert!(session.poll_event().is_none());
        assert!(session.poll_timeout().unwrap() > now);
    }
    session.handle_timeout(now + TICK);
    assert!(matches!(
        session.poll_event(),
        Some(Event::Unresponsive { .. })
    ));
}

#[test]
fn a_probe_is_answered_by_whoever_lives() {
    let mut pair = Pair::new();
    pair.drive(Duration::from_secs(2));
    let before = pair.a.session.last_heard();
    let now = pair.now;
    pair.a.session.probe(now);
    pair.drive(LATENCY * 2);
    assert_eq!(pair.a.session.last_heard(), now + LATENCY * 2);
    assert!(before < now);

    pair.b.taking = Taking::Nothing;
    let now = pair.now;
    pair.a.session.probe(now);
    pair.drive(LATENCY * 2);
    assert!(pair.a.session.last_heard() <= now);
}

#[test]
fn probes_of_a_link_that_takes_nothing_do_not_pile_up() {
    let (mut session, now) = alone(Config::default());
    let waits = session.queued_len();
    for _ in 0..100_000 {
        session.probe(now);
    }
    assert!(
        session.poll_event().is_none(),
        "that is no fault of the peer"
    );
    assert_eq!(session.queued_len(), waits);
    // One that has left may have been answered already.
    sent_ping(&mut session).unwrap();
    session.probe(now);
    sent_ping(&mut session).unwrap();
}

#[test]
fn pings_in_one_instant_differ() {
    let (mut session, now) = alone(Config::default());
    let stamps = [(); 3].map(|()| {
        session.probe(now);
        sent_ping(&mut session).unwrap()
    });
    assert!(stamps[0] != stamps[1] && stamps[1] != stamps[2]);
}

#[test]
fn no_timeout_makes_pings_spin() {
    let config = Config {
        liveness_timeout: Duration::ZERO,
        ..Config::default()
    };
    let (mut session, began) = alone(config);
    let mut now = session.poll_timeout().unwrap();
    session.handle_timeout(now);
    for _ in 0..100 {
        let next = session.poll_timeout().unwrap();
        assert!(next > now);
        now = next;
        session.handle_timeout(now);
        let _ = session.poll_transmit();
    }
    assert!(now - began >= Duration::from_millis(100));
}

#[test]
fn an_endless_timeout_never_pings_again() {
    let config = Config {
        liveness_timeout: Duration::MAX,
        ..Config::default()
    };
    let (mut session, began) = alone(config);
    sent_ping(&mut session).unwrap();
    session.handle_timeout(began + Duration::from_secs(1_000_000));
    assert!(session.poll_transmit().is_none());
}

#[test]
fn pings_waiting_for_pongs_are_bounded() {
    let (mut session, _) = alone(Config::default());
    let first = sent_ping(&mut session).unwrap();
    let mut now = session.poll_timeout().unwrap();
    for _ in 0..100 {
        session.handle_timeout(now);
        let _ = session.poll_transmit();
        now = session.poll_timeout().unwrap();
    }
    while session.poll_event().is_some() {}
    session.handle_message(now, pong(first)).unwrap();
    assert!(matches!(
        session.poll_event(),
        Some(Event::Skipped(Skipped::OddPong))
    ));
}
