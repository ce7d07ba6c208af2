//! What the tests share: bytes by what they carry, and messages at random.

use proptest::prelude::*;
use shiome_gossip::{
    DecodeError, EncodeError, MAX_DATAGRAM_LEN,
    compact::{
        Datagram, Handle, Header, Member, Message, Meta, Nack, Packer, PingReq, State, Sync,
        Update, Updates,
    },
};

use crate::support::{any_addr, any_node, any_slots, bytes};

/// What all samples start with: cluster 0x0201, sender 0xbd4a1866 (the handle of 000102…0f).
pub(super) const HEADER: Header = Header {
    cluster: 0x0201,
    sender: Handle::from_bits(0xbd4a_1866),
};

/// Datagrams by what they carry, `HEAD` standing for the cluster and the sender of [`HEADER`].
pub(super) const SAMPLES: [(&str, &str); 14] = [
    ("ping without news", "40 HEAD 07000000 efcdab8967452301"),
    (
        "ack with the four states",
        "41 HEAD ffffffff 0000000000000000
         01 078c850c 05
         02 078c850c ac02 e9602076
         03 078c850c 00
         04 078c850c 7f",
    ),
    ("ping request", "42 HEAD 07000000 078c850c"),
    ("nack", "43 HEAD 07000000"),
    ("gossip without news", "44 HEAD"),
    (
        "gossip of a bare member",
        "44 HEAD 05 101112131415161718191a1b1c1d1e1f 11 7f000001 eb18 05",
    ),
    (
        "gossip of a primary",
        "44 HEAD 05 101112131415161718191a1b1c1d1e1f 38 7f000001 eb18 ac02 2c 02 0000 5415 ab2a ff3f",
    ),
    (
        "gossip of a replica that has left",
        "44 HEAD 05 a0a1a2a3a4a5a6a7a8a9aaabacadaeaf 67 00000000000000000000000000000001 eb18 02
         00 101112131415161718191a1b1c1d1e1f 00",
    ),
    (
        "gossip of votes",
        "44 HEAD 06 101112131415161718191a1b1c1d1e1f 05 d209
         07 000102030405060708090a0b0c0d0e0f 101112131415161718191a1b1c1d1e1f 05",
    ),
    (
        "gossip of the largest numbers",
        "44 HEAD 03 078c850c ffffffffffffffffff01
         06 101112131415161718191a1b1c1d1e1f ffffffffffffffffff01 80808080808080808001",
    ),
    (
        "records of a member that has left",
        "46 HEAD 05 101112131415161718191a1b1c1d1e1f 03 7f000001 eb18 05 04 078c850c 05",
    ),
    ("sync of one bucket", "45 HEAD 00 00 04030201"),
    (
        "answered sync of four buckets",
        "45 HEAD 01 02 01000000 02000000 03000000 ffffffff",
    ),
    (
        "gossip with an update to be skipped",
        "44 HEAD 01 078c850c 05 80 00 ff 03 010203 03 078c850c 06",
    ),
];

pub(super) fn sample_bytes(hex: &str) -> Vec<u8> {
    bytes(&hex.replace("HEAD", "0102 66184abd"))
}

pub(super) fn sample(name: &str) -> Vec<u8> {
    let (_, hex) = SAMPLES.iter().find(|(other, _)| *other == name).unwrap();
    sample_bytes(hex)
}

/// All samples as bytes.
pub(super) fn samples() -> impl Iterator<Item = Vec<u8>> {
    SAMPLES.into_iter().map(|(_, hex)| sample_bytes(hex))
}

/// The list of updates that ends a message, if one does.
pub(super) fn updates<'a>(message: &Message<'a>) -> Option<Updates<'a>> {
    match message {
        Message::Ping(probe) | Message::Ack(probe) => Some(probe.updates),
        Message::Gossip(updates) | Message::Records(updates) => Some(*updates),
        _ => None,
    }
}

/// Length of a header, in bytes: where the updates of a Gossip start.
pub(super) const HEADER_LEN: usize = 7;

/// A Gossip of these updates.
pub(super) fn gossip(updates: &str) -> Vec<u8> {
    sample_bytes(&format!("44 HEAD {updates}"))
}

/// The updates of a datagram that ends in some.
pub(super) fn news(datagram: &[u8]) -> Vec<Result<Update<'_>, DecodeError>> {
    let message = Datagram::decode(datagram).unwrap().message;
    updates(&message).unwrap().iter().collect()
}

/// Writes a message with what the crate offers for it, as far as its updates decode.
pub(super) fn encode(datagram: &Datagram<'_>, budget: usize) -> Result<Vec<u8>, EncodeError> {
    let mut buf = vec![0xee; budget];
    let header = &datagram.header;
    let len = match &datagram.message {
        Message::Ping(probe) => {
            let packer = Packer::ping(&mut buf, header, probe.seq, probe.digest)?;
            pack(packer, probe.updates.iter().map_while(Result::ok))?
        }
        Message::Ack(probe) => {
            let packer = Packer::ack(&mut buf, header, probe.seq, probe.digest)?;
            pack(packer, probe.updates.iter().map_while(Result::ok))?
        }
        Message::Gossip(updates) => {
            let packer = Packer::gossip(&mut buf, header)?;
            pack(packer, updates.iter().map_while(Result::ok))?
        }
        Message::Records(updates) => {
            let packer = Packer::records(&mut buf, header)?;
            pack(packer, updates.iter().map_while(Result::ok))?
        }
        Message::PingReq(request) => request.encode(header, &mut buf)?,
        Message::Nack(nack) => nack.encode(header, &mut buf)?,
        Message::Sync(sync) => {
            let (is_answer, bits) = (sync.is_answer(), sync.bits());
            Sync::encode(header, &mut buf, is_answer, bits, sync.buckets())?
        }
        other => panic!("{other:?}"),
    };
    buf.truncate(len);
    Ok(buf)
}

