//! Some nodes have a bad connection: are they told apart from the good ones? After figures 9 and 10 of the Rapid paper.

use super::score;
use crate::{
    engine::Kind,
    ledger::Belief,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{SECOND, Time},
    world::World,
};

/// One node in a hundred has a bad connection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Instability {
    /// Nodes.
    pub size: u32,
    /// What is bad about the connections.
    pub trouble: Trouble,
    /// How long it lasts.
    pub span: Time,
}

/// What is bad about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// 80 % of all that the node sends is lost.
    Loss,
    /// The node receives nothing for 20 s, then for 20 s it does.
    FlipFlop,
}

/// How often a node with a good connection was declared dead by another such.
pub const HEALTHY_REMOVED: Metric = Metric {
    name: "healthy nodes removed",
    unit: "",
    summary: Summary::Worst,
};
/// How often a healthy node changes its mind about a faulty one.
pub const CHANGES: Metric = Metric {
    name: "changes of a faulty node",
    unit: "1/min",
    summary: Summary::Mean,
};
/// Bytes that a node sends.
pub const BYTES: Metric = Metric {
    name: "sent",
    unit: "B/s/node",
    summary: Summary::Mean,
};

const WARM_UP: Time = 5 * SECOND;
const FLIP: Time = 20 * SECOND;

impl Instability {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, Conditions::LAN, seed);
        world.fill(self.size);
        world.run_for(WARM_UP);
        let faulty = world
            .rng_mut()
            .choose((self.size / 100).max(1) as usize, self.size);
        for &node in &faulty {
            world.ledger_mut().set_anomalous(node, true);
            world.ledger_mut().watch(node);
        }
        let (begin, sent) = (world.now(), world.total_traffic().bytes);
        let end = begin + self.span / kind.slowness().min(4);
        let mut is_bad = true;
        while world.now() < end {
            for &node in &faulty {
                match self.trouble {
                    Trouble::Loss => world.network_mut().set_node_loss(node, 0.8, 0.0),
                    Trouble::FlipFlop => {
                        let received = f64::from(u8::from(is_bad));
                        world.network_mut().set_node_loss(node, 0.0, received);
                    }
                }
            }
            is_bad = !is_bad;
            world.run_until(end.min(world.now() + FLIP));
        }
        let ledger = world.ledger();
        let changes = ledger
            .sightings()
            .iter()
            .filter(|sighting| sighting.what != Belief::Suspect)
            .filter(|sighting| !faulty.contains(&sighting.observer))
            .count();
        let pairs = faulty.len() * (self.size as usize - faulty.len());
        let seconds = (end - begin) as f64 / SECOND as f64;
        let mut score = score(&world);
        let removed = ledger.counts.healthy_false_positives;
        score.set(&HEALTHY_REMOVED, removed as f64);
        score.set(&CHANGES, changes as f64 / pairs as f64 / (seconds / 60.0));
        let sent = world.total_traffic().bytes - sent;
        score.set(&BYTES, sent as f64 / seconds / f64::from(self.size));
        score
    }
}
