//! The bytes of `ember-cluster`, field by field.

use shiome_gossip::{
    Datagram, Join, Member, Message, Packer, PingReq, SlotRange, Slots, SlotsAnnounce, Update,
};

use crate::support::{VECTORS, addr4, bytes, encode, node, pack, vectors};

fn vector(name: &str) -> Vec<u8> {
    let (_, hex) = VECTORS.iter().find(|(other, _)| *other == name).unwrap();
    bytes(hex)
}

/// Checks that the vector is a Ping with these updates, read and written.
fn is_ping(name: &str, updates: &[Update<'_>]) {
    let expected = vector(name);
    let Message::Ping(ping) = Datagram::decode_strict(&expected).unwrap().message else {
        panic!("{name}");
    };
    assert_eq!((ping.seq, ping.sender), (1, node(0)));
    assert_eq!(ping.updates.announced(), Ok(updates.len()));
    assert!(ping.updates.iter().eq(updates.iter().copied().map(Ok)));

    let mut buf = [0; 200];
    let packer = Packer::ping(&mut buf, 1, node(0)).unwrap();
    let len = pack(packer, updates.iter().copied());
    assert_eq!(buf[..len], expected);
}

#[test]
fn updates_of_the_base_set() {
    let node = node(0x10);
    is_ping(
        "ping with the base updates",
        &[
            Update::Alive {
                node,
                addr: addr4(),
                incarnation: 5,
            },
            Update::Suspect {
                node,
                incarnation: 6,
            },
            Update::Dead {
                node,
                incarnation: 7,
            },
            Update::Left { node },
        ],
    );
}

#[test]
fn updates_of_the_extended_set() {
    let (a, b, c) = (node(0), node(0x10), node(0xa0));
    let ranges = [SlotRange::new(0, 5460).unwrap()];
    for (name, update) in [
        (
            "ping with changed slots",
            Update::SlotsChanged {
                node: b,
                incarnation: 4,
                slots: Slots::from(&ranges[..]),
            },
        ),
        (
            "ping with a changed role",
            Update::RoleChanged {
                node: b,
                incarnation: 4,
                is_primary: false,
                replicates: Some(c),
            },
        ),
        (
            "ping with a vote request",
            Update::VoteRequest {
                candidate: b,
                epoch: 5,
                offset: 1234,
            },
        ),
        (
            "ping with a vote",
            Update::VoteGranted {
                from: a,
                candidate: b,
                epoch: 5,
            },
        ),
    ] {
        assert!(!update.is_base());
        is_ping(name, &[update]);
    }
}

#[test]
fn ack() {
    let expected = vector("ack");
    let Message::Ack(ack) = Datagram::decode_strict(&expected).unwrap().message else {
        panic!("no ack");
    };
    assert_eq!((ack.seq, ack.sender), (42, node(0)));
    let dead = Update::Dead {
        node: node(0x10),
        incarnation: 10,
    };
    assert!(dead.is_base());
    assert!(ack.updates.iter().eq([Ok(dead)]));

    let mut buf = [0; 52];
    let len = pack(Packer::ack(&mut buf, 42, node(0)).unwrap(), [dead]);
    assert_eq!(buf[..len], expected);
}

#[test]
fn ping_request() {
    let expected = vector("ping request");
    let Message::PingReq(request) = Datagram::decode_strict(&expected).unwrap().message else {
        panic!("no ping request");
    };
    let same = PingReq {
        seq: 99,
        sender: node(0),
        target: node(0x10),
        target_addr: addr4(),
    };
    assert_eq!(request, same);
    let mut buf = [0; 48];
    assert_eq!(request.encode(&mut buf), Ok(48));
    assert_eq!(buf[..], expected);
}

#[test]
fn join() {
    let expected = vector("join");
    let Message::Join(join) = Datagram::decode_strict(&expected).unwrap().message else {
        panic!("no join");
    };
    let same = Join {
        sender: node(0),
        sender_addr: addr4(),
    };
    assert_eq!(join, same);
    let mut buf = [0; 24];
    assert_eq!(join.encode(&mut buf), Ok(24));
    assert_eq!(buf[..], expected);
}

#[test]
fn welcome() {
    let expected = vector("welcome");
    let Message::Welcome(welcome) = Datagram::decode_strict(&expected).unwrap().message else {
        panic!("no welcome");
    };
    assert_eq!(welcome.sender, node(0));
    let ranges = [SlotRange::new(0, 5460).unwrap()];
    let members = [
        Member {
            id: node(0x10),
            addr: addr4(),
            incarnation: 1,
            is_primary: true,
            slots: Slots::from(&ranges[..]),
        },
        Member {
            id: node(0xa0),
            addr: "[::1]:6379".parse().unwrap(),
            incarnation: 2,
            is_primary: false,
            slots: Slots::EMPTY,
        },
    ];
    assert!(welcome.members.iter().eq(members.map(Ok)));

    let mut buf = [0; 103];
    let len = pack(Packer::welcome(&mut buf, node(0)).unwrap(), members);
    assert_eq!(buf[..len], expected);
}

#[test]
fn slots_announcement() {
    let expected = vector("slots announcement");
    let Message::SlotsAnnounce(announce) = Datagram::decode_strict(&expected).unwrap().message
    else {
        panic!("no slots announcement");
    };
    let ranges = [(0, 5460), (10923, 16383)].map(|(a, b)| SlotRange::new(a, b).unwrap());
    let same = SlotsAnnounce {
        sender: node(0),
        incarnation: 4,
        slots: Slots::from(&ranges[..]),
    };
    assert_eq!(announce, same);
    let mut buf = [0; 35];
    assert_eq!(announce.encode(&mut buf), Ok(35));
    assert_eq!(buf[..], expected);
}

#[test]
fn every_vector_encodes_from_what_it_decodes_to() {
    for vector in vectors() {
        let decoded = Datagram::decode_strict(&vector).unwrap();
        assert_eq!(decoded.message.sender(), node(0));
        assert_eq!(encode(&decoded.message), vector);
    }
}
