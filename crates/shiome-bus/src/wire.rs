//! What ends of a link say to each other, and how it looks on the wire: as JSON for browsers, and in a compact form between
//! Rust peers. No I/O, no clock. `docs/PROTOCOL.md`, section 13, is the specification.
//!
//! A message holds up to [`MAX_FRAMES`] [`Frame`]s. [`Batch`] puts them in, [`decode`] takes them out, all or none.
//! Payloads stay the JSON text that they were: what is passed on is checked and copied, never built into a tree.
//!
//! ```
//! use shiome_bus::wire::{Batch, Encoding, Frame, decode};
//!
//! let mut batch = Batch::new(Encoding::Json);
//! batch.push(&Frame::Ping { nonce: 1 });
//! batch.push(&Frame::Ack { received: 17 });
//! let message = batch.finish();
//! assert_eq!(message.as_text(), Some(r#"[{"type":"ping","nonce":1},{"type":"ack","received":17}]"#));
//! assert_eq!(decode(&message).unwrap(), [Frame::Ping { nonce: 1 }, Frame::Ack { received: 17 }]);
//! ```

use bytes::Bytes;
use thiserror::Error;

pub(crate) use self::apart::Apart;
pub use self::{
    batch::{Batch, max_envelope_len},
    frame::{Frame, Goodbye, Hello, Presence, Refused, Secret, Welcome},
    reason::CloseReason,
};
use crate::MAX_PAYLOAD_LEN;

mod apart;
mod batch;
mod binary;
mod frame;
mod json;
mod parts;
mod reason;
#[cfg(test)]
mod tests;

/// Version of what is said after the WebSocket is open.
pub const VERSION: u64 = 1;

/// Frames of a message. A message of 256 KiB could hold ten thousand times what it says.
pub const MAX_FRAMES: usize = 1024;

/// Bytes of a message that an end takes, unless it says otherwise: the longest payload, and what is around it.
pub const DEFAULT_MAX_MESSAGE_LEN: u64 = MAX_PAYLOAD_LEN as u64 + MIN_MAX_MESSAGE_LEN;

/// Bytes of a message that an end must take: a welcome, or an envelope with the longest names, fit.
pub const MIN_MAX_MESSAGE_LEN: u64 = 4 * 1024;

/// Bytes of a message that an end may offer to take.
pub const MAX_MAX_MESSAGE_LEN: u64 = 16 * 1024 * 1024;

/// Bytes of the token that a client shows.
pub const MAX_TOKEN_LEN: usize = 4096;

/// Bytes of the secret with which an id is reclaimed.
pub const MAX_RECLAIM_LEN: usize = 64;

/// Bytes of what is said to people.
pub const MAX_DETAIL_LEN: usize = 256;

/// Entries of a presence frame.
pub const MAX_PRESENCE: usize = 256;

/// Heartbeat of a link, unless another is wished, in milliseconds.
pub const DEFAULT_HEARTBEAT_MS: u64 = 15_000;

/// How long the session of a lost client is kept, unless said otherwise, in milliseconds.
pub const DEFAULT_GRACE_MS: u64 = 10_000;

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Encoding {
    /// As JSON text. Every peer understands it.
    #[default]
    Json,
    /// In the binary form.
    Binary,
}

impl Encoding {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Binary => "binary",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "binary" => Some(Self::Binary),
            _ => None,
        }
    }
}

/// A message of a WebSocket, or of whatever keeps messages apart and in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// UTF-8, the JSON form.
    Text(Bytes),
    /// The binary form.
    Binary(Bytes),
}

impl Message {
    /// The text of a message of text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => std::str::from_utf8(text).ok(),
            Self::Binary(_) => None,
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(bytes) | Self::Binary(bytes) => bytes,
        }
    }
}

/// What came is not a message of frames. Nothing of it counts, and the link ends.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not JSON of the form that it should have.
    #[error("JSON: {0}")]
    Json(String),
    /// Text that is not UTF-8.
    #[error("text that is not UTF-8")]
    Utf8,
    /// More than [`MAX_FRAMES`].
    #[error("more than {MAX_FRAMES} frames in a message")]
    TooManyFrames,
    /// A part ends before it should.
    #[error("truncated frame")]
    Truncated,
    /// Bytes are left in a frame.
    #[error("bytes after the end of a {0}")]
    Trailing(&'static str),
    /// A varint that is too long.
    #[error("malformed varint")]
    Varint,
    /// A bit, number or name that means nothing here.
    #[error("{0} has no such value")]
    Value(&'static str),
    /// A member that must be there is not.
    #[error("no {0}")]
    Missing(&'static str),
    /// A part is longer than it may be.
    #[error("{0} is too long")]
    TooLong(&'static str),
    /// A payload is not JSON, or nested too deep.
    #[error("a payload that is not JSON")]
    Payload,
}

/// The frames of a message, without those whose type is not known. At most 1024 of them, and allocates for no
/// more than the message holds.
///
/// # Errors
///
/// [`WireError`]
pub fn decode(message: &Message) -> Result<Vec<Frame>, WireError> {
    decode_apart(message).map(Apart::into_frames)
}

/// The same, envelopes apart from the rest.
pub(crate) fn decode_apart(message: &Message) -> Result<Apart, WireError> {
    match message {
        Message::Text(text) => {
            json::decode(std::str::from_utf8(text).map_err(|_| WireError::Utf8)?)
        }
        Message::Binary(bytes) => binary::decode(bytes),
    }
}
