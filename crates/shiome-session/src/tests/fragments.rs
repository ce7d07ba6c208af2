use super::*;

use proptest::prelude::*;
use prost::Message as _;

fn native() -> Pair {
    Pair::native().served(&[7])
}

fn wrong(messages: impl IntoIterator<Item = native::Fragment>, expected: FragmentError) {
    let config = Config {
        max_message_len: 1000,
        max_reassembly_len: 3000,
        ..Config::default()
    };
    let mut pair = Pair::native_with(Config::default(), config).served(&[7]);
    let messages: Vec<_> = messages.into_iter().collect();
    let (last, before) = messages.split_last().expect("some");
    for fragment in before {
        pair.inject(fragment.clone()).unwrap();
    }
    let error = SessionError::Fragment(expected);
    assert_eq!(pair.inject(last.clone()), Err(error));
    assert!(pair.b.session.is_closed());
    // The peer is told.
    let goodbye = pair.b.sent.pop().and_then(NetworkMessage::into_native);
    let Some(native::native_message::Msg::Goodbye(goodbye)) = goodbye else {
        panic!("{goodbye:?}");
    };
    assert_eq!(goodbye.reason(), native::goodbye::Reason::Protocol);
    assert_eq!(goodbye.detail, error.to_string());
}

#[test]
fn long_messages_of_all_kinds_arrive_whole() {
    for len in [
        FRAGMENT_THRESHOLD - 100,
        FRAGMENT_THRESHOLD,
        FRAGMENT_THRESHOLD + 1,
        5_000_000,
    ] {
        let mut pair = native();
        let what = numbered(7, 1, len).what;
        let sent = node::Cast {
            what: what.clone(),
            ..cast(7)
        };
        pair.a.session.cast(sent.clone()).unwrap();
        let ask = node::Call {
            what: what.clone(),
            ..call(7)
        };
        pair.a.session.call(pair.now, ask, None, 1).unwrap();
        pair.drive(Duration::from_secs(1));
        let events = pair.b.events();
        let [Event::Cast(got), Event::Call(asked)] = &events[..] else {
            panic!("{} events", events.len());
        };
        assert!(*got == sent && asked.what == what);
        let (now, tag) = (pair.now, asked.tag);
        pair.b.session.reply(now, 7, tag, what.clone()).unwrap();
        pair.drive(Duration::from_secs(1));
        assert!(matches!(pair.a.event(), Event::Reply { call: 1, what: got } if got == what));
        assert!(
            pair.a
                .sent
                .iter()
                .all(|message| message.encoded_len() <= LONGEST_WHOLE)
        );
    }
}

#[test]
fn a_message_above_the_peers_limits_costs_nothing_but_itself() {
    let config = Config {
        max_message_len: 200_000,
        ..Config::default()
    };
    let mut pair = Pair::native_with(config.clone(), config).served(&[7]);
    let long = Bytes::from(vec![0; 200_000]);
    let refused = pair.a.session.cast(node::Cast {
        what: long.clone(),
        ..cast(7)
    });
    assert!(matches!(
        refused,
        Err(SendError::TooLong { limit: 200_000, .. })
    ));
    pair.call(7, None, 1);
    pair.settle();
    let tag = pair.b.inbound_calls().remove(0).tag;
    let refused = pair.b.session.reply(pair.now, 7, tag, long);
    assert!(matches!(refused, Err(SendError::TooLong { .. })));
    pair.settle();
    let end = CallEnd::Refused(CallErrorCode::TooLong);
    assert_eq!(pair.a.ended(), [(1, Some(end))]);
}

#[test]
fn without_fragments_or_credit_the_frame_is_the_limit() {
    let with = |capabilities| Pair::capable_of(capabilities, Config::default(), Config::default());
    let cast = |len| numbered(7, 1, len);
    for (capabilities, fits) in [
        (Capabilities::NONE, MAX_FRAME_LEN as usize - 1000),
        (
            Capabilities::CREDIT,
            // What the peer keeps back before it grants more may be half.
            Config::default().window as usize / 2 - 1000,
        ),
    ] {
        let mut pair = with(capabilities).served(&[7]);
        let long = pair.a.session.cast(cast(fits + 1000));
        assert!(matches!(long, Err(SendError::TooLong { .. })));
        pair.a.session.cast(cast(fits)).unwrap();
        pair.settle();
        assert_eq!(pair.b.casts().len(), 1);
        assert!(kinds(&pair.a.sent).contains(&"cast"));
    }
}

