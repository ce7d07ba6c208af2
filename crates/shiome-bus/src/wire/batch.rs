//! Frames on their way into a message.

use super::{Encoding, Frame, MAX_FRAMES, Message, binary, json};
use crate::Envelope;

/// Bytes of an envelope besides its names and its payload, in the longer form.
const AROUND_ENVELOPE_LEN: usize = 256;

/// Bytes that an envelope takes in a message at most, in whatever form.
pub fn max_envelope_len(envelope: &Envelope) -> usize {
    let intent = &envelope.intent;
    // In JSON a character of a name may be escaped.
    let names = envelope.from.as_str().len()
        + envelope.to.as_str().len()
        + 2 * intent.name().as_str().len();
    intent.payload().text().len() + names + AROUND_ENVELOPE_LEN
}

/// Puts frames into one message.
#[derive(Debug)]
pub struct Batch {
    encoding: Encoding,
    out: Vec<u8>,
    frames: usize,
}

impl Batch {
    /// An empty message.
    pub fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            out: Vec::new(),
            frames: 0,
        }
    }

    /// An empty message with room for so many bytes.
    #[must_use]
    pub fn with_capacity(encoding: Encoding, capacity: usize) -> Self {
        Self {
            out: Vec::with_capacity(capacity),
            ..Self::new(encoding)
        }
    }

    /// Adds a frame. Hello and welcome have no binary form and are left out of binary messages, and so is everything
    /// beyond [`MAX_FRAMES`].
    pub fn push(&mut self, frame: &Frame) {
        if let Frame::Envelope(envelope) = frame {
            return self.push_envelope(envelope);
        }
        if self.is_full() {
            return;
        }
        match self.encoding {
            Encoding::Json => {
                self.out.push(if self.frames == 0 { b'[' } else { b',' });
                json::encode(frame, &mut self.out);
            }
            Encoding::Binary => binary::encode(frame, &mut self.out),
        }
        self.frames += 1;
    }

    /// Adds an envelope, as [`push`](Self::push) does.
    pub fn push_envelope(&mut self, envelope: &Envelope) {
        if self.is_full() {
            return;
        }
        match self.encoding {
            Encoding::Json => {
                self.out.push(if self.frames == 0 { b'[' } else { b',' });
                json::encode_envelope(envelope, &mut self.out);
            }
            Encoding::Binary => binary::encode_envelope(envelope, &mut self.out),
        }
        self.frames += 1;
    }

    /// Adds a frame if the message is then no longer than `max_len` bytes. Whether it was added.
    pub fn push_within(&mut self, frame: &Frame, max_len: usize) -> bool {
        if self.is_full() {
            return false;
        }
        let before = self.out.len();
        self.push(frame);
        if self.len() <= max_len {
            return true;
        }
        self.out.truncate(before);
        self.frames -= 1;
        false
    }

    /// Bytes of the message.
    pub fn len(&self) -> usize {
        match self.encoding {
            Encoding::Json => self.out.len() + 1,
            Encoding::Binary => self.out.len(),
        }
    }

    /// Whether there is no frame in it.
    pub fn is_empty(&self) -> bool {
        self.frames == 0
    }

    /// Whether no more frames go in.
    pub fn is_full(&self) -> bool {
        self.frames == MAX_FRAMES
    }

    /// The message.
    pub fn finish(self) -> Message {
        let mut out = self.out;
        match self.encoding {
            Encoding::Json => {
                out.extend_from_slice(if self.frames == 0 { b"[]" } else { b"]" });
                Message::Text(out.into())
            }
            Encoding::Binary => Message::Binary(out.into()),
        }
    }
}
