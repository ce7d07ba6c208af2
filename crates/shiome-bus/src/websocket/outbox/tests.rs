use super::*;
use crate::{Incarnation, Intent, MessageId, PeerId, wire::decode};

/// Bytes of an envelope of one of these tests at most.
const LEN: usize = 300;

fn envelope(number: u64, priority: Priority, payload: usize) -> Envelope {
    let id = MessageId {
        incarnation: Incarnation::new(1).unwrap(),
        seq: number,
    };
    let peer = |text| PeerId::new(text).unwrap();
    let intent = Intent::new("n", "x".repeat(payload)).unwrap();
    let mut envelope = Envelope::new(id, peer("a"), peer("b"), intent);
    envelope.priority = priority;
    envelope
}

fn normal(number: u64) -> Envelope {
    envelope(number, Priority::Normal, 0)
}

fn outbox(envelopes: usize) -> Outbox {
    Outbox::new(QueueLimits::new(envelopes, 1 << 20))
}

fn filled(numbers: impl IntoIterator<Item = u64>) -> Outbox {
    let mut outbox = outbox(10_000);
    for number in numbers {
        outbox.push(&normal(number)).unwrap();
    }
    outbox
}

fn numbers(message: &Message) -> Vec<u64> {
    envelopes(message).map(|envelope| envelope.id.seq).collect()
}

/// Sends the next message.
fn send(outbox: &mut Outbox) -> Vec<u64> {
    outbox
        .next(&mut None)
        .as_ref()
        .map(numbers)
        .unwrap_or_default()
}

/// Sends all messages.
fn sent(outbox: &mut Outbox) -> Vec<u64> {
    let mut all = Vec::new();
    while let Some(message) = outbox.next(&mut None) {
        all.extend(numbers(&message));
    }
    all
}

#[test]
fn what_waits_and_what_is_not_acknowledged_count_together() {
    let mut outbox = outbox(3);
    for number in 1..=3 {
        outbox.push(&normal(number)).unwrap();
    }
    let urgent = envelope(4, Priority::System, 0);
    assert_eq!(outbox.push(&urgent), Err(Full));
    assert_eq!(sent(&mut outbox), [1, 2, 3]);
    assert_eq!(outbox.push(&normal(4)), Err(Full), "only sent");
    assert_eq!(outbox.acknowledge(1), Ok(true));
    outbox.push(&normal(4)).unwrap();
    assert_eq!(outbox.push(&normal(5)), Err(Full));
    assert_eq!(sent(&mut outbox), [4]);
}

#[test]
fn bytes_are_bounded_and_one_envelope_always_finds_room() {
    let mut outbox = Outbox::new(QueueLimits::new(100, 2000));
    outbox.push(&envelope(1, Priority::Normal, 5000)).unwrap();
    assert_eq!(outbox.push(&normal(2)), Err(Full));
    sent(&mut outbox);
    outbox.acknowledge(1).unwrap();
    assert_eq!(outbox.bytes, 0);
    outbox.push(&envelope(2, Priority::Normal, 1000)).unwrap();
    assert_eq!(outbox.push(&envelope(3, Priority::Normal, 1000)), Err(Full));
    outbox.push(&envelope(3, Priority::Normal, 500)).unwrap();
}

#[test]
fn lanes_go_before_each_other_and_keep_their_order() {
    let mut outbox = outbox(100);
    for (number, priority) in [
        (1, Priority::Bulk),
        (2, Priority::Normal),
        (3, Priority::System),
        (4, Priority::Bulk),
        (5, Priority::Normal),
        (6, Priority::System),
    ] {
        outbox.push(&envelope(number, priority, 0)).unwrap();
    }
    assert_eq!(sent(&mut outbox), [3, 6, 2, 5, 1, 4]);
}

#[test]
fn what_waits_is_put_together_and_long_ones_go_alone() {
    let mut outbox = filled(1..=3);
    outbox
        .push(&envelope(4, Priority::Normal, BATCH_LEN))
        .unwrap();
    outbox.push(&normal(5)).unwrap();
    assert_eq!(send(&mut outbox), [1, 2, 3]);
    assert_eq!(send(&mut outbox), [4]);
    assert_eq!(send(&mut outbox), [5]);
    assert!(!outbox.has_next());
}

#[test]
fn an_acknowledgement_rides_along() {
    let mut outbox = filled(1..=3);
    let mut ack = Some(7);
    let message = outbox.next(&mut ack).unwrap();
    assert_eq!(ack, None);
    let frames = decode(&message).unwrap();
    assert_eq!(frames.last(), Some(&Frame::Ack { received: 7 }));
    assert_eq!(frames.len(), 4);
    // The message is the same when it is sent again, and its acknowledgement is an old one then.
    outbox.resume(0, Encoding::Json).unwrap();
    let mut ack = Some(8);
    assert_eq!(outbox.next(&mut ack), Some(message));
    assert_eq!(ack, Some(8));
}

