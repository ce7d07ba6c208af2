//! Sessions that are kept: whoever is at an address is dialled until there is a session, and again when it is lost.
//!
//! [`Keeper`](keeper::Keeper) decides when to dial, [`driver`] gives it time and events and does what it says,
//! [`Connections`] are all that a node keeps.

use std::time::Duration;

use crate::backoff::{FIRST_PAUSE, LONGEST_PAUSE};

mod connection;
mod connections;
mod driver;
mod keeper;

pub use connection::{Connection, ConnectionEnd, ConnectionState};
pub use connections::KeepError;
pub(crate) use connections::{Connections, check_address};

/// Addresses that a node keeps connected to at a time. Each is a task of some KiB that hears of all sessions; a cluster of
/// more nodes finds itself by gossip.
pub const MAX_KEPT_CONNECTIONS: usize = 1024;

/// How an address is dialled again, for [`Node::keep_connected_with`](crate::Node::keep_connected_with).
///
/// The first dial is made at once. Before each that follows is a pause, drawn evenly from nothing up to a bound; the bound
/// doubles from [`first`](Self::first) to [`longest`](Self::longest) ("full jitter"), and starts over after a session that
/// was [`stable_after`](Self::stable_after) so long. After an error that [is
/// permanent](crate::ConnectError::is_permanent) it is the longest at once.
///
/// ```
/// use std::time::Duration;
///
/// let mut reconnect = shiome_ractor::Reconnect::default();
/// reconnect.longest = Duration::from_secs(10);
/// reconnect.max_attempts = Some(20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reconnect {
    /// Bound of the first pause. From 10 ms to 1 day; what is outside is taken as the nearer end. Default: 250 ms.
    pub first: Duration,
    /// Bound of the longest pause: half of it passes on average until a node that was gone for long is found. From
    /// [`first`](Self::first) to 1 day. Default: 60 s.
    pub longest: Duration,
    /// A session that lasted so long shows that the two can talk: pauses and counts start over. One that did not counts
    /// as a dial that failed. Default: 10 s.
    pub stable_after: Duration,
    /// Dials without a session that lasted, after which no other is made. 0 is taken as 1. Default: no limit.
    pub max_attempts: Option<u32>,
    /// Time since the first of the dials without a session that lasted, after which no other is made; the last one is
    /// made when it is up. Default: no limit.
    pub give_up_after: Option<Duration>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first: FIRST_PAUSE,
            longest: LONGEST_PAUSE,
            stable_after: Duration::from_secs(10),
            max_attempts: None,
            give_up_after: None,
        }
    }
}

impl Reconnect {
    /// With pauses that are pauses, and that a clock can add.
    fn bounded(self) -> Self {
        let range = Duration::from_millis(10)..=Duration::from_secs(24 * 60 * 60);
        let first = self.first.clamp(*range.start(), *range.end());
        Self {
            first,
            longest: self.longest.clamp(first, *range.end()),
            ..self
        }
    }
}
