//! Messages to frames. Those between actors are written field by field, so that their envelopes are never built.
//!
//! ```text
//! length prefix   8
//! 12 len          NetworkMessage.node = 2
//! 0a|12|1a len    NodeMessage.{cast = 1, call = 2, reply = 3}
//! fields          by number, each with its tag; what is at its default is left out, but for optional fields
//! ```
//!
//! The bytes are those of prost's generated code.

use bytes::{BufMut, Bytes, BytesMut};
use prost::Message;

use crate::{
    frame::LENGTH_PREFIX_LEN,
    frames::Frames,
    meta::NetworkMessage,
    native::Fragment,
    node::{Call, CallReply, Cast},
};

/// A message that can be written as a frame.
pub trait Encode {
    /// Length of its body, in bytes.
    fn body_len(&self) -> usize;

    /// Appends its frame.
    fn encode(self, frames: &mut Frames);
}

/// Tags, as far as they are written by hand: number of the field, wire type.
pub(crate) mod tag {
    pub(crate) const NODE: u8 = key(2, LEN);
    pub(crate) const CAST: u8 = key(1, LEN);
    pub(crate) const CALL: u8 = key(2, LEN);
    pub(crate) const REPLY: u8 = key(3, LEN);
    /// Of all three.
    pub(crate) const TO: u8 = key(1, VARINT);
    /// Of casts and calls.
    pub(crate) const WHAT: u8 = key(2, LEN);
    pub(crate) const METADATA: u8 = key(6, LEN);
    pub(crate) const CAST_VARIANT: u8 = key(3, LEN);
    pub(crate) const CALL_TAG: u8 = key(3, VARINT);
    pub(crate) const CALL_TIMEOUT_MS: u8 = key(4, VARINT);
    pub(crate) const CALL_VARIANT: u8 = key(5, LEN);
    pub(crate) const REPLY_TAG: u8 = key(2, VARINT);
    pub(crate) const REPLY_WHAT: u8 = key(3, LEN);
    /// `NetworkMessage.native`, whose number takes two bytes.
    pub(super) const NATIVE: [u8; 2] = [0x80 | key(1000 & 0xf, LEN), (1000 >> 4) as u8];
    pub(super) const FRAGMENT: u8 = key(2, LEN);
    pub(super) const FRAGMENT_ID: u8 = key(1, VARINT);
    pub(super) const FRAGMENT_OFFSET: u8 = key(2, VARINT);
    pub(super) const FRAGMENT_TOTAL: u8 = key(3, VARINT);
    pub(super) const FRAGMENT_DATA: u8 = key(4, LEN);

    const VARINT: u32 = 0;
    const LEN: u32 = 2;

    const fn key(number: u32, wire_type: u32) -> u8 {
        (number << 3 | wire_type) as u8
    }
}

/// Bytes of a number that has been encoded, at most, with a tag before it.
const MAX_NUMBER_LEN: usize = 11;

impl Frames {
    /// Begins a frame, down to the fields of a message between actors that takes `len` bytes.
    fn begin_node(&mut self, tag: u8, len: usize) {
        let node_len = field_len(len);
        self.begin(field_len(node_len));
        self.put_number(tag::NODE, node_len as u64);
        self.put_number(tag, len as u64);
    }

    fn begin(&mut self, body_len: usize) {
        self.put_slice(&(body_len as u64).to_be_bytes());
    }

    /// A tag, and the number or the length that follows it.
    // A call costs more than what it does.
    #[inline(always)]
    fn put_number(&mut self, tag: u8, value: u64) {
        match value {
            // Nearly all.
            ..0x80 => self.put_slice(&[tag, value as u8]),
            0x80..0x4000 => self.put_slice(&[tag, value as u8 | 0x80, (value >> 7) as u8]),
            _ => self.put_long_number(tag, value),
        }
    }

    fn put_long_number(&mut self, tag: u8, mut value: u64) {
        let mut bytes = [tag; MAX_NUMBER_LEN];
        let mut len = 1;
        while value >= 0x80 {
            bytes[len] = value as u8 | 0x80;
            value >>= 7;
            len += 1;
        }
        bytes[len] = value as u8;
        self.put_slice(&bytes[..=len]);
    }

    /// A number that is left out when it is zero, or the length of a content that is left out when it is empty.
    #[inline]
    fn put_some(&mut self, tag: u8, value: u64) {
        if value != 0 {
            self.put_number(tag, value);
        }
    }

    #[inline]
    fn put_content(&mut self, tag: u8, content: Bytes) {
        self.put_some(tag, content.len() as u64);
        self.put_payload(content);
    }

    /// What casts and calls end with.
    #[inline]
    fn put_kind(&mut self, tag: u8, variant: &str, metadata: &mut Option<Bytes>) {
        self.put_some(tag, variant.len() as u64);
        self.put_slice(variant.as_bytes());
        if let Some(metadata) = metadata {
            self.put_number(tag::METADATA, metadata.len() as u64);
            self.put_payload_of(metadata);
        }
    }
}

