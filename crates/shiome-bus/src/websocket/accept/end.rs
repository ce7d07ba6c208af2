//! The server's end of an open link.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::text;
use crate::{
    BoxFuture, Envelope, Remote,
    error::cut,
    websocket::{
        hub::{Admitted, Hub},
        member::{Member, Order},
        names::name_taken,
        open::{OpenLink, Terms},
        options::{MAX_HEARTBEAT, MIN_HEARTBEAT},
        presence::Told,
        pump::{End, now},
    },
    wire::{
        CloseReason, Encoding, Frame, Goodbye, Hello, Message, Presence, Refused, VERSION, Welcome,
    },
};

fn remote(member: &Member) -> Remote {
    let id = member.id.clone();
    match member.gateway {
        true => Remote::gateway(id),
        false => Remote::peer(id),
    }
}

/// The server's end of an open link.
pub(super) struct ServerEnd {
    hub: Arc<Hub>,
    pub(super) member: Arc<Member>,
    /// Which connection of the member this is.
    pub(super) connection: u64,
    link: OpenLink,
    heartbeat: Duration,
    told: Told,
    /// What the bus of this process is taking.
    delivery: Option<BoxFuture<'static, ()>>,
    over: Option<CloseReason>,
    /// The client has said goodbye.
    goodbye: bool,
}

impl ServerEnd {
    pub(super) fn new(
        hub: &Arc<Hub>,
        hello: &Hello,
        admitted: Admitted,
    ) -> Result<(Self, Message), Refused> {
        let Admitted { member, resumed } = admitted;
        let heartbeat =
            Duration::from_millis(hello.heartbeat_ms).clamp(MIN_HEARTBEAT, MAX_HEARTBEAT);
        let heartbeat = heartbeat.min(hub.options.heartbeat);
        let binary = hub.options.binary && hello.encodings.first() == Some(&Encoding::Binary);
        let terms = Terms {
            encoding: if binary {
                Encoding::Binary
            } else {
                Encoding::Json
            },
            max_message: hello.max_message,
            heartbeat_ms: heartbeat.as_millis() as u64,
        };
        if let Some(attached) = member.attached.get()
            && let Err(error) = attached.up(remote(&member), Some(member.incarnation))
        {
            hub.remove(&member, CloseReason::NameTaken);
            return Err(Refused {
                detail: cut(&error.to_string()).to_owned(),
                ..name_taken(&member.id, None)
            });
        }
        let mut state = member.state();
        let received = state.session.received();
        let had = hello.received.unwrap_or_default();
        if !resumed {
            state.session.restart(terms.encoding, usize::MAX);
        } else if state.session.resume(had, terms.encoding).is_err() {
            return Err(Refused::new(CloseReason::Malformed));
        }
        state.connection += 1;
        state.linked = true;
        let connection = state.connection;
        // The connection before this one finds out that it is over.
        let before = state.waker.take();
        drop(state);
        if let Some(before) = before {
            before.wake();
        }
        let welcome = Welcome {
            version: VERSION,
            id: hub.id.clone(),
            incarnation: hub.incarnation,
            relay: hub.options.relay,
            gateway: member.gateway,
            encoding: terms.encoding,
            reclaim: member.reclaim.secret(),
            resumed,
            received,
            max_message: hub.options.max_message as u64,
            heartbeat_ms: terms.heartbeat_ms,
            grace_ms: hub.options.grace.as_millis() as u64,
        };
        let mut end = Self {
            hub: Arc::clone(hub),
            member,
            connection,
            link: OpenLink::new(now(), terms),
            heartbeat,
            told: Told::default(),
            delivery: None,
            over: None,
            goodbye: false,
        };
        end.tell();
        Ok((end, text(Frame::Welcome(Box::new(welcome)))))
    }

    /// Tells what is new of presence, unless what was told last still waits.
    fn tell(&mut self) {
        if self.link.has_said() {
            return;
        }
        for presence in self.hub.news(&mut self.told, &self.member.id) {
            self.link.say(Frame::Presence(presence));
        }
    }

    fn hear(&mut self, heard: Vec<Frame>) -> Result<(), CloseReason> {
        let mut envelopes = Vec::new();
        for heard in heard {
            match heard {
                Frame::Envelope(envelope) => {
                    envelopes.extend(self.hub.route(&self.member, envelope)?);
                }
                Frame::Presence(presence) if self.member.gateway => self.hear_presence(presence),
                Frame::Presence(_) => return Err(CloseReason::Malformed),
                Frame::Goodbye(goodbye) => {
                    self.goodbye = true;
                    self.deliver(envelopes);
                    return Err(goodbye.reason);
                }
                _ => {}
            }
        }
        self.deliver(envelopes);
        Ok(())
    }

