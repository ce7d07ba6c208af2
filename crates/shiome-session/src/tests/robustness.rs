//! Whatever comes, in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection::vec, option, prelude::*};
use prost_types::Timestamp;
use shiome_wire::auth::{AuthenticationMessage, NameMessage, authentication_message};

use super::*;

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
    pair.b.answer_all();
    pair.settle();
    assert_eq!(pair.a.ended(), [(1, None)]);
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
            pair.b.session.reply(call.to, call.tag, call.what).unwrap();
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
    // The cuts were early and late enough to matter: closed or not, for each.
    assert_eq!(ways.len(), 6, "{ways:?}");
}

/// What happens to a session, from both sides.
#[derive(Debug, Clone)]
enum Input {
    Peer(NetworkMessage),
    Announce(u64),
    Terminate(u64),
    Join(u64, usize),
    Leave(u64, usize),
    Cast(u64),
    Call(u64, Option<u64>),
    /// Answers the n-th inbound call that waits, or drops it.
    Answer(usize, bool),
    Synced,
    Wait(u64),
    Close,
}

const GROUPS: [&str; 3] = ["one", "two", "three"];

/// Few values, so that they meet, and some odd ones.
fn pid() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..6u64, 1 => Just(u64::MAX)]
}

fn some_actor() -> impl Strategy<Value = Actor> {
    (pid(), option::of("[a-c]{0,2}")).prop_map(|(pid, name)| Actor { pid, name })
}

fn timestamp() -> impl Strategy<Value = Option<Timestamp>> {
    let any = (any::<i64>(), any::<i32>());
    option::of(any.prop_map(|(seconds, nanos)| Timestamp { seconds, nanos }))
}

fn from_peer() -> impl Strategy<Value = NetworkMessage> {
    let group = || (0..GROUPS.len()).prop_map(|i| GROUPS[i]);
    let actors = || vec(some_actor(), 0..4);
    let timeout = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    prop_oneof![
        8 => actors().prop_map(|actors| spawn(actors).into()),
        4 => vec(pid(), 0..4).prop_map(|ids| terminate(ids).into()),
        4 => (group(), actors()).prop_map(|(group, actors)| pg_join(group, actors).into()),
        4 => (group(), actors()).prop_map(|(group, actors)| pg_leave(group, actors).into()),
        4 => pid().prop_map(|pid| cast(pid).into()),
        8 => (pid(), 0..4u64, timeout)
            .prop_map(|(pid, tag, timeout_ms)| node::Call { tag, timeout_ms, ..call(pid) }.into()),
        8 => (pid(), 0..6u64).prop_map(|(pid, tag)| reply(pid, tag).into()),
        1 => timestamp().prop_map(|timestamp| control::Ping { timestamp }.into()),
        1 => timestamp().prop_map(|timestamp| control::Pong { timestamp }.into()),
        1 => Just(control::Ready {}.into()),
        1 => Just(control_message::Msg::EnumerateNodeSessions(NameMessage::default()).into()),
        1 => Just(control::NodeSessions::default().into()),
        1 => Just(NetworkMessage::default()),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let group = || 0..GROUPS.len();
    let timeout = option::of(prop_oneof![0..3000u64, Just(u64::MAX)]);
    prop_oneof![
        30 => from_peer().prop_map(Input::Peer),
        6 => pid().prop_map(Input::Announce),
        4 => pid().prop_map(Input::Terminate),
        2 => (pid(), group()).prop_map(|(pid, group)| Input::Join(pid, group)),
        2 => (pid(), group()).prop_map(|(pid, group)| Input::Leave(pid, group)),
        2 => pid().prop_map(Input::Cast),
        10 => (pid(), timeout).prop_map(|(pid, timeout)| Input::Call(pid, timeout)),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(n, drop)| Input::Answer(n, drop)),
        1 => Just(Input::Synced),
        8 => (0..1500u64).prop_map(Input::Wait),
    ]
}

/// Small limits, so that they are met.
fn tight() -> Config {
    Config {
        max_announced_actors: 5,
        max_grouped_actors: 4,
        max_memberships: 8,
        max_directory_bytes: 80,
        max_open_calls: 4,
        default_call_timeout: None,
        ..Config::default()
    }
}

/// A session beside a model of what its peer and its owner know.
struct Model {
    session: Session<Handle>,
    now: Instant,
    closed: bool,
    ready: usize,
    /// Handles of accepted calls, with how often each came back.
    called: BTreeMap<Handle, usize>,
    /// Local actors that the peer was told of and not told gone.
    told: BTreeSet<u64>,
    /// Local actors that are gone, with the end of their hold.
    gone: BTreeMap<u64, Instant>,
    /// Inbound calls that wait.
    waiting: Vec<(u64, u64)>,
    /// Actors of the peer that the owner was told of and not told gone.
    known: BTreeSet<u64>,
    /// Memberships of the peer's actors that the owner was told of.
    members: BTreeSet<(String, u64)>,
}

impl Model {
    fn new() -> Self {
        let now = Instant::now();
        let mut session = Session::new(now, tight(), 3);
        session.start(now, None);
        Self {
            session,
            now,
            closed: false,
            ready: 0,
            called: BTreeMap::new(),
            told: BTreeSet::new(),
            gone: BTreeMap::new(),
            waiting: Vec::new(),
            known: BTreeSet::new(),
            members: BTreeSet::new(),
        }
    }

