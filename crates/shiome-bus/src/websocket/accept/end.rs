//! The server's end of an open link.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use super::text;
use crate::{
    Remote,
    error::cut,
    websocket::{
        hub::{Admitted, Hub},
        intake::Inbox,
        member::{Member, Order},
        names::name_taken,
        open::{OpenLink, Terms},
        options::{MAX_HEARTBEAT, MIN_HEARTBEAT},
        presence::{Gather, Told},
        pump::{End, now},
    },
    wire::{
        Apart, CloseReason, Encoding, Frame, Goodbye, Hello, Message, Presence, Refused, VERSION,
        Welcome,
    },
};

mod taking;

/// Refusals that wait for a gateway to read them. One that asks for more names that it does not get is shut out.
const MAX_REFUSED: usize = 4096;

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
        let inbox = member.inbox();
        let mut state = member.state();
        // What came is not to come again, also where it was not taken yet.
        let received = state.session.received() + inbox.envelopes() as u64;
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
        let before = state.bell.for_order();
        drop(state);
        drop(inbox);
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

    /// Takes what came in the order in which it came, up to what the client may not say.
    fn hear(&mut self, heard: Apart, bytes: usize) -> Result<(), CloseReason> {
        let (mut envelopes, mut others) = (heard.envelopes, heard.others.into_iter());
        let (mut count, mut forged, mut result) = (0, Vec::new(), Ok(()));
        while result.is_ok() {
            let is_next = |(before, _): &(usize, Frame)| *before <= count;
            if others.as_slice().first().is_some_and(is_next) {
                result = others
                    .next()
                    .map_or(Ok(()), |(_, other)| self.hear_other(other));
                continue;
            }
            let Some(envelope) = envelopes.get(count) else {
                break;
            };
            let allowed = self.hub.check(&self.member, envelope);
            if allowed != Ok(true) {
                forged.push(count);
            }
            result = allowed.map(drop);
            count += 1;
        }
        envelopes.truncate(count);
        for place in forged.into_iter().rev() {
            envelopes.remove(place);
        }
        if result != Err(CloseReason::Malformed) && count > 0 {
            self.park(envelopes, count, bytes);
        }
        result
    }

    fn hear_other(&mut self, heard: Frame) -> Result<(), CloseReason> {
        match heard {
            Frame::Presence(presence) if self.member.gateway => self.hear_presence(presence),
            Frame::Presence(_) => Err(CloseReason::Malformed),
            Frame::Goodbye(goodbye) => {
                self.goodbye = true;
                Err(goodbye.reason)
            }
            _ => Ok(()),
        }
    }

    fn hear_presence(&mut self, presence: Presence) -> Result<(), CloseReason> {
        let Ok(gathered) = self.snapshot.add(presence) else {
            return Err(CloseReason::Malformed);
        };
        let Some(presence) = gathered else {
            return Ok(());
        };
        let mut presence = presence;
        let known = self.member.state().speaks_for.clone();
        // The bus hears of those only whose names it gets.
        let mut refused = self.hub.speaks_for(&self.member, &mut presence);
        if let Some(attached) = self.member.attached.get() {
            let taken = attached.hear_presence(&known, &presence);
            self.hub.speaks_not_for(&self.member, &taken);
            let names = taken.into_iter();
            refused.extend(names.map(|id| Refused {
                id: Some(id.clone()),
                ..name_taken(&id, None)
            }));
        }
        if self.link.said() + refused.len() > MAX_REFUSED {
            return Err(CloseReason::Policy);
        }
        for refused in refused {
            self.link.say(Frame::Refused(refused));
        }
        Ok(())
    }

    fn obey_order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Probe => self.link.probe(now, self.hub.options.probe),
            Order::Ask => self.link.ask(),
            Order::Tell => self.tell(),
            Order::Close(reason) => self.over = Some(reason),
        }
    }

    /// The connection is over. What came over it is still taken.
    pub(super) fn unlink(&self) {
        let mut state = self.member.state();
        if state.connection == self.connection {
            state.linked = false;
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
        if self.is_current()
            && let Some(attached) = self.member.attached.get()
        {
            attached.down();
        }
        if matches!(reason, CloseReason::Lost(_) | CloseReason::Overload) || self.goodbye {
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
    fn obey(&mut self, now: Instant, waker: &Waker) {
        let member = Arc::clone(&self.member);
        let mut state = member.state();
        if state.connection != self.connection {
            self.over = Some(CloseReason::Replaced);
            return;
        }
        state.bell.wait(waker);
        while let Some(order) = state.orders.pop_first() {
            drop(state);
            self.obey_order(now, order);
            state = member.state();
        }
        if state.closing && state.session.queued() == 0 {
            self.over = self.over.or(Some(CloseReason::Closed));
        }
    }

    fn handle_message(&mut self, now: Instant, message: &Message) {
        let mut state = self.member.state();
        if state.connection != self.connection || state.ended {
            // It says nothing more; what it says is not counted.
            return;
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

    fn poll_message(&mut self, now: Instant) -> Option<Message> {
        let member = Arc::clone(&self.member);
        let mut state = member.state();
        // Nothing of a peer arrives before it is told that it is here.
        let news = state.session.has_next() && !self.link.has_said();
        if news && self.hub.has_news(&self.told) {
            drop(state);
            self.tell();
            state = member.state();
        }
        if state.connection != self.connection {
            return None;
        }
        let message = self.link.poll_message(now, &mut state.session);
        if message.is_none() {
            state.bell.idle();
        }
        message
    }

    fn poll_deliver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_inbox(cx)
    }

    fn is_full(&self) -> bool {
        let inbox = self.member.inbox();
        inbox.intake.is_full() || (inbox.delivery.is_some() && self.hub.is_parked_full())
    }

    fn timeout(&self, writable: bool) -> Option<Instant> {
        let state = self.member.state();
        Some(self.link.timeout(&state.session, writable))
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
        let mut inbox = self.member.inbox();
        if self.is_current() {
            // Empty, but where whoever served the connection stopped.
            self.hub.unparked(inbox.bytes());
            *inbox = Inbox::default();
        }
    }
}