impl Encode for Cast {
    fn body_len(&self) -> usize {
        enveloped_len(cast_len(self))
    }

    fn encode(mut self, frames: &mut Frames) {
        (&mut self).encode(frames);
    }
}

/// Takes a payload out that is long, and copies the rest: the cast is not moved, and is given back by whom it belongs to.
impl Encode for &mut Cast {
    fn body_len(&self) -> usize {
        enveloped_len(cast_len(self))
    }

    fn encode(self, frames: &mut Frames) {
        frames.begin_node(tag::CAST, cast_len(self));
        frames.put_some(tag::TO, self.to);
        frames.put_some(tag::WHAT, self.what.len() as u64);
        frames.put_payload_of(&mut self.what);
        frames.put_kind(tag::CAST_VARIANT, &self.variant, &mut self.metadata);
    }
}

impl Encode for Call {
    fn body_len(&self) -> usize {
        enveloped_len(call_len(self))
    }

    fn encode(mut self, frames: &mut Frames) {
        frames.begin_node(tag::CALL, call_len(&self));
        frames.put_some(tag::TO, self.to);
        frames.put_content(tag::WHAT, self.what);
        frames.put_some(tag::CALL_TAG, self.tag);
        if let Some(timeout_ms) = self.timeout_ms {
            frames.put_number(tag::CALL_TIMEOUT_MS, timeout_ms);
        }
        frames.put_kind(tag::CALL_VARIANT, &self.variant, &mut self.metadata);
    }
}

impl Encode for CallReply {
    fn body_len(&self) -> usize {
        enveloped_len(reply_len(self))
    }

    fn encode(self, frames: &mut Frames) {
        frames.begin_node(tag::REPLY, reply_len(&self));
        frames.put_some(tag::TO, self.to);
        frames.put_some(tag::REPLY_TAG, self.tag);
        frames.put_content(tag::REPLY_WHAT, self.what);
    }
}

/// Any message, by its generated code.
impl Encode for NetworkMessage {
    fn body_len(&self) -> usize {
        self.encoded_len()
    }

    fn encode(self, frames: &mut Frames) {
        let len = self.encoded_len();
        let mut bytes = BytesMut::with_capacity(LENGTH_PREFIX_LEN + len);
        bytes.put_u64(len as u64);
        Message::encode(&self, &mut bytes)
            .expect("BytesMut grows as needed, which is the only way that prost's encode can fail");
        frames.put_payload(bytes.freeze());
    }
}

/// Appends a [`Fragment`] whose data are the first `data_len` bytes of `body`.
pub fn put_fragment(
    id: u64,
    offset: u64,
    total: u64,
    body: &mut Frames,
    data_len: usize,
    frames: &mut Frames,
) {
    let without_data = Fragment {
        id,
        offset,
        total,
        data: Bytes::new(),
    };
    let data_field_len = if data_len > 0 { field_len(data_len) } else { 0 };
    let len = without_data.encoded_len() + data_field_len;
    let native_len = field_len(len);
    frames.begin(1 + field_len(native_len));
    frames.put_slice(&tag::NATIVE[..1]);
    frames.put_number(tag::NATIVE[1], native_len as u64);
    frames.put_number(tag::FRAGMENT, len as u64);
    frames.put_some(tag::FRAGMENT_ID, id);
    frames.put_some(tag::FRAGMENT_OFFSET, offset);
    frames.put_some(tag::FRAGMENT_TOTAL, total);
    frames.put_some(tag::FRAGMENT_DATA, data_len as u64);
    body.move_to(data_len, frames);
}

fn enveloped_len(len: usize) -> usize {
    field_len(field_len(len))
}

fn cast_len(cast: &Cast) -> usize {
    number_len(cast.to)
        + content_len(cast.what.len())
        + content_len(cast.variant.len())
        + optional_len(cast.metadata.as_ref())
}

fn call_len(call: &Call) -> usize {
    let timeout_len = call.timeout_ms.map_or(0, |ms| 1 + varint_len(ms));
    number_len(call.to)
        + content_len(call.what.len())
        + number_len(call.tag)
        + timeout_len
        + content_len(call.variant.len())
        + optional_len(call.metadata.as_ref())
}

fn reply_len(reply: &CallReply) -> usize {
    number_len(reply.to) + number_len(reply.tag) + content_len(reply.what.len())
}

/// Length of a field with so many bytes of content, with its tag, if that takes one byte, and its length.
fn field_len(len: usize) -> usize {
    1 + varint_len(len as u64) + len
}

fn content_len(len: usize) -> usize {
    if len > 0 { field_len(len) } else { 0 }
}

fn optional_len(bytes: Option<&Bytes>) -> usize {
    bytes.map_or(0, |bytes| field_len(bytes.len()))
}

fn number_len(value: u64) -> usize {
    if value != 0 { 1 + varint_len(value) } else { 0 }
}

