//! Two nodes, the wires between them, and what can happen next.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use shiome_wire::meta::NetworkMessage;

use super::published::Published;
use super::shiome::Shiome;
use crate::{DialVerdict, MAX_HOLD};

#[derive(Clone, Debug)]
pub(super) enum Packet {
    Message(NetworkMessage),
    Close,
}

/// Packets with the wire that they go out on.
pub(super) type Outbox = Vec<(usize, Packet)>;

/// A connection, with what is on its way to either node.
#[derive(Clone, Debug)]
pub(super) struct Wire {
    pub(super) dialler: usize,
    pub(super) target: &'static str,
    pub(super) nonce: u64,
    pub(super) dial: Dial,
    pub(super) to: [VecDeque<Packet>; 2],
    pub(super) cut: bool,
    /// It leads elsewhere, to a host that never answers.
    pub(super) silent: bool,
}

impl Wire {
    /// Whether it was dialled and has not been cut.
    pub(super) fn is_up(&self) -> bool {
        self.dial == Dial::Begun && !self.cut
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dial {
    Waiting,
    Begun,
    Dropped,
}

#[derive(Clone, Debug)]
pub(super) enum Node {
    Shiome(Shiome),
    Published(Published),
}

#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) nodes: [Node; 2],
    pub(super) wires: Vec<Wire>,
    /// A dial began although the rules would have had it wait longer.
    pub(super) rushed: bool,
    /// A dial began although there was a session.
    pub(super) late: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Dial { wire: usize, held: Duration },
    Deliver { wire: usize, to: usize },
    Expire { wire: usize, at: usize },
    Cut { wire: usize },
}

/// What may happen besides dialling and delivering.
#[derive(Clone, Copy, Default)]
pub(super) struct Weather {
    /// Holds may run out.
    pub(super) slow: bool,
    /// Connections may break, without a word to either end being lost on the other wires.
    pub(super) breaks: bool,
}

impl World {
    pub(super) fn new(nodes: [Node; 2], wires: Vec<Wire>) -> Self {
        Self {
            nodes,
            wires,
            rushed: false,
            late: false,
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
                    self.late |= !node.live().is_empty();
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

    pub(super) fn live(&self) -> [Vec<usize>; 2] {
        [&self.nodes[0], &self.nodes[1]].map(|node| match node {
            Node::Shiome(node) => node.live(),
            Node::Published(node) => node.live(),
        })
    }

    pub(super) fn published(&self) -> &Published {
        match &self.nodes[1] {
            Node::Published(node) => node,
            Node::Shiome(_) => panic!("not a published node"),
        }
    }

    /// The only session, the same at both ends.
    pub(super) fn sole_survivor(&self) -> Option<usize> {
        match self.live() {
            [ours, theirs] if ours == theirs && ours.len() == 1 => Some(ours[0]),
            _ => None,
        }
    }
}

/// Calls `always` with every world and `finally` with those in which nothing can happen any more; returns how many
/// these are.
pub(super) fn explore(
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
