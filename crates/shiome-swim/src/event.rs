use core::net::SocketAddr;

use shiome_gossip::NodeId;

/// What the owner of the engine may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A seed answered: this node is in.
    Joined {
        /// The member that answered.
        via: NodeId,
        /// Its address.
        addr: SocketAddr,
    },
    /// A member is there: it is new, or back.
    MemberUp {
        /// Its id.
        id: NodeId,
        /// Where it listens for gossip.
        addr: SocketAddr,
    },
    /// A member did not answer and is given some time to object. Most suspects turn out to be well; do not act on it.
    MemberSuspected {
        /// Its id.
        id: NodeId,
    },
    /// A suspect objected in time.
    MemberRecovered {
        /// Its id.
        id: NodeId,
    },
    /// A member is gone. Follows on each [`MemberUp`](Self::MemberUp) at most once.
    MemberDown {
        /// Its id.
        id: NodeId,
        /// Where it listened.
        addr: SocketAddr,
        /// How it went.
        reason: DownReason,
    },
    /// The address, role or slots of a member that is up are others now.
    MemberChanged {
        /// Its id.
        id: NodeId,
    },
    /// This node took a new incarnation: it was said to be gone, or somewhere else, or its role or slots changed. Keep
    /// it for the next start.
    Incarnation {
        /// The new incarnation.
        incarnation: u64,
    },
    /// Somebody uses this node's id at another address: it had that address before, or somebody else has the same id
    /// and one of the two has to change.
    Conflict {
        /// The other's address.
        addr: SocketAddr,
    },
    /// A replica asks for votes.
    VoteRequest {
        /// The replica.
        candidate: NodeId,
        /// The epoch that it wants to lead.
        epoch: u64,
        /// How far it has replicated.
        offset: u64,
    },
    /// A primary gives its vote.
    VoteGranted {
        /// The voter.
        from: NodeId,
        /// Whom it votes for.
        candidate: NodeId,
        /// The epoch.
        epoch: u64,
    },
    /// The leave that was begun is told; this node can go.
    Departed,
}

/// How a member went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DownReason {
    /// It was suspected and did not object.
    Failed,
    /// It said goodbye.
    Left,
    /// Another node answers at its address.
    Replaced,
}
