use std::time::Duration;

use bytes::Bytes;
use shiome_wire::{auth::NameMessage, control::Actor, node};

use crate::{channels::ChannelId, error::SessionError};

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
    /// The peer was pinged several times and not one byte has come for
    /// [`Config::liveness_timeout`](crate::Config::liveness_timeout): close the link, or wait. Comes again with every
    /// ping until the peer says something.
    Unresponsive {
        /// Time since the last byte came.
        silence: Duration,
    },
    /// More than [`MAX_CONTROL_BACKLOG`](crate::MAX_CONTROL_BACKLOG) waits to be told to a peer that does not read:
    /// close the link. What came on top was dropped. Comes once.
    NotReading,
    /// The peer broke a rule by what it did not do, and the session is closed.
    Failed(SessionError),
    /// The peer asks that the local actor, which has been announced, stop. [`refuse`](crate::Session::refuse) it, or do
    /// it.
    StopRequested {
        /// Pid of the local actor.
        pid: u64,
        /// Why, in words.
        reason: Option<String>,
        /// At once, whatever it is doing.
        kill: bool,
    },
    /// The peer wants to know when and why the local actor, which has been announced, ends: tell with
    /// [`exited`](crate::Session::exited). [`refuse`](crate::Session::refuse) it, or do nothing.
    MonitorRequested {
        /// Pid of the local actor.
        pid: u64,
    },
    /// The peer does not want to know any more.
    DemonitorRequested {
        /// Pid of the local actor.
        pid: u64,
    },
    /// An actor of the peer that is [monitored](crate::Session::monitor) has ended. Once a monitor; a legacy peer's
    /// with kind [`Unknown`](ExitKind::Unknown).
    Exited {
        /// Pid of the peer's actor.
        pid: u64,
        /// How it ended.
        kind: ExitKind,
        /// Why, in words.
        reason: Option<String>,
    },
    /// The peer does not let this node do that. A refused monitor is over.
    Refused {
        /// Pid of the peer's actor.
        pid: u64,
        /// What was asked for.
        verb: Verb,
    },
    /// The peer closes the link, and the session is closed.
    Goodbye {
        /// Why.
        reason: GoodbyeReason,
        /// Why, in words, for logs.
        detail: String,
    },
    /// The session was closed with messages of users that were not handed to the link, or are not known to have been
    /// written. Comes once, when there are any.
    Unsent {
        /// One-way messages among them.
        casts: usize,
        /// Calls among them; each ends with [`CallEnd::Closed`] too.
        calls: usize,
        /// Replies among them.
        replies: usize,
        /// Their length, in bytes.
        bytes: usize,
    },
    /// A name of a local actor, group or scope is above [`MAX_NAME_LEN`](crate::MAX_NAME_LEN), and the peer would close
    /// the link for it: the actor was told without its name, the group not at all. For logs.
    NameUntold {
        /// Length of the name, in bytes.
        len: usize,
    },
    /// Both sides have opened the channel: messages go both ways from now on.
    ChannelUp {
        /// The own end.
        channel: ChannelId,
        /// Longest message that the peer takes on it, in bytes.
        max_message_len: u64,
    },
    /// The peer has closed its end of the channel. What waited there is forgotten. It may open one of that name again.
    ChannelDown {
        /// The own end, which stays open.
        channel: ChannelId,
    },
    /// A message on a channel that is up.
    ChannelMessage {
        /// The own end.
        channel: ChannelId,
        /// The message.
        data: Bytes,
        /// What it takes of the channel's window, until [`taken_from_channel`](crate::Session::taken_from_channel).
        cost: u64,
    },
    /// A message for the channel was refused with [`ChannelError::Full`](crate::ChannelError::Full), and half of the queue is
    /// free again.
    ChannelRoom {
        /// The own end.
        channel: ChannelId,
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
    /// The session ended.
    Closed {
        /// Whether the call was handed to the link, so that the callee may have seen it.
        written: bool,
    },
    /// The peer says so. Never from a legacy peer.
    Refused(CallErrorCode),
}

/// Why a call is not answered, in the words of the callee's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CallErrorCode {
    /// There is no such actor, or none that the caller may address.
    UnknownActor,
    /// The actor does not understand the message.
    Undecodable,
    /// The actor dropped the call.
    NoReply,
    /// Too many calls are open.
    Overloaded,
    /// The node does not let the caller do that.
    NotAllowed,
    /// The reply is longer than the caller takes.
    TooLong,
    /// Not told, or for a reason that is not known here.
    Other,
}

/// How an actor ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExitKind {
    /// In good order, maybe for a reason.
    Stopped,
    /// It failed.
    Failed,
    /// It was killed.
    Killed,
    /// There was none.
    UnknownActor,
    /// Not told.
    Unknown,
}

/// What a node asks of another's actor, and may be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// That it stop.
    Stop,
    /// To be told when it ends.
    Monitor,
}

/// Why a node closes a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GoodbyeReason {
    /// The node stops.
    Shutdown,
    /// The program has closed this link.
    Closed,
    /// Another link between the two nodes stays.
    Duplicate,
    /// The other broke a rule or a limit.
    Protocol,
    /// The other did not answer.
    Unresponsive,
    /// Not told, or for a reason that is not known here.
    Other,
}

/// Why a message of the peer was skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Skipped {
    /// Cast, call or stop to a pid that is not announced to this peer, or not any more. A native caller is told.
    NotAnnounced {
        /// The pid that was addressed.
        pid: u64,
    },
    /// Call above [`Config::max_open_calls`](crate::Config::max_open_calls). A native caller is told.
    Overloaded {
        /// The pid that was addressed.
        pid: u64,
    },
    /// Reply or error of a call that is not open: late, repeated or made up.
    UnknownReply {
        /// The pid that the reply names as callee.
        pid: u64,
        /// The call's number.
        tag: u64,
    },
    /// End or refusal of an actor that is not monitored, or not any more.
    NotMonitored {
        /// The pid that is told of.
        pid: u64,
    },
    /// Message on a channel that this side has closed.
    ChannelClosed,
    /// Pong without a timestamp, or with one that is not of a recent ping without pong.
    OddPong,
    /// Reserved: a ping without timestamp is answered with a pong without one.
    OddPing,
    /// A handshake message after the handshake, or a message without known content.
    Unexpected,
}
