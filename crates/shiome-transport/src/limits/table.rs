use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

use super::{Counts, Limits, MAX_PENALTY, Refusal};

/// An IPv4 address, or the first 64 bits of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Source(IpAddr);

impl Source {
    pub(super) fn of(ip: IpAddr) -> Self {
        // Sockets of both versions say IPv4 addresses in the words of IPv6.
        Self(match ip.to_canonical() {
            IpAddr::V6(ip) => {
                const NETWORK: u128 = !(u64::MAX as u128);
                Ipv6Addr::from(ip.to_bits() & NETWORK).into()
            }
            ip => ip,
        })
    }
}

/// What is known of all sources.
pub(super) struct Table {
    limits: Limits,
    total: usize,
    /// Open connections of each source that has any.
    open: HashMap<Source, usize>,
    failures: HashMap<Source, Failures>,
    counts: Counts,
}

/// What a source has failed.
struct Failures {
    count: u32,
    /// End of the penalty.
    until: Instant,
    forget_at: Instant,
}

impl Table {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            total: 0,
            open: HashMap::new(),
            failures: HashMap::new(),
            counts: Counts::default(),
        }
    }

    pub(super) fn total(&self) -> usize {
        self.total
    }

    pub(super) fn remembered(&self) -> usize {
        self.failures.len()
    }

    #[cfg(test)]
    pub(super) fn open_sources(&self) -> usize {
        self.open.len()
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn open(&mut self, now: Instant, source: Option<Source>) -> Result<(), Refusal> {
        let opened = self.try_open(now, source);
        let counts = &mut self.counts;
        *match opened {
            Ok(()) => &mut counts.admitted,
            Err(Refusal::Full) => &mut counts.refused_full,
            Err(Refusal::SourceFull) => &mut counts.refused_source,
            Err(Refusal::Penalty { .. }) => &mut counts.refused_penalty,
        } += 1;
        opened
    }

    fn try_open(&mut self, now: Instant, source: Option<Source>) -> Result<(), Refusal> {
        if let Some(source) = source
            && let Some(until) = self.failures.get(&source).map(|failures| failures.until)
            && now < until
        {
            return Err(Refusal::Penalty { until });
        }
        if self.total >= self.limits.max_unauthenticated {
            return Err(Refusal::Full);
        }
        if let Some(source) = source {
            let open = self.open.get(&source).copied().unwrap_or(0);
            if open >= self.limits.max_unauthenticated_per_source {
                return Err(Refusal::SourceFull);
            }
            self.open.insert(source, open + 1);
        }
        self.total += 1;
        Ok(())
    }

    pub(super) fn close(&mut self, source: Option<Source>) {
        self.total -= 1;
        let Some(source) = source else {
            return;
        };
        let open = self.open.get_mut(&source);
        let open = open.expect("a source with a ticket has an open connection");
        *open -= 1;
        if *open == 0 {
            self.open.remove(&source);
        }
    }

    pub(super) fn succeeded(&mut self, source: Option<Source>) {
        self.counts.authenticated += 1;
        if let Some(source) = source {
            self.failures.remove(&source);
        }
    }

    pub(super) fn failed(&mut self, now: Instant, source: Option<Source>) {
        self.counts.failed += 1;
        if let Some(source) = source {
            self.blame(now, source);
        }
    }

    fn blame(&mut self, now: Instant, source: Source) {
        if !self.failures.contains_key(&source) && !self.make_room(now) {
            return;
        }
        let known = self.failures.get(&source);
        let remembered = known.filter(|failures| now < failures.forget_at);
        let count = remembered.map_or(1, |failures| failures.count.saturating_add(1));
        let until = now + self.penalty(count);
        let failures = Failures {
            count,
            until,
            forget_at: until + self.limits.memory.min(MAX_PENALTY),
        };
        self.failures.insert(source, failures);
    }

    /// How long a source is refused after so many failures.
    fn penalty(&self, count: u32) -> Duration {
        let Some(doublings) = count
            .checked_sub(self.limits.max_free_failures)
            .and_then(|paid| paid.checked_sub(1))
        else {
            return Duration::ZERO;
        };
        let longest = self.limits.longest_penalty.min(MAX_PENALTY);
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.limits
            .first_penalty
            .saturating_mul(factor)
            .min(longest)
    }

    /// Forgets what is due, and one more if need be; whether there is room for one.
    ///
    /// A scan of the whole table, some microseconds, for each failure of a source not known yet while the table is full.
    /// What went before it, an authentication that failed, costs more.
    fn make_room(&mut self, now: Instant) -> bool {
        let max = self.limits.max_remembered;
        if self.failures.len() < max {
            return true;
        }
        self.failures.retain(|_, failures| now < failures.forget_at);
        if self.failures.len() < max {
            return true;
        }
        let least = self
            .failures
            .iter()
            .min_by_key(|(_, failures)| (failures.count, failures.forget_at))
            .map(|(&source, _)| source);
        // There is none when nobody is to be remembered.
        least.is_some_and(|source| self.failures.remove(&source).is_some())
    }
}
