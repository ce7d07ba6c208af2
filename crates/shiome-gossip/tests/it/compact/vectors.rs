//! The bytes, field by field, and what they say.

use shiome_gossip::{
    MAX_DATAGRAM_LEN, NodeId, SlotRange, Slots,
    compact::{Datagram, Handle, Member, Message, Meta, Nack, PingReq, State, Update, is_compact},
};

use super::support::{HEADER, encode, news, sample, samples};
use crate::support::{addr4, node};

const B: Handle = Handle::from_bits(0x0c85_8c07);
const C: Handle = Handle::from_bits(0x7620_60e9);

fn message(bytes: &[u8]) -> Message<'_> {
    assert!(is_compact(bytes));
    let datagram = Datagram::decode(bytes).unwrap();
    assert_eq!(datagram.header, HEADER);
    datagram.message
}

/// Checks that the sample is a Gossip of these updates and nothing else.
fn is_gossip(name: &str, updates: &[Update<'_>]) {
    let bytes = sample(name);
    assert!(matches!(message(&bytes), Message::Gossip(_)));
    let expected: Vec<_> = updates.iter().copied().map(Ok).collect();
    assert_eq!(news(&bytes), expected, "{name}");
}

#[test]
fn handles_are_the_same_for_ever() {
    for (id, bits) in [
        (NodeId::from([0; 16]), 0x4821_8226),
        (node(0), 0xbd4a_1866),
        (node(0x10), B.bits()),
        (node(0xa0), C.bits()),
        (NodeId::from([0xff; 16]), 0xe8ba_9f99),
    ] {
        assert_eq!(Handle::of(&id), Handle::from_bits(bits), "{id}");
    }
}

#[test]
fn handles_print_as_hex() {
    let handle = Handle::from_bits(0x0012_ab30);
    assert_eq!(format!("{handle} {handle:?}"), "0012ab30 0012ab30");
    assert_eq!(handle.bits(), 0x0012_ab30);
}

#[test]
fn what_is_written_is_what_was_read() {
    for bytes in samples() {
        let datagram = Datagram::decode(&bytes).unwrap();
        let again = encode(&datagram, MAX_DATAGRAM_LEN).unwrap();
        if bytes == sample("gossip with an update to be skipped") {
            assert!(again.len() < bytes.len());
        } else {
            assert_eq!(again, bytes);
        }
    }
}

#[test]
fn probes() {
    let bytes = sample("ping without news");
    let Message::Ping(ping) = message(&bytes) else {
        panic!("not a ping");
    };
    assert_eq!((ping.seq, ping.digest), (7, 0x0123_4567_89ab_cdef));
    assert!(ping.updates.is_empty());
    assert_eq!(ping.updates.iter().next(), None);

    let bytes = sample("ack with the four states");
    let Message::Ack(ack) = message(&bytes) else {
        panic!("not an ack");
    };
    assert_eq!((ack.seq, ack.digest), (u32::MAX, 0));
    assert!(!ack.updates.is_empty());
    let node = B;
    let expected = [
        Update::Alive {
            node,
            incarnation: 5,
        },
        Update::Suspect {
            node,
            incarnation: 300,
            from: C,
        },
        Update::Dead {
            node,
            incarnation: 0,
        },
        Update::Left {
            node,
            incarnation: 127,
        },
    ];
    assert!(ack.updates.iter().eq(expected.map(Ok)));
}

#[test]
fn messages_of_one_piece() {
    match message(&sample("ping request")) {
        Message::PingReq(request) => assert_eq!(request, PingReq { seq: 7, target: B }),
        other => panic!("{other:?}"),
    }
    match message(&sample("nack")) {
        Message::Nack(nack) => assert_eq!(nack, Nack { seq: 7 }),
        other => panic!("{other:?}"),
    }
}

#[test]
fn syncs() {
    for (name, is_answer, bits, hashes) in [
        ("sync of one bucket", false, 0, &[0x0102_0304][..]),
        (
            "answered sync of four buckets",
            true,
            2,
            &[1, 2, 3, u32::MAX],
        ),
    ] {
        let bytes = sample(name);
        let Message::Sync(sync) = message(&bytes) else {
            panic!("{name}");
        };
        assert_eq!((sync.is_answer(), sync.bits()), (is_answer, bits));
        assert_eq!(sync.buckets().len(), hashes.len());
        assert!(sync.buckets().eq(hashes.iter().copied()));
    }
}

#[test]
fn members() {
    let bare = Member {
        id: node(0x10),
        addr: addr4(),
        incarnation: 5,
        state: State::Suspect,
        is_primary: false,
        compact: true,
        meta: None,
    };
    is_gossip("gossip of a bare member", &[Update::Member(bare)]);

    let ranges = [(0, 5460), (10923, 16383)].map(|(a, b)| SlotRange::new(a, b).unwrap());
    let primary = Member {
        incarnation: 300,
        state: State::Alive,
        is_primary: true,
        meta: Some(Meta {
            incarnation: 256,
            replicates: None,
            slots: Slots::from(&ranges[..]),
        }),
        ..bare
    };
    is_gossip("gossip of a primary", &[Update::Member(primary)]);

    let replica = Member {
        id: node(0xa0),
        addr: "[::1]:6379".parse().unwrap(),
        incarnation: 2,
        state: State::Left,
        is_primary: false,
        compact: false,
        meta: Some(Meta {
            incarnation: 2,
            replicates: Some(node(0x10)),
            slots: Slots::EMPTY,
        }),
    };
    let name = "gossip of a replica that has left";
    is_gossip(name, &[Update::Member(replica)]);
}

#[test]
fn records() {
    let bytes = sample("records of a member that has left");
    assert!(matches!(message(&bytes), Message::Records(_)));
    let member = Member {
        id: node(0x10),
        addr: addr4(),
        incarnation: 5,
        state: State::Left,
        is_primary: false,
        compact: false,
        meta: None,
    };
    let left = Update::Left {
        node: B,
        incarnation: 5,
    };
    assert_eq!(news(&bytes), [Ok(Update::Member(member)), Ok(left)]);
}

#[test]
fn votes_and_large_numbers() {
    let candidate = node(0x10);
    is_gossip(
        "gossip of votes",
        &[
            Update::VoteRequest {
                candidate,
                epoch: 5,
                offset: 1234,
            },
            Update::VoteGranted {
                from: node(0),
                candidate,
                epoch: 5,
            },
        ],
    );
    is_gossip(
        "gossip of the largest numbers",
        &[
            Update::Dead {
                node: B,
                incarnation: u64::MAX,
            },
            Update::VoteRequest {
                candidate,
                epoch: u64::MAX,
                offset: 1 << 63,
            },
        ],
    );
}

#[test]
fn an_unknown_update_that_may_be_skipped_is() {
    is_gossip(
        "gossip with an update to be skipped",
        &[
            Update::Alive {
                node: B,
                incarnation: 5,
            },
            Update::Dead {
                node: B,
                incarnation: 6,
            },
        ],
    );
}
