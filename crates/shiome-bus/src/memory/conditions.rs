//! What befalls envelopes on a memory link.

use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

/// Envelopes that wait in one lane of one direction, unless told otherwise.
const CAPACITY: usize = 1024;

/// Faults of a memory link, by chance from a seed: the same seed and the same envelopes make the same faults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    pub(super) latency: Duration,
    pub(super) capacity: usize,
    loss: f64,
    duplicates: f64,
    reorder: f64,
    seed: u64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            capacity: CAPACITY,
            loss: 0.0,
            duplicates: 0.0,
            reorder: 0.0,
            seed: 0,
        }
    }
}

impl Conditions {
    /// Time that each envelope takes at least. Default 0.
    #[must_use]
    pub fn latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// Envelopes that wait in each lane of each direction. Default 1024.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        Self {
            capacity: capacity.max(1),
            ..self
        }
    }

    /// Part of the envelopes that are lost, 0 to 1. Default 0.
    #[must_use]
    pub fn loss(self, loss: f64) -> Self {
        let loss = loss.clamp(0.0, 1.0);
        Self { loss, ..self }
    }

    /// Part of the envelopes that arrive twice, 0 to 1. Default 0.
    #[must_use]
    pub fn duplicates(self, duplicates: f64) -> Self {
        let duplicates = duplicates.clamp(0.0, 1.0);
        Self { duplicates, ..self }
    }

    /// Part of the envelopes that the next one overtakes, 0 to 1. Default 0: order is kept.
    #[must_use]
    pub fn reorder(self, reorder: f64) -> Self {
        let reorder = reorder.clamp(0.0, 1.0);
        Self { reorder, ..self }
    }

    /// Where chance begins. Default 0.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The chances of one direction.
    pub(super) fn chances(self, side: usize) -> Chances {
        Chances {
            conditions: self,
            rng: StdRng::seed_from_u64(self.seed.wrapping_mul(2).wrapping_add(side as u64)),
        }
    }
}

/// What befalls the next envelope.
#[derive(Debug)]
pub(super) struct Chances {
    conditions: Conditions,
    rng: StdRng,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Arrives,
    ArrivesTwice,
    ArrivesAfterTheNext,
    IsLost,
}

impl Chances {
    pub(super) fn next(&mut self) -> Fate {
        let Conditions {
            loss,
            duplicates,
            reorder,
            ..
        } = self.conditions;
        // Each is drawn always, so that one fault does not change when others happen.
        let [lost, twice, late] =
            [loss, duplicates, reorder].map(|part| self.rng.random_bool(part));
        match (lost, twice, late) {
            (true, ..) => Fate::IsLost,
            (_, true, _) => Fate::ArrivesTwice,
            (_, _, true) => Fate::ArrivesAfterTheNext,
            _ => Fate::Arrives,
        }
    }
}
