//! `shiome-swim` and the published engine of ember-cluster 0.4.9 in one cluster.
//!
//! Time is virtual. The published engine reads the clock itself, but only to see whether a probe or a suspicion is older
//! than its timeout: with timeouts of zero it is so at its next tick, and ticks come when this says so.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use ember_0_4::{
    GossipConfig, GossipEngine, GossipMessage, MemberStatus, NodeId as EmberId,
    SlotRange as EmberRange,
};
use shiome_gossip::{NodeId, SlotRange};
use shiome_swim::{Config, Identity, State, Swim};
use tokio::sync::mpsc;
use uuid::Uuid;

const PERIOD: Duration = Duration::from_secs(1);
const STEP: Duration = Duration::from_millis(5);
const DEADLINE: Duration = Duration::from_secs(600);

enum Node {
    Ours(Box<Swim>),
    Ember {
        engine: Box<GossipEngine>,
        next: Instant,
    },
}

struct Cluster {
    now: Instant,
    nodes: Vec<Option<Node>>,
    flying: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    runtime: tokio::runtime::Runtime,
    /// What ours sent to ember that its decoder refused.
    refused: usize,
}

fn bytes(n: usize) -> [u8; 16] {
    let mut bytes = [0x5a; 16];
    bytes[15] = n as u8;
    bytes
}

fn ember_id(n: usize) -> EmberId {
    EmberId(Uuid::from_bytes(bytes(n)))
}

fn our_id(n: usize) -> NodeId {
    NodeId::from(bytes(n))
}

fn addr(n: usize) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, n as u8 + 1), 16_379).into()
}

impl Cluster {
    fn new(kinds: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let now = Instant::now();
        let mut cluster = Self {
            now,
            nodes: Vec::new(),
            flying: VecDeque::new(),
            runtime,
            refused: 0,
        };
        for kind in kinds.chars() {
            let n = cluster.nodes.len();
            cluster.nodes.push(Some(match kind {
                'o' => ours(n, now),
                _ => ember(n, now),
            }));
        }
        cluster
    }

    fn ours(&mut self, n: usize) -> &mut Swim {
        match self.nodes[n].as_mut() {
            Some(Node::Ours(swim)) => swim,
            _ => panic!("{n} is not ours"),
        }
    }

    fn ember(&mut self, n: usize) -> &mut GossipEngine {
        match self.nodes[n].as_mut() {
            Some(Node::Ember { engine, .. }) => engine,
            _ => panic!("{n} is not ember's"),
        }
    }

    /// How one node sees another.
    fn state(&self, n: usize, of: usize) -> Option<State> {
        match self.nodes[n].as_ref()? {
            Node::Ours(swim) => swim.member(&our_id(of)).map(|member| member.state),
            Node::Ember { engine, .. } => {
                let member = engine.members().find(|member| member.id == ember_id(of))?;
                Some(match member.state {
                    MemberStatus::Alive => State::Alive,
                    MemberStatus::Suspect => State::Suspect,
                    MemberStatus::Dead => State::Dead,
                    MemberStatus::Left => State::Left,
                })
            }
        }
    }

    fn all_alive(&self) -> bool {
        let running = |n: &usize| self.nodes[*n].is_some();
        (0..self.nodes.len()).filter(running).all(|n| {
            (0..self.nodes.len())
                .filter(|of| *of != n)
                .filter(running)
                .all(|of| self.state(n, of) == Some(State::Alive))
        })
    }

    fn run_until(&mut self, what: &str, so: impl Fn(&Self) -> bool) {
        let end = self.now + DEADLINE;
        while !so(self) {
            assert!(self.now < end, "{what} did not come to be");
            self.step();
        }
    }

    /// Runs for so many periods.
    fn run(&mut self, periods: u32) {
        let end = self.now + PERIOD * periods;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        let now = self.now;
        for n in 0..self.nodes.len() {
            let mut out = Vec::new();
            match self.nodes[n].as_mut() {
                Some(Node::Ours(swim)) => {
                    if swim.poll_timeout().is_some_and(|at| at <= now) {
                        swim.handle_timeout(now);
                    }
                    drain(swim, &mut out);
                }
                Some(Node::Ember { engine, next }) if *next <= now => {
                    *next = now + PERIOD;
                    out = engine
                        .tick()
                        .into_iter()
                        .map(|(to, message)| (to, message.encode().to_vec()))
                        .collect();
                }
                _ => {}
            }
            self.send(n, out);
        }
        while let Some((from, to, datagram)) = self.flying.pop_front() {
            let Some(n) = (0..self.nodes.len()).find(|n| addr(*n) == to) else {
                continue;
            };
            let mut out = Vec::new();
            match self.nodes[n].as_mut() {
                Some(Node::Ours(swim)) => {
                    swim.handle_datagram(now, from, &datagram);
                    drain(swim, &mut out);
                }
                Some(Node::Ember { engine, .. }) => match GossipMessage::decode(&datagram) {
                    Ok(message) => {
                        let answers = self.runtime.block_on(engine.handle_message(message, from));
                        out = answers
                            .into_iter()
                            .map(|(to, message)| (to, message.encode().to_vec()))
                            .collect();
                    }
                    Err(_) => self.refused += 1,
                },
                None => {}
            }
            self.send(n, out);
        }
    }

