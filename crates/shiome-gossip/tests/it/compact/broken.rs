//! Bytes that are almost right, or not at all.

use proptest::prelude::*;
use shiome_gossip::{
    Datagram as Classic, DecodeErrorKind, MAX_DATAGRAM_LEN,
    compact::{Datagram, FIRST_TAG, Handle, Message, Update, is_compact},
};

use super::support::{HEADER_LEN, gossip, news, read_all, sample, sample_bytes, samples, updates};
use crate::support::vectors;

const ID: &str = "101112131415161718191a1b1c1d1e1f";
/// An Alive, 6 bytes long.
const ALIVE: &str = "01 078c850c 05";

fn alive() -> Update<'static> {
    Update::Alive {
        node: Handle::from_bits(0x0c85_8c07),
        incarnation: 5,
    }
}

/// Checks that these updates are an Alive followed by this error, with its offset from the end of the Alive.
fn breaks(updates: &str, kind: DecodeErrorKind, offset: usize) {
    let datagram = gossip(&format!("{ALIVE} {updates}"));
    let news = news(&datagram);
    let [Ok(first), Err(error)] = news[..] else {
        panic!("{updates}: {news:?}");
    };
    assert_eq!(first, alive());
    assert_eq!(error.kind(), kind, "{updates}");
    assert_eq!(error.offset(), HEADER_LEN + 6 + offset, "{updates}");
    read_all(&datagram);
}

#[test]
fn a_cut_datagram_loses_what_is_cut_and_nothing_before_it() {
    for sample in samples() {
        let datagram = Datagram::decode(&sample).unwrap();
        let listed: Vec<_> = updates(&datagram.message).into_iter().flatten().collect();
        for len in 0..sample.len() {
            read_all(&sample[..len]);
            let cut = match Datagram::decode(&sample[..len]) {
                Ok(cut) => cut,
                Err(error) => {
                    assert_eq!(error.kind(), DecodeErrorKind::Truncated);
                    continue;
                }
            };
            let mut left: Vec<_> = updates(&cut.message).unwrap().iter().collect();
            if let Some(error) = left.pop_if(|last| last.is_err()) {
                let kind = error.unwrap_err().kind();
                assert!(
                    matches!(
                        kind,
                        DecodeErrorKind::Truncated | DecodeErrorKind::CountTooLarge(_)
                    ),
                    "{kind}"
                );
            }
            assert_eq!(left, listed[..left.len()]);
        }
    }
}

#[test]
fn a_probe_is_known_as_soon_as_its_digest_is() {
    let sample = sample("ack with the four states");
    for len in 0..sample.len() {
        let known = matches!(
            Datagram::decode(&sample[..len]).map(|datagram| datagram.message),
            Ok(Message::Ack(ack)) if (ack.seq, ack.digest) == (u32::MAX, 0)
        );
        assert_eq!(known, len >= 19, "{len} bytes");
    }
}

