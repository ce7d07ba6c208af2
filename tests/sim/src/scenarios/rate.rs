//! How fast the simulation is.

use std::time::Instant;

use super::{score, steady};
use crate::{
    engine::Kind,
    metrics::{Metric, Score, Summary},
    network::Conditions,
    time::{SECOND, Time, as_seconds},
    world::World,
};

/// A converged cluster is left alone, while a real clock runs.
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

const WARM_UP: Time = 5 * SECOND;

impl Rate {
    pub(super) fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        let mut world = World::new(kind, self.size, Conditions::LAN, seed);
        world.fill(self.size);
        world.run_for(WARM_UP);
        let sent = world.total_traffic().bytes;
        let (clock, events) = (Clock::start(), world.events());
        world.run_for(self.span);
        let seconds = clock.seconds();
        let events = (world.events() - events) as f64;
        let mut score = score(&world);
        score.set(&EVENTS, events / seconds / 1e6);
        let sent = (world.total_traffic().bytes - sent) as f64;
        let per_second = sent / as_seconds(self.span);
        score.set(&steady::BYTES, per_second / f64::from(self.size));
        let engines = (0..self.size).filter_map(|node| world.engine(node));
        let memory = engines.filter_map(crate::engine::Engine::memory).max();
        if let Some(memory) = memory {
            score.set(&MEMORY, memory as f64 / f64::from(self.size));
        }
        score
    }
}

/// Time that this thread runs: on Linux without that in which it has to wait for a core.
struct Clock {
    begin: Instant,
    ran: Option<u64>,
}

impl Clock {
    fn start() -> Self {
        Self {
            begin: Instant::now(),
            ran: ran_for(),
        }
    }

    fn seconds(&self) -> f64 {
        match (self.ran, ran_for()) {
            (Some(begin), Some(end)) if end > begin => as_seconds(end - begin),
            _ => self.begin.elapsed().as_secs_f64(),
        }
    }
}

/// Nanoseconds that the scheduler has given this thread.
fn ran_for() -> Option<u64> {
    let numbers = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    numbers.split(' ').next()?.parse().ok()
}
