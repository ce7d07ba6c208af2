//! The bytes of channels in version 1, as `native-channels-1.txt` keeps them: each frame, with who sent it.
//!
//! Later releases have to get along with these bytes for as long as they speak version 1.

use super::*;

const RECORDED: &str = include_str!("../native-channels-1.txt");

#[test]
fn the_bytes_of_channels_are_what_they_were() {
    let mut pair = Pair::native();
    let small = ChannelConfig {
        max_message_len: 100_000,
        window: 0,
        ..ChannelConfig::default()
    };
    let to_b = pair.a.session.open_channel("talk", small).unwrap();
    pair.settle();
    let config = ChannelConfig::default();
    let other = pair.b.session.open_channel("other", config).unwrap();
    let to_a = pair.b.session.open_channel("talk", config).unwrap();
    pair.settle();
    pair.a.events.clear();
    pair.b.events.clear();
    let short = Bytes::from_static(b"hello");
    pair.a.session.send_on_channel(to_b, short.clone()).unwrap();
    pair.b.session.send_on_channel(to_a, short).unwrap();
    let empty = Bytes::new();
    pair.a.session.send_on_channel(to_b, empty).unwrap();
    for number in 0..3 {
        let long = message(number, 100_000);
        pair.b.session.send_on_channel(to_a, long).unwrap();
        pair.settle();
        heard(&mut pair, Side::A);
        heard(&mut pair, Side::B);
    }
    pair.b.session.close_channel(other);
    pair.a.session.close_channel(to_b);
    pair.settle();
    let lines = |name: char, sent: &[NetworkMessage]| {
        let lines: Vec<_> = sent.iter().map(|message| line(name, message)).collect();
        lines
    };
    let said = [lines('a', &pair.a.sent), lines('b', &pair.b.sent)].concat();
    let recorded: Vec<_> = RECORDED.lines().collect();
    assert_eq!(said, recorded, "{}", said.join("\n"));
}

/// What is long is cut: its head, its length and a checksum are enough.
fn line(name: char, message: &NetworkMessage) -> String {
    let mut frame = BytesMut::new();
    encode(message, MAX_FRAME_LEN, &mut frame).unwrap();
    if frame.len() <= 1024 {
        return format!("{name} {}", hex::encode(&frame));
    }
    let sum = frame.iter().fold(0u64, |sum, byte| {
        sum.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte)
    });
    let (head, len) = (hex::encode(&frame[..32]), frame.len());
    format!("{name} {head}.. {len} bytes, {sum:016x}")
}
