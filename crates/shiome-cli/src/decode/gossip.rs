//! Datagrams of gossip, field by field. What decodes and what does not is as in `shiome-gossip`.

use bytes::Bytes;
use shiome_gossip::{DecodeErrorKind, MAX_DATAGRAM_LEN};

use super::{
    Format,
    field::{Explained, Field, Problem, Value},
};

mod common;
mod compact;
mod cursor;
mod encrypted;
mod extension;
mod key;

use cursor::{Cursor, Part};
pub(super) use key::GossipKey;

/// What a datagram is said to be.
struct Told {
    format: &'static str,
    kind: &'static str,
}

/// Explains a datagram in the common form or an encrypted one, as its first byte says; in the compact form if `format`
/// says so. An encrypted one is opened if it is of this key.
pub(super) fn explain(datagram: Bytes, format: Format, key: Option<&GossipKey>) -> Explained {
    let is_encrypted = format == Format::Gossip && datagram.first() == Some(&encrypted::TAG);
    let opened = key
        .filter(|_| is_encrypted)
        .and_then(|key| key.open(&datagram));
    let is_opened = opened.is_some();
    let bytes = opened.unwrap_or(datagram);
    let mut explained = Explained {
        format: format.name(),
        offset: 0,
        len: bytes.len(),
        kind: "malformed".to_owned(),
        fields: Vec::new(),
        problem: None,
        notes: Vec::new(),
        bytes: bytes.clone(),
    };
    if bytes.len() > MAX_DATAGRAM_LEN {
        let reason = DecodeErrorKind::DatagramTooLong.to_string();
        explained.problem = Some(Problem::new(MAX_DATAGRAM_LEN, reason));
        return explained;
    }
    let cursor = Cursor::new(&bytes);
    let result = match is_encrypted {
        true => encrypted(cursor, is_opened, &mut explained),
        false => plain(cursor, format, &mut explained),
    };
    explained.problem = result.err();
    if is_encrypted && !is_opened {
        let note = match key {
            Some(_) => "it is of another cookie, cluster or key than was told, or not whole",
            None => "the message inside can only be read with the cookie: see --cookie-file",
        };
        explained.notes.push(note.to_owned());
    }
    explained
}

fn plain(mut cursor: Cursor<'_>, format: Format, explained: &mut Explained) -> Result<(), Problem> {
    let mut told = None;
    let result = match format {
        Format::GossipCompact => compact::read(&mut cursor, &mut told, &mut explained.fields),
        _ => common::read(&mut cursor, &mut told, &mut explained.fields),
    };
    explained.take(told);
    result?;
    extension::rest(&mut cursor, &mut explained.fields)
}

fn encrypted(
    mut cursor: Cursor<'_>,
    is_opened: bool,
    explained: &mut Explained,
) -> Result<(), Problem> {
    let mut told = None;
    let message = encrypted::message(&mut cursor, &mut told, &mut explained.fields);
    explained.take(told);
    let mut message = message?;
    if is_opened {
        let format = Format::of(message.rest()).unwrap_or(Format::Gossip);
        plain(message, format, explained)?;
        explained.format = "gossip-encrypted";
    } else {
        encrypted::ciphertext(&mut message, &mut explained.fields)?;
    }
    encrypted::tag(&mut cursor, &mut explained.fields)
}

impl Explained {
    fn take(&mut self, told: Option<Told>) {
        if let Some(told) = told {
            self.format = told.format;
            self.kind = told.kind.to_owned();
        }
    }
}

/// A list of slots: `count` ranges.
fn slots(cursor: &mut Cursor<'_>, count: u16, out: &mut Vec<Field>) -> Result<(), Problem> {
    for _ in 0..count {
        let start = cursor.offset();
        let Some(&[a, b, c, d]) = cursor.peek(4) else {
            return Err(cursor.problem(DecodeErrorKind::Truncated));
        };
        let (first, last) = (u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d]));
        if shiome_gossip::SlotRange::new(first, last).is_err() {
            let kind = DecodeErrorKind::InvalidSlotRange {
                start: first,
                end: last,
            };
            return Err(cursor.problem(kind));
        }
        cursor.bytes(4)?;
        let value = Value::Text(format!("{first}-{last}"));
        out.push(Field::leaf(start, 4, "slots", "range", value));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
