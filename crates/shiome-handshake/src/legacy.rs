//! Connections with peers that put no nonce on them: `ractor_cluster` 0.15.12 and 0.16.0.
//!
//! Such a node elects nothing. Its acceptor looks, at each Name and before any proof, at its first session with the
//! same peer name, and for one of the two orders of names it stops that session and refuses the new one: both are
//! lost. For the other order it keeps both. Of the sessions that it dialled itself it learns the name from our
//! challenge. So the rules here keep two facts from meeting at that node: a Name of ours, and a session in which it
//! knows us.
//!
//! * As acceptor, [`admit_nonceless`]: no challenge while a Name of ours may be on its way to the same node.
//! * As initiator, [`may_dial`]: no Name while a challenge of ours may be on its way to the same node, nor after.
//!
//! Both wait at most [`MAX_HOLD`].

use std::time::Duration;

use shiome_wire::auth::NameMessage;

use crate::event::{Admission, Side};

/// Limit on how long a status or a dial is held back.
///
/// A node that runs answers a Name within a round trip. Published initiators have no deadline of their own; this keeps
/// the wait below what a person notices and below the handshake's own deadline.
pub const MAX_HOLD: Duration = Duration::from_millis(500);

/// A connection that this node dials, until it is authenticated or has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DialState<'a> {
    /// The Name has not been sent. Nobody knows of the dial.
    Connecting {
        /// Address that is dialled.
        target: &'a str,
    },
    /// The Name has been sent, the challenge has not arrived. Who is there is not known.
    NameSent {
        /// Address that is dialled.
        target: &'a str,
    },
    /// The challenge has arrived: the peer's check for duplicates is behind us.
    Named {
        /// Address that is dialled.
        target: &'a str,
        /// Who the peer claims to be.
        peer: &'a NameMessage,
    },
}

/// A session in which the peer knows us, or may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionState<'a> {
    /// Accepted here, challenge sent, not authenticated.
    Challenged {
        /// Who the peer claims to be.
        peer: &'a NameMessage,
    },
    /// Authenticated.
    Authenticated {
        /// Who the peer is.
        peer: &'a NameMessage,
        /// Our side.
        side: Side,
    },
}

/// Outcome of [`admit_nonceless`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the status is sent or it is not")]
pub enum NoncelessAdmission {
    /// Send no status yet. Ask again when a dial or session changes, and when [`MAX_HOLD`] has passed.
    Hold,
    /// Send this status.
    Admit(Admission),
}

/// Outcome of [`may_dial`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "one dials, waits or does not dial")]
pub enum DialVerdict {
    /// Send the Name.
    Go,
    /// Send no Name yet. Ask again when a session changes, and when [`MAX_HOLD`] has passed.
    Hold,
    /// There is a session with the node at that address, or a dial on its way: drop this one.
    Connected,
}

/// The verdict on an initiator without nonce, `held` after its Name arrived.
pub fn admit_nonceless<'a>(
    newcomer: &NameMessage,
    held: Duration,
    own_dials: impl IntoIterator<Item = DialState<'a>>,
    sessions: impl IntoIterator<Item = SessionState<'a>>,
) -> NoncelessAdmission {
    let connected = sessions.into_iter().any(|session| {
        matches!(session, SessionState::Authenticated { peer, .. } if peer.name == newcomer.name)
    });
    if connected {
        return NoncelessAdmission::Admit(Admission::NotOk);
    }
    let patient = held < MAX_HOLD;
    for dial in own_dials {
        match dial {
            DialState::Connecting { .. } => {}
            DialState::NameSent { .. } if patient => return NoncelessAdmission::Hold,
            DialState::NameSent { target } if target == newcomer.connection_string => {
                return NoncelessAdmission::Admit(Admission::NotOk);
            }
            DialState::NameSent { .. } => {}
            DialState::Named { peer, .. } if peer.name == newcomer.name && patient => {
                return NoncelessAdmission::Hold;
            }
            DialState::Named { .. } => {}
        }
    }
    NoncelessAdmission::Admit(Admission::Ok)
}

/// Whether a connection to `target` that is established, but on which nothing has been sent, may send its Name, `held`
/// after it was established.
pub fn may_dial<'a>(
    target: &str,
    held: Duration,
    other_dials: impl IntoIterator<Item = DialState<'a>>,
    sessions: impl IntoIterator<Item = SessionState<'a>>,
) -> DialVerdict {
    let mut verdict = DialVerdict::Go;
    for session in sessions {
        match session {
            SessionState::Authenticated { peer, .. } if peer.connection_string == target => {
                return DialVerdict::Connected;
            }
            SessionState::Challenged { peer } if peer.connection_id == 0 && held < MAX_HOLD => {
                verdict = DialVerdict::Hold;
            }
            _ => {}
        }
    }
    let dialled = other_dials.into_iter().any(|dial| match dial {
        DialState::Connecting { .. } => false,
        DialState::NameSent { target: other } | DialState::Named { target: other, .. } => {
            other == target
        }
    });
    if dialled {
        return DialVerdict::Connected;
    }
    verdict
}
