//! What happens to a cluster, and what is measured of it.

pub mod anomalies;
pub mod crash;
pub mod instability;
pub mod join;
pub mod newcomer;
pub mod partition;
pub mod rate;
pub mod restart;
pub mod steady;

use crate::{
    engine::Kind,
    metrics::Score,
    time::{Time, as_seconds},
    world::World,
};

/// A scenario with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Game {
    /// A node ends without a word.
    Crash(crash::Crash),
    /// Some nodes stand still by turns.
    Anomalies(anomalies::Anomalies),
    /// Nothing happens but loss.
    Steady(steady::Steady),
    /// All nodes join together.
    Join(join::Join),
    /// One node joins many.
    Newcomer(newcomer::Newcomer),
    /// Some nodes have a bad connection.
    Instability(instability::Instability),
    /// Half of the nodes do not reach the other half for a while.
    Partition(partition::Partition),
    /// All nodes start again, a few at a time.
    Restart(restart::Restart),
    /// How fast the simulation is.
    Rate(rate::Rate),
}

impl Game {
    /// Plays it once. All but [`Rate`](Self::Rate) depend on nothing but the arguments.
    pub fn play<K: Kind>(&self, kind: &K, seed: u64) -> Score {
        match self {
            Self::Crash(game) => game.play(kind, seed),
            Self::Anomalies(game) => game.play(kind, seed),
            Self::Steady(game) => game.play(kind, seed),
            Self::Join(game) => game.play(kind, seed),
            Self::Newcomer(game) => game.play(kind, seed),
            Self::Instability(game) => game.play(kind, seed),
            Self::Partition(game) => game.play(kind, seed),
            Self::Restart(game) => game.play(kind, seed),
            Self::Rate(game) => game.play(kind, seed),
        }
    }

    /// How many nodes take part.
    pub fn size(&self) -> u32 {
        match self {
            Self::Crash(game) => game.size,
            Self::Anomalies(_) => anomalies::SIZE,
            Self::Steady(game) => game.size,
            Self::Join(game) => game.size,
            Self::Newcomer(game) => game.size,
            Self::Instability(game) => game.size,
            Self::Partition(game) => game.size,
            Self::Restart(game) => game.size,
            Self::Rate(game) => game.size,
        }
    }
}

/// From `begin` to `end` in seconds; infinite when the end never came.
fn elapsed(begin: Time, end: Option<Time>) -> f64 {
    end.map_or(f64::INFINITY, |end| as_seconds(end - begin))
}

/// The score of a world in which all is over.
fn score<K: Kind>(world: &World<'_, K>) -> Score {
    Score {
        fingerprint: Some(world.fingerprint()),
        ..Score::default()
    }
}
