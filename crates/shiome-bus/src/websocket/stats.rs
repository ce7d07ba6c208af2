//! What a server has done.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::ErrorKind;

/// What a server has done so far, and has now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ServerStats {
    /// Ids that are taken.
    pub peers: usize,
    /// Clients that were let in, and came back.
    pub admitted: u64,
    /// Clients that were not let in, for whatever reason.
    pub turned_away: u64,
    /// Envelopes that came from clients.
    pub received: u64,
    /// Envelopes that went on to other clients.
    pub passed_on: u64,
    /// Envelopes that went no further: [`BusError::NodeNotFound`](crate::BusError::NodeNotFound).
    pub not_found: u64,
    /// Envelopes that went no further: [`BusError::QueueFull`](crate::BusError::QueueFull).
    pub queue_full: u64,
    /// Envelopes that went no further: [`BusError::Unauthorized`](crate::BusError::Unauthorized).
    pub forged: u64,
    /// Envelopes that went no further, for other reasons.
    pub refused: u64,
    /// Envelopes that were taken for clients who never acknowledged them.
    pub lost: u64,
    /// Links that ended for something malformed.
    pub malformed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    admitted: AtomicU64,
    turned_away: AtomicU64,
    received: AtomicU64,
    passed_on: AtomicU64,
    not_found: AtomicU64,
    queue_full: AtomicU64,
    forged: AtomicU64,
    refused: AtomicU64,
    lost: AtomicU64,
    malformed: AtomicU64,
}

impl Counters {
    pub(crate) fn admitted(&self) {
        self.admitted.fetch_add(1, Relaxed);
    }

    pub(crate) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }

    pub(crate) fn received(&self) {
        self.received.fetch_add(1, Relaxed);
    }

    pub(crate) fn passed_on(&self) {
        self.passed_on.fetch_add(1, Relaxed);
    }

    pub(crate) fn lost(&self) {
        self.lost.fetch_add(1, Relaxed);
    }

    pub(crate) fn malformed(&self) {
        self.malformed.fetch_add(1, Relaxed);
    }

    pub(crate) fn refused(&self, why: ErrorKind) {
        let counter = match why {
            ErrorKind::NodeNotFound => &self.not_found,
            ErrorKind::QueueFull => &self.queue_full,
            ErrorKind::Unauthorized => &self.forged,
            _ => &self.refused,
        };
        counter.fetch_add(1, Relaxed);
    }

    pub(crate) fn stats(&self, peers: usize) -> ServerStats {
        ServerStats {
            peers,
            admitted: self.admitted.load(Relaxed),
            turned_away: self.turned_away.load(Relaxed),
            received: self.received.load(Relaxed),
            passed_on: self.passed_on.load(Relaxed),
            not_found: self.not_found.load(Relaxed),
            queue_full: self.queue_full.load(Relaxed),
            forged: self.forged.load(Relaxed),
            refused: self.refused.load(Relaxed),
            lost: self.lost.load(Relaxed),
            malformed: self.malformed.load(Relaxed),
        }
    }
}
