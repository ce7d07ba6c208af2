use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The secret that all nodes of a cluster share.
///
/// It never leaves the node, appears in no `Debug` output and is wiped from memory on drop. There is no `PartialEq`:
/// comparing secrets byte by byte tells how much of a guess was right.
#[derive(Clone)]
pub struct Cookie(Zeroizing<String>);

impl Cookie {
    /// Takes the secret as UTF-8 text, of any length.
    pub fn new(secret: impl Into<String>) -> Self {
        Self(Zeroizing::new(secret.into()))
    }

    /// A key for another purpose than the handshake: HMAC-SHA256 of `label`, keyed with the cookie (RFC 2104).
    ///
    /// One label gives one key on all nodes that share the cookie, and other labels give keys that have nothing to do
    /// with it. Nobody finds the cookie in a key but by guessing, so keys are as strong as the cookie is. A label names
    /// program, purpose and version.
    ///
    /// ```
    /// let cookie = shiome_handshake::Cookie::new("drawn from a good generator");
    /// let key = cookie.derive_key("example backup 1");
    /// assert_eq!(key, cookie.derive_key("example backup 1"));
    /// assert_ne!(key, cookie.derive_key("example backup 2"));
    /// ```
    #[must_use]
    pub fn derive_key(&self, label: &str) -> Zeroizing<[u8; 32]> {
        let mac = Hmac::<Sha256>::new_from_slice(self.as_bytes());
        let mac = mac.expect("HMAC takes keys of any length");
        let mut key = Zeroizing::new([0; 32]);
        key.copy_from_slice(&mac.chain_update(label).finalize().into_bytes());
        key
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl From<String> for Cookie {
    fn from(secret: String) -> Self {
        Self::new(secret)
    }
}

impl From<&str> for Cookie {
    fn from(secret: &str) -> Self {
        Self::new(secret)
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_key_is_hmac_sha256_of_the_label() {
        // RFC 4231, test case 2.
        let key = Cookie::new("Jefe").derive_key("what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(*key), expected);
        // Longer than a block of the hash.
        let long = Cookie::new("x".repeat(100));
        assert_ne!(long.derive_key("label"), long.derive_key("lable"));
    }
}
