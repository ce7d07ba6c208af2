//! Bytes that are almost right, or not at all.

use proptest::prelude::*;
use shiome_gossip::{Datagram, DecodeErrorKind, MAX_DATAGRAM_LEN, Message, Update};

use crate::support::{bytes, node, reencode, vectors};

/// Reads everything that can be read of a datagram.
fn read_all(datagram: &[u8]) {
    let Ok(decoded) = Datagram::decode(datagram) else {
        assert!(Datagram::decode_strict(datagram).is_err());
        return;
    };
    let items = match &decoded.message {
        Message::Ping(ping) => ping.updates.iter().count(),
        Message::Ack(ack) => ack.updates.iter().count(),
        Message::Welcome(welcome) => welcome.members.iter().count(),
        _ => 0,
    };
    assert!(items * 17 <= datagram.len() + 17, "{items} items");
    match decoded.extension() {
        Ok(Some(extension)) => assert!(extension.iter().count() <= datagram.len()),
        Ok(None) => {}
        Err(error) => assert!(error.offset() <= datagram.len()),
    }
    if Datagram::decode_strict(datagram).is_ok() {
        // Flags may come out as another true, nothing else may change.
        let again = reencode(datagram).unwrap();
        assert_eq!(again.len(), datagram.len());
        assert_eq!(reencode(&again), Some(again));
    }
}

#[test]
fn no_vector_decodes_when_cut_short() {
    for vector in vectors() {
        for len in 0..vector.len() {
            let error = Datagram::decode_strict(&vector[..len]).unwrap_err();
            assert!(
                matches!(
                    error.kind(),
                    DecodeErrorKind::Truncated | DecodeErrorKind::CountTooLarge(_)
                ),
                "{error}"
            );
            assert!(error.offset() <= len, "{error}");
            read_all(&vector[..len]);
        }
    }
}

#[test]
fn any_bit_of_a_vector_may_flip() {
    for mut vector in vectors() {
        for bit in 0..vector.len() * 8 {
            vector[bit / 8] ^= 1 << (bit % 8);
            read_all(&vector);
            for len in 0..vector.len() {
                read_all(&vector[..len]);
            }
            vector[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn a_probe_is_known_as_soon_as_its_sender_is() {
    for vector in vectors().filter(|vector| [1, 3].contains(&vector[0])) {
        let expected = u64::from_le_bytes(*vector[1..].first_chunk().unwrap());
        for len in 0..vector.len() {
            let known = match Datagram::decode(&vector[..len]).map(|decoded| decoded.message) {
                Ok(Message::Ping(ping)) => Some((ping.seq, ping.sender, ping.updates)),
                Ok(Message::Ack(ack)) => Some((ack.seq, ack.sender, ack.updates)),
                _ => None,
            };
            assert_eq!(known.is_some(), len >= 25, "{len} bytes");
            if let Some((seq, sender, updates)) = known {
                assert_eq!((seq, sender), (expected, node(0)));
                assert!(updates.iter().last().unwrap().is_err());
            }
        }
    }
}

/// A Ping with an Alive of three, cut or changed by `change` after its header.
fn ping(updates: &str) -> Vec<u8> {
    bytes(&format!(
        "01 0100000000000000 000102030405060708090a0b0c0d0e0f {updates}"
    ))
}

#[test]
fn an_unknown_update_loses_the_rest_of_its_list_and_nothing_else() {
    let left = "04 101112131415161718191a1b1c1d1e1f";
    let datagram = ping(&format!("0300 {left} 09 {left} {left}"));
    let decoded = Datagram::decode(&datagram).unwrap();
    let Message::Ping(ping) = decoded.message else {
        panic!("not a ping");
    };
    assert_eq!((ping.seq, ping.sender), (1, node(0)));
    assert_eq!(ping.updates.announced(), Ok(3));
    let mut updates = ping.updates.iter();
    assert_eq!(updates.next(), Some(Ok(Update::Left { node: node(0x10) })));
    let error = updates.next().unwrap().unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::UnknownUpdate(9));
    assert_eq!(error.offset(), 27 + 17);
    assert_eq!(updates.next(), None);
    // What follows a list without an end cannot be found.
    assert_eq!(updates.trailing().unwrap_err(), error);
    assert_eq!(decoded.extension().unwrap_err(), error);
    assert_eq!(error.to_string(), "unknown update 9 at byte 44");
}

#[test]
fn every_update_tag_but_eight_is_unknown() {
    for tag in (0..=u8::MAX).filter(|tag| !(1..=8).contains(tag)) {
        let datagram = ping(&format!("0100 {tag:02x} 101112131415161718191a1b1c1d1e1f"));
        let error = Datagram::decode_strict(&datagram).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownUpdate(tag));
    }
}

#[test]
fn every_message_tag_but_six_is_unknown() {
    for tag in (0..=u8::MAX).filter(|tag| !(1..=6).contains(tag)) {
        let mut datagram = [0; 64];
        datagram[0] = tag;
        let error = Datagram::decode(&datagram).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownMessage(tag));
        assert_eq!(error.offset(), 0);
    }
}

#[test]
fn a_count_above_what_is_there_decodes_to_no_item() {
    for (datagram, count, offset) in [
        (ping("ffff 04 101112131415161718191a1b1c1d1e1f"), 65535, 25),
        (ping("0200 04 101112131415161718191a1b1c1d1e1f"), 2, 25),
        (bytes("05 000102030405060708090a0b0c0d0e0f ffff"), 65535, 17),
    ] {
        let decoded = Datagram::decode(&datagram).unwrap();
        let (first, items) = match decoded.message {
            Message::Ping(ping) => (
                ping.updates.iter().next().unwrap().unwrap_err(),
                ping.updates.iter().count(),
            ),
            Message::Welcome(welcome) => (
                welcome.members.iter().next().unwrap().unwrap_err(),
                welcome.members.iter().count(),
            ),
            other => panic!("{other:?}"),
        };
        assert_eq!(items, 1);
        assert_eq!(first.kind(), DecodeErrorKind::CountTooLarge(count));
        assert_eq!(first.offset(), offset);
    }
    let announce = bytes("06 000102030405060708090a0b0c0d0e0f 0400000000000000 0200 0000 5415");
    let error = Datagram::decode(&announce).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::CountTooLarge(2));
}

