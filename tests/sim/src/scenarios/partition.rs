//! Half of the nodes do not reach the other half for a while: do they find each other again?

use super::{elapsed, score};
use crate::{
    engine::Kind,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{SECOND, Time},
    world::World,
};

/// A converged cluster falls apart into halves and is put together again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Partition {
    /// Nodes.
    pub size: u32,
    /// How long the halves are apart.
    pub span: Time,
}

/// From the healing until all know all again.
pub const MERGED: Metric = Metric {
    name: "merged after healing",
    unit: "s",
    summary: Summary::Spread,
};
/// Whether all know all in the end.
pub const COMPLETE: Metric = Metric {
    name: "complete",
    unit: "share of runs",
    summary: Summary::Mean,
};
/// Members declared dead after all were back, nodes that were up twice, incarnations that went back.
pub const FAULTS: Metric = Metric {
    name: "faults",
    unit: "",
    summary: Summary::Worst,
};

const WARM_UP: Time = 5 * SECOND;
const PATIENCE: Time = 600 * SECOND;
/// How long a merged cluster is watched for doubts.
const AFTERWARDS: Time = 60 * SECOND;

impl Partition {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, Conditions::LAN, seed);
        world.fill(self.size);
        world.run_for(WARM_UP);
        let side = world.rng_mut().choose(self.size as usize / 2, self.size);
        side.iter()
            .for_each(|&node| world.network_mut().set_group(node, 1));
        world.run_for(self.span);
        side.iter()
            .for_each(|&node| world.network_mut().set_group(node, 0));
        let healed = world.now();
        let patience = PATIENCE / kind.slowness().min(2);
        let merged = world.run_until_done(healed + patience, |ledger| ledger.is_complete());
        let downs = world.ledger().counts.downs;
        world.run_for(AFTERWARDS);

        let faults = world.ledger().faults;
        let doubts = world.ledger().counts.downs - downs;
        let faults = faults.ghosts + faults.resurrections + faults.lost_incarnations + doubts;
        let mut score = score(&world);
        score.set(&MERGED, elapsed(healed, merged));
        score.set(&COMPLETE, f64::from(u8::from(merged.is_some())));
        score.set(&FAULTS, faults as f64);
        score
    }
}