#[test]
fn an_acknowledgement_of_more_than_was_sent_is_an_error() {
    let mut outbox = filled(1..=3);
    assert_eq!(outbox.acknowledge(1), Err(NotSent));
    send(&mut outbox);
    outbox.push(&normal(4)).unwrap();
    assert_eq!(outbox.acknowledge(4), Err(NotSent));
    assert_eq!(outbox.acknowledge(1), Ok(true));
    assert_eq!(outbox.acknowledge(1), Ok(false), "said before");
    assert_eq!(outbox.acknowledge(0), Ok(false), "overtaken");
    assert_eq!(outbox.acknowledge(4), Err(NotSent));
    assert_eq!(outbox.acknowledge(u64::MAX), Err(NotSent));
    assert_eq!(outbox.acknowledge(3), Ok(true));
    assert_eq!((outbox.len(), sent(&mut outbox)), (1, vec![4]));
}

#[test]
fn a_session_that_is_resumed_sends_what_was_not_had() {
    for encoding in [Encoding::Json, Encoding::Binary] {
        let mut outbox = filled(1..=4);
        send(&mut outbox);
        outbox.push(&normal(5)).unwrap();
        outbox.acknowledge(1).unwrap();
        assert_eq!(
            outbox.resume(5, encoding),
            Err(NotSent),
            "the fifth was never sent"
        );
        outbox.resume(3, encoding).unwrap();
        assert_eq!(outbox.len(), 2);
        assert_eq!(sent(&mut outbox), [4, 5]);
        outbox.acknowledge(5).unwrap();
        assert_eq!((outbox.len(), outbox.bytes), (0, 0));
    }
}

#[test]
fn a_link_that_breaks_in_the_replay_loses_nothing() {
    let mut outbox = filled(1..=2000);
    let all = sent(&mut outbox);
    outbox.resume(2, Encoding::Binary).unwrap();
    let first = send(&mut outbox);
    assert_eq!(first[0], 3);
    assert!(first.len() < 1998);
    outbox.resume(2, Encoding::Json).unwrap();
    assert_eq!(sent(&mut outbox), all[2..]);
}

#[test]
fn a_new_session_sends_all_that_was_not_acknowledged() {
    let mut outbox = filled(1..=5);
    send(&mut outbox);
    outbox.push(&normal(6)).unwrap();
    outbox.acknowledge(2).unwrap();
    assert!(outbox.restart(Encoding::Binary, LEN).is_empty());
    assert_eq!(sent(&mut outbox), [3, 4, 5, 6]);
    outbox.acknowledge(4).unwrap();
    assert_eq!((outbox.len(), outbox.bytes), (0, 0));
}

#[test]
fn a_new_session_does_not_take_what_is_longer_than_the_new_end_allows() {
    let mut outbox = outbox(100);
    for (number, payload) in [(1, 10), (2, 1000), (3, 10)] {
        outbox
            .push(&envelope(number, Priority::Normal, payload))
            .unwrap();
    }
    send(&mut outbox);
    outbox.push(&envelope(4, Priority::Normal, 1000)).unwrap();
    let longer = outbox.restart(Encoding::Json, 500);
    assert_eq!(longer.iter().map(|e| e.id.seq).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(sent(&mut outbox), [1, 3]);
    assert_eq!(outbox.len(), 2);
}

#[test]
fn what_is_left_is_told_in_order() {
    let mut outbox = filled(1..=4);
    send(&mut outbox);
    outbox.acknowledge(1).unwrap();
    outbox.push(&normal(5)).unwrap();
    let left: Vec<_> = outbox
        .drain()
        .iter()
        .map(|envelope| envelope.id.seq)
        .collect();
    assert_eq!(left, [2, 3, 4, 5]);
    assert_eq!((outbox.len(), outbox.bytes), (0, 0));
}

#[test]
fn what_was_taken_before_is_flushed_when_all_of_it_is_acknowledged() {
    let mut outbox = outbox(100);
    assert!(outbox.has_flushed(outbox.taken()));
    outbox.push(&envelope(1, Priority::Bulk, 0)).unwrap();
    outbox.push(&normal(2)).unwrap();
    let taken = outbox.taken();
    outbox.push(&envelope(3, Priority::System, 0)).unwrap();
    assert_eq!(sent(&mut outbox), [3, 2, 1]);
    outbox.acknowledge(2).unwrap();
    assert!(
        !outbox.has_flushed(taken),
        "the bulk waits behind the others"
    );
    outbox.push(&normal(4)).unwrap();
    outbox.acknowledge(3).unwrap();
    assert!(outbox.has_flushed(taken));
    assert!(!outbox.has_flushed(outbox.taken()));
}

#[test]
fn memory_of_a_burst_is_given_back() {
    let mut outbox = Outbox::new(QueueLimits::new(10_000, 1 << 30));
    for number in 0..50 {
        outbox
            .push(&envelope(number, Priority::Normal, BATCH_LEN))
            .unwrap();
    }
    sent(&mut outbox);
    outbox.acknowledge(50).unwrap();
    let kept = outbox.numbered.capacity() + outbox.waiting[1].capacity();
    assert!(kept <= 2 * KEPT_CAPACITY, "{kept}");
}
