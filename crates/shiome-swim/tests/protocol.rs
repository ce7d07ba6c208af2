//! What `docs/GOSSIP.md` prints is what this engine says and computes.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Instant,
};

use shiome_gossip::{
    NodeId, Slots,
    compact::{Datagram, Handle, Header, Member, Message, Meta, Packer, State, Sync, Update},
};
use shiome_swim::{Config, Identity, Swim};

const DOCUMENT: &str = include_str!("../../../docs/GOSSIP.md");

const CLUSTER: u16 = 5;

/// Who sends it, and the datagram.
type Sent = (char, Vec<u8>);

fn id(name: char) -> NodeId {
    let first = (name as u8 - b'a' + 0xa) << 4;
    NodeId::from(std::array::from_fn(|n| first + n as u8))
}

fn addr(name: char) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, name as u8 - b'a' + 1), 7_946).into()
}

fn node(now: Instant, name: char) -> Swim {
    let mut config = Config::default();
    config.cluster = CLUSTER.into();
    let me = Identity {
        id: id(name),
        addr: addr(name),
        incarnation: 1,
    };
    Swim::new(now, me, config, [7; 32]).unwrap()
}

/// What a node has to say, and to whom.
fn said(node: &mut Swim) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut buf = [0; 1_400];
    std::iter::from_fn(|| {
        let transmit = node.poll_transmit(&mut buf)?;
        Some((transmit.to, buf[..transmit.len].to_vec()))
    })
    .collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

/// The datagrams that the document prints: a line that names sender and message, then lines of hex.
fn printed() -> Vec<Sent> {
    let (_, rest) = DOCUMENT.split_once("```gossip\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let mut datagrams: Vec<Sent> = Vec::new();
    for line in block.lines() {
        if line.starts_with(' ') {
            let (_, datagram) = datagrams.last_mut().expect("hex follows its sender");
            datagram.extend(bytes(line));
        } else if let Some(from) = line.chars().next() {
            datagrams.push((from, Vec::new()));
        }
    }
    // The Join, whose zeros are not printed.
    datagrams[0].1.resize(1_400, 0);
    datagrams
}

#[test]
fn the_documents_exchange_is_what_a_node_answers() {
    let now = Instant::now();
    let mut b = node(now, 'b');
    let mut exchange = Vec::new();
    for (from, datagram) in printed().into_iter().filter(|(from, _)| *from != 'b') {
        b.handle_datagram(now, addr(from), &datagram);
        exchange.push((from, datagram));
        for (to, answer) in said(&mut b) {
            assert_eq!(to, addr(from));
            exchange.push(('b', answer));
        }
    }
    let stats = b.stats();
    let dropped = [stats.malformed, stats.partly_malformed, stats.impossible];
    assert_eq!(dropped, [0; 3]);
    let shown = |exchange: &[Sent]| -> Vec<String> {
        let line = |(from, datagram): &Sent| format!("{from} {datagram:02x?}").replace(", ", "");
        exchange.iter().map(line).collect()
    };
    assert_eq!(shown(&exchange), shown(&printed()));
}

#[test]
fn the_documents_join_is_that_of_a_node() {
    let now = Instant::now();
    let mut a = node(now, 'a');
    a.join(now, &[addr('b')]);
    a.handle_timeout(now);
    assert_eq!(said(&mut a), [(addr('b'), printed().remove(0).1)]);
}

/// A row of the document's table of fingerprints.
#[derive(Debug)]
struct Row {
    id: NodeId,
    addr: SocketAddr,
    incarnation: u64,
    meta: u64,
    fingerprint: u64,
    bucket: usize,
    handle: u32,
}

impl Row {
    /// `None` for a line that is another.
    fn read(line: &str) -> Option<Self> {
        let cells = line.strip_prefix("| `")?.split('|');
        let cells: Vec<&str> = cells.map(|cell| cell.trim_matches([' ', '`'])).collect();
        let &[id, addr, incarnation, meta, fingerprint, bucket, handle, ""] = &cells[..] else {
            return None;
        };
        Some(Self {
            id: NodeId::from(<[u8; 16]>::try_from(bytes(id)).unwrap()),
            addr: addr.parse().unwrap(),
            incarnation: incarnation.parse().unwrap(),
            meta: meta.parse().unwrap(),
            fingerprint: u64::from_str_radix(fingerprint, 16).unwrap(),
            bucket: bucket.parse().unwrap(),
            handle: u32::from_str_radix(handle, 16).unwrap(),
        })
    }

    fn member(&self) -> Member<'static> {
        Member {
            id: self.id,
            addr: self.addr,
            incarnation: self.incarnation,
            state: State::Alive,
            is_primary: true,
            compact: true,
            meta: (self.meta != 0).then_some(Meta {
                incarnation: self.meta,
                replicates: None,
                slots: Slots::EMPTY,
            }),
        }
    }
}

#[test]
fn the_documents_fingerprints_are_what_a_node_computes() {
    let now = Instant::now();
    let rows: Vec<Row> = DOCUMENT.lines().filter_map(Row::read).collect();
    assert_eq!(rows.len(), 6);
    for row in rows {
        assert_eq!(Handle::of(&row.id).bits(), row.handle, "{row:?}");
        let mut node = acquainted(now);
        let before = node.digest();
        tell(now, &mut node, row.member());
        assert_eq!(before ^ node.digest(), row.fingerprint, "{row:?}");

        let mut is_told = |bucket, hash| is_told(now, &mut node, row.id, bucket, hash);
        let (bucket, hash) = (row.bucket, row.fingerprint as u32);
        assert!(!is_told(bucket, hash), "{row:?}");
        assert!(is_told(bucket, !hash), "{row:?}");
        assert!(is_told(bucket ^ 1, hash), "{row:?}");
    }
}

/// A node that knows `d`, which speaks for the tests.
fn acquainted(now: Instant) -> Swim {
    let mut node = node(now, 'e');
    let mut d = self::node(now, 'd');
    d.join(now, &[addr('e')]);
    d.handle_timeout(now);
    for (_, join) in said(&mut d) {
        node.handle_datagram(now, addr('d'), &join);
    }
    assert_eq!(said(&mut node).len(), 2);
    node
}

fn header() -> Header {
    Header {
        cluster: CLUSTER,
        sender: Handle::of(&id('d')),
    }
}

fn tell(now: Instant, node: &mut Swim, member: Member<'_>) {
    let mut buf = [0; 1_400];
    let mut gossip = Packer::gossip(&mut buf, &header()).unwrap();
    gossip.push(&Update::Member(member)).unwrap();
    let len = gossip.finish();
    node.handle_datagram(now, addr('d'), &buf[..len]);
}

/// Whether `id` is in the records that answer a table which is empty but for one `bucket`.
fn is_told(now: Instant, node: &mut Swim, id: NodeId, bucket: usize, hash: u32) -> bool {
    let mut hashes = [0; 256];
    hashes[bucket] = hash;
    let mut buf = [0; 1_400];
    let len = Sync::encode(&header(), &mut buf, true, 8, hashes.into_iter()).unwrap();
    node.handle_datagram(now, addr('d'), &buf[..len]);
    let answer = said(node);
    let [(_, records)] = &answer[..] else {
        panic!("{answer:?}");
    };
    let Message::Records(records) = Datagram::decode(records).unwrap().message else {
        panic!("not records");
    };
    let of_id = |update| matches!(update, Update::Member(member) if member.id == id);
    records.iter().map(Result::unwrap).any(of_id)
}
