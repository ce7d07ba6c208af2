//! Who may read gossip and whose gossip is believed.
//!
//! No socket, clock or task in here: time and bytes are arguments.
//!
//! # An encrypted datagram
//!
//! Integers are little-endian.
//!
//! | offset | bytes | field                                                                              |
//! |--------|-------|------------------------------------------------------------------------------------|
//! | 0      | 1     | 0x80; 0x81 in a reliable ping                                                      |
//! | 1      | 1     | version, 1                                                                         |
//! | 2      | 2     | low bits of the cluster's id                                                       |
//! | 4      | 4     | [`KeyId`]                                                                          |
//! | 8      | 4     | when it was sent, seconds of Unix time modulo 2³²                                  |
//! | 12     | 8     | sender: start of SHA-256 over `shiome gossip sender 1` and the node's id (*)       |
//! | 20     | 8     | epoch: greater after each start of the sender                                      |
//! | 28     | 8     | counter: number of the datagram within the epoch, whoever it goes to               |
//! | 36     | n     | what is said, encrypted with XChaCha20-Poly1305                                    |
//! | 36 + n | 16    | tag over it, the 36 bytes before, and the cluster's id (u64)                       |
//!
//! (*) Without a state directory, 16 random bytes of each run.
//!
//! The nonce is bytes 12 to 35. All nodes of a cluster share a key, so nonces must never meet: who, which run and which
//! datagram make 24 bytes, which XChaCha20 has room for and AES-GCM (12) has not, and no node has to draw or agree on
//! any. It is fast on machines without AES instructions too.
//!
//! The epoch is wall-clock milliseconds when the node started, times 2²⁰, plus as many random bits; with a state
//! directory it is also above any epoch of the node before, whatever the clock says.

mod envelope;
mod guard;
mod header;
mod key;
mod keyring;
mod replay;
mod senders;

use std::{fmt, time::Duration};

use shiome_gossip::{Secret, TAG_LEN as HMAC_LEN};
use thiserror::Error;

pub use key::{Key, KeyId, ParseKeyError};
pub use keyring::{Keyring, KeyringError};

pub(crate) use envelope::Protection;
pub(crate) use guard::Guard;
pub(crate) use header::{HEADER_LEN, PING_TAG};

/// Bytes that encryption adds to a datagram: header and tag.
pub const ENCRYPTION_OVERHEAD: usize = HEADER_LEN + AEAD_TAG_LEN;

const AEAD_TAG_LEN: usize = 16;

/// How gossip is protected. All nodes of a cluster have to agree on it.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum Security {
    /// Not at all: whoever can send datagrams to a node can join, and declare others dead.
    #[default]
    Plaintext,
    /// As `ember-cluster` 0.4.9 does: each datagram bears a keyed hash, of 32 bytes. Strangers are kept out, but all can
    /// read, and a recorded datagram is good for ever. For clusters with such nodes in them.
    Hmac(Secret),
    /// Nobody without a key can read or speak, and nothing is heard twice.
    Encrypted(Encryption),
}

impl Security {
    /// Bytes that it adds to a datagram. Messages are shorter by as much.
    pub fn overhead(&self) -> usize {
        match self {
            Self::Plaintext => 0,
            Self::Hmac(_) => HMAC_LEN,
            Self::Encrypted(_) => ENCRYPTION_OVERHEAD,
        }
    }

    /// Whether its flags go together.
    pub(crate) fn check(&self) -> Result<(), MigrationError> {
        match self {
            Self::Plaintext | Self::Hmac(_) => Ok(()),
            Self::Encrypted(encryption) => {
                check_migration(encryption.accept_plaintext, encryption.send_encrypted)
            }
        }
    }
}

fn check_migration(accept_plaintext: bool, send_encrypted: bool) -> Result<(), MigrationError> {
    if accept_plaintext || send_encrypted {
        Ok(())
    } else {
        Err(MigrationError::OneWay)
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plaintext => f.write_str("Plaintext"),
            Self::Hmac(_) => f.write_str("Hmac(..)"),
            Self::Encrypted(encryption) => encryption.fmt(f),
        }
    }
}

