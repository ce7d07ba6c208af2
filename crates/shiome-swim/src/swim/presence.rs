//! Who comes and goes, as the owner sees it.

use std::time::{Duration, Instant};

use super::Swim;
use crate::{
    event::{DownReason, Event},
    key::Key,
    member::State,
    table::flag,
    timers::{Due, Timer},
};

/// How long the dead are told to others at most; then they are only remembered.
const MAX_TOLD: Duration = Duration::from_secs(60 * 60);

/// How often the graves are looked through.
const FORGET_INTERVAL: Duration = Duration::from_secs(10);

impl Swim {
    /// A member is up; it is announced with others, `after` some time.
    pub(super) fn await_announcement(&mut self, now: Instant, key: Key, after: Duration) {
        if self.table.record(key).has(flag::ANNOUNCED) {
            return;
        }
        if after.is_zero() {
            self.table.mark(key, flag::PENDING, true);
            self.pending.push(key);
            let at = self
                .announced_at
                .map_or(now, |at| at + self.config.announce_interval);
            self.timers.set_by(Timer::Announce, at.max(now));
        } else {
            self.table.mark(key, flag::PENDING, true);
            self.timers.add(now + after, Due::Damped(key));
        }
    }

    /// A member that was kept waiting has waited long enough.
    pub(super) fn damped(&mut self, now: Instant, key: Key) {
        let waits = self
            .table
            .occupied(key)
            .is_some_and(|record| record.has(flag::PENDING) && record.state().is_up());
        if !waits {
            return;
        }
        // It may have come and gone again since this was set.
        match self.graves.held_until(now, key) {
            Some(until) => self.timers.add(until, Due::Damped(key)),
            None => self.await_announcement(now, key, Duration::ZERO),
        }
    }

    /// The first of a batch need not wait for the timer.
    pub(super) fn announce_if_due(&mut self, now: Instant) {
        let due = |at: Instant| now >= at + self.config.announce_interval;
        if !self.pending.is_empty() && self.announced_at.is_none_or(due) {
            self.timers.stop(Timer::Announce);
            self.announce(now);
        }
    }

    pub(super) fn announce(&mut self, now: Instant) {
        self.announced_at = Some(now);
        for key in core::mem::take(&mut self.pending) {
            let Some(record) = self.table.occupied(key) else {
                continue;
            };
            if !record.has(flag::PENDING) || !record.state().is_up() {
                continue;
            }
            let (id, addr) = (record.id, record.addr());
            self.table.mark(key, flag::PENDING, false);
            self.table.mark(key, flag::ANNOUNCED, true);
            self.event(Event::MemberUp { id, addr });
        }
    }

    /// A member that was gone is up.
    pub(super) fn back(&mut self, now: Instant, key: Key) {
        let wait = self.graves.leave(now, key, self.config.max_damping);
        self.await_announcement(now, key, wait);
    }

    /// A member is gone.
    pub(super) fn down(&mut self, now: Instant, key: Key, incarnation: u64, reason: DownReason) {
        let state = match reason {
            DownReason::Left => State::Left,
            DownReason::Failed | DownReason::Replaced => State::Dead,
        };
        let was_up = self.table.record(key).state().is_up();
        self.table.assign(key, incarnation, state, &mut self.rng);
        self.suspicions.remove(&key);
        self.probes.retain(|probe| probe.target != key);
        self.changed(now);
        if was_up {
            self.bury(now, key, reason != DownReason::Left);
        }
        let record = self.table.record(key);
        let (id, addr, announced) = (record.id, record.addr(), record.has(flag::ANNOUNCED));
        self.table.mark(key, flag::PENDING, false);
        if announced {
            self.table.mark(key, flag::ANNOUNCED, false);
            self.event(Event::MemberDown { id, addr, reason });
        }
        if self.table.up_len() == 0 {
            self.seeds.lost(now, &mut self.rng);
        }
    }

    pub(super) fn bury(&mut self, now: Instant, key: Key, failed: bool) {
        self.graves.bury(now, key, failed);
        if !self.timers.is_set(Timer::Forget) {
            self.timers.set(Timer::Forget, now + FORGET_INTERVAL);
        }
    }

    /// Stops telling of those who are long dead, and forgets those who are dead for very long. Between the two times a
    /// node that has forgotten a member cannot be told of it again by one that has not.
    pub(super) fn forget(&mut self, now: Instant) {
        let ttl = self.config.tombstone_ttl;
        while let Some(key) = self.graves.pop_told(now, MAX_TOLD.min(ttl / 2)) {
            self.table.age(key);
            self.rumors.stop(key);
        }
        while let Some(key) = self.graves.pop_kept(now, ttl) {
            self.erase(key);
        }
        if !self.graves.is_empty() {
            self.timers.set(Timer::Forget, now + FORGET_INTERVAL);
        }
    }

    /// Forgets a member that is gone.
    pub(super) fn erase(&mut self, key: Key) {
        self.rumors.stop(key);
        self.table.remove(key);
    }
}
