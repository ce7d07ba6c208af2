//! Every order in which the messages of several connections between two nodes can arrive.
//!
//! A [`World`] is two nodes and the wires between them. [`explore`] visits every world that any order of dialling,
//! delivering and, where a test allows it, running out of patience or cutting wires can lead to.

mod published;
mod shiome;

use std::cell::Cell;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use shiome_wire::auth::AuthenticationMessage;

use self::published::{Published, Version};
use self::shiome::Shiome;
use crate::{DialVerdict, MAX_HOLD};

#[derive(Clone, Debug)]
enum Packet {
    Message(AuthenticationMessage),
    Close,
}

/// Packets with the wire that they go out on.
type Outbox = Vec<(usize, Packet)>;

/// A connection, with what is on its way to either node.
#[derive(Clone, Debug)]
struct Wire {
    dialler: usize,
    target: &'static str,
    nonce: u64,
    dial: Dial,
    to: [VecDeque<Packet>; 2],
    cut: bool,
    /// It leads elsewhere, to a host that never answers.
    silent: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dial {
    Waiting,
    Begun,
    Dropped,
}

#[derive(Clone, Debug)]
enum Node {
    Shiome(Shiome),
    Published(Published),
}

#[derive(Clone, Debug)]
struct World {
    nodes: [Node; 2],
    wires: Vec<Wire>,
    /// A dial began although the rules would have had it wait longer.
    rushed: bool,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Dial { wire: usize, held: Duration },
    Deliver { wire: usize, to: usize },
    Expire { wire: usize, at: usize },
    Cut { wire: usize },
}

/// What may happen besides dialling and delivering.
#[derive(Clone, Copy, Default)]
struct Weather {
    /// Holds may run out.
    slow: bool,
    /// Connections may break, without a word to either end being lost on the other wires.
    breaks: bool,
}

impl World {
    fn new(nodes: [Node; 2], wires: Vec<Wire>) -> Self {
        Self {
            nodes,
            wires,
            rushed: false,
        }
    }

    fn actions(&self, weather: Weather) -> Vec<Action> {
        let mut actions = Vec::new();
        for (id, wire) in self.wires.iter().enumerate() {
            if wire.dial == Dial::Waiting {
                actions.extend(self.dial_actions(id, wire, weather));
            }
            for to in [0, 1] {
                if !wire.to[to].is_empty() {
                    actions.push(Action::Deliver { wire: id, to });
                }
                let held = matches!(&self.nodes[to], Node::Shiome(node) if node.holds(id));
                if weather.slow && held {
                    actions.push(Action::Expire { wire: id, at: to });
                }
            }
            if weather.breaks && wire.dial == Dial::Begun && !wire.cut {
                actions.push(Action::Cut { wire: id });
            }
        }
        actions
    }

    fn dial_actions(&self, id: usize, wire: &Wire, weather: Weather) -> Option<Action> {
        let mut held = Duration::ZERO;
        if let Node::Shiome(node) = &self.nodes[wire.dialler]
            && node.may_dial(wire, held) == DialVerdict::Hold
        {
            if !weather.slow {
                return None;
            }
            held = MAX_HOLD;
        }
        Some(Action::Dial { wire: id, held })
    }

    fn act(&mut self, action: Action) {
        let mut out = Outbox::new();
        let from = match action {
            Action::Dial { wire, held } => {
                self.dial(wire, held, &mut out);
                self.wires[wire].dialler
            }
            Action::Deliver { wire, to } => {
                let packet = self.wires[wire].to[to].pop_front().unwrap();
                self.receive(wire, to, packet, &mut out);
                to
            }
            Action::Expire { wire, at } => {
                let Node::Shiome(node) = &mut self.nodes[at] else {
                    unreachable!("only our nodes hold");
                };
                node.expire(wire, &mut out);
                at
            }
            Action::Cut { wire } => {
                self.wires[wire].cut = true;
                for to in &mut self.wires[wire].to {
                    to.push_back(Packet::Close);
                }
                return;
            }
        };
        for (wire, packet) in out {
            let wire = &mut self.wires[wire];
            if !wire.cut && !wire.silent {
                wire.to[1 - from].push_back(packet);
            }
        }
    }

