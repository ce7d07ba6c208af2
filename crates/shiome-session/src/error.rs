use thiserror::Error;

/// The peer went beyond a limit. The session is closed; close the link.
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
}

/// A local message was not sent. The session is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message would cost the link: the peer closes it on frames above its limit.
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
    /// The session is closed.
    #[error("the session is closed")]
    Closed,
}
