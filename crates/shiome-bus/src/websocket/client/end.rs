//! The client's end of a connection.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker, ready},
    time::{Duration, Instant},
};

use tracing::{debug, warn};

use super::shared::{Shared, State, too_long};
use crate::{
    BoxFuture, BusError, Envelope, Incarnation, PeerId, Remote,
    websocket::{
        attached::Attached,
        dialer::{Client, ClientEvent, Ended},
        intake::{Arrived, Intake},
        presence::Gather,
        pump::{End, now},
        session::Session,
    },
    wire::{CloseReason, Frame, Message, Welcome},
};

mod presence;

/// How long a link goes on for what was not acknowledged when its peer went.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// The machine of a client, between its connection and the bus.
pub(super) struct ClientEnd {
    shared: Arc<Shared>,
    attached: Arc<Attached>,
    pub(super) incarnation: Incarnation,
    pub(super) client: Client,
    /// Those at the other end, as far as they were told.
    snapshot: Gather,
    intake: Intake,
    /// The message that the bus is taking.
    delivery: Option<(Arrived, BoxFuture<'static, ()>)>,
    over: Option<CloseReason>,
    ended: Option<CloseReason>,
    /// The link was no longer wanted.
    left: bool,
    /// When it is to be left, whether all has arrived or not.
    leave_by: Option<Instant>,
    heartbeat: Duration,
}

impl State {
    /// Whether the link is to be there for this run of its peer.
    pub(super) fn wants(&self, id: &PeerId, incarnation: Incarnation) -> bool {
        !self.stop && self.local.get(id) == Some(&incarnation)
    }
}

impl ClientEnd {
    /// Whether the link is to end now: at once when it is told to, and when its peer has gone as soon as all that this said has
    /// arrived, but not much later.
    fn is_to_leave(&mut self, now: Instant, state: &State) -> bool {
        if self.left || state.wants(&self.shared.id, self.incarnation) {
            self.leave_by = None;
            return false;
        }
        if self.leave_by.is_none() {
            self.client.ask();
        }
        let by = *self.leave_by.get_or_insert(now + LEAVE_WITHIN);
        let waits = self.client.is_open() && state.session.queued() > 0;
        state.stop || !waits || by <= now
    }

    pub(super) fn new(
        shared: Arc<Shared>,
        attached: Arc<Attached>,
        incarnation: Incarnation,
        client: Client,
    ) -> Self {
        let heartbeat = shared.options.heartbeat;
        Self {
            shared,
            attached,
            incarnation,
            client,
            snapshot: Gather::default(),
            intake: Intake::default(),
            delivery: None,
            over: None,
            ended: None,
            left: false,
            leave_by: None,
            heartbeat,
        }
    }

    /// Has the machine do something, and then does what that calls for.
    pub(super) fn with(&mut self, act: impl FnOnce(&mut Client, &mut Session, Instant)) {
        let queued = {
            let shared = Arc::clone(&self.shared);
            let mut state = shared.state();
            let queued = state.session.queued();
            act(&mut self.client, &mut state.session, now());
            state.round_trip = self.client.round_trip();
            state.session.queued() < queued
        };
        if queued {
            self.shared.room.notify_waiters();
            self.attached.flushed.notify_waiters();
        }
    }

    /// The next thing that the owner has to do; what can be done here is done.
    pub(super) fn poll_event(&mut self) -> Option<ClientEvent> {
        self.poll_event_of(0)
    }

    /// The same, when a message of so many bytes came.
    fn poll_event_of(&mut self, bytes: usize) -> Option<ClientEvent> {
        loop {
            match self.client.poll_event()? {
                ClientEvent::Dial => return Some(ClientEvent::Dial),
                ClientEvent::Envelopes(envelopes) => {
                    let count = envelopes.len();
                    self.intake.push(envelopes, count, bytes);
                }
                event => self.handle_event(event),
            }
        }
    }

