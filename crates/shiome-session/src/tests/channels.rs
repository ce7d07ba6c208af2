//! What programs say to each other beside their actors.

use super::*;

mod flow;
mod hostile;
mod random;
mod recorded;

const NAME: &str = "talk";

/// Two native sessions with a channel that is up; `a` has announced actor 7 too. Events so far are gone.
fn talking() -> (Pair, ChannelId, ChannelId) {
    talking_with(ChannelConfig::default(), ChannelConfig::default())
}

fn talking_with(a: ChannelConfig, b: ChannelConfig) -> (Pair, ChannelId, ChannelId) {
    let mut pair = Pair::native().served(&[7]);
    let to_b = pair.a.session.open_channel(NAME, a).unwrap();
    let to_a = pair.b.session.open_channel(NAME, b).unwrap();
    pair.settle();
    pair.a.events.clear();
    pair.b.events.clear();
    (pair, to_b, to_a)
}

/// A message of that length, which begins with its number.
fn message(number: u32, len: usize) -> Bytes {
    numbered(0, number, len).what
}

/// What has come on channels, taken by the owner.
fn heard(pair: &mut Pair, side: Side) -> Vec<Bytes> {
    let end = pair.end(side);
    let mut messages = Vec::new();
    for event in end.events() {
        match event {
            Event::ChannelMessage {
                channel,
                data,
                cost,
            } => {
                end.session.taken_from_channel(channel, cost);
                messages.push(data);
            }
            other => panic!("{other:?}"),
        }
    }
    pair.drain();
    messages
}

fn is_channel(message: &NetworkMessage) -> bool {
    message.kind().starts_with("channel")
}

#[test]
fn a_channel_is_up_when_both_have_opened_it_in_whatever_order() {
    for first in [Side::A, Side::B] {
        let mut pair = Pair::native();
        let config = ChannelConfig::default();
        let one = pair.end(first).session.open_channel(NAME, config).unwrap();
        pair.settle();
        assert!(pair.a.events().is_empty() && pair.b.events().is_empty());
        let session = &mut pair.end(first).session;
        assert!(!session.is_channel_up(one));
        let sent = session.send_on_channel(one, message(1, 4));
        assert_eq!(sent, Err(ChannelError::NotOpen));
        let other = pair.end(first.other()).session.open_channel(NAME, config);
        // The second is up at once, and may speak.
        let other = other.unwrap();
        let session = &mut pair.end(first.other()).session;
        session.send_on_channel(other, message(2, 4)).unwrap();
        pair.settle();
        for (side, channel) in [(first, one), (first.other(), other)] {
            let up = &pair.end(side).events[0];
            assert!(
                matches!(up, Event::ChannelUp { channel: of, max_message_len }
                    if *of == channel && *max_message_len == config.max_message_len),
                "{up:?}"
            );
        }
        pair.end(first).events.remove(0);
        assert_eq!(heard(&mut pair, first), [message(2, 4)]);
    }
}

#[test]
fn channels_of_other_names_have_nothing_to_do_with_each_other() {
    let mut pair = Pair::native();
    let config = ChannelConfig::default();
    let a = ["x", "y", "z"].map(|name| pair.a.session.open_channel(name, config).unwrap());
    let b = ["w", "z", "y"].map(|name| pair.b.session.open_channel(name, config).unwrap());
    pair.settle();
    pair.a.events.clear();
    pair.b.events.clear();
    let sent = pair.a.session.send_on_channel(a[0], message(0, 4));
    assert_eq!(sent, Err(ChannelError::NotOpen));
    pair.a.session.send_on_channel(a[1], message(1, 4)).unwrap();
    pair.a.session.send_on_channel(a[2], message(2, 4)).unwrap();
    pair.settle();
    let got = pair.b.events().into_iter().map(|event| match event {
        Event::ChannelMessage { channel, data, .. } => (channel, number(&data)),
        other => panic!("{other:?}"),
    });
    assert_eq!(got.collect::<Vec<_>>(), [(b[2], 1), (b[1], 2)]);
}

#[test]
fn messages_of_any_length_arrive_whole_and_in_order_both_ways() {
    let config = ChannelConfig {
        max_message_len: 3_000_000,
        max_queued: usize::MAX,
        ..ChannelConfig::default()
    };
    let (mut pair, to_b, to_a) = talking_with(config, config);
    let piece = FRAGMENT_THRESHOLD - 64;
    let lens = [
        4,
        piece - 1,
        piece,
        piece + 1,
        5 * piece,
        3_000_000,
        4,
        999_999,
    ];
    for (number, len) in lens.into_iter().enumerate() {
        let what = message(number as u32, len);
        pair.a.session.send_on_channel(to_b, what.clone()).unwrap();
        pair.b.session.send_on_channel(to_a, what).unwrap();
    }
    let empty = Bytes::new();
    pair.a.session.send_on_channel(to_b, empty.clone()).unwrap();
    let mut got = [Vec::new(), Vec::new()];
    for _ in 0..40 {
        pair.settle();
        got[0].extend(heard(&mut pair, Side::B));
        got[1].extend(heard(&mut pair, Side::A));
    }
    assert_eq!(got[0].pop(), Some(empty));
    for got in got {
        assert_eq!(got.len(), lens.len());
        for (number, (got, len)) in got.iter().zip(lens).enumerate() {
            assert_eq!(*got, message(number as u32, len), "{len}");
        }
    }
    let longest = pair.a.sent.iter().filter(|m| is_channel(m));
    let longest = longest.map(prost::Message::encoded_len).max().unwrap();
    assert!((piece..=FRAGMENT_THRESHOLD).contains(&longest), "{longest}");
}

