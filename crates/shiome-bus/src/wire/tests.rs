use proptest::{collection::vec, option, prelude::*};

use super::*;
use crate::{
    Envelope, Incarnation, Intent, Level, MAX_NUMBER, MessageId, Name, Payload, PeerId, Priority,
};

fn peer(text: &str) -> PeerId {
    PeerId::new(text).unwrap()
}

fn incarnation(number: u64) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn envelope(payload: &str) -> Envelope {
    let id = MessageId {
        incarnation: incarnation(1_763_112_345_678_901),
        seq: 42,
    };
    let intent = Intent::of(
        Name::any("chat.message").unwrap(),
        Payload::from_text(payload).unwrap(),
    );
    Envelope {
        sent_at: 1_763_112_349_000,
        ..Envelope::new(id, peer("alice"), peer("bob"), intent)
    }
}

fn message(encoding: Encoding, frames: &[Frame]) -> Message {
    let mut batch = Batch::new(encoding);
    for frame in frames {
        batch.push(frame);
    }
    batch.finish()
}

fn text(text: &str) -> Message {
    Message::Text(Bytes::copy_from_slice(text.as_bytes()))
}

fn decoded_text(message: &str) -> Result<Vec<Frame>, WireError> {
    decode(&text(message))
}

fn any_number() -> impl Strategy<Value = u64> {
    prop_oneof![0..=300_u64, 0..=MAX_NUMBER, Just(MAX_NUMBER)]
}

fn any_peer() -> impl Strategy<Value = PeerId> {
    "[A-Za-z0-9._~@-]{1,128}".prop_map(|id| peer(&id))
}

fn any_incarnation() -> impl Strategy<Value = Incarnation> {
    any_number().prop_map(incarnation)
}

fn any_message_id() -> impl Strategy<Value = MessageId> {
    (any_incarnation(), any_number()).prop_map(|(incarnation, seq)| MessageId { incarnation, seq })
}

fn any_payload() -> impl Strategy<Value = Payload> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        ".{0,20}".prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(4, 20, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(serde_json::Value::Array),
            vec((".{0,5}", inner), 0..5)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    });
    value.prop_map(Payload::from)
}

fn any_envelope() -> impl Strategy<Value = Envelope> {
    let level = prop::sample::select(vec![
        Level::Accepted,
        Level::Received,
        Level::Handled,
        Level::Answered,
    ]);
    let priority = prop::sample::select(Priority::ALL.to_vec());
    let name = r#"[^.*> \s\p{C}]{1,10}(\.["\\a-zé]{1,10}){0,3}"#;
    (
        (
            any_message_id(),
            any_peer(),
            any_peer(),
            name,
            any_payload(),
        ),
        (
            any_number(),
            option::of(any_message_id()),
            0..=8_u8,
            level,
            priority,
        ),
    )
        .prop_map(
            |((id, from, to, name, payload), (sent_at, reply_to, hops, level, priority))| {
                Envelope {
                    id,
                    from,
                    to,
                    intent: Intent::of(Name::any(&name).unwrap(), payload),
                    sent_at,
                    reply_to,
                    hops,
                    level,
                    priority,
                }
            },
        )
}

fn any_reason() -> impl Strategy<Value = CloseReason> {
    (0..=9_u16).prop_map(|number| CloseReason::of_code(4100 + number))
}

/// Those that have both forms.
fn any_frame() -> impl Strategy<Value = Frame> {
    let presence = (
        any::<(bool, bool, bool)>(),
        vec((any_peer(), any_incarnation()), 0..5),
        vec(any_peer(), 0..5),
    );
    prop_oneof![
        4 => any_envelope().prop_map(Frame::Envelope),
        1 => any_number().prop_map(|received| Frame::Ack { received }),
        1 => any_number().prop_map(|nonce| Frame::Ping { nonce }),
        1 => any_number().prop_map(|nonce| Frame::Pong { nonce }),
        1 => presence.prop_map(|((all, partial, more), present, absent)| {
            Frame::Presence(Presence { all, partial, more, present, absent })
        }),
        1 => (any_reason(), ".{0,20}").prop_map(|(reason, detail)| {
            Frame::Goodbye(Goodbye { reason, detail })
        }),
        1 => (any_reason(), option::of(any_peer()), option::of(0..MAX_NUMBER), ".{0,20}")
            .prop_map(|(reason, id, retry_ms, detail)| {
                Frame::Refused(Refused { reason, id, retry_ms, detail })
            }),
    ]
}

