//! What is written is read.

use proptest::prelude::*;
use shiome_gossip::{
    Capabilities, Datagram, ExtensionPacker, Field, MAX_DATAGRAM_LEN, Message, Packer,
};

use crate::support::{
    any_addr, any_announce, any_join, any_member, any_node, any_ping_req, any_update, encode, pack,
};

proptest! {
    #[test]
    fn probes(ack in any::<bool>(), seq in any::<u64>(), sender in any_node(), updates in prop::collection::vec(any_update(), 0..20)) {
        let mut buf = vec![0; MAX_DATAGRAM_LEN];
        let packer = match ack {
            true => Packer::ack(&mut buf, seq, sender),
            false => Packer::ping(&mut buf, seq, sender),
        };
        let len = pack(packer.unwrap(), updates.iter().copied());
        let decoded = Datagram::decode_strict(&buf[..len]).unwrap();
        let read = match (ack, decoded.message) {
            (true, Message::Ack(ack)) => (ack.seq, ack.sender, ack.updates),
            (false, Message::Ping(ping)) => (ping.seq, ping.sender, ping.updates),
            (_, other) => panic!("{other:?}"),
        };
        prop_assert_eq!((read.0, read.1), (seq, sender));
        prop_assert!(read.2.iter().eq(updates.into_iter().map(Ok)));
        prop_assert_eq!(encode(&decoded.message), &buf[..len]);
    }

    #[test]
    fn welcome(sender in any_node(), members in prop::collection::vec(any_member(), 0..20)) {
        let mut buf = vec![0; MAX_DATAGRAM_LEN];
        let len = pack(Packer::welcome(&mut buf, sender).unwrap(), members.iter().copied());
        let Message::Welcome(welcome) = Datagram::decode_strict(&buf[..len]).unwrap().message else {
            panic!("not a welcome");
        };
        prop_assert_eq!(welcome.sender, sender);
        prop_assert!(welcome.members.iter().eq(members.into_iter().map(Ok)));
    }

    #[test]
    fn messages_of_one_piece(request in any_ping_req(), join in any_join(), announce in any_announce()) {
        let mut buf = vec![0; MAX_DATAGRAM_LEN];
        let len = request.encode(&mut buf).unwrap();
        match Datagram::decode_strict(&buf[..len]).unwrap().message {
            Message::PingReq(read) => prop_assert_eq!(read, request),
            other => panic!("{other:?}"),
        }
        let len = join.encode(&mut buf).unwrap();
        match Datagram::decode_strict(&buf[..len]).unwrap().message {
            Message::Join(read) => prop_assert_eq!(read, join),
            other => panic!("{other:?}"),
        }
        let len = announce.encode(&mut buf).unwrap();
        match Datagram::decode_strict(&buf[..len]).unwrap().message {
            Message::SlotsAnnounce(read) => prop_assert_eq!(read, announce),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn extensions_behind_any_message(
        join in any_join(),
        updates in prop::collection::vec(any_update(), 0..5),
        fields in prop::collection::vec(any_field(), 1..20),
    ) {
        let mut buf = vec![0; MAX_DATAGRAM_LEN];
        let len = join.encode(&mut buf).unwrap();
        prop_assert_eq!(fields_behind(&mut buf, len, &fields), fields.clone());
        let len = pack(Packer::ping(&mut buf, 1, join.sender).unwrap(), updates);
        prop_assert_eq!(fields_behind(&mut buf, len, &fields), fields);
    }
}

/// Writes an extension behind the first `len` bytes, and reads it.
fn fields_behind(buf: &mut [u8], len: usize, fields: &[Field]) -> Vec<Field> {
    let mut packer = ExtensionPacker::new(&mut buf[len..]);
    fields.iter().for_each(|field| packer.push(field).unwrap());
    let extension = packer.finish();
    assert!(extension > fields.iter().map(Field::encoded_len).sum());
    let decoded = Datagram::decode(&buf[..len + extension]).unwrap();
    let extension = decoded.extension().unwrap().unwrap();
    extension.iter().map(Result::unwrap).collect()
}

fn any_field() -> impl Strategy<Value = Field> {
    prop_oneof![
        any::<u64>().prop_map(|bits| Field::Capabilities(Capabilities::from_bits(bits))),
        any::<u64>().prop_map(Field::ClusterId),
        any::<u64>().prop_map(Field::Incarnation),
        (any::<u16>(), any_node()).prop_map(|(update, node)| Field::Suspector { update, node }),
        any::<u8>().prop_map(Field::LocalHealth),
        Just(Field::Nack),
        any::<(u32, u64)>().prop_map(|(members, hash)| Field::Digest { members, hash }),
        any_addr().prop_map(Field::Address),
    ]
}
