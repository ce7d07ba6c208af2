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

/// How a connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    Lie,
    Waste,
}

/// What a source has failed.
#[derive(Clone, Copy)]
struct Failures {
    /// All, the free ones included.
    count: u32,
    /// Penalties for lies.
    lies: u32,
    /// When the last penalty began, if there was one.
    punished: Option<Instant>,
    /// End of the penalty.
    until: Instant,
    forget_at: Instant,
}

impl Failures {
    fn none(now: Instant) -> Self {
        Self {
            count: 0,
            lies: 0,
            punished: None,
            until: now,
            forget_at: now,
        }
    }
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
            if open >= self.places(now, source) {
                return Err(Refusal::SourceFull);
            }
            self.open.insert(source, open + 1);
        }
        self.total += 1;
        Ok(())
    }

    /// Places of a source: with what it has failed in mind, but one at least, if a source has any.
    fn places(&self, now: Instant, source: Source) -> usize {
        let most = self.limits.max_unauthenticated_per_source;
        let paid = self.remembered_of(now, source).map_or(0, |failures| {
            failures.count.saturating_sub(self.limits.max_free_failures)
        });
        most.checked_shr(paid).unwrap_or(0).max(most.min(1))
    }

    fn remembered_of(&self, now: Instant, source: Source) -> Option<Failures> {
        let known = self.failures.get(&source);
        known.filter(|failures| now < failures.forget_at).copied()
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

    /// A connection that was admitted at `since` has failed.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        source: Option<Source>,
        since: Instant,
        failure: Failure,
    ) {
        self.counts.failed += 1;
        if let Some(source) = source {
            self.blame(now, source, since, failure);
        }
    }

    fn blame(&mut self, now: Instant, source: Source, since: Instant, failure: Failure) {
        if !self.failures.contains_key(&source) && !self.make_room(now) {
            return;
        }
        let known = self.remembered_of(now, source);
        let mut failures = known.unwrap_or_else(|| Failures::none(now));
        failures.count = failures.count.saturating_add(1);
        // What was under way when the penalty began is what it is for.
        let is_punished = failures.punished.is_some_and(|began| since <= began);
        if failures.count > self.limits.max_free_failures && !is_punished {
            if failure == Failure::Lie {
                failures.lies = failures.lies.saturating_add(1);
            }
            let penalty = match failure {
                Failure::Lie => self.penalty(failures.lies),
                Failure::Waste => self.penalty(1),
            };
            failures.punished = Some(now);
            failures.until = failures.until.max(now + penalty);
        }
        failures.forget_at = failures.until.max(now) + self.limits.memory.min(MAX_PENALTY);
        self.failures.insert(source, failures);
    }

    /// How long a source is refused for its `lies`th lie, of which there is one at least.
    fn penalty(&self, lies: u32) -> Duration {
        let longest = self.limits.longest_penalty.min(MAX_PENALTY);
        let doublings = lies.saturating_sub(1);
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
