use std::time::Duration;

use rand::{Rng, RngExt as _};

/// Bound of the pause before the second dial.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Bound of the longest pause between two dials: who comes back is found within a minute.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Pauses between dials: exponential back-off with full jitter ("Exponential Backoff And Jitter", AWS Architecture
/// Blog).
///
/// Each pause lies anywhere from nothing up to a bound, and the bound doubles. Of all ways to draw it, this one spreads
/// those who lost the same peer best, and costs it the fewest dials.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    bound: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(FIRST_PAUSE, LONGEST_PAUSE)
    }
}

impl Backoff {
    /// With bounds from `first` to `longest`.
    pub(crate) fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest: longest.max(first),
            bound: first,
        }
    }

    /// The next pause.
    pub(crate) fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let bound = self.bound;
        self.bound = bound.saturating_mul(2).min(self.longest);
        part_of(bound, rng)
    }

    /// From here on the bound is the longest, for what does not get better by dialling.
    pub(crate) fn slow_down(&mut self) {
        self.bound = self.longest;
    }

    /// The next pause is the first again.
    pub(crate) fn reset(&mut self) {
        self.bound = self.first;
    }
}

/// Some part of `span`, by chance.
pub(crate) fn part_of(span: Duration, rng: &mut impl Rng) -> Duration {
    span.mul_f64(rng.random_range(0.0..=1.0))
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng as _, rngs::StdRng};

    use super::*;

    #[test]
    fn pauses_fill_a_bound_that_doubles() {
        let bounds = [
            250, 500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000,
        ];
        let mut least = [f64::MAX; 10];
        let mut most = [0.0_f64; 10];
        for seed in 0..500 {
            let mut rng = StdRng::seed_from_u64(seed);
            let mut backoff = Backoff::default();
            for (step, bound) in bounds.into_iter().enumerate() {
                let part = backoff.next(&mut rng).as_secs_f64() * 1000.0 / f64::from(bound);
                least[step] = least[step].min(part);
                most[step] = most[step].max(part);
            }
        }
        assert!(
            least.iter().all(|part| (0.0..0.05).contains(part)),
            "{least:?}"
        );
        assert!(
            most.iter().all(|part| (0.95..=1.0).contains(part)),
            "{most:?}"
        );
    }

    #[test]
    fn a_reset_starts_over_and_slowing_down_skips_ahead() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4096));
        backoff.slow_down();
        let slow: Vec<_> = (0..100).map(|_| backoff.next(&mut rng)).collect();
        assert!(slow.iter().any(|pause| *pause > Duration::from_secs(2048)));
        for _ in 0..100 {
            backoff.reset();
            assert!(backoff.next(&mut rng) <= Duration::from_secs(1));
        }
    }

    #[test]
    fn the_longest_is_no_shorter_than_the_first() {
        let mut rng = StdRng::seed_from_u64(1);
        let mut backoff = Backoff::new(Duration::from_secs(9), Duration::ZERO);
        backoff.next(&mut rng);
        assert_eq!(backoff.bound, Duration::from_secs(9));
    }
}
