//! All nodes join together through one of them: when does each know all?

use super::{elapsed, score};
use crate::{
    engine::Kind,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{MILLISECOND, SECOND, Time, as_seconds},
    world::{Memory, World},
};

/// A cluster starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Join {
    /// Nodes.
    pub size: u32,
    /// The network.
    pub conditions: Conditions,
}

/// Until each node knows all.
pub const ALL_KNOW_ALL: Metric = Metric {
    name: "all know all",
    unit: "s",
    summary: Summary::Spread,
};
/// Whether each node came to know all.
pub const COMPLETE: Metric = Metric {
    name: "complete",
    unit: "share of runs",
    summary: Summary::Mean,
};
/// Different sizes of the cluster that one node has seen.
pub const SIZES: Metric = Metric {
    name: "sizes seen by a node",
    unit: "",
    summary: Summary::Worst,
};
/// Bytes that a node has sent by then.
pub const BYTES: Metric = Metric {
    name: "sent",
    unit: "B/node",
    summary: Summary::Mean,
};

/// Time in which all nodes start.
const STARTS: Time = 100 * MILLISECOND;
/// When waiting has no more sense.
const PATIENCE: Time = 600 * SECOND;
/// How often the curve has a point.
const SAMPLING: Time = 50 * MILLISECOND;

impl Join {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, self.conditions, seed);
        world.ledger_mut().count_sizes();
        world.start(0, Memory::Lost);
        let begin = world.now();
        let mut starts = Vec::from_iter(
            (1..self.size).map(|node| (begin + world.rng_mut().below(STARTS), node)),
        );
        starts.sort_unstable();
        for (at, node) in starts {
            world.run_until(at);
            world.start_and_join(node, Memory::Lost, &[0]);
        }
        let patience = PATIENCE / kind.slowness().min(4);
        let mut curve = vec![(0.0, 0.0)];
        let mut end = None;
        while end.is_none() && world.now() < begin + patience {
            let until = world.now() + SAMPLING;
            end = world.run_until_done(until, |ledger| ledger.is_complete());
            let share = world.ledger().completeness();
            curve.push((as_seconds(world.now() - begin), share));
        }
        let sizes = (0..self.size).map(|node| world.ledger().sizes_seen(node));
        let mut score = score(&world);
        score.set(&ALL_KNOW_ALL, elapsed(begin, end));
        score.set(&COMPLETE, f64::from(u8::from(end.is_some())));
        score.set(&SIZES, f64::from(sizes.max().unwrap_or(0)));
        let sent = world.total_traffic().bytes as f64;
        score.set(&BYTES, sent / f64::from(self.size));
        score.curve = curve;
        score
    }
}
