use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};
use shiome_bus::{Intent, MessageId, wire::decode};

use super::*;

fn peer(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

fn life(number: u64) -> Incarnation {
    Incarnation::new(number).unwrap()
}

fn envelope(from: &str, life_of: u64, seq: u64, priority: Priority, len: usize) -> Envelope {
    let id = MessageId {
        incarnation: life(life_of),
        seq,
    };
    let intent = Intent::new("x", "x".repeat(len)).unwrap();
    let mut envelope = Envelope::new(id, peer(from), peer("there"), intent);
    envelope.priority = priority;
    envelope
}

/// All that there is to say.
fn said(outbox: &mut Outbox) -> Vec<Vec<Frame>> {
    let messages = std::iter::from_fn(|| outbox.next());
    let messages = messages.map(|(bytes, envelopes)| {
        let frames = decode(&Message::Binary(bytes)).unwrap();
        let is_envelope = |frame: &&Frame| matches!(frame, Frame::Envelope(_));
        assert_eq!(frames.iter().filter(is_envelope).count(), envelopes);
        frames
    });
    messages.collect()
}

fn sequence(frames: Vec<Vec<Frame>>) -> Vec<u64> {
    let envelopes = frames
        .into_iter()
        .flatten()
        .filter_map(|frame| match frame {
            Frame::Envelope(envelope) => Some(envelope.id.seq),
            _ => None,
        });
    envelopes.collect()
}

#[test]
fn urgent_envelopes_go_first_and_each_lane_keeps_its_order() {
    let mut outbox = Outbox::default();
    for (seq, priority) in [
        (1, Priority::Bulk),
        (2, Priority::Normal),
        (3, Priority::System),
        (4, Priority::Bulk),
        (5, Priority::Normal),
    ] {
        outbox.push(&envelope("a", 1, seq, priority, 1)).unwrap();
    }
    assert_eq!(sequence(said(&mut outbox)), [3, 2, 5, 1, 4]);
    assert_eq!((outbox.len(), outbox.bytes), (0, 0));
}

#[test]
fn what_waits_has_limits_by_number_and_bytes_and_one_always_finds_room() {
    let mut outbox = Outbox::default();
    for seq in 0..LANE_CAPACITY as u64 {
        let small = envelope("a", 1, seq, Priority::Normal, 1);
        outbox.push(&small).unwrap();
    }
    let more = envelope("a", 1, 0, Priority::Normal, 1);
    assert_eq!(outbox.push(&more), Err(Full));
    // The others have room of their own.
    let urgent = envelope("a", 1, 0, Priority::System, 1);
    outbox.push(&urgent).unwrap();

    let mut outbox = Outbox::default();
    let long = |priority| envelope("a", 1, 1, priority, 900 * 1024);
    let mut count = 0;
    while outbox.push(&long(Priority::Normal)).is_ok() {
        count += 1;
    }
    assert_eq!(count, 4);
    outbox.push(&long(Priority::System)).unwrap();
    assert_eq!(outbox.push(&long(Priority::System)), Err(Full));
    // Each goes alone, and makes room.
    let messages = said(&mut outbox);
    assert!(messages.iter().all(|frames| frames.len() == 1));
    assert_eq!(messages.len(), 5);
    outbox.push(&long(Priority::Normal)).unwrap();
}

#[test]
fn short_envelopes_go_together_and_no_message_is_much_longer_than_it_should() {
    let mut outbox = Outbox::default();
    for seq in 0..1000 {
        let some = envelope("a", 1, seq, Priority::Normal, 200);
        outbox.push(&some).unwrap();
    }
    let mut messages = 0;
    while let Some((bytes, _)) = outbox.next() {
        assert!(bytes.len() <= BATCH_LEN, "{}", bytes.len());
        messages += 1;
    }
    assert!(messages < 30, "{messages}");
}

#[test]
fn a_new_session_is_told_all_and_then_what_changes() {
    let mut outbox = Outbox::default();
    outbox.local_peer(&peer("a"), life(1), true);
    outbox.local_peer(&peer("b"), life(2), true);
    outbox.renew();
    let all = |present: &[(&str, u64)]| {
        let mut all = Presence::default();
        all.all = true;
        all.present = present
            .iter()
            .map(|(id, of)| (peer(id), life(*of)))
            .collect();
        vec![vec![Frame::Presence(all)]]
    };
    assert_eq!(said(&mut outbox), all(&[("a", 1), ("b", 2)]));
    // Told twice is told once, and old news are none.
    outbox.local_peer(&peer("a"), life(1), true);
    outbox.local_peer(&peer("b"), life(1), false);
    assert!(said(&mut outbox).is_empty());
    outbox.local_peer(&peer("a"), life(1), false);
    outbox.local_peer(&peer("c"), life(3), true);
    outbox.local_peer(&peer("d"), life(4), true);
    outbox.local_peer(&peer("d"), life(4), false);
    let mut change = Presence::default();
    change.present.push((peer("c"), life(3)));
    change.absent.push(peer("a"));
    assert_eq!(said(&mut outbox), [[Frame::Presence(change)]]);
    let lost = outbox.renew();
    assert_eq!(lost, 0);
    assert_eq!(said(&mut outbox), all(&[("b", 2), ("c", 3)]));
}

#[test]
fn nobody_is_there_is_told_too() {
    let mut outbox = Outbox::default();
    outbox.renew();
    let frames = said(&mut outbox);
    assert!(matches!(&frames[0][0], Frame::Presence(p) if p.all && p.present.is_empty()));
}

#[test]
fn all_of_many_are_told_in_messages_that_everybody_takes() {
    let mut outbox = Outbox::default();
    outbox.renew();
    let name = |number: usize| format!("{number:0>128}");
    for number in 0..2000 {
        outbox.local_peer(&peer(&name(number)), life(u64::MAX >> 11), true);
    }
    let mut urgent = envelope("a", 1, 1, Priority::System, 1);
    urgent.from = peer(&name(0));
    outbox.push(&urgent).unwrap();
    let (mut told, mut last) = (0, 0);
    while let Some((bytes, envelopes)) = outbox.next() {
        assert!((bytes.len() as u64) < crate::options::MIN_MAX_MESSAGE_LEN);
        // Nothing is said before it is known who may say it.
        assert!(last == 0);
        last = envelopes;
        for frame in decode(&Message::Binary(bytes)).unwrap() {
            if let Frame::Presence(presence) = frame {
                told += presence.present.len();
            }
        }
    }
    assert_eq!((told, last), (2000, 1));
}

#[test]
fn a_ping_follows_what_was_there_before() {
    let mut outbox = Outbox::default();
    let some = |priority| envelope("a", 1, 1, priority, 30_000);
    outbox.push(&some(Priority::Bulk)).unwrap();
    outbox.ping(7);
    outbox.push(&some(Priority::Normal)).unwrap();
    let kinds: Vec<_> = said(&mut outbox)
        .into_iter()
        .flatten()
        .map(|frame| match frame {
            Frame::Envelope(envelope) => envelope.priority as u64,
            Frame::Ping { nonce } => nonce,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(kinds, [1, 2, 7]);
}

#[test]
fn who_asks_and_does_not_read_is_answered_so_often() {
    let mut outbox = Outbox::default();
    for nonce in 0..MAX_ANSWERS as u64 {
        assert!(outbox.answer(Frame::Pong { nonce }));
    }
    assert!(!outbox.answer(Frame::Pong { nonce: 0 }));
    assert_eq!(said(&mut outbox).into_iter().flatten().count(), MAX_ANSWERS);
    assert!(outbox.answer(Frame::Pong { nonce: 0 }));
}

#[derive(Debug, Clone)]
enum Step {
    Come(usize),
    Go(usize),
    Say(usize, Priority, usize),
    Message,
    Renew,
}

fn step() -> impl Strategy<Value = Step> {
    let who = || 0..4usize;
    let priority = prop_oneof![
        Just(Priority::System),
        Just(Priority::Normal),
        Just(Priority::Bulk)
    ];
    prop_oneof![
        3 => who().prop_map(Step::Come),
        3 => who().prop_map(Step::Go),
        10 => (who(), priority, 1..20_000usize).prop_map(|(who, priority, len)| Step::Say(who, priority, len)),
        5 => Just(Step::Message),
        1 => Just(Step::Renew),
    ]
}

/// What the other node knows, and that nobody says anything there whom it does not.
fn hear(known: &mut BTreeMap<PeerId, Incarnation>, bytes: Bytes) {
    for frame in decode(&Message::Binary(bytes)).unwrap() {
        match frame {
            Frame::Presence(presence) => {
                if presence.all {
                    known.clear();
                }
                for gone in presence.absent {
                    assert!(known.remove(&gone).is_some(), "{gone} was not told of");
                }
                known.extend(presence.present);
            }
            Frame::Envelope(envelope) => {
                let told = known.get(&envelope.from);
                assert!(told.is_some_and(|told| *told >= envelope.id.incarnation));
            }
            _ => {}
        }
    }
}

proptest! {
    #[test]
    fn a_peer_is_told_before_the_first_that_it_says_and_its_end_after_the_last(
        steps in vec(step(), 0..200),
    ) {
        let mut outbox = Outbox::default();
        outbox.renew();
        let (mut here, mut lives) = ([None; 4], 0);
        let mut known = BTreeMap::new();
        let name = |who: usize| format!("p{who}");
        for step in steps {
            match step {
                Step::Come(who) if here[who].is_none() => {
                    lives += 1;
                    here[who] = Some(lives);
                    outbox.local_peer(&peer(&name(who)), life(lives), true);
                }
                Step::Go(who) => if let Some(of) = here[who].take() {
                    outbox.local_peer(&peer(&name(who)), life(of), false);
                },
                Step::Say(who, priority, len) => if let Some(of) = here[who] {
                    let _ = outbox.push(&envelope(&name(who), of, 1, priority, len));
                },
                Step::Message => if let Some((bytes, _)) = outbox.next() {
                    hear(&mut known, bytes);
                },
                Step::Renew => {
                    outbox.renew();
                }
                Step::Come(_) => {}
            }
        }
        while let Some((bytes, _)) = outbox.next() {
            hear(&mut known, bytes);
        }
        let here: BTreeMap<_, _> = here
            .iter()
            .enumerate()
            .filter_map(|(who, of)| Some((peer(&name(who)), life((*of)?))))
            .collect();
        prop_assert_eq!(known, here);
        prop_assert!(outbox.gone.is_empty() && outbox.news.is_empty());
    }
}
