use std::fmt;

use shiome_session::ExitKind;

/// How a monitored actor went.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Down {
    /// It stopped in good order, maybe for a reason.
    Stopped(Option<String>),
    /// It failed: its code returned an error or panicked.
    Failed(String),
    /// It was killed.
    Killed,
    /// It has ended, and its node does not tell why.
    Ended,
    /// There was no such actor when the monitor began.
    UnknownActor,
    /// Its node does not let this one watch it.
    NotAllowed,
    /// The link to its node is gone. The actor may live on.
    NodeDown(NodeDown),
}

impl Down {
    pub(crate) fn from_exit(kind: ExitKind, reason: Option<String>) -> Self {
        match kind {
            ExitKind::Stopped => Self::Stopped(reason),
            ExitKind::Failed => Self::Failed(reason.unwrap_or_default()),
            ExitKind::Killed => Self::Killed,
            ExitKind::UnknownActor => Self::UnknownActor,
            _ => Self::Ended,
        }
    }
}

impl fmt::Display for Down {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(None) => f.write_str("stopped"),
            Self::Stopped(Some(reason)) => write!(f, "stopped: {reason}"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Killed => f.write_str("killed"),
            Self::Ended => f.write_str("ended"),
            Self::UnknownActor => f.write_str("no such actor"),
            Self::NotAllowed => f.write_str("not allowed"),
            Self::NodeDown(reason) => write!(f, "node down: {reason}"),
        }
    }
}

/// Why the link to a node is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeDown {
    /// The node has said that it stops.
    Stopped,
    /// The node has closed the link.
    ClosedByPeer,
    /// This node has closed the link.
    Closed,
    /// The node has said nothing for
    /// [`Config::liveness_timeout`](shiome_session::Config::liveness_timeout).
    Unresponsive,
    /// The node was started anew.
    Restarted,
    /// Another link between the two nodes has taken its place.
    Replaced,
    /// Gossip says that the node has failed.
    MemberFailed,
    /// Gossip says that the node has left.
    MemberLeft,
    /// One of the two broke a rule or a limit; in words.
    Protocol(String),
    /// The connection failed; in words.
    Lost(String),
}

impl fmt::Display for NodeDown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("it has stopped"),
            Self::ClosedByPeer => f.write_str("it has closed the link"),
            Self::Closed => f.write_str("this node has closed the link"),
            Self::Unresponsive => f.write_str("it does not respond"),
            Self::Restarted => f.write_str("it was started anew"),
            Self::Replaced => f.write_str("another link has taken its place"),
            Self::MemberFailed => f.write_str("gossip says that it has failed"),
            Self::MemberLeft => f.write_str("gossip says that it has left"),
            Self::Protocol(detail) => write!(f, "protocol violation: {detail}"),
            Self::Lost(detail) => write!(f, "connection lost: {detail}"),
        }
    }
}
