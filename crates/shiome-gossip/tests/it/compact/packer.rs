//! Budgets: what goes in, and that what does not leaves no trace.

use proptest::prelude::*;
use shiome_gossip::{
    EncodeError, MAX_LIST_ITEMS, SUGGESTED_DATAGRAM_LEN, SlotRange, Slots,
    compact::{Handle, Member, Meta, Nack, Packer, PingReq, State, Sync, Update},
};

use super::support::{HEADER, any_update, news};
use crate::support::{addr4, node};

const LEFT_ALONE: u8 = 0xee;

const NODE: Handle = Handle::from_bits(7);

fn dead(incarnation: u64) -> Update<'static> {
    Update::Dead {
        node: NODE,
        incarnation,
    }
}

fn member(meta: Option<Meta<'_>>) -> Update<'_> {
    Update::Member(Member {
        id: node(1),
        addr: addr4(),
        incarnation: 5,
        state: State::Alive,
        is_primary: true,
        compact: true,
        meta,
    })
}

/// How many of the same go into an ordinary Ping.
fn fitting(update: &Update<'_>) -> usize {
    let mut buf = [0; SUGGESTED_DATAGRAM_LEN];
    let mut ping = Packer::ping(&mut buf, &HEADER, 1, 2).unwrap();
    while ping.push(update).is_ok() {}
    assert!(ping.room() < update.encoded_len());
    let (items, len) = (ping.items(), ping.finish());
    assert_eq!(news(&buf[..len]), vec![Ok(*update); items]);
    items
}

#[test]
fn an_ordinary_datagram_carries_more_than_a_hundred_pieces_of_news() {
    assert_eq!(fitting(&dead(127)), 230);
    // Five bytes of incarnation, as of a clock in seconds.
    assert_eq!(fitting(&dead(1_800_000_000)), 138);
    let suspect = |incarnation| Update::Suspect {
        node: NODE,
        incarnation,
        from: NODE,
    };
    assert_eq!(fitting(&suspect(127)), 138);
    assert_eq!(fitting(&member(None)), 55);
}

proptest! {
    #[test]
    fn all_of_an_update_goes_in_or_nothing(
        updates in prop::collection::vec(any_update(), 0..40),
        budget in 19usize..2000,
    ) {
        let mut buf = vec![LEFT_ALONE; 4000];
        let mut packer = Packer::ack(&mut buf[..budget], &HEADER, 1, 2).unwrap();
        let mut inside = Vec::new();
        for update in &updates {
            let (items, room) = (packer.items(), packer.room());
            match packer.push(update) {
                Ok(()) => {
                    inside.push(Ok(*update));
                    prop_assert_eq!(packer.items(), items + 1);
                    prop_assert_eq!(packer.room(), room - update.encoded_len());
                }
                Err(error) => {
                    prop_assert_eq!(error, EncodeError::NoRoom);
                    prop_assert!(update.encoded_len() > room);
                    prop_assert_eq!((packer.items(), packer.room()), (items, room));
                }
            }
        }
        prop_assert_eq!(packer.datagram_len() + packer.room(), budget);
        prop_assert_eq!(packer.items(), inside.len());
        let len = packer.finish();
        prop_assert!(buf[budget..].iter().all(|byte| *byte == LEFT_ALONE));
        prop_assert_eq!(news(&buf[..len]), inside);
    }
}

#[test]
fn a_message_without_room_is_none() {
    let mut buf = [0; 32];
    let no_room = Err(EncodeError::NoRoom);
    for budget in 0..19 {
        let buf = &mut buf[..budget];
        assert_eq!(
            Packer::ping(buf, &HEADER, 1, 2).map(Packer::finish),
            no_room
        );
        assert_eq!(Packer::ack(buf, &HEADER, 1, 2).map(Packer::finish), no_room);
    }
    assert_eq!(
        Packer::gossip(&mut buf[..6], &HEADER).map(Packer::finish),
        no_room
    );
    assert_eq!(
        Packer::gossip(&mut buf[..7], &HEADER).map(Packer::finish),
        Ok(7)
    );
    assert_eq!(
        Packer::records(&mut buf[..6], &HEADER).map(Packer::finish),
        no_room
    );
    assert_eq!(
        Packer::records(&mut buf[..7], &HEADER).map(Packer::finish),
        Ok(7)
    );
    let request = PingReq {
        seq: 1,
        target: NODE,
    };
    assert_eq!(request.encode(&HEADER, &mut buf[..14]), no_room);
    assert_eq!(request.encode(&HEADER, &mut buf[..15]), Ok(15));
    let nack = Nack { seq: 1 };
    assert_eq!(nack.encode(&HEADER, &mut buf[..10]), no_room);
    assert_eq!(nack.encode(&HEADER, &mut buf[..11]), Ok(11));
    let mut sync = |budget| {
        let hashes = [1, 2].into_iter();
        Sync::encode(&HEADER, &mut buf[..budget], false, 1, hashes)
    };
    assert_eq!(sync(16), no_room);
    assert_eq!(sync(17), Ok(17));
}

#[test]
fn a_sync_has_a_hash_for_each_bucket() {
    let mut buf = [0; 4096];
    let mut sync = |bits, hashes| Sync::encode(&HEADER, &mut buf, true, bits, 0..hashes);
    for (bits, hashes) in [(0, 0), (0, 2), (3, 7), (3, 9), (9, 512), (u8::MAX, 1)] {
        assert_eq!(sync(bits, hashes), Err(EncodeError::BucketCount));
    }
    assert_eq!(sync(8, 256), Ok(9 + 4 * 256));
}

#[test]
fn a_member_that_no_reader_takes_is_refused() {
    let ranges = vec![SlotRange::new(0, 1).unwrap(); MAX_LIST_ITEMS + 1];
    let meta = |incarnation, ranges| {
        Some(Meta {
            incarnation,
            replicates: None,
            slots: Slots::from(ranges),
        })
    };
    let mut buf = [0; 8192];
    let mut gossip = Packer::gossip(&mut buf, &HEADER).unwrap();
    let ahead = member(meta(6, &ranges[..1]));
    assert_eq!(gossip.push(&ahead), Err(EncodeError::MetaAheadOfMember));
    let long = member(meta(5, &ranges[..]));
    assert_eq!(gossip.push(&long), Err(EncodeError::TooManySlotRanges));
    assert_eq!((gossip.items(), gossip.datagram_len()), (0, 7));

    let longest = member(meta(5, &ranges[1..]));
    gossip.push(&longest).unwrap();
    let len = gossip.finish();
    assert_eq!(len, 7 + longest.encoded_len());
    assert_eq!(news(&buf[..len]), [Ok(longest)]);
}
