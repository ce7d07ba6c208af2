//! What goes wrong on a bus, as one type.

use std::{convert::Infallible, error::Error, fmt, sync::Arc, time::Duration};

use crate::{Name, PeerId};

/// Bytes of a reason that are told to another process.
pub const MAX_REASON_LEN: usize = 256;

/// Why a peer could not do what it was asked to. Cheap to clone: a source is shared.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BusError {
    /// Nobody of that name is on the bus, and no link is known to reach it. Nothing was sent.
    #[error("no peer {0} is known")]
    NodeNotFound(PeerId),
    /// The envelope arrived, and the peer has no handler for its intent. It was dropped there.
    #[error("peer {peer} has no handler for {intent}")]
    NoHandler {
        /// Who has none.
        peer: PeerId,
        /// Name of the intent.
        intent: Name,
    },
    /// A handler of the peer panicked or returned an error. Others may have run.
    #[error("a handler of peer {peer} failed: {reason}")]
    HandlerFailed {
        /// Whose handler.
        peer: PeerId,
        /// What it said, cut to [`MAX_REASON_LEN`] bytes.
        reason: Arc<str>,
    },
    /// No answer came in time. The envelope may or may not have been handled, and may still be.
    #[error("no answer of peer {peer} within {after:?}")]
    Timeout {
        /// Who did not answer.
        peer: PeerId,
        /// How long was waited.
        after: Duration,
    },
    /// The link to the peer is down. Of something that waited for an answer: it went down meanwhile, and the envelope may or
    /// may not have been handled.
    #[error("the link to peer {0} is down")]
    NotConnected(PeerId),
    /// The peer's mailbox, or a link on the way, has no room. Nothing was accepted.
    #[error("the queue to peer {0} is full")]
    QueueFull(PeerId),
    /// The payload is larger than the bus takes. Nothing was sent.
    #[error("a payload of {len} bytes is over the limit of {limit}")]
    PayloadTooLarge {
        /// Bytes of the payload as JSON text.
        len: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// A payload is no JSON, or not of the type that was asked for.
    #[error("payload: {0}")]
    Serialization(#[source] Arc<dyn Error + Send + Sync>),
    /// A name breaks the rules for names.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// A peer of that id is already there.
    #[error("the name {0} is taken")]
    NameTaken(PeerId),
    /// The other end does not let us do that.
    #[error("not allowed: {0}")]
    Unauthorized(Arc<str>),
    /// The link failed.
    #[error("link: {0}")]
    Network(#[source] Arc<dyn Error + Send + Sync>),
    /// An intent that arrived was sent on too often; see [`MAX_HOPS`](crate::MAX_HOPS).
    #[error("the intent was sent on too often on its way to peer {0}")]
    TooManyHops(PeerId),
    /// An interceptor refused the envelope.
    #[error("refused: {0}")]
    Refused(Arc<str>),
    /// The peer, ours or the one that was sent to, is closed.
    #[error("peer {0} is closed")]
    Closed(PeerId),
    /// There is no tokio runtime to run on.
    #[error("no tokio runtime: call this within one, or give one to the bus")]
    NoRuntime,
}

/// What kind of error it is, with a name that all implementations of the protocol share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// [`BusError::NodeNotFound`].
    NodeNotFound,
    /// [`BusError::NoHandler`].
    NoHandler,
    /// [`BusError::HandlerFailed`].
    HandlerFailed,
    /// [`BusError::Timeout`].
    Timeout,
    /// [`BusError::NotConnected`].
    NotConnected,
    /// [`BusError::QueueFull`].
    QueueFull,
    /// [`BusError::PayloadTooLarge`].
    PayloadTooLarge,
    /// [`BusError::Serialization`].
    Serialization,
    /// [`BusError::InvalidName`].
    InvalidName,
    /// [`BusError::NameTaken`].
    NameTaken,
    /// [`BusError::Unauthorized`].
    Unauthorized,
    /// [`BusError::Network`].
    Network,
    /// [`BusError::TooManyHops`].
    TooManyHops,
    /// [`BusError::Refused`].
    Refused,
    /// [`BusError::Closed`].
    Closed,
    /// [`BusError::NoRuntime`].
    NoRuntime,
}

impl ErrorKind {
    const ALL: [(Self, &'static str); 16] = [
        (Self::NodeNotFound, "node_not_found"),
        (Self::NoHandler, "no_handler"),
        (Self::HandlerFailed, "handler_failed"),
        (Self::Timeout, "timeout"),
        (Self::NotConnected, "not_connected"),
        (Self::QueueFull, "queue_full"),
        (Self::PayloadTooLarge, "payload_too_large"),
        (Self::Serialization, "serialization"),
        (Self::InvalidName, "invalid_name"),
        (Self::NameTaken, "name_taken"),
        (Self::Unauthorized, "unauthorized"),
        (Self::Network, "network"),
        (Self::TooManyHops, "too_many_hops"),
        (Self::Refused, "refused"),
        (Self::Closed, "closed"),
        (Self::NoRuntime, "no_runtime"),
    ];

    /// Its name on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let named = Self::ALL.iter().find(|(kind, _)| *kind == self);
        named.expect("every kind has a name").1
    }

    /// The kind of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let named = Self::ALL.iter().find(|(_, known)| *known == name);
        named.map(|(kind, _)| *kind)
    }
}

