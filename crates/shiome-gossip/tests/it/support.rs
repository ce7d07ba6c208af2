//! What the tests share: node ids, bytes of `ember-cluster`, and messages at random.

use std::{net::SocketAddr, sync::LazyLock};

use proptest::prelude::*;
use shiome_gossip::{
    Datagram, Join, ListItem, MAX_DATAGRAM_LEN, Member, Message, NodeId, Packer, PingReq,
    SlotRange, Slots, SlotsAnnounce, Update,
};

/// Messages as `ember-cluster` 0.4.9 encodes them, by what they carry.
pub(crate) const VECTORS: [(&str, &str); 10] = [
    (
        "ping with the base updates",
        "01 0100000000000000 000102030405060708090a0b0c0d0e0f 0400
         01 101112131415161718191a1b1c1d1e1f 04 7f000001 eb18 0500000000000000
         02 101112131415161718191a1b1c1d1e1f 0600000000000000
         03 101112131415161718191a1b1c1d1e1f 0700000000000000
         04 101112131415161718191a1b1c1d1e1f",
    ),
    (
        "ping request",
        "02 6300000000000000 000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f
         04 7f000001 eb18",
    ),
    (
        "ack",
        "03 2a00000000000000 000102030405060708090a0b0c0d0e0f 0100
         03 101112131415161718191a1b1c1d1e1f 0a00000000000000",
    ),
    ("join", "04 000102030405060708090a0b0c0d0e0f 04 7f000001 eb18"),
    (
        "welcome",
        "05 000102030405060708090a0b0c0d0e0f 0200
         101112131415161718191a1b1c1d1e1f 04 7f000001 eb18 0100000000000000 01 0100 0000 5415
         a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 06 00000000000000000000000000000001 eb18 0200000000000000 00 0000",
    ),
    (
        "slots announcement",
        "06 000102030405060708090a0b0c0d0e0f 0400000000000000 0200 0000 5415 ab2a ff3f",
    ),
    (
        "ping with changed slots",
        "01 0100000000000000 000102030405060708090a0b0c0d0e0f 0100
         05 101112131415161718191a1b1c1d1e1f 0400000000000000 0100 0000 5415",
    ),
    (
        "ping with a changed role",
        "01 0100000000000000 000102030405060708090a0b0c0d0e0f 0100
         06 101112131415161718191a1b1c1d1e1f 0400000000000000 00 01 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
    ),
    (
        "ping with a vote request",
        "01 0100000000000000 000102030405060708090a0b0c0d0e0f 0100
         07 101112131415161718191a1b1c1d1e1f 0500000000000000 d204000000000000",
    ),
    (
        "ping with a vote",
        "01 0100000000000000 000102030405060708090a0b0c0d0e0f 0100
         08 000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f 0500000000000000",
    ),
];

/// The node whose id counts up from `first`.
pub(crate) fn node(first: u8) -> NodeId {
    NodeId::from(std::array::from_fn(|index| first + index as u8))
}

pub(crate) fn addr4() -> SocketAddr {
    ([127, 0, 0, 1], 6379).into()
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex.split_whitespace().collect::<String>()).unwrap()
}

/// All vectors as bytes.
pub(crate) fn vectors() -> impl Iterator<Item = Vec<u8>> {
    VECTORS.into_iter().map(|(_, hex)| bytes(hex))
}

/// A message that writes itself with what the crate offers for it.
pub(crate) fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut buf = vec![0xee; MAX_DATAGRAM_LEN];
    let len = match message {
        Message::Ping(ping) => {
            let packer = Packer::ping(&mut buf, ping.seq, ping.sender).unwrap();
            pack(packer, ping.updates.iter().map_while(Result::ok))
        }
        Message::Ack(ack) => {
            let packer = Packer::ack(&mut buf, ack.seq, ack.sender).unwrap();
            pack(packer, ack.updates.iter().map_while(Result::ok))
        }
        Message::Welcome(welcome) => {
            let packer = Packer::welcome(&mut buf, welcome.sender).unwrap();
            pack(packer, welcome.members.iter().map_while(Result::ok))
        }
        Message::PingReq(request) => request.encode(&mut buf).unwrap(),
        Message::Join(join) => join.encode(&mut buf).unwrap(),
        Message::SlotsAnnounce(announce) => announce.encode(&mut buf).unwrap(),
        other => panic!("{other:?}"),
    };
    buf.truncate(len);
    buf
}