    fn handle_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Up(welcome) => self.up(&welcome),
            ClientEvent::Heard(Frame::Presence(presence)) => self.hear_presence(presence),
            ClientEvent::Heard(Frame::Refused(refused)) => {
                warn!(id = ?refused.id, reason = %refused.reason, "the server does not let a peer in");
            }
            ClientEvent::TooLong(envelopes) => self.give_up(envelopes, |shared, envelope| {
                let limit = shared.state().max_message.unwrap_or_default();
                too_long(envelope, limit)
            }),
            ClientEvent::Close(reason) => {
                self.over = Some(reason);
                if reason == CloseReason::Malformed {
                    self.attached.malformed();
                }
            }
            ClientEvent::Down(reason) => self.down(reason),
            ClientEvent::Ended(ended) => self.end(ended),
            ClientEvent::Dial | ClientEvent::Envelopes(_) | ClientEvent::Heard(_) => {}
        }
    }

    fn up(&mut self, welcome: &Welcome) {
        self.heartbeat = Duration::from_millis(welcome.heartbeat_ms);
        {
            let mut state = self.shared.state();
            state.max_message = self.client.max_message();
            state.reclaim = Some(welcome.reclaim.clone());
            state.gateway = welcome.gateway;
            state.local_changed = welcome.gateway;
            state.peers.clear();
        }
        self.snapshot = Gather::default();
        // Who is a peer there is told with its presence.
        let up = self.attached.up(Remote::gateway(welcome.id.clone()), None);
        if let Err(error) = up {
            warn!(%error, "the bus does not take this server");
        }
    }

    fn down(&mut self, reason: CloseReason) {
        debug!(%reason, "link down");
        {
            let mut state = self.shared.state();
            state.max_message = None;
        }
        self.attached.down();
        self.shared.room.notify_waiters();
    }

    fn end(&mut self, ended: Ended) {
        if let Some(refused) = &ended.refused {
            warn!(reason = %refused.reason, detail = refused.detail, "not let in");
        }
        self.give_up(ended.unacknowledged, Shared::not_connected);
        self.shared.state().ended = Some(match ended.refused {
            Some(refused) => (refused.reason, refused.detail),
            None => (ended.reason, String::new()),
        });
        self.ended = Some(ended.reason);
    }

    /// Envelopes that were taken are not sent, or may not have arrived.
    fn give_up(&self, envelopes: Vec<Envelope>, why: impl Fn(&Shared, &Envelope) -> BusError) {
        {
            let mut state = self.shared.state();
            state.errors += envelopes.len() as u64;
            state.lost += envelopes.len() as u64;
        }
        for envelope in envelopes {
            let why = why(&self.shared, &envelope);
            self.attached.inbound.lost(&envelope, why);
        }
        self.attached.flushed.notify_waiters();
    }

    /// The connection is over.
    pub(super) fn closed(&mut self, reason: CloseReason) {
        self.with(|client, session, now| client.handle_closed(now, session, reason));
        self.over = None;
    }

    /// The link is no longer wanted.
    pub(super) fn leave(&mut self) {
        self.left = true;
        self.with(|client, session, now| client.close(now, session));
    }

    pub(super) fn last_message(&mut self) -> Option<Message> {
        let shared = Arc::clone(&self.shared);
        self.client.poll_message(now(), &mut shared.state().session)
    }

    pub(super) fn ended(&self) -> Option<CloseReason> {
        self.ended
    }

    pub(super) fn was_left(&self) -> bool {
        self.left
    }
}

impl End for ClientEnd {
    fn obey(&mut self, now: Instant, waker: &Waker) {
        let shared = Arc::clone(&self.shared);
        let leaves = {
            let mut state = shared.state();
            state.bell.wait(waker);
            self.is_to_leave(now, &state)
        };
        if leaves {
            self.leave();
            self.poll_event();
        }
    }

    fn handle_message(&mut self, _: Instant, message: &Message) {
        self.with(|client, session, now| client.handle_message(now, session, message));
        let event = self.poll_event_of(message.as_bytes().len());
        debug_assert!(
            event.is_none(),
            "nothing is dialled while there is a connection"
        );
    }

    fn handle_timeout(&mut self, _: Instant) {
        self.with(|client, session, now| client.handle_timeout(now, session));
        self.poll_event();
    }

    fn poll_message(&mut self, now: Instant) -> Option<Message> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.state();
        if std::mem::take(&mut state.local_changed) && state.gateway && self.client.is_open() {
            for presence in Self::others(&shared, &state) {
                self.client.say(Frame::Presence(presence));
            }
        }
        if std::mem::take(&mut state.ask) {
            self.client.ask();
        }
        let message = self.client.poll_message(now, &mut state.session);
        if message.is_none() {
            state.bell.idle();
        }
        message
    }

    fn poll_deliver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some((_, delivery)) = &mut self.delivery {
                ready!(delivery.as_mut().poll(cx));
            }
            if let Some((taken, _)) = self.delivery.take() {
                let mut state = self.shared.state();
                let envelopes = taken.envelopes as u64;
                state.session.receive(now(), envelopes, taken.bytes);
            }
            let Some(mut arrived) = self.intake.pop() else {
                return Poll::Ready(());
            };
            let envelopes = std::mem::take(&mut arrived.left).collect();
            self.shared.state().received += arrived.envelopes as u64;
            self.delivery = Some((arrived, self.attached.deliver(envelopes)));
        }
    }

    fn is_full(&self) -> bool {
        self.intake.is_full()
    }

    fn timeout(&self, writable: bool) -> Option<Instant> {
        let state = self.shared.state();
        let timeout = self.client.timeout(&state.session, writable);
        self.leave_by.into_iter().chain(timeout).min()
    }

    fn handle_deaf(&mut self, now: Instant) {
        self.client.deaf(now);
    }

    fn patience(&self) -> Duration {
        self.heartbeat * 2
    }

    fn is_over(&self) -> Option<CloseReason> {
        self.over
    }
}
