use std::path::Path;

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use shiome::wire::{Frame, auth::authentication_message::Msg, native::Hello};

use super::*;
use crate::decode::schema::NETWORK_MESSAGE;

/// Bodies of the frames that were recorded at published nodes, and of those of shiome.
fn recorded() -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let mut bodies = Vec::new();
    for file in ["wire-0.16.5.json", "wire-0.15.12.json", "native-1.json"] {
        let text = std::fs::read_to_string(dir.join(file)).unwrap();
        collect(&serde_json::from_str(&text).unwrap(), &mut bodies);
    }
    assert!(bodies.len() > 500, "{}", bodies.len());
    bodies
}

fn collect(value: &serde_json::Value, bodies: &mut Vec<Vec<u8>>) {
    match value {
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| collect(item, bodies));
        }
        serde_json::Value::Object(fields) => {
            let hex = fields.get("frame_hex").or_else(|| fields.get("hex"));
            if let Some(frame) = hex.and_then(|hex| hex::decode(hex.as_str()?).ok()) {
                bodies.extend(frame.get(8..).map(<[u8]>::to_vec));
            }
            fields.values().for_each(|value| collect(value, bodies));
        }
        _ => {}
    }
}

/// Whether nodes understand it: the message, and what is encoded in its flags.
fn decodes(body: &[u8]) -> bool {
    let Ok(message) = Frame::from(Bytes::copy_from_slice(body)).decode() else {
        return false;
    };
    let flags = match message.into_auth() {
        Some(Msg::Name(name)) => name.flags,
        Some(Msg::ServerChallenge(challenge)) => challenge.flags,
        _ => None,
    };
    flags.is_none_or(|flags| Hello::decode(flags.hello).is_ok())
}

/// Every byte is told of by the fields once, in order.
fn covers(fields: &[Field], start: usize, end: usize) {
    let mut at = start;
    for field in fields {
        assert_eq!(field.offset, at, "{}", field.name);
        at += field.len;
        if field.own < field.len {
            covers(&field.fields, field.offset + field.own, at);
        }
    }
    assert_eq!(at, end);
}

#[test]
fn recorded_messages_are_explained_to_the_last_byte_or_are_those_that_do_not_decode() {
    let mut good = 0;
    for body in recorded() {
        let walk = walk(&NETWORK_MESSAGE, &body, 8);
        assert_eq!(walk.problem.is_none(), decodes(&body), "{body:02x?}");
        if walk.problem.is_none() {
            covers(&walk.fields, 8, 8 + body.len());
            good += 1;
        }
    }
    assert!(good > 500, "{good}");
}

#[test]
fn an_unknown_field_tells_number_and_wire_type() {
    for (hex, kind, value) in [
        ("e03e07", "varint", Value::Unsigned(7)),
        ("e23e0161", "length-delimited", Value::Bytes(vec![0x61])),
        ("e53e01020304", "32-bit", Value::Bytes(vec![1, 2, 3, 4])),
        (
            "e13e0102030405060708",
            "64-bit",
            Value::Bytes((1..=8).collect()),
        ),
        ("e33e0801e43e", "group", Value::None),
    ] {
        let body = hex::decode(hex).unwrap();
        let walk = walk(&NETWORK_MESSAGE, &body, 0);
        assert_eq!(walk.problem, None, "{hex}");
        let [field] = &walk.fields[..] else {
            panic!("{:?}", walk.fields);
        };
        assert_eq!((field.number, field.kind), (Some(1004), kind));
        assert_eq!((&field.value, field.len), (&value, body.len()));
    }
}

#[test]
fn what_is_wrong_is_told_with_its_byte() {
    for (hex, offset, reason) in [
        ("08", 0, "`auth` is not of wire type varint"),
        ("0a05", 2, "5 bytes announced, 0 are there"),
        ("0aff", 1, "number cut short"),
        ("0affffffffffffffffff02", 1, "number beyond 64 bits"),
        ("0f", 0, "no wire type 7"),
        ("00", 0, "no field number 0"),
        ("e43e", 0, "ends that has not begun"),
        ("e33ee43f", 2, "another group ends"),
        // control.pg_join.group, the second byte of which is no text
        ("1a062a040a0261ff", 7, "`group` is not UTF-8"),
    ] {
        let body = hex::decode(hex).unwrap();
        let problem = walk(&NETWORK_MESSAGE, &body, 0).problem.unwrap();
        assert_eq!(problem.offset, offset, "{hex}: {problem}");
        assert!(problem.reason.contains(reason), "{hex}: {problem}");
    }
}

#[test]
fn groups_nest_as_deep_as_the_decoder_lets_them() {
    for depth in 98..104 {
        let body = [[0xa3, 0x3f].repeat(depth), [0xa4, 0x3f].repeat(depth)].concat();
        let walk = walk(&NETWORK_MESSAGE, &body, 0);
        assert_eq!(walk.problem.is_none(), decodes(&body), "{depth}");
    }
}

#[test]
fn more_fields_than_are_shown_are_cut() {
    let body = [0xe0, 0x3e, 0].repeat(MAX_FIELDS + 1);
    let walk = walk(&NETWORK_MESSAGE, &body, 0);
    assert!(walk.is_cut);
    assert_eq!(walk.fields.len(), MAX_FIELDS);
}

proptest! {
    #[test]
    fn what_does_not_decode_is_wrong_and_nothing_else(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        thread_local!(static RECORDED: Vec<Vec<u8>> = recorded());
        let mut body = RECORDED.with(|all| which.get(all).clone());
        if is_cut {
            body.truncate(cut.index(body.len() + 1));
        }
        for (at, value) in changes {
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = value;
            }
        }
        let walk = walk(&NETWORK_MESSAGE, &body, 0);
        prop_assert_eq!(walk.problem.is_none(), decodes(&body), "{:?}", walk.problem);
        if let Some(problem) = walk.problem {
            prop_assert!(problem.offset <= body.len());
        }
    }

    #[test]
    fn any_bytes_are_explained_as_far_as_they_go(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let walk = walk(&NETWORK_MESSAGE, &body, 0);
        prop_assert_eq!(walk.problem.is_none(), decodes(&body), "{:?}", walk.problem);
    }
}
