//! What follows a message: the extension of shiome, and bytes that nobody reads.

use shiome_gossip::{DecodeErrorKind, EXTENSION_MAGIC, EXTENSION_VERSION};

use super::{Cursor, Part};
use crate::decode::{
    field::{Field, Problem, Value},
    protobuf::bits,
};

/// Length of an HMAC-SHA256 tag.
const HMAC_LEN: usize = 32;

/// Explains all that is left.
pub(super) fn rest(cursor: &mut Cursor<'_>, out: &mut Vec<Field>) -> Result<(), Problem> {
    extension(cursor, out)?;
    let (start, rest) = (cursor.offset(), cursor.rest());
    let (filling, trailer) = match rest.split_last_chunk::<HMAC_LEN>() {
        // Nobody has a tag of zeros.
        Some((before, tag)) if is_zero(before) && !is_zero(tag) => (before, &tag[..]),
        _ if is_zero(rest) => (rest, &[][..]),
        _ => (&[][..], rest),
    };
    let field = |at: usize, name: &'static str, bytes: &[u8]| {
        let value = Value::Bytes(bytes.to_vec());
        Field::leaf(at, bytes.len(), name, "bytes", value)
    };
    if !filling.is_empty() {
        let field = field(start, "zeros", filling);
        let meaning = "fill the datagram up, so that the answer is no longer than the question";
        out.push(field.meaning(meaning));
    }
    if !trailer.is_empty() {
        let meaning = match trailer.len() {
            HMAC_LEN => "maybe an HMAC-SHA256 tag of a cluster with a password",
            _ => "ignored by nodes",
        };
        let field = field(start + filling.len(), "rest", trailer);
        out.push(field.meaning(meaning));
    }
    Ok(())
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

fn extension(cursor: &mut Cursor<'_>, out: &mut Vec<Field>) -> Result<(), Problem> {
    let magic = cursor.peek(2).is_some_and(|magic| {
        let [a, b] = *magic else { return false };
        u16::from_le_bytes([a, b]) == EXTENSION_MAGIC
    });
    let version = cursor.peek(3).and_then(|head| head.last());
    match version {
        _ if !magic => Ok(()),
        Some(version) if *version != EXTENSION_VERSION => Ok(()),
        _ => Part { cursor, out }.group("extension", "extension", |part| {
            part.raw("magic", 2)?;
            part.word("sh");
            part.u8("version")?;
            let len = part.u16("length")?;
            part.meaning("bytes of fields that follow");
            let mut fields = part.cursor.part(len.into())?;
            let mut part = Part {
                cursor: &mut fields,
                out: &mut *part.out,
            };
            while !part.cursor.rest().is_empty() {
                part.group("field", "field", field)?;
            }
            Ok(())
        }),
    }
}

fn field(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    let start = *part.cursor;
    // One that has no room for tag, length and value is cut short where it lacks something.
    let tag = part.u8("tag")?;
    let name = match tag {
        1 => "capabilities",
        2 => "cluster id",
        3 => "incarnation",
        4 => "suspector",
        5 => "local health",
        6 => "nack",
        7 => "digest",
        8 => "address",
        _ => "unknown, skipped by nodes",
    };
    part.word(name);
    let len = part.u8("length")?;
    let mut value = part.cursor.part(len.into())?;
    let invalid = || start.problem(DecodeErrorKind::InvalidFieldLen { tag, len });
    let end = value.offset() + value.rest().len();
    let result = self::value(
        tag,
        &mut Part {
            cursor: &mut value,
            out: &mut *part.out,
        },
    );
    match result {
        // What is cut short is not the datagram, but the value within its length.
        Err(problem) if problem.reason == DecodeErrorKind::Truncated.to_string() => Err(invalid()),
        Ok(()) if value.offset() < end => Err(invalid()),
        result => result,
    }
}

fn value(tag: u8, part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    match tag {
        1 => {
            let set = part.u64("value")?;
            let names = ["NACK", "SUSPECTORS", "DIGEST", "COMPACT"];
            part.word(bits(set, &names));
            part.meaning("what the sender can do beyond the common form");
        }
        2 => {
            part.u64("value")?;
            part.meaning("hash of the cluster's name");
        }
        3 => {
            part.u64("value")?;
            part.meaning("of the sender");
        }
        4 => {
            part.u16("update")?;
            part.meaning("which update of this datagram, from 0");
            part.node("node")?;
            part.meaning("who says so");
        }
        5 => {
            part.u8("value")?;
            part.meaning("0 is well");
        }
        6 => {}
        7 => {
            part.u32("members")?;
            part.u64("hash")?;
        }
        8 => part.address("value")?,
        _ => {
            let len = part.cursor.rest().len();
            part.raw("value", len)?;
        }
    }
    Ok(())
}
