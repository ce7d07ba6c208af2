use std::time::Duration;

use bytes::Bytes;
use shiome_wire::{auth::NameMessage, control::Actor, node};

/// What the owner of a [`Session`](crate::Session) has to act on, in this order.
///
/// `C` is the owner's handle of an outgoing call, for instance its reply port.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<C> {
    /// Deliver to the local actor `to`, which has been announced.
    Cast(node::Cast),
    /// Deliver to the local actor, and answer with [`reply`](crate::Session::reply) or
    /// [`drop_call`](crate::Session::drop_call), exactly once, at the latest when its timeout is over.
    Call(InboundCall),
    /// An outgoing call was answered.
    Reply {
        /// What was given to [`call`](crate::Session::call).
        call: C,
        /// The encoded reply.
        what: Bytes,
    },
    /// An outgoing call will not be answered.
    CallEnded {
        /// What was given to [`call`](crate::Session::call).
        call: C,
        /// Why.
        why: CallEnd,
    },
    /// Actors of the peer can be addressed from now on. Only those that were not known.
    Spawned(Vec<Actor>),
    /// These actors of the peer are gone. Only those that were known; they have left their groups too.
    Terminated(Vec<u64>),
    /// Actors of the peer joined a group. Only those that were not members; they can be addressed from now on.
    Joined {
        /// Scope of the group.
        scope: String,
        /// Name of the group.
        group: String,
        /// The new members.
        actors: Vec<Actor>,
    },
    /// Actors of the peer left a group. Only those that were members.
    Left {
        /// Scope of the group.
        scope: String,
        /// Name of the group.
        group: String,
        /// Pids of the former members.
        pids: Vec<u64>,
    },
    /// The peer, which calls itself so, asks for the nodes that this one is connected to. Answer with
    /// [`list_sessions`](crate::Session::list_sessions).
    SessionsRequested(NameMessage),
    /// Nodes that the peer is connected to.
    SessionsListed(Vec<NameMessage>),
    /// Both sides have sent their initial state. Comes once.
    Ready,
    /// The peer answered a ping.
    Pong {
        /// Time from ping to pong.
        round_trip: Duration,
    },
    /// The peer was pinged several times and has said nothing for
    /// [`Config::pong_timeout`](crate::Config::pong_timeout): close the link, or wait. Comes again with every ping
    /// until the peer says something.
    Unresponsive {
        /// Time since the first ping that nothing followed.
        silence: Duration,
    },
    /// A name of a local actor, group or scope is above [`MAX_NAME_LEN`](crate::MAX_NAME_LEN), and the peer would close
    /// the link for it: the actor was told without its name, the group not at all. For logs.
    NameUntold {
        /// Length of the name, in bytes.
        len: usize,
    },
    /// A message of the peer was skipped. For logs and counters.
    Skipped(Skipped),
}

/// A call from the peer to a local actor.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct InboundCall {
    /// Pid of the local actor.
    pub to: u64,
    /// The peer's number of the call, to be given back with the reply.
    pub tag: u64,
    /// How long the caller waits; `None`: until the link ends, or many years.
    pub timeout: Option<Duration>,
    /// Which message of the actor this is.
    pub variant: String,
    /// Encoded arguments.
    pub what: Bytes,
    /// Out-of-band data of the sender.
    pub metadata: Option<Bytes>,
}

/// Why an outgoing call ended without a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallEnd {
    /// Its time is over.
    TimedOut,
    /// The callee is gone, and its last replies have had time to arrive.
    Terminated,
    /// The link ended.
    Closed,
}

/// Why a message of the peer was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skipped {
    /// Cast or call to a pid that is not announced to this peer, or not any more.
    NotAnnounced {
        /// The pid that was addressed.
        pid: u64,
    },
    /// Call above [`Config::max_open_calls`](crate::Config::max_open_calls).
    Overloaded {
        /// The pid that was addressed.
        pid: u64,
    },
    /// Reply to a call that is not open: late, repeated or made up.
    UnknownReply {
        /// The pid that the reply names as callee.
        pid: u64,
        /// The call's number.
        tag: u64,
    },
    /// Pong without a timestamp, or with one that is not of a recent ping without pong.
    OddPong,
    /// Reserved: a ping without timestamp is answered with a pong without one.
    OddPing,
    /// A handshake message after the handshake, or a message without known content.
    Unexpected,
}
