//! What lies between the nodes, and what they tell.

use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use memberlist_core::transport::{Packet, PacketProducer, StreamProducer};
use shiome_sim::{Conditions, HEADER_LEN, Rng};
use tokio::time::Instant;

use super::connection::{Wire, pair};

/// The network and a record of what was told, shared by all nodes.
#[derive(Debug, Clone)]
pub(crate) struct Hub(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    rng: Rng,
    conditions: Conditions,
    nodes: Vec<Node>,
    traffic: Traffic,
    first_down: Vec<Option<Instant>>,
    false_positives: u64,
}

#[derive(Debug, Default)]
struct Node {
    door: Option<Door>,
    knows: HashSet<u32>,
    sizes: HashSet<usize>,
}

/// Where a running node is reached.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) packets: PacketProducer<SocketAddr, Instant>,
    pub(super) streams: StreamProducer<SocketAddr, Wire>,
}

/// What all nodes have sent, with headers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Traffic {
    pub(super) datagrams: u64,
    /// Of datagrams and of connections.
    pub(super) bytes: u64,
}

/// IP and TCP headers of a segment.
const SEGMENT_HEADER_LEN: u64 = 40;
/// Longest part of a stream in one segment.
const SEGMENT_LEN: u64 = 1_400;
/// Segments that open and close a connection.
const BARE_SEGMENTS: u64 = 7;

impl Hub {
    pub(super) fn new(size: u32, conditions: Conditions, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: Rng::new(seed),
            conditions,
            nodes: (0..size).map(|_| Node::default()).collect(),
            traffic: Traffic::default(),
            first_down: vec![None; size as usize],
            false_positives: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self, node: u32, door: Door) {
        self.state().nodes[node as usize].door = Some(door);
    }

    /// The node is gone: nothing reaches it or comes from it any more.
    pub(super) fn close(&self, node: u32) {
        let mut state = self.state();
        state.nodes[node as usize].door = None;
        state.nodes[node as usize].knows.clear();
    }

    /// Whether the node runs.
    pub(super) fn is_open(&self, node: u32) -> bool {
        self.state().nodes[node as usize].door.is_some()
    }

    /// Sends a datagram.
    pub(super) fn send(&self, from: u32, to: SocketAddr, datagram: Bytes) {
        let mut state = self.state();
        if state.nodes[from as usize].door.is_none() {
            return;
        }
        state.traffic.datagrams += 1;
        state.traffic.bytes += datagram.len() as u64 + HEADER_LEN;
        let latency = state.latency();
        let loss = state.conditions.loss;
        let is_lost = state.rng.unit() < loss;
        drop(state);
        if is_lost {
            return;
        }
        let hub = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(latency).await;
            let door = hub.state().nodes[node_at(to) as usize].door.clone();
            if let Some(door) = door {
                // Only full when the node does not keep up: then a socket loses datagrams too.
                drop(
                    door.packets
                        .try_send(Packet::new(address(from), Instant::now(), datagram)),
                );
            }
        });
    }

    /// Opens a connection, which takes a round trip. `None` when nobody answers.
    pub(super) async fn connect(&self, from: u32, to: SocketAddr) -> Option<Wire> {
        let (wait, door) = {
            let mut state = self.state();
            state.traffic.bytes += BARE_SEGMENTS * SEGMENT_HEADER_LEN;
            let wait = state.latency() + state.latency();
            let door = state.nodes[node_at(to) as usize].door.clone();
            (
                wait,
                door.filter(|_| state.nodes[from as usize].door.is_some()),
            )
        };
        tokio::time::sleep(wait).await;
        let (ours, theirs) = pair(self.clone());
        door?.streams.send(address(from), theirs).await.ok()?;
        Some(ours)
    }

    /// Counts a piece of a stream. Returns when it arrives.
    pub(super) fn stream(&self, len: usize) -> Instant {
        let mut state = self.state();
        let len = len as u64;
        state.traffic.bytes += len + len.div_ceil(SEGMENT_LEN) * SEGMENT_HEADER_LEN;
        Instant::now() + state.latency()
    }

    pub(super) fn told(&self, observer: u32, subject: u32, is_up: bool) {
        if observer == subject {
            return;
        }
        let mut state = self.state();
        let runs = state.nodes[subject as usize].door.is_some();
        let node = &mut state.nodes[observer as usize];
        if node.door.is_none() {
            return;
        }
        if is_up {
            node.knows.insert(subject);
        } else {
            node.knows.remove(&subject);
        }
        let size = node.knows.len();
        node.sizes.insert(size);
        if !is_up {
            state.first_down[subject as usize].get_or_insert_with(Instant::now);
            state.false_positives += u64::from(runs);
        }
    }

    pub(super) fn known_by(&self, subject: u32) -> u32 {
        let state = self.state();
        let knowing = state
            .nodes
            .iter()
            .filter(|node| node.knows.contains(&subject));
        knowing.count() as u32
    }

    pub(super) fn is_complete(&self) -> bool {
        let state = self.state();
        let running = state.nodes.iter().filter(|node| node.door.is_some());
        let others = running.clone().count().saturating_sub(1);
        running.into_iter().all(|node| node.knows.len() == others)
    }

    pub(super) fn first_down(&self, subject: u32) -> Option<Instant> {
        self.state().first_down[subject as usize]
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.state().traffic
    }

    pub(super) fn false_positives(&self) -> u64 {
        self.state().false_positives
    }

    /// Most different sizes of the cluster that a node has seen.
    pub(super) fn most_sizes(&self) -> usize {
        let state = self.state();
        let sizes = state.nodes.iter().map(|node| node.sizes.len());
        sizes.max().unwrap_or(0)
    }

    /// A number below `bound`.
    pub(super) fn random(&self, bound: u64) -> u64 {
        self.state().rng.below(bound)
    }
}

impl State {
    fn latency(&mut self) -> Duration {
        let (shortest, longest) = self.conditions.latency;
        Duration::from_nanos(shortest + self.rng.below(longest - shortest + 1))
    }
}

pub(super) fn address(node: u32) -> SocketAddr {
    SocketAddrV4::new(Ipv4Addr::from_bits((10 << 24) + node), 7946).into()
}

pub(super) fn node_at(addr: SocketAddr) -> u32 {
    match addr {
        SocketAddr::V4(addr) => addr.ip().to_bits() - (10 << 24),
        SocketAddr::V6(_) => unreachable!("all addresses in here are of IPv4"),
    }
}