#[test]
fn a_peer_that_has_not_agreed_to_channels_never_gets_a_byte_of_them() {
    let others = Capabilities::from_bits(Capabilities::ALL.bits() & !Capabilities::CHANNELS.bits());
    let config = Config::default;
    for mut pair in [
        Pair::serving(&[7]),
        Pair::capable_of(others, config(), config()).served(&[7]),
    ] {
        let session = &mut pair.a.session;
        let opened = session.open_channel(NAME, ChannelConfig::default());
        assert_eq!(opened, Err(ChannelError::NotNegotiated));
        // Made up numbers lead nowhere either.
        let channel = ChannelId(1);
        let sent = session.send_on_channel(channel, message(1, 4));
        assert_eq!(sent, Err(ChannelError::NotOpen));
        session.taken_from_channel(channel, 1 << 40);
        session.close_channel(channel);
        session.cast(cast(7)).unwrap();
        pair.drive(Duration::from_secs(10));
        assert_eq!(pair.b.casts().len(), 1);
        assert!(!pair.a.sent.iter().any(is_channel), "{:?}", pair.a.sent);
    }
}

#[test]
fn what_a_program_asks_for_has_limits() {
    let mut pair = Pair::native();
    let session = &mut pair.a.session;
    let config = ChannelConfig::default();
    for name in [String::new(), "n".repeat(65)] {
        let opened = session.open_channel(&name, config);
        assert_eq!(opened, Err(ChannelError::InvalidName));
    }
    for number in 0..16 {
        session.open_channel(&format!("{number}"), config).unwrap();
    }
    assert_eq!(
        session.open_channel("3", config),
        Err(ChannelError::NameInUse)
    );
    let limit = 16;
    let one_more = session.open_channel("more", config);
    assert_eq!(one_more, Err(ChannelError::TooMany { limit }));
    session.goodbye(GoodbyeReason::Closed, "");
    assert_eq!(
        session.open_channel("late", config),
        Err(ChannelError::Closed)
    );

    let (mut pair, to_b, _) = talking();
    let session = &mut pair.a.session;
    let limit = config.max_message_len;
    let long = session.send_on_channel(to_b, vec![0; limit as usize + 1].into());
    let len = limit + 1;
    assert_eq!(long, Err(ChannelError::TooLong { len, limit }));
    session.close();
    let closed = session.send_on_channel(to_b, message(1, 4));
    assert_eq!(closed, Err(ChannelError::Closed));
}

#[test]
fn a_closed_channel_is_down_there_and_can_be_opened_again() {
    let (mut pair, to_b, to_a) = talking();
    // Half a message is on its way, and something from the other side.
    let long = message(1, 4 * FRAGMENT_THRESHOLD);
    pair.a.session.send_on_channel(to_b, long).unwrap();
    pair.capacity = 1;
    pair.drain();
    pair.b.session.send_on_channel(to_a, message(2, 4)).unwrap();
    pair.a.session.close_channel(to_b);
    pair.a.session.close_channel(to_b);
    let sent = pair.a.session.send_on_channel(to_b, message(3, 4));
    assert_eq!(sent, Err(ChannelError::NotOpen));
    pair.capacity = usize::MAX;
    pair.settle();
    assert!(
        matches!(pair.a.event(), Event::Skipped(Skipped::ChannelClosed)),
        "what came late is nobody's"
    );
    assert!(matches!(pair.b.event(), Event::ChannelDown { channel } if channel == to_a));
    assert!(!pair.b.session.is_channel_up(to_a));
    let sent = pair.b.session.send_on_channel(to_a, message(4, 4));
    assert_eq!(sent, Err(ChannelError::NotOpen));

    let config = ChannelConfig::default();
    let again = pair.a.session.open_channel(NAME, config).unwrap();
    assert_ne!(again, to_b);
    let short = message(5, 5);
    pair.a
        .session
        .send_on_channel(again, short.clone())
        .unwrap();
    pair.settle();
    assert!(matches!(pair.a.event(), Event::ChannelUp { channel, .. } if channel == again));
    let up = pair.b.events.remove(0);
    assert!(matches!(up, Event::ChannelUp { channel, .. } if channel == to_a));
    assert_eq!(heard(&mut pair, Side::B), [short], "nothing of before");
}

#[test]
fn what_may_go_goes_before_goodbye_and_what_must_wait_is_not_waited_for() {
    let config = ChannelConfig {
        max_queued: usize::MAX,
        ..ChannelConfig::default()
    };
    let (mut pair, to_b, _) = talking_with(config, config);
    for number in 0..5 {
        let what = message(number, 1024 * 1024);
        pair.a.session.send_on_channel(to_b, what).unwrap();
    }
    pair.a.session.goodbye(GoodbyeReason::Closed, "");
    let sent = polled(&mut pair.a.session);
    assert!(pair.a.session.is_drained());
    let (last, before) = sent.split_last().unwrap();
    assert_eq!(last.kind(), "goodbye");
    let bytes: usize = before.iter().map(prost::Message::encoded_len).sum();
    let window = config.window as usize;
    assert!(bytes > window - FRAGMENT_THRESHOLD && bytes < window + FRAGMENT_THRESHOLD);
    pair.a.session.close();
    assert!(
        pair.a.events().is_empty(),
        "nothing of channels is unsent mail"
    );
}
