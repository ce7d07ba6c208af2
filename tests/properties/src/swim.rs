use std::{
    collections::HashSet,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use shiome_gossip::{
    self as classic, EncodeError, NodeId,
    compact::{Handle, Header, Member, Packer, State, Update},
};
use shiome_swim::{Config, Event, Identity, Swim};

use crate::{memory::within, script::Script};

const MAX_MEMBERS: usize = 32;

/// Longer ones find nothing that shorter ones do not, in more time.
const MAX_SCRIPT: usize = 600;

/// Memory of an engine with so few members, in bytes.
const MEMORY: usize = 1024 * 1024;

/// Timers that fire and datagrams that leave in one step, at most.
const MAX_TURNS: usize = 100;
const MAX_SENT: usize = 10_000;

/// A script of a membership engine, of any datagrams at any times and of commands in between: its books agree, and it
/// stays bounded.
pub fn swim(input: &[u8]) {
    let mut script = Script::new(&input[..input.len().min(MAX_SCRIPT)]);
    within(MEMORY, || {
        let mut engine = Engine::new(script.flag());
        while !script.is_over() {
            engine.step(&mut script);
            engine.settle();
            engine.check();
        }
    });
}

struct Engine {
    swim: Swim,
    now: Instant,
    up: HashSet<NodeId>,
    incarnation: u64,
}

impl Engine {
    fn new(classic: bool) -> Self {
        let mut config = Config::default();
        config.max_members = MAX_MEMBERS;
        config.compact = !classic;
        config.tombstone_ttl = Duration::from_secs(60);
        let me = Identity {
            id: id(0),
            addr: addr(0),
            incarnation: 1,
        };
        let now = Instant::now();
        let mut swim = Swim::new(now, me, config, [7; 32]).expect("the config is valid");
        swim.join(now, &[addr(1)]);
        Self {
            swim,
            now,
            up: HashSet::new(),
            incarnation: 1,
        }
    }

    /// The lower three bits of a byte say what happens, the others how much of it.
    fn step(&mut self, script: &mut Script<'_>) {
        let op = script.byte();
        let amount = op >> 3;
        match op % 8 {
            // A datagram of the script.
            from @ 0..=3 => {
                let datagram = script.take(usize::from(amount) * 4);
                self.swim.handle_datagram(self.now, addr(from), datagram);
            }
            // News of a member that is well formed.
            4 => {
                let news = News {
                    from: amount,
                    node: script.byte() % 64,
                    kind: script.byte(),
                    incarnation: script.byte().into(),
                };
                let mut buf = [0; 128];
                let len = news.write(&mut buf);
                let from = addr(amount);
                self.swim.handle_datagram(self.now, from, &buf[..len]);
            }
            5 => self.now += Duration::from_millis(u64::from(amount) * 37),
            6 => self.now += Duration::from_secs(amount.into()),
            _ => self.command(amount),
        }
    }

    fn command(&mut self, number: u8) {
        let now = self.now;
        match number {
            0 => self.swim.leave(now),
            1 => self.swim.set_role(now, false, Some(id(3))),
            2 => self.swim.join(now, &[addr(2), addr(3)]),
            3 => self.swim.request_vote(now, 1, 2),
            4 => self.swim.grant_vote(now, id(2), 1),
            n => self.swim.handle_reliable_ack(now, n.into()),
        }
    }

    /// Does what is due, sends what is to be sent, and hears what is told.
    fn settle(&mut self) {
        let mut turns = 0;
        while self.swim.poll_timeout().is_some_and(|at| at <= self.now) {
            self.swim.handle_timeout(self.now);
            turns += 1;
            assert!(turns < MAX_TURNS, "what is due gets done");
        }
        let mut buf = [0; 1_400];
        let mut sent = 0;
        while let Some(transmit) = self.swim.poll_transmit(&mut buf) {
            assert!(transmit.len <= buf.len());
            sent += 1;
            assert!(sent < MAX_SENT, "what one step sends is bounded");
        }
        while let Some(event) = self.swim.poll_event() {
            match event {
                Event::MemberUp { id, .. } => assert!(self.up.insert(id)),
                Event::MemberDown { id, .. } => assert!(self.up.remove(&id)),
                Event::Incarnation { incarnation } => assert!(incarnation > self.incarnation),
                _ => {}
            }
        }
    }

    fn check(&mut self) {
        assert!(self.swim.incarnation() >= self.incarnation);
        self.incarnation = self.swim.incarnation();
        assert_eq!(self.swim.members().count(), self.swim.len());
        let mut members = self.swim.members();
        assert!(members.all(|member| self.up.contains(&member.id)));
        assert_eq!(self.up.len(), self.swim.len());
        assert!(self.swim.len() < MAX_MEMBERS);
    }
}

/// News of a member in compact datagrams and in others, from a member or a stranger.
struct News {
    from: u8,
    node: u8,
    kind: u8,
    incarnation: u64,
}

impl News {
    fn write(&self, buf: &mut [u8]) -> usize {
        let written = match self.kind & 8 {
            0 => self.write_compact(buf),
            _ => self.write_classic(buf),
        };
        written.expect("there is room")
    }

    fn write_compact(&self, buf: &mut [u8]) -> Result<usize, EncodeError> {
        let header = Header {
            cluster: 0,
            sender: Handle::of(&id(self.from)),
        };
        let mut packer = match self.kind & 4 {
            0 => Packer::gossip(buf, &header)?,
            _ => Packer::records(buf, &header)?,
        };
        let (node, incarnation) = (Handle::of(&id(self.node)), self.incarnation);
        let state = [State::Alive, State::Suspect, State::Dead, State::Left][self.number()];
        packer.push(&match self.kind & 16 {
            0 => Update::Member(Member {
                id: id(self.node),
                addr: addr(self.node),
                incarnation,
                state,
                is_primary: true,
                compact: self.node.is_multiple_of(2),
                meta: None,
            }),
            _ => match state {
                State::Alive => Update::Alive { node, incarnation },
                State::Suspect => {
                    let from = header.sender;
                    Update::Suspect {
                        node,
                        incarnation,
                        from,
                    }
                }
                State::Dead => Update::Dead { node, incarnation },
                State::Left => Update::Left { node, incarnation },
            },
        })?;
        Ok(packer.finish())
    }

    fn write_classic(&self, buf: &mut [u8]) -> Result<usize, EncodeError> {
        let mut packer = classic::Packer::ping(buf, 1, id(self.from))?;
        let (node, incarnation) = (id(self.node), self.incarnation);
        packer.push(&match self.number() {
            0 => classic::Update::Alive {
                node,
                addr: addr(self.node),
                incarnation,
            },
            1 => classic::Update::Suspect { node, incarnation },
            2 => classic::Update::Dead { node, incarnation },
            _ => classic::Update::Left { node },
        })?;
        Ok(packer.finish())
    }

    fn number(&self) -> usize {
        usize::from(self.kind % 4)
    }
}

fn id(n: u8) -> NodeId {
    NodeId::from([n; 16])
}

fn addr(n: u8) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, n + 1), 7_946).into()
}
