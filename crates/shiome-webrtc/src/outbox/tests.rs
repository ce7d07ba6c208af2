//! What waits, in which order, and how much.

use shiome_bus::{
    Incarnation, Intent, MessageId, PeerId,
    wire::{decode, max_envelope_len},
};

use super::*;

fn envelope(seq: u64, priority: Priority, len: usize) -> Envelope {
    let peer = |name| PeerId::new(name).unwrap();
    let incarnation = Incarnation::new(1).unwrap();
    let intent = Intent::new("x", "y".repeat(len)).unwrap();
    let id = MessageId { incarnation, seq };
    let mut envelope = Envelope::new(id, peer("a"), peer("b"), intent);
    envelope.priority = priority;
    envelope
}

fn seqs(message: &Message) -> Vec<u64> {
    let frames = decode(message).unwrap();
    let envelopes = frames.iter().filter_map(|frame| match frame {
        Frame::Envelope(envelope) => Some(envelope.id.seq),
        _ => None,
    });
    envelopes.collect()
}

fn filled(lens: &[usize]) -> Outbox {
    let mut outbox = Outbox::new(QUEUE);
    for (seq, len) in (1..).zip(lens) {
        outbox.push(&envelope(seq, Priority::Normal, *len)).unwrap();
    }
    outbox
}

#[test]
fn urgent_goes_first_and_order_is_kept_within_a_lane() {
    let mut outbox = Outbox::new(QUEUE);
    let lanes = [Priority::Bulk, Priority::Normal, Priority::System];
    for (seq, priority) in (1..).zip(lanes.iter().cycle().take(6)) {
        outbox.push(&envelope(seq, *priority, 1)).unwrap();
    }
    let message = outbox.next(Encoding::Binary, Some(4)).unwrap();
    assert_eq!(seqs(&message), [3, 6, 2, 5, 1, 4]);
    assert!(matches!(
        decode(&message).unwrap()[0],
        Frame::Ack { received: 4 }
    ));
    assert!(outbox.next(Encoding::Binary, Some(4)).is_none());
}

#[test]
fn messages_fit_into_a_piece_unless_one_envelope_does_not() {
    let mut outbox = filled(&[6000, 6000, 6000, 50_000, 1]);
    let mut taken = Vec::new();
    while let Some(message) = outbox.next(Encoding::Json, None) {
        let seqs = seqs(&message);
        assert!(seqs.len() == 1 || message.as_bytes().len() <= WHOLE_LEN);
        taken.push(seqs);
    }
    assert_eq!(taken, [vec![1, 2], vec![3], vec![4], vec![5]]);
}

#[test]
fn what_is_acknowledged_makes_room() {
    let mut outbox = Outbox::new(QUEUE);
    let big = envelope(1, Priority::Normal, QUEUE.1);
    outbox.push(&big).unwrap();
    assert_eq!(outbox.push(&envelope(2, Priority::Normal, 1)), Err(Full));
    assert_eq!(outbox.acknowledge(1), Err(NotSent));
    outbox.next(Encoding::Json, None).unwrap();
    assert!(!outbox.has_flushed(1));
    assert_eq!(outbox.acknowledge(1), Ok(true));
    assert_eq!(outbox.acknowledge(1), Ok(false));
    assert!(outbox.has_flushed(1));
    assert_eq!(outbox.bytes, 0);
    outbox.push(&big).unwrap();
}

#[test]
fn what_goes_another_way_goes_in_order() {
    let mut outbox = filled(&[9000, 9000, 9000]);
    outbox.next(Encoding::Json, None).unwrap();
    outbox.next(Encoding::Json, None).unwrap();
    outbox.acknowledge(1).unwrap();
    let first = outbox.divert().unwrap();
    assert_eq!(first.envelope.id.seq, 2);
    outbox.put_back(first);
    let seqs: Vec<_> = std::iter::from_fn(|| outbox.divert())
        .map(|diverted| diverted.envelope.id.seq)
        .collect();
    assert_eq!(seqs, [2, 3]);
    assert_eq!((outbox.bytes, outbox.len()), (0, 0));
    assert!(outbox.has_flushed(3));
    outbox.push(&envelope(4, Priority::Normal, 1)).unwrap();
    outbox.next(Encoding::Json, None).unwrap();
    assert_eq!(outbox.acknowledge(2), Ok(false), "it had arrived after all");
    assert_eq!(
        outbox.len(),
        1,
        "what was sent since is not acknowledged by that"
    );
}

#[test]
fn a_new_session_sends_again_what_was_not_acknowledged() {
    let mut outbox = filled(&[1, 1, 9000, 9000]);
    outbox.next(Encoding::Json, None).unwrap();
    outbox.acknowledge(1).unwrap();
    outbox.restart();
    assert_eq!(seqs(&outbox.next(Encoding::Json, None).unwrap()), [2, 3]);
    assert_eq!(outbox.acknowledge(2), Ok(true));
    let held = max_envelope_len(&envelope(4, Priority::Normal, 9000));
    assert_eq!(outbox.bytes, held);
}

#[test]
fn of_what_may_be_lost_little_waits() {
    let mut outbox = Outbox::new(QUEUE);
    for seq in 0..MAX_LOOSE as u64 {
        outbox
            .push_loose(&envelope(seq, Priority::Normal, 1))
            .unwrap();
    }
    let more = envelope(1, Priority::Normal, 1);
    assert_eq!(outbox.push_loose(&more), Err(Full));
    let first = outbox.next_loose(Encoding::Json).unwrap();
    assert_eq!(seqs(&first), [0]);
    assert_eq!(outbox.len(), 0, "nobody waits for it");
}