    /// Hands envelopes to the bus of this process, one after the other.
    fn deliver(&mut self, envelopes: Vec<Envelope>) {
        if envelopes.is_empty() {
            return;
        }
        if let Some(attached) = self.member.attached.get() {
            self.member.state().received += envelopes.len() as u64;
            self.delivery = Some(attached.deliver(envelopes));
        }
    }

    fn hear_presence(&mut self, presence: Presence) {
        if let Some(attached) = self.member.attached.get() {
            let known = self.member.state().speaks_for.clone();
            attached.hear_presence(&known, &presence);
        }
        for refused in self.hub.speaks_for(&self.member, presence) {
            self.link.say(Frame::Refused(refused));
        }
    }

    fn obey(&mut self, now: Instant, order: Order) {
        match order {
            Order::Probe => self.link.probe(now, self.hub.options.probe),
            Order::Ask => self.link.ask(),
            Order::Tell => self.tell(),
            Order::Close(reason) => self.over = Some(reason),
        }
    }

    /// The link is over: the last message, if the client can hear it.
    pub(super) fn over(&mut self, reason: CloseReason) -> Option<Message> {
        if reason == CloseReason::Malformed {
            self.hub.counters.malformed();
            if let Some(attached) = self.member.attached.get() {
                attached.malformed();
            }
        }
        let mut state = self.member.state();
        if state.connection == self.connection {
            state.linked = false;
            state.waker = None;
        }
        let lost = matches!(reason, CloseReason::Lost(_) | CloseReason::Overload) || self.goodbye;
        drop(state);
        if self.is_current()
            && let Some(attached) = self.member.attached.get()
        {
            attached.down();
        }
        if lost {
            return None;
        }
        self.link.goodbye(Goodbye::new(reason));
        let mut state = self.member.state();
        self.link.poll_message(now(), &mut state.session)
    }

    fn is_current(&self) -> bool {
        self.member.state().connection == self.connection
    }

    /// Whether the client has left for good.
    pub(super) fn left(&self, reason: CloseReason) -> bool {
        let gone =
            reason.is_goodbye() || matches!(reason, CloseReason::Policy | CloseReason::Malformed);
        gone && self.is_current()
    }
}

impl End for ServerEnd {
    fn handle_message(&mut self, now: Instant, message: &Message) {
        let mut state = self.member.state();
        if state.connection != self.connection {
            drop(state);
            self.over = Some(CloseReason::Replaced);
            return;
        }
        let queued = state.session.queued();
        let heard = self.link.handle_message(now, &mut state.session, message);
        let room = state.session.queued() < queued;
        drop(state);
        if room {
            self.member.room.notify_waiters();
            if let Some(attached) = self.member.attached.get() {
                attached.flushed.notify_waiters();
            }
        }
        let result = heard.and_then(|heard| self.hear(heard));
        self.over = self.over.or_else(|| result.err());
    }

    fn handle_timeout(&mut self, now: Instant) {
        let handled = self.link.handle_timeout(now);
        self.over = self.over.or_else(|| handled.err());
    }

    fn poll_message(&mut self, now: Instant, waker: &Waker) -> Option<Message> {
        let member = Arc::clone(&self.member);
        let mut state = member.state();
        if state.connection != self.connection {
            self.over = Some(CloseReason::Replaced);
            return None;
        }
        while let Some(order) = state.orders.pop_first() {
            drop(state);
            self.obey(now, order);
            state = member.state();
        }
        let message = self.link.poll_message(now, &mut state.session);
        if message.is_none() {
            state.wait(waker);
            if state.closing && state.session.queued() == 0 {
                self.over = self.over.or(Some(CloseReason::Closed));
            }
        }
        message
    }

    fn poll_deliver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(delivery) = &mut self.delivery else {
            return Poll::Ready(());
        };
        let polled = delivery.as_mut().poll(cx);
        if polled.is_ready() {
            self.delivery = None;
        }
        polled
    }

    fn timeout(&self) -> Option<Instant> {
        Some(self.link.timeout(&self.member.state().session))
    }

    fn handle_deaf(&mut self, now: Instant) {
        self.link.deaf(now);
    }

    fn patience(&self) -> Duration {
        self.heartbeat * 2
    }

    fn is_over(&self) -> Option<CloseReason> {
        self.over
    }
}
