//! The server's end of an open link.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use super::text;
use crate::{
    BoxFuture, Envelope, Remote,
    error::cut,
    websocket::{
        hub::{Admitted, Hub, Routed},
        intake::{Arrived, Intake},
        member::{Member, Order},
        names::name_taken,
        open::{OpenLink, Terms},
        options::{MAX_HEARTBEAT, MIN_HEARTBEAT},
        presence::{Gather, Told},
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
    /// For whom a gateway speaks, as far as it has told.
    snapshot: Gather,
    /// What came and was not taken yet.
    intake: Intake,
    /// The message of which some is being taken, and what that takes.
    delivery: Option<(Arrived, BoxFuture<'static, ()>)>,
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
        state.full_since = None;
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
            snapshot: Gather::default(),
            intake: Intake::default(),
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

    fn hear(&mut self, heard: Vec<Frame>, bytes: usize) -> Result<(), CloseReason> {
        let mut envelopes = Vec::with_capacity(heard.len());
        let (mut count, mut result) = (0, Ok(()));
        for heard in heard {
            let took = match heard {
                Frame::Envelope(envelope) => {
                    count += 1;
                    let allowed = self.hub.check(&self.member, &envelope);
                    if allowed == Ok(true) {
                        envelopes.push(envelope);
                    }
                    allowed.map(drop)
                }
                Frame::Presence(presence) if self.member.gateway => self.hear_presence(presence),
                Frame::Presence(_) => Err(CloseReason::Malformed),
                Frame::Goodbye(goodbye) => {
                    self.goodbye = true;
                    Err(goodbye.reason)
                }
                _ => Ok(()),
            };
            if took.is_err() {
                result = took;
                break;
            }
        }
        if result != Err(CloseReason::Malformed) {
            self.hub.parked(bytes.min(bytes * count));
            self.intake.push(envelopes, count, bytes);
        }
        result
    }

    /// Passes on what came, up to an envelope for which there is no room. What that waits for is to be polled then.
    fn take(&mut self, mut arrived: Arrived) {
        let mut own = Vec::new();
        if !self.hub.options.relay && self.member.attached.get().is_some() {
            // All are for the bus of this process, in the vector that they came in.
            own = std::mem::take(&mut arrived.left).collect();
        }
        while let Some(envelope) = arrived.left.next() {
            match self.hub.route(&self.member, envelope) {
                Routed::Done => {}
                Routed::Own(envelope) => own.push(envelope),
                Routed::Waits(waits) => {
                    let waits = match self.deliver(own) {
                        Some(delivery) => Box::pin(async move {
                            delivery.await;
                            waits.await;
                        }),
                        None => waits,
                    };
                    self.delivery = Some((arrived, waits));
                    return;
                }
            }
        }
        match self.deliver(own) {
            Some(delivery) => self.delivery = Some((arrived, delivery)),
            None => self.took(&arrived),
        }
    }

    /// All of a message was taken.
    fn took(&self, arrived: &Arrived) {
        self.hub.unparked(arrived.bytes);
        let mut state = self.member.state();
        if state.connection == self.connection {
            let envelopes = arrived.envelopes as u64;
            state.session.receive(now(), envelopes, arrived.bytes);
        }
    }

    /// Hands envelopes to the bus of this process, one after the other.
    fn deliver(&self, envelopes: Vec<Envelope>) -> Option<BoxFuture<'static, ()>> {
        if envelopes.is_empty() {
            return None;
        }
        let attached = self.member.attached.get()?;
        self.member.state().received += envelopes.len() as u64;
        Some(attached.deliver(envelopes))
    }

    /// Another connection goes on with the session: what this one has not taken comes again over that.
    fn replaced(&mut self) {
        self.over = Some(CloseReason::Replaced);
        self.drop_intake();
    }

    fn drop_intake(&mut self) {
        let taking = self.delivery.take().map(|(arrived, _)| arrived.bytes);
        self.hub.unparked(self.intake.bytes() + taking.unwrap_or(0));
        self.intake = Intake::default();
    }

    fn hear_presence(&mut self, presence: Presence) -> Result<(), CloseReason> {
        let Ok(gathered) = self.snapshot.add(presence) else {
            return Err(CloseReason::Malformed);
        };
        let Some(presence) = gathered else {
            return Ok(());
        };
        if let Some(attached) = self.member.attached.get() {
            let known = self.member.state().speaks_for.clone();
            attached.hear_presence(&known, &presence);
        }
        for refused in self.hub.speaks_for(&self.member, presence) {
            self.link.say(Frame::Refused(refused));
        }
        Ok(())
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
            return self.replaced();
        }
        let queued = state.session.queued();
        let heard = self.link.handle_message(now, &mut state.session, message);
        let room = state.session.queued() < queued;
        if room {
            state.full_since = None;
        }
        drop(state);
        if room {
            self.member.room.notify_waiters();
            if let Some(attached) = self.member.attached.get() {
                attached.flushed.notify_waiters();
            }
        }
        let bytes = message.as_bytes().len();
        let result = heard.and_then(|heard| self.hear(heard, bytes));
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
            drop(state);
            self.replaced();
            return None;
        }
        loop {
            let order = state.orders.pop_first();
            // Nothing of a peer arrives before it is told that it is here.
            let order = order.or_else(|| {
                let news = state.session.has_next() && !self.link.has_said();
                (news && self.hub.has_news(&self.told)).then_some(Order::Tell)
            });
            let Some(order) = order else {
                break;
            };
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
        loop {
            if let Some((_, delivery)) = &mut self.delivery {
                ready!(delivery.as_mut().poll(cx));
            }
            let arrived = self.delivery.take().map(|(arrived, _)| arrived);
            let Some(arrived) = arrived.or_else(|| self.intake.pop()) else {
                return Poll::Ready(());
            };
            self.take(arrived);
        }
    }

    fn is_full(&self) -> bool {
        self.intake.is_full() || (self.delivery.is_some() && self.hub.is_parked_full())
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

impl Drop for ServerEnd {
    fn drop(&mut self) {
        self.drop_intake();
    }
}