    fn send(&mut self, n: usize, out: Vec<(SocketAddr, Vec<u8>)>) {
        self.flying
            .extend(out.into_iter().map(|(to, bytes)| (addr(n), to, bytes)));
    }

    /// An ember node asks another to let it in, as its `cluster_meet` does.
    fn meet(&mut self, n: usize, seed: usize) {
        let join = self.ember(n).create_join_message().encode().to_vec();
        self.flying.push_back((addr(n), addr(seed), join));
    }

    fn join(&mut self, n: usize, seed: usize) {
        let now = self.now;
        self.ours(n).join(now, &[addr(seed)]);
    }
}

fn drain(swim: &mut Swim, out: &mut Vec<(SocketAddr, Vec<u8>)>) {
    let mut buf = [0; 1_400];
    while let Some(transmit) = swim.poll_transmit(&mut buf) {
        out.push((transmit.to, buf[..transmit.len].to_vec()));
    }
    while swim.poll_event().is_some() {}
}

fn ours(n: usize, now: Instant) -> Node {
    let config = Config::fast();
    let me = Identity {
        id: our_id(n),
        addr: addr(n),
        incarnation: 1,
    };
    let swim = Swim::new(now, me, config, [n as u8; 32]).unwrap();
    Node::Ours(Box::new(swim))
}

fn ember(n: usize, now: Instant) -> Node {
    let config = GossipConfig {
        protocol_period: Duration::ZERO,
        probe_timeout: Duration::ZERO,
        ..GossipConfig::default()
    };
    // Nobody listens, and the engine does not mind.
    let (events, _) = mpsc::channel(1);
    let engine = GossipEngine::new(ember_id(n), addr(n), config, events);
    Node::Ember {
        engine: Box::new(engine),
        next: now,
    }
}

#[test]
fn ours_joins_by_a_published_seed() {
    let mut cluster = Cluster::new("eoo");
    cluster.join(1, 0);
    cluster.join(2, 0);
    cluster.run_until("one view", Cluster::all_alive);
    cluster.run(25);
    assert!(cluster.all_alive(), "it stays so");
    assert_eq!(cluster.refused, 0, "ember understands all that it is sent");
}

#[test]
fn a_published_node_joins_by_ours() {
    let mut cluster = Cluster::new("oee");
    cluster.meet(1, 0);
    cluster.meet(2, 0);
    cluster.run_until("one view", Cluster::all_alive);
    cluster.run(25);
    assert!(cluster.all_alive(), "it stays so");
    assert_eq!(cluster.refused, 0);
}

#[test]
fn ours_finds_that_a_published_node_is_dead() {
    let mut cluster = Cluster::new("oeoe");
    for n in [1, 3] {
        cluster.meet(n, 0);
    }
    cluster.join(2, 0);
    cluster.run_until("one view", Cluster::all_alive);
    cluster.nodes[3] = None;
    cluster.run_until("its death", |cluster| {
        [0, 2]
            .iter()
            .all(|n| cluster.state(*n, 3) == Some(State::Dead))
    });
    assert_eq!(cluster.state(0, 1), Some(State::Alive));
    assert_eq!(cluster.state(2, 1), Some(State::Alive));
}

#[test]
fn a_published_node_finds_that_ours_is_dead() {
    let mut cluster = Cluster::new("eoo");
    cluster.join(1, 0);
    cluster.join(2, 0);
    cluster.run_until("one view", Cluster::all_alive);
    cluster.nodes[2] = None;
    cluster.run_until("its death", |cluster| {
        cluster.state(0, 2) == Some(State::Dead)
    });
    assert_eq!(cluster.state(0, 1), Some(State::Alive));
}

#[test]
fn slots_pass_in_both_directions() {
    let mut cluster = Cluster::new("eoo");
    cluster.join(1, 0);
    cluster.join(2, 0);
    cluster.run_until("one view", Cluster::all_alive);
    cluster
        .ember(0)
        .set_local_slots(vec![EmberRange::new(0, 99)]);
    let ours = [
        SlotRange::new(100, 200).unwrap(),
        SlotRange::new(300, 300).unwrap(),
    ];
    let now = cluster.now;
    cluster.ours(1).set_slots(now, &ours).unwrap();
    let slots = |cluster: &Cluster, n: usize, of: usize| match cluster.nodes[n].as_ref().unwrap() {
        Node::Ours(swim) => swim
            .member(&our_id(of))
            .unwrap()
            .slots
            .iter()
            .map(|r| (r.start(), r.end()))
            .collect::<Vec<_>>(),
        Node::Ember { engine, .. } => engine
            .members()
            .find(|m| m.id == ember_id(of))
            .unwrap()
            .slots
            .iter()
            .map(|r| (r.start, r.end))
            .collect(),
    };
    cluster.run_until("the slots of ember", |cluster| {
        [1, 2].iter().all(|n| slots(cluster, *n, 0) == [(0, 99)])
    });
    cluster.run_until("the slots of ours", |cluster| {
        [0, 2]
            .iter()
            .all(|n| slots(cluster, *n, 1) == [(100, 200), (300, 300)])
    });
    // The same incarnation, other slots: that is how ember-cluster changes them.
    cluster
        .ember(0)
        .set_local_slots(vec![EmberRange::new(0, 49)]);
    cluster.run_until("the later slots of ember", |cluster| {
        [1, 2].iter().all(|n| slots(cluster, *n, 0) == [(0, 49)])
    });
    assert_eq!(cluster.refused, 0);
}
