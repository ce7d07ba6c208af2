use shiome_session::{CallEnd, CallErrorCode, SendError};
use thiserror::Error;

use super::{
    CastOrSend,
    down::{Down, NodeDown},
    run::RunEnd,
};
use crate::node::node_session::Shared;

/// A message was not sent to a remote actor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CastError {
    /// There is no link to the actor's node at present. It may come back.
    #[error("not connected to the node: {0}")]
    NotConnected(NodeDown),
    /// There is a link to the node again, and it has not told its actors yet.
    #[error("the node has not told its actors yet")]
    NotReady,
    /// The run of the node that the actor belongs to is over. Nothing brings it back.
    #[error("the node's run is over: {0}")]
    Ended(RunEnd),
    /// More bytes wait to be written to the node than allowed.
    #[error("{queued} bytes wait to be written, the limit is {limit}")]
    Full {
        /// Bytes that wait.
        queued: usize,
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// The message is longer than the node takes.
    #[error("message of {len} bytes, the node takes {limit}")]
    TooLong {
        /// Length of the encoded message, in bytes.
        len: u64,
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// The node has told that the actor is gone, or has never told of it.
    #[error("the node has no such actor")]
    UnknownActor,
    /// As many calls are open as allowed.
    #[error("{limit} calls are open already")]
    TooManyCalls {
        /// The limit in force.
        limit: usize,
    },
    /// The message's type cannot be sent to other nodes, or is not of the kind, cast or call, that was asked for.
    #[error("not a message for another node")]
    Unserializable,
}

impl CastError {
    pub(super) fn from_send(error: SendError, link: &Shared) -> Self {
        match error {
            SendError::TooLong { len, limit } => Self::TooLong { len, limit },
            SendError::TooManyCalls { limit } => Self::TooManyCalls { limit },
            SendError::Full { queued, limit } => Self::Full { queued, limit },
            SendError::UnknownActor { .. } => Self::UnknownActor,
            _ => Self::ending(link),
        }
    }

    /// The link ends, and the run of its node may not know it yet.
    pub(super) fn ending(link: &Shared) -> Self {
        let ending = link.ending.get().map(|ending| ending.down.clone());
        Self::NotConnected(ending.unwrap_or(NodeDown::Closed))
    }

    /// What a monitor says that cannot begin.
    pub(super) fn down(self) -> Down {
        match self {
            Self::NotConnected(reason) => Down::NodeDown(reason),
            Self::Ended(end) => Down::NodeDown(end.into()),
            _ => Down::UnknownActor,
        }
    }
}

/// A call to a remote actor has no reply.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CallError {
    /// It was not sent.
    #[error(transparent)]
    NotSent(#[from] CastError),
    /// Its time is over.
    #[error("timed out")]
    TimedOut,
    /// The node has no such actor, or none that this node may address.
    #[error("the node has no such actor")]
    UnknownActor,
    /// The actor does not understand the message.
    #[error("the actor does not understand the message")]
    Undecodable,
    /// The actor has dropped the call without an answer. One that was not exported explicitly also does so with a
    /// message that it does not understand.
    #[error("the actor dropped the call")]
    NoReply,
    /// The actor has ended.
    #[error("the actor has ended")]
    Terminated,
    /// Too many calls are open at the node.
    #[error("too many calls are open at the node")]
    Overloaded,
    /// The node does not let this one call the actor.
    #[error("not allowed")]
    NotAllowed,
    /// The reply is longer than this node takes.
    #[error("the reply is too long")]
    ReplyTooLong,
    /// The reply is not of the type that was asked for.
    #[error("the reply does not decode")]
    UndecodableReply,
    /// The link was lost.
    #[error("link lost, {}", if *written { "the message may have arrived" } else { "the message was not written" })]
    LinkLost {
        /// Whether the message had been written to the link: then the actor may have got it.
        written: bool,
    },
    /// The node refused for a reason that is not known here.
    #[error("refused")]
    Refused,
}

impl From<CallEnd> for CallError {
    fn from(end: CallEnd) -> Self {
        match end {
            CallEnd::TimedOut => Self::TimedOut,
            CallEnd::Terminated => Self::Terminated,
            CallEnd::Closed { written } => Self::LinkLost { written },
            CallEnd::Refused(code) => code.into(),
            _ => Self::Refused,
        }
    }
}

impl From<CallErrorCode> for CallError {
    fn from(code: CallErrorCode) -> Self {
        match code {
            CallErrorCode::UnknownActor => Self::UnknownActor,
            CallErrorCode::Undecodable => Self::Undecodable,
            CallErrorCode::NoReply => Self::NoReply,
            CallErrorCode::Overloaded => Self::Overloaded,
            CallErrorCode::NotAllowed => Self::NotAllowed,
            CallErrorCode::TooLong => Self::ReplyTooLong,
            _ => Self::Refused,
        }
    }
}

/// A remote actor was not stopped.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum StopError {
    /// There is no link to the actor's node, or no such actor.
    #[error(transparent)]
    NotSent(#[from] CastError),
    /// The node has no word for it: it is not one of shiome.
    #[error("the node cannot stop actors for others")]
    NotSupported,
    /// The node does not let this one stop the actor, or does not let it watch how that ends.
    #[error("not allowed")]
    NotAllowed,
    /// The actor had not ended in time.
    #[error("the actor has not ended in time")]
    TimedOut,
}

impl From<CastOrSend> for StopError {
    fn from(error: CastOrSend) -> Self {
        match error {
            CastOrSend::Send(SendError::NotNegotiated, _) => Self::NotSupported,
            error => CastError::from(error).into(),
        }
    }
}
