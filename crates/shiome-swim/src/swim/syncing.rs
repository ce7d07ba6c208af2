//! Tables are compared, and what differs is told (anti-entropy).
//!
//! Probes and acks carry a fingerprint of the sender's table. Who finds that another's differs from his own, when
//! neither changed lately, sends the fingerprints of its parts; the other answers with the records of the parts that
//! differ, and with its own fingerprints, so that what it lacks comes back the same way. A node that has much to learn
//! does not wait for probes and asks one member after the other.

use std::time::{Duration, Instant};

use shiome_gossip::compact::Sync;

use super::{Swim, outgoing::Outgoing};
use crate::{
    allowance::Allowance,
    config::Config,
    key::Key,
    table::{MAX_BITS, flag},
    timers::Timer,
};

/// Most datagrams that answer one comparison. Whoever lacks more asks again.
pub(super) const MAX_BURST: u8 = 32;

/// Most datagrams of records that are sent in a second.
const MAX_RATE: f64 = 2_048.0;

/// Differences in a row that are not put down to news under way.
const PATIENCE: u8 = 2;

/// After as many intervals in which no table was found to be the same, differences are not put down to news under way.
const LONG: u32 = 5;

/// Parts of a table, a bit each.
pub(super) type Parts = [u64; 4];

/// How this node's table compares with those of others.
#[derive(Debug)]
pub(super) struct Syncing {
    pub(super) changed_at: Instant,
    /// When this node last began to compare.
    began_at: Option<Instant>,
    /// Until when there is much to learn.
    much_until: Instant,
    differences: u8,
    /// When another's table was last found to be the same.
    equal_at: Instant,
    allowance: Allowance,
}

impl Syncing {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            changed_at: now,
            began_at: None,
            much_until: now,
            differences: 0,
            equal_at: now,
            allowance: Allowance::new(now, MAX_RATE, MAX_RATE / 4.0),
        }
    }

    /// There is much to learn for some time.
    pub(super) fn much(&mut self, now: Instant, config: &Config) {
        self.much_until = self.much_until.max(now + config.sync_interval);
    }

    fn has_much(&self, now: Instant) -> bool {
        now < self.much_until
    }

    /// Whether one more burst may go out.
    fn may_answer(&mut self, now: Instant) -> bool {
        self.allowance.is_left(now)
    }

    /// A datagram of records went out.
    pub(super) fn answered(&mut self) {
        self.allowance.spend();
    }
}

impl Swim {
    /// Another's fingerprint came with a probe or an ack.
    pub(super) fn compare(&mut self, now: Instant, with: Key, digest: u64) {
        if digest == self.digest() {
            self.syncing.differences = 0;
            self.syncing.equal_at = now;
            self.syncing.much_until = now;
            self.timers.stop(Timer::Sync);
            return;
        }
        let since_change = now.saturating_duration_since(self.syncing.changed_at);
        let much = self.syncing.has_much(now);
        let long =
            now.saturating_duration_since(self.syncing.equal_at) > self.config.sync_interval * LONG;
        if !much && !long && since_change < self.settling() {
            self.syncing.differences = 0;
            return;
        }
        self.syncing.differences = self.syncing.differences.saturating_add(1);
        if much || self.syncing.differences >= PATIENCE {
            self.sync_with(now, with);
        }
    }

    /// Least time between two comparisons that this node begins.
    fn sync_pause(&self, now: Instant) -> Duration {
        if self.syncing.has_much(now) {
            self.config.sync_interval / 10
        } else {
            self.config.sync_interval
        }
    }

    fn sync_with(&mut self, now: Instant, with: Key) {
        let pause = self.sync_pause(now);
        let recent = self
            .syncing
            .began_at
            .is_some_and(|at| now.saturating_duration_since(at) < pause);
        if recent || !self.speaks_compact(with) {
            return;
        }
        self.syncing.began_at = Some(now);
        self.stats.syncs += 1;
        self.push(Outgoing::Sync {
            to: with,
            is_answer: false,
        });
    }

    /// Begins to ask one member after the other, while there is much to learn.
    pub(super) fn sync_soon(&mut self, now: Instant) {
        if self.syncing.has_much(now) && !self.timers.is_set(Timer::Sync) {
            let pause = self.sync_pause(now);
            let wait = self.rng.part_of(pause);
            self.timers.set(Timer::Sync, now + wait);
        }
    }

    pub(super) fn sync_again(&mut self, now: Instant) {
        if !self.syncing.has_much(now) {
            return;
        }
        if let Some(with) = self.table.any_up(&mut self.rng) {
            self.sync_with(now, with);
        }
        let pause = self.sync_pause(now);
        let wait = self.rng.jitter(pause);
        self.timers.set(Timer::Sync, now + wait);
    }

    /// Another sends the fingerprints of its table's parts.
    pub(super) fn handle_sync(&mut self, now: Instant, from: Key, sync: &Sync<'_>) {
        if !self.syncing.may_answer(now) {
            self.stats.refused += 1;
            return;
        }
        let bits = sync.bits();
        let theirs = sync.buckets();
        let mine = self.table.digest().buckets(bits);
        let mut parts = Parts::default();
        for (part, (mine, theirs)) in mine.zip(theirs).enumerate() {
            if mine != theirs {
                parts[part / 64] |= 1 << (part % 64);
            }
        }
        if parts == Parts::default() {
            return;
        }
        let start = self.rng.below(self.table.places() as usize) as u32;
        self.push(Outgoing::Records {
            to: from,
            parts,
            bits,
            next: start,
            left: self.table.places(),
            burst: MAX_BURST,
        });
        if !sync.is_answer() {
            self.push(Outgoing::Sync {
                to: from,
                is_answer: true,
            });
        }
    }

    /// Into how many parts the table is cut: as few as make them small.
    ///
    /// With one difference, the fingerprints of 2^bits parts take 4 bytes each, and the records of one part some 27
    /// bytes each.
    pub(super) fn sync_bits(&self) -> u8 {
        let members = self.size() + self.table.down_len();
        let best = (members as f64 * 27.0 / 4.0).sqrt().log2().round();
        (best as u8).min(MAX_BITS)
    }

    /// Whether a record is in one of the parts, and to be told.
    pub(super) fn is_in(&self, key: Key, parts: &Parts, bits: u8) -> bool {
        self.table.occupied(key).is_some_and(|record| {
            let part = crate::table::bucket(&record.id, bits);
            !record.has(flag::AGED) && parts[part / 64] & (1 << (part % 64)) != 0
        })
    }
}
