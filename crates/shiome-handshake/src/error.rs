use thiserror::Error;

use crate::handshake::MAX_SKIPPED;
use crate::hello::{MAX_HELLO_LEN, NONCE_LEN, Versions};
use crate::name::MAX_NAME_LEN;

/// Why a handshake did not go on.
///
/// Except for [`NotAwaited`](Self::NotAwaited) the handshake has failed when this is returned: it has dropped what it
/// had queued, takes nothing any more, and the connection is to be closed. All that may be left to send is a server's
/// NOT_ALLOWED, on [`NativeRequired`](Self::NativeRequired) and [`IncompatibleVersion`](Self::IncompatibleVersion).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The peer sent a message that this state does not await, or one without known content.
    #[error("{message} received while awaiting {awaited}")]
    Unexpected {
        /// Kind of the message.
        message: &'static str,
        /// What was awaited instead.
        awaited: &'static str,
    },
    /// The peer sent more than [`MAX_SKIPPED`] messages that belong to no handshake.
    #[error("more than {MAX_SKIPPED} messages that belong to no handshake")]
    TooManySkipped,
    /// The peer sent a status that does not exist. It is not read as OK.
    #[error("unknown status {0}")]
    UnknownStatus(i32),
    /// The peer's name or connection string is not acceptable.
    #[error("peer's {0}")]
    Name(#[from] NameError),
    /// The peer has our name or our connection string: the node has reached itself, or a node configured as its twin.
    #[error("connected to a node with our own name or connection string")]
    SelfConnection,
    /// The peer does not want this connection. It may well want, or have, another one.
    #[error("refused: {0}")]
    Refused(RefusedBy),
    /// The peer does not know the cookie, or uses another [`DigestScheme`](crate::DigestScheme).
    #[error("wrong digest")]
    WrongDigest,
    /// The peer answered with our own challenge or our own digest, which takes no cookie.
    #[error("our own challenge or digest came back")]
    Reflected,
    /// What the peer announces about itself is not acceptable.
    #[error("peer's hello is malformed: {0}")]
    BadHello(#[from] HelloError),
    /// There is no version of the native protocol that both ends speak.
    #[error("peer speaks versions {theirs} of the native protocol, this node {ours}")]
    IncompatibleVersion {
        /// What this end speaks.
        ours: Versions,
        /// What the peer claims to speak.
        theirs: Versions,
    },
    /// The peer announces nothing, which [`Config::require_native`](crate::Config::require_native) does not allow: it
    /// is a published node, or its announcement was taken away.
    #[error("peer does not speak the native protocol, which is required")]
    NativeRequired,
    /// The peer knows the cookie, or had it proven for it, but has not seen the same handshake on the same channel:
    /// somebody stands in between and changes what the ends say.
    #[error("wrong proof of the handshake")]
    WrongProof,
    /// The time for the whole handshake was up.
    #[error("handshake timed out")]
    Deadline,
    /// The caller answered a question that had not been asked, or fed a handshake that had failed before. The
    /// handshake is unchanged.
    #[error("{call} is not awaited")]
    NotAwaited {
        /// Method that was called.
        call: &'static str,
    },
}

impl HandshakeError {
    /// Who is to blame.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unexpected { .. }
            | Self::TooManySkipped
            | Self::UnknownStatus(_)
            | Self::Name(_)
            | Self::BadHello(_) => Fault::Protocol,
            Self::IncompatibleVersion { .. } => Fault::Incompatible,
            Self::SelfConnection | Self::Refused(_) | Self::NativeRequired => Fault::Refused,
            Self::WrongDigest | Self::Reflected | Self::WrongProof => Fault::NotAuthentic,
            Self::Deadline => Fault::Deadline,
            Self::NotAwaited { .. } => Fault::Caller,
        }
    }
}

/// Whose fault a [`HandshakeError`] is, for what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The peer does not follow the protocol. Dialling again will not help.
    Protocol,
    /// The ends speak different versions. Dialling again will help when one of them is upgraded.
    Incompatible,
    /// One of the ends does not want the connection.
    Refused,
    /// The peer has not proven that it knows the cookie.
    NotAuthentic,
    /// The peer, or the owner of the handshake, was too slow.
    Deadline,
    /// The owner of the handshake called what it must not.
    Caller,
}

/// How the peer refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RefusedBy {
    /// Status NOT_OK: the acceptor has a connection with this node that stays.
    #[error("another connection stays")]
    NotOk,
    /// Status NOT_ALLOWED: the acceptor tells no reason.
    #[error("not allowed")]
    NotAllowed,
    /// The initiator gave up when it was told that a connection is up.
    #[error("the initiator gave up")]
    ClientStatus,
}

/// What is wrong with a name. The message says which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty. It is what sessions are elected by.
    #[error("name is empty")]
    Empty,
    /// The name is longer than [`MAX_NAME_LEN`].
    #[error("name has {len} bytes, the limit is {MAX_NAME_LEN}")]
    NameTooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The connection string is longer than [`MAX_NAME_LEN`].
    #[error("connection string has {len} bytes, the limit is {MAX_NAME_LEN}")]
    ConnectionStringTooLong {
        /// Its length in bytes.
        len: usize,
    },
}

/// What is wrong with a Hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum HelloError {
    /// It is longer than [`MAX_HELLO_LEN`].
    #[error("{len} bytes, the limit is {MAX_HELLO_LEN}")]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// It is not protobuf.
    #[error("undecodable")]
    Undecodable,
    /// No version lies between the two that it names, or the first is 0.
    #[error("speaks versions {oldest} to {newest}")]
    Versions {
        /// The lowest.
        oldest: u32,
        /// The highest.
        newest: u32,
    },
    /// The nonce does not have [`NONCE_LEN`] bytes.
    #[error("nonce has {len} bytes, not {NONCE_LEN}")]
    Nonce {
        /// Its length in bytes.
        len: usize,
    },
    /// The incarnation is 0.
    #[error("incarnation is 0")]
    Incarnation,
    /// A limit is lower than what it has to hold.
    #[error("{limit} is {value}, the least is {least}")]
    Limit {
        /// Name of the field.
        limit: &'static str,
        /// What it says, in bytes.
        value: u64,
        /// What it would have to be.
        least: u64,
    },
}