#[test]
fn a_slot_range_that_is_none_does_not_decode() {
    let changed = "05 101112131415161718191a1b1c1d1e1f 0400000000000000 0100";
    for (range, start, end) in [("0100 0000", 1, 0), ("0000 0040", 0, 0x4000)] {
        let datagram = ping(&format!("0100 {changed} {range}"));
        let error = Datagram::decode_strict(&datagram).unwrap_err();
        assert_eq!(
            error.kind(),
            DecodeErrorKind::InvalidSlotRange { start, end }
        );
        assert_eq!(error.offset(), 54);
    }
}

#[test]
fn anything_but_zero_is_true_and_is_written_as_one() {
    let role = "06 101112131415161718191a1b1c1d1e1f 0400000000000000";
    let replicates = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
    let sent = ping(&format!("0100 {role} 02 ff {replicates}"));
    let canonical = ping(&format!("0100 {role} 01 01 {replicates}"));
    assert_eq!(reencode(&sent), Some(canonical));
}

#[test]
fn bytes_behind_a_message_are_ignored_but_for_the_strict() {
    for vector in vectors() {
        for behind in [&[0][..], &[0xff; 32], b"sh\x02\xff"] {
            let datagram = [&vector[..], behind].concat();
            assert_eq!(reencode(&datagram).as_ref(), Some(&vector));
            let decoded = Datagram::decode(&datagram).unwrap();
            assert_eq!(decoded.trailing().unwrap().as_bytes(), behind);
            assert!(decoded.extension().unwrap().is_none());

            let error = Datagram::decode_strict(&datagram).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::TrailingBytes);
            assert_eq!(error.offset(), vector.len());
        }
    }
}

#[test]
fn nothing_longer_than_a_datagram_is_looked_at() {
    let mut long = vec![0; MAX_DATAGRAM_LEN + 1];
    let join = bytes("04 000102030405060708090a0b0c0d0e0f 04 7f000001 eb18");
    long[..join.len()].copy_from_slice(&join);
    assert!(Datagram::decode(&long[..MAX_DATAGRAM_LEN]).is_ok());
    let error = Datagram::decode(&long).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::DatagramTooLong);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(mut datagram in prop::collection::vec(any::<u8>(), 0..300), tag in 0u8..8) {
        read_all(&datagram);
        if let Some(first) = datagram.first_mut() {
            *first = tag;
        }
        read_all(&datagram);
    }

    #[test]
    fn any_bytes_behind_a_header_are_read_without_panic(
        count in 0u16..20,
        tags in prop::collection::vec((0u8..10, prop::collection::vec(prop_oneof![Just(0u8), Just(4), Just(6), any::<u8>()], 14..60)), 0..20),
    ) {
        for tag in [1, 3, 5] {
            let mut datagram = vec![tag];
            datagram.extend([7; 24]);
            datagram.truncate(if tag == 5 { 17 } else { 25 });
            datagram.extend(count.to_le_bytes());
            for (tag, value) in &tags {
                datagram.push(*tag);
                datagram.extend(value);
            }
            read_all(&datagram);
        }
    }
}
