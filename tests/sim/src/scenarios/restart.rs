//! All nodes start again with their old ids, a few at a time: is anybody stuck, does anybody come back who is gone?

use super::{elapsed, score};
use crate::{
    engine::Kind,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{MILLISECOND, SECOND, Time},
    world::{Memory, World},
};

/// Ten nodes in a hundred end each second and start again soon; some stay away.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restart {
    /// Nodes.
    pub size: u32,
    /// Of these, how many never come back.
    pub removed: u32,
    /// Whether they know their old incarnations.
    pub memory: Memory,
}

/// From the last start until all know all and nobody knows those who are gone.
pub const CONVERGED: Metric = Metric {
    name: "converged after the last start",
    unit: "s",
    summary: Summary::Spread,
};
/// Whether that came to pass.
pub const COMPLETE: Metric = Metric {
    name: "complete",
    unit: "share of runs",
    summary: Summary::Mean,
};
/// Nodes said to be up though their end was known and they never came back.
pub const RESURRECTED: Metric = Metric {
    name: "resurrections",
    unit: "",
    summary: Summary::Worst,
};

const WARM_UP: Time = 5 * SECOND;
/// How long all the ends take.
const SPAN: Time = 10 * SECOND;
/// How long a node that comes back is away.
const AWAY: Time = 500 * MILLISECOND;
const PATIENCE: Time = 600 * SECOND;
const AFTERWARDS: Time = 60 * SECOND;
/// Nodes that a node which starts is told of.
const SEEDS: usize = 3;

impl Restart {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, Conditions::LAN, seed);
        world.fill(self.size);
        world.run_for(WARM_UP);
        self.restart_all(&mut world);
        let begin = world.now();
        let patience = PATIENCE / kind.slowness().min(4);
        let converged = world.run_until_done(begin + patience, |ledger| ledger.is_complete());
        world.run_for(AFTERWARDS);

        let faults = world.ledger().faults;
        let mut score = score(&world);
        score.set(&CONVERGED, elapsed(begin, converged));
        score.set(&COMPLETE, f64::from(u8::from(converged.is_some())));
        let resurrected = faults.resurrections + faults.ghosts;
        score.set(&RESURRECTED, resurrected as f64);
        score
    }

    /// Ends and starts the nodes in random order.
    fn restart_all<K: Kind>(&self, world: &mut World<'_, K>) {
        let order = world.rng_mut().choose(self.size as usize, self.size);
        let begin = world.now();
        let step = SPAN / u64::from(self.size);
        let ends = order
            .iter()
            .zip(0..)
            .map(|(node, i)| (begin + i * step, *node, false));
        let back = order.iter().zip(0..).skip(self.removed as usize);
        let starts = back.map(|(node, i)| (begin + i * step + AWAY, *node, true));
        let mut turns = Vec::from_iter(ends.chain(starts));
        turns.sort_unstable();
        for (at, node, is_start) in turns {
            world.run_until(at);
            if is_start {
                let seeds = world.rng_mut().choose(SEEDS, self.size);
                world.start_and_join(node, self.memory, &seeds);
            } else {
                world.crash(node);
            }
        }
    }
}
