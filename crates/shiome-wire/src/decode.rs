//! Messages between actors from bytes, as every node of the installed base writes them: one envelope in the other and
//! nothing beside, no field but the known. Whatever else protobuf allows is left to the generated code.

use bytes::Bytes;

use crate::{
    encode::tag,
    node::{Call, CallReply, Cast, node_message::Msg},
};

/// The message between actors in a frame's body, with `own` called for the contents that it keeps; `None` for other
/// messages, and for those that the generated code has to judge.
pub(crate) fn decode_node(body: &[u8], own: impl Fn(&[u8]) -> Bytes) -> Option<Msg> {
    let mut body = Fields(body);
    let node = body.only(tag::NODE)?;
    let (&member, _) = node.split_first()?;
    let fields = Fields(Fields(node).only(member)?);
    match member {
        tag::CAST => cast(fields, own).map(Msg::Cast),
        tag::CALL => call(fields, own).map(Msg::Call),
        tag::REPLY => reply(fields, own).map(Msg::Reply),
        _ => None,
    }
}

fn cast(mut fields: Fields<'_>, own: impl Fn(&[u8]) -> Bytes) -> Option<Cast> {
    let (mut to, mut what, mut variant, mut metadata) = (0, &[][..], "", None);
    while let Some(tag) = fields.tag() {
        match tag {
            tag::TO => to = fields.varint()?,
            tag::WHAT => what = fields.content()?,
            tag::CAST_VARIANT => variant = fields.text()?,
            tag::METADATA => metadata = Some(fields.content()?),
            _ => return None,
        }
    }
    Some(Cast {
        to,
        what: own(what),
        variant: variant.to_owned(),
        metadata: metadata.map(own),
    })
}

fn call(mut fields: Fields<'_>, own: impl Fn(&[u8]) -> Bytes) -> Option<Call> {
    let (mut to, mut tag, mut timeout_ms) = (0, 0, None);
    let (mut what, mut variant, mut metadata) = (&[][..], "", None);
    while let Some(next) = fields.tag() {
        match next {
            tag::TO => to = fields.varint()?,
            tag::WHAT => what = fields.content()?,
            tag::CALL_TAG => tag = fields.varint()?,
            tag::CALL_TIMEOUT_MS => timeout_ms = Some(fields.varint()?),
            tag::CALL_VARIANT => variant = fields.text()?,
            tag::METADATA => metadata = Some(fields.content()?),
            _ => return None,
        }
    }
    Some(Call {
        to,
        what: own(what),
        tag,
        timeout_ms,
        variant: variant.to_owned(),
        metadata: metadata.map(own),
    })
}

fn reply(mut fields: Fields<'_>, own: impl Fn(&[u8]) -> Bytes) -> Option<CallReply> {
    let (mut to, mut tag, mut what) = (0, 0, &[][..]);
    while let Some(next) = fields.tag() {
        match next {
            tag::TO => to = fields.varint()?,
            tag::REPLY_TAG => tag = fields.varint()?,
            tag::REPLY_WHAT => what = fields.content()?,
            _ => return None,
        }
    }
    let what = own(what);
    Some(CallReply { to, tag, what })
}

/// Fields that are not read yet.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// The content of the field with that tag, if there is no other.
    fn only(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.tag()? != tag {
            return None;
        }
        self.content().filter(|_| self.0.is_empty())
    }

    /// The next tag, if there is one. One that takes more than a byte is none that is known.
    fn tag(&mut self) -> Option<u8> {
        let (tag, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*tag)
    }

    fn varint(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            // The tenth byte holds one bit.
            if shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
            shift += 7;
        }
    }

    fn content(&mut self) -> Option<&'a [u8]> {
        let len = usize::try_from(self.varint()?).ok()?;
        let (content, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(content)
    }

    fn text(&mut self) -> Option<&'a str> {
        std::str::from_utf8(self.content()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;
    use crate::{encode::tests::messages, meta::NetworkMessage};

    fn decoded(body: &[u8]) -> Option<NetworkMessage> {
        decode_node(body, Bytes::copy_from_slice).map(Into::into)
    }

    #[test]
    fn what_is_odd_is_left_to_the_generated_code() {
        let cast = NetworkMessage::from(Cast {
            to: 7,
            ..Cast::default()
        });
        let body = cast.encode_to_vec();
        assert_eq!(decoded(&body), Some(cast));
        let unknown = [&body[..], &[0xc2, 0x3e, 0]].concat();
        let twice = [&body[..], &body[..]].concat();
        for odd in [
            &unknown[..],
            &twice,
            &body[..body.len() - 1],
            &[],
            &[0x12, 0],
        ] {
            assert_eq!(decoded(odd), None);
        }
        // A tag in two bytes, and a name that is no text.
        assert_eq!(decoded(b"\x12\x07\x0a\x05\x88\x00\x07\x12\x00"), None);
        assert_eq!(decoded(b"\x12\x05\x0a\x03\x1a\x01\xff"), None);
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(msg in messages()) {
            let message = NetworkMessage::from(msg);
            prop_assert_eq!(decoded(&message.encode_to_vec()), Some(message));
        }

        #[test]
        fn what_it_takes_the_generated_code_takes_for_the_same(
            msg in messages(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            other in any::<prop::sample::Index>(),
        ) {
            let mut body = NetworkMessage::from(msg).encode_to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            // Near the beginning stands what has a meaning.
            let other = other.index(body.len().min(16));
            body[other] ^= byte;
            if let Some(message) = decoded(&body) {
                prop_assert_eq!(NetworkMessage::decode(&body[..]), Ok(message));
            }
        }

        #[test]
        fn any_bytes_are_taken_for_the_same_or_left(fields in prop::collection::vec(any::<u8>(), 0..40), member in 1u8..4) {
            let member = [&[member << 3 | 2, fields.len() as u8][..], &fields].concat();
            let body = [&[0x12, member.len() as u8][..], &member].concat();
            if let Some(message) = decoded(&body) {
                prop_assert_eq!(NetworkMessage::decode(&body[..]), Ok(message));
            }
        }
    }
}
