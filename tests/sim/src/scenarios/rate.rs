//! How fast the simulation is.

use std::time::Instant;

use super::score;
use crate::{
    engine::Kind,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{SECOND, Time},
    world::World,
};

/// A converged cluster is left alone, under the eyes of a real clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Nodes.
    pub size: u32,
    /// How long in virtual time.
    pub span: Time,
}

/// Datagrams and timers handled in a second of one core.
pub const EVENTS: Metric = Metric {
    name: "rate",
    unit: "M events/s",
    summary: Summary::Spread,
};
/// Memory of one engine's tables.
pub const MEMORY: Metric = Metric {
    name: "tables of an engine",
    unit: "B/member",
    summary: Summary::Worst,
};

impl Rate {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, Conditions::LAN, seed);
        world.fill(self.size);
        world.run_for(2 * SECOND);
        let (begin, events) = (Instant::now(), world.events());
        world.run_for(self.span);
        let seconds = begin.elapsed().as_secs_f64();
        let events = (world.events() - events) as f64;
        let mut score = score(&world);
        score.set(&EVENTS, events / seconds / 1e6);
        let engines = (0..self.size).filter_map(|node| world.engine(node));
        let memory = engines.filter_map(crate::engine::Engine::memory).max();
        if let Some(memory) = memory {
            score.set(&MEMORY, memory as f64 / f64::from(self.size));
        }
        score
    }
}