#[test]
fn the_peers_room_for_unfinished_messages_is_kept() {
    let small = Config {
        max_reassembly_len: 500_000,
        max_outbox: usize::MAX,
        ..Config::default()
    };
    let mut pair = Pair::native_with(small.clone(), small).served(&(0..100).collect::<Vec<_>>());
    for pid in 0..100 {
        let len = [70_000, 200_000, 499_000][pid as usize % 3];
        pair.a.session.cast(numbered(pid, 0, len)).unwrap();
        pair.a.session.cast(numbered(pid, 1, 10)).unwrap();
    }
    pair.drive(Duration::from_secs(10));
    assert_eq!(pair.b.failed, None);
    assert_eq!(pair.b.casts().len(), 200);
}

#[test]
fn fragments_out_of_order_are_refused() {
    let first = || fragment(1, 0, 10, b"abc");
    wrong([fragment(1, 3, 0, b"abc")], FragmentError::Gap);
    wrong([first(), fragment(1, 4, 0, b"e")], FragmentError::Gap);
    wrong([first(), fragment(2, 3, 0, b"d")], FragmentError::Gap);
    wrong(
        [first(), fragment(1, u64::MAX, 0, b"d")],
        FragmentError::Gap,
    );
    wrong([first(), fragment(1, 1, 0, b"bc")], FragmentError::Repeated);
    wrong([first(), first()], FragmentError::NumberReused);
    wrong(
        [first(), fragment(1, 3, 10, b"d")],
        FragmentError::TotalAgain,
    );
    wrong([first(), fragment(1, 3, 0, b"")], FragmentError::Empty);
    wrong([fragment(1, 0, 10, b"")], FragmentError::Empty);
}

#[test]
fn fragments_of_the_wrong_length_are_refused() {
    wrong([fragment(1, 0, 0, b"abc")], FragmentError::NoTotal);
    wrong([fragment(1, 0, 2, b"abc")], FragmentError::BeyondTotal);
    let first = fragment(1, 0, 4, b"abc");
    wrong(
        [first, fragment(1, 3, 0, b"de")],
        FragmentError::BeyondTotal,
    );
    for total in [1001, u64::MAX] {
        let limit = 1000;
        wrong(
            [fragment(1, 0, total, b"a")],
            FragmentError::TooLong { total, limit },
        );
    }
    let four = (1..=4).map(|id| fragment(id, 0, 1000, b"a"));
    wrong(four, FragmentError::OverBudget { limit: 3000 });
    let many = (1..=33).map(|id| fragment(id, 0, 2, b"a"));
    wrong(many, FragmentError::TooMany { limit: 32 });
}

#[test]
fn only_messages_between_actors_come_in_fragments() {
    let of = |message: NetworkMessage| {
        let body = message.encode_to_vec();
        fragment(1, 0, body.len() as u64, &body)
    };
    wrong(
        [of(spawn([actor(1)]).into())],
        FragmentError::NotBetweenActors,
    );
    wrong(
        [of(fragment(2, 0, 1, b"a").into())],
        FragmentError::NotBetweenActors,
    );
    wrong(
        [of(native::Credit { bytes: 1 }.into())],
        FragmentError::NotBetweenActors,
    );
    wrong(
        [of(node::NodeMessage::default().into())],
        FragmentError::NotBetweenActors,
    );
    wrong([fragment(1, 0, 3, &[0xff; 3])], FragmentError::Undecodable);
}

#[test]
fn an_announced_length_reserves_nothing() {
    let mut pair = native();
    for id in 1..=2 {
        pair.inject(fragment(id, 0, 60 * 1024 * 1024, b"a"))
            .unwrap();
    }
    // `check_invariants` bounds the memory by what has come.
    pair.b.session.check_invariants();
}

#[test]
fn messages_that_do_not_go_on_are_given_up() {
    let mut pair = native();
    let timeout = Config::default().reassembly_timeout;
    pair.inject(fragment(1, 0, 10, b"abc")).unwrap();
    pair.drive(timeout / 2);
    pair.inject(fragment(2, 0, 10, b"abc")).unwrap();
    pair.inject(fragment(1, 3, 0, b"d")).unwrap();
    pair.drive(timeout - Duration::from_millis(1));
    assert!(!pair.b.session.is_closed());
    pair.drive(Duration::from_millis(1));
    let stalled = SessionError::Fragment(FragmentError::Stalled);
    assert!(matches!(pair.b.event(), Event::Failed(error) if error == stalled));
    assert!(pair.b.session.is_closed());
}

