use super::{Out, World};
use crate::{
    engine::{Engine, Kind, Life},
    time::{SECOND, Time},
};

/// Whether a node that starts again knows its old incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Memory {
    /// It was stored.
    Kept,
    /// It was not.
    Lost,
}

impl<K: Kind> World<'_, K> {
    /// Starts nodes 0 to `count` as a cluster that has converged long ago. Their periods do not begin together.
    pub fn fill(&mut self, count: u32) {
        let members = Vec::from_iter(0..count);
        for node in 0..count {
            let phase = self.links.rng.below(SECOND);
            self.start_at(node, self.now() - phase, Memory::Lost);
            self.fill_table(node, self.now() - phase, &members);
        }
        self.ledger.counts = crate::ledger::Counts::default();
    }

    fn fill_table(&mut self, node: u32, now: Time, members: &[u32]) {
        let Some(engine) = &mut self.engines[node as usize] else {
            return;
        };
        let mut out = Out {
            links: &mut self.links,
            ledger: &mut self.ledger,
            me: node,
            life: 0,
            is_mute: true,
        };
        engine.fill(now, members, &mut out);
        self.call(node, |_, _, _| ());
        self.arm(node);
    }

    /// Starts a node that knows nobody.
    pub fn start(&mut self, node: u32, memory: Memory) {
        self.start_at(node, self.now(), memory);
    }

    /// Starts a node that joins through `seeds`.
    pub fn start_and_join(&mut self, node: u32, memory: Memory, seeds: &[u32]) {
        self.start(node, memory);
        self.join(node, seeds);
    }

    fn start_at(&mut self, node: u32, now: Time, memory: Memory) {
        self.ledger.started(node);
        let past = self.ledger.past_incarnation(node);
        let life = Life {
            restarts: self.restarts[node as usize],
            remembered: past.filter(|_| memory == Memory::Kept),
        };
        let seed = self.links.rng.seed();
        let engine = self.kind.start(now, node, life, self.size, seed);
        self.engines[node as usize] = Some(engine);
        self.call(node, |_, _, _| ());
        self.arm(node);
    }

    /// Makes a node join the cluster of `seeds`.
    pub fn join(&mut self, node: u32, seeds: &[u32]) {
        self.call(node, |engine, now, out| engine.join(now, seeds, out));
        self.arm(node);
    }

    /// Makes a node say goodbye. It runs on until it is [crashed](Self::crash).
    pub fn leave(&mut self, node: u32) {
        self.ledger.gone(node);
        self.call(node, |engine, now, out| engine.leave(now, out));
        self.arm(node);
    }

    /// Ends a node without a word.
    pub fn crash(&mut self, node: u32) {
        self.ledger.stopped(node);
        self.engines[node as usize] = None;
        self.due[node as usize] = Time::MAX;
        self.armed[node as usize] = Time::MAX;
        self.restarts[node as usize] += 1;
        if let Some(mut held) = self.links.held[node as usize].take() {
            while let Some((_, slot)) = held.next_received() {
                self.links.pool.give_back(slot);
            }
            for (_, slot) in held.take_sent() {
                self.links.pool.give_back(slot);
            }
        }
    }
}
