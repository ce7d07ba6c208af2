//! What can be told to a bus, and of a link.

use std::time::Duration;

use tokio::runtime::Handle;

use crate::{MAX_PAYLOAD_LEN, PeerId};

/// Time that a request waits for its answer, unless told otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Time that a send waits for room, unless told otherwise: who waits longer is part of a circle of peers that wait for each other,
/// or sends to one that is stuck.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a link is kept waiting by one full mailbox: the others behind that link wait, too.
const INBOUND_PATIENCE: Duration = Duration::from_secs(1);

/// Options of a [`Bus`](crate::Bus).
#[derive(Debug, Clone)]
pub struct BusOptions {
    pub(crate) max_payload_len: usize,
    pub(crate) request_timeout: Duration,
    pub(crate) send_timeout: Duration,
    pub(crate) inbound_patience: Duration,
    pub(crate) relay: bool,
    pub(crate) bridge: bool,
    pub(crate) runtime: Option<Handle>,
}

impl Default for BusOptions {
    fn default() -> Self {
        Self {
            max_payload_len: MAX_PAYLOAD_LEN,
            request_timeout: REQUEST_TIMEOUT,
            send_timeout: SEND_TIMEOUT,
            inbound_patience: INBOUND_PATIENCE,
            relay: false,
            bridge: false,
            runtime: None,
        }
    }
}

impl BusOptions {
    /// Bytes of a payload as JSON text at most, sent or arrived, over any path. Default [`MAX_PAYLOAD_LEN`].
    #[must_use]
    pub fn max_payload_len(self, max_payload_len: usize) -> Self {
        Self {
            max_payload_len,
            ..self
        }
    }

    /// Time that requests and pings wait for their answer. Default [`REQUEST_TIMEOUT`].
    #[must_use]
    pub fn request_timeout(self, request_timeout: Duration) -> Self {
        Self {
            request_timeout,
            ..self
        }
    }

    /// Time that a send waits for room. Default [`SEND_TIMEOUT`].
    #[must_use]
    pub fn send_timeout(self, send_timeout: Duration) -> Self {
        Self {
            send_timeout,
            ..self
        }
    }

    /// Time that an envelope from a link waits for room in a mailbox before it is dropped. Default 1 s. All that comes over the same
    /// link waits for it: longer keeps what a slow peer is sent, shorter keeps its neighbours fast.
    #[must_use]
    pub fn inbound_patience(self, inbound_patience: Duration) -> Self {
        Self {
            inbound_patience,
            ..self
        }
    }

    /// Sends what comes over one link and is for a peer behind another on to that one. Without it, which is the default, nothing that
    /// comes from a link ever goes to one.
    #[must_use]
    pub fn relay(self) -> Self {
        Self {
            relay: true,
            ..self
        }
    }

    /// A [relay](Self::relay) that also tells the links of each kind of the peers behind links of other kinds, as if they were peers
    /// of this bus: clients of its `websocket::WebSocketServer`, say, and the nodes of a cluster. A name that is known behind a link
    /// of one kind is taken behind those of others. Between any two buses that do so there must be one way alone, over links of one
    /// kind: a peer that is gone would otherwise be told of in a circle.
    #[must_use]
    pub fn bridge(self) -> Self {
        Self {
            bridge: true,
            ..self.relay()
        }
    }

    /// The runtime for the tasks of peers and links. Default: the one that they are made in.
    #[must_use]
    pub fn runtime(self, runtime: Handle) -> Self {
        Self {
            runtime: Some(runtime),
            ..self
        }
    }
}

/// How a link is used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkOptions {
    pub(crate) uplink: bool,
    pub(crate) direct: bool,
    pub(crate) owner: Option<PeerId>,
    pub(crate) cost: u8,
}

impl LinkOptions {
    /// Envelopes for peers that nobody told of go over this link. Of several, the cheapest that is up, then the first.
    #[must_use]
    pub fn uplink(self) -> Self {
        Self {
            uplink: true,
            ..self
        }
    }

    /// It leads to the peer itself: it is taken before all that are not direct, whatever they cost.
    #[must_use]
    pub fn direct(self) -> Self {
        Self {
            direct: true,
            ..self
        }
    }

    /// It takes what that peer of the bus sends, and nothing of others. Default: all.
    #[must_use]
    pub fn owner(self, owner: PeerId) -> Self {
        Self {
            owner: Some(owner),
            ..self
        }
    }

    /// Of several links that reach a peer, the cheapest that is up is taken, then the first. Default 0.
    #[must_use]
    pub fn cost(self, cost: u8) -> Self {
        Self { cost, ..self }
    }

    /// The lesser goes first.
    pub(super) fn rank(&self) -> (bool, u8) {
        (!self.direct, self.cost)
    }

    /// Whether it takes what that peer sends.
    pub(super) fn serves(&self, from: &PeerId) -> bool {
        self.owner.as_ref().is_none_or(|owner| owner == from)
    }
}