    fn apply(&mut self, input: Input) {
        let now = self.now;
        let session = &mut self.session;
        match input {
            Input::Peer(message) => {
                self.closed |= session.handle_message(now, message).is_err();
            }
            Input::Announce(pid) => session.announce([actor(pid)]),
            Input::Terminate(pid) => {
                if session.is_announced(pid) {
                    self.gone.insert(pid, now + TERMINATE_HOLD);
                }
                session.terminate(now, pid);
            }
            Input::Join(pid, group) => session.join("scope", GROUPS[group], vec![actor(pid)]),
            Input::Leave(pid, group) => session.leave("scope", GROUPS[group], vec![actor(pid)]),
            Input::Cast(pid) => assert_eq!(session.cast(cast(pid)).is_ok(), self.can_send(pid)),
            Input::Call(pid, timeout) => self.call(pid, timeout),
            Input::Answer(n, drop) => self.answer(n, drop),
            Input::Synced => session.synced(),
            Input::Wait(ms) => self.wait(Duration::from_millis(ms)),
            Input::Close => {
                session.close();
                self.closed = true;
            }
        }
        self.drain();
    }

    fn can_send(&self, pid: u64) -> bool {
        !self.closed && self.known.contains(&pid)
    }

    fn call(&mut self, pid: u64, timeout: Option<u64>) {
        let handle = self.called.len() as Handle;
        let timeout = timeout.map(Duration::from_millis);
        let open = self.called.values().filter(|ends| **ends == 0).count();
        let accepted = self.session.call(self.now, call(pid), timeout, handle);
        let room = open < tight().max_open_calls;
        assert_eq!(accepted.is_ok(), self.can_send(pid) && room);
        if accepted.is_ok() {
            self.called.insert(handle, 0);
        }
    }

    fn answer(&mut self, n: usize, drop: bool) {
        if self.waiting.is_empty() {
            return;
        }
        let (pid, tag) = self.waiting.swap_remove(n % self.waiting.len());
        if drop {
            self.session.drop_call(pid);
            return;
        }
        let sent = self.session.reply(pid, tag, Bytes::new());
        assert_eq!(sent.is_ok(), !self.closed);
    }

    fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= until) {
            assert!(due >= self.now, "a timer was missed");
            self.now = due;
            self.session.handle_timeout(due);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        while let Some(message) = self.session.poll_transmit() {
            assert!(!self.closed, "{message:?} after close");
            self.on_transmit(message);
        }
        while let Some(event) = self.session.poll_event() {
            self.on_event(event);
        }
        self.session.check_invariants();
        if self.closed {
            assert!(self.called.values().all(|ends| *ends == 1));
            return;
        }
        let answered = |pid: &u64| self.waiting.iter().all(|(to, _)| to != pid);
        for (pid, until) in &self.gone {
            assert!(
                self.now <= *until && !answered(pid),
                "the end of {pid} is not told"
            );
        }
    }

    fn on_transmit(&mut self, message: NetworkMessage) {
        if let Some(node_message::Msg::Reply(reply)) = message.clone().into_node() {
            let told = self.told.contains(&reply.to);
            assert!(
                told || !self.gone.contains_key(&reply.to),
                "told gone before its reply"
            );
        }
        match message.into_control() {
            Some(control_message::Msg::Spawn(spawn)) => {
                for actor in spawn.actors {
                    assert!(self.told.insert(actor.pid), "{} told twice", actor.pid);
                }
            }
            Some(control_message::Msg::PgJoin(join)) => {
                assert!(
                    join.actors
                        .iter()
                        .all(|actor| self.told.contains(&actor.pid))
                );
            }
            Some(control_message::Msg::Terminate(terminate)) => {
                for pid in terminate.ids {
                    assert!(self.told.remove(&pid), "{pid} told gone twice");
                    let until = self.gone.remove(&pid).expect("it was terminated");
                    let waits = self.waiting.iter().any(|(to, _)| *to == pid);
                    assert!(
                        !waits || self.now >= until,
                        "{pid} told gone before its replies"
                    );
                }
            }
            _ => {}
        }
    }

    fn on_event(&mut self, event: Event<Handle>) {
        match event {
            Event::Reply { call, .. } | Event::CallEnded { call, .. } => {
                *self.called.get_mut(&call).expect("it was called") += 1;
                assert_eq!(self.called[&call], 1, "call {call} ended twice");
            }
            Event::Call(call) => {
                self.waiting.push((call.to, call.tag));
                assert!(self.waiting.len() <= tight().max_open_calls);
            }
            Event::Spawned(actors) => {
                for actor in actors {
                    assert!(self.known.insert(actor.pid));
                }
            }
            Event::Terminated(pids) => {
                for pid in pids {
                    assert!(self.known.remove(&pid));
                    self.members.retain(|(_, member)| *member != pid);
                }
            }
            Event::Joined { group, actors, .. } => {
                for actor in actors {
                    self.known.insert(actor.pid);
                    assert!(self.members.insert((group.clone(), actor.pid)));
                }
                assert!(self.members.len() <= tight().max_memberships);
            }
            Event::Left { group, pids, .. } => {
                for pid in pids {
                    assert!(self.members.remove(&(group.clone(), pid)));
                }
            }
            Event::Ready => {
                self.ready += 1;
                assert_eq!(self.ready, 1);
            }
            _ => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

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
