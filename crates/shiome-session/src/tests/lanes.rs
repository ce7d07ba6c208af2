use super::*;

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*};

const LONG: usize = 3 * FRAGMENT_THRESHOLD;

fn native() -> Pair {
    Pair::native().served(&[1, 2, 3])
}

/// The kinds of what `a` has to send now.
fn kinds_of_a(pair: &mut Pair) -> Vec<&'static str> {
    kinds(&polled(&mut pair.a.session))
}

#[test]
fn control_goes_before_calls_and_calls_before_bulk() {
    for mut pair in [native(), Pair::serving(&[1, 2, 3])] {
        pair.a.session.cast(cast(1)).unwrap();
        pair.call(2, None, 1);
        pair.a.session.cast(cast(1)).unwrap();
        pair.a.session.announce([actor(9)]);
        pair.a.session.probe(pair.now);
        let sent = kinds_of_a(&mut pair);
        assert_eq!(sent, ["spawn", "ping", "call", "cast", "cast"]);
    }
}

#[test]
fn a_small_call_does_not_wait_for_160_mib_of_bulk() {
    let config = Config {
        max_outbox: usize::MAX,
        ..Config::default()
    };
    let mut pair = Pair::native_with(config.clone(), config).served(&[1, 2]);
    pair.capacity = 2 * FRAGMENT_THRESHOLD;
    for number in 0..20 {
        let bulk = numbered(1, number, 8 * 1024 * 1024);
        pair.a.session.cast(bulk).unwrap();
    }
    pair.drive(LATENCY * 3);
    let began = pair.now;
    pair.call(2, None, 1);
    while pair.b.inbound_calls().is_empty() {
        assert!(pair.step(began + Duration::from_secs(1)));
    }
    assert!(pair.now - began <= LATENCY * 2, "{:?}", pair.now - began);
}

#[test]
fn what_goes_to_one_actor_keeps_its_order() {
    for mut pair in [native(), Pair::serving(&[1, 2, 3])] {
        pair.call(1, None, 1);
        pair.a.session.cast(cast(1)).unwrap();
        pair.call(1, None, 2);
        pair.call(2, None, 3);
        let sent = polled(&mut pair.a.session);
        assert_eq!(kinds(&sent), ["call", "call", "cast", "call"]);
        assert_eq!(tags(&sent), [(1, 1), (2, 1), (1, 2)]);
    }
}

#[test]
fn a_call_behind_casts_that_have_left_is_express_again() {
    let mut pair = native();
    pair.a.session.cast(cast(1)).unwrap();
    pair.call(1, None, 1);
    pair.a.session.cast(cast(1)).unwrap();
    pair.a.session.cast(cast(2)).unwrap();
    assert_eq!(kinds_of_a(&mut pair), ["cast", "call", "cast", "cast"]);
}

#[test]
fn a_stop_waits_its_turn_and_a_kill_does_not() {
    let mut pair = native();
    pair.a.session.cast(cast(1)).unwrap();
    pair.a.session.stop(1, None, false).unwrap();
    pair.a.session.stop(1, None, true).unwrap();
    let sent = polled(&mut pair.a.session);
    let kills = sent
        .iter()
        .cloned()
        .filter_map(|message| match message.into_native() {
            Some(native::native_message::Msg::Stop(stop)) => Some(stop.kill),
            _ => None,
        });
    assert_eq!(kills.collect::<Vec<_>>(), [true, false]);
    assert_eq!(kinds(&sent), ["stop", "cast", "stop"]);
}

#[test]
fn actors_take_turns() {
    let mut pair = native();
    for (number, pid) in [1, 1, 1, 2, 2, 3].into_iter().enumerate() {
        let cast = numbered(pid, number as u32, 10);
        pair.a.session.cast(cast).unwrap();
    }
    let order = polled(&mut pair.a.session).into_iter().map(|message| {
        let Some(node_message::Msg::Cast(cast)) = message.into_node() else {
            panic!("not a cast");
        };
        number(&cast.what)
    });
    assert_eq!(order.collect::<Vec<_>>(), [0, 3, 5, 1, 4, 2]);
}

#[test]
fn long_messages_take_turns_with_others() {
    let mut pair = native();
    pair.a.session.cast(numbered(1, 1, LONG)).unwrap();
    for _ in 0..3 {
        pair.a.session.cast(cast(2)).unwrap();
    }
    let sent = kinds_of_a(&mut pair);
    let expected = [
        "fragment", "cast", "fragment", "cast", "fragment", "cast", "fragment",
    ];
    assert_eq!(sent, expected);
}

