//! What can be told to a peer, and of a send.

use std::time::Duration;

use crate::{
    BusError, Level, MAILBOX_CAPACITY, MessageId, Name, Priority, Via, mailbox::MAX_CAPACITY,
};

/// Dispatchers of one peer at most: more than cores gain nothing.
pub const MAX_CONCURRENCY: usize = 64;

/// Options of a [`Peer`](crate::Peer).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerOptions {
    pub(crate) capacity: usize,
    pub(crate) concurrency: usize,
    pub(crate) own_thread: bool,
    pub(crate) replace: bool,
}

impl Default for PeerOptions {
    fn default() -> Self {
        Self {
            capacity: MAILBOX_CAPACITY,
            concurrency: 1,
            own_thread: false,
            replace: false,
        }
    }
}

impl PeerOptions {
    /// Envelopes that may wait in each of the lanes for normal and bulk, 1 to 2²⁴. Default [`MAILBOX_CAPACITY`]. One whose payload is
    /// longer than [`MAILBOX_PLACE_LEN`](crate::MAILBOX_PLACE_LEN) counts as several. What is full is full for all senders.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        Self {
            capacity: capacity.clamp(1, MAX_CAPACITY),
            ..self
        }
    }

    /// How many handlers may run at the same time, 1 to [`MAX_CONCURRENCY`]. Default 1. With more, each sender is served by one of so many
    /// dispatchers with a mailbox each: what one sender sends is still handled in order, one at a time.
    #[must_use]
    pub fn concurrency(self, concurrency: usize) -> Self {
        Self {
            concurrency: concurrency.clamp(1, MAX_CONCURRENCY),
            ..self
        }
    }

    /// Runs the handlers on threads of their own, where they may block without holding up the tasks of a runtime.
    #[must_use]
    pub fn own_thread(self) -> Self {
        Self {
            own_thread: true,
            ..self
        }
    }

    /// Takes the name over from the peer of the same bus that has it, which ends at once.
    #[must_use]
    pub fn replace(self) -> Self {
        Self {
            replace: true,
            ..self
        }
    }
}

/// Which paths a send may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Route {
    /// The bus if the receiver is on it, else a link.
    #[default]
    Any,
    /// Only the bus.
    LocalOnly,
    /// Only a link.
    RemoteOnly,
}

/// How to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SendOptions {
    pub(crate) level: Level,
    pub(crate) timeout: Option<Duration>,
    pub(crate) priority: Priority,
    pub(crate) route: Route,
    is_of_bus: bool,
}

impl SendOptions {
    /// What to wait for. Default [`Level::Accepted`].
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// How long to wait for room and for what the level wants. Default: as the bus was told. When the time is over and there was no room, the
    /// error is [`QueueFull`](crate::BusError::QueueFull), and nothing was sent.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self {
            timeout: Some(timeout),
            ..self
        }
    }

    /// Which lane to take: [`Priority::Normal`], which is the default, or [`Priority::Bulk`]. [`Priority::System`] is of the bus itself:
    /// a send with it fails with [`Refused`](crate::BusError::Refused), unless the intent is one of the system's.
    #[must_use]
    pub fn priority(self, priority: Priority) -> Self {
        Self { priority, ..self }
    }

    /// Which paths it may take. Default [`Route::Any`].
    #[must_use]
    pub fn route(self, route: Route) -> Self {
        Self { route, ..self }
    }

    /// Takes the lane of the bus itself.
    pub(crate) fn urgent(self) -> Self {
        Self {
            priority: Priority::System,
            is_of_bus: true,
            ..self
        }
    }

    /// Fails with what only the bus itself may do.
    pub(crate) fn check(&self, name: &Name) -> Result<(), BusError> {
        match self.priority {
            Priority::System if !self.is_of_bus && !name.is_system() => Err(BusError::Refused(
                "the lane of the bus itself is not for users".into(),
            )),
            _ => Ok(()),
        }
    }
}

/// What a sender knows of an envelope that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its id.
    pub id: MessageId,
    /// Which path it took.
    pub via: Via,
}
