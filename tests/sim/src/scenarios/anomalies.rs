//! Some nodes stand still by turns: who is accused for it? The interval experiment of the Lifeguard paper (§V).

use super::score;
use crate::{
    engine::Kind,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    pause::Pause,
    time::{MILLISECOND, SECOND, Time},
    world::World,
};

/// Nodes, as in the paper.
pub const SIZE: u32 = 128;

/// Some nodes stand still together, again and again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Anomalies {
    /// How many nodes: the paper's C.
    pub concurrent: u32,
    /// For how long each time: D.
    pub duration: Time,
    /// How long they run in between: I.
    pub interval: Time,
    /// How they stand still.
    pub pause: Pause,
}

/// Nodes that stood still never, declared dead.
pub const FALSE_POSITIVES: Metric = total("FP");
/// The same by nodes that never stood still either.
pub const HEALTHY_FALSE_POSITIVES: Metric = total("FP-");
/// Datagrams sent.
pub const DATAGRAMS: Metric = total("datagrams");
/// Bytes sent.
pub const BYTES: Metric = total("bytes");

const fn total(name: &'static str) -> Metric {
    Metric {
        name,
        unit: "",
        summary: Summary::Total,
    }
}

/// Before anything happens.
const QUIET: Time = 15 * SECOND;
/// The last turn is the one in which this is over.
const SPAN: Time = 120 * SECOND;

impl Anomalies {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, SIZE, Conditions::LAN, seed);
        world.fill(SIZE);
        world.run_for(QUIET);
        let chosen = world.rng_mut().choose(self.concurrent as usize, SIZE);
        for &node in &chosen {
            world.ledger_mut().set_anomalous(node, true);
        }
        let before = world.ledger().counts;
        let end = world.now() + SPAN;
        loop {
            chosen
                .iter()
                .for_each(|&node| world.pause(node, self.pause));
            world.run_for(self.duration);
            chosen.iter().for_each(|&node| world.resume(node));
            if world.now() >= end {
                break;
            }
            world.run_for(self.interval);
        }
        let after = world.ledger().counts;
        let growth = |count: u64, since: u64| (count - since) as f64;
        let mut score = score(&world);
        score.set(
            &FALSE_POSITIVES,
            growth(after.false_positives, before.false_positives),
        );
        score.set(
            &HEALTHY_FALSE_POSITIVES,
            growth(
                after.healthy_false_positives,
                before.healthy_false_positives,
            ),
        );
        score.set(&DATAGRAMS, world.total_traffic().datagrams as f64);
        score.set(&BYTES, world.total_traffic().bytes as f64);
        score
    }

    /// All 432 combinations of the paper, or 48 of them spread over all dimensions.
    pub fn grid(pause: Pause, is_full: bool) -> Vec<Self> {
        let (concurrent, durations, intervals): (&[u32], &[Time], &[Time]) = if is_full {
            (
                &[1, 4, 8, 12, 16, 20, 24, 28, 32],
                &[128, 512, 2_048, 8_192, 16_384, 32_768],
                &[1, 4, 16, 64, 256, 1_024, 4_096, 16_384],
            )
        } else {
            (
                &[1, 4, 16, 32],
                &[2_048, 8_192, 32_768],
                &[1, 64, 1_024, 16_384],
            )
        };
        let mut grid = Vec::new();
        for &concurrent in concurrent {
            for duration in durations.iter().map(|ms| ms * MILLISECOND) {
                for interval in intervals.iter().map(|ms| ms * MILLISECOND) {
                    grid.push(Self {
                        concurrent,
                        duration,
                        interval,
                        pause,
                    });
                }
            }
        }
        grid
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_has_the_size_of_the_papers() {
        assert_eq!(Anomalies::grid(Pause::Io, true).len(), 432);
        assert_eq!(Anomalies::grid(Pause::Io, false).len(), 48);
    }
}
