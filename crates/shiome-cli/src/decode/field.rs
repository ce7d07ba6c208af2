//! What is said about bytes: fields with their places, and what is wrong.

use serde::Serialize;
use thiserror::Error;

/// One part of a message: where it stands, what it says, and of what it consists.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Field {
    /// Where it starts, in bytes from the start of the stream or of the datagram.
    pub(super) offset: usize,
    /// Its length with all that it consists of, in bytes.
    pub(super) len: usize,
    /// How many of these bytes are its own, and of none of its parts: with parts, the ones in front of them.
    #[serde(skip)]
    pub(super) own: usize,
    /// Number of a protobuf field, tag of another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) number: Option<u64>,
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    #[serde(skip_serializing_if = "Value::is_none")]
    pub(super) value: Value,
    /// What the value stands for, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) word: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) meaning: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<Self>,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Value {
    /// Parts of its own, or nothing.
    None,
    Unsigned(u64),
    Signed(i64),
    Bool(bool),
    Text(String),
    #[serde(serialize_with = "as_hex")]
    Bytes(Vec<u8>),
}

impl Value {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

fn as_hex<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

impl Field {
    /// A field of `len` bytes without parts.
    pub(super) fn leaf(
        offset: usize,
        len: usize,
        name: impl Into<String>,
        kind: &'static str,
        value: Value,
    ) -> Self {
        Self {
            offset,
            len,
            own: len,
            number: None,
            name: name.into(),
            kind,
            value,
            word: None,
            meaning: "",
            fields: Vec::new(),
        }
    }

    /// A field that is the sum of its parts.
    pub(super) fn group(offset: usize, name: impl Into<String>, kind: &'static str) -> Self {
        Self::leaf(offset, 0, name, kind, Value::None)
    }

    pub(super) fn number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }

    pub(super) fn meaning(mut self, meaning: &'static str) -> Self {
        self.meaning = meaning;
        self
    }
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize)]
#[error("{reason}, at byte {offset}")]
pub(super) struct Problem {
    /// Where the field stands that is wrong or cut short, in bytes from the start of the stream or of the datagram.
    pub(super) offset: usize,
    pub(super) reason: String,
}

impl Problem {
    pub(super) fn new(offset: usize, reason: impl Into<String>) -> Self {
        Self {
            offset,
            reason: reason.into(),
        }
    }
}

/// One frame or datagram, explained as far as it goes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Explained {
    /// `frame`, `gossip`, `gossip-compact` or `gossip-encrypted`.
    pub(super) format: &'static str,
    /// Where it starts in the stream, in bytes; 0 for a datagram.
    pub(super) offset: usize,
    /// Its length, in bytes; of a frame that is cut short, what is there.
    pub(super) len: usize,
    /// What kind of message it is, in words.
    pub(super) kind: String,
    pub(super) fields: Vec<Field>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<Problem>,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
    /// Its bytes, of which the first stands at `offset`.
    #[serde(skip)]
    pub(super) bytes: bytes::Bytes,
}
