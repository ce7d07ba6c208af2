use core::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::rng::Rng;

/// Most seeds that are kept.
const MAX_SEEDS: usize = 256;

/// How many seeds are asked at a time. More would answer with the same.
pub(crate) const SEEDS_AT_A_TIME: usize = 3;

/// Wait after the first attempts to join, whose datagrams may just have got lost; then it doubles up to 2^5 times that.
const FIRST_RETRY: Duration = Duration::from_millis(250);
const FIRST_ATTEMPTS: u32 = 3;
const MAX_DOUBLINGS: u32 = 5;

/// Addresses at which the cluster may be found, and when to ask there.
#[derive(Debug, Default)]
pub(crate) struct Seeds {
    addrs: Vec<SocketAddr>,
    attempts: u32,
    /// Where in the list the next attempt starts. Nodes with the same seeds start at different ones.
    turn: Option<usize>,
    /// When to ask next.
    pub(crate) due: Option<Instant>,
    /// Whom the last attempt asked.
    asked: Vec<SocketAddr>,
    pub(crate) joined: bool,
}

impl Seeds {
    /// Replaces the seeds. They are asked at once unless this node is in.
    pub(crate) fn set(&mut self, now: Instant, me: SocketAddr, seeds: &[SocketAddr]) {
        self.addrs.clear();
        for seed in seeds {
            let seed = SocketAddr::new(seed.ip().to_canonical(), seed.port());
            if seed != me && !self.addrs.contains(&seed) && self.addrs.len() < MAX_SEEDS {
                self.addrs.push(seed);
            }
        }
        if self.addrs.is_empty() {
            self.due = None;
        } else if !self.joined || self.due.is_none() {
            self.attempts = 0;
            self.due = Some(now);
        }
    }

    /// Whom to ask now, of those that are no members, and sets the time of the next attempt.
    pub(crate) fn attempt(
        &mut self,
        now: Instant,
        rejoin_interval: Duration,
        rng: &mut Rng,
        is_member: impl Fn(SocketAddr) -> bool,
    ) -> Vec<SocketAddr> {
        let mut strangers: Vec<SocketAddr> = self
            .addrs
            .iter()
            .copied()
            .filter(|seed| !is_member(*seed))
            .collect();
        let wanted = if self.joined { 1 } else { SEEDS_AT_A_TIME };
        if strangers.len() > wanted {
            let turn = *self.turn.get_or_insert_with(|| rng.below(MAX_SEEDS));
            let first = turn % strangers.len();
            strangers.rotate_left(first);
            strangers.truncate(wanted);
            self.turn = Some(turn.wrapping_add(wanted));
        }
        let wait = if self.joined {
            rejoin_interval
        } else {
            let doublings = self
                .attempts
                .saturating_sub(FIRST_ATTEMPTS - 1)
                .min(MAX_DOUBLINGS);
            self.attempts = self.attempts.saturating_add(1);
            FIRST_RETRY * (1 << doublings)
        };
        self.due = Some(now + rng.jitter(wait));
        self.asked.clone_from(&strangers);
        strangers
    }

    /// Somebody else was asked.
    pub(crate) fn ask(&mut self, addr: SocketAddr) {
        if self.asked.len() >= MAX_SEEDS {
            self.asked.remove(0);
        }
        self.asked.push(addr);
    }

    /// Whether an answer from there was asked for.
    pub(crate) fn asked(&self, addr: SocketAddr) -> bool {
        self.asked.contains(&addr)
    }

    /// This node is in; whether that is new.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        rejoin_interval: Duration,
        rng: &mut Rng,
    ) -> bool {
        let new = !self.joined;
        if new {
            self.joined = true;
            self.attempts = 0;
            self.due = (!self.addrs.is_empty()).then(|| now + rng.jitter(rejoin_interval));
        }
        new
    }

    /// This node is alone again.
    pub(crate) fn lost(&mut self, now: Instant, rng: &mut Rng) {
        if self.joined {
            self.joined = false;
            self.due = (!self.addrs.is_empty()).then(|| now + rng.part_of(FIRST_RETRY));
        }
    }
}

#[cfg(test)]
mod tests {
    use core::net::Ipv4Addr;

    use super::*;

    fn addr(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    fn seeds(now: Instant, count: u16) -> Seeds {
        let all: Vec<SocketAddr> = (1..=count).map(addr).collect();
        let mut seeds = Seeds::default();
        seeds.set(now, addr(1), &all);
        seeds
    }

    #[test]
    fn a_node_is_not_its_own_seed_and_a_seed_counts_once() {
        let now = Instant::now();
        let mapped = (Ipv4Addr::LOCALHOST.to_ipv6_mapped(), 2).into();
        let mut seeds = Seeds::default();
        seeds.set(now, addr(1), &[addr(1), addr(2), mapped]);
        assert_eq!(seeds.addrs, [addr(2)]);
        seeds.set(now, addr(1), &[addr(1)]);
        assert_eq!(seeds.due, None);
    }

    #[test]
    fn attempts_are_spread_and_further_and_further_apart() {
        let (mut now, mut rng) = (Instant::now(), Rng::new([1; 32]));
        let mut seeds = seeds(now, 9);
        let mut asked = Vec::new();
        let mut waits = Vec::new();
        for _ in 0..12 {
            let some = seeds.attempt(now, Duration::from_secs(30), &mut rng, |_| false);
            assert_eq!(some.len(), SEEDS_AT_A_TIME);
            asked.extend(some);
            let due = seeds.due.unwrap();
            waits.push((due - now).as_secs_f64());
            now = due;
        }
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), 8, "each was asked some time");
        assert!((0.187..0.313).contains(&waits[0]), "{waits:?}");
        assert!((6.0..10.0).contains(&waits[11]), "{waits:?}");
    }

    #[test]
    fn who_is_in_asks_one_seed_that_is_no_member_now_and_then() {
        let (now, mut rng) = (Instant::now(), Rng::new([1; 32]));
        let interval = Duration::from_secs(30);
        let mut seeds = seeds(now, 3);
        assert!(seeds.answered(now, interval, &mut rng));
        assert!(!seeds.answered(now, interval, &mut rng));
        let asked = seeds.attempt(now, interval, &mut rng, |seed| seed == addr(2));
        assert_eq!(asked, [addr(3)]);
        assert!(seeds.asked(addr(3)) && !seeds.asked(addr(2)));
        let wait = seeds.due.unwrap() - now;
        assert!(wait > Duration::from_secs(20) && wait < Duration::from_secs(40));
        seeds.lost(now, &mut rng);
        assert!(seeds.due.unwrap() - now <= FIRST_RETRY);
    }
}
