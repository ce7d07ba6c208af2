//! Whatever comes, in whatever order.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};
use shiome_wire::auth::{AuthenticationMessage, NameMessage, authentication_message};

use super::*;
use input::{Input, from_peer, input};
use model::{Model, tight};

mod duel;
mod input;
mod model;

#[test]
fn handshake_messages_and_empty_ones_are_skipped() {
    let mut pair = Pair::serving(&[7]);
    let empty: [NetworkMessage; 5] = [
        NetworkMessage::default(),
        AuthenticationMessage::default().into(),
        authentication_message::Msg::Name(NameMessage::default()).into(),
        node::NodeMessage::default().into(),
        control::ControlMessage::default().into(),
    ];
    for message in empty {
        pair.inject(message).unwrap();
        let skipped = pair.b.event();
        assert!(
            matches!(skipped, Event::Skipped(Skipped::Unexpected)),
            "{skipped:?}"
        );
    }
    // The link is none the worse.
    pair.call(7, None, 1);
    pair.settle();
    pair.b.answer_all(pair.now);
    pair.settle();
    assert_eq!(pair.a.ended(), [(1, None)]);
}

#[test]
fn every_call_ends_once_whichever_message_the_link_is_lost_with() {
    for native in [false, true] {
        for (side, k) in [Side::A, Side::B]
            .into_iter()
            .flat_map(|s| (1..12).map(move |k| (s, k)))
        {
            let mut pair = if native { Pair::native() } else { Pair::new() }.served(&[7, 8]);
            pair.lose_link_at(side, k);
            for handle in 1..=4 {
                let what = numbered(7, handle, 40_000 * handle as usize).what;
                let pid = 7 + u64::from(handle) % 2;
                let ask = node::Call { what, ..call(pid) };
                pair.a.session.call(pair.now, ask, None, handle).unwrap();
            }
            let mut ended = Vec::new();
            while pair.next_timeout() && pair.now < pair.a.session.last_heard() + TERMINATE_HOLD {
                pair.b.answer_all(pair.now);
                ended.extend(pair.a.ended());
            }
            pair.lose_link();
            ended.extend(pair.a.ended());
            ended.sort_unstable_by_key(|(handle, _)| *handle);
            let handles: Vec<_> = ended.iter().map(|(handle, _)| *handle).collect();
            assert_eq!(handles, [1, 2, 3, 4], "{side:?} {k}");
        }
    }
}

/// A conversation that is cut after so many steps; the handles that were called, and how each ended.
fn conversation_cut_after(steps: usize) -> (Vec<Handle>, Vec<(Handle, Option<CallEnd>)>) {
    let mut pair = Pair::serving(&[7, 8]);
    pair.call(7, Some(Duration::from_millis(30)), 1);
    pair.call(7, None, 2);
    pair.call(8, None, 3);
    let far = pair.now + Duration::from_secs(3);
    for step in 0..steps {
        if !pair.step(far) {
            break;
        }
        if step == 3 {
            let now = pair.now;
            pair.b.session.terminate(now, 8);
        }
        // Actor 8 never answers.
        let calls = pair.b.inbound_calls().into_iter();
        for call in calls.filter(|call| call.tag == 2) {
            pair.b
                .session
                .reply(pair.now, call.to, call.tag, call.what)
                .unwrap();
        }
    }
    pair.lose_link();
    (vec![1, 2, 3], pair.a.ended())
}

#[test]
fn every_call_ends_once_wherever_the_link_breaks() {
    let mut ways = BTreeSet::new();
    for steps in 0..40 {
        let (called, mut ended) = conversation_cut_after(steps);
        ended.sort_unstable_by_key(|(handle, _)| *handle);
        let handles: Vec<_> = ended.iter().map(|(handle, _)| *handle).collect();
        assert_eq!(handles, called, "cut after {steps} steps");
        ways.extend(ended.iter().map(|end| format!("{end:?}")));
    }
    // The cuts were early and late enough to matter: closed before it was written, after that, or not, for each.
    assert_eq!(ways.len(), 9, "{ways:?}");
}

proptest! {
    #[test]
    fn whatever_happens_the_books_agree(inputs in vec(input(), 0..120)) {
        let mut model = Model::new();
        for input in inputs {
            model.apply(input);
        }
        model.apply(Input::Close);
        model.apply(Input::Wait(100_000));
    }

    #[test]
    fn one_message_from_the_peer_makes_at_most_one_answer_and_one_event(
        messages in vec(from_peer(), 0..60),
    ) {
        let now = Instant::now();
        let mut session = Session::<Handle>::new(now, tight(), 3);
        session.announce((0..4).map(actor));
        while session.poll_transmit().is_some() {}
        for message in messages {
            // Beyond a limit it may also end calls; there are none.
            let _ = session.handle_message(now, message);
            let answers = std::iter::from_fn(|| session.poll_transmit()).count();
            let events = std::iter::from_fn(|| session.poll_event()).count();
            prop_assert!(answers <= 1 && events <= 1);
        }
    }
}
