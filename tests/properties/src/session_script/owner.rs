use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use shiome_session::{
    CallErrorCode, ChannelConfig, ChannelId, Config, Event, ExitKind, GoodbyeReason,
    MAX_CONTROL_BACKLOG, MAX_EXPRESS_BACKLOG, SendError, Session, Verb,
};
use shiome_wire::{
    Capabilities,
    control::Actor,
    meta::NetworkMessage,
    node::{Call, Cast},
};

use super::peer::payload;
use crate::{
    script::Script,
    session::{terms, tight},
};

/// Messages of the peer that an owner leaves lying about before it takes its events.
const MAX_UNHEARD: usize = 16;

/// Calls to actors that are gone that it has in mind.
const MAX_LATE: usize = 32;

/// Longest payload of the script and what is around it, in bytes.
const MAX_MESSAGE_LEN: usize = 101_000;

/// An owner of a session, with what it has begun and not seen end.
pub(super) struct Owner {
    session: Session<u32>,
    config: Config,
    now: Instant,
    called: u32,
    open: BTreeSet<u32>,
    monitors: BTreeSet<u64>,
    /// Calls of the peer that it has not answered.
    asked: Vec<(u64, u64)>,
    /// Those to actors that are gone, which the session may have given up.
    late: Vec<(u64, u64)>,
    channels: Vec<ChannelId>,
    unheard: usize,
}

impl Owner {
    /// The highest bit: the peer is a legacy one.
    pub(super) fn new(bits: u8) -> Self {
        let now = Instant::now();
        let config = tight();
        let mut session = Session::new(now, config.clone(), 1);
        if bits < 128 {
            session.negotiated(terms(Capabilities::from_bits(bits.into()), &config));
        }
        session.start(now, None);
        Self {
            session,
            config,
            now,
            called: 0,
            open: BTreeSet::new(),
            monitors: BTreeSet::new(),
            asked: Vec::new(),
            late: Vec::new(),
            channels: Vec::new(),
            unheard: 0,
        }
    }

    pub(super) fn hear(&mut self, message: NetworkMessage) {
        let was_closed = self.session.is_closed();
        let refused = self.session.handle_message(self.now, message).is_err();
        assert!(!refused || self.session.is_closed() && !was_closed);
        self.unheard += 1;
        if self.unheard == MAX_UNHEARD {
            self.take_events();
        }
    }

    /// What the owner does of its own.
    pub(super) fn act(&mut self, script: &mut Script<'_>) {
        let now = self.now;
        let op = script.below(17);
        let pid = script.number();
        match op {
            0 | 1 => self.call(pid, script),
            2 => {
                let what = payload(script);
                let _ = self.session.cast(Cast {
                    to: pid,
                    what,
                    ..Cast::default()
                });
            }
            3 => drop(self.session.stop(pid, None, script.flag())),
            // Who has not heard what was said before cannot tell which of two monitors has ended.
            4 | 5 if self.session.has_events() => {}
            4 => {
                let monitored = self.session.monitor(pid).is_ok();
                self.monitors.extend(monitored.then_some(pid));
            }
            5 => {
                let undone = self.session.demonitor(pid).is_ok();
                self.monitors.retain(|of| !undone || *of != pid);
            }
            6 | 7 => self.session.announce([actor(pid)]),
            8 => self.session.join("", "group", vec![actor(pid)]),
            9 => self.session.leave("", "group", vec![actor(pid)]),
            10 => {
                self.session.terminate(now, pid);
                self.late
                    .extend(self.asked.extract_if(.., |(to, _)| *to == pid));
                self.late.truncate(MAX_LATE);
            }
            11 => self.session.exited(pid, ExitKind::Stopped, None),
            12 => {
                let verb = script.one_of(&[Verb::Stop, Verb::Monitor]);
                self.session.refuse(pid, verb);
            }
            13 | 14 => self.answer(script),
            15 => self.session.synced(),
            _ => self.session.probe(now),
        }
    }

    fn call(&mut self, pid: u64, script: &mut Script<'_>) {
        self.called += 1;
        let ask = Call {
            to: pid,
            what: payload(script),
            ..Call::default()
        };
        let timeout = script
            .flag()
            .then(|| Duration::from_millis(script.number()));
        let limit = self.config.max_open_calls;
        match self.session.call(self.now, ask, timeout, self.called) {
            Ok(()) => drop(self.open.insert(self.called)),
            Err(SendError::TooManyCalls { .. }) => assert!(self.open.len() >= limit),
            Err(_) => {}
        }
        assert!(self.open.len() <= limit || self.session.has_events());
    }