#[test]
fn the_end_of_an_actor_waits_for_its_replies_however_long_they_are() {
    for native in [false, true] {
        let mut pair = if native { Pair::native() } else { Pair::new() }.served(&[7, 8]);
        let monitors = native.then(|| pair.a.session.monitor(7));
        assert!(monitors.is_none_or(|monitors| monitors.is_ok()));
        pair.call(7, None, 1);
        pair.call(7, None, 2);
        pair.settle();
        pair.a.events();
        let now = pair.now;
        let session = &mut pair.b.session;
        let long = Bytes::from(vec![7; LONG]);
        session.reply(now, 7, 1, long).unwrap();
        session.reply(now, 7, 2, Bytes::new()).unwrap();
        session.exited(7, ExitKind::Failed, Some("broken".to_owned()));
        session.terminate(now, 7);
        // The link takes nothing for long, and then all.
        session.handle_timeout(now + TERMINATE_HOLD * 2);
        session.terminate(now + TERMINATE_HOLD * 2, 8);
        session.announce([actor(7)]);
        session.leave("scope", "group", vec![actor(7)]);
        pair.now += TERMINATE_HOLD * 2;
        pair.drive(REPLY_HEADSTART + LATENCY * 2);
        let told = pair.a.events().into_iter().filter_map(|event| match event {
            Event::Reply { call, .. } => Some(format!("reply {call}")),
            Event::Exited { pid, kind, .. } => Some(format!("{kind:?} {pid}")),
            Event::Terminated(pids) => Some(format!("gone {pids:?}")),
            Event::Skipped(_) => None,
            other => panic!("{other:?}"),
        });
        let mut expected = vec!["gone [8]", "reply 2", "reply 1"];
        expected.extend(native.then_some("Failed 7"));
        expected.push("gone [7]");
        assert_eq!(told.collect::<Vec<_>>(), expected);
    }
}

/// What a user does, and when the link takes something.
#[derive(Debug, Clone)]
enum Act {
    Cast(u64, usize),
    Call(u64, usize),
    Stop(u64),
    /// Answers the oldest call to this actor, as long as that.
    Answer(u64, usize),
    /// Ends an actor of the callee's side.
    End(u64),
    Join(u64),
    Take(usize),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let pid = || 1..4u64;
    let len = || prop_oneof![4 => 0..200usize, 1 => 60_000..70_000usize, 1 => 0..LONG];
    prop_oneof![
        6 => (pid(), len()).prop_map(|(pid, len)| Act::Cast(pid, len)),
        6 => (pid(), len()).prop_map(|(pid, len)| Act::Call(pid, len)),
        2 => pid().prop_map(Act::Stop),
        6 => (pid(), len()).prop_map(|(pid, len)| Act::Answer(pid, len)),
        1 => pid().prop_map(Act::End),
        1 => pid().prop_map(Act::Join),
        4 => (0..400_000usize).prop_map(Act::Take),
        2 => (0..2000u64).prop_map(Act::Wait),
    ]
}

/// Notes, on both ends, what has to come in order.
#[derive(Default)]
struct Orders {
    next: u32,
    sent: HashMap<u64, Vec<u32>>,
    got: HashMap<u64, Vec<u32>>,
    open: HashMap<u64, Vec<u64>>,
    replied: usize,
    answered: usize,
    ended: Vec<u64>,
    gone: Vec<u64>,
}

impl Orders {
    fn number(&mut self, pid: u64) -> u32 {
        self.next += 1;
        self.sent.entry(pid).or_default().push(self.next);
        self.next
    }

