//! foca 2.0.0 with its configuration for a LAN.

mod runtime;

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddrV4},
    num::NonZeroU32,
};

use foca::{Config, Foca, Identity, Member, NoCustomBroadcast, PostcardCodec};
use rand::{SeedableRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use shiome_sim::{
    Engine, Kind, Life, Out,
    time::{SECOND, Time},
};

use runtime::{Runtime, Timers};

/// foca as a kind of engine.
#[derive(Debug)]
pub(crate) struct FocaKind {
    name: &'static str,
    /// `Config::notify_down_members`: tells those who are declared down, who then take a new identity.
    notify_down: bool,
}

impl FocaKind {
    /// As configured by `Config::new_lan`.
    pub(crate) const LAN: Self = Self {
        name: "foca",
        notify_down: true,
    };
    /// Without `notify_down_members`.
    pub(crate) const QUIET: Self = Self {
        name: "foca, notify_down off",
        notify_down: false,
    };
}

impl Kind for FocaKind {
    type Engine = Node;

    fn name(&self) -> &str {
        self.name
    }

    fn slowness(&self) -> u64 {
        30
    }

    // Filling the tables takes a comparison for each triple of nodes.
    fn largest_cluster(&self) -> u32 {
        1_000
    }

    fn start(&self, _now: Time, node: u32, life: Life, size: u32, seed: [u8; 32]) -> Node {
        let size = NonZeroU32::new(size).expect("a cluster has at least one node");
        let mut config = Config::new_lan(size);
        config.notify_down_members = self.notify_down;
        let identity = Id {
            addr: address(node),
            bump: u16::try_from(life.restarts).unwrap_or(u16::MAX),
        };
        Node {
            foca: Foca::new(identity, config, StdRng::from_seed(seed), PostcardCodec),
            timers: Timers::default(),
            seeds: Vec::new(),
            retry_at: None,
        }
    }
}

/// How often a node without members asks its seeds.
const RETRY: Time = SECOND;

/// A foca instance with its timers, as its owner would keep them.
pub(crate) struct Node {
    foca: Foca<Id, PostcardCodec, StdRng, NoCustomBroadcast>,
    timers: Timers,
    seeds: Vec<u32>,
    /// When to ask the seeds again.
    retry_at: Option<Time>,
}

impl Node {
    /// Asks the seeds to be let in, now and as long as there are no members.
    fn announce(&mut self, now: Time, out: &mut Out<'_>) {
        for seed in self.seeds.clone() {
            let id = Id {
                addr: address(seed),
                bump: 0,
            };
            // Only fails when the datagram is too long.
            drop(
                self.foca
                    .announce(id, Runtime::new(now, &mut self.timers, out)),
            );
        }
        self.retry_at = Some(now + RETRY);
    }

    fn announce_when_alone(&mut self, now: Time, out: &mut Out<'_>) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            if self.foca.num_members() == 0 {
                self.announce(now, out);
            }
        }
        if self.retry_at.is_none() && self.foca.num_members() == 0 && !self.seeds.is_empty() {
            self.retry_at = Some(now + RETRY);
        }
    }
}

impl Engine for Node {
    fn handle(&mut self, now: Time, _from: u32, datagram: &[u8], out: &mut Out<'_>) {
        // Errors are about this datagram alone.
        drop(
            self.foca
                .handle_data(datagram, Runtime::new(now, &mut self.timers, out)),
        );
        self.announce_when_alone(now, out);
    }

    fn timeout(&mut self, now: Time, out: &mut Out<'_>) {
        while let Some(timer) = self.timers.pop(now) {
            drop(
                self.foca
                    .handle_timer(timer, Runtime::new(now, &mut self.timers, out)),
            );
        }
        self.announce_when_alone(now, out);
    }

    fn next_deadline(&self) -> Option<Time> {
        [self.timers.next(), self.retry_at]
            .into_iter()
            .flatten()
            .min()
    }

    fn join(&mut self, now: Time, seeds: &[u32], out: &mut Out<'_>) {
        let me = self.foca.identity().addr;
        let others = seeds.iter().filter(|seed| address(**seed) != me);
        self.seeds = others.copied().collect();
        self.announce(now, out);
    }

    fn leave(&mut self, now: Time, out: &mut Out<'_>) {
        drop(
            self.foca
                .leave_cluster(Runtime::new(now, &mut self.timers, out)),
        );
    }

    fn fill(&mut self, now: Time, members: &[u32], out: &mut Out<'_>) {
        let me = self.foca.identity().addr;
        self.seeds = vec![members[0]];
        let others = members.iter().map(|member| address(*member));
        let others = others.filter(|addr| *addr != me);
        let alive = others.map(|addr| Member::alive(Id { addr, bump: 0 }));
        let runtime = Runtime::new(now, &mut self.timers, out);
        drop(self.foca.apply_many(alive, false, runtime));
    }

    fn view(&self) -> Vec<u32> {
        // By address: the old and the new identity of a node are one node.
        let mut view = HashMap::new();
        for member in self.foca.iter_members() {
            view.insert(member.id().addr, node_at(member.id().addr));
        }
        view.into_values().collect()
    }
}

/// A node's address, and which of its lives it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Id {
    addr: SocketAddrV4,
    bump: u16,
}

impl Identity for Id {
    type Addr = SocketAddrV4;

    fn renew(&self) -> Option<Self> {
        Some(Self {
            addr: self.addr,
            bump: self.bump.wrapping_add(1),
        })
    }

    fn addr(&self) -> SocketAddrV4 {
        self.addr
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.bump > adversary.bump
    }
}

impl Id {
    fn node(&self) -> u32 {
        node_at(self.addr)
    }
}

fn address(node: u32) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::from_bits((10 << 24) + node), 7946)
}

fn node_at(addr: SocketAddrV4) -> u32 {
    addr.ip().to_bits() - (10 << 24)
}