fn any_secret() -> impl Strategy<Value = Secret> {
    ".{0,16}".prop_map(Secret::new)
}

fn any_hello() -> impl Strategy<Value = Hello> {
    (
        (
            any_peer(),
            any_incarnation(),
            option::of(any_secret()),
            option::of(any_secret()),
        ),
        (
            option::of(any_number()),
            any::<bool>(),
            MIN_MAX_MESSAGE_LEN..MAX_NUMBER,
            any_number(),
        ),
    )
        .prop_map(
            |((id, incarnation, token, reclaim), (received, binary, max_message, heartbeat_ms))| {
                let mut encodings = vec![Encoding::Json];
                if binary {
                    encodings.insert(0, Encoding::Binary);
                }
                Hello {
                    version: VERSION,
                    id,
                    incarnation,
                    token,
                    reclaim,
                    received,
                    encodings,
                    max_message,
                    heartbeat_ms,
                }
            },
        )
}

fn any_welcome() -> impl Strategy<Value = Welcome> {
    (
        (
            any_peer(),
            any_incarnation(),
            any::<(bool, bool, bool)>(),
            any::<bool>(),
            any_secret(),
        ),
        (
            any_number(),
            MIN_MAX_MESSAGE_LEN..MAX_NUMBER,
            any_number(),
            any_number(),
        ),
    )
        .prop_map(
            |(
                (id, incarnation, flags, binary, reclaim),
                (received, max_message, heartbeat_ms, grace_ms),
            )| {
                Welcome {
                    version: VERSION,
                    id,
                    incarnation,
                    relay: flags.0,
                    gateway: flags.1,
                    encoding: if binary {
                        Encoding::Binary
                    } else {
                        Encoding::Json
                    },
                    reclaim,
                    resumed: flags.2,
                    received,
                    max_message,
                    heartbeat_ms,
                    grace_ms,
                }
            },
        )
}

