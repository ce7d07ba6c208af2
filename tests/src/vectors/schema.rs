//! The schema as a table, to write any encoding of a message in the form that a canonical encoder gives it.
//!
//! It is independent of the generated code on purpose: a field that the code forgets would be missing from both the
//! decoded message and its encoding, and only bytes show that.

use bytes::{Buf, BufMut};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// Fields of a message by number.
type Message = &'static [(u32, Kind)];

/// What a canonical encoder does with a field.
#[derive(Clone, Copy)]
enum Kind {
    /// Number, text, bytes or packed list: left out when zero or empty.
    Plain,
    /// A field with presence: written whenever it is set.
    Optional,
    /// A message, which is written whenever it is set, and written canonically.
    Nested(Message),
}

use Kind::{Nested, Optional, Plain};

const FLAGS: Message = &[(1, Plain)];
const NAME: Message = &[(1, Plain), (2, Nested(FLAGS)), (3, Plain), (4, Plain)];
const CHALLENGE: Message = &[(1, Plain), (2, Nested(FLAGS)), (3, Plain), (4, Plain)];
const AUTH: Message = &[
    (1, Nested(NAME)),
    (2, Nested(&[(1, Plain)])),
    (3, Nested(&[(1, Plain)])),
    (4, Nested(CHALLENGE)),
    (5, Nested(&[(1, Plain), (2, Plain)])),
    (6, Nested(&[(1, Plain)])),
];

const ACTOR: Message = &[(1, Plain), (2, Optional)];
const TIMESTAMP: Message = &[(1, Plain), (2, Plain)];
const GROUP: Message = &[(1, Plain), (2, Nested(ACTOR)), (3, Plain)];
const CONTROL: Message = &[
    (1, Nested(&[(1, Nested(ACTOR))])),
    (2, Nested(&[(1, Plain)])),
    (3, Nested(&[(1, Nested(TIMESTAMP))])),
    (4, Nested(&[(1, Nested(TIMESTAMP))])),
    (5, Nested(GROUP)),
    (6, Nested(GROUP)),
    (7, Nested(NAME)),
    (8, Nested(&[(1, Nested(NAME))])),
    (9, Nested(&[])),
];

const CAST: Message = &[(1, Plain), (2, Plain), (3, Plain), (6, Optional)];
const CALL: Message = &[
    (1, Plain),
    (2, Plain),
    (3, Plain),
    (4, Optional),
    (5, Plain),
    (6, Optional),
];
const REPLY: Message = &[(1, Plain), (2, Plain), (3, Plain)];
const NODE: Message = &[(1, Nested(CAST)), (2, Nested(CALL)), (3, Nested(REPLY))];

const NETWORK: Message = &[(1, Nested(AUTH)), (2, Nested(NODE)), (3, Nested(CONTROL))];

/// `body` without unknown fields and without fields at their default; `None` when it is not well formed.
pub(super) fn canonical(body: &[u8]) -> Option<Vec<u8>> {
    rewrite(body, NETWORK)
}

fn rewrite(mut body: &[u8], message: Message) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    while body.has_remaining() {
        let (number, wire) = decode_key(&mut body).ok()?;
        let value = take_value(&mut body, wire)?;
        let Some((_, kind)) = message.iter().find(|(known, _)| *known == number) else {
            continue;
        };
        match (kind, value) {
            (Nested(inner), Value::Bytes(bytes)) => put(&mut out, number, &rewrite(bytes, inner)?),
            (Plain, Value::Bytes([]) | Value::Varint(0)) => {}
            (_, Value::Bytes(bytes)) => put(&mut out, number, bytes),
            (_, Value::Varint(value)) => {
                encode_key(number, WireType::Varint, &mut out);
                encode_varint(value, &mut out);
            }
            // No field of the schema has a fixed width.
            (_, Value::Fixed) => return None,
        }
    }
    Some(out)
}

enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    Fixed,
}

fn take_value<'a>(body: &mut &'a [u8], wire: WireType) -> Option<Value<'a>> {
    let mut take = |len: usize| {
        let (head, rest) = body.split_at_checked(len)?;
        *body = rest;
        Some(head)
    };
    match wire {
        WireType::Varint => decode_varint(body).ok().map(Value::Varint),
        WireType::ThirtyTwoBit => take(4).map(|_| Value::Fixed),
        WireType::SixtyFourBit => take(8).map(|_| Value::Fixed),
        WireType::LengthDelimited => {
            let len = usize::try_from(decode_varint(body).ok()?).ok()?;
            let (head, rest) = body.split_at_checked(len)?;
            *body = rest;
            Some(Value::Bytes(head))
        }
        WireType::StartGroup | WireType::EndGroup => None,
    }
}

fn put(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.put_slice(bytes);
}
