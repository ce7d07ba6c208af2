use std::time::Duration;

use shiome_session::{Session, wire::Capabilities};
use shiome_transport::Security;
use tokio::time::Instant;

use crate::node::node_session::Shared;

/// What is known of the link to a peer at the moment, from [`Node::link`](crate::Node::link).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LinkInfo {
    /// What the two nodes have agreed on; `None` when one of them speaks the common protocol only.
    pub native: Option<NativeInfo>,
    /// How the bytes are protected.
    pub security: Security,
    /// Bytes that wait to be written, with the overhead of each message.
    pub queued: usize,
    /// Time since the last byte from the peer. A peer that has nothing to say is pinged, so that this stays below
    /// [`Config::liveness_timeout`](shiome_session::Config::liveness_timeout).
    pub silence: Duration,
}

/// What two nodes of shiome have agreed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NativeInfo {
    /// Version of the protocol that they speak.
    pub version: u32,
    /// What both can take.
    pub capabilities: Capabilities,
    /// Which run of the peer's node this is.
    pub incarnation: u64,
}

impl LinkInfo {
    pub(crate) fn of(shared: &Shared) -> Self {
        let native = |session: &Session<_>| {
            session.terms().map(|terms| NativeInfo {
                version: terms.version,
                capabilities: terms.capabilities,
                incarnation: terms.incarnation,
            })
        };
        let (native, heard) = shared
            .peer
            .apply(|session, _| (native(session), session.last_heard()));
        Self {
            native,
            security: shared.security(),
            queued: shared.peer.queued_len(),
            silence: Instant::now().into_std().saturating_duration_since(heard),
        }
    }
}
