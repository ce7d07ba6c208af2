use std::{collections::VecDeque, time::Instant};

use shiome_wire::{control, meta::NetworkMessage};

use crate::{
    calls::Calls,
    config::Config,
    directory::Directory,
    event::{CallEnd, Event},
    exports::Exports,
    liveness::Liveness,
    timer::{Timer, Timers},
};

mod inbound;
mod outbound;
mod sync;

/// The books of one authenticated link. How to drive it stands in the [crate's documentation](crate).
///
/// ```text
///                        synced            peer's Ready
///   new ────► Syncing ───────────► Synced ──────────────► Ready
///                │      (in either order)                   │
///                └────────────────────┬─────────────────────┘
///                                     │ close, or the peer breaks a limit
///                                     ▼
///                                  Closed
/// ```
///
/// Messages pass in both directions in all states but `Closed`, which is silent and final; `Ready` only tells that
/// both sides have sent what they had.
#[derive(Debug)]
pub struct Session<C> {
    config: Config,
    exports: Exports,
    directory: Directory,
    calls: Calls<C>,
    liveness: Liveness,
    timers: Timers,
    local_ready: bool,
    peer_ready: bool,
    closed: bool,
    transmits: VecDeque<NetworkMessage>,
    events: VecDeque<Event<C>>,
}

impl<C> Session<C> {
    /// A session that begins at `now`. `seed` spreads the pings and need not be secret.
    pub fn new(now: Instant, config: Config, seed: u64) -> Self {
        let config = config.bounded();
        Self {
            exports: Exports::default(),
            directory: Directory::new(&config),
            calls: Calls::default(),
            liveness: Liveness::new(now, &config, seed),
            timers: Timers::default(),
            local_ready: false,
            peer_ready: false,
            closed: false,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Whether both sides have sent their initial state.
    pub fn is_ready(&self) -> bool {
        self.local_ready && self.peer_ready
    }

    /// Ends the session: nothing is sent any more, and every open call ends with [`CallEnd::Closed`], in order of callee
    /// and number. What the peer has announced stays to be asked for. Again: nothing happens.
    pub fn close(&mut self) {
        self.closed = true;
        self.timers.clear();
        self.transmits.clear();
        let ended = self.calls.drain().map(|call| Event::CallEnded {
            call,
            why: CallEnd::Closed,
        });
        self.events.extend(ended);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Ping => self.ping(now),
                Timer::Call { pid, tag } => self.call_expired(pid, tag),
                Timer::Release { pid } => self.hold_over(now, pid),
            }
        }
    }

    fn hold_over(&mut self, now: Instant, pid: u64) {
        let headstart = self.config.reply_headstart;
        if let Some(until) = self.exports.put_off(now, pid, headstart) {
            self.timers.set(until, Timer::Release { pid });
        } else if self.exports.release(pid) {
            self.transmit(control::Terminate { ids: vec![pid] });
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, as long as nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next message to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<NetworkMessage> {
        self.transmits.pop_front()
    }

    /// The next thing to act on.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event<C>> {
        self.events.pop_front()
    }

    /// Whether [`poll_event`](Self::poll_event) has something.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Pid of the peer's actor that is registered under `name` there.
    pub fn remote_pid(&self, name: &str) -> Option<u64> {
        self.directory.pid_of(name)
    }

    /// Name that the peer's actor `pid` is registered under there.
    pub fn remote_name(&self, pid: u64) -> Option<&str> {
        self.directory.name_of(pid)
    }

    /// Pids of all actors that the peer has announced, in no particular order.
    pub fn remote_pids(&self) -> impl Iterator<Item = u64> {
        self.directory.pids()
    }

    /// Whether the peer may address the local actor `pid`.
    pub fn is_announced(&self, pid: u64) -> bool {
        self.exports.contains(pid)
    }

    fn ping(&mut self, now: Instant) {
        if let Some(silence) = self.liveness.silence(now) {
            self.events.push_back(Event::Unresponsive { silence });
        }
        let timestamp = Some(self.liveness.ping(now));
        self.transmit(control::Ping { timestamp });
        let next = self.liveness.next_ping(now);
        self.timers.set(next, Timer::Ping);
    }

    fn call_expired(&mut self, pid: u64, tag: u64) {
        if let Some((call, why)) = self.calls.expired(pid, tag) {
            self.events.push_back(Event::CallEnded { call, why });
        }
        if !self.directory.contains(pid) {
            self.calls.forget_if_idle(pid);
        }
    }

    fn check_ready(&mut self) {
        if self.is_ready() {
            self.events.push_back(Event::Ready);
        }
    }

    /// Recounts every book, and checks that they agree.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        if self.closed {
            assert_eq!((self.calls.len(), self.transmits.len()), (0, 0));
            assert_eq!(self.poll_timeout(), None);
            return;
        }
        self.directory.check_invariants();
        assert!(self.calls.len() <= self.config.max_open_calls);
        assert!(self.exports.open_calls() <= self.config.max_open_calls);
        let mut expected = self
            .calls
            .check_invariants(|pid| self.directory.contains(pid));
        expected.extend(self.exports.check_invariants());
        expected.sort_unstable();
        let running = self.timers.iter();
        let running: Vec<_> = running.filter(|(_, t)| *t != Timer::Ping).collect();
        assert_eq!(running, expected);
    }

    fn transmit(&mut self, message: impl Into<NetworkMessage>) {
        if !self.closed {
            self.transmits.push_back(message.into());
        }
    }
}
