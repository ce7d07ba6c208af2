//! What a peer that does not take everything is spared.

use super::*;
use crate::REASSEMBLY_TIMEOUT;

use proptest::{collection::vec, prelude::*};
use prost::Message as _;

/// The longest cast that goes whole.
fn longest() -> node::Cast {
    let len = NetworkMessage::from(numbered(7, 1, FRAGMENT_THRESHOLD)).encoded_len();
    let cast = numbered(7, 1, 2 * FRAGMENT_THRESHOLD - len);
    assert_eq!(
        NetworkMessage::from(cast.clone()).encoded_len(),
        FRAGMENT_THRESHOLD
    );
    cast
}

fn bulk_len(messages: &[NetworkMessage]) -> usize {
    let bulk = messages
        .iter()
        .filter(|m| ["cast", "fragment"].contains(&m.kind()));
    bulk.map(NetworkMessage::encoded_len).sum()
}

fn windows(window: u64) -> Config {
    Config {
        window,
        ..Config::default()
    }
}

#[test]
fn no_more_than_the_window_goes_to_an_owner_that_takes_nothing() {
    let window = 300_000;
    let mut pair = Pair::native_with(windows(window), windows(window)).served(&[7]);
    pair.b.stuck = true;
    for number in 0..2000 {
        pair.a.session.cast(numbered(7, number, 1000)).unwrap();
    }
    pair.a.session.cast(numbered(7, 2000, 1_000_000)).unwrap();
    pair.drive(Duration::from_secs(60));
    let sent = bulk_len(&pair.a.sent);
    assert!((280_000..320_000).contains(&sent), "{sent} bytes");
    // What is no bulk goes on.
    pair.a.session.announce([actor(1)]);
    pair.settle();
    assert!(pair.b.session.remote_pids().eq([1]));

    pair.b.stuck = false;
    pair.drive(Duration::from_secs(5));
    let casts = pair.b.casts();
    assert!(casts.iter().map(|cast| number(&cast.what)).eq(0..=2000));
}

#[test]
fn an_owner_that_holds_credit_gets_no_more_than_the_window_and_then_all() {
    let window = 300_000;
    let mut pair = Pair::native_with(windows(window), windows(window)).served(&[7, 8]);
    pair.b.session.hold_credit(true);
    for number in 0..2000 {
        pair.a.session.cast(numbered(7, number, 1000)).unwrap();
    }
    // Longer than what waits for fragments lasts.
    pair.a.session.cast(numbered(8, 2000, 1_000_000)).unwrap();
    pair.drive(REASSEMBLY_TIMEOUT * 2);
    let sent = bulk_len(&pair.a.sent);
    assert!((230_000..320_000).contains(&sent), "{sent} bytes");
    let before = pair.b.casts();
    assert!(
        !before.is_empty() && before.len() < 300,
        "it takes all that comes"
    );
    pair.call(8, None, 1);
    pair.settle();
    assert_eq!(tags(&pair.a.sent), [], "behind the bulk to the same actor");

    // Twice is once.
    pair.b.session.hold_credit(true);
    pair.b.session.hold_credit(false);
    pair.drive(Duration::from_secs(5));
    assert_eq!(before.len() + pair.b.casts().len(), 2001);
    assert_eq!(tags(&pair.a.sent), [(8, 1)]);
}

#[test]
fn holding_credit_says_nothing_to_a_peer_that_knows_none() {
    let mut pair = Pair::new().served(&[7]);
    pair.b.session.hold_credit(true);
    for number in 0..2000 {
        pair.a.session.cast(numbered(7, number, 10_000)).unwrap();
    }
    pair.drive(Duration::from_secs(60));
    assert_eq!(pair.b.casts().len(), 2000);
    pair.b.session.hold_credit(false);
    pair.settle();
    assert!(pair.b.sent.iter().all(|message| message.kind() != "credit"));
}

