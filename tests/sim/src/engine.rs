//! What the simulator asks of a membership engine. To it, an engine is a black box.

use crate::{time::Time, world::Out};

/// One node's engine. Nodes are numbers from 0; how an engine writes them as addresses is its own affair.
pub trait Engine {
    /// A datagram arrived.
    fn handle(&mut self, now: Time, from: u32, datagram: &[u8], out: &mut Out<'_>);

    /// [`next_deadline`](Self::next_deadline) is reached, perhaps for some time already.
    fn timeout(&mut self, now: Time, out: &mut Out<'_>);

    /// When [`timeout`](Self::timeout) is to be called. Asked after each call.
    fn next_deadline(&self) -> Option<Time>;

    /// The node shall join the cluster of `seeds`.
    fn join(&mut self, now: Time, seeds: &[u32], out: &mut Out<'_>);

    /// The node shall say goodbye.
    fn leave(&mut self, now: Time, out: &mut Out<'_>);

    /// A reliable ping was answered. Only for engines that send such.
    fn answered(&mut self, _now: Time, _token: u64, _out: &mut Out<'_>) {}

    /// Fills the table of a new engine with members that are all up, as in a cluster that has long converged. What it
    /// sends on that occasion goes nowhere.
    fn fill(&mut self, now: Time, members: &[u32], out: &mut Out<'_>);

    /// The members that are up in its view, without itself, in any order.
    fn view(&self) -> Vec<u32>;

    /// Its own incarnation, when it has such a thing.
    fn incarnation(&self) -> Option<u64> {
        None
    }

    /// A fingerprint of its table, the same for equal tables, when it has such a thing.
    fn digest(&self) -> Option<u64> {
        None
    }

    /// Bytes held by its tables, when it can tell.
    fn memory(&self) -> Option<usize> {
        None
    }
}

/// A kind of engine with its configuration: makes the nodes of a cluster.
pub trait Kind: Sync {
    /// The engine.
    type Engine: Engine;

    /// Its name in tables.
    fn name(&self) -> &str;

    /// By how much the time is cut for which it is observed, because it needs much longer than others to simulate.
    fn slowness(&self) -> u64 {
        1
    }

    /// The largest cluster that can be simulated in sensible time.
    fn largest_cluster(&self) -> u32 {
        u32::MAX
    }

    /// Starts a node of a cluster of about `size` nodes.
    fn start(&self, now: Time, node: u32, life: Life, size: u32, seed: [u8; 32]) -> Self::Engine;
}

/// Which of a node's lives begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// How often the node has been started before.
    pub restarts: u32,
    /// The highest incarnation that it ever had, if it was kept.
    pub remembered: Option<u64>,
}
