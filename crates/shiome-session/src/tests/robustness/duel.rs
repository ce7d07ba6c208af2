//! Two sessions that do anything, with anything thrown in between.

use proptest::option;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Cast(u64, usize),
    Call(u64, usize),
    Stop(u64, bool),
    Monitor(u64),
    Demonitor(u64),
    Announce(u64),
    Join(u64),
    Terminate(u64),
    Exited(u64),
    Refuse(u64, bool),
    Answer(usize, Option<usize>),
    Probe,
    Goodbye,
    Inject(NetworkMessage),
    Capacity(usize),
    Stuck(bool),
    Wait(u64),
}

fn injected() -> impl Strategy<Value = NetworkMessage> {
    let number = || prop_oneof![4 => 0..8u64, 2 => 0..200_000u64, 1 => any::<u64>()];
    let data = vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    let text = || option::of("[a-z]{0,8}");
    let pid = || 0..6u64;
    let word = || -1..9i32;
    prop_oneof![
        4 => from_peer(),
        4 => (number(), number(), number(), data).prop_map(|(id, offset, total, data)| {
            native::Fragment { id, offset, total, data }.into()
        }),
        1 => number().prop_map(|bytes| native::Credit { bytes }.into()),
        2 => (pid(), number(), word())
            .prop_map(|(to, tag, code)| native::CallError { to, tag, code }.into()),
        1 => (pid(), text(), any::<bool>())
            .prop_map(|(pid, reason, kill)| native::Stop { pid, reason, kill }.into()),
        1 => pid().prop_map(|pid| native::Monitor { pid }.into()),
        1 => pid().prop_map(|pid| native::Demonitor { pid }.into()),
        1 => (pid(), word()).prop_map(|(pid, verb)| native::Refused { pid, verb }.into()),
        1 => (pid(), word(), text())
            .prop_map(|(pid, kind, reason)| native::Exit { pid, kind, reason }.into()),
        1 => Just(native::Proof::default().into()),
        1 => word().prop_map(|reason| native::Goodbye { reason, ..Default::default() }.into()),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    let pid = || 0..5u64;
    let len = || prop_oneof![4 => 0..100usize, 1 => 60_000..300_000usize];
    prop_oneof![
        6 => (pid(), len()).prop_map(|(pid, len)| Act::Cast(pid, len)),
        6 => (pid(), len()).prop_map(|(pid, len)| Act::Call(pid, len)),
        1 => (pid(), any::<bool>()).prop_map(|(pid, kill)| Act::Stop(pid, kill)),
        3 => pid().prop_map(Act::Monitor),
        1 => pid().prop_map(Act::Demonitor),
        4 => pid().prop_map(Act::Announce),
        1 => pid().prop_map(Act::Join),
        2 => pid().prop_map(Act::Terminate),
        2 => pid().prop_map(Act::Exited),
        1 => (pid(), any::<bool>()).prop_map(|(pid, stop)| Act::Refuse(pid, stop)),
        6 => (any::<usize>(), option::of(len())).prop_map(|(n, len)| Act::Answer(n, len)),
        1 => Just(Act::Probe),
        1 => Just(Act::Goodbye),
        2 => injected().prop_map(Act::Inject),
        1 => (0..200_000usize).prop_map(Act::Capacity),
        1 => any::<bool>().prop_map(Act::Stuck),
        6 => (0..1500u64).prop_map(Act::Wait),
    ]
}

/// What an owner has begun and not seen end.
#[derive(Debug, Default)]
struct Owner {
    called: u32,
    open: BTreeSet<Handle>,
    monitors: BTreeSet<u64>,
    waiting: Vec<(u64, u64)>,
    unsent: usize,
}

impl Owner {
    fn hear(&mut self, end: &mut End) {
        for event in end.events() {
            match event {
                Event::Reply { call, .. } | Event::CallEnded { call, .. } => {
                    assert!(self.open.remove(&call), "call {call} ended twice");
                }
                Event::Call(call) => self.waiting.push((call.to, call.tag)),
                Event::Exited { pid, .. } => {
                    assert!(self.monitors.remove(&pid), "{pid} ended, and nobody asked");
                }
                Event::Refused {
                    pid,
                    verb: Verb::Monitor,
                } => {
                    assert!(
                        self.monitors.remove(&pid),
                        "{pid} refused, and nobody asked"
                    );
                }
                Event::Terminated(pids) => {
                    assert!(pids.iter().all(|pid| !self.monitors.contains(pid)));
                }
                Event::Unsent { .. } => self.unsent += 1,
                _ => {}
            }
        }
    }

    fn act(&mut self, end: &mut End, now: Instant, act: Act) {
        let session = &mut end.session;
        match act {
            Act::Cast(pid, len) => {
                let cast = numbered(pid, 0, len);
                let _ = match len % 2 {
                    0 => session.cast(cast),
                    _ => session.cast_in_turn(cast),
                };
            }
            Act::Call(pid, len) => {
                self.called += 1;
                let what = numbered(pid, 0, len).what;
                let ask = node::Call { what, ..call(pid) };
                if session.call(now, ask, None, self.called).is_ok() {
                    self.open.insert(self.called);
                }
            }
            Act::Stop(pid, kill) => {
                let _ = session.stop(pid, None, kill);
            }
            // Who has not heard what was said before cannot tell which of two monitors has ended.
            Act::Monitor(_) | Act::Demonitor(_) if session.has_events() => {}
            Act::Monitor(pid) => self
                .monitors
                .extend(session.monitor(pid).is_ok().then_some(pid)),
            Act::Demonitor(pid) => {
                let undone = session.demonitor(pid);
                self.monitors.retain(|of| undone.is_err() || *of != pid);
            }
            Act::Announce(pid) => session.announce([actor(pid)]),
            Act::Join(pid) => session.join("scope", "one", vec![actor(pid)]),
            Act::Terminate(pid) => session.terminate(now, pid),
            Act::Exited(pid) => session.exited(pid, ExitKind::Stopped, None),
            Act::Refuse(pid, stop) => {
                session.refuse(pid, if stop { Verb::Stop } else { Verb::Monitor });
            }
            Act::Answer(n, len) if !self.waiting.is_empty() => {
                let (pid, tag) = self.waiting.swap_remove(n % self.waiting.len());
                match len {
                    Some(len) => {
                        let _ = session.reply(now, pid, tag, vec![0; len].into());
                    }
                    None => session.drop_call(now, pid, tag, CallErrorCode::NoReply),
                }
            }
            Act::Probe => session.probe(now),
            Act::Goodbye => session.goodbye(GoodbyeReason::Closed, ""),
            Act::Inject(message) => {
                let _ = session.handle_message(now, message);
            }
            Act::Stuck(stuck) => end.stuck = stuck,
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn two_sessions_keep_their_books_whatever_happens(
        acts in vec((any::<bool>(), act()), 1..100),
        capabilities in option::of(prop_oneof![2 => Just(63u64), 1 => 0..64u64]),
    ) {
        let config = Config {
            max_message_len: 200_000,
            max_reassembly_len: 400_000,
            max_monitors: 3,
            max_outbox: 300_000,
            window: MIN_WINDOW,
            ..tight()
        };
        let mut pair = match capabilities {
            Some(bits) => Pair::capable_of(Capabilities::from_bits(bits), config.clone(), config),
            None => Pair::with(config.clone(), config),
        };
        let mut owners = [Owner::default(), Owner::default()];
        for (on_a, act) in acts {
            let now = pair.now;
            match act {
                Act::Capacity(capacity) => pair.capacity = capacity,
                Act::Wait(ms) => pair.drive(Duration::from_millis(ms)),
                act => {
                    let side = if on_a { Side::A } else { Side::B };
                    let end = pair.end(side);
                    owners[usize::from(on_a)].act(end, now, act);
                    end.session.check_invariants();
                }
            }
            owners[1].hear(&mut pair.a);
            owners[0].hear(&mut pair.b);
        }
        (pair.a.stuck, pair.b.stuck) = (false, false);
        pair.lose_link();
        owners[1].hear(&mut pair.a);
        owners[0].hear(&mut pair.b);
        for owner in &owners {
            prop_assert!(owner.open.is_empty(), "{:?} never ended", owner.open);
            prop_assert!(owner.unsent <= 1);
        }
    }
}