#[test]
fn calls_and_replies_take_nothing_of_the_window() {
    let mut pair = Pair::native_with(windows(MIN_WINDOW), windows(MIN_WINDOW)).served(&[7, 8]);
    pair.b.stuck = true;
    for number in 0..200 {
        pair.a.session.cast(numbered(7, number, 1000)).unwrap();
    }
    pair.call(8, None, 1);
    pair.call(7, None, 2);
    pair.settle();
    // The call to 7 waits behind the casts to 7.
    assert_eq!(tags(&pair.a.sent), [(8, 1)]);
    pair.b.stuck = false;
    pair.drive(Duration::from_secs(1));
    assert_eq!(tags(&pair.a.sent), [(8, 1), (7, 1)]);
}

#[test]
fn the_least_window_takes_the_longest_frames_both_ways_at_once() {
    for window in [
        MIN_WINDOW,
        MIN_WINDOW + 1,
        MIN_WINDOW * 2 - 1,
        MIN_WINDOW * 2,
    ] {
        let mut pair = Pair::native_with(windows(window), windows(window)).served(&[7]);
        pair.a.session.announce([actor(7)]);
        pair.settle();
        for side in [Side::A, Side::B] {
            let session = &mut pair.end(side).session;
            for number in 0..50 {
                session.cast(longest()).unwrap();
                session.cast(numbered(7, number, 1)).unwrap();
                session.cast(numbered(7, number, 100_000)).unwrap();
            }
        }
        pair.drive(Duration::from_secs(60));
        for side in [Side::A, Side::B] {
            assert_eq!(pair.end(side).casts().len(), 150, "window {window}");
            assert_eq!(pair.end(side).session.queued_len(), 0);
        }
    }
}

#[test]
fn a_peer_that_sends_more_than_it_was_granted_is_closed() {
    let mut pair = Pair::native_with(Config::default(), windows(MIN_WINDOW));
    pair.b.stuck = true;
    pair.b.session.announce([actor(7)]);
    pair.inject(longest()).unwrap();
    let exceeded = SessionError::CreditExceeded { window: MIN_WINDOW };
    assert_eq!(pair.inject(cast(7)), Err(exceeded));

    let mut pair = Pair::native_with(Config::default(), windows(MIN_WINDOW));
    pair.b.stuck = true;
    pair.b.session.probe(pair.now);
    // Skipped, and yet it takes of the window.
    pair.inject(longest()).unwrap();
    let fragment = fragment(1, 0, 1000, &[0; 1000]);
    assert_eq!(pair.inject(fragment), Err(exceeded));
}

#[test]
fn granting_for_ever_overflows_nothing() {
    let mut pair = Pair::native();
    for _ in 0..3 {
        pair.inject(native::Credit { bytes: u64::MAX }).unwrap();
    }
    assert!(pair.b.events().is_empty());
}

#[test]
fn a_peer_without_credit_is_pinged_behind_half_a_window_and_spared_more_than_one() {
    let mut pair = Pair::serving(&[7]);
    let mib = |number| numbered(7, number, 1024 * 1024);
    for number in 0..32 {
        pair.a.session.cast(mib(number)).unwrap();
    }
    let sent = polled(&mut pair.a.session);
    let casts = ["cast"; 4];
    let expected = [&casts[..], &["ping"], &casts[..3]].concat();
    // The eighth, with its headers, is a little above the window: a ping asks for what is beyond the first.
    assert_eq!(kinds(&sent), [&expected[..], &["ping"]].concat());
    let window = LEGACY_WINDOW as usize;
    assert!(bulk_len(&sent) <= window);

    let pongs: Vec<_> = sent.iter().cloned().filter_map(pong_of).collect();
    let now = pair.now;
    pair.a
        .session
        .handle_message(now, pongs[0].clone())
        .unwrap();
    let more = polled(&mut pair.a.session);
    assert_eq!(kinds(&more), ["cast", "cast", "cast", "cast", "ping"]);
    // What is asked is answered once; again it tells nothing.
    pair.a
        .session
        .handle_message(now, pongs[0].clone())
        .unwrap();
    assert!(polled(&mut pair.a.session).is_empty());
    // The last pong stands for all before it.
    let last = more.into_iter().find_map(pong_of).unwrap();
    pair.a.session.handle_message(now, last).unwrap();
    assert_eq!(bulk_len(&polled(&mut pair.a.session)) / (1024 * 1024), 7);
}