/// Packs all of `items` and returns the length of the datagram.
pub(crate) fn pack<'a, T: ListItem<'static>>(
    mut packer: Packer<'_, T>,
    items: impl IntoIterator<Item = T::At<'a>>,
) -> usize {
    assert!(packer.pack(items).refused.is_none());
    packer.finish()
}

/// Decodes all of `datagram` and encodes it again; `None` when it does not decode.
pub(crate) fn reencode(datagram: &[u8]) -> Option<Vec<u8>> {
    let decoded = Datagram::decode(datagram).ok()?;
    decoded.trailing().ok()?;
    Some(encode(&decoded.message))
}

/// Ranges for messages to borrow.
static RANGES: LazyLock<Vec<SlotRange>> = LazyLock::new(|| {
    let range = |index: u16| SlotRange::new(index * 13 % 97, 16_383 - index).unwrap();
    (0..300).map(range).collect()
});

pub(crate) fn any_node() -> impl Strategy<Value = NodeId> {
    any::<[u8; 16]>().prop_map(NodeId::from)
}

pub(crate) fn any_addr() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        any::<([u8; 4], u16)>().prop_map(SocketAddr::from),
        any::<([u8; 16], u16)>().prop_map(SocketAddr::from),
    ]
}

pub(crate) fn any_slots() -> impl Strategy<Value = Slots<'static>> {
    (
        0..RANGES.len(),
        prop_oneof![4 => 0..4usize, 1 => 0..300usize],
    )
        .prop_map(|(start, len)| {
            let end = RANGES.len().min(start + len);
            Slots::from(&RANGES[start..end])
        })
}

pub(crate) fn any_update() -> impl Strategy<Value = Update<'static>> {
    let named = || (any_node(), any::<u64>());
    prop_oneof![
        (named(), any_addr()).prop_map(|((node, incarnation), addr)| Update::Alive {
            node,
            addr,
            incarnation
        }),
        named().prop_map(|(node, incarnation)| Update::Suspect { node, incarnation }),
        named().prop_map(|(node, incarnation)| Update::Dead { node, incarnation }),
        any_node().prop_map(|node| Update::Left { node }),
        (named(), any_slots()).prop_map(|((node, incarnation), slots)| Update::SlotsChanged {
            node,
            incarnation,
            slots
        }),
        (named(), any::<bool>(), proptest::option::of(any_node())).prop_map(
            |((node, incarnation), is_primary, replicates)| Update::RoleChanged {
                node,
                incarnation,
                is_primary,
                replicates
            }
        ),
        (named(), any::<u64>()).prop_map(|((candidate, epoch), offset)| Update::VoteRequest {
            candidate,
            epoch,
            offset
        }),
        (named(), any_node()).prop_map(|((candidate, epoch), from)| Update::VoteGranted {
            from,
            candidate,
            epoch
        }),
    ]
}

pub(crate) fn any_member() -> impl Strategy<Value = Member<'static>> {
    (
        any_node(),
        any_addr(),
        any::<u64>(),
        any::<bool>(),
        any_slots(),
    )
        .prop_map(|(id, addr, incarnation, is_primary, slots)| Member {
            id,
            addr,
            incarnation,
            is_primary,
            slots,
        })
}

pub(crate) fn any_ping_req() -> impl Strategy<Value = PingReq> {
    (any::<u64>(), any_node(), any_node(), any_addr()).prop_map(
        |(seq, sender, target, target_addr)| PingReq {
            seq,
            sender,
            target,
            target_addr,
        },
    )
}

pub(crate) fn any_join() -> impl Strategy<Value = Join> {
    (any_node(), any_addr()).prop_map(|(sender, sender_addr)| Join {
        sender,
        sender_addr,
    })
}

pub(crate) fn any_announce() -> impl Strategy<Value = SlotsAnnounce<'static>> {
    (any_node(), any::<u64>(), any_slots()).prop_map(|(sender, incarnation, slots)| SlotsAnnounce {
        sender,
        incarnation,
        slots,
    })
}
