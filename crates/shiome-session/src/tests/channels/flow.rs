//! Windows, queues and turns.

use super::*;

const MIB: usize = 1024 * 1024;

fn wide() -> ChannelConfig {
    ChannelConfig {
        max_queued: usize::MAX,
        ..ChannelConfig::default()
    }
}

/// Bytes of channels among messages.
fn channel_len(messages: &[NetworkMessage]) -> usize {
    let data = messages.iter().filter(|m| m.kind() == "channel data");
    data.map(prost::Message::encoded_len).sum()
}

#[test]
fn no_more_than_the_window_goes_to_a_program_that_takes_nothing() {
    let (mut pair, to_b, to_a) = talking_with(wide(), wide());
    for number in 0..20 {
        let what = message(number, MIB / 2);
        pair.a.session.send_on_channel(to_b, what).unwrap();
    }
    pair.drive(Duration::from_secs(60));
    let window = wide().window as usize;
    let sent = channel_len(&pair.a.sent);
    assert!(sent <= window + 64 * 64 && sent > window - FRAGMENT_THRESHOLD);
    // Neither side takes the other for dead, nor the link for stuck.
    assert!(pair.a.events().is_empty() && !pair.a.session.has_transmits());
    let mut count = 0;
    while pair.b.session.is_channel_up(to_a) && count < 20 {
        let heard = heard(&mut pair, Side::B);
        assert!(!heard.is_empty(), "{count}");
        count += heard.len();
        pair.settle();
    }
    assert_eq!(count, 20);
}

#[test]
fn a_full_queue_refuses_and_tells_when_there_is_room() {
    let config = ChannelConfig {
        max_queued: 100_000,
        ..ChannelConfig::default()
    };
    let (mut pair, to_b, _) = talking_with(config, config);
    let session = &mut pair.a.session;
    // One finds room, however long.
    session.send_on_channel(to_b, message(0, MIB)).unwrap();
    let refused = session.send_on_channel(to_b, message(1, 4));
    let queued = session.channel_queued_len(to_b);
    assert_eq!(refused, Err(ChannelError::Full { queued }));
    assert_eq!(queued, MIB + 64);
    pair.settle();
    assert!(matches!(pair.a.event(), Event::ChannelRoom { channel } if channel == to_b));
    assert_eq!(pair.a.session.channel_queued_len(to_b), 0);
    // Nobody is told who was not refused.
    pair.a.session.send_on_channel(to_b, message(1, 4)).unwrap();
    pair.settle();
    assert!(pair.a.events().is_empty());
    // The queue is bounded by its messages, too, however short.
    let mut count = 0;
    while pair.a.session.send_on_channel(to_b, Bytes::new()).is_ok() {
        count += 1;
    }
    assert_eq!(count, 100_000 / 64);
}

#[test]
fn a_channel_that_nobody_reads_holds_up_neither_actors_nor_other_channels() {
    let (mut pair, to_b, _) = talking_with(wide(), wide());
    let other = pair.a.session.open_channel("other", wide()).unwrap();
    pair.b.session.open_channel("other", wide()).unwrap();
    pair.settle();
    pair.b.events.clear();
    for number in 0..20 {
        let what = message(number, MIB);
        pair.a.session.send_on_channel(to_b, what).unwrap();
    }
    pair.drive(Duration::from_secs(1));
    pair.b.events.clear();
    pair.a
        .session
        .send_on_channel(other, message(9, 9))
        .unwrap();
    for number in 0..100 {
        pair.a.session.cast(numbered(7, number, 100_000)).unwrap();
    }
    pair.call(7, None, 1);
    pair.drive(Duration::from_secs(5));
    let events = pair.b.events();
    let count = |wanted: fn(&Event<Handle>) -> bool| events.iter().filter(|e| wanted(e)).count();
    assert_eq!(count(|event| matches!(event, Event::Cast(_))), 100);
    assert_eq!(count(|event| matches!(event, Event::Call(_))), 1);
    assert_eq!(
        count(|event| matches!(event, Event::ChannelMessage { .. })),
        1
    );
}

#[test]
fn casts_that_nobody_takes_do_not_hold_up_channels() {
    let window = MIN_WINDOW;
    let tight = Config {
        window,
        ..Config::default()
    };
    let mut pair = Pair::native_with(tight.clone(), tight).served(&[7]);
    let to_b = pair.a.session.open_channel(NAME, wide()).unwrap();
    pair.b.session.open_channel(NAME, wide()).unwrap();
    pair.settle();
    pair.b.stuck = true;
    for number in 0..10 {
        pair.a.session.cast(numbered(7, number, 60_000)).unwrap();
    }
    pair.a
        .session
        .send_on_channel(to_b, message(1, MIB))
        .unwrap();
    pair.drive(Duration::from_secs(1));
    assert_eq!(pair.a.session.channel_queued_len(to_b), 0);
    assert!(pair.a.session.queued_len() > 0);
}

#[test]
fn what_is_more_urgent_goes_before_pieces_and_calls_do_too() {
    let (mut pair, to_b, _) = talking_with(wide(), wide());
    pair.a
        .session
        .send_on_channel(to_b, message(1, MIB))
        .unwrap();
    pair.call(7, None, 1);
    pair.a.session.announce([actor(9)]);
    let sent = polled(&mut pair.a.session);
    assert_eq!(kinds(&sent)[..3], ["spawn", "call", "channel data"]);
}

#[test]
fn bulk_and_channels_share_the_link_by_bytes() {
    for cast_len in [100, 5_000, 60_000, 500_000] {
        let (mut pair, to_b, _) = talking_with(wide(), wide());
        let session = &mut pair.a.session;
        for number in 0..(3 * MIB / cast_len) as u32 {
            session.cast(numbered(7, number, cast_len)).unwrap();
        }
        for number in 0..3 {
            session.send_on_channel(to_b, message(number, MIB)).unwrap();
        }
        let (mut bulk, mut channel) = (0i64, 0i64);
        while bulk < MIB as i64 && channel < MIB as i64 {
            let message = session.poll_transmit().unwrap();
            let len = prost::Message::encoded_len(&message) as i64;
            match message.kind() {
                "channel data" => channel += len,
                _ => bulk += len,
            }
            let lead = (bulk - channel).abs();
            assert!(lead <= 3 * FRAGMENT_THRESHOLD as i64, "{cast_len}: {lead}");
        }
    }
}

#[test]
fn channels_have_their_turns_a_piece_at_a_time() {
    let mut pair = Pair::native();
    let names = ["x", "y", "z"];
    let a = names.map(|name| pair.a.session.open_channel(name, wide()).unwrap());
    for name in names {
        pair.b.session.open_channel(name, wide()).unwrap();
    }
    pair.settle();
    for channel in a {
        let what = message(0, 300_000);
        pair.a.session.send_on_channel(channel, what).unwrap();
    }
    let sent = polled(&mut pair.a.session);
    let numbers = sent.into_iter().map(|message| match message.into_native() {
        Some(native::native_message::Msg::ChannelData(data)) => data.number,
        other => panic!("{other:?}"),
    });
    let numbers: Vec<_> = numbers.collect();
    assert_eq!(numbers.len(), 15);
    assert!(
        numbers.chunks(3).all(|turn| turn == [1, 2, 3]),
        "{numbers:?}"
    );
}
