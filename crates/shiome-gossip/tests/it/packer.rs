//! Budgets: what goes in, what does not, and that the count on the wire is the truth.

use proptest::prelude::*;
use shiome_gossip::{
    Datagram, EncodeError, Join, ListItem, MAX_DATAGRAM_LEN, MAX_LIST_ITEMS, Member, Message,
    Packer, SUGGESTED_DATAGRAM_LEN, SlotRange, Slots, Update,
};

use crate::support::{addr4, any_member, any_update, node};

const LEFT_ALONE: u8 = 0xee;

proptest! {
    #[test]
    fn a_ping_keeps_to_its_budget_and_counts_what_it_carries(
        updates in prop::collection::vec(any_update(), 0..40),
        budget in 27usize..2000,
    ) {
        let mut buf = vec![LEFT_ALONE; 4000];
        let mut packer = Packer::ping(&mut buf[..budget], 1, node(0)).unwrap();
        let packed = packer.pack(updates.iter().copied());
        prop_assert_eq!(packer.items(), packed.items);
        let (len, room) = (packer.datagram_len(), packer.room());
        prop_assert_eq!(packer.finish(), len);
        prop_assert!(len <= budget && len + room == budget);
        prop_assert!(buf[budget..].iter().all(|byte| *byte == LEFT_ALONE));

        // What is told to be in is in, and nothing else.
        let Message::Ping(ping) = Datagram::decode_strict(&buf[..len]).unwrap().message else {
            panic!("not a ping");
        };
        prop_assert_eq!(ping.updates.announced(), Ok(packed.items));
        let inside: Result<Vec<_>, _> = ping.updates.iter().collect();
        prop_assert_eq!(&inside.unwrap()[..], &updates[..packed.items]);

        // What is told to be out had no room.
        match packed.refused {
            Some((update, error)) => {
                prop_assert_eq!(update, updates[packed.items]);
                prop_assert_eq!(error, EncodeError::NoRoom);
                prop_assert!(update.encoded_len() > room);
            }
            None => prop_assert_eq!(packed.items, updates.len()),
        }
    }

    #[test]
    fn a_welcome_keeps_to_its_budget_and_counts_what_it_carries(
        members in prop::collection::vec(any_member(), 0..40),
        budget in 19usize..2000,
    ) {
        let mut buf = vec![LEFT_ALONE; 4000];
        let mut packer = Packer::welcome(&mut buf[..budget], node(0)).unwrap();
        let packed = packer.pack(members.iter().copied());
        let room = packer.room();
        let len = packer.finish();
        prop_assert!(len + room == budget);
        prop_assert!(buf[budget..].iter().all(|byte| *byte == LEFT_ALONE));

        let Message::Welcome(welcome) = Datagram::decode_strict(&buf[..len]).unwrap().message else {
            panic!("not a welcome");
        };
        let inside: Result<Vec<_>, _> = welcome.members.iter().collect();
        prop_assert_eq!(&inside.unwrap()[..], &members[..packed.items]);
        match packed.refused {
            Some((member, error)) => {
                prop_assert_eq!(member, members[packed.items]);
                prop_assert_eq!(error, EncodeError::NoRoom);
                prop_assert!(member.encoded_len() > room);
            }
            None => prop_assert_eq!(packed.items, members.len()),
        }
    }

    #[test]
    fn an_item_is_as_long_as_it_says(update in any_update(), member in any_member()) {
        let mut buf = vec![0; MAX_DATAGRAM_LEN];
        let mut ping = Packer::ping(&mut buf, 1, node(0)).unwrap();
        ping.push(&update).unwrap();
        prop_assert_eq!(ping.finish(), 27 + update.encoded_len());
        let mut welcome = Packer::welcome(&mut buf, node(0)).unwrap();
        welcome.push(&member).unwrap();
        prop_assert_eq!(welcome.finish(), 19 + member.encoded_len());
    }
}

fn suspect() -> Update<'static> {
    Update::Suspect {
        node: node(1),
        incarnation: 1,
    }
}

fn alive() -> Update<'static> {
    Update::Alive {
        node: node(1),
        addr: addr4(),
        incarnation: 1,
    }
}

fn member() -> Member<'static> {
    Member {
        id: node(1),
        addr: addr4(),
        incarnation: 1,
        is_primary: true,
        slots: Slots::EMPTY,
    }
}

