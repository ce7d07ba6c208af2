use std::fmt;

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
