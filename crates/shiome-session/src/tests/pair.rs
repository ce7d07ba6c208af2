//! Two sessions on a simulated link, and what their owners hear.

use std::collections::VecDeque;

use super::*;

/// Names an outgoing call in tests.
pub(super) type Handle = u32;

/// Time that a message is on its way in one direction.
pub(super) const LATENCY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// How an end takes what arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    /// At once.
    All,
    /// One message at a time, with this pause between them.
    Slowly(Duration),
    /// Not at all: it is frozen, and its time stands still.
    Nothing,
}

/// A session with what it has said to its owner and to its peer.
#[derive(Debug)]
pub(super) struct End {
    pub(super) session: Session<Handle>,
    pub(super) events: Vec<Event<Handle>>,
    /// Everything ever sent, pings and pongs left out.
    pub(super) sent: Vec<NetworkMessage>,
    pub(super) taking: Taking,
    /// The owner does not take events.
    pub(super) stuck: bool,
    /// Frames on their way to this end, with the time of arrival.
    inbox: VecDeque<(Instant, BytesMut)>,
    inbox_len: usize,
    /// When it takes the next message.
    takes_at: Instant,
    /// Messages that it has taken.
    taken: usize,
    /// The link is lost when it takes this one.
    lost_at: Option<usize>,
    /// What handling a message has failed with.
    pub(super) failed: Option<SessionError>,
}

impl End {
    fn new(now: Instant, config: Config, seed: u64) -> Self {
        Self {
            session: Session::new(now, config, seed),
            events: Vec::new(),
            sent: Vec::new(),
            taking: Taking::All,
            stuck: false,
            inbox: VecDeque::new(),
            inbox_len: 0,
            takes_at: now,
            taken: 0,
            lost_at: None,
            failed: None,
        }
    }

    /// When something happens here next.
    fn next(&self) -> Option<Instant> {
        if self.taking == Taking::Nothing {
            return None;
        }
        let arrival = self.arrival();
        let timer = self.session.poll_timeout();
        arrival.into_iter().chain(timer).min()
    }

    fn arrival(&self) -> Option<Instant> {
        self.inbox.front().map(|(due, _)| self.takes_at.max(*due))
    }

    pub(super) fn events(&mut self) -> Vec<Event<Handle>> {
        let is_pong = |event: &Event<Handle>| matches!(event, Event::Pong { .. });
        self.events.retain(|event| !is_pong(event));
        std::mem::take(&mut self.events)
    }

    /// The only event there is.
    pub(super) fn event(&mut self) -> Event<Handle> {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    pub(super) fn inbound_calls(&mut self) -> Vec<InboundCall> {
        let calls = self.events().into_iter().filter_map(|event| match event {
            Event::Call(call) => Some(call),
            _ => None,
        });
        calls.collect()
    }

    /// Answers everything that was called, with the argument.
    pub(super) fn answer_all(&mut self, now: Instant) {
        for call in self.inbound_calls() {
            let sent = self.session.reply(now, call.to, call.tag, call.what);
            sent.unwrap();
        }
    }

    /// How calls have ended: with a reply, or why not.
    pub(super) fn ended(&mut self) -> Vec<(Handle, Option<CallEnd>)> {
        let events = self.events().into_iter();
        let ended = events.filter_map(|event| match event {
            Event::Reply { call, .. } => Some((call, None)),
            Event::CallEnded { call, why } => Some((call, Some(why))),
            _ => None,
        });
        ended.collect()
    }

    /// What casts have brought, in order.
    pub(super) fn casts(&mut self) -> Vec<node::Cast> {
        let events = self.events().into_iter();
        let casts = events.filter_map(|event| match event {
            Event::Cast(cast) => Some(cast),
            _ => None,
        });
        casts.collect()
    }
}

/// Two sessions joined by a link of fixed latency. Messages pass as bytes.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) a: End,
    pub(super) b: End,
    /// Nothing arrives any more.
    pub(super) cut: bool,
    /// Bytes that are on the link in one direction before senders wait, but for the last message.
    pub(super) capacity: usize,
}

impl Pair {
    /// Two sessions that are started, and announce nothing, as between legacy nodes.
    pub(super) fn new() -> Self {
        Self::with(Config::default(), Config::default())
    }

    pub(super) fn with(a: Config, b: Config) -> Self {
        Self::unstarted(a, b).started()
    }

    /// The same between native nodes that can do all.
    pub(super) fn native() -> Self {
        Self::native_with(Config::default(), Config::default())
    }

    pub(super) fn native_with(a: Config, b: Config) -> Self {
        Self::capable_of(Capabilities::ALL, a, b)
    }

    pub(super) fn capable_of(capabilities: Capabilities, a: Config, b: Config) -> Self {
        let (of_a, of_b) = (terms(&a, capabilities), terms(&b, capabilities));
        let mut pair = Self::unstarted(a, b);
        pair.a.session.negotiated(of_b);
        pair.b.session.negotiated(of_a);
        pair.started()
    }

    fn unstarted(a: Config, b: Config) -> Self {
        let now = Instant::now();
        Self {
            now,
            a: End::new(now, a, 1),
            b: End::new(now, b, 2),
            cut: false,
            capacity: usize::MAX,
        }
    }

