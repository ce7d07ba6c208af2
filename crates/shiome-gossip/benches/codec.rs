//! What a message costs: `cargo bench -p shiome-gossip`.
//!
//! Each line is the median and the minimum of some samples, in nanoseconds a message. Decoding visits every field of
//! every item; encoding packs items that lie ready.
#![allow(clippy::print_stdout, reason = "a tool for the terminal")]
#![allow(clippy::unwrap_used, reason = "what is measured has been tested")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use shiome_gossip::{
    Datagram, MAX_DATAGRAM_LEN, Member, Message, NodeId, Packer, SlotRange, Slots, Update,
    compact::{self, Handle},
};

const SAMPLES: usize = 31;
const SAMPLE: Duration = Duration::from_millis(5);

fn main() {
    let mut buf = vec![0; MAX_DATAGRAM_LEN];
    for count in [0, 8] {
        let updates: Vec<_> = (0..count).map(update).collect();
        let encode = |buf: &mut [u8]| {
            let mut ping = Packer::ping(buf, 7, node(1)).unwrap();
            assert_eq!(ping.pack(updates.iter().copied()).items, updates.len());
            ping.finish()
        };
        report(&format!("ping, {count} updates"), &mut buf, encode);
    }
    let ranges = [SlotRange::new(0, 99).unwrap()];
    for slots in [Slots::EMPTY, Slots::from(&ranges[..])] {
        let members: Vec<_> = (0..100).map(|index| member(index, slots)).collect();
        let encode = |buf: &mut [u8]| {
            let mut welcome = Packer::welcome(buf, node(1)).unwrap();
            assert_eq!(welcome.pack(members.iter().copied()).items, members.len());
            welcome.finish()
        };
        let name = format!("welcome, 100 members, {} ranges each", slots.len());
        report(&name, &mut buf, encode);
    }
    compact_lists(&mut buf);
}

fn compact_lists(buf: &mut [u8]) {
    let header = compact::Header {
        cluster: 1,
        sender: Handle::of(&node(1)),
    };
    for count in [0, 8] {
        let updates: Vec<_> = (0..count).map(suspect).collect();
        let encode = |buf: &mut [u8]| {
            let mut ping = compact::Packer::ping(buf, &header, 7, 8).unwrap();
            updates.iter().for_each(|update| ping.push(update).unwrap());
            ping.finish()
        };
        report(&format!("compact ping, {count} suspects"), buf, encode);
    }
    let members: Vec<_> = (0..40).map(compact_member).collect();
    let encode = |buf: &mut [u8]| {
        let mut gossip = compact::Packer::gossip(buf, &header).unwrap();
        members
            .iter()
            .for_each(|member| gossip.push(member).unwrap());
        gossip.finish()
    };
    report("compact gossip, 40 members", buf, encode);
}

fn report(name: &str, buf: &mut [u8], mut encode: impl FnMut(&mut [u8]) -> usize) {
    let len = encode(buf);
    let (median, min) = measure(|| encode(black_box(&mut *buf)) as u64);
    println!("{name:40} {len:5} B  encode {median:8.1} ({min:.1})");
    // Chosen here, so that neither pays for the other.
    let (median, min) = if compact::is_compact(&buf[..len]) {
        measure(|| visit_compact(black_box(&buf[..len])))
    } else {
        measure(|| visit(black_box(&buf[..len])))
    };
    println!("{name:40} {len:5} B  decode {median:8.1} ({min:.1})");
}

/// Median and minimum, in nanoseconds a call.
fn measure(mut run: impl FnMut() -> u64) -> (f64, f64) {
    let mut calls = 1;
    let mut sample = |calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            black_box(run());
        }
        start.elapsed()
    };
    while sample(calls) < SAMPLE {
        calls *= 2;
    }
    let mut samples: Vec<_> = (0..SAMPLES)
        .map(|_| sample(calls).as_secs_f64() * 1e9 / f64::from(calls))
        .collect();
    samples.sort_by(f64::total_cmp);
    (samples[SAMPLES / 2], samples[0])
}

/// Something of every field, so that none can be left out.
fn visit(datagram: &[u8]) -> u64 {
    match Datagram::decode(datagram).unwrap().message {
        Message::Ping(ping) => ping.updates.into_iter().fold(ping.seq, |sum, update| {
            sum.wrapping_add(match update.unwrap() {
                Update::Alive {
                    node,
                    addr,
                    incarnation,
                } => first(node) + u64::from(addr.port()) + incarnation,
                Update::Suspect { node, incarnation } | Update::Dead { node, incarnation } => {
                    first(node) + incarnation
                }
                Update::Left { node } => first(node),
                _ => 0,
            })
        }),
        Message::Welcome(welcome) => welcome.members.into_iter().fold(0, |sum, member| {
            let member = member.unwrap();
            let slots = member.slots.iter().map(|range| u64::from(range.slots()));
            sum + first(member.id)
                + u64::from(member.addr.port())
                + member.incarnation
                + u64::from(member.is_primary)
                + slots.sum::<u64>()
        }),
        _ => 0,
    }
}

/// As [`visit`].
fn visit_compact(datagram: &[u8]) -> u64 {
    let datagram = compact::Datagram::decode(datagram).unwrap();
    let (start, updates) = match datagram.message {
        compact::Message::Ping(ping) => (u64::from(ping.seq) + ping.digest, ping.updates),
        compact::Message::Gossip(updates) => (0, updates),
        other => panic!("{other:?}"),
    };
    let start = start + u64::from(datagram.header.sender.bits());
    updates.into_iter().fold(start, |sum, update| {
        sum.wrapping_add(match update.unwrap() {
            compact::Update::Suspect {
                node,
                incarnation,
                from,
            } => incarnation + u64::from(node.bits()) + u64::from(from.bits()),
            compact::Update::Member(member) => {
                first(member.id)
                    + u64::from(member.addr.port())
                    + member.incarnation
                    + u64::from(member.is_primary)
                    + u64::from(member.state == compact::State::Alive)
            }
            _ => 0,
        })
    })
}

fn first(node: NodeId) -> u64 {
    node.as_bytes()[0].into()
}

fn node(index: u8) -> NodeId {
    NodeId::from([index; NodeId::LEN])
}

/// Alive and Suspect by turns, as in a cluster in which something happens.
fn update(index: u8) -> Update<'static> {
    let (node, incarnation) = (node(index), index.into());
    if index.is_multiple_of(2) {
        let addr = ([10, 0, 0, index], 7946).into();
        Update::Alive {
            node,
            addr,
            incarnation,
        }
    } else {
        Update::Suspect { node, incarnation }
    }
}

fn member(index: u8, slots: Slots<'_>) -> Member<'_> {
    Member {
        id: node(index),
        addr: ([10, 0, 0, index], 7946).into(),
        incarnation: index.into(),
        is_primary: true,
        slots,
    }
}

fn suspect(index: u8) -> compact::Update<'static> {
    compact::Update::Suspect {
        node: Handle::of(&node(index)),
        incarnation: index.into(),
        from: Handle::of(&node(1)),
    }
}

fn compact_member(index: u8) -> compact::Update<'static> {
    compact::Update::Member(compact::Member {
        id: node(index),
        addr: ([10, 0, 0, index], 7946).into(),
        incarnation: index.into(),
        state: compact::State::Alive,
        is_primary: true,
        compact: true,
        meta: None,
    })
}