impl BusError {
    /// A payload that could not be written or read.
    pub fn serialization(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Serialization(source.into().into())
    }

    /// A link that failed.
    pub fn network(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Network(source.into().into())
    }

    /// What kind of error it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NodeNotFound(_) => ErrorKind::NodeNotFound,
            Self::NoHandler { .. } => ErrorKind::NoHandler,
            Self::HandlerFailed { .. } => ErrorKind::HandlerFailed,
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::NotConnected(_) => ErrorKind::NotConnected,
            Self::QueueFull(_) => ErrorKind::QueueFull,
            Self::PayloadTooLarge { .. } => ErrorKind::PayloadTooLarge,
            Self::Serialization(_) => ErrorKind::Serialization,
            Self::InvalidName(_) => ErrorKind::InvalidName,
            Self::NameTaken(_) => ErrorKind::NameTaken,
            Self::Unauthorized(_) => ErrorKind::Unauthorized,
            Self::Network(_) => ErrorKind::Network,
            Self::TooManyHops(_) => ErrorKind::TooManyHops,
            Self::Refused(_) => ErrorKind::Refused,
            Self::Closed(_) => ErrorKind::Closed,
            Self::NoRuntime => ErrorKind::NoRuntime,
        }
    }
}

impl From<Infallible> for BusError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<serde_json::Error> for BusError {
    fn from(error: serde_json::Error) -> Self {
        Self::serialization(error)
    }
}

/// A name that breaks the rules, and which rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {name:?}: {fault}")]
pub struct InvalidName {
    what: &'static str,
    name: Arc<str>,
    fault: NameFault,
}

impl InvalidName {
    pub(crate) fn new(what: &'static str, name: &str, fault: NameFault) -> Self {
        Self {
            what,
            name: cut(name).into(),
            fault,
        }
    }

    /// The name, cut to [`MAX_REASON_LEN`] bytes.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self) -> NameFault {
        self.fault
    }
}

/// What is wrong with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameFault {
    /// It has no character.
    Empty,
    /// It has more bytes than this.
    TooLong(usize),
    /// It has a character that names do not have.
    Character,
    /// It has a token without characters: a dot at an end, or two in a row.
    EmptyToken,
    /// It begins with `sys.`, which only the bus sends.
    Reserved,
    /// It has a wildcard where there may be none.
    Wildcard,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong(limit) => write!(f, "it is longer than {limit} bytes"),
            Self::Character => f.write_str("it has a character that is not allowed"),
            Self::EmptyToken => f.write_str("it has an empty token"),
            Self::Reserved => f.write_str("names that begin with sys. are reserved"),
            Self::Wildcard => f.write_str("it has a wildcard where none may be"),
        }
    }
}

/// At most [`MAX_REASON_LEN`] bytes of `text`, whole characters.
pub(crate) fn cut(text: &str) -> &str {
    if text.len() <= MAX_REASON_LEN {
        return text;
    }
    let ends = text.char_indices().map(|(place, _)| place);
    let end = ends.take_while(|end| *end <= MAX_REASON_LEN).last();
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own() {
        for (kind, name) in ErrorKind::ALL {
            assert_eq!(kind.as_str(), name);
            assert_eq!(ErrorKind::from_name(name), Some(kind));
        }
        assert_eq!(ErrorKind::from_name("nonsense"), None);
    }

    #[test]
    fn long_names_are_cut_at_a_character() {
        let name = "é".repeat(MAX_REASON_LEN);
        let error = InvalidName::new("name", &name, NameFault::Character);
        assert_eq!(error.name().len(), MAX_REASON_LEN);
        assert_eq!(cut("short"), "short");
    }
}
