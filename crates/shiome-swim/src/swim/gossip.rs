//! News, told to some members at a time (SWIM §4.1), in rounds of their own as well as on top of probes.

use std::time::{Duration, Instant};

use super::{Swim, outgoing::Outgoing};
use crate::{key::Key, timers::Timer, vote::Vote};

/// With more news than that, newcomers are left to those who compare tables: told one by one, a thousand of them
/// would have to pass through each node a dozen times.
const MANY: usize = 64;

/// With fewer news than that, a round comes sooner than in its turn: it costs no more datagrams, and news that is
/// alone reaches all in less time.
const FEW: usize = 8;

impl Swim {
    /// Tells about a member, `full`y where the others may not know it.
    pub(super) fn start_rumor(&mut self, now: Instant, key: Key, full: bool) {
        self.rumors.start(key, full);
        self.gossip_soon(now);
    }

    pub(super) fn start_rumor_unless_many(&mut self, now: Instant, key: Key) {
        if self.rumors.len() < MANY {
            self.start_rumor(now, key, true);
        } else {
            self.syncing.much(now, &self.config);
            self.sync_soon(now);
        }
    }

    pub(super) fn pass_vote_on(&mut self, now: Instant, vote: Vote) -> bool {
        let new = self.rumors.vote(vote);
        if new {
            self.gossip_soon(now);
        }
        new
    }

    fn gossip_soon(&mut self, now: Instant) {
        let interval = self.config.gossip_interval;
        let at = if self.rumors.len() < FEW {
            let rest = self.gossiped_at + interval / 4;
            rest.max(now) + self.rng.part_of(interval / 8)
        } else {
            (self.gossiped_at + interval).max(now)
        };
        self.timers.set_by(Timer::Gossip, at);
    }

    /// A round.
    pub(super) fn gossip(&mut self, now: Instant) {
        if self.rumors.is_empty() {
            return;
        }
        self.gossiped_at = now;
        let mut last = None;
        for _ in 0..self.config.gossip_fanout.min(self.table.up_len()) {
            let to = self.table.any_up(&mut self.rng);
            if let Some(to) = to
                && last != Some(to)
            {
                last = Some(to);
                self.push(Outgoing::Gossip { to });
            }
        }
        self.timers
            .set_by(Timer::Gossip, now + self.config.gossip_interval);
    }

    /// How often each node tells the same.
    pub(super) fn retransmit_limit(&self) -> u32 {
        let decades = ((self.size() + 1) as f64).log10().ceil().max(1.0);
        self.config.retransmit_mult * decades as u32
    }

    /// Time after which a change has reached about everybody.
    pub(super) fn settling(&self) -> Duration {
        self.config.gossip_interval * 4
    }
}
