//! A client of a server, over all the connections that it takes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::yield_now,
    time::{Instant, timeout_at},
};

use super::{
    attached::Attached,
    bell::Bell,
    intake::Inbox,
    names::{Holder, Reclaim},
    outbox::QueueLimits,
    session::Session,
};
use crate::{
    BusError, Envelope, Incarnation, PeerId,
    wire::{CloseReason, max_envelope_len},
};

/// How long an envelope waits for room at most, in sum, as long as some is made now and then.
const MAX_HOLD: Duration = Duration::from_secs(10);

/// What a server knows of a client. A connection task has it, and whoever sends to the client.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) id: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) reclaim: Reclaim,
    /// It may speak for others.
    pub(crate) gateway: bool,
    /// What came over its connections. Locked before the state.
    inbox: Mutex<Inbox>,
    state: Mutex<State>,
    /// Told when there is more room in the session.
    pub(crate) room: Notify,
    /// The bus of this process, if there is one.
    pub(crate) attached: OnceLock<Arc<Attached>>,
}

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) session: Session,
    /// Number of the connection; those before are over. 0: there was none yet.
    pub(crate) connection: u64,
    pub(crate) linked: bool,
    /// No connection will come.
    pub(crate) ended: bool,
    /// Takes nothing more, and ends once all is sent.
    pub(crate) closing: bool,
    pub(crate) orders: BTreeSet<Order>,
    /// Of the task of the connection.
    pub(crate) bell: Bell,
    /// Bytes of the longest message that the client takes.
    pub(crate) max_message: usize,
    /// The others that it speaks for.
    pub(crate) speaks_for: BTreeMap<PeerId, Incarnation>,
    /// Since when there was no room, and none was made.
    pub(crate) full_since: Option<Instant>,
    pub(crate) forged: u8,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) errors: u64,
    /// Envelopes that were taken and given up.
    pub(crate) lost: u64,
}

/// What the task of a connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    /// Finds out whether the client is there.
    Probe,
    /// Has the client acknowledge what it has.
    Ask,
    /// Tells what is new of presence.
    Tell,
    /// Ends, for this reason.
    Close(CloseReason),
}

impl Member {
    pub(crate) fn new(
        id: PeerId,
        incarnation: Incarnation,
        gateway: bool,
        limits: QueueLimits,
        max_message: usize,
    ) -> Self {
        Self {
            id,
            incarnation,
            reclaim: Reclaim::random(),
            gateway,
            inbox: Mutex::default(),
            state: Mutex::new(State {
                session: Session::new(limits),
                connection: 0,
                linked: false,
                ended: false,
                closing: false,
                orders: BTreeSet::new(),
                bell: Bell::default(),
                max_message,
                speaks_for: BTreeMap::new(),
                full_since: None,
                forged: 0,
                sent: 0,
                received: 0,
                errors: 0,
                lost: 0,
            }),
            room: Notify::new(),
            attached: OnceLock::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of the caller runs under the lock, and nothing of ours panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn inbox(&self) -> MutexGuard<'_, Inbox> {
        // It is whole after any panic: what was being taken is taken on.
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn holder(&self) -> Holder {
        Holder {
            incarnation: self.incarnation,
            reclaim: self.reclaim,
            linked: self.state().linked,
        }
    }

    /// Whether the client may send as `from`.
    pub(crate) fn may_send_as(&self, from: &PeerId) -> bool {
        *from == self.id || (self.gateway && self.state().speaks_for.contains_key(from))
    }

    /// Puts an envelope to what waits for the client.
    pub(crate) fn push(&self, envelope: &Envelope) -> Result<(), BusError> {
        let mut state = self.state();
        let pushed = state.push(&self.id, envelope);
        let waker = match pushed {
            Ok(()) => state.bell.for_message(),
            Err(_) => None,
        };
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        pushed
    }

    /// Puts an envelope to what waits for the client as soon as there is room, if some is made every so often.
    pub(crate) async fn push_within(
        &self,
        envelope: &Envelope,
        patience: Duration,
    ) -> Result<(), BusError> {
        let last = Instant::now() + MAX_HOLD;
        loop {
            let room = self.room.notified();
            let full = match self.push(envelope) {
                Err(full @ BusError::QueueFull(_)) => full,
                pushed => return pushed,
            };
            let until = last.min(self.stuck_at(patience));
            if Instant::now() >= until || timeout_at(until, room).await.is_err() {
                // Should it have been this machine that stood still, what makes room has come as well.
                yield_now().await;
                return self.push(envelope).map_err(|error| match error {
                    BusError::QueueFull(_) => full,
                    error => error,
                });
            }
        }
    }

    /// When it will have been without room for so long, if none is made.
    fn stuck_at(&self, patience: Duration) -> Instant {
        self.state().full_since.unwrap_or_else(Instant::now) + patience
    }

    /// Whether it is worth while to wait for room.
    pub(crate) fn makes_room(&self, patience: Duration) -> bool {
        self.stuck_at(patience) > Instant::now()
    }

    /// Has the task of the connection do something.
    pub(crate) fn order(&self, order: Order) {
        let mut state = self.state();
        state.orders.insert(order);
        let waker = state.bell.for_order();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl State {
    fn push(&mut self, id: &PeerId, envelope: &Envelope) -> Result<(), BusError> {
        if self.ended || self.closing {
            return Err(BusError::NotConnected(id.clone()));
        }
        let len = max_envelope_len(envelope);
        if len > self.max_message {
            let payload = envelope.intent.payload().text_len();
            return Err(BusError::PayloadTooLarge {
                len: payload,
                limit: self.max_message.saturating_sub(len - payload),
            });
        }
        let pushed = self.session.push_of(envelope, len);
        pushed.map_err(|_| {
            self.full_since.get_or_insert_with(Instant::now);
            BusError::QueueFull(envelope.to.clone())
        })
    }
}
