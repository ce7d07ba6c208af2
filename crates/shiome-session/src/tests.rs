//! Two sessions on a simulated link, in virtual time.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use shiome_wire::{
    FrameDecoder, MAX_FRAME_LEN,
    control::{self, Actor, control_message},
    encode,
    meta::NetworkMessage,
    node::{self, node_message},
};

use crate::{
    CallEnd, Config, Event, InboundCall, SendError, Session, SessionError, Skipped,
    config::{MAX_NAME_LEN, REPLY_GRACE, REPLY_HEADSTART, TERMINATE_HOLD},
};

mod calls;
mod limits;
mod liveness;
mod messages;
mod robustness;
mod sync;
mod terminate;

use messages::*;

/// Names an outgoing call in tests.
type Handle = u32;

/// Time that a message is on its way in one direction.
const LATENCY: Duration = Duration::from_millis(10);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    A,
    B,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}

/// A session with what it has said to its owner and to its peer.
#[derive(Debug)]
struct End {
    session: Session<Handle>,
    events: Vec<Event<Handle>>,
    /// Everything ever sent, pings and pongs left out.
    sent: Vec<NetworkMessage>,
}

/// Two sessions joined by a link of fixed latency. Messages pass as bytes.
#[derive(Debug)]
struct Pair {
    now: Instant,
    a: End,
    b: End,
    /// Frames under way, with receiver and time of arrival; the earliest first, since latency is fixed.
    link: VecDeque<(Instant, Side, BytesMut)>,
    /// Nothing arrives any more.
    cut: bool,
}

impl Pair {
    /// Two sessions that are started, and announce nothing.
    fn new() -> Self {
        Self::with(Config::default(), Config::default())
    }

    fn with(a: Config, b: Config) -> Self {
        let now = Instant::now();
        let end = |config, seed| {
            let mut session = Session::new(now, config, seed);
            session.start(now, None);
            End {
                session,
                events: Vec::new(),
                sent: Vec::new(),
            }
        };
        Self {
            now,
            a: end(a, 1),
            b: end(b, 2),
            link: VecDeque::new(),
            cut: false,
        }
    }

    /// Two synced sessions; `b` has announced these actors, unnamed. Events so far are gone.
    fn serving(pids: &[u64]) -> Self {
        Self::new().served(pids)
    }

    fn served(mut self, pids: &[u64]) -> Self {
        self.b.session.announce(pids.iter().copied().map(actor));
        self.a.session.synced();
        self.b.session.synced();
        self.settle();
        self.a.events.clear();
        self.b.events.clear();
        self
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Puts what the sessions want to send on the link, and collects their events.
    fn drain(&mut self) {
        let due = self.now + LATENCY;
        for side in [Side::A, Side::B] {
            let end = self.end(side);
            let mut frames = Vec::new();
            while let Some(message) = end.session.poll_transmit() {
                let mut frame = BytesMut::new();
                encode(&message, MAX_FRAME_LEN, &mut frame).expect("within the limit");
                frames.push((due, side.other(), frame));
                if !is_probe(&message) {
                    end.sent.push(message);
                }
            }
            while let Some(event) = end.session.poll_event() {
                end.events.push(event);
            }
            end.session.check_invariants();
            self.link.extend(frames);
        }
    }

    /// Does the next thing that happens, not after `until`; `false` when nothing does.
    fn step(&mut self, until: Instant) -> bool {
        self.drain();
        let arrival = self.link.front().map(|(due, ..)| *due);
        let timers = [&self.a, &self.b].map(|end| end.session.poll_timeout());
        let next = arrival
            .into_iter()
            .chain(timers.into_iter().flatten())
            .min();
        let Some(next) = next.filter(|next| *next <= until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = self.now.max(next);
        if arrival == Some(next) {
            self.deliver();
        } else {
            let side = if timers[0] == Some(next) {
                Side::A
            } else {
                Side::B
            };
            let now = self.now;
            self.end(side).session.handle_timeout(now);
        }
        self.drain();
        true
    }

    fn deliver(&mut self) {
        let Some((_, to, frame)) = self.link.pop_front() else {
            return;
        };
        if self.cut {
            return;
        }
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(&frame);
        let frame = decoder.next_frame().unwrap().expect("a whole frame");
        let (now, message) = (self.now, frame.decode().unwrap());
        let end = self.end(to);
        end.session.handle_message(now, message).unwrap();
    }

    /// Lets time pass.
    fn drive(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Lets pass what is under way and what is answered to it.
    fn settle(&mut self) {
        self.drive(LATENCY * 4);
    }

    /// The link breaks, and both ends notice.
    fn lose_link(&mut self) {
        self.drain();
        self.cut = true;
        self.a.session.close();
        self.b.session.close();
        self.settle();
    }

    /// `a` calls an actor of `b`.
    fn call(&mut self, pid: u64, timeout: Option<Duration>, handle: Handle) {
        self.a
            .session
            .call(self.now, call(pid), timeout, handle)
            .unwrap();
    }

    /// `b` takes a message that `a` did not send.
    fn inject(&mut self, message: impl Into<NetworkMessage>) -> Result<(), SessionError> {
        let result = self.b.session.handle_message(self.now, message.into());
        self.drain();
        result
    }
}

impl End {
    fn events(&mut self) -> Vec<Event<Handle>> {
        let is_pong = |event: &Event<Handle>| matches!(event, Event::Pong { .. });
        self.events.retain(|event| !is_pong(event));
        std::mem::take(&mut self.events)
    }

    /// The only event there is.
    fn event(&mut self) -> Event<Handle> {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }

    fn inbound_calls(&mut self) -> Vec<InboundCall> {
        let calls = self.events().into_iter().filter_map(|event| match event {
            Event::Call(call) => Some(call),
            _ => None,
        });
        calls.collect()
    }

    /// Answers everything that was called, with the argument.
    fn answer_all(&mut self, now: Instant) {
        for call in self.inbound_calls() {
            let sent = self.session.reply(now, call.to, call.tag, call.what);
            sent.unwrap();
        }
    }

    /// How calls have ended: with a reply, or why not.
    fn ended(&mut self) -> Vec<(Handle, Option<CallEnd>)> {
        let events = self.events().into_iter();
        let ended = events.filter_map(|event| match event {
            Event::Reply { call, .. } => Some((call, None)),
            Event::CallEnded { call, why } => Some((call, Some(why))),
            _ => None,
        });
        ended.collect()
    }
}
