use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use shiome_wire::{Capabilities, control, meta::NetworkMessage, native};

use crate::{
    calls::Calls,
    channels::Channels,
    config::Config,
    directory::Directory,
    event::{CallEnd, Event, GoodbyeReason},
    exports::{Exports, Wait},
    lanes::{Class, Lanes, Tally},
    liveness::{Found, Liveness},
    mark::Mark,
    monitors::Monitors,
    reassembly::Reassembly,
    recent::Recent,
    terms::Terms,
    timer::{Timer, Timers},
    traffic::Traffic,
    window::Window,
};

mod channels;
mod figures;
mod inbound;
mod monitoring;
mod native_inbound;
mod outbound;
mod sync;
mod transmit;

/// The books of one authenticated link. How to drive it stands in the [crate's documentation](crate).
///
/// ```text
///                        synced            peer's Ready
///   new ────► Syncing ───────────► Synced ──────────────► Ready
///                │      (in either order)                   │
///                └────────────────────┬─────────────────────┘
///                            goodbye  │  close, the peer's goodbye, or it breaks a rule
///                                     ▼
///                                 Finishing ──── close ────► Closed
/// ```
///
/// Messages pass in both directions in all states but the last two; `Ready` only tells that both sides have sent what
/// they had. `Finishing` takes no more from users, and sends what waits. `Closed` has at most a goodbye to say, and is
/// final.
#[derive(Debug)]
pub struct Session<C> {
    config: Config,
    terms: Option<Terms>,
    exports: Exports,
    directory: Directory,
    /// Actors in the directory.
    callees: Recent<()>,
    calls: Calls<C>,
    monitors: Monitors,
    liveness: Liveness,
    timers: Timers,
    lanes: Lanes,
    channels: Channels,
    traffic: Traffic,
    window: Window,
    reassembly: Reassembly,
    local_ready: bool,
    peer_ready: bool,
    phase: Phase,
    /// Longest message between actors that the peer takes.
    max_message_len: u64,
    /// Whether casts and calls are refused for want of room.
    full: Mark,
    /// Whether senders that wait for their turn should, by the length of what they send.
    high: [Mark; 2],
    /// Whether more was to be told than may wait.
    overflowed: bool,
    /// What is said last.
    farewell: Option<native::Goodbye>,
    /// Messages of users that left since the driver last said that all is written; `None`: it does not say.
    unwritten: Option<Tally>,
    /// The latest time that the owner has told.
    clock: Instant,
    /// What the message that is taken in takes of the window, as long as no event stands for it.
    arriving: u64,
    events: VecDeque<Pending<C>>,
}

/// An event, and what is given back to the peer's window when the owner takes it.
#[derive(Debug)]
struct Pending<C> {
    event: Event<C>,
    cost: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Finishing,
    Closed,
}

impl<C> Session<C> {
    /// A session that begins at `now`. `seed` sets sessions apart in time and need not be secret.
    pub fn new(now: Instant, config: Config, seed: u64) -> Self {
        let config = config.bounded();
        Self {
            terms: None,
            exports: Exports::default(),
            directory: Directory::new(&config),
            callees: Recent::default(),
            calls: Calls::default(),
            monitors: Monitors::new(&config),
            liveness: Liveness::new(now, &config, seed),
            timers: Timers::default(),
            lanes: Lanes::new(),
            channels: Channels::default(),
            traffic: Traffic::default(),
            window: Window::of_link(config.window),
            reassembly: Reassembly::new(&config),
            local_ready: false,
            peer_ready: false,
            phase: Phase::Open,
            max_message_len: config.max_frame_len,
            full: Mark::at(config.max_outbox),
            high: [config.high_water; 2].map(Mark::at),
            overflowed: false,
            farewell: None,
            unwritten: None,
            clock: now,
            arriving: 0,
            events: VecDeque::new(),
            config,
        }
    }

    /// The peer is native, and this is what was agreed on. Before [`start`](Self::start); without it the peer is taken
    /// for a legacy one.
    pub fn negotiated(&mut self, terms: Terms) {
        self.lanes.negotiated(&terms);
        self.max_message_len = terms.longest_message();
        self.terms = Some(terms);
    }

    /// What was agreed on with a native peer; `None`: the peer is a legacy one.
    pub fn terms(&self) -> Option<&Terms> {
        self.terms.as_ref()
    }

    /// Longest message between actors that the peer takes, in bytes of its encoding; longer ones are refused with
    /// [`SendError::TooLong`](crate::SendError::TooLong).
    pub fn max_message_len(&self) -> u64 {
        self.max_message_len
    }

