//! What a peer must not do on channels, and that it costs it the link, and this side nothing.

use super::*;

fn open(number: u64, name: &str) -> native::ChannelOpen {
    native::ChannelOpen {
        number,
        name: name.to_owned(),
        max_message_len: 1000,
        window: 2 * 1000 + 256 * 1024,
    }
}

fn data(number: u64, len: usize, more: bool) -> native::ChannelData {
    let data = vec![7; len].into();
    native::ChannelData { number, data, more }
}

#[test]
fn channels_that_were_not_agreed_on_end_the_link() {
    let others = Capabilities::from_bits(Capabilities::ALL.bits() & !Capabilities::CHANNELS.bits());
    let messages: [(NetworkMessage, &str); 4] = [
        (open(1, NAME).into(), "channel open"),
        (data(1, 10, false).into(), "channel data"),
        (native::ChannelCredit::default().into(), "channel credit"),
        (native::ChannelClose::default().into(), "channel close"),
    ];
    for (message, kind) in messages {
        let config = Config::default;
        for mut pair in [Pair::new(), Pair::capable_of(others, config(), config())] {
            let result = pair.inject(message.clone());
            assert_eq!(result, Err(SessionError::NotNegotiated { kind }));
            assert!(pair.b.session.is_closed());
        }
    }
}

#[test]
fn openings_are_checked() {
    let long = "n".repeat(65);
    let cases = [
        (open(1, ""), ChannelFault::InvalidName),
        (open(1, &long), ChannelFault::InvalidName),
        (open(0, NAME), ChannelFault::NumberReused),
        (
            native::ChannelOpen {
                max_message_len: 0,
                ..open(1, NAME)
            },
            ChannelFault::InvalidLimits,
        ),
        (
            native::ChannelOpen {
                max_message_len: 64 * 1024 * 1024 + 1,
                window: u64::MAX,
                ..open(1, NAME)
            },
            ChannelFault::InvalidLimits,
        ),
        (
            native::ChannelOpen {
                window: 2 * 1000 + 256 * 1024 - 1,
                ..open(1, NAME)
            },
            ChannelFault::InvalidLimits,
        ),
    ];
    for (open, fault) in cases {
        let mut pair = Pair::native();
        assert_eq!(pair.inject(open), Err(SessionError::Channel(fault)));
    }
    for (second, fault) in [
        (open(5, "other"), ChannelFault::NumberReused),
        (open(4, "other"), ChannelFault::NumberReused),
        (open(6, NAME), ChannelFault::NameInUse),
    ] {
        let mut pair = Pair::native();
        pair.inject(open(5, NAME)).unwrap();
        assert_eq!(pair.inject(second), Err(SessionError::Channel(fault)));
    }
    let mut pair = Pair::native();
    for number in 1..=16 {
        pair.inject(open(number, &number.to_string())).unwrap();
    }
    // One that it has closed makes room.
    pair.inject(native::ChannelClose { number: 3 }).unwrap();
    pair.inject(open(17, "17")).unwrap();
    let fault = ChannelFault::TooMany { limit: 16 };
    assert_eq!(pair.inject(open(18, "18")), Err(fault.into()));
}

#[test]
fn numbers_that_never_were_end_the_link_and_those_that_were_do_not() {
    let (mut pair, _, to_a) = talking();
    let unknown: [NetworkMessage; 5] = [
        data(2, 10, false).into(),
        data(0, 10, false).into(),
        native::ChannelCredit {
            number: 2,
            bytes: 1,
        }
        .into(),
        native::ChannelCredit::default().into(),
        native::ChannelClose { number: 2 }.into(),
    ];
    for message in unknown {
        let (mut pair, ..) = talking();
        let fault = ChannelFault::Unknown;
        assert_eq!(pair.inject(message), Err(fault.into()));
    }
    pair.b.session.close_channel(to_a);
    for _ in 0..1000 {
        pair.inject(data(1, 1000, false)).unwrap();
    }
    assert!(
        pair.b
            .events()
            .iter()
            .all(|event| { matches!(event, Event::Skipped(Skipped::ChannelClosed)) })
    );
    pair.inject(native::ChannelClose { number: 1 }).unwrap();
    pair.inject(native::ChannelClose { number: 1 }).unwrap();
    let number = 1;
    let late = native::ChannelCredit { number, bytes: 1 };
    pair.inject(late).unwrap();
    assert!(pair.b.events().is_empty());
}