    fn started(mut self) -> Self {
        self.a.session.start(self.now, None);
        self.b.session.start(self.now, None);
        self
    }

    /// Two synced sessions of legacy nodes; `b` has announced these actors, unnamed. Events so far are gone.
    pub(super) fn serving(pids: &[u64]) -> Self {
        Self::new().served(pids)
    }

    pub(super) fn served(mut self, pids: &[u64]) -> Self {
        self.b.session.announce(pids.iter().copied().map(actor));
        self.a.session.synced();
        self.b.session.synced();
        self.settle();
        self.a.events.clear();
        self.b.events.clear();
        self
    }

    pub(super) fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Puts what the sessions want to send on the link, as far as it takes it, and collects their events.
    pub(super) fn drain(&mut self) {
        for side in [Side::A, Side::B] {
            if self.end(side).taking == Taking::Nothing {
                continue;
            }
            self.hear(side);
            self.put_on_link(side);
            self.end(side).session.check_invariants();
        }
    }

    fn hear(&mut self, side: Side) {
        let end = self.end(side);
        while !end.stuck
            && let Some(event) = end.session.poll_event()
        {
            end.events.push(event);
        }
    }

    fn put_on_link(&mut self, side: Side) {
        let (due, capacity) = (self.now + LATENCY, self.capacity);
        while self.end(side.other()).inbox_len < capacity {
            let end = self.end(side);
            let Some(message) = end.session.poll_transmit() else {
                return;
            };
            let mut frame = BytesMut::new();
            encode(&message, MAX_FRAME_LEN, &mut frame).expect("within the limit");
            if !is_probe(&message) {
                end.sent.push(message);
            }
            let other = self.end(side.other());
            other.inbox_len += frame.len();
            other.inbox.push_back((due, frame));
        }
    }

    /// Does the next thing that happens, not after `until`; `false` when nothing does.
    pub(super) fn step(&mut self, until: Instant) -> bool {
        self.drain();
        let next = [Side::A, Side::B].map(|side| (self.end(side).next(), side));
        let next = next.into_iter().filter_map(|(at, side)| Some((at?, side)));
        let next = next.min_by_key(|(at, _)| *at);
        let Some((at, side)) = next.filter(|(at, _)| *at <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(at);
        if self
            .end(side)
            .arrival()
            .is_some_and(|arrival| arrival <= at)
        {
            self.deliver(side);
        } else {
            let now = self.now;
            self.end(side).session.handle_timeout(now);
        }
        self.drain();
        true
    }

    fn deliver(&mut self, to: Side) {
        let (now, cut) = (self.now, self.cut);
        let end = self.end(to);
        let Some((_, frame)) = end.inbox.pop_front() else {
            return;
        };
        end.inbox_len -= frame.len();
        if let Taking::Slowly(pause) = end.taking {
            end.takes_at = now + pause;
        }
        end.taken += 1;
        if end.lost_at == Some(end.taken) {
            return self.lose_link();
        }
        if cut {
            return;
        }
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(&frame);
        let frame = decoder.next_frame().unwrap().expect("a whole frame");
        let message = frame.decode().unwrap();
        if let Err(error) = end.session.handle_message(now, message) {
            assert_eq!(end.failed.replace(error), None);
        }
    }

    /// Lets time pass.
    pub(super) fn drive(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Lets pass what is under way and what is answered to it.
    pub(super) fn settle(&mut self) {
        self.drive(LATENCY * 4);
    }

    /// Goes on to the next thing that happens, whenever that is; `false` when nothing does.
    pub(super) fn next_timeout(&mut self) -> bool {
        self.drain();
        let next = [&self.a, &self.b].map(End::next);
        match next.into_iter().flatten().min() {
            Some(next) => self.step(next.max(self.now)),
            None => false,
        }
    }

    /// The link breaks, and both ends notice.
    pub(super) fn lose_link(&mut self) {
        self.cut = true;
        self.a.session.close();
        self.b.session.close();
        self.drain();
    }

    /// The link breaks instead of giving this end its `k`-th message from now.
    pub(super) fn lose_link_at(&mut self, side: Side, k: usize) {
        let end = self.end(side);
        end.lost_at = Some(end.taken + k);
    }

    /// `a` calls an actor of `b`.
    pub(super) fn call(&mut self, pid: u64, timeout: Option<Duration>, handle: Handle) {
        self.a
            .session
            .call(self.now, call(pid), timeout, handle)
            .unwrap();
    }

    /// `b` takes a message that `a` did not send.
    pub(super) fn inject(
        &mut self,
        message: impl Into<NetworkMessage>,
    ) -> Result<(), SessionError> {
        let result = self.b.session.handle_message(self.now, message.into());
        self.drain();
        result
    }
}

/// What a node with this configuration announces.
pub(super) fn terms(config: &Config, capabilities: Capabilities) -> Terms {
    Terms {
        version: 1,
        capabilities,
        incarnation: 1,
        max_frame_len: MAX_FRAME_LEN,
        max_message_len: config.max_message_len,
        max_reassembly_len: config.max_reassembly_len,
        window: config.window,
    }
}
