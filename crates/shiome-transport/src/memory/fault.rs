//! Memory links on which bytes take their time, wait, or are lost with the link. All time is the runtime's, which tests can
//! pause.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use self::{
    ends::{Reader, Writer},
    wire::{Lane, Wire},
};
use super::LINK_CAPACITY;
use crate::link::{Link, Security};

mod ends;
#[cfg(test)]
mod tests;
mod wire;

/// How long bytes take, in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// From one end to the other. Default: none.
    pub latency: Duration,
    /// Bytes in a second; `None`, the default, is as many as there are. At least 1.
    pub bandwidth: Option<u64>,
    /// Bytes on the way before the writer waits. Default: 64 KiB. At least 1.
    pub capacity: usize,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            bandwidth: None,
            capacity: LINK_CAPACITY,
        }
    }
}

impl Conditions {
    /// With this latency.
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// With so many bytes in a second.
    pub fn with_bandwidth(self, bandwidth: u64) -> Self {
        Self {
            bandwidth: Some(bandwidth),
            ..self
        }
    }

    /// With so many bytes on the way.
    pub fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// Time that so many bytes occupy the wire.
    fn transmission(&self, len: usize) -> Duration {
        let Some(bandwidth) = self.bandwidth else {
            return Duration::ZERO;
        };
        let nanos = len as u128 * 1_000_000_000 / u128::from(bandwidth.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// One of the two directions of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Direction {
    /// From the end that dialled.
    FromDialler,
    /// To the end that dialled.
    ToDialler,
}

/// Does harm to one link, while it lasts.
#[derive(Debug, Clone)]
pub struct Faults(Weak<Mutex<Wire>>);

impl Faults {
    /// Whether one of the ends still holds the link.
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Under these conditions go the bytes that are written from now on, in this direction.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.with(|wire| wire.lane(direction).conditions = conditions);
    }

    /// No byte arrives, and no end, until [`resume`](Self::resume). The writer goes on while there is room.
    pub fn stall(&self, direction: Direction) {
        self.with(|wire| wire.lane(direction).stalled = true);
    }

    /// What is due arrives.
    pub fn resume(&self, direction: Direction) {
        self.with(|wire| {
            let lane = wire.lane(direction);
            lane.stalled = false;
            lane.wake();
        });
    }

    /// Breaks the link, in both directions, when so many bytes have been read in this one since it was opened: at once, when
    /// there were more already.
    pub fn cut_at(&self, direction: Direction, len: u64) {
        self.with(|wire| {
            wire.lane(direction).cut_at = Some(len);
            wire.lane(direction).wake();
            wire.check_cuts();
        });
    }

    /// Breaks the link at once: reads and writes fail at both ends, and what is on the way is lost.
    pub fn reset(&self) {
        self.with(Wire::break_off);
    }

    /// Ends this direction as if its writer were shut down. The other goes on.
    pub fn end(&self, direction: Direction) {
        self.with(|wire| wire.lane(direction).end());
    }

    fn with(&self, f: impl FnOnce(&mut Wire)) {
        if let Some(wire) = self.0.upgrade() {
            f(&mut lock(&wire));
        }
    }
}

/// A link under `conditions`: the end that dialled, which calls itself `from`, the other, and how to do harm to it.
pub fn link(from: &str, to: &str, conditions: Conditions) -> (Link, Link, Faults) {
    let wire = Arc::new(Mutex::new(Wire {
        lanes: [Lane::new(conditions), Lane::new(conditions)],
        broken: false,
    }));
    let end = |reads, writes, peer: &str, local: &str| {
        let reader = Reader {
            wire: Arc::clone(&wire),
            direction: reads,
            due: None,
        };
        let writer = Writer {
            wire: Arc::clone(&wire),
            direction: writes,
        };
        let labels = (peer.to_owned(), local.to_owned());
        Link::over(Box::new(reader), Box::new(writer), labels, Security::Local)
    };
    let here = end(Direction::ToDialler, Direction::FromDialler, to, from);
    let there = end(Direction::FromDialler, Direction::ToDialler, from, to);
    (here, there, Faults(Arc::downgrade(&wire)))
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    // Nothing of others runs under the lock.
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}