/// Packs all of `updates` and returns the length of the datagram.
pub(super) fn pack<'a>(
    mut packer: Packer<'_>,
    updates: impl IntoIterator<Item = Update<'a>>,
) -> Result<usize, EncodeError> {
    updates
        .into_iter()
        .try_for_each(|update| packer.push(&update))?;
    Ok(packer.finish())
}

/// Checks that two datagrams say the same.
pub(super) fn assert_same(one: &Datagram<'_>, other: &Datagram<'_>) {
    assert_eq!(one.header, other.header);
    match (&one.message, &other.message) {
        (Message::Ping(one), Message::Ping(other)) | (Message::Ack(one), Message::Ack(other)) => {
            assert_eq!((one.seq, one.digest), (other.seq, other.digest));
        }
        (Message::PingReq(one), Message::PingReq(other)) => assert_eq!(one, other),
        (Message::Nack(one), Message::Nack(other)) => assert_eq!(one, other),
        (Message::Sync(one), Message::Sync(other)) => assert_eq!(one, other),
        (Message::Gossip(_), Message::Gossip(_)) | (Message::Records(_), Message::Records(_)) => {}
        (one, other) => panic!("{one:?} and {other:?}"),
    }
    let news = |message| {
        let updates = updates(message).into_iter().flatten();
        updates.map_while(Result::ok).collect::<Vec<_>>()
    };
    assert_eq!(news(&one.message), news(&other.message));
}

/// Reads everything that can be read of a datagram, and writes it again.
pub(super) fn read_all(bytes: &[u8]) {
    let datagram = match Datagram::decode(bytes) {
        Ok(datagram) => datagram,
        Err(error) => return assert!(error.offset() <= bytes.len(), "{error}"),
    };
    let mut news = updates(&datagram.message).into_iter().flatten();
    if let Some(error) = news.find_map(Result::err) {
        assert!(error.offset() <= bytes.len(), "{error}");
        assert_eq!(news.next(), None);
    }
    let again = encode(&datagram, MAX_DATAGRAM_LEN).unwrap();
    assert!(again.len() <= bytes.len());
    assert_same(&Datagram::decode(&again).unwrap(), &datagram);
}

pub(super) fn any_handle() -> impl Strategy<Value = Handle> {
    any::<u32>().prop_map(Handle::from_bits)
}

pub(super) fn any_header() -> impl Strategy<Value = Header> {
    (any::<u16>(), any_handle()).prop_map(|(cluster, sender)| Header { cluster, sender })
}

/// Numbers of every length that a varint can have.
pub(super) fn any_number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0..u64::BITS).prop_map(|(number, shift)| number >> shift)
}

pub(super) fn any_state() -> impl Strategy<Value = State> {
    prop::sample::select(vec![State::Alive, State::Suspect, State::Dead, State::Left])
}

fn any_meta() -> impl Strategy<Value = Meta<'static>> {
    let replicates = proptest::option::of(any_node());
    (any_number(), replicates, any_slots()).prop_map(|(incarnation, replicates, slots)| Meta {
        incarnation,
        replicates,
        slots,
    })
}

pub(super) fn any_member() -> impl Strategy<Value = Member<'static>> {
    let who = (any_node(), any_addr(), any_state());
    let flags = any::<[bool; 2]>();
    let meta = proptest::option::of(any_meta());
    (who, any_number(), flags, meta).prop_map(
        |((id, addr, state), incarnation, [is_primary, compact], meta)| Member {
            id,
            addr,
            incarnation,
            state,
            is_primary,
            compact,
            meta: meta.map(|meta| Meta {
                incarnation: meta.incarnation.min(incarnation),
                ..meta
            }),
        },
    )
}

pub(super) fn any_update() -> impl Strategy<Value = Update<'static>> {
    let named = || (any_handle(), any_number());
    let voted = || (any_node(), any_number());
    prop_oneof![
        named().prop_map(|(node, incarnation)| Update::Alive { node, incarnation }),
        (named(), any_handle()).prop_map(|((node, incarnation), from)| Update::Suspect {
            node,
            incarnation,
            from
        }),
        named().prop_map(|(node, incarnation)| Update::Dead { node, incarnation }),
        named().prop_map(|(node, incarnation)| Update::Left { node, incarnation }),
        any_member().prop_map(Update::Member),
        (voted(), any_number()).prop_map(|((candidate, epoch), offset)| Update::VoteRequest {
            candidate,
            epoch,
            offset
        }),
        (voted(), any_node()).prop_map(|((candidate, epoch), from)| Update::VoteGranted {
            from,
            candidate,
            epoch
        }),
    ]
}

pub(super) fn any_ping_req() -> impl Strategy<Value = PingReq> {
    (any::<u32>(), any_handle()).prop_map(|(seq, target)| PingReq { seq, target })
}

pub(super) fn any_nack() -> impl Strategy<Value = Nack> {
    any::<u32>().prop_map(|seq| Nack { seq })
}