proptest! {
    #[test]
    fn frames_survive_in_both_forms(frames in vec(any_frame(), 0..6)) {
        for encoding in [Encoding::Json, Encoding::Binary] {
            let message = message(encoding, &frames);
            prop_assert_eq!(decode(&message).unwrap(), &frames[..]);
        }
    }

    #[test]
    fn the_length_of_an_envelope_is_known_before(envelope in any_envelope()) {
        let bound = max_envelope_len(&envelope);
        let frames = [Frame::Envelope(envelope)];
        for encoding in [Encoding::Json, Encoding::Binary] {
            prop_assert!(message(encoding, &frames).len() <= bound);
        }
    }

    #[test]
    fn openings_survive(hello in any_hello(), welcome in any_welcome()) {
        let frames = [Frame::Hello(Box::new(hello)), Frame::Welcome(Box::new(welcome))];
        prop_assert_eq!(decode(&message(Encoding::Json, &frames)).unwrap(), &frames[..]);
    }

    #[test]
    fn a_part_of_a_message_is_an_error_or_fewer_frames(frames in vec(any_frame(), 1..4), cut: prop::sample::Index) {
        let whole = message(Encoding::Binary, &frames);
        let bytes = whole.as_bytes();
        let part = Message::Binary(Bytes::copy_from_slice(&bytes[..cut.index(bytes.len())]));
        if let Ok(some) = decode(&part) {
            prop_assert!(some.len() < frames.len());
            prop_assert_eq!(&some[..], &frames[..some.len()]);
        }
        let whole = message(Encoding::Json, &frames);
        let bytes = whole.as_bytes();
        let part = Message::Text(Bytes::copy_from_slice(&bytes[..cut.index(bytes.len())]));
        prop_assert!(decode(&part).is_err());
    }

    #[test]
    fn flipped_bits_never_panic_and_never_grow(frames in vec(any_frame(), 1..4), at: prop::sample::Index, bit in 0..8_u8) {
        for encoding in [Encoding::Json, Encoding::Binary] {
            let whole = message(encoding, &frames);
            let mut bytes = whole.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let len = bytes.len();
            let flipped = match encoding {
                Encoding::Json => Message::Text(bytes.into()),
                Encoding::Binary => Message::Binary(bytes.into()),
            };
            if let Ok(frames) = decode(&flipped) {
                prop_assert!(message(encoding, &frames).len() <= 3 * len + 64);
            }
        }
    }

    #[test]
    fn any_bytes_are_frames_or_an_error(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode(&Message::Binary(bytes.clone().into()));
        let _ = decode(&Message::Text(bytes.into()));
    }

    #[test]
    fn any_members_are_a_frame_or_an_error(
        kind in "envelope|ack|ping|presence|goodbye|refused|hello|welcome",
        members in vec(("id|from|to|name|payload|received|nonce|present|absent|reason|version|incarnation", r#"1|-1|1\.5|null|"a"|"1\.1"|\[\]|\{\}|\[\["a",1\]\]"#), 0..8),
    ) {
        let members: Vec<_> = members.iter().map(|(name, value)| format!(r#","{name}":{value}"#)).collect();
        let _ = decoded_text(&format!(r#"[{{"type":"{kind}"{}}}]"#, members.concat()));
    }
}

impl Message {
    fn len(&self) -> usize {
        self.as_bytes().len()
    }
}

#[test]
fn members_may_stand_in_any_order_and_unknown_ones_are_skipped() {
    let expected = [Frame::Envelope(envelope(r#"{"text":"hello"}"#))];
    for message in [
        r#"[{"type":"envelope","id":"1763112345678901.42","from":"alice","to":"bob","name":"chat.message","payload":{"text":"hello"},"sent_at":1763112349000}]"#,
        r#" [ { "sent_at" : 1763112349000 , "to" : "bob", "from":"\u0061lice", "payload": {"text":"hello"}, "new":{"type":"x"}, "name":"chat.message", "id":"1763112345678901.42", "type":"\u0065nvelope" } ] "#,
    ] {
        assert_eq!(decoded_text(message).unwrap(), expected);
    }
}

#[test]
fn frames_of_unknown_types_are_skipped() {
    let frames = decoded_text(
        r#"[{"type":"news","id":[1]},{"type":"ping","nonce":1},{"id":{},"type":"news"}]"#,
    );
    assert_eq!(frames.unwrap(), [Frame::Ping { nonce: 1 }]);
    let binary = Message::Binary(Bytes::from_static(&[0x7f, 2, 9, 9, 0x03, 1, 1]));
    assert_eq!(decode(&binary).unwrap(), [Frame::Ping { nonce: 1 }]);
}

#[test]
fn malformed_text_is_an_error_and_nothing_of_it_counts() {
    for message in [
        "",
        "{}",
        "[1]",
        "[[]]",
        "[{}]",
        r#"[{"type":1}]"#,
        r#"[{"type":"ping"}]"#,
        r#"[{"type":"ping","nonce":-1}]"#,
        r#"[{"type":"ping","nonce":1.5}]"#,
        r#"[{"type":"ping","nonce":9007199254740992}]"#,
        r#"[{"type":"ping","nonce":1},{"type":"ping"}]"#,
        r#"[{"type":"ping","nonce":1,"nonce":2}]"#,
        r#"[{"type":"ping","nonce":1}"#,
        r#"[{"type":"ping","nonce":1}] x"#,
        r#"[{"type":"envelope","id":"1.1","from":"a","to":"b"}]"#,
        r#"[{"type":"envelope","id":"1.1","from":"a","to":"","name":"n"}]"#,
        r#"[{"type":"envelope","id":"1.1","from":"a b","to":"b","name":"n"}]"#,
        r#"[{"type":"envelope","id":"1.1","from":"a","to":"b","name":"n..n"}]"#,
        r#"[{"type":"envelope","id":"1.01","from":"a","to":"b","name":"n"}]"#,
        r#"[{"type":"envelope","id":"1.1","from":"a","to":"b","name":"n","hops":9}]"#,
        r#"[{"type":"envelope","id":"1.1","from":"a","to":"b","name":"n","level":"twice"}]"#,
        r#"[{"type":"envelope","id":"1.1","from":"a","to":"b","name":"n","payload":"\ud800"}]"#,
        r#"[{"type":"hello","version":1,"id":"a","incarnation":1,"max_message":100}]"#,
    ] {
        assert!(decoded_text(message).is_err(), "{message}");
    }
}

#[test]
fn a_payload_cannot_write_frames_of_its_own() {
    let payload = br#"1},{"type":"goodbye","reason":"closed""#;
    let honest = message(Encoding::Binary, &[Frame::Envelope(envelope("1"))]);
    let mut forged = honest.as_bytes().to_vec();
    forged.pop();
    forged.extend_from_slice(payload);
    forged[1] += payload.len() as u8 - 1;
    assert_eq!(
        decode(&Message::Binary(forged.into())),
        Err(WireError::Payload)
    );
}

#[test]
fn payloads_are_passed_on_byte_for_byte() {
    let payload = r#"{ "a" : [1.0, 1e2, "\u00e9"], "a":"twice" }"#;
    let sent = [Frame::Envelope(envelope(payload))];
    for encoding in [Encoding::Json, Encoding::Binary] {
        let frames = decode(&message(encoding, &sent)).unwrap();
        let Frame::Envelope(envelope) = &frames[0] else {
            panic!("{frames:?}");
        };
        assert_eq!(envelope.intent.payload().text(), payload);
    }
}

#[test]
fn messages_hold_so_many_frames_and_no_more() {
    for encoding in [Encoding::Json, Encoding::Binary] {
        let pings = vec![Frame::Ping { nonce: 1 }; MAX_FRAMES + 1];
        assert_eq!(
            decode(&message(encoding, &pings)).unwrap().len(),
            MAX_FRAMES
        );
    }
    let one = r#"{"type":"ping","nonce":1},"#.repeat(MAX_FRAMES);
    let too_many = format!(r#"[{one}{{}}]"#);
    assert!(decoded_text(&too_many).is_err());
    let too_many = [0x03, 1, 1].repeat(MAX_FRAMES + 1);
    assert_eq!(
        decode(&Message::Binary(too_many.into())),
        Err(WireError::TooManyFrames)
    );
}

#[test]
fn presence_has_a_bound() {
    let presence = |count| {
        Frame::Presence(Presence {
            absent: vec![peer("a"); count],
            ..Presence::default()
        })
    };
    for encoding in [Encoding::Json, Encoding::Binary] {
        assert!(decode(&message(encoding, &[presence(MAX_PRESENCE)])).is_ok());
        assert!(decode(&message(encoding, &[presence(MAX_PRESENCE + 1)])).is_err());
    }
    let claimed = Message::Binary(Bytes::from_static(&[
        0x05, 11, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0,
    ]));
    assert!(decode(&claimed).is_err());
}

#[test]
fn long_secrets_are_refused() {
    let hello = |token: usize, reclaim: usize| {
        decoded_text(&format!(
            r#"[{{"type":"hello","version":1,"id":"a","incarnation":1,"token":"{}","reclaim":"{}"}}]"#,
            "t".repeat(token),
            "r".repeat(reclaim)
        ))
    };
    assert!(hello(MAX_TOKEN_LEN, MAX_RECLAIM_LEN).is_ok());
    assert_eq!(
        hello(MAX_TOKEN_LEN + 1, 0),
        Err(WireError::TooLong("token"))
    );
    assert_eq!(
        hello(0, MAX_RECLAIM_LEN + 1),
        Err(WireError::TooLong("reclaim"))
    );
}

#[test]
fn a_hello_of_the_least_words_has_the_defaults() {
    let frames = decoded_text(
        r#"[{"type":"hello","version":1,"id":"a","incarnation":1,"encodings":["smoke","json"]}]"#,
    )
    .unwrap();
    let [Frame::Hello(hello)] = &frames[..] else {
        panic!("{frames:?}");
    };
    assert_eq!(hello.encodings, [Encoding::Json]);
    assert_eq!(hello.max_message, DEFAULT_MAX_MESSAGE_LEN);
    assert_eq!(hello.heartbeat_ms, DEFAULT_HEARTBEAT_MS);
    assert_eq!(
        (&hello.token, &hello.reclaim, hello.received),
        (&None, &None, None)
    );
}

#[test]
fn a_batch_keeps_within_its_length() {
    for encoding in [Encoding::Json, Encoding::Binary] {
        let mut batch = Batch::new(encoding);
        let ping = Frame::Ping { nonce: 1 };
        let mut pings = 0;
        while batch.push_within(&ping, 100) {
            pings += 1;
        }
        let message = batch.finish();
        assert!(message.len() <= 100);
        assert!(pings > 2);
        assert_eq!(decode(&message).unwrap().len(), pings);
    }
}
