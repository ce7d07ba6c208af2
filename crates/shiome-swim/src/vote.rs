use shiome_gossip::{NodeId, Update, compact};

use crate::event::Event;

/// A vote update. It belongs to no member's state and passes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vote {
    Request {
        candidate: NodeId,
        epoch: u64,
        offset: u64,
    },
    Granted {
        from: NodeId,
        candidate: NodeId,
        epoch: u64,
    },
}

impl From<Vote> for Update<'static> {
    fn from(vote: Vote) -> Self {
        match vote {
            Vote::Request {
                candidate,
                epoch,
                offset,
            } => Self::VoteRequest {
                candidate,
                epoch,
                offset,
            },
            Vote::Granted {
                from,
                candidate,
                epoch,
            } => Self::VoteGranted {
                from,
                candidate,
                epoch,
            },
        }
    }
}

impl From<Vote> for compact::Update<'static> {
    fn from(vote: Vote) -> Self {
        match vote {
            Vote::Request {
                candidate,
                epoch,
                offset,
            } => Self::VoteRequest {
                candidate,
                epoch,
                offset,
            },
            Vote::Granted {
                from,
                candidate,
                epoch,
            } => Self::VoteGranted {
                from,
                candidate,
                epoch,
            },
        }
    }
}

impl From<Vote> for Event {
    fn from(vote: Vote) -> Self {
        match vote {
            Vote::Request {
                candidate,
                epoch,
                offset,
            } => Self::VoteRequest {
                candidate,
                epoch,
                offset,
            },
            Vote::Granted {
                from,
                candidate,
                epoch,
            } => Self::VoteGranted {
                from,
                candidate,
                epoch,
            },
        }
    }
}
