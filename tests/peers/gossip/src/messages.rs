//! Messages at random, and bytes that are almost messages.

use std::net::SocketAddr;

use ember_0_4::{GossipMessage, MemberInfo, NodeId, NodeUpdate, SLOT_COUNT, SlotRange};
use uuid::Uuid;

use crate::random::Random;

/// Which updates and messages there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// What 0.2.1 knows.
    Base,
    /// What 0.4.9 knows.
    Extended,
}

pub fn message(random: &mut Random, set: Set) -> GossipMessage {
    let (seq, sender) = (number(random), node(random));
    match random.below(if set == Set::Base { 8 } else { 9 }) {
        0..3 => GossipMessage::Ping {
            seq,
            sender,
            updates: list(random, |random| update(random, set)),
        },
        3 => GossipMessage::PingReq {
            seq,
            sender,
            target: node(random),
            target_addr: addr(random),
        },
        4 | 5 => GossipMessage::Ack {
            seq,
            sender,
            updates: list(random, |random| update(random, set)),
        },
        6 => GossipMessage::Join {
            sender,
            sender_addr: addr(random),
        },
        7 => GossipMessage::Welcome {
            sender,
            members: list(random, member),
        },
        _ => GossipMessage::SlotsAnnounce {
            sender,
            incarnation: seq,
            slots: list(random, range),
        },
    }
}

fn update(random: &mut Random, set: Set) -> NodeUpdate {
    let (node, incarnation) = (node(random), number(random));
    match random.below(if set == Set::Base { 4 } else { 8 }) {
        0 => NodeUpdate::Alive {
            node,
            addr: addr(random),
            incarnation,
        },
        1 => NodeUpdate::Suspect { node, incarnation },
        2 => NodeUpdate::Dead { node, incarnation },
        3 => NodeUpdate::Left { node },
        4 => NodeUpdate::SlotsChanged {
            node,
            incarnation,
            slots: list(random, range),
        },
        5 => NodeUpdate::RoleChanged {
            node,
            incarnation,
            is_primary: random.one_in(2),
            replicates: random.one_in(2).then(|| self::node(random)),
        },
        6 => NodeUpdate::VoteRequest {
            candidate: node,
            epoch: incarnation,
            offset: number(random),
        },
        _ => NodeUpdate::VoteGranted {
            from: node,
            candidate: self::node(random),
            epoch: incarnation,
        },
    }
}

fn member(random: &mut Random) -> MemberInfo {
    MemberInfo {
        id: node(random),
        addr: addr(random),
        incarnation: number(random),
        is_primary: random.one_in(2),
        slots: list(random, range),
    }
}

fn range(random: &mut Random) -> SlotRange {
    let start = random.below(SLOT_COUNT.into());
    let end = start + random.below(usize::from(SLOT_COUNT) - start);
    SlotRange::new(start as u16, end as u16)
}

/// Mostly short, as lists are.
fn list<T>(random: &mut Random, mut item: impl FnMut(&mut Random) -> T) -> Vec<T> {
    let len = match random.below(200) {
        0 => random.below(60),
        1..20 => random.below(12),
        _ => random.below(4),
    };
    (0..len).map(|_| item(random)).collect()
}

fn node(random: &mut Random) -> NodeId {
    NodeId(Uuid::from_bytes(random.bytes()))
}

/// Small numbers, large ones, and those at the ends.
fn number(random: &mut Random) -> u64 {
    match random.below(4) {
        0 => random.below(8) as u64,
        1 => u64::MAX - random.below(8) as u64,
        _ => random.u64(),
    }
}

fn addr(random: &mut Random) -> SocketAddr {
    let port = random.u64() as u16;
    match random.below(4) {
        0 => (random.bytes::<16>(), port).into(),
        // The same host in another spelling stays in that spelling.
        1 => (
            std::net::Ipv4Addr::from(random.bytes::<4>()).to_ipv6_mapped(),
            port,
        )
            .into(),
        _ => (random.bytes::<4>(), port).into(),
    }
}

/// Changes `datagram` in a few places, so that it may or may not be a message any more.
pub fn mutate(random: &mut Random, datagram: &mut Vec<u8>) {
    for _ in 0..=random.below(3) {
        let at = random.below(datagram.len().max(1));
        match random.below(8) {
            0 => datagram.truncate(at),
            1 => datagram.extend(random.bytes::<9>()),
            2 | 3 => flip(random, datagram, at),
            // Where a tag, a count or a family may stand, small values hit more often.
            4 | 5 => put(datagram, at, random.below(10) as u8),
            6 => put(datagram, at, random.u64() as u8),
            _ => drop(datagram.drain(at..datagram.len().min(at + 1 + random.below(20)))),
        }
    }
}

fn flip(random: &mut Random, datagram: &mut [u8], at: usize) {
    if let Some(byte) = datagram.get_mut(at) {
        *byte ^= 1 << random.below(8);
    }
}

fn put(datagram: &mut [u8], at: usize, value: u8) {
    if let Some(byte) = datagram.get_mut(at) {
        *byte = value;
    }
}
