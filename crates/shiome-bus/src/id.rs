//! Names of peers, and of what they sent.

use std::{
    fmt,
    str::FromStr,
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use smol_str::SmolStr;

use crate::{
    BusError,
    error::{InvalidName, NameFault},
};

/// Bytes of a peer's id at most: room for a name, a host and a tag, and little in every envelope.
pub const MAX_PEER_ID_LEN: usize = 128;

/// The greatest number that every peer can name: beyond it, a JavaScript number is no longer exact.
pub const MAX_NUMBER: u64 = (1 << 53) - 1;

/// Name of a peer: 1 to [`MAX_PEER_ID_LEN`] bytes of `A-Z a-z 0-9 . _ ~ @ -`, compared byte by byte.
///
/// Cloning allocates nothing; ids of up to 23 bytes are copied whole.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(SmolStr);

impl PeerId {
    /// Makes an id of `text`.
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when it is empty, too long, or has other characters.
    pub fn new(text: &str) -> Result<Self, BusError> {
        match fault(text) {
            None => Ok(Self(SmolStr::new(text))),
            Some(fault) => Err(InvalidName::new("peer id", text, fault).into()),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fault(text: &str) -> Option<NameFault> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._~@-".contains(&byte);
    if text.is_empty() {
        Some(NameFault::Empty)
    } else if text.len() > MAX_PEER_ID_LEN {
        Some(NameFault::TooLong(MAX_PEER_ID_LEN))
    } else if !text.bytes().all(allowed) {
        Some(NameFault::Character)
    } else {
        None
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PeerId {
    type Err = BusError;

    fn from_str(text: &str) -> Result<Self, BusError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for PeerId {
    type Error = BusError;

    fn try_from(text: &str) -> Result<Self, BusError> {
        Self::new(text)
    }
}

impl TryFrom<&String> for PeerId {
    type Error = BusError;

    fn try_from(text: &String) -> Result<Self, BusError> {
        Self::new(text)
    }
}

impl TryFrom<String> for PeerId {
    type Error = BusError;

    fn try_from(text: String) -> Result<Self, BusError> {
        Self::new(&text)
    }
}

impl From<&Self> for PeerId {
    fn from(id: &Self) -> Self {
        id.clone()
    }
}

/// Which life of a peer: a peer that starts anew under its old id has a greater one.
///
/// At most [`MAX_NUMBER`]. Those of this crate are microseconds since 1970, and strictly increasing within a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(u64);

impl Incarnation {
    /// The incarnation with this number, or `None` above [`MAX_NUMBER`].
    #[must_use]
    pub const fn new(number: u64) -> Option<Self> {
        if number > MAX_NUMBER {
            return None;
        }
        Some(Self(number))
    }

    /// One that is greater than all that this process made before.
    #[must_use]
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |since| since.as_micros() as u64 & MAX_NUMBER);
        let greater = |last: u64| Some(now.max(last + 1));
        let last = LAST
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, greater)
            .unwrap_or_else(|last| last);
        Self(now.max(last + 1))
    }

    /// Its number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Name of an envelope among all that its sender ever sent: which life of the sender, and which envelope of that life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId {
    /// Life of the sender.
    pub incarnation: Incarnation,
    /// Number of the envelope, from 1, at most [`MAX_NUMBER`]; grows with every envelope, whomever it goes to.
    pub seq: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.incarnation.0, self.seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_letters_digits_and_some_signs() {
        for text in ["a", "bob-1", "n_1.x~2@host", &"x".repeat(MAX_PEER_ID_LEN)] {
            assert_eq!(PeerId::new(text).unwrap().as_str(), text);
        }
        let too_long = "x".repeat(MAX_PEER_ID_LEN + 1);
        for text in ["", " ", "a b", "a/b", "é", "a\n", "*", ">", &too_long] {
            assert!(
                matches!(PeerId::new(text), Err(BusError::InvalidName(_))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn incarnations_grow_and_stay_exact_in_a_browser() {
        let lives: Vec<_> = (0..1000).map(|_| Incarnation::next()).collect();
        assert!(lives.is_sorted_by(|a, b| a < b));
        assert!(lives.iter().all(|life| life.get() <= MAX_NUMBER));
        assert_eq!(Incarnation::new(MAX_NUMBER + 1), None);
        assert!(Incarnation::new(MAX_NUMBER).is_some());
    }
}
