//! Why there is no direct connection.

use std::{io, net::SocketAddr, sync::Arc};

use shiome_bus::{BusError, wire::CloseReason};
use thiserror::Error;

/// Why a peer is not, or no longer, reached directly. What is sent to it goes another way, if there is one.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum Failure {
    /// One of the ends has no address that the other could try.
    #[error("no candidates")]
    NoCandidates,
    /// No pair of addresses lets anything through.
    #[error("no candidate pair passed its checks")]
    ChecksFailed,
    /// The TURN server does not let us have an address.
    #[error("TURN server {0} refused an allocation")]
    TurnRefused(SocketAddr),
    /// The TURN server says nothing.
    #[error("TURN server {0} does not answer")]
    TurnUnreachable(SocketAddr),
    /// The other end has found that there is no way, for the reason of this [name](Self::name).
    #[error("the other end: {0}")]
    AtPeer(&'static str),
    /// Addresses were found, and the channel did not open in time.
    #[error("the channel did not open in time")]
    Timeout,
    /// The peer got the offer, or not, and did not answer in time.
    #[error("the offer was not answered in time")]
    NoAnswer,
    /// The peer does not want it.
    #[error("refused: {0}")]
    Refused(Arc<str>),
    /// The peer does not know how.
    #[error("the peer has no WebRTC")]
    Unsupported,
    /// What is to be said could not be said.
    #[error("signalling: {0}")]
    Signalling(BusError),
    /// The peer said something that cannot be.
    #[error("malformed: {0}")]
    Malformed(Arc<str>),
    /// Nothing was heard for two heartbeats.
    #[error("nothing was heard")]
    Unresponsive,
    /// The peer, or this end, closed it.
    #[error("closed: {0}")]
    Closed(CloseReason),
    /// The peer sent more than may wait here.
    #[error("the peer sent more than may wait")]
    Overload,
    /// There are as many connections as there may be.
    #[error("too many connections")]
    Limit,
    /// A socket failed.
    #[error("network: {0}")]
    Network(#[source] Arc<io::Error>),
}

/// Names of the reasons why there is no way, as far as the other end is told.
const WAYLESS: [&str; 6] = [
    "no-candidates",
    "checks-failed",
    "turn-refused",
    "turn-unreachable",
    "timeout",
    "network",
];

impl Failure {
    /// A name that does not change, the same in all implementations.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::NoCandidates => "no-candidates",
            Self::ChecksFailed => "checks-failed",
            Self::TurnRefused(_) => "turn-refused",
            Self::TurnUnreachable(_) => "turn-unreachable",
            Self::AtPeer(name) => name,
            Self::Timeout => "timeout",
            Self::NoAnswer => "no-answer",
            Self::Refused(_) => "refused",
            Self::Unsupported => "unsupported",
            Self::Signalling(_) => "signalling",
            Self::Malformed(_) => "malformed",
            Self::Unresponsive => "unresponsive",
            Self::Closed(_) => "closed",
            Self::Overload => "overload",
            Self::Limit => "limit",
            Self::Network(_) => "network",
        }
    }

    /// What the other end is told: why there is no way, or else how it ends.
    pub(crate) fn told(&self) -> &'static str {
        match WAYLESS.iter().find(|name| **name == self.name()) {
            Some(name) => name,
            None => self.reason().as_str(),
        }
    }

    /// What the other end told of why there is no way.
    pub(crate) fn of_told(name: &str) -> Option<Self> {
        let name = WAYLESS.iter().find(|known| **known == name)?;
        Some(match *name {
            "no-candidates" => Self::NoCandidates,
            "checks-failed" => Self::ChecksFailed,
            "timeout" => Self::Timeout,
            name => Self::AtPeer(name),
        })
    }

    pub(crate) fn malformed(why: impl ToString) -> Self {
        Self::Malformed(why.to_string().into())
    }

    /// Whether another attempt may end otherwise.
    pub(crate) fn may_retry(&self) -> bool {
        !matches!(
            self,
            Self::Refused(_) | Self::Unsupported | Self::Malformed(_) | Self::Limit
        )
    }

    /// What the other end is told.
    pub(crate) fn reason(&self) -> CloseReason {
        match self {
            Self::Closed(reason) => *reason,
            Self::Malformed(_) => CloseReason::Malformed,
            Self::Unresponsive | Self::Timeout | Self::NoAnswer => CloseReason::Unresponsive,
            Self::Overload => CloseReason::Overload,
            Self::Limit => CloseReason::Limit,
            Self::Refused(_) => CloseReason::Unauthorized,
            _ => CloseReason::Closed,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Network(Arc::new(error))
    }
}
