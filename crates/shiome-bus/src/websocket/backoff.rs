//! When to dial again.

use std::time::{Duration, Instant};

use rand::{Rng, RngExt};

/// How long a client waits before it dials again, and when it gives up.
///
/// Each wait is a random time below a bound, so that the clients of a server that was lost do not all come back in the same
/// moment. The bound doubles with each failure; a link that lived longer sets it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
    pub(crate) give_up: Option<Duration>,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            first: Duration::from_millis(250),
            longest: Duration::from_secs(30),
            give_up: Some(Duration::from_secs(300)),
        }
    }
}

impl Reconnect {
    /// Does not dial again: the first loss is the last.
    #[must_use]
    pub fn never() -> Self {
        Self::default().give_up(Some(Duration::ZERO))
    }

    /// The bound of the first wait, and that of the longest. Default: 250 ms and 30 s.
    #[must_use]
    pub fn waits(self, first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            ..self
        }
    }

    /// Gives up when there has been no link for so long, after a last attempt. Default: 5 minutes; `None`: never.
    #[must_use]
    pub fn give_up(self, give_up: Option<Duration>) -> Self {
        Self { give_up, ..self }
    }
}

/// Exponential back-off with full jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    config: Reconnect,
    bound: Duration,
    /// When there was last a link, or the first attempt began.
    since: Instant,
}

impl Backoff {
    pub(crate) fn new(now: Instant, config: Reconnect) -> Self {
        Self {
            config,
            bound: config.first,
            since: now,
        }
    }

    /// A link that had lived for `lived` is lost.
    pub(crate) fn lost(&mut self, now: Instant, lived: Duration) {
        self.since = now;
        if lived > self.bound {
            self.bound = self.config.first;
        }
    }

    /// The time of the next attempt, or `None` to give up. `at_least` is what the server asks for.
    pub(crate) fn next(
        &mut self,
        now: Instant,
        at_least: Duration,
        rng: &mut impl Rng,
    ) -> Option<Instant> {
        let wait = at_least + self.bound.mul_f64(rng.random());
        self.bound = (self.bound * 2).min(self.config.longest);
        let at = now + wait;
        match self.config.give_up.map(|give_up| self.since + give_up) {
            Some(limit) if now >= limit => None,
            // One last attempt.
            Some(limit) => Some(at.min(limit)),
            None => Some(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn waits_are_spread_below_a_bound_that_doubles() {
        let (now, mut rng) = (Instant::now(), SmallRng::seed_from_u64(1));
        let config = Reconnect {
            give_up: None,
            ..Reconnect::default()
        };
        let mut longest = [Duration::ZERO; 10];
        for _ in 0..200 {
            let mut backoff = Backoff::new(now, config);
            for longest in &mut longest {
                let at = backoff.next(now, Duration::ZERO, &mut rng).unwrap();
                *longest = (*longest).max(at - now);
            }
        }
        let mut bound = config.first;
        for longest in longest {
            assert!(longest <= bound, "{longest:?} of {bound:?}");
            assert!(longest > bound / 2, "{longest:?} of {bound:?}");
            bound = (bound * 2).min(config.longest);
        }
    }

    #[test]
    fn a_link_that_lived_sets_the_bound_back_and_a_short_one_does_not() {
        let (now, mut rng) = (Instant::now(), SmallRng::seed_from_u64(1));
        let mut backoff = Backoff::new(now, Reconnect::default());
        for _ in 0..6 {
            backoff.next(now, Duration::ZERO, &mut rng).unwrap();
        }
        let grown = backoff.bound;
        assert!(grown > Reconnect::default().first * 8);
        backoff.lost(now, MS);
        assert_eq!(backoff.bound, grown);
        backoff.lost(now, grown + MS);
        assert_eq!(backoff.bound, Reconnect::default().first);
    }

    #[test]
    fn it_gives_up_when_there_was_no_link_for_too_long() {
        let (start, mut rng) = (Instant::now(), SmallRng::seed_from_u64(1));
        let config = Reconnect {
            give_up: Some(Duration::from_secs(10)),
            ..Reconnect::default()
        };
        let mut backoff = Backoff::new(start, config);
        let mut now = start;
        while let Some(at) = backoff.next(now, Duration::ZERO, &mut rng) {
            assert!(at >= now);
            now = at;
        }
        assert_eq!(now - start, Duration::from_secs(10));
        backoff.lost(now, 60_000 * MS);
        assert!(backoff.next(now, Duration::ZERO, &mut rng).is_some());
        let never = Reconnect::never();
        assert!(Backoff::new(now, never).next(now, MS, &mut rng).is_none());
    }

    #[test]
    fn a_server_may_ask_for_more_time() {
        let (now, mut rng) = (Instant::now(), SmallRng::seed_from_u64(1));
        let mut backoff = Backoff::new(now, Reconnect::default());
        let at = backoff.next(now, 2000 * MS, &mut rng).unwrap();
        assert!((2000 * MS..=2250 * MS).contains(&(at - now)));
    }
}
