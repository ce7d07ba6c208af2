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

use cursor::{Cursor, Part};

/// What a datagram is said to be.
struct Told {
    format: &'static str,
    kind: &'static str,
}

/// Explains a datagram in the common form or an encrypted one, as its first byte says; in the compact form if `format`
/// says so.
pub(super) fn explain(datagram: Bytes, format: Format) -> Explained {
    let mut explained = Explained {
        format: format.name(),
        offset: 0,
        len: datagram.len(),
        kind: "malformed".to_owned(),
        fields: Vec::new(),
        problem: None,
        notes: Vec::new(),
        bytes: datagram.clone(),
    };
    if datagram.len() > MAX_DATAGRAM_LEN {
        let reason = DecodeErrorKind::DatagramTooLong.to_string();
        explained.problem = Some(Problem::new(MAX_DATAGRAM_LEN, reason));
        return explained;
    }
    let mut told = None;
    let mut cursor = Cursor::new(&datagram);
    let result = match (format, datagram.first()) {
        (Format::GossipCompact, _) => compact::read(&mut cursor, &mut told, &mut explained.fields),
        (_, Some(&encrypted::TAG)) => {
            let note = "the message inside can only be read with the key of the cluster";
            explained.notes.push(note.to_owned());
            encrypted::read(&mut cursor, &mut told, &mut explained.fields)
        }
        _ => common::read(&mut cursor, &mut told, &mut explained.fields),
    };
    if let Some(told) = told {
        explained.format = told.format;
        explained.kind = told.kind.to_owned();
    }
    match result {
        Ok(()) => extension::rest(&mut cursor, &mut explained),
        Err(problem) => explained.problem = Some(problem),
    }
    explained
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
