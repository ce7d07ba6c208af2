//! Nodes in one thread on virtual time, joined by a network that may lose and block.

use core::net::{Ipv4Addr, SocketAddr};
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use shiome_gossip::NodeId;

use crate::{Config, Event, Identity, Swim, rng::Rng};

pub(super) struct Net {
    pub(super) start: Instant,
    pub(super) now: Instant,
    pub(super) nodes: Vec<Option<Swim>>,
    pub(super) events: Vec<Vec<(Duration, Event)>>,
    /// Whether a datagram from one to another gets lost.
    pub(super) blocked: Box<dyn Fn(usize, usize) -> bool>,
    pub(super) loss: f64,
    /// Whether nodes answer reliable pings.
    pub(super) reliable: bool,
    /// How much later than due timers fire.
    pub(super) late: Duration,
    flying: BinaryHeap<Reverse<Flying>>,
    sent: u64,
    rng: Rng,
}

/// When it arrives, its number, from whom to whom, and its bytes.
type Flying = (Instant, u64, usize, usize, Vec<u8>);

pub(super) fn id(n: usize) -> NodeId {
    let mut bytes = [0xab; 16];
    bytes[8..].copy_from_slice(&(n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    NodeId::from(bytes)
}

pub(super) fn addr(n: usize) -> SocketAddr {
    (Ipv4Addr::from(0x0a00_0000 + n as u32), 7_946).into()
}

impl Net {
    pub(super) fn new(nodes: usize, config: &Config) -> Self {
        let start = Instant::now();
        let mut net = Self {
            start,
            now: start,
            nodes: Vec::new(),
            events: Vec::new(),
            blocked: Box::new(|_, _| false),
            loss: 0.0,
            reliable: false,
            late: Duration::ZERO,
            flying: BinaryHeap::new(),
            sent: 0,
            rng: Rng::new([99; 32]),
        };
        for _ in 0..nodes {
            net.add(config);
        }
        net
    }

    pub(super) fn add(&mut self, config: &Config) -> usize {
        self.nodes.push(None);
        self.events.push(Vec::new());
        let n = self.nodes.len() - 1;
        self.start(n, 1, config);
        n
    }

    /// Starts a node, or starts it again.
    pub(super) fn start(&mut self, n: usize, incarnation: u64, config: &Config) {
        let me = Identity {
            id: id(n),
            addr: addr(n),
            incarnation,
        };
        let seed = [n as u8 ^ incarnation as u8; 32];
        self.nodes[n] = Some(Swim::new(self.now, me, config.clone(), seed).unwrap());
        self.events[n].clear();
    }

    /// A node stops without a word.
    pub(super) fn kill(&mut self, n: usize) {
        self.nodes[n] = None;
    }

    pub(super) fn node(&mut self, n: usize) -> &mut Swim {
        self.nodes[n].as_mut().unwrap()
    }

    pub(super) fn join(&mut self, n: usize, seed: usize) {
        let now = self.now;
        self.node(n).join(now, &[addr(seed)]);
        self.drain(n);
    }

    /// All nodes know each other.
    pub(super) fn joined(nodes: usize, config: &Config) -> Self {
        let mut net = Self::new(nodes, config);
        for n in 1..nodes {
            net.join(n, 0);
        }
        let whole = |net: &Self| {
            net.nodes
                .iter()
                .flatten()
                .all(|node| node.len() == nodes - 1)
        };
        net.run_until(Duration::from_secs(30), whole);
        assert!(whole(&net), "{:?}", net.sizes());
        for events in &mut net.events {
            events.clear();
        }
        net
    }

    pub(super) fn sizes(&self) -> Vec<usize> {
        self.nodes.iter().flatten().map(Swim::len).collect()
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    pub(super) fn drain(&mut self, n: usize) {
        let Some(node) = self.nodes[n].as_mut() else {
            return;
        };
        let mut buf = [0; 1_400];
        while let Some(transmit) = node.poll_transmit(&mut buf) {
            let to = (0..self.events.len()).find(|to| addr(*to) == transmit.to);
            let Some(to) = to else { continue };
            if (self.blocked)(n, to) || self.rng.chance(self.loss) {
                continue;
            }
            let latency =
                Duration::from_micros(200) + self.rng.part_of(Duration::from_micros(1_800));
            self.sent += 1;
            let bytes = buf[..transmit.len].to_vec();
            self.flying
                .push(Reverse((self.now + latency, self.sent, n, to, bytes)));
        }
        while let Some(event) = node.poll_event() {
            self.events[n].push((self.now - self.start, event));
        }
        while let Some(ping) = self.nodes[n].as_mut().unwrap().poll_reliable_ping() {
            let alive =
                (0..self.nodes.len()).any(|to| addr(to) == ping.addr && self.nodes[to].is_some());
            if self.reliable && alive {
                let now = self.now;
                self.node(n).handle_reliable_ack(now, ping.token);
            }
        }
    }

    /// Delivers a datagram by hand.
    pub(super) fn deliver(&mut self, from: usize, to: usize, bytes: &[u8]) {
        let now = self.now;
        self.node(to).handle_datagram(now, addr(from), bytes);
        self.drain(to);
    }

    /// Lets everything happen that is due next.
    fn step(&mut self, end: Instant) -> bool {
        let due = |node: &Swim| node.poll_timeout();
        let timers = self.nodes.iter().enumerate();
        let timer = timers
            .filter_map(|(n, node)| Some((node.as_ref().and_then(due)? + self.late, n)))
            .min();
        let arrival = self.flying.peek().map(|Reverse((at, ..))| *at);
        let next = timer.map(|(at, _)| at).into_iter().chain(arrival).min();
        let Some(at) = next.filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(at);
        if arrival == Some(at) {
            let Reverse((_, _, from, to, bytes)) = self.flying.pop().unwrap();
            if self.nodes[to].is_some() {
                self.deliver(from, to, &bytes);
            }
        } else if let Some((_, n)) = timer {
            let now = self.now;
            self.node(n).handle_timeout(now);
            self.drain(n);
        }
        true
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
    }

    /// Runs until something is so, or until the time is over.
    pub(super) fn run_until(&mut self, time: Duration, so: impl Fn(&Self) -> bool) -> Duration {
        let (begin, end) = (self.now, self.now + time);
        while !so(self) && self.step(end) {}
        self.now - begin
    }
}
