//! Nothing happens: what does it cost, and who is accused?

use super::score;
use crate::{
    engine::Kind,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{SECOND, Time, as_seconds},
    world::World,
};

/// A converged cluster is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steady {
    /// Nodes.
    pub size: u32,
    /// The network.
    pub conditions: Conditions,
    /// How long it is observed.
    pub span: Time,
}

/// Bytes that a node sends, with IP and UDP headers.
pub const BYTES: Metric = mean("sent", "B/s/node");
/// Datagrams that a node sends.
pub const DATAGRAMS: Metric = mean("datagrams", "1/s/node");
/// Most bytes that one node sends.
pub const BUSIEST: Metric = Metric {
    name: "busiest node",
    unit: "B/s",
    summary: Summary::Worst,
};
/// How often a node that is well was declared dead.
pub const FALSE_POSITIVES: Metric = mean("false positives", "1/h");
/// How often a node was suspected.
pub const SUSPICIONS: Metric = mean("suspicions", "1/h/node");

const fn mean(name: &'static str, unit: &'static str) -> Metric {
    Metric {
        name,
        unit,
        summary: Summary::Mean,
    }
}

const WARM_UP: Time = 20 * SECOND;
/// Slow engines are observed for so long at least: some periods of whatever they do now and then.
const SHORTEST: Time = 120 * SECOND;

impl Steady {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, self.conditions, seed);
        world.fill(self.size);
        world.run_for(WARM_UP);
        let sent = |world: &World<'_, K>| Vec::from_iter((0..self.size).map(|n| world.traffic(n)));
        let (before, counts) = (sent(&world), world.ledger().counts);
        let span = self.span.min(SHORTEST.max(self.span / kind.slowness()));
        world.run_for(span);
        let after = sent(&world);

        let seconds = as_seconds(span);
        let growth = |count: u64, since: u64| (count - since) as f64;
        let bytes = Vec::from_iter(
            after
                .iter()
                .zip(&before)
                .map(|(after, before)| growth(after.bytes, before.bytes) / seconds),
        );
        let datagrams = after
            .iter()
            .zip(&before)
            .map(|(after, before)| growth(after.datagrams, before.datagrams) / seconds);
        let nodes = f64::from(self.size);
        let hours = seconds / 3600.0;
        let now = world.ledger().counts;
        let mut score = score(&world);
        score.set(&BYTES, bytes.iter().sum::<f64>() / nodes);
        score.set(&BUSIEST, bytes.iter().copied().fold(0.0, f64::max));
        score.set(&DATAGRAMS, datagrams.sum::<f64>() / nodes);
        let accused = growth(now.false_positives, counts.false_positives);
        score.set(&FALSE_POSITIVES, accused / hours);
        let suspected = growth(now.suspicions, counts.suspicions);
        score.set(&SUSPICIONS, suspected / hours / nodes);
        score
    }
}
