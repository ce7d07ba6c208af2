//! What nodes of shiome announce beyond what every node speaks.

use std::fmt;

use bytes::Bytes;
use prost::Message as _;
use shiome_wire::Capabilities;
use shiome_wire::auth::NodeFlags;
use shiome_wire::native::Hello;

use crate::config::Announce;
use crate::error::{HandshakeError, HelloError};

/// Highest version of the native protocol that is spoken here.
pub const NATIVE_VERSION: u32 = 1;

/// Lowest version of the native protocol that is spoken here.
pub const OLDEST_NATIVE_VERSION: u32 = 1;

/// Limit on an encoded Hello, in bytes. With two names at their limit the message around it stays below
/// [`MAX_UNAUTHENTICATED_FRAME_LEN`](shiome_wire::MAX_UNAUTHENTICATED_FRAME_LEN), and later versions have room for more
/// than ten times what the first needs.
pub const MAX_HELLO_LEN: usize = 1024;

/// Length of a Hello's nonce, in bytes.
pub const NONCE_LEN: usize = 32;

/// Least value of each limit in a Hello, in bytes. A node that takes less could not be sent a fragment.
pub const MIN_ANNOUNCED_LIMIT: u64 = 64 * 1024;

/// What both ends of an authenticated connection speak beyond what every node does.
#[derive(Clone, PartialEq, Eq)]
pub struct Native {
    /// The highest version that both speak.
    pub version: u32,
    /// What both can take.
    pub capabilities: Capabilities,
    /// What the peer has announced.
    pub hello: Hello,
}

/// Leaves out the nonce and what is not known here.
impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native")
            .field("version", &self.version)
            .field("capabilities", &self.capabilities)
            .field("incarnation", &self.hello.incarnation)
            .finish_non_exhaustive()
    }
}

/// The versions of the native protocol that a node speaks, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// Lowest, at least 1.
    pub oldest: u32,
    /// Highest.
    pub newest: u32,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.oldest, self.newest)
    }
}

/// What a peer announces in its flags, if it announces anything, and that is acceptable.
///
/// It is a claim, as the name is, until the handshake is over: an acceptor may go by the claimed incarnation when it
/// [admits](crate::admit) a newcomer, and must not touch other connections for it.
pub fn read_hello(flags: Option<&NodeFlags>) -> Option<Hello> {
    read(flags).ok().flatten()
}

/// As [`read_hello`], with what is wrong with it.
pub(crate) fn read(flags: Option<&NodeFlags>) -> Result<Option<Hello>, HelloError> {
    let encoded = raw(flags);
    if encoded.is_empty() {
        return Ok(None);
    }
    let len = encoded.len();
    if len > MAX_HELLO_LEN {
        return Err(HelloError::TooLong { len });
    }
    let hello = Hello::decode(encoded).map_err(|_| HelloError::Undecodable)?;
    check(&hello)?;
    Ok(Some(hello))
}

/// The bytes that both ends prove; empty when nothing is announced.
pub(crate) fn raw(flags: Option<&NodeFlags>) -> &[u8] {
    flags.map_or(&[], |flags| &flags.hello)
}

fn check(hello: &Hello) -> Result<(), HelloError> {
    let Versions { oldest, newest } = versions(hello);
    if oldest == 0 || oldest > newest {
        return Err(HelloError::Versions { oldest, newest });
    }
    if hello.nonce.len() != NONCE_LEN {
        let len = hello.nonce.len();
        return Err(HelloError::Nonce { len });
    }
    if hello.incarnation == 0 {
        return Err(HelloError::Incarnation);
    }
    // Each has to hold what the one before allows.
    let least = [
        ("window", hello.window, MIN_ANNOUNCED_LIMIT),
        ("max_frame_len", hello.max_frame_len, MIN_ANNOUNCED_LIMIT),
        (
            "max_message_len",
            hello.max_message_len,
            hello.max_frame_len,
        ),
        (
            "max_reassembly_len",
            hello.max_reassembly_len,
            hello.max_message_len,
        ),
    ];
    for (limit, value, least) in least {
        if value < least {
            return Err(HelloError::Limit {
                limit,
                value,
                least,
            });
        }
    }
    Ok(())
}

fn versions(hello: &Hello) -> Versions {
    Versions {
        oldest: hello.oldest_version,
        newest: hello.version,
    }
}

/// What this end announces on one connection.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) hello: Hello,
    /// As it is sent, and as it is proven.
    pub(crate) encoded: Bytes,
}

impl Own {
    pub(crate) fn new(announce: &Announce, nonce: [u8; NONCE_LEN]) -> Self {
        let hello = Hello {
            version: NATIVE_VERSION,
            oldest_version: OLDEST_NATIVE_VERSION,
            capabilities: announce.capabilities.bits(),
            incarnation: announce.incarnation,
            nonce: Bytes::copy_from_slice(&nonce),
            max_frame_len: announce.max_frame_len,
            max_message_len: announce.max_message_len,
            max_reassembly_len: announce.max_reassembly_len,
            window: announce.window,
        };
        let encoded = hello.encode_to_vec().into();
        Self { hello, encoded }
    }

    /// What this node and one that has announced `theirs` both speak.
    pub(crate) fn agree(&self, theirs: Hello) -> Result<Native, HandshakeError> {
        let version = self.hello.version.min(theirs.version);
        if version < self.hello.oldest_version.max(theirs.oldest_version) {
            return Err(HandshakeError::IncompatibleVersion {
                ours: versions(&self.hello),
                theirs: versions(&theirs),
            });
        }
        let bits = [&self.hello, &theirs].map(|hello| Capabilities::from_bits(hello.capabilities));
        Ok(Native {
            version,
            capabilities: bits[0] & bits[1],
            hello: theirs,
        })
    }
}

#[cfg(test)]
mod tests;
