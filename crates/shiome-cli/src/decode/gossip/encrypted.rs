//! Encrypted datagrams, of which the header can be read by everybody.

use shiome_gossip::DecodeErrorKind;

use super::{Cursor, Part, Told};
use crate::decode::field::{Field, Problem};

/// What an encrypted datagram starts with.
pub(super) const TAG: u8 = 0x80;

/// Length of the authentication tag behind the message.
pub(super) const AEAD_TAG_LEN: usize = 16;

/// Length of what stands before the message.
pub(super) const HEADER_LEN: usize = 36;

/// Reads the header; the message behind it, be it encrypted still or opened.
pub(super) fn message<'a>(
    cursor: &mut Cursor<'a>,
    told: &mut Option<Told>,
    out: &mut Vec<Field>,
) -> Result<Cursor<'a>, Problem> {
    *told = Some(Told {
        format: "gossip-encrypted",
        kind: "encrypted",
    });
    let mut part = Part { cursor, out };
    part.u8("message")?;
    part.word("encrypted");
    part.u8("version")?;
    part.u16("cluster")?;
    part.meaning("low 16 bits of the cluster id");
    part.raw("key id", 4)?;
    part.meaning("which key of the cluster");
    part.u32("sent")?;
    part.meaning("when, in Unix seconds");
    part.raw("sender", 8)?;
    part.meaning("derived from the id of the node");
    part.u64("epoch")?;
    part.meaning("greater after each start of the sender");
    part.u64("counter")?;
    part.meaning("of the sender's datagrams in this epoch");
    match part.cursor.rest().len().checked_sub(AEAD_TAG_LEN) {
        Some(len) => part.cursor.part(len),
        None => Err(part.cursor.problem(DecodeErrorKind::Truncated)),
    }
}

/// Reads what cannot be read.
pub(super) fn ciphertext(message: &mut Cursor<'_>, out: &mut Vec<Field>) -> Result<(), Problem> {
    let len = message.rest().len();
    let mut part = Part {
        cursor: message,
        out,
    };
    part.raw("ciphertext", len).map(drop)
}

/// Reads what is behind the message.
pub(super) fn tag(cursor: &mut Cursor<'_>, out: &mut Vec<Field>) -> Result<(), Problem> {
    let mut part = Part { cursor, out };
    part.raw("tag", AEAD_TAG_LEN)?;
    part.meaning("proves that header and message are those of a node that knows the key");
    Ok(())
}
