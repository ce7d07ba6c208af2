//! What is said on a link.

use std::fmt;

use super::{CloseReason, Encoding};
use crate::{Envelope, Incarnation, PeerId};

/// One of the things that ends of a link say to each other.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Frame {
    /// A client asks to come in. Only as text.
    Hello(Box<Hello>),
    /// A server lets a client in. Only as text.
    Welcome(Box<Welcome>),
    /// A server does not let a client in, or a gateway speak for another peer.
    Refused(Refused),
    /// A message to a peer.
    Envelope(Envelope),
    /// What has come.
    Ack {
        /// How many envelopes of this session.
        received: u64,
    },
    /// Asks for a pong.
    Ping {
        /// To be repeated.
        nonce: u64,
    },
    /// Answers a ping.
    Pong {
        /// That of the ping.
        nonce: u64,
    },
    /// Who can be reached through the link.
    Presence(Presence),
    /// The last frame.
    Goodbye(Goodbye),
}

impl Frame {
    /// Its `type`, for logs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Welcome(_) => "welcome",
            Self::Refused(_) => "refused",
            Self::Envelope(_) => "envelope",
            Self::Ack { .. } => "ack",
            Self::Ping { .. } => "ping",
            Self::Pong { .. } => "pong",
            Self::Presence(_) => "presence",
            Self::Goodbye(_) => "goodbye",
        }
    }
}

/// What the owner of an id can show. Not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// This text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a client says first.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// Highest version of the protocol that it speaks.
    pub version: u64,
    /// Who it is.
    pub id: PeerId,
    /// Which run of it.
    pub incarnation: Incarnation,
    /// For the server's owner to judge.
    pub token: Option<Secret>,
    /// Shows that the id is its own.
    pub reclaim: Option<Secret>,
    /// How many envelopes it has had in the session that it wants to go on with.
    pub received: Option<u64>,
    /// What it understands, best first. Never empty.
    pub encodings: Vec<Encoding>,
    /// Bytes of the longest message that it takes.
    pub max_message: u64,
    /// The heartbeat that it wishes.
    pub heartbeat_ms: u64,
}

/// What a server says first to whom it lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Welcome {
    /// The version of the protocol that both speak.
    pub version: u64,
    /// Who the server is.
    pub id: PeerId,
    /// Which run of it.
    pub incarnation: Incarnation,
    /// Whether it passes envelopes on between its clients.
    pub relay: bool,
    /// Whether the client may speak for other peers.
    pub gateway: bool,
    /// What both may send from now on, besides text.
    pub encoding: Encoding,
    /// Shows that the id is the client's.
    pub reclaim: Secret,
    /// Whether the session goes on.
    pub resumed: bool,
    /// How many envelopes of the client the server has had in it.
    pub received: u64,
    /// Bytes of the longest message that it takes.
    pub max_message: u64,
    /// The heartbeat in use.
    pub heartbeat_ms: u64,
    /// How long the session of a lost client is kept.
    pub grace_ms: u64,
}

/// A no.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// Why.
    pub reason: CloseReason,
    /// The peer that a gateway may not speak for; `None`: the client itself.
    pub id: Option<PeerId>,
    /// When another attempt makes sense; `None`: never.
    pub retry_ms: Option<u64>,
    /// For people.
    pub detail: String,
}

impl Refused {
    /// A no for this reason, for good.
    pub fn new(reason: CloseReason) -> Self {
        Self {
            reason,
            id: None,
            retry_ms: None,
            detail: String::new(),
        }
    }
}

/// Who can be reached through the link.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presence {
    /// What was said before is to be forgotten.
    pub all: bool,
    /// There are more than are told.
    pub partial: bool,
    /// The snapshot goes on with the next frame of presence.
    pub more: bool,
    /// They can, from now on.
    pub present: Vec<(PeerId, Incarnation)>,
    /// They cannot any longer.
    pub absent: Vec<PeerId>,
}

/// Why a link ends.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Goodbye {
    /// Why.
    pub reason: CloseReason,
    /// For people.
    pub detail: String,
}

impl Goodbye {
    /// For this reason.
    pub fn new(reason: CloseReason) -> Self {
        Self {
            reason,
            detail: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_printed() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