    fn hear(&mut self, pair: &mut Pair) {
        for event in pair.b.events() {
            match event {
                Event::Cast(cast) => {
                    let got = self.got.entry(cast.to).or_default();
                    got.push(number(&cast.what));
                }
                Event::Call(call) => {
                    let got = self.got.entry(call.to).or_default();
                    got.push(number(&call.what));
                    self.open.entry(call.to).or_default().push(call.tag);
                }
                Event::StopRequested { pid, reason, .. } => {
                    let reason = reason.expect("its number");
                    self.got
                        .entry(pid)
                        .or_default()
                        .push(reason.parse().unwrap());
                }
                // To an actor that is gone.
                Event::Skipped(Skipped::NotAnnounced { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        for event in pair.a.events() {
            match event {
                Event::Reply { call, .. } => {
                    let pid = u64::from(call);
                    assert!(
                        !self.gone.contains(&pid),
                        "the end of {pid} overtook its reply"
                    );
                    self.answered += 1;
                }
                Event::Terminated(pids) => self.gone.extend(pids),
                Event::CallEnded { why, .. } => {
                    assert!(!matches!(why, CallEnd::Closed { .. }), "{why:?}");
                }
                Event::Joined { actors, .. } => {
                    assert!(
                        !self.gone.contains(&actors[0].pid),
                        "joined when it was gone"
                    );
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn check(&self) {
        for (pid, got) in &self.got {
            // Nothing overtakes, though what comes to an actor that is gone is skipped.
            let mut sent = self.sent[pid].iter();
            assert!(
                got.iter().all(|number| sent.any(|sent| sent == number)),
                "to {pid}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_overtakes_what_it_must_not(acts in vec(act(), 1..80), native: bool) {
        let config = Config {
            max_outbox: usize::MAX,
            window: MIN_WINDOW,
            default_call_timeout: None,
            liveness_timeout: Duration::MAX,
            ..Config::default()
        };
        let mut pair = match native {
            true => Pair::native_with(config.clone(), config),
            false => Pair::with(config.clone(), config),
        }
        .served(&[1, 2, 3]);
        let mut orders = Orders::default();
        for act in acts {
            let now = pair.now;
            match act {
                Act::Cast(pid, len) if !orders.gone.contains(&pid) => {
                    let cast = numbered(pid, orders.number(pid), len);
                    pair.a.session.cast(cast).unwrap();
                }
                Act::Call(pid, len) if !orders.gone.contains(&pid) => {
                    let what = numbered(pid, orders.number(pid), len).what;
                    let call = node::Call { what, ..call(pid) };
                    pair.a.session.call(now, call, None, pid as Handle).unwrap();
                }
                Act::Stop(pid) if native && !orders.gone.contains(&pid) => {
                    let reason = Some(orders.number(pid).to_string());
                    pair.a.session.stop(pid, reason, false).unwrap();
                }
                Act::Answer(pid, len) => {
                    let open = orders.open.entry(pid).or_default();
                    if !open.is_empty() {
                        let what = Bytes::from(vec![0; len]);
                        let tag = open.remove(0);
                        pair.b.session.reply(now, pid, tag, what).unwrap();
                        orders.replied += 1;
                    }
                }
                // Calls that are never answered would end the hold before later replies.
                Act::End(pid) if orders.open.get(&pid).is_none_or(Vec::is_empty) => {
                    pair.b.session.terminate(now, pid);
                    orders.ended.push(pid);
                }
                // Pids are not used again.
                Act::Join(pid) if !orders.ended.contains(&pid) => {
                    pair.b.session.join("scope", "group", vec![actor(pid)]);
                }
                Act::Take(len) => {
                    pair.capacity = len;
                    pair.step(now + LATENCY);
                }
                Act::Wait(ms) => {
                    pair.drive(Duration::from_millis(ms));
                }
                _ => {}
            }
            pair.a.session.check_invariants();
            pair.b.session.check_invariants();
            orders.hear(&mut pair);
        }
        pair.capacity = usize::MAX;
        pair.drive(Duration::from_secs(3));
        orders.hear(&mut pair);
        orders.check();
        // And nothing is stuck.
        prop_assert_eq!(pair.a.session.queued_len() + pair.b.session.queued_len(), 0);
        prop_assert_eq!(orders.answered, orders.replied);
    }
}

#[test]
fn a_full_outbox_keeps_back_no_call_that_can_go_ahead_of_it() {
    let config = Config {
        max_outbox: 1024 * 1024,
        ..Config::default()
    };
    let mut pair = Pair::native_with(config.clone(), config).served(&[1, 2]);
    while pair.a.session.cast(numbered(1, 0, LONG)).is_ok() {}
    assert!(pair.a.session.is_full());
    // To the same actor it would have to wait for what is ahead.
    assert!(!pair.a.session.has_room_for_call(1, 0));
    assert!(!pair.a.session.has_room_for_call(2, LONG));
    assert!(pair.a.session.has_room_for_call(2, 100));
    assert!(pair.a.session.has_room_for_reply(100));
    assert!(!pair.a.session.has_room_for_reply(LONG));
    let mut calls = 0;
    while pair.a.session.has_room_for_call(2, 60 * 1024) {
        let call = node::Call {
            to: 2,
            what: vec![0; 60 * 1024].into(),
            ..node::Call::default()
        };
        pair.a.session.call(pair.now, call, None, calls).unwrap();
        calls += 1;
    }
    // What goes ahead has a limit of its own.
    assert_eq!(
        calls as usize,
        MAX_EXPRESS_BACKLOG.div_ceil(60 * 1024 + MESSAGE_OVERHEAD)
    );
}

#[test]
fn more_actors_than_are_remembered_keep_their_turns_and_their_order() {
    let pids: Vec<u64> = (1..=100).collect();
    let mut pair = Pair::native().served(&pids);
    for round in 0..3 {
        for number in [2 * round, 2 * round + 1] {
            for &pid in &pids {
                pair.a.session.cast(numbered(pid, number, 8)).unwrap();
                pair.a.session.check_invariants();
            }
        }
        pair.settle();
        let got: Vec<_> = pair.b.casts();
        let got: Vec<_> = got
            .iter()
            .map(|cast| (cast.to, number(&cast.what)))
            .collect();
        let turn = |number| pids.iter().map(move |&pid| (pid, number));
        let expected: Vec<_> = turn(2 * round).chain(turn(2 * round + 1)).collect();
        assert_eq!(got, expected);
    }
    pair.b.session.terminate(pair.now, 7);
    pair.settle();
    let unknown = Err(SendError::UnknownActor { pid: 7 });
    assert_eq!(pair.a.session.cast(cast(7)), unknown);
}