    fn answer(&mut self, script: &mut Script<'_>) {
        if self.asked.is_empty() {
            return;
        }
        let (pid, tag) = self
            .asked
            .swap_remove(script.below(self.asked.len().min(256)));
        let what = payload(script);
        if script.flag() || !self.session.has_room_for_reply(what.len()) {
            let code = CallErrorCode::Undecodable;
            self.session.drop_call(self.now, pid, tag, code);
        } else {
            let _ = self.session.reply(self.now, pid, tag, what);
        }
    }

    /// Time, the link, and what was decided.
    pub(super) fn go_on(&mut self, script: &mut Script<'_>) {
        match script.below(8) {
            0 => self.now += Duration::from_millis(script.byte().into()),
            1 => self.now += Duration::from_secs(script.byte().into()),
            2 => {
                self.now = self
                    .session
                    .poll_timeout()
                    .unwrap_or(self.now)
                    .max(self.now)
            }
            3 => self.session.written(self.now),
            4 => {
                for _ in 0..script.below(4) {
                    let _ = self.session.poll_transmit();
                }
            }
            5 => while self.session.poll_transmit().is_some() {},
            6 => self.take_events(),
            _ => match script.below(8) {
                0 => self.session.goodbye(GoodbyeReason::Closed, ""),
                1 | 2 => self.open_channel(script),
                3 => {
                    if let Some(channel) = self.channels.pop() {
                        self.session.close_channel(channel);
                    }
                }
                _ => {
                    if let Some(channel) = self.channels.last() {
                        let what = payload(script);
                        let _ = self.session.send_on_channel(*channel, what);
                    }
                }
            },
        }
        self.session.handle_timeout(self.now);
        let due = self.session.poll_timeout();
        assert!(due.is_none_or(|due| due > self.now), "what is due is done");
    }

    fn open_channel(&mut self, script: &mut Script<'_>) {
        let name = format!("channel{}", script.below(3));
        let mut config = ChannelConfig::default();
        config.max_message_len = 50_000;
        config.window = 0;
        let opened = self.session.open_channel(&name, config);
        self.channels.extend(opened.ok());
    }

    fn take_events(&mut self) {
        self.unheard = 0;
        while let Some(event) = self.session.poll_event() {
            self.on_event(event);
        }
        if self.session.is_closed() {
            assert!(self.open.is_empty(), "calls are open for ever");
        }
    }

    fn on_event(&mut self, event: Event<u32>) {
        match event {
            Event::Reply { call, .. } | Event::CallEnded { call, .. } => {
                assert!(self.open.remove(&call), "call {call} ended twice");
            }
            Event::Call(call) => {
                assert!(self.asked.len() < self.config.max_open_calls);
                self.asked.push((call.to, call.tag));
            }
            Event::Exited { pid, .. } => assert!(self.monitors.remove(&pid)),
            Event::Refused {
                pid,
                verb: Verb::Monitor,
            } => assert!(self.monitors.remove(&pid)),
            Event::ChannelMessage {
                channel,
                data,
                cost,
            } => {
                assert!(data.len() <= 50_000 && cost >= data.len() as u64);
                self.session.taken_from_channel(channel, cost);
            }
            Event::Terminated(pids) => {
                assert!(pids.iter().all(|pid| !self.monitors.contains(pid)));
            }
            _ => {}
        }
    }

    pub(super) fn check(&self) {
        let queued = self.session.queued_len();
        assert!(!self.session.is_closed() || queued == 0);
        // The last message of each may go beyond.
        let most = self.config.max_outbox + MAX_EXPRESS_BACKLOG + MAX_CONTROL_BACKLOG;
        assert!(queued <= most + 3 * MAX_MESSAGE_LEN, "{queued} bytes wait");
        let known = self.session.remote_pids().count();
        assert!(known <= self.config.max_announced_actors);
    }

    pub(super) fn end(mut self) {
        self.session.close();
        self.take_events();
        assert!(self.open.is_empty());
        let left = (self.session.queued_len(), self.session.poll_timeout());
        assert_eq!(left, (0, None));
        let last = std::iter::from_fn(|| self.session.poll_transmit()).count();
        assert!(last <= 1, "nothing but a goodbye");
    }
}

fn actor(pid: u64) -> Actor {
    Actor {
        pid,
        name: (pid & 1 == 1).then(|| format!("own{pid}")),
    }
}
