use super::*;

use prost_types::Timestamp;

use crate::config::{PING_INTERVAL, PONG_TIMEOUT};

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

#[test]
fn pings_are_spread_over_the_interval_and_stamped_with_the_sessions_age() {
    let (mut session, began) = alone(Config::default());
    let mut now = began;
    let mut pauses = Vec::new();
    for _ in 0..200 {
        let age = now - began;
        let stamp = sent_ping(&mut session).expect("a ping is due");
        assert_eq!(stamp.seconds, age.as_secs() as i64);
        assert_eq!(stamp.nanos, age.subsec_nanos() as i32);
        assert!(session.poll_transmit().is_none());
        let next = session.poll_timeout().unwrap();
        pauses.push(next - now);
        now = next;
        session.handle_timeout(now);
    }
    assert!(pauses.iter().all(|pause| PING_INTERVAL.contains(pause)));
    let short = pauses
        .iter()
        .filter(|p| **p < Duration::from_secs(3))
        .count();
    assert!(
        (60..140).contains(&short),
        "{short} of 200 in the lower half"
    );
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
        assert!((6..=30).contains(&pongs.len()), "{} pongs", pongs.len());
        assert!(pongs.iter().all(|round_trip| *round_trip == LATENCY * 2));
    }
}

#[test]
fn a_pong_slower_than_the_next_ping_counts() {
    let (mut session, _) = alone(Config::default());
    let first = sent_ping(&mut session).unwrap();
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
fn a_silent_peer_is_noticed_in_time() {
    let mut pair = Pair::new();
    pair.settle();
    pair.cut = true;
    pair.a.events();
    pair.drive(PONG_TIMEOUT - LATENCY * 4);
    assert!(pair.a.events().is_empty());
    pair.drive(PING_INTERVAL.end * 2);
    let events = pair.a.events();
    let Some(Event::Unresponsive { silence }) = events.first() else {
        panic!("{events:?}");
    };
    assert!((PONG_TIMEOUT..PONG_TIMEOUT + PING_INTERVAL.end).contains(silence));

    // Back again: not unresponsive any more.
    pair.cut = false;
    pair.drive(PING_INTERVAL.end);
    pair.a.events();
    pair.drive(Duration::from_secs(120));
    assert!(pair.a.events().is_empty());
}

#[test]
fn a_peer_that_says_anything_is_not_silent() {
    let (mut session, began) = alone(Config::default());
    let mut now = began;
    while now < began + PONG_TIMEOUT * 5 {
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
fn a_pause_of_this_side_is_not_the_peers_silence() {
    let (mut session, began) = alone(Config::default());
    let now = began + PONG_TIMEOUT * 10;
    session.handle_timeout(now);
    assert!(session.poll_event().is_none());
}

#[test]
fn no_interval_makes_pings_spin() {
    let config = Config {
        ping_interval: Duration::ZERO..Duration::ZERO,
        ..Config::default()
    };
    let (mut session, began) = alone(config);
    let mut now = began;
    for _ in 0..100 {
        let next = session.poll_timeout().unwrap();
        assert!(next > now);
        now = next;
        session.handle_timeout(now);
    }
    assert!(now - began >= Duration::from_millis(100));
}

#[test]
fn endless_intervals_never_ping_again() {
    let config = Config {
        ping_interval: Duration::MAX..Duration::MAX,
        pong_timeout: Duration::MAX,
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
        now = session.poll_timeout().unwrap();
    }
    while session.poll_event().is_some() {}
    session.handle_message(now, pong(first)).unwrap();
    assert!(matches!(
        session.poll_event(),
        Some(Event::Skipped(Skipped::OddPong))
    ));
}
