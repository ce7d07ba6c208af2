//! A stream of frames: u64 lengths, big-endian, with a `meta.NetworkMessage` behind each.

use bytes::{Bytes, BytesMut};
use shiome::wire::{Frame, LENGTH_PREFIX_LEN, MAX_FRAME_LEN};

use super::{
    field::{Explained, Field, Problem, Value},
    protobuf::{self, MAX_FIELDS},
    schema::NETWORK_MESSAGE,
};

/// Cuts a stream into frames, and explains each.
#[derive(Debug, Default)]
pub(super) struct Frames {
    received: BytesMut,
    /// Where `received` starts in the stream.
    offset: usize,
    /// Whether a length was refused: no frame can be told from there on.
    is_lost: bool,
}

impl Frames {
    /// A stream of which the first byte to come stands at `offset`.
    pub(super) fn at(offset: usize) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    pub(super) fn extend(&mut self, bytes: &[u8]) {
        if !self.is_lost {
            self.received.extend_from_slice(bytes);
        }
    }

    /// How many bytes wait for the rest of their frame.
    pub(super) fn waiting(&self) -> usize {
        self.received.len()
    }

    /// Where the frame starts that has not come yet.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Whether no frame can be told any more.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The next frame; `None` when more bytes are needed, and after a length that no frame has.
    pub(super) fn next_frame(&mut self) -> Option<Explained> {
        let announced = u64::from_be_bytes(*self.received.first_chunk::<LENGTH_PREFIX_LEN>()?);
        if announced > MAX_FRAME_LEN {
            return Some(self.refused(announced));
        }
        let len = usize::try_from(announced).ok()?;
        if self.received.len() - LENGTH_PREFIX_LEN < len {
            return None;
        }
        let bytes = self.received.split_to(LENGTH_PREFIX_LEN + len).freeze();
        let explained = frame(bytes, self.offset);
        self.offset += explained.len;
        Some(explained)
    }

    /// What is left when no more bytes come: the beginning of a frame.
    pub(super) fn finish(self) -> Option<Explained> {
        if self.received.is_empty() {
            return None;
        }
        let bytes = self.received.freeze();
        let mut explained = Explained {
            kind: "cut short".to_owned(),
            ..empty(bytes.clone(), self.offset)
        };
        let end = self.offset + bytes.len();
        let Some((prefix, body)) = bytes.split_first_chunk::<LENGTH_PREFIX_LEN>() else {
            let reason = format!(
                "the stream ends inside a length, of which {} bytes of {LENGTH_PREFIX_LEN} are there",
                bytes.len()
            );
            explained.problem = Some(Problem::new(end, reason));
            return Some(explained);
        };
        let announced = u64::from_be_bytes(*prefix);
        explained.fields.push(length(announced, self.offset));
        let walk = protobuf::walk(&NETWORK_MESSAGE, body, self.offset + LENGTH_PREFIX_LEN);
        explained.fields.extend(walk.fields);
        let reason = format!(
            "the stream ends inside a frame: {announced} bytes announced, {} are there",
            body.len()
        );
        explained.problem = Some(Problem::new(end, reason));
        Some(explained)
    }

    fn refused(&mut self, announced: u64) -> Explained {
        self.is_lost = true;
        let bytes = self.received.split().freeze();
        let mut explained = Explained {
            kind: "no frame".to_owned(),
            ..empty(bytes.slice(..LENGTH_PREFIX_LEN), self.offset)
        };
        explained.fields.push(length(announced, self.offset));
        let reason =
            format!("a frame of {announced} bytes announced, nodes take {MAX_FRAME_LEN} at most");
        explained.problem = Some(Problem::new(self.offset, reason));
        let left = bytes.len() - LENGTH_PREFIX_LEN;
        if left > 0 {
            let note = format!("the {left} bytes after it cannot be told apart");
            explained.notes.push(note);
        }
        explained
    }
}

/// Whether a whole frame with a message that nodes accept starts here.
pub(super) fn starts_with_frame(stream: &[u8]) -> bool {
    let Some((prefix, rest)) = stream.split_first_chunk::<LENGTH_PREFIX_LEN>() else {
        return false;
    };
    let announced = u64::from_be_bytes(*prefix);
    // Zeros look like frames without content, which nobody sends.
    let body = usize::try_from(announced).ok().filter(|len| *len > 0);
    let Some(body) = body.and_then(|len| rest.get(..len)) else {
        return false;
    };
    let message = Frame::from(Bytes::copy_from_slice(body)).decode();
    announced <= MAX_FRAME_LEN && message.is_ok_and(|message| message.message.is_some())
}

fn empty(bytes: Bytes, offset: usize) -> Explained {
    Explained {
        format: "frame",
        offset,
        len: bytes.len(),
        kind: String::new(),
        fields: Vec::new(),
        problem: None,
        notes: Vec::new(),
        bytes,
    }
}

fn length(announced: u64, offset: usize) -> Field {
    Field::leaf(
        offset,
        LENGTH_PREFIX_LEN,
        "length",
        "u64",
        Value::Unsigned(announced),
    )
    .meaning("bytes that follow")
}

/// Explains a frame that is there in full.
fn frame(bytes: Bytes, offset: usize) -> Explained {
    let body = bytes.slice(LENGTH_PREFIX_LEN..);
    let start = offset + LENGTH_PREFIX_LEN;
    let mut explained = empty(bytes, offset);
    explained.fields.push(length(body.len() as u64, offset));

    let walk = protobuf::walk(&NETWORK_MESSAGE, &body, start);
    explained.fields.extend(walk.fields);
    explained.problem = walk.problem;
    if walk.is_cut {
        let note = format!("fields after the first {MAX_FIELDS} are not shown");
        explained.notes.push(note);
    }
    // The word of the decoder that nodes have is the last one.
    match Frame::from(body).decode() {
        Ok(message) => explained.kind = message.kind().to_owned(),
        Err(error) => {
            explained.kind = "malformed".to_owned();
            let problem = || Problem::new(start, error.to_string());
            explained.problem.get_or_insert_with(problem);
        }
    }
    if explained.kind == "empty" {
        let note = "a message without content that is known, which nodes skip";
        explained.notes.push(note.to_owned());
    }
    explained
}

#[cfg(test)]
mod tests;
