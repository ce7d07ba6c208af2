use std::time::Duration;

use chacha20::{
    ChaCha8Rng,
    rand_core::{Rng as _, SeedableRng as _},
};

/// The engine's randomness: a stream that is fixed by its seed and that nobody outside can predict, since sequence
/// numbers come from it.
pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(seed))
    }

    pub(crate) fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `n`; 0 if `n` is 0.
    ///
    /// By multiplication (Lemire); what that is off from uniform does not matter below a million.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let wide = u64::from(self.0.next_u32()) * n as u64;
        (wide >> 32) as usize
    }

    /// Whether something of this probability happens.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        f64::from(self.0.next_u32()) < probability * 4_294_967_296.0
    }

    /// Some part of `span`.
    pub(crate) fn part_of(&mut self, span: Duration) -> Duration {
        span.mul_f64(f64::from(self.0.next_u32()) / 4_294_967_296.0)
    }

    /// `span`, a quarter more or less.
    pub(crate) fn jitter(&mut self, span: Duration) -> Duration {
        span.mul_f64(0.75) + self.part_of(span / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let draw = |seed| {
            let mut rng = Rng::new([seed; 32]);
            [rng.u64(), rng.below(1000) as u64]
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn draws_stay_in_range() {
        let mut rng = Rng::new([7; 32]);
        let mut seen = [0; 5];
        for _ in 0..10_000 {
            seen[rng.below(5)] += 1;
        }
        assert!(seen.iter().all(|n| (1_800..2_200).contains(n)), "{seen:?}");
        assert_eq!(rng.below(0), 0);
        let span = Duration::from_secs(4);
        for _ in 0..1_000 {
            assert!(rng.part_of(span) < span);
            let jittered = rng.jitter(span).as_secs_f64();
            assert!((3.0..5.0).contains(&jittered));
        }
        assert!(!rng.chance(0.0));
        assert!(rng.chance(1.0));
    }
}
