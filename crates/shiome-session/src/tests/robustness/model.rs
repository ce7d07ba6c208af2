//! What the owner and the peer of a session know, kept the simple way.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    input::{GROUPS, Input},
    *,
};

/// Small limits, so that they are met.
pub(super) fn tight() -> Config {
    Config {
        max_announced_actors: 6,
        max_grouped_actors: 5,
        max_memberships: 12,
        max_directory_bytes: 140,
        max_open_calls: 4,
        default_call_timeout: None,
        ..Config::default()
    }
}

/// A session beside a model of what its peer and its owner know.
pub(super) struct Model {
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
    /// When each local actor replied last.
    replied: BTreeMap<u64, Instant>,
    /// Inbound calls that wait.
    waiting: Vec<(u64, u64)>,
    /// Actors of the peer that the owner was told of and not told gone.
    known: BTreeSet<u64>,
    /// Memberships of the peer's actors that the owner was told of.
    members: BTreeSet<(String, u64)>,
}

impl Model {
    pub(super) fn new() -> Self {
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
            replied: BTreeMap::new(),
            waiting: Vec::new(),
            known: BTreeSet::new(),
            members: BTreeSet::new(),
        }
    }

    pub(super) fn apply(&mut self, input: Input) {
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
            let code = CallErrorCode::NoReply;
            self.session.drop_call(self.now, pid, tag, code);
            return;
        }
        let sent = self.session.reply(self.now, pid, tag, Bytes::new());
        assert_eq!(sent.is_ok(), !self.closed);
        if self.told.contains(&pid) {
            self.replied.insert(pid, self.now);
        }
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
        while let (is_ready, Some(message)) = (
            self.session.is_transmit_ready(),
            self.session.poll_transmit(),
        ) {
            assert!(is_ready);
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
        let early = |pid: &u64| {
            let replied = self.replied.get(pid);
            replied.is_some_and(|at| self.now <= *at + REPLY_HEADSTART)
        };
        for (pid, until) in &self.gone {
            assert!(
                self.now <= *until && !answered(pid)
                    || self.now <= *until + REPLY_HEADSTART && early(pid),
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
                    let replied = self.replied.remove(&pid);
                    let early = replied.is_some_and(|at| self.now < at + REPLY_HEADSTART);
                    assert!(
                        self.now >= until + REPLY_HEADSTART
                            || !early && (self.now >= until || !waits),
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
            Event::Joined {
                group,
                actors,
                left_out,
                ..
            } => {
                for actor in left_out {
                    self.known.insert(actor.pid);
                }
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
