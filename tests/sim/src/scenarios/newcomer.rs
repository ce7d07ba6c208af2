//! One node joins many: when do all know it, and does it know all?

use super::{crash, elapsed, score};
use crate::{
    engine::Kind,
    ledger::Belief,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{MILLISECOND, SECOND, Time},
    world::{Memory, World},
};

/// A node joins a converged cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Newcomer {
    /// Nodes, the newcomer included.
    pub size: u32,
    /// The network.
    pub conditions: Conditions,
}

/// Until all know the newcomer.
pub const KNOWN_BY_ALL: Metric = spread("known by all", "s");
/// The same in rounds of gossip.
pub const ROUNDS: Metric = spread("known by all", "rounds");
/// Until the newcomer knows all.
pub const KNOWS_ALL: Metric = spread("knows all", "s");
/// Whether nothing was missing in the end.
pub const COMPLETE: Metric = Metric {
    name: "complete",
    unit: "share of runs",
    summary: Summary::Mean,
};

const fn spread(name: &'static str, unit: &'static str) -> Metric {
    Metric {
        name,
        unit,
        summary: Summary::Spread,
    }
}

const WARM_UP: Time = 5 * SECOND;
const PATIENCE: Time = 120 * SECOND;
/// All engines gossip that often.
pub const GOSSIP_INTERVAL: Time = 200 * MILLISECOND;
/// Nodes that the newcomer is told of.
const SEEDS: usize = 3;

impl Newcomer {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let newcomer = self.size - 1;
        let mut world = World::new(kind, self.size, self.conditions, seed);
        world.fill(newcomer);
        let phase = world.rng_mut().below(SECOND);
        world.run_for(WARM_UP + phase);
        world.ledger_mut().watch(newcomer);
        let seeds = world.rng_mut().choose(SEEDS, newcomer);
        let begin = world.now();
        world.start_and_join(newcomer, Memory::Lost, &seeds);

        let (mut known, mut knows) = (None, None);
        let end = begin + PATIENCE / kind.slowness().min(2);
        while let Some(at) = world.run_until_done(end, |ledger| {
            known.is_none() && ledger.known_by(newcomer) == newcomer
                || knows.is_none() && ledger.knows(newcomer) == newcomer
        }) {
            if world.ledger().known_by(newcomer) == newcomer {
                known.get_or_insert(at);
            }
            if world.ledger().knows(newcomer) == newcomer {
                knows.get_or_insert(at);
            }
            if known.is_some() && knows.is_some() {
                break;
            }
        }
        let mut score = score(&world);
        score.set(&KNOWN_BY_ALL, elapsed(begin, known));
        let rounds = elapsed(begin, known) * SECOND as f64 / GOSSIP_INTERVAL as f64;
        score.set(&ROUNDS, rounds);
        score.set(&KNOWS_ALL, elapsed(begin, knows));
        let complete = known.is_some() && knows.is_some();
        score.set(&COMPLETE, f64::from(u8::from(complete)));
        score.curve = crash::curve(world.ledger().sightings(), begin, newcomer, Belief::Up);
        score
    }
}
