use thiserror::Error;

use crate::channels::ChannelFault;

/// The peer broke a rule or went beyond a limit. The session is closed; close the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SessionError {
    /// More actors announced than [`Config::max_announced_actors`](crate::Config::max_announced_actors).
    #[error("peer announced more than {limit} actors")]
    TooManyActors {
        /// The limit in force.
        limit: usize,
    },
    /// More actors in groups than [`Config::max_grouped_actors`](crate::Config::max_grouped_actors).
    #[error("peer has more than {limit} actors in groups")]
    TooManyGroupedActors {
        /// The limit in force.
        limit: usize,
    },
    /// More group memberships than [`Config::max_memberships`](crate::Config::max_memberships).
    #[error("peer has more than {limit} group memberships")]
    TooManyMemberships {
        /// The limit in force.
        limit: usize,
    },
    /// The names of actors and groups take more bytes than
    /// [`Config::max_directory_bytes`](crate::Config::max_directory_bytes).
    #[error("peer's names take more than {limit} bytes")]
    DirectoryTooLarge {
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// A name of an actor, group or scope is longer than [`MAX_NAME_LEN`](crate::MAX_NAME_LEN).
    #[error("peer sent a name of {len} bytes, the limit is {limit}")]
    NameTooLong {
        /// Length of the name, in bytes.
        len: usize,
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// A kind of message that both ends have not agreed on.
    #[error("peer sent a {kind}, which was not agreed on")]
    NotNegotiated {
        /// Kind of the message.
        kind: &'static str,
    },
    /// The peer proves a native handshake, and this side never saw its Hello: somebody on the way took it out.
    #[error("somebody on the way hides what the peer can do")]
    Downgraded,
    /// More bytes of casts and fragments, or on a channel, than were granted.
    #[error("peer sent more than the {window} bytes that it was granted")]
    CreditExceeded {
        /// The window in force, in bytes.
        window: u64,
    },
    /// More actors monitored than [`Config::max_monitors`](crate::Config::max_monitors).
    #[error("peer monitors more than {limit} actors")]
    TooManyMonitors {
        /// The limit in force.
        limit: usize,
    },
    /// Pieces that do not make a message.
    #[error("peer sent a wrong fragment")]
    Fragment(#[from] FragmentError),
    /// What cannot be of a channel.
    #[error("peer broke the rules of channels: {0}")]
    Channel(#[from] ChannelFault),
}

/// What is wrong with a fragment of the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FragmentError {
    /// It holds nothing.
    #[error("empty fragment")]
    Empty,
    /// The first piece announces no length.
    #[error("message of length 0")]
    NoTotal,
    /// A piece that is not the first announces a length.
    #[error("length of the message told again")]
    TotalAgain,
    /// A message longer than [`Config::max_message_len`](crate::Config::max_message_len) was announced.
    #[error("message of {total} bytes announced, the limit is {limit}")]
    TooLong {
        /// Length that was announced, in bytes.
        total: u64,
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// A message began with the number of one that is not finished.
    #[error("number of an unfinished message used again")]
    NumberReused,
    /// The piece came before.
    #[error("fragment repeated")]
    Repeated,
    /// Pieces before this one are missing.
    #[error("fragment out of order")]
    Gap,
    /// The piece goes beyond the length of the message.
    #[error("more than announced")]
    BeyondTotal,
    /// More messages than [`MAX_FRAGMENTED`](crate::MAX_FRAGMENTED) are unfinished.
    #[error("more than {limit} unfinished messages")]
    TooMany {
        /// The limit in force.
        limit: usize,
    },
    /// The unfinished messages are longer than [`Config::max_reassembly_len`](crate::Config::max_reassembly_len).
    #[error("unfinished messages of more than {limit} bytes")]
    OverBudget {
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// The finished message is none, or holds too many items.
    #[error("fragments of what is not a message")]
    Undecodable,
    /// The finished message is not one between actors. Others are never so long.
    #[error("fragments of a message that is not between actors")]
    NotBetweenActors,
    /// No fragment came for [`Config::reassembly_timeout`](crate::Config::reassembly_timeout), and messages are
    /// unfinished.
    #[error("unfinished messages that do not go on")]
    Stalled,
}

/// A local message was not sent. The session is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message would cost the link: the peer closes it on messages above its limit.
    #[error("message of {len} bytes, the peer's limit is {limit}")]
    TooLong {
        /// Length of the encoded message, in bytes.
        len: u64,
        /// The limit in force, in bytes.
        limit: u64,
    },
    /// The peer has told that the actor is gone, or has never announced it.
    #[error("the peer has no actor {pid}")]
    UnknownActor {
        /// The pid that was addressed.
        pid: u64,
    },
    /// As many calls are open as [`Config::max_open_calls`](crate::Config::max_open_calls) allows.
    #[error("{limit} calls are open already")]
    TooManyCalls {
        /// The limit in force.
        limit: usize,
    },
    /// As much waits to be sent as [`Config::max_outbox`](crate::Config::max_outbox) allows.
    #[error("{queued} bytes wait to be sent already, the limit is {limit}")]
    Full {
        /// Bytes that wait.
        queued: usize,
        /// The limit in force, in bytes.
        limit: usize,
    },
    /// The peer cannot do that.
    #[error("the peer does not understand it")]
    NotNegotiated,
    /// As many actors are monitored as [`Config::max_monitors`](crate::Config::max_monitors) allows.
    #[error("{limit} actors are monitored already")]
    TooManyMonitors {
        /// The limit in force.
        limit: usize,
    },
    /// The session is closed, or about to be.
    #[error("the session is closed")]
    Closed,
}
