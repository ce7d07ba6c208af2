//! Casts that leave together, and those that are taken in without a queue between.

use super::*;

use proptest::{collection::vec, prelude::*};
use shiome_wire::Frames;

use crate::Lane;

/// What leaves at once: the actors and numbers of casts.
fn run(session: &mut Session<Handle>) -> Option<Vec<(u64, u32)>> {
    let mut frames = Frames::new();
    session.poll_frame(&mut frames).then(|| {
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        let len = bytes::Buf::remaining(&frames);
        decoder.extend(&bytes::Buf::copy_to_bytes(&mut frames, len));
        let messages = std::iter::from_fn(|| decoder.next_frame().unwrap());
        let casts = messages.map(|frame| {
            let Some(node_message::Msg::Cast(cast)) = frame.decode().unwrap().into_node() else {
                panic!("not a cast");
            };
            (cast.to, number(&cast.what))
        });
        casts.collect()
    })
}

#[test]
fn short_casts_to_one_actor_leave_together_in_turn_with_others() {
    let mut pair = Pair::native().served(&[1, 2]);
    let session = &mut pair.a.session;
    for number in 0..10 {
        session.cast(numbered(1, number, 5000)).unwrap();
    }
    session.cast(numbered(2, 0, 5000)).unwrap();
    session.cast(numbered(2, 1, 20_000)).unwrap();
    let casts = |to, numbers: std::ops::Range<u32>| numbers.map(move |n| (to, n)).collect();
    assert_eq!(
        run(session),
        Some(casts(1, 0..3)),
        "16 KiB are not exceeded"
    );
    assert_eq!(run(session), Some(casts(2, 0..1)), "nor by a longer one");
    assert_eq!(session.figures().lanes[Lane::Bulk as usize].sent, 4);
    assert_eq!(run(session), Some(casts(1, 3..6)));
    assert_eq!(run(session), Some(casts(2, 1..2)));
    session.probe(pair.now);
    assert_eq!(session.poll_transmit().unwrap().kind(), "ping");
    assert_eq!(run(session), Some(casts(1, 6..9)));
    assert_eq!(run(session), Some(casts(1, 9..10)));
    assert_eq!(run(session), None);
    session.check_invariants();
}

#[test]
fn a_call_behind_casts_does_not_leave_with_them() {
    let mut pair = Pair::native().served(&[1]);
    pair.a.session.cast(cast(1)).unwrap();
    pair.call(1, None, 1);
    pair.a.session.cast(cast(1)).unwrap();
    let sent = polled(&mut pair.a.session);
    assert_eq!(kinds(&sent), ["cast", "call", "cast"]);
}

proptest! {
    #[test]
    fn runs_keep_the_order_and_the_window_and_every_cast_counts_once(
        window in MIN_WINDOW..2 * MIN_WINDOW,
        casts in vec((1u64..4, 0usize..3000, any::<bool>()), 1..200),
    ) {
        let mut session = Session::<Handle>::new(Instant::now(), Config::default(), 1);
        session.negotiated(Terms {
            version: 1,
            capabilities: Capabilities::ALL,
            incarnation: 1,
            max_frame_len: MAX_FRAME_LEN,
            max_message_len: MAX_FRAME_LEN,
            max_reassembly_len: MAX_FRAME_LEN,
            window,
        });
        let actors = vec![actor(1), actor(2), actor(3)];
        session.handle_message(Instant::now(), control::Spawn { actors }.into()).unwrap();
        let (mut taken, mut credit) = (Vec::new(), 0);
        let mut costs = std::collections::HashMap::new();
        for (number, (to, len, polls)) in casts.iter().enumerate() {
            let cast = numbered(*to, number as u32, *len);
            costs.insert(number as u32, crate::lanes::cost_of_cast(&cast));
            if session.is_high(Length::of(&cast)) || len % 2 == 0 {
                session.cast(cast).unwrap();
            } else {
                session.cast_in_turn(cast).unwrap();
            }
            if *polls && let Some(run) = run(&mut session) {
                credit += run.iter().map(|(_, number)| costs[number]).sum::<u64>();
                taken.extend(run);
            }
            session.check_invariants();
        }
        while let Some(run) = run(&mut session) {
            credit += run.iter().map(|(_, number)| costs[number]).sum::<u64>();
            taken.extend(run);
            session.check_invariants();
        }
        prop_assert!(credit <= window);
        for to in 1..4 {
            let sent = taken.iter().filter(|(at, _)| *at == to).map(|(_, number)| *number);
            let all = casts.iter().enumerate().filter(|(_, cast)| cast.0 == to);
            prop_assert!(all.map(|(number, _)| number as u32).zip(sent).all(|(a, b)| a == b));
        }
        session.close();
        let told = std::iter::from_fn(|| session.poll_event());
        let unsent: usize = told.map(|event| match event {
            Event::Unsent { casts, .. } => casts,
            _ => 0,
        }).sum();
        prop_assert_eq!(taken.len() + unsent, casts.len());
    }
}