fn pong_of(message: NetworkMessage) -> Option<NetworkMessage> {
    match message.into_control()? {
        control_message::Msg::Ping(ping) => {
            let timestamp = ping.timestamp;
            Some(control::Pong { timestamp }.into())
        }
        _ => None,
    }
}

#[test]
fn a_peer_without_credit_gets_everything_whatever_the_lengths() {
    let limit = Config::default().max_frame_len as usize;
    for len in [3, 5, 9, 15]
        .map(|mib| mib * 1024 * 1024)
        .into_iter()
        .chain([limit - 100])
    {
        let mut pair = Pair::serving(&[7]);
        for number in 0..4 {
            pair.a.session.cast(numbered(7, number, len)).unwrap();
        }
        pair.drive(Duration::from_secs(1));
        assert_eq!(pair.b.casts().len(), 4, "{len}");
        assert_eq!(pair.a.session.queued_len(), 0);
    }
}

#[test]
fn a_peer_that_answers_no_ping_gets_no_more_and_is_given_up() {
    let mut pair = Pair::serving(&[7]);
    pair.b.taking = Taking::Nothing;
    for number in 0..60 {
        pair.a
            .session
            .cast(numbered(7, number, 1024 * 1024))
            .unwrap();
    }
    pair.drive(LIVENESS_TIMEOUT + LATENCY);
    assert!(bulk_len(&pair.a.sent) <= LEGACY_WINDOW as usize);
    assert!(matches!(
        pair.a.events()[..],
        [Event::Unresponsive { .. }, ..]
    ));
}

#[test]
fn a_slow_end_gets_everything_and_stays() {
    for native in [false, true] {
        let mut pair = if native { Pair::native() } else { Pair::new() }.served(&[7]);
        pair.b.taking = Taking::Slowly(Duration::from_millis(200));
        pair.capacity = 4 * FRAGMENT_THRESHOLD;
        for number in 0..100 {
            pair.a.session.cast(numbered(7, number, 100_000)).unwrap();
        }
        let mut casts = 0;
        for _ in 0..400 {
            pair.drive(Duration::from_millis(200));
            casts += pair.b.casts().len();
            let events = pair.a.events();
            assert!(events.is_empty(), "{events:?}");
        }
        assert_eq!(casts, 100);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nobody_waits_for_ever(
        lens in vec((any::<bool>(), 0..300_000usize, 1..4u64), 1..60),
        window in MIN_WINDOW..MIN_WINDOW * 3,
        capacity in 1..400_000usize,
    ) {
        let mut pair = Pair::native_with(windows(window), windows(window)).served(&[1, 2, 3]);
        pair.a.session.announce((1..4).map(actor));
        pair.settle();
        pair.capacity = capacity;
        let mut expected = [0, 0];
        for (to_a, len, pid) in lens {
            let side = if to_a { Side::B } else { Side::A };
            pair.end(side).session.cast(numbered(pid, 0, len)).unwrap();
            expected[usize::from(!to_a)] += 1;
            pair.step(pair.now + LATENCY);
        }
        pair.drive(Duration::from_secs(60));
        prop_assert_eq!([pair.a.casts().len(), pair.b.casts().len()], expected);
    }
}

#[test]
fn whatever_the_lengths_nothing_waits_for_ever_without_fragments() {
    let mut pair = Pair::capable_of(Capabilities::CREDIT, Config::default(), Config::default());
    pair = pair.served(&[7]);
    let limit = longest_message(&mut pair);
    for len in [limit / 2 - 1000, limit - 1000, limit / 3, limit - 1000] {
        pair.a.session.cast(numbered(7, 1, len)).unwrap();
    }
    pair.drive(Duration::from_secs(60));
    assert_eq!(pair.b.casts().len(), 4);
}

/// The longest message that `a` may send.
fn longest_message(pair: &mut Pair) -> usize {
    match pair.a.session.cast(numbered(7, 0, 32 << 20)) {
        Err(SendError::TooLong { limit, .. }) => limit as usize,
        other => panic!("{other:?}"),
    }
}
