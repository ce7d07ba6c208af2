//! What is written is read, and handles spread.

use std::collections::HashSet;

use proptest::prelude::*;
use shiome_gossip::{
    MAX_DATAGRAM_LEN, NodeId,
    compact::{Datagram, Handle, Message, Packer, Sync},
};

use super::support::{any_header, any_nack, any_ping_req, any_update, encode, pack};

proptest! {
    #[test]
    fn lists_of_updates(
        kind in 0..4,
        header in any_header(),
        seq in any::<u32>(),
        digest in any::<u64>(),
        updates in prop::collection::vec(any_update(), 0..20),
    ) {
        let mut buf = vec![0; MAX_DATAGRAM_LEN];
        let (packer, head) = match kind {
            0 => (Packer::ping(&mut buf, &header, seq, digest), 19),
            1 => (Packer::ack(&mut buf, &header, seq, digest), 19),
            2 => (Packer::gossip(&mut buf, &header), 7),
            _ => (Packer::records(&mut buf, &header), 7),
        };
        let len = pack(packer.unwrap(), updates.iter().copied()).unwrap();
        prop_assert_eq!(len, head + updates.iter().map(|update| update.encoded_len()).sum::<usize>());

        let datagram = Datagram::decode(&buf[..len]).unwrap();
        prop_assert_eq!(datagram.header, header);
        let read = match (kind, datagram.message) {
            (0, Message::Ping(probe)) | (1, Message::Ack(probe)) => {
                prop_assert_eq!((probe.seq, probe.digest), (seq, digest));
                probe.updates
            }
            (2, Message::Gossip(updates)) | (3, Message::Records(updates)) => updates,
            (_, other) => panic!("{other:?}"),
        };
        prop_assert!(read.iter().eq(updates.into_iter().map(Ok)));
        prop_assert_eq!(encode(&datagram, MAX_DATAGRAM_LEN).unwrap(), &buf[..len]);
    }

    #[test]
    fn messages_of_one_piece(header in any_header(), request in any_ping_req(), nack in any_nack()) {
        let mut buf = [0; 15];
        let len = request.encode(&header, &mut buf).unwrap();
        let datagram = Datagram::decode(&buf[..len]).unwrap();
        prop_assert_eq!(datagram.header, header);
        match datagram.message {
            Message::PingReq(read) => prop_assert_eq!(read, request),
            other => panic!("{other:?}"),
        }
        let len = nack.encode(&header, &mut buf).unwrap();
        let datagram = Datagram::decode(&buf[..len]).unwrap();
        prop_assert_eq!(datagram.header, header);
        match datagram.message {
            Message::Nack(read) => prop_assert_eq!(read, nack),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn syncs(header in any_header(), is_answer in any::<bool>(), bits in 0u8..=8, hashes in prop::collection::vec(any::<u32>(), 256)) {
        let hashes = &hashes[..1 << bits];
        let mut buf = [0; 1400];
        let len = Sync::encode(&header, &mut buf, is_answer, bits, hashes.iter().copied()).unwrap();
        prop_assert_eq!(len, 9 + 4 * hashes.len());
        let datagram = Datagram::decode(&buf[..len]).unwrap();
        prop_assert_eq!(datagram.header, header);
        let Message::Sync(sync) = datagram.message else {
            panic!("not a sync");
        };
        prop_assert_eq!((sync.is_answer(), sync.bits()), (is_answer, bits));
        prop_assert!(sync.buckets().eq(hashes.iter().copied()));
    }
}

/// Ids that count up in one byte pair and are the same in all others.
fn counted(at: usize) -> impl Iterator<Item = NodeId> {
    (0..=u16::MAX).map(move |count| {
        let mut id = [0x5a; NodeId::LEN];
        id[at..][..2].copy_from_slice(&count.to_be_bytes());
        NodeId::from(id)
    })
}

#[test]
fn handles_of_ids_that_count_up_spread() {
    for at in 0..NodeId::LEN - 1 {
        let handles: HashSet<_> = counted(at).map(|id| Handle::of(&id)).collect();
        // By chance, 65 536 of 2^32 have one pair in two such sets.
        assert!(handles.len() >= 65_536 - 4, "{at}: {}", handles.len());
        for shift in [0, 8, 16, 24] {
            let mut buckets = [0u32; 256];
            for handle in &handles {
                buckets[(handle.bits() >> shift) as usize & 0xff] += 1;
            }
            // 256 each, and a deviation of 16: six of them are out of the question.
            let even = buckets.iter().all(|count| (160..=352).contains(count));
            assert!(even, "{at}, {shift}: {buckets:?}");
        }
    }
}