    /// Time that a call without one has; `None`: no end.
    pub fn default_call_timeout(&self) -> Option<Duration> {
        self.config.default_call_timeout
    }

    /// Whether both sides have sent their initial state.
    pub fn is_ready(&self) -> bool {
        self.local_ready && self.peer_ready
    }

    /// Takes no more from users, lets what waits go, and then says goodbye to a peer that understands it. When
    /// [`is_drained`](Self::is_drained), or when that takes too long, [`close`](Self::close). Again: nothing happens.
    pub fn goodbye(&mut self, reason: GoodbyeReason, detail: &str) {
        if self.phase == Phase::Open {
            self.phase = Phase::Finishing;
            self.farewell = self.words_of_farewell(reason, detail);
        }
    }

    /// Ends the session: nothing is sent any more but a [`goodbye`](Self::goodbye), what waits is told in
    /// [`Event::Unsent`], and every open call ends with [`CallEnd::Closed`], in order of callee and number. What the peer
    /// has announced stays to be asked for. Again: nothing happens.
    pub fn close(&mut self) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Closed;
        self.timers.clear();
        self.reassembly.clear();
        self.monitors.clear();
        self.arriving = 0;
        self.report_unsent();
        self.lanes.clear();
        self.channels.clear();
        self.traffic.cleared();
        self.full.clear();
        self.high.iter_mut().for_each(Mark::clear);
        let ended: Vec<_> = self.calls.drain().collect();
        for (call, written) in ended {
            let why = CallEnd::Closed { written };
            self.tell(Event::CallEnded { call, why });
        }
    }

    fn report_unsent(&mut self) {
        let unsent = self.lanes.tally() + self.unwritten.take().unwrap_or_default();
        if !unsent.is_empty() {
            let Tally {
                casts,
                calls,
                replies,
                bytes,
            } = unsent;
            self.tell(Event::Unsent {
                casts,
                calls,
                replies,
                bytes,
            });
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.set_clock(now);
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Tick => self.tick(now),
                Timer::Call { pid, tag } => self.call_expired(pid, tag),
                Timer::Release { pid } => self.hold_over(now, pid),
                Timer::Reassembly => self.reassembly_expired(now),
            }
        }
    }

    fn hold_over(&mut self, now: Instant, pid: u64) {
        let headstart = self.headstart();
        match self.exports.put_off(now, pid, headstart) {
            Some(Wait::Until(until)) => self.timers.set(until, Timer::Release { pid }),
            Some(Wait::Queue) => {}
            None => self.release(pid),
        }
    }

    /// Tells that a local actor is gone, now that nothing holds the news.
    fn release(&mut self, pid: u64) {
        if self.exports.release(pid) {
            self.tell_gone(pid);
        }
    }

    fn tell_gone(&mut self, pid: u64) {
        if let Some(exit) = self.monitors.last_words(pid) {
            self.transmit(exit);
        }
        self.transmit(control::Terminate { ids: vec![pid] });
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, as long as nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next thing to act on. Taking it lets the peer send more.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event<C>> {
        let Pending { event, cost } = self.events.pop_front()?;
        self.give_back(cost);
        Some(event)
    }

    /// Whether the peer waits for credit.
    pub fn grants_credit(&self) -> bool {
        self.can(Capabilities::CREDIT)
    }

    /// Grants the peer nothing for what is taken from now on, or grants it again, with all that was taken meanwhile: for an
    /// owner that has passed on more than it wants to. The peer still sends what it was granted, at most
    /// [`Config::window`](crate::Config::window), and goes on with calls, replies and what it tells. Without effect on a peer
    /// that knows no credit.
    pub fn hold_credit(&mut self, held: bool) {
        if self.is_closed() {
            return;
        }
        if let Some(bytes) = self.window.hold(held)
            && self.can(Capabilities::CREDIT)
        {
            self.transmit(native::Credit { bytes });
        }
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

    /// Whether the peer has announced its actor `pid`, and not that it is gone.
    pub fn knows(&self, pid: u64) -> bool {
        self.directory.contains(pid)
    }

    /// Pids of all actors that the peer has announced, in no particular order.
    pub fn remote_pids(&self) -> impl Iterator<Item = u64> {
        self.directory.pids()
    }

    /// Whether the peer may address the local actor `pid`.
    pub fn is_announced(&self, pid: u64) -> bool {
        self.exports.contains(pid)
    }

    /// When the last byte of the peer came, as far as the driver [tells](Self::heard).
    pub fn last_heard(&self) -> Instant {
        self.liveness.last_heard()
    }

    /// Bytes have come from the peer, a whole message or not. Messages that are [taken in](Self::handle_message) count
    /// by themselves.
    pub fn heard(&mut self, now: Instant) {
        self.set_clock(now);
        self.liveness.heard(now);
    }

    /// Pings the peer at once: whether it lives shows in [`last_heard`](Self::last_heard). A ping that has not left yet
    /// does for all who probe meanwhile.
    pub fn probe(&mut self, now: Instant) {
        self.set_clock(now);
        if !self.liveness.is_ping_queued() {
            self.ping(now);
        }
    }

    fn ping(&mut self, now: Instant) {
        if self.is_closed() {
            return;
        }
        let timestamp = self.liveness.ping(now);
        let ping = control::Ping {
            timestamp: Some(timestamp),
        };
        self.enqueue(NetworkMessage::from(ping), Class::Ping(timestamp));
    }

    fn tick(&mut self, now: Instant) {
        let (found, next) = self.liveness.tick(now);
        if let Found::Silence(silence) = found {
            self.tell(Event::Unresponsive { silence });
        }
        if found != Found::Life && !self.liveness.is_ping_waiting() {
            self.ping(now);
        }
        self.timers.set(next, Timer::Tick);
    }

    fn call_expired(&mut self, pid: u64, tag: u64) {
        if let Some((call, why)) = self.calls.expired(pid, tag) {
            self.tell(Event::CallEnded { call, why });
        }
        if !self.directory.contains(pid) {
            self.calls.forget_if_idle(pid);
        }
    }

    fn check_ready(&mut self) {
        if self.is_ready() {
            self.tell(Event::Ready);
        }
    }

    /// Whether the session is over: [`close`](Self::close)d, or the peer said goodbye or broke a rule.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether a [`goodbye`](Self::goodbye) is to be said once all else is.
    pub fn is_finishing(&self) -> bool {
        self.phase == Phase::Finishing
    }

    fn set_clock(&mut self, now: Instant) {
        self.clock = self.clock.max(now);
    }

    fn tell(&mut self, event: Event<C>) {
        let cost = std::mem::take(&mut self.arriving);
        self.events.push_back(Pending { event, cost });
    }

    /// Recounts every book, and checks that they agree.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        use crate::{config::MESSAGE_OVERHEAD, traffic::LaneFigures};

        let answers = self.lanes.check_invariants();
        let waiting = self.traffic.lanes();
        let counted =
            |lane: &LaneFigures| lane.queued_bytes + lane.queued * MESSAGE_OVERHEAD as u64;
        assert_eq!(
            waiting.iter().map(counted).sum::<u64>(),
            self.lanes.queued() as u64
        );
        self.reassembly.check_invariants();
        self.channels.check_invariants();
        assert_eq!(self.arriving, 0);
        if self.is_closed() {
            assert_eq!((self.calls.len(), self.lanes.queued()), (0, 0));
            assert_eq!((self.poll_timeout(), self.is_full()), (None, false));
            assert!(
                !crate::Length::ALL
                    .into_iter()
                    .any(|length| self.is_high(length))
            );
            return;
        }
        self.directory.check_invariants();
        let known = |(pid, ())| self.directory.contains(pid);
        assert!(self.callees.iter().all(known));
        let not_taken = self.events.iter().map(|pending| pending.cost).sum();
        self.window.check_invariants(not_taken);
        self.monitors.check_invariants(
            |pid| self.directory.contains(pid),
            |pid| self.exports.is_known(pid),
        );
        let [short, long] = crate::Length::ALL.map(|length| self.lanes.in_turn(length));
        for (mark, limit, queued) in [
            (&self.full, self.config.max_outbox, self.lanes.queued()),
            (&self.high[0], self.config.high_water, short),
            (&self.high[1], self.config.high_water, long),
        ] {
            assert_eq!(mark.limit(), limit);
            assert!(mark.is_reached() || queued < limit);
            assert!(!mark.is_reached() || queued >= limit / 4 * 3);
        }
        assert!(self.calls.len() <= self.config.max_open_calls);
        assert!(self.exports.open_calls() <= self.config.max_open_calls);
        let mut expected = self
            .calls
            .check_invariants(|pid| self.directory.contains(pid));
        expected.extend(self.exports.check_invariants(&answers));
        expected.sort_unstable();
        let running = self.timers.iter();
        let books = |timer| matches!(timer, Timer::Call { .. } | Timer::Release { .. });
        let mut running: Vec<_> = running.filter(|(_, t)| books(*t)).collect();
        running.sort_unstable();
        assert_eq!(running, expected);
        let reassembly = |(_, t): &(Instant, Timer)| *t == Timer::Reassembly;
        assert_eq!(
            self.timers.iter().filter(reassembly).count(),
            usize::from(self.reassembly.deadline().is_some())
        );
    }
}
