//! `shiome-swim` in the simulator.

mod fill;
mod settings;

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::{Duration, Instant},
};

use shiome_gossip::NodeId;
use shiome_swim::{Config, Event, Identity, Swim};

use crate::{
    engine::{Engine, Kind, Life},
    rng::split_mix,
    time::Time,
    world::Out,
};

pub use settings::all;

/// `shiome-swim` with a configuration.
#[derive(Debug, Clone)]
pub struct Ours {
    name: &'static str,
    config: Config,
    /// What the engine takes for the origin of virtual time. It only ever looks at differences.
    base: Instant,
}

impl Ours {
    /// A kind of engine under a name.
    pub fn new(name: &'static str, config: Config) -> Self {
        Self {
            name,
            config,
            base: Instant::now(),
        }
    }
}

impl Kind for Ours {
    type Engine = Node;

    fn name(&self) -> &str {
        self.name
    }

    fn start(&self, now: Time, node: u32, life: Life, _size: u32, seed: [u8; 32]) -> Node {
        let me = Identity {
            id: id(node),
            addr: addr(node),
            incarnation: life.remembered.map_or(1, |last| last + 1),
        };
        let born = self.base + Duration::from_nanos(now);
        let swim = Swim::new(born, me, self.config.clone(), seed);
        Node {
            swim: swim.expect("the settings are valid"),
            base: self.base,
            compact: self.config.compact,
        }
    }
}

/// An engine and its clock.
pub struct Node {
    swim: Swim,
    base: Instant,
    /// Whether it speaks the compact form.
    compact: bool,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Node").field(&self.swim.id()).finish()
    }
}

impl Node {
    /// The engine.
    pub fn swim(&self) -> &Swim {
        &self.swim
    }

    /// The incarnation in which the engine knows a node.
    pub fn incarnation_of(&self, node: u32) -> Option<u64> {
        let member = self.swim.member(&id(node))?;
        Some(member.incarnation)
    }

    #[inline]
    fn at(&self, now: Time) -> Instant {
        self.base + Duration::from_nanos(now)
    }

    /// Takes all that the engine has to give.
    #[inline]
    fn drain(&mut self, out: &mut Out<'_>) {
        let swim = &mut self.swim;
        while out.send_with(|room| {
            let transmit = swim.poll_transmit(room)?;
            Some((node_at(transmit.to), transmit.len))
        }) {}
        while let Some(ping) = self.swim.poll_reliable_ping() {
            out.reliable_ping(node_at(ping.addr), ping.token);
        }
        while let Some(event) = self.swim.poll_event() {
            match event {
                Event::MemberUp { id, .. } => out.up(node_of(&id)),
                Event::MemberDown { id, .. } => {
                    let known = self.swim.member(&id).map(|member| member.incarnation);
                    out.end(node_of(&id), known.unwrap_or(0));
                }
                Event::MemberSuspected { id } => out.suspect(node_of(&id)),
                _ => (),
            }
        }
    }
}

impl Engine for Node {
    #[inline]
    fn handle(&mut self, now: Time, from: u32, datagram: &[u8], out: &mut Out<'_>) {
        self.swim
            .handle_datagram(self.at(now), addr(from), datagram);
        self.drain(out);
    }

    #[inline]
    fn timeout(&mut self, now: Time, out: &mut Out<'_>) {
        self.swim.handle_timeout(self.at(now));
        self.drain(out);
    }

    #[inline]
    fn next_deadline(&self) -> Option<Time> {
        let at = self.swim.poll_timeout()?;
        let since = at.saturating_duration_since(self.base);
        Some(since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos()))
    }

    fn join(&mut self, now: Time, seeds: &[u32], out: &mut Out<'_>) {
        let seeds = Vec::from_iter(seeds.iter().map(|seed| addr(*seed)));
        self.swim.join(self.at(now), &seeds);
        self.drain(out);
    }

    fn leave(&mut self, now: Time, out: &mut Out<'_>) {
        self.swim.leave(self.at(now));
        self.drain(out);
    }

    fn answered(&mut self, now: Time, token: u64, out: &mut Out<'_>) {
        self.swim.handle_reliable_ack(self.at(now), token);
        self.drain(out);
    }

    fn fill(&mut self, now: Time, members: &[u32], out: &mut Out<'_>) {
        let now = self.at(now);
        fill::fill(&mut self.swim, now, members, self.compact);
        self.drain(out);
    }

    fn view(&self) -> Vec<u32> {
        let members = self.swim.members();
        members.map(|member| node_of(&member.id)).collect()
    }

    #[inline]
    fn incarnation(&self) -> Option<u64> {
        Some(self.swim.incarnation())
    }

    fn digest(&self) -> Option<u64> {
        Some(self.swim.digest())
    }

    fn memory(&self) -> Option<usize> {
        Some(self.swim.memory())
    }
}

/// A node's id: scattered, as random ones are, and with the number at its end.
fn id(node: u32) -> NodeId {
    let mut mix = u64::from(node);
    let mut bytes = [0; NodeId::LEN];
    bytes[..8].copy_from_slice(&split_mix(&mut mix).to_le_bytes());
    bytes[8..12].copy_from_slice(&split_mix(&mut mix).to_le_bytes()[..4]);
    bytes[12..].copy_from_slice(&node.to_le_bytes());
    NodeId::from(bytes)
}

#[inline]
fn node_of(id: &NodeId) -> u32 {
    let [.., a, b, c, d] = *id.as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

const NET: u32 = 10 << 24;

#[inline]
fn addr(node: u32) -> SocketAddr {
    SocketAddrV4::new(Ipv4Addr::from_bits(NET + node), 7946).into()
}

#[inline]
fn node_at(addr: SocketAddr) -> u32 {
    match addr {
        SocketAddr::V4(addr) => addr.ip().to_bits() - NET,
        SocketAddr::V6(_) => unreachable!("all addresses in here are of IPv4"),
    }
}