#[test]
fn any_bit_of_a_sample_may_flip() {
    for mut sample in samples() {
        for bit in 0..sample.len() * 8 {
            sample[bit / 8] ^= 1 << (bit % 8);
            for len in 0..=sample.len() {
                read_all(&sample[..len]);
            }
            sample[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn bytes_behind_a_message_of_one_piece_are_ignored() {
    for sample in samples().filter(|sample| [0x42, 0x43, 0x45].contains(&sample[0])) {
        let longer = [&sample[..], &[0xff; 32]].concat();
        let again = super::support::encode(&Datagram::decode(&longer).unwrap(), 2000);
        assert_eq!(again, Ok(sample));
    }
}

#[test]
fn classic_and_compact_datagrams_are_told_apart_by_their_first_byte() {
    for sample in samples() {
        assert!(is_compact(&sample));
        let error = Classic::decode(&sample).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownMessage(sample[0]));
    }
    for vector in vectors() {
        assert!(!is_compact(&vector));
    }
    assert!(!is_compact(&[]));
    for tag in 0..=u8::MAX {
        assert_eq!(is_compact(&[tag]), (FIRST_TAG..=0x7f).contains(&tag));
    }
}

#[test]
fn every_message_tag_but_seven_is_unknown() {
    for tag in (0..=u8::MAX).filter(|tag| !(0x40..=0x46).contains(tag)) {
        let mut datagram = [0; 64];
        datagram[0] = tag;
        let error = Datagram::decode(&datagram).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::UnknownMessage(tag));
        assert_eq!(error.offset(), 0);
    }
}

#[test]
fn an_unknown_update_loses_the_rest_of_its_list_and_nothing_else() {
    for kind in [0].into_iter().chain(8..0x80) {
        let updates = format!("{kind:02x} 00 {ALIVE}");
        breaks(&updates, DecodeErrorKind::UnknownUpdate(kind), 0);
    }
}

#[test]
fn an_update_that_may_be_skipped_is_skipped_by_its_length() {
    for kind in 0x80..=0xff {
        for len in [0, 1, 0xff] {
            let skipped = format!("{kind:02x} {len:02x} {}", "01".repeat(len));
            let datagram = gossip(&format!("{skipped} {ALIVE} {skipped}"));
            assert_eq!(news(&datagram), [Ok(alive())]);
            read_all(&datagram);
        }
    }
    breaks("80", DecodeErrorKind::Truncated, 1);
    breaks("80 02 01", DecodeErrorKind::Truncated, 2);
    breaks("80 01 01 09", DecodeErrorKind::UnknownUpdate(9), 3);
}

#[test]
fn a_varint_has_ten_bytes_and_64_bits_at_most() {
    let incarnation = |varint: &str| {
        let datagram = gossip(&format!("03 078c850c {varint}"));
        match news(&datagram)[..] {
            [Ok(Update::Dead { incarnation, .. })] => Ok(incarnation),
            [Err(error)] => {
                assert_eq!(error.offset(), HEADER_LEN + 5);
                Err(error.kind())
            }
            ref other => panic!("{other:?}"),
        }
    };
    for (varint, value) in [
        ("00", 0),
        ("7f", 127),
        ("8001", 128),
        ("ff7f", (1 << 14) - 1),
        ("ffffffff0f", u64::from(u32::MAX)),
        ("ffffffffffffffff7f", (1 << 63) - 1),
        ("80808080808080808001", 1 << 63),
        ("ffffffffffffffffff01", u64::MAX),
        // Longer than it has to be.
        ("8000", 0),
        ("ff80808000", 127),
        ("85808080808080808000", 5),
    ] {
        assert_eq!(incarnation(varint), Ok(value), "{varint}");
    }
    for varint in [
        "80808080808080808002",
        "ffffffffffffffffff03",
        "ffffffffffffffffff7f",
        "80808080808080808080",
        "8080808080808080808000",
        "8080808080808080808101",
    ] {
        let kind = DecodeErrorKind::InvalidVarint;
        assert_eq!(incarnation(varint), Err(kind), "{varint}");
    }
    for len in 0..10 {
        let kind = DecodeErrorKind::Truncated;
        assert_eq!(incarnation(&"ff".repeat(len)), Err(kind), "{len}");
    }
}

#[test]
fn metadata_is_not_older_than_its_member() {
    let member = |age: &str| format!("05 {ID} 20 7f000001 eb18 05 {age} 00");
    let datagram = gossip(&member("05"));
    match news(&datagram)[..] {
        [Ok(Update::Member(member))] => assert_eq!(member.meta.unwrap().incarnation, 0),
        ref other => panic!("{other:?}"),
    }
    breaks(&member("06"), DecodeErrorKind::InvalidMetaAge, 25);
    let oldest = member("ffffffffffffffffff01");
    breaks(&oldest, DecodeErrorKind::InvalidMetaAge, 25);
}

#[test]
fn who_is_followed_is_part_of_the_metadata() {
    let member = |flags: u8| format!("05 {ID} {flags:02x} 7f000001 eb18 05 {ID} {ID}");
    for flags in [0x40, 0x5f, 0xc0] {
        let kind = DecodeErrorKind::InvalidMemberFlags(flags);
        breaks(&member(flags), kind, 17);
    }
}

#[test]
fn the_last_flag_of_a_member_is_read_as_nothing() {
    let bare = sample("gossip of a bare member");
    let mut flagged = bare.clone();
    flagged[HEADER_LEN + 17] |= 0x80;
    assert_eq!(news(&flagged), news(&bare));
    read_all(&flagged);
}

#[test]
fn slot_ranges_are_counted_and_checked() {
    let member = |slots: &str| format!("05 {ID} 20 7f000001 eb18 05 00 {slots}");
    let too_large = |count| DecodeErrorKind::CountTooLarge(count);
    breaks(&member("01"), too_large(1), 26);
    breaks(&member("02 0000 0100 0000 01"), too_large(2), 26);
    breaks(&member("8008"), too_large(1024), 26);
    let too_many = DecodeErrorKind::TooManySlotRanges;
    breaks(&member("8108"), too_many, 26);
    breaks(&member("ffffffffffffffffff01"), too_many, 26);
    breaks(
        &member(&format!("8108 {}", "0000 0100".repeat(1025))),
        too_many,
        26,
    );
    for (range, start, end) in [("0600 0500", 6, 5), ("0000 0040", 0, 0x4000)] {
        let kind = DecodeErrorKind::InvalidSlotRange { start, end };
        breaks(&member(&format!("02 0000 0100 {range}")), kind, 31);
    }
}

#[test]
fn a_sync_has_256_buckets_at_most_and_all_of_them() {
    let sync = |bits: u8, buckets: usize| {
        let datagram = sample_bytes(&format!(
            "45 HEAD fe {bits:02x} {}",
            "01020304".repeat(buckets)
        ));
        match Datagram::decode(&datagram).map(|datagram| datagram.message) {
            Ok(Message::Sync(sync)) => Ok((sync.is_answer(), sync.buckets().len())),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err((error.kind(), error.offset())),
        }
    };
    for bits in 0..=8 {
        let buckets = 1 << bits;
        assert_eq!(sync(bits, buckets), Ok((false, buckets)));
        let cut = Err((DecodeErrorKind::Truncated, 9));
        assert_eq!(sync(bits, buckets - 1), cut);
    }
    for bits in 9..=u8::MAX {
        let kind = DecodeErrorKind::TooManyBuckets(bits);
        assert_eq!(sync(bits, 1024), Err((kind, 8)));
    }
}

#[test]
fn nothing_longer_than_a_datagram_is_looked_at() {
    let mut long = vec![0; MAX_DATAGRAM_LEN + 1];
    let ping = sample("ping without news");
    long[..ping.len()].copy_from_slice(&ping);
    assert!(Datagram::decode(&long[..MAX_DATAGRAM_LEN]).is_ok());
    let error = Datagram::decode(&long).unwrap_err();
    assert_eq!(error.kind(), DecodeErrorKind::DatagramTooLong);
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(mut datagram in prop::collection::vec(any::<u8>(), 0..300), tag in 0x3fu8..0x47) {
        read_all(&datagram);
        if let Some(first) = datagram.first_mut() {
            *first = tag;
        }
        read_all(&datagram);
    }

    #[test]
    fn any_updates_are_read_without_panic(
        updates in prop::collection::vec((prop_oneof![0u8..9, any::<u8>()], prop::collection::vec(prop_oneof![Just(0u8), Just(0x20), any::<u8>()], 5..60)), 0..20),
    ) {
        let mut datagram = sample("gossip without news");
        for (kind, value) in &updates {
            datagram.push(*kind);
            datagram.extend(value);
        }
        read_all(&datagram);
    }
}