/// [`Encrypted`](Security::Encrypted), with [the defaults](Encryption::new).
impl From<Keyring> for Security {
    fn from(keyring: Keyring) -> Self {
        Self::Encrypted(Encryption::new(keyring))
    }
}

/// How gossip is encrypted.
///
/// # From plaintext to encrypted
///
/// Nobody is cut off if each step is done on all nodes before the next, with
/// [`Membership::set_migration`](crate::Membership::set_migration) or by starting them again:
///
/// | step | `accept_plaintext` | `send_encrypted` |                                      |
/// |------|--------------------|------------------|--------------------------------------|
/// | 1    | true               | false            | all can read both, and write as ever |
/// | 2    | true               | true             | all write encrypted                  |
/// | 3    | false              | true             | nobody reads plaintext any more      |
///
/// Only step 3 keeps strangers out. The other way round is the way back.
///
/// # What a recording is good for
///
/// Whoever records datagrams and sends them again, to any node and from any address:
///
/// * To a node that heard of the sender's current epoch: nothing, but for datagrams that went to *other* nodes. They are
///   taken once, while they are among the sender's latest 1024. What they say is meant for all.
/// * After a restart of the sender: nothing of its former epochs.
/// * To the sender itself: nothing.
/// * To a node that has heard nothing of the sender since it started, or since it heard 32 768 others: a whole session,
///   if its first datagram is not older than [`max_clock_skew`](Self::max_clock_skew), until the sender itself is heard.
///   It can announce members that have left since. They do not answer, and are found dead.
/// * After the key is [removed](Keyring::remove): nothing.
///
/// All who hold a key are trusted alike: any of them can speak as any other.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Encryption {
    /// The keys.
    pub keyring: Keyring,
    /// Whether datagrams in the clear are taken too. Default: false.
    pub accept_plaintext: bool,
    /// Whether what is sent is encrypted. Default: true.
    pub send_encrypted: bool,
    /// How far apart the wall clocks of two nodes may be when they first hear of each other. Above it they do not hear
    /// each other at all, and `rejected_not_fresh` counts that. It is also how old a recording of a sender may be that a
    /// node has not heard of. Default: 5 min.
    pub max_clock_skew: Duration,
}

impl Encryption {
    /// With the defaults: everything encrypted.
    pub fn new(keyring: Keyring) -> Self {
        Self {
            keyring,
            accept_plaintext: false,
            send_encrypted: true,
            max_clock_skew: Duration::from_secs(5 * 60),
        }
    }
}

/// A step of a migration that cannot be. The node goes on as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MigrationError {
    /// The node was started without keys.
    #[error("the node has no keys")]
    NoKeys,
    /// It would speak in a way that it does not itself accept.
    #[error("sends plaintext but does not accept it")]
    OneWay,
}

/// Why a datagram or a message of a reliable ping was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Reject {
    #[error("too short")]
    Truncated,
    #[error("too long")]
    Oversized,
    #[error("in the clear")]
    Plaintext,
    #[error("encrypted, and there are no keys")]
    Encrypted,
    #[error("of another version")]
    UnknownVersion,
    #[error("of another cluster")]
    WrongCluster,
    #[error("encrypted with an unknown key")]
    UnknownKey,
    #[error("forged or corrupted")]
    Forged,
    #[error("heard before")]
    Replayed,
    #[error("sent by this node itself")]
    Reflected,
    #[error("from before the sender's restart")]
    OldEpoch,
    #[error("sent too long ago by a sender not heard of")]
    NotFresh,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let hmac = Security::Hmac(Secret::new("hunter2").unwrap());
        assert_eq!(format!("{hmac:?}"), "Hmac(..)");
        let encrypted = Security::from(Keyring::new(&Key::from([0xab; 32])));
        let printed = format!("{encrypted:?}");
        assert!(printed.contains("KeyId"), "{printed}");
        assert!(
            !printed.contains("abab") && !printed.contains("171"),
            "{printed}"
        );
    }

    #[test]
    fn each_mode_names_what_it_adds() {
        let encrypted = Security::from(Keyring::new(&Key::random()));
        let hmac = Security::Hmac(Secret::new("hunter2").unwrap());
        let overheads = [Security::Plaintext, hmac, encrypted].map(|mode| mode.overhead());
        assert_eq!(overheads, [0, 32, 52]);
    }
}
