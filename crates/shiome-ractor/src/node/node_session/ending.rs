use shiome_session::GoodbyeReason;

use crate::remote::NodeDown;

/// How a session ends.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The reason that the session's actor stops with.
    pub(crate) why: &'static str,
    /// The reason for whoever watches the peer.
    pub(crate) down: NodeDown,
    /// What the peer is told, if it is still there.
    pub(crate) goodbye: GoodbyeReason,
    /// Whether that, and what waits, is written first. To a peer that is gone it would only delay the end.
    pub(crate) flush: bool,
}

impl Ending {
    /// The program has closed the session.
    pub(super) fn closed() -> Self {
        Self {
            why: "closed",
            down: NodeDown::Closed,
            goodbye: GoodbyeReason::Closed,
            flush: true,
        }
    }

    /// Another session with the peer stays. The peer knows that one, too.
    pub(super) fn lost_election(down: NodeDown) -> Self {
        Self {
            why: "duplicate_connection",
            goodbye: GoodbyeReason::Duplicate,
            flush: down == NodeDown::Replaced,
            down,
        }
    }

    /// The node stops.
    pub(crate) fn node_stopped() -> Self {
        Self {
            why: "node_stopped",
            down: NodeDown::Closed,
            goodbye: GoodbyeReason::Shutdown,
            flush: true,
        }
    }
}