#[test]
fn who_has_not_opened_an_end_says_nothing_on_it() {
    let mut pair = Pair::native();
    let config = ChannelConfig::default();
    pair.b.session.open_channel(NAME, config).unwrap();
    pair.settle();
    let fault = SessionError::Channel(ChannelFault::NotOpen);
    assert_eq!(pair.inject(data(1, 10, false)), Err(fault));

    let (mut pair, ..) = talking();
    pair.inject(native::ChannelClose { number: 1 }).unwrap();
    assert_eq!(pair.inject(data(1, 10, false)), Err(fault));
}

#[test]
fn a_message_above_the_limit_ends_the_link_in_however_many_pieces() {
    let config = ChannelConfig {
        max_message_len: 1000,
        ..ChannelConfig::default()
    };
    let fault = SessionError::Channel(ChannelFault::TooLong { limit: 1000 });
    let (mut pair, ..) = talking_with(config, config);
    pair.inject(data(1, 1000, false)).unwrap();
    assert_eq!(pair.inject(data(1, 1001, false)), Err(fault));
    let (mut pair, ..) = talking_with(config, config);
    pair.inject(data(1, 600, true)).unwrap();
    pair.inject(data(1, 400, true)).unwrap();
    assert_eq!(pair.inject(data(1, 1, true)), Err(fault));
    let (mut pair, ..) = talking_with(config, config);
    let empty = SessionError::Channel(ChannelFault::Empty);
    assert_eq!(pair.inject(data(1, 0, true)), Err(empty));
}

#[test]
fn a_flood_is_bounded_by_the_window_however_short_its_messages() {
    for len in [0, 1, 100, 5_000] {
        let config = ChannelConfig {
            max_message_len: 5_000,
            window: 300_000,
            ..ChannelConfig::default()
        };
        let (mut pair, ..) = talking_with(config, config);
        let cost = (len + 8).max(64);
        let window = config.window;
        let fits = window as usize / cost;
        for _ in 0..fits {
            pair.inject(data(1, len, false)).unwrap();
        }
        assert_eq!(pair.b.events().len(), fits);
        let exceeded = SessionError::CreditExceeded { window };
        assert_eq!(pair.inject(data(1, len, false)), Err(exceeded));
        // Pieces that never become a message are bounded all the same.
        let (mut pair, ..) = talking_with(config, config);
        let mut pieces = 0;
        while pair.inject(data(1, 1, true)).is_ok() {
            pieces += 1;
        }
        assert!(pieces <= window / 64);
    }
}

#[test]
fn credit_without_end_overflows_nothing() {
    let (mut pair, _, to_a) = talking();
    for _ in 0..3 {
        let bytes = u64::MAX;
        let credit = native::ChannelCredit { number: 1, bytes };
        pair.inject(credit).unwrap();
    }
    pair.b.session.send_on_channel(to_a, message(1, 9)).unwrap();
    pair.settle();
    assert_eq!(heard(&mut pair, Side::A), [message(1, 9)]);
    // Nor does an owner that gives back what it never had.
    pair.b.session.taken_from_channel(to_a, u64::MAX);
    pair.drain();
}

#[test]
fn opening_and_closing_for_ever_leaves_nothing_behind() {
    let (mut pair, _, to_a) = talking();
    for number in 2..2000 {
        pair.inject(native::ChannelClose { number: number - 1 })
            .unwrap();
        pair.inject(open(number, NAME)).unwrap();
        pair.inject(data(1, 500, true)).unwrap();
    }
    let events = pair.b.events();
    assert_eq!(events.len(), 2 * 1998);
    assert!(pair.b.session.is_channel_up(to_a));
    // What was begun and never ended has been granted again.
    pair.inject(data(1, 500, false)).unwrap();
    assert!(matches!(pair.b.event(), Event::ChannelMessage { data, .. } if data.len() == 1000));
}
