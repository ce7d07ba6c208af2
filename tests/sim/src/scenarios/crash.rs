//! A node ends without a word: who notices, and when?

use super::{elapsed, score};
use crate::{
    engine::Kind,
    ledger::{Belief, Sighting},
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{SECOND, Time, as_seconds},
    world::World,
};

/// One node of a converged cluster crashes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crash {
    /// Nodes.
    pub size: u32,
    /// The network.
    pub conditions: Conditions,
}

/// Until some node did not get an answer: the detection time of SWIM §5.
pub const FIRST_SUSPECTS: Metric = spread("first suspects");
/// The mean of that in protocol periods, of which SWIM has e/(e-1) = 1.58 whatever the size.
pub const PERIODS: Metric = Metric {
    name: "detection",
    unit: "periods",
    summary: Summary::Mean,
};
/// Until some node holds it for gone.
pub const FIRST_KNOWS: Metric = spread("first knows");
/// Until all nodes do.
pub const ALL_KNOW: Metric = spread("all know");
/// Whether all came to know.
pub const COMPLETE: Metric = Metric {
    name: "complete",
    unit: "share of runs",
    summary: Summary::Mean,
};

const fn spread(name: &'static str) -> Metric {
    Metric {
        name,
        unit: "s",
        summary: Summary::Spread,
    }
}

/// Time in which suspicion under loss becomes what it is in the long run.
const WARM_UP: Time = 10 * SECOND;
/// When waiting has no more sense.
const PATIENCE: Time = 300 * SECOND;

impl Crash {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, self.conditions, seed);
        world.fill(self.size);
        let phase = world.rng_mut().below(SECOND);
        world.run_for(WARM_UP + phase);
        let victim = world.rng_mut().below(u64::from(self.size)) as u32;
        world.ledger_mut().watch(victim);
        let begin = world.now();
        world.crash(victim);
        let all = world.run_until_done(begin + PATIENCE, |ledger| ledger.known_by(victim) == 0);

        let seen = world.ledger().sightings();
        let first = |what| {
            seen.iter()
                .find(|sighting| sighting.what == what)
                .map(|sighting| sighting.at)
        };
        let mut score = score(&world);
        if let Some(at) = first(Belief::Suspect) {
            score.set(&FIRST_SUSPECTS, elapsed(begin, Some(at)));
            // All engines probe once a second.
            score.set(&PERIODS, elapsed(begin, Some(at)));
        }
        score.set(&FIRST_KNOWS, elapsed(begin, first(Belief::Down)));
        score.set(&ALL_KNOW, elapsed(begin, all));
        score.set(&COMPLETE, f64::from(u8::from(all.is_some())));
        score.curve = curve(seen, begin, self.size - 1, Belief::Down);
        score
    }
}

/// The share of `observers` that have told something, over time.
pub(super) fn curve(
    seen: &[Sighting],
    begin: Time,
    observers: u32,
    what: Belief,
) -> Vec<(f64, f64)> {
    let told = seen.iter().filter(|sighting| sighting.what == what);
    let share = |count| f64::from(count) / f64::from(observers);
    let steps = told
        .zip(1..)
        .map(|(sighting, count)| (as_seconds(sighting.at - begin), share(count)));
    [(0.0, 0.0)].into_iter().chain(steps).collect()
}
