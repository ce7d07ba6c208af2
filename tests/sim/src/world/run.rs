use std::mem;

use super::{Out, World};
use crate::{
    engine::{Engine, Kind},
    ledger::Ledger,
    pause::{Pause, Wake},
    queue::{self, Entry},
    time::Time,
};

/// How often in a row an engine's timers may be due at the same time before it is held to spin.
const MAX_SPINS: u32 = 10_000;

impl<K: Kind> World<'_, K> {
    /// Lets time pass up to `end`.
    pub fn run_until(&mut self, end: Time) {
        while self.links.queue.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        self.links.now = self.links.now.max(end);
    }

    /// Lets `span` pass.
    pub fn run_for(&mut self, span: Time) {
        self.run_until(self.now() + span);
    }

    /// Lets time pass up to `end`, or until `done`, which is asked after each event. Returns when that was.
    pub fn run_until_done(
        &mut self,
        end: Time,
        mut done: impl FnMut(&Ledger) -> bool,
    ) -> Option<Time> {
        loop {
            if done(&self.ledger) {
                return Some(self.links.now);
            }
            if self.links.queue.next_at().is_none_or(|at| at > end) {
                self.links.now = self.links.now.max(end);
                return None;
            }
            self.step();
        }
    }

    #[inline]
    fn step(&mut self) {
        let entry = self.links.queue.pop();
        // An event may lie in the past when a scenario did something at a time between two events.
        self.links.now = self.links.now.max(entry.at);
        match entry.kind {
            queue::Kind::Arrival => self.arrive(entry.node, entry.what),
            queue::Kind::Timer => self.tick(entry),
            queue::Kind::Answer => self.answer(entry.node, entry.what),
        }
    }

    #[inline]
    fn arrive(&mut self, node: u32, slot: u32) {
        if let Some(held) = &mut self.links.held[node as usize] {
            let len = u64::from(self.links.pool.label(slot).len);
            if !held.receive(self.links.now, slot, len) {
                self.links.pool.give_back(slot);
            }
            return;
        }
        self.deliver(node, slot);
        self.arm(node);
    }

    /// Gives a datagram to the engine.
    #[inline]
    fn deliver(&mut self, node: u32, slot: u32) {
        let from = self.links.pool.label(slot).from;
        // Taken out for the time of the call, in which the engine sends.
        let mut datagram = mem::take(&mut self.datagram);
        self.links.pool.copy(slot, &mut datagram);
        self.links.pool.give_back(slot);
        self.record(node, u64::from(from) << 1);
        self.fingerprint.add_bytes(&datagram);
        self.call(node, |engine, now, out| {
            engine.handle(now, from, &datagram, out);
        });
        self.datagram = datagram;
    }

    #[inline]
    fn tick(&mut self, entry: Entry) {
        let node = entry.node;
        if self.armed[node as usize] != entry.at {
            // Something else has come first, and has set the timer anew.
            return;
        }
        self.armed[node as usize] = Time::MAX;
        let pause = self.links.held[node as usize].as_ref();
        if pause.is_some_and(|held| held.pause != Pause::Io) {
            return;
        }
        self.expire(node, entry.at);
        self.arm(node);
    }

    /// Lets the engine's timers run if one is due up to `end`.
    #[inline]
    fn expire(&mut self, node: u32, end: Time) {
        if self.due[node as usize] <= end {
            self.record(node, 1);
            self.call(node, |engine, now, out| engine.timeout(now, out));
        }
    }

    fn answer(&mut self, node: u32, what: u32) {
        if let Some(held) = &mut self.links.held[node as usize] {
            held.answers.push(what);
            return;
        }
        let life = self.restarts[node as usize];
        if let Some(token) = self.links.take_answer(what, life) {
            self.record(node, token << 1 | 1);
            self.call(node, |engine, now, out| engine.answered(now, token, out));
            self.arm(node);
        }
    }

    /// Makes a node stand still.
    pub fn pause(&mut self, node: u32, pause: Pause) {
        let held = crate::pause::Held::new(pause);
        self.links.held[node as usize] = Some(Box::new(held));
    }

    /// Lets a node go on.
    pub fn resume(&mut self, node: u32) {
        let Some(mut held) = self.links.held[node as usize].take() else {
            return;
        };
        for (to, slot) in held.take_sent() {
            self.links.transmit(node, to, slot);
        }
        let now = self.links.now;
        if held.pause == Pause::Process(Wake::TimersFirst) {
            self.expire(node, now);
        }
        while let Some((arrived, slot)) = held.next_received() {
            if held.pause == Pause::Process(Wake::InOrder) {
                self.expire(node, arrived);
            }
            self.deliver(node, slot);
        }
        for what in mem::take(&mut held.answers) {
            self.answer(node, what);
        }
        if held.pause != Pause::Io {
            self.expire(node, now);
        }
        self.arm(node);
    }

    #[inline]
    fn record(&mut self, node: u32, what: u64) {
        self.events += 1;
        self.fingerprint.add(self.links.now);
        self.fingerprint.add(u64::from(node) << 40 ^ what);
    }

    /// Calls a node's engine, if it has one, with the time and somewhere to put its output.
    #[inline]
    pub(super) fn call(
        &mut self,
        node: u32,
        call: impl FnOnce(&mut K::Engine, Time, &mut Out<'_>),
    ) {
        let Some(engine) = &mut self.engines[node as usize] else {
            return;
        };
        let now = self.links.now;
        let mut out = Out {
            links: &mut self.links,
            ledger: &mut self.ledger,
            me: node,
            life: self.restarts[node as usize],
            is_mute: false,
        };
        call(engine, now, &mut out);
        if let Some(incarnation) = engine.incarnation() {
            self.ledger.incarnation(node, incarnation);
        }
        self.ledger.settle(node);
        self.due[node as usize] = engine.next_deadline().unwrap_or(Time::MAX);
    }

    /// Sees to it that an event is in the queue for when the engine wants to be called. An earlier one may stay: it does
    /// no harm.
    #[inline]
    pub(super) fn arm(&mut self, node: u32) {
        let now = self.links.now;
        let at = self.due[node as usize].max(now);
        if at >= self.armed[node as usize] {
            return;
        }
        self.spins = if at == now { self.spins + 1 } else { 0 };
        assert!(self.spins < MAX_SPINS, "node {node} spins");
        self.armed[node as usize] = at;
        self.links.queue.push(Entry {
            at,
            node,
            what: 0,
            kind: queue::Kind::Timer,
        });
    }
}