/// A session of a native peer that may send to the actor 1, within the least window.
fn receiver() -> (Session<Handle>, Instant) {
    let config = Config {
        window: MIN_WINDOW,
        ..Config::default()
    };
    let mut pair = Pair::native_with(config.clone(), config);
    pair.b.session.announce([actor(1)]);
    let _ = polled(&mut pair.b.session);
    while pair.b.session.poll_event().is_some() {}
    (pair.b.session, pair.now)
}

#[test]
fn a_cast_that_nothing_waits_before_is_given_back_at_once() {
    let (mut session, now) = receiver();
    let first = numbered(1, 1, 100);
    let event = session.take_in(now, first.clone().into(), |_| true);
    assert!(matches!(event, Ok(Some(Event::Cast(cast))) if cast == first));
    assert!(!session.has_events());
    // Not what the owner does not take now, and not what comes behind it.
    for number in 2..4 {
        let cast = numbered(1, number, 100);
        let takes_now = |_: &Event<Handle>| number != 2;
        let taken = session.take_in(now, cast.into(), takes_now);
        assert!(matches!(taken, Ok(None)));
    }
    let told = std::iter::from_fn(|| session.poll_event());
    let numbers = told.map(|event| match event {
        Event::Cast(cast) => number(&cast.what),
        other => panic!("{other:?}"),
    });
    assert!(numbers.eq([2, 3]));
    session.check_invariants();
    assert_eq!(session.figures().lanes[Lane::Bulk as usize].received, 3);
}

#[test]
fn taking_casts_at_once_gives_credit_and_keeps_the_rules() {
    let (mut session, now) = receiver();
    for number in 0..1000 {
        let cast = numbered(1, number, 1000);
        let taken = session.take_in(now, cast.into(), |_| true).unwrap();
        assert!(taken.is_some(), "{number}");
    }
    session.check_invariants();
    assert!(kinds(&polled(&mut session)).contains(&"credit"));

    let unknown = session.take_in(now, cast(99).into(), |_| true);
    assert!(matches!(unknown, Ok(None)));
    let skipped = session.poll_event();
    assert!(matches!(
        skipped,
        Some(Event::Skipped(Skipped::NotAnnounced { pid: 99 }))
    ));

    session.hold_credit(true);
    let error = loop {
        let cast = numbered(1, 0, 1000);
        match session.take_in(now, cast.into(), |_| true) {
            Ok(taken) => assert!(taken.is_some()),
            Err(error) => break error,
        }
    };
    let window = MIN_WINDOW;
    assert_eq!(error, SessionError::CreditExceeded { window });
    assert!(session.is_closed());
    let late = session.take_in(now, cast(1).into(), |_| true);
    assert!(matches!(late, Ok(None)));
}
