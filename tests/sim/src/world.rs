//! The cluster: engines, the network between them, and time.

mod lives;
mod out;
mod run;
#[cfg(test)]
mod tests;

use crate::{
    engine::{Engine, Kind},
    hash::Fingerprint,
    ledger::Ledger,
    network::{Conditions, Network},
    pause::Held,
    pool::{MAX_DATAGRAM_LEN, Pool},
    queue::Queue,
    rng::Rng,
    time::{ORIGIN, Time},
};

pub use lives::Memory;
pub use out::Out;

/// A cluster of one kind of engine. Equal arguments and calls give equal simulations.
#[derive(Debug)]
pub struct World<'k, K: Kind> {
    kind: &'k K,
    /// Nodes that there are or will be.
    size: u32,
    engines: Vec<Option<K::Engine>>,
    /// When each engine wants to be called.
    due: Vec<Time>,
    /// When the earliest timer event of each node is in the queue for.
    armed: Vec<Time>,
    restarts: Vec<u32>,
    links: Links,
    ledger: Ledger,
    /// The datagram that is being handled.
    datagram: Vec<u8>,
    fingerprint: Fingerprint,
    events: u64,
    /// How often in a row a node's timers were due at one and the same time.
    spins: u32,
}

/// All that is between the engines.
#[derive(Debug)]
struct Links {
    now: Time,
    queue: Queue,
    pool: Pool,
    network: Network,
    rng: Rng,
    traffic: Vec<Traffic>,
    /// Nodes that stand still.
    held: Vec<Option<Box<Held>>>,
    /// Reliable pings under way: the token, and the asking node's life.
    answers: Vec<(u64, u32)>,
    free_answers: Vec<u32>,
}

/// What a node has sent, with headers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams.
    pub datagrams: u64,
    /// Their bytes with IP and UDP headers.
    pub bytes: u64,
    /// Longest of them, without headers.
    pub longest: u32,
    /// Reliable pings.
    pub reliable_pings: u64,
}

impl<'k, K: Kind> World<'k, K> {
    /// A cluster of up to `size` nodes, none of which has started.
    pub fn new(kind: &'k K, size: u32, conditions: Conditions, seed: u64) -> Self {
        let nodes = size as usize;
        Self {
            kind,
            size,
            engines: (0..nodes).map(|_| None).collect(),
            due: vec![Time::MAX; nodes],
            armed: vec![Time::MAX; nodes],
            restarts: vec![0; nodes],
            links: Links {
                now: ORIGIN,
                queue: Queue::new(),
                pool: Pool::default(),
                network: Network::new(size, conditions),
                rng: Rng::new(seed),
                traffic: vec![Traffic::default(); nodes],
                held: (0..nodes).map(|_| None).collect(),
                answers: Vec::new(),
                free_answers: Vec::new(),
            },
            ledger: Ledger::new(size),
            datagram: Vec::with_capacity(MAX_DATAGRAM_LEN),
            fingerprint: Fingerprint::default(),
            events: 0,
            spins: 0,
        }
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.links.now
    }

    /// How many nodes there can be.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// What the nodes believe.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// To mark and watch nodes.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// To change the conditions.
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.links.network
    }

    /// Chance, for what the scenario decides.
    pub fn rng_mut(&mut self) -> &mut Rng {
        &mut self.links.rng
    }

    /// The engine of a node that has started and not crashed.
    pub fn engine(&self, node: u32) -> Option<&K::Engine> {
        self.engines[node as usize].as_ref()
    }

    /// Fingerprint of all that happened so far.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint.value()
    }

    /// Datagrams and timers that were handled so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// What `node` has sent so far.
    pub fn traffic(&self, node: u32) -> Traffic {
        self.links.traffic[node as usize]
    }

    /// What all have sent so far.
    pub fn total_traffic(&self) -> Traffic {
        let add = |sum: Traffic, one: &Traffic| Traffic {
            datagrams: sum.datagrams + one.datagrams,
            bytes: sum.bytes + one.bytes,
            longest: sum.longest.max(one.longest),
            reliable_pings: sum.reliable_pings + one.reliable_pings,
        };
        self.links.traffic.iter().fold(Traffic::default(), add)
    }

    /// Compares what the engines told by and by with the tables that they have in the end.
    ///
    /// # Errors
    ///
    /// The first node whose table says otherwise.
    pub fn check_views(&self) -> Result<(), String> {
        for node in 0..self.size {
            let Some(engine) = self.engine(node) else {
                continue;
            };
            let mut view = engine.view();
            view.sort_unstable();
            let told = Vec::from_iter(self.ledger.view(node));
            if view != told {
                let (has, told) = (view.len(), told.len());
                return Err(format!("node {node} has {has} members and told of {told}"));
            }
        }
        Ok(())
    }

    /// Whether all running engines have equal tables, as far as they can tell.
    pub fn digests_agree(&self) -> bool {
        let mut digests = self.engines.iter().flatten().filter_map(Engine::digest);
        let first = digests.next();
        digests.all(|digest| Some(digest) == first)
    }
}