    fn dial(&mut self, id: usize, held: Duration, out: &mut Outbox) {
        let wire = &mut self.wires[id];
        wire.dial = Dial::Begun;
        match &mut self.nodes[wire.dialler] {
            Node::Published(node) => node.dial(id, wire, out),
            Node::Shiome(node) => match node.may_dial(wire, held) {
                DialVerdict::Go => {
                    self.rushed |= held >= MAX_HOLD;
                    node.dial(id, wire, out);
                }
                DialVerdict::Connected => wire.dial = Dial::Dropped,
                DialVerdict::Hold => panic!("held without limit"),
            },
        }
    }

    fn receive(&mut self, id: usize, to: usize, packet: Packet, out: &mut Outbox) {
        match &mut self.nodes[to] {
            Node::Shiome(node) => node.receive(id, &self.wires[id], packet, out),
            Node::Published(node) => node.receive(id, packet, out),
        }
    }

    fn live(&self) -> [Vec<usize>; 2] {
        [&self.nodes[0], &self.nodes[1]].map(|node| match node {
            Node::Shiome(node) => node.live(),
            Node::Published(node) => node.live(),
        })
    }

    fn published(&self) -> &Published {
        match &self.nodes[1] {
            Node::Published(node) => node,
            Node::Shiome(_) => panic!("not a published node"),
        }
    }

    /// The only session, the same at both ends.
    fn sole_survivor(&self) -> Option<usize> {
        match self.live() {
            [ours, theirs] if ours == theirs && ours.len() == 1 => Some(ours[0]),
            _ => None,
        }
    }
}

/// Calls `always` with every world and `finally` with those in which nothing can happen any more; returns how many
/// these are.
fn explore(
    world: World,
    weather: Weather,
    always: impl Fn(&World),
    finally: impl Fn(&World),
) -> usize {
    let mut seen = HashSet::new();
    let mut left = vec![world];
    let mut ends = 0;
    while let Some(world) = left.pop() {
        if !seen.insert(format!("{world:?}")) {
            continue;
        }
        always(&world);
        let actions = world.actions(weather);
        if actions.is_empty() {
            finally(&world);
            ends += 1;
        }
        for action in actions {
            let mut next = world.clone();
            next.act(action);
            left.push(next);
        }
    }
    ends
}

/// Our node is `m`; the other sorts before or after it.
const OTHERS: [(&str, &str); 2] = [("a", "a:4697"), ("z", "z:4697")];
const OURS: &str = "m:4697";
/// An address of the other node that it does not announce.
const ALIAS: &str = "alias:4697";

const CALM: Weather = Weather {
    slow: false,
    breaks: false,
};
const SLOW: Weather = Weather {
    slow: true,
    breaks: false,
};
const BREAKS: Weather = Weather {
    slow: true,
    breaks: true,
};

fn ours() -> Node {
    Node::Shiome(Shiome::new("m", Instant::now()))
}

fn published(version: Version, name: &'static str) -> Node {
    Node::Published(Published::new(version, name))
}

fn nonceless(name: &'static str) -> Node {
    published(Version::V0_15_12, name)
}

fn wire(dialler: usize, target: &'static str, nonce: u64) -> Wire {
    Wire {
        dialler,
        target,
        nonce,
        dial: Dial::Waiting,
        to: Default::default(),
        cut: false,
        silent: false,
    }
}

fn assert_never_two_at_nonceless(world: &World) {
    assert!(!world.published().lost_both, "{world:#?}");
    assert!(!world.published().overlapped, "{world:#?}");
}

fn assert_one_survives(world: &World) {
    assert!(world.sole_survivor().is_some(), "{world:#?}");
}

#[test]
fn nonceless_peer_keeps_one_session_and_never_has_two() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        let ends = explore(
            world,
            CALM,
            assert_never_two_at_nonceless,
            assert_one_survives,
        );
        assert!(ends >= 2, "either connection can be the one, {ends}");
    }
}