#[test]
fn an_ordinary_datagram_carries_what_is_known_of_it() {
    let mut buf = [0; SUGGESTED_DATAGRAM_LEN];
    let endless = |update| std::iter::repeat(update);
    let mut ping = Packer::ping(&mut buf, 1, node(0)).unwrap();
    assert_eq!(ping.pack(endless(alive())).items, 42);
    let mut ack = Packer::ack(&mut buf, 1, node(0)).unwrap();
    assert_eq!(ack.pack(endless(suspect())).items, 54);
    let mut welcome = Packer::welcome(&mut buf, node(0)).unwrap();
    assert_eq!(welcome.pack(std::iter::repeat(member())).items, 40);
}

#[test]
fn no_list_is_longer_than_readers_take() {
    let mut buf = vec![0; 2 * MAX_DATAGRAM_LEN];
    let mut ping = Packer::ping(&mut buf, 1, node(0)).unwrap();
    let packed = ping.pack(vec![suspect(); 65_537]);
    assert_eq!(packed.items, MAX_LIST_ITEMS);
    assert_eq!(packed.refused, Some((suspect(), EncodeError::ListFull)));
    assert_eq!(ping.push(&suspect()), Err(EncodeError::ListFull));
    let len = ping.finish();
    let Message::Ping(ping) = Datagram::decode_strict(&buf[..len]).unwrap().message else {
        panic!("not a ping");
    };
    assert_eq!(ping.updates.announced(), Ok(MAX_LIST_ITEMS));
}

#[test]
fn longer_lists_of_others_are_read() {
    let left = [&[4][..], &[7; 16]].concat();
    let most = (MAX_DATAGRAM_LEN - 27) / left.len();
    let mut datagram = vec![1; 25];
    datagram.extend((most as u16).to_le_bytes());
    datagram.extend(left.repeat(most));
    let Message::Ping(ping) = Datagram::decode_strict(&datagram).unwrap().message else {
        panic!("not a ping");
    };
    assert_eq!(ping.updates.iter().filter(Result::is_ok).count(), 3851);

    // Handing all of it on takes more than one datagram, and the packer says so.
    let mut buf = vec![0; MAX_DATAGRAM_LEN];
    let mut relayed = Packer::ping(&mut buf, 1, node(0)).unwrap();
    let packed = relayed.relay(&ping.updates);
    assert_eq!(packed.items, MAX_LIST_ITEMS);
    assert!(matches!(packed.refused, Some((_, EncodeError::ListFull))));
}

#[test]
fn a_smaller_item_may_fit_after_one_that_did_not() {
    let mut buf = [0; 27 + 25 + 17];
    let mut ping = Packer::ping(&mut buf, 1, node(0)).unwrap();
    ping.push(&suspect()).unwrap();
    assert_eq!(ping.push(&alive()), Err(EncodeError::NoRoom));
    assert_eq!(ping.items(), 1);
    let left = Update::Left { node: node(2) };
    ping.push(&left).unwrap();
    assert_eq!((ping.room(), ping.finish()), (0, buf.len()));
    let Message::Ping(ping) = Datagram::decode_strict(&buf).unwrap().message else {
        panic!("not a ping");
    };
    assert!(ping.updates.iter().eq([Ok(suspect()), Ok(left)]));
}

#[test]
fn a_message_without_room_is_none() {
    let mut buf = [0; 26];
    for budget in 0..27 {
        let buf = &mut buf[..budget];
        assert_eq!(
            Packer::ping(buf, 1, node(0)).unwrap_err(),
            EncodeError::NoRoom
        );
        assert_eq!(
            Packer::ack(buf, 1, node(0)).unwrap_err(),
            EncodeError::NoRoom
        );
    }
    assert!(Packer::welcome(&mut buf[..18], node(0)).is_err());
    let join = Join {
        sender: node(0),
        sender_addr: addr4(),
    };
    assert_eq!(join.encode(&mut buf[..23]), Err(EncodeError::NoRoom));
    assert_eq!(join.encode(&mut buf[..24]), Ok(24));
}

#[test]
fn a_member_with_more_slot_ranges_than_readers_take_is_refused() {
    let ranges = vec![SlotRange::new(0, 1).unwrap(); MAX_LIST_ITEMS + 1];
    let with = |ranges| Member {
        slots: Slots::from(ranges),
        ..member()
    };
    let mut buf = vec![0; MAX_DATAGRAM_LEN];
    let mut welcome = Packer::welcome(&mut buf, node(0)).unwrap();
    let refused = welcome.push(&with(&ranges[..]));
    assert_eq!(refused, Err(EncodeError::TooManySlotRanges));
    welcome.push(&with(&ranges[1..])).unwrap();
    assert_eq!(welcome.items(), 1);
}
