use std::time::Duration;

use rand::{Rng, RngExt as _};

/// Pause before the second dial.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause between two dials. It is also for members that are no nodes of ours.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Pauses between dials, each about twice as long as the one before.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Backoff {
    /// The next pause: by chance between half and all of what is due, so that those who lost the same peer do not come
    /// back in step.
    pub(super) fn next(&mut self, rng: &mut impl Rng) -> Duration {
        let due = self.0;
        self.0 = (due * 2).min(LONGEST_PAUSE);
        jitter(due, rng)
    }
}

/// Between half and all of `span`, by chance.
pub(super) fn jitter(span: Duration, rng: &mut impl Rng) -> Duration {
    span / 2 + part_of(span / 2, rng)
}

/// Some part of `span`, by chance.
pub(super) fn part_of(span: Duration, rng: &mut impl Rng) -> Duration {
    span.mul_f64(rng.random_range(0.0..=1.0))
}