/// That the model bites.
#[test]
fn nonceless_peer_loses_both_when_the_rules_are_not_heeded() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let careless = Node::Shiome(Shiome::careless("m", Instant::now()));
        let lost = Cell::new(0);
        let overlapped = Cell::new(0);
        explore(
            World::new([careless, nonceless(name)], wires),
            CALM,
            |world| overlapped.set(overlapped.get() + usize::from(world.published().overlapped)),
            |world| lost.set(lost.get() + usize::from(world.sole_survivor().is_none())),
        );
        assert_eq!(
            lost.get() > 0,
            name == "z",
            "it evicts for one order of names"
        );
        assert!(overlapped.get() > 0);
    }
}

#[test]
fn nonceless_peer_that_dials_twice_keeps_one_session() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            CALM,
            |world| assert!(!world.published().lost_both, "{world:#?}"),
            assert_one_survives,
        );
    }
}

#[test]
fn nonceless_peer_dialled_twice_keeps_one_session() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(0, address, 4), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            CALM,
            assert_never_two_at_nonceless,
            assert_one_survives,
        );
    }
}

#[test]
fn holds_that_run_out_cost_both_sessions_only_if_a_dial_did_not_wait() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            SLOW,
            |world| assert!(!world.published().lost_both || world.rushed, "{world:#?}"),
            |world| {
                if !world.published().lost_both {
                    assert_one_survives(world);
                }
            },
        );
    }
}

#[test]
fn broken_connections_leave_one_session_at_most() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            BREAKS,
            |_| {},
            |world| {
                let [ours, theirs] = world.live();
                assert_eq!(ours, theirs, "{world:#?}");
                assert!(ours.len() <= 1, "{world:#?}");
            },
        );
    }
}

#[test]
fn a_dial_that_gets_no_answer_does_not_keep_a_nonceless_peer_out() {
    for (name, _) in OTHERS {
        let mut elsewhere = wire(0, "elsewhere:4697", 5);
        elsewhere.silent = true;
        let wires = vec![elsewhere, wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(world, SLOW, assert_never_two_at_nonceless, |world| {
            assert_eq!(world.sole_survivor(), Some(1), "{world:#?}");
        });
    }
}

/// With the same address the verdict would be that there is a session.
#[test]
fn only_an_unknown_alias_of_a_connected_nonceless_peer_evicts() {
    for (name, _) in OTHERS {
        let wires = vec![wire(0, ALIAS, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            CALM,
            |_| {},
            |world| {
                if !world.published().lost_both {
                    assert_one_survives(world);
                }
            },
        );
    }
}

#[test]
fn nodes_of_ours_keep_one_session() {
    for (name, address) in OTHERS {
        for nonces in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [2, 2, 2]] {
            let wires = vec![
                wire(0, address, nonces[0]),
                wire(1, OURS, nonces[1]),
                wire(1, OURS, nonces[2]),
            ];
            let other = Node::Shiome(Shiome::new(name, Instant::now()));
            explore(
                World::new([ours(), other], wires),
                CALM,
                |_| {},
                assert_one_survives,
            );
        }
    }
}

#[test]
fn a_peer_with_nonces_and_a_node_of_ours_keep_one_session() {
    for (name, address) in OTHERS {
        for nonces in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
            let wires = vec![
                wire(0, address, nonces[0]),
                wire(1, OURS, nonces[1]),
                wire(0, address, nonces[2]),
            ];
            let world = World::new([ours(), published(Version::V0_16_5, name)], wires);
            explore(world, CALM, |_| {}, assert_one_survives);
        }
    }
}