#[test]
fn an_owner_that_takes_nothing_is_no_fault_of_the_peer() {
    let config = Config {
        window: MIN_WINDOW,
        ..Config::default()
    };
    let mut pair = Pair::native_with(Config::default(), config.clone()).served(&[7]);
    pair.b.stuck = true;
    pair.a.session.cast(cast(7)).unwrap();
    pair.a.session.cast(numbered(7, 1, 500_000)).unwrap();
    pair.drive(config.reassembly_timeout * 3);
    assert!(!pair.b.session.is_closed());
    pair.b.stuck = false;
    pair.drive(Duration::from_secs(2));
    assert_eq!(pair.b.casts().len(), 2);
}

#[test]
fn whose_sender_closes_leaves_nothing_behind() {
    let mut pair = native();
    pair.capacity = FRAGMENT_THRESHOLD;
    pair.a.session.cast(numbered(7, 1, 1_000_000)).unwrap();
    pair.drive(LATENCY * 3);
    pair.lose_link();
    let unsent = pair.a.events();
    assert!(
        matches!(unsent[..], [Event::Unsent { casts: 1, calls: 0, replies: 0, bytes }]
        if (1..1_000_000).contains(&bytes))
    );
    assert!(pair.b.casts().is_empty());
    assert_eq!(pair.b.session.poll_timeout(), None);
}

proptest! {
    #[test]
    fn cuts_and_flips_never_make_another_message(
        len in 100..3000usize,
        cut in 1..3000usize,
        flip in proptest::option::of((0..3000usize, 0..8u32)),
    ) {
        let mut pair = native();
        let sent = numbered(7, 1, len);
        let mut body = NetworkMessage::from(sent.clone()).encode_to_vec();
        let total = body.len() as u64;
        if let Some((at, bit)) = flip {
            let at = at % body.len();
            body[at] ^= 1 << bit;
        }
        let cut = cut % body.len();
        let result = match cut {
            0 => pair.inject(fragment(1, 0, total, &body)),
            cut => pair
                .inject(fragment(1, 0, total, &body[..cut]))
                .and_then(|()| pair.inject(fragment(1, cut as u64, 0, &body[cut..]))),
        };
        pair.b.session.check_invariants();
        if flip.is_none() {
            prop_assert!(result.is_ok());
            prop_assert_eq!(pair.b.casts(), vec![sent]);
        } else {
            prop_assert_eq!(result.is_err(), pair.b.session.is_closed());
        }
    }
}

/// Longest message that may go in one piece.
const LONGEST_WHOLE: usize = FRAGMENT_THRESHOLD + AROUND_PAYLOAD_LEN;

#[test]
fn a_payload_of_the_threshold_goes_whole_where_the_peer_has_room_for_what_is_around_it() {
    let small_window = Config {
        window: MIN_WINDOW,
        ..Config::default()
    };
    let small_frames = Config {
        max_frame_len: FRAGMENT_THRESHOLD as u64,
        ..Config::default()
    };
    for (config, expected) in [
        (Config::default(), &["cast", "fragment", "fragment"][..]),
        (small_window, &["fragment"; 4]),
        (small_frames, &["fragment"; 4]),
    ] {
        let mut pair = Pair::native_with(Config::default(), config).served(&[7]);
        let around = NetworkMessage::from(numbered(7, 1, FRAGMENT_THRESHOLD)).encoded_len();
        let longer = 2 * FRAGMENT_THRESHOLD + AROUND_PAYLOAD_LEN + 1 - around;
        for (number, len) in [(1, FRAGMENT_THRESHOLD), (2, longer)] {
            pair.a.session.cast(numbered(7, number, len)).unwrap();
        }
        pair.drive(Duration::from_secs(1));
        let mut sent = kinds(&pair.a.sent);
        sent.retain(|kind| ["cast", "fragment"].contains(kind));
        assert_eq!(sent, expected);
        let numbers: Vec<_> = pair
            .b
            .casts()
            .iter()
            .map(|cast| number(&cast.what))
            .collect();
        assert_eq!(numbers, [1, 2]);
    }
}