#[inline]
fn varint_len(value: u64) -> usize {
    if value < 0x80 {
        return 1;
    }
    // Seven bits a byte.
    (70 - value.leading_zeros() as usize) / 7
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::node::node_message::Msg;

    /// What prost makes of a message.
    fn framed(message: &NetworkMessage) -> Vec<u8> {
        let mut buf = BytesMut::new();
        crate::frame::encode(message, u64::MAX, &mut buf).unwrap();
        buf.to_vec()
    }

    fn pushed(message: impl Encode) -> Vec<u8> {
        use bytes::Buf as _;
        let mut frames = Frames::new();
        let len = message.body_len();
        frames.push(message);
        assert_eq!(frames.len(), LENGTH_PREFIX_LEN + len);
        frames.copy_to_bytes(frames.len()).to_vec()
    }

    fn pushed_by_hand(msg: Msg) -> Vec<u8> {
        match msg {
            Msg::Cast(cast) => pushed(cast),
            Msg::Call(call) => pushed(call),
            Msg::Reply(reply) => pushed(reply),
        }
    }

    #[test]
    fn messages_have_their_known_bytes() {
        let cast = Cast {
            to: 300,
            what: "ab".into(),
            variant: "Add".into(),
            metadata: Some("m".into()),
        };
        let call = Call {
            to: 1,
            what: "ab".into(),
            tag: 2,
            timeout_ms: Some(0),
            variant: "Get".into(),
            metadata: Some(Bytes::new()),
        };
        let reply = CallReply {
            to: 1,
            tag: 2,
            what: "ab".into(),
        };
        for (msg, bytes) in [
            (
                Msg::Cast(cast),
                "0000000000000013 1211 0a0f 08ac02 12026162 1a03416464 32016d",
            ),
            (
                Msg::Call(call),
                "0000000000000015 1213 1211 0801 12026162 1802 2000 2a03476574 3200",
            ),
            (
                Msg::Reply(reply),
                "000000000000000c 120a 1a08 0801 1002 1a026162",
            ),
            (Msg::Cast(Cast::default()), "0000000000000004 1202 0a00"),
        ] {
            assert_eq!(hex::encode(pushed_by_hand(msg)), bytes.replace(' ', ""));
        }
    }

    #[test]
    fn lengths_of_varints() {
        for bits in 0..64 {
            for value in [(1u64 << bits) - 1, 1 << bits, u64::MAX] {
                let expected = prost::encoding::encoded_len_varint(value);
                assert_eq!(varint_len(value), expected);
            }
        }
    }

    pub(crate) fn numbers() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0u32..64).prop_map(|(value, shift)| value >> shift)
    }

    fn payloads() -> impl Strategy<Value = Bytes> {
        let len = prop_oneof![8 => 0usize..300, 1 => 2000usize..5000, 1 => 16_000usize..70_000];
        (len, any::<u8>()).prop_map(|(len, byte)| vec![byte; len].into())
    }

    pub(crate) fn messages() -> impl Strategy<Value = Msg> {
        let optional = || prop::option::of(payloads());
        let reply = (numbers(), numbers(), payloads());
        let cast = (numbers(), payloads(), ".{0,200}", optional());
        let timeout = prop::option::of(numbers());
        let call = (
            numbers(),
            payloads(),
            numbers(),
            timeout,
            ".{0,200}",
            optional(),
        );
        prop_oneof![
            cast.prop_map(|(to, what, variant, metadata)| {
                Msg::Cast(Cast {
                    to,
                    what,
                    variant,
                    metadata,
                })
            }),
            call.prop_map(|(to, what, tag, timeout_ms, variant, metadata)| {
                Msg::Call(Call {
                    to,
                    what,
                    tag,
                    timeout_ms,
                    variant,
                    metadata,
                })
            }),
            reply.prop_map(|(to, tag, what)| Msg::Reply(CallReply { to, tag, what })),
        ]
    }

    proptest! {
        #[test]
        fn the_bytes_are_those_of_the_generated_code(msg in messages()) {
            let expected = framed(&msg.clone().into());
            prop_assert_eq!(pushed(NetworkMessage::from(msg.clone())), expected.clone());
            if let Msg::Cast(mut cast) = msg.clone() {
                prop_assert_eq!(pushed(&mut cast), expected.clone());
            }
            prop_assert_eq!(pushed_by_hand(msg), expected);
        }

        #[test]
        fn fragments_have_the_bytes_of_the_generated_code(
            numbers in (numbers(), numbers(), numbers()),
            data in payloads(),
            rest in 0usize..3000,
        ) {
            use bytes::Buf as _;
            let (id, offset, total) = numbers;
            let fragment = Fragment { id, offset, total, data: data.clone() };
            let mut body = Frames::new();
            body.put_payload(data.clone());
            body.put_slice(&vec![0; rest]);
            let mut frames = Frames::new();
            put_fragment(id, offset, total, &mut body, data.len(), &mut frames);
            prop_assert_eq!(body.len(), rest);
            prop_assert_eq!(frames.copy_to_bytes(frames.len()), framed(&fragment.into()));
        }
    }
}
