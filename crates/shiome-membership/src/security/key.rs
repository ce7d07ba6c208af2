use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};
use thiserror::Error;
use zeroize::{Zeroize, Zeroizing};

/// A secret that encrypts gossip: 32 bytes, all of them random.
///
/// A password is none, for whoever records a datagram can try passwords at leisure. Memory is wiped when the key is
/// dropped, and no `Debug` shows it.
///
/// ```
/// use shiome_membership::Key;
///
/// let key: Key = "9f3c5d1e7a08b6422dd1c0fe3344aa95e0b7716c8fa2d3944b5c6d7e8f901223".parse()?;
/// assert_eq!(key.id(), key.clone().id());
/// # Ok::<(), shiome_membership::ParseKeyError>(())
/// ```
#[derive(Clone)]
pub struct Key(Box<Zeroizing<[u8; Self::LEN]>>);

impl Key {
    /// Length, in bytes.
    pub const LEN: usize = 32;

    /// Draws a new key from the operating system's randomness.
    pub fn random() -> Self {
        let mut bytes = rand::random();
        Self::take(&mut bytes)
    }

    /// What the key is called on the wire and in logs. It tells nothing about the key.
    pub fn id(&self) -> KeyId {
        let mut hash = Sha256::new();
        hash.update(KEY_ID_LABEL);
        hash.update(self.as_bytes());
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        KeyId(u32::from_le_bytes([a, b, c, d]))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Moves `bytes` into the key and wipes them.
    fn take(bytes: &mut [u8; Self::LEN]) -> Self {
        let mut key = Box::new(Zeroizing::new([0; Self::LEN]));
        key.copy_from_slice(bytes);
        bytes.zeroize();
        Self(key)
    }
}

impl From<[u8; Self::LEN]> for Key {
    fn from(mut bytes: [u8; Self::LEN]) -> Self {
        Self::take(&mut bytes)
    }
}

/// From 64 hex digits, as `openssl rand -hex 32` prints them.
impl FromStr for Key {
    type Err = ParseKeyError;

    fn from_str(digits: &str) -> Result<Self, ParseKeyError> {
        let mut bytes = [0; Self::LEN];
        match hex::decode_to_slice(digits, &mut bytes) {
            Ok(()) => Ok(Self::take(&mut bytes)),
            Err(_) => {
                bytes.zeroize();
                Err(ParseKeyError)
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id()).finish()
    }
}

/// The text is not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a key is 64 hex digits")]
pub struct ParseKeyError;

/// The name of a [`Key`]: the first four bytes, little-endian, of SHA-256 over `shiome gossip key id 1` and the key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub(crate) u32);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// Sets the hash apart from any other use of the key.
const KEY_ID_LABEL: &[u8] = b"shiome gossip key id 1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_digits_are_the_key() {
        let digits = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let key: Key = digits.parse().unwrap();
        assert_eq!(key.as_bytes(), &std::array::from_fn(|index| index as u8));
        for wrong in [
            "",
            "00",
            &digits[2..],
            &format!("{digits}00"),
            &digits.replace('f', "g"),
        ] {
            assert_eq!(wrong.parse::<Key>().unwrap_err(), ParseKeyError);
        }
    }

    #[test]
    fn keys_have_ids_of_their_own_and_print_nothing_else() {
        let [one, other] = [Key::from([1; 32]), Key::from([2; 32])];
        assert_ne!(one.id(), other.id());
        assert_ne!(Key::random().as_bytes(), Key::random().as_bytes());
        assert_eq!(format!("{one:?}"), format!("Key(KeyId({}))", one.id()));
        assert!(!format!("{one:?}").contains("0101"));
    }
}
