//! One node of the cluster as a link of the bus.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use shiome_bus::{
    BoxFuture, BusError, Envelope, Inbound, Incarnation, Link, LinkKind, LinkState, LinkStats,
    PeerId, Remote, wire::max_envelope_len,
};
use tokio::{
    sync::{Notify, watch},
    time::timeout,
};

use crate::outbox::{Full, Outbox};

mod claims;

pub(crate) use claims::{Claims, Refusal};

/// Time for the other node to hear a goodbye.
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// A node of the cluster, whichever session there is with it, as the bus has it. The link ends when the bus lets go of it.
pub(crate) struct ClusterLink(Arc<Shared>);

/// What the bus and the task of the session share.
pub(crate) struct Shared {
    /// The other node, as a peer is called.
    pub(crate) id: PeerId,
    pub(crate) remote: Remote,
    inbound: OnceLock<Arc<dyn Inbound>>,
    state: Mutex<State>,
    /// Held while the bus is told: it comes before the bus' own locks, and the bus does not take it.
    claims: Mutex<Claims>,
    told: watch::Sender<LinkState>,
    /// Wakes the one that writes.
    pub(crate) work: Notify,
    /// Wakes those that wait for room, or for the end.
    room: Notify,
    /// Wakes those that wait until all has arrived.
    flushed: Notify,
}

/// What is known of the link.
pub(crate) struct State {
    pub(crate) outbox: Outbox,
    /// Bytes of the longest message that the other node takes, while there is a session.
    max_message: Option<usize>,
    /// Own peers that the other node has refused.
    pub(crate) taken: BTreeSet<PeerId>,
    /// Takes nothing more.
    closing: bool,
    /// Is to say goodbye.
    pub(crate) stop: bool,
    last_ping: u64,
    last_pong: u64,
    sent: u64,
    received: u64,
    errors: u64,
}

impl Shared {
    pub(crate) fn new(id: PeerId, remote: Remote) -> Self {
        Self {
            id,
            remote,
            inbound: OnceLock::new(),
            state: Mutex::new(State {
                outbox: Outbox::default(),
                max_message: None,
                taken: BTreeSet::new(),
                closing: false,
                stop: false,
                last_ping: 0,
                last_pong: 0,
                sent: 0,
                received: 0,
                errors: 0,
            }),
            claims: Mutex::default(),
            told: watch::Sender::new(LinkState::Connecting),
            work: Notify::new(),
            room: Notify::new(),
            flushed: Notify::new(),
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // The books are whole after any panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn claims(&self) -> MutexGuard<'_, Claims> {
        // The books are whole after any panic.
        self.claims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn inbound(&self) -> Option<&Arc<dyn Inbound>> {
        self.inbound.get()
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(*self.told.borrow(), LinkState::Closed(_))
    }

    pub(crate) fn told(&self) -> LinkState {
        self.told.borrow().clone()
    }

    /// There is a session with the node, which takes messages of that length.
    pub(crate) fn up(&self, max_message: usize) {
        {
            let mut state = self.state();
            state.outbox.renew();
            state.taken.clear();
            state.max_message = Some(max_message);
        }
        if let Some(inbound) = self.inbound() {
            inbound.up(self.remote.clone());
        }
        self.told.send_if_modified(|told| {
            let waits = *told == LinkState::Connecting;
            if waits {
                *told = LinkState::Up;
            }
            waits
        });
        self.work.notify_one();
    }

    /// The session is gone, and another may come.
    pub(crate) fn down(&self) {
        let was_up = {
            let mut state = self.state();
            let lost = state.outbox.renew() as u64;
            state.errors += lost;
            state.max_message.take().is_some()
        };
        self.told.send_if_modified(|told| {
            let was = *told == LinkState::Up;
            if was {
                *told = LinkState::Connecting;
            }
            was
        });
        if was_up && let Some(inbound) = self.inbound() {
            inbound.down();
        }
        self.room.notify_waiters();
        self.flushed.notify_waiters();
    }

    /// The link has ended.
    pub(crate) fn end(&self, why: &str) {
        self.down();
        let last = self.told.send_if_modified(|told| {
            let last = !matches!(told, LinkState::Closed(_));
            if last {
                *told = LinkState::Closed(why.into());
            }
            last
        });
        if last && let Some(inbound) = self.inbound() {
            inbound.closed();
        }
        self.work.notify_one();
    }

    /// The link is to say goodbye.
    pub(crate) fn stop(&self) {
        self.state().stop = true;
        self.work.notify_one();
        self.room.notify_waiters();
    }

    /// The next message for the other node.
    pub(crate) fn next_message(&self) -> Option<bytes::Bytes> {
        let next = {
            let mut state = self.state();
            let next = state.outbox.next();
            state.sent += next.as_ref().map_or(0, |(_, envelopes)| *envelopes as u64);
            next
        };
        let (message, envelopes) = next?;
        if envelopes > 0 {
            self.room.notify_waiters();
        }
        Some(message)
    }

    pub(crate) fn received(&self, envelopes: usize) {
        self.state().received += envelopes as u64;
    }

    /// The other node has taken all that was there at a ping.
    pub(crate) fn ponged(&self, nonce: u64) {
        {
            let mut state = self.state();
            // Those that were never sent mean nothing.
            state.last_pong = state.last_pong.max(nonce.min(state.last_ping));
        }
        self.flushed.notify_waiters();
    }

    fn push(&self, envelope: &Envelope) -> Result<(), BusError> {
        let to = || envelope.to.clone();
        {
            let mut state = self.state();
            if state.closing || state.stop || self.is_closed() {
                return Err(BusError::Closed(to()));
            }
            let Some(max_message) = state.max_message else {
                return Err(BusError::NotConnected(to()));
            };
            let len = max_envelope_len(envelope);
            if len > max_message {
                let payload = envelope.intent.payload().text_len();
                return Err(BusError::PayloadTooLarge {
                    len: payload,
                    limit: max_message.saturating_sub(len - payload),
                });
            }
            let pushed = state.outbox.push(envelope);
            pushed.map_err(|Full| BusError::QueueFull(to()))?;
        }
        self.work.notify_one();
        Ok(())
    }

    /// Asks the other node for an answer once it has all that is there; nothing when there is nothing to ask for.
    fn ask(&self) -> Option<u64> {
        let nonce = {
            let mut state = self.state();
            state.max_message?;
            state.last_ping += 1;
            let nonce = state.last_ping;
            state.outbox.ping(nonce);
            nonce
        };
        self.work.notify_one();
        Some(nonce)
    }

    async fn answered(&self, nonce: u64) -> Result<(), BusError> {
        loop {
            let news = self.flushed.notified();
            {
                let state = self.state();
                if state.last_pong >= nonce {
                    return Ok(());
                }
                if state.max_message.is_none() {
                    return Err(BusError::NotConnected(self.id.clone()));
                }
            }
            news.await;
        }
    }

    async fn close(&self, deadline: Duration) -> Result<(), BusError> {
        self.state().closing = true;
        self.told.send_if_modified(|told| {
            let open = !matches!(told, LinkState::Closed(_) | LinkState::Closing);
            if open {
                *told = LinkState::Closing;
            }
            open
        });
        self.room.notify_waiters();
        let flushed = match self.ask() {
            Some(nonce) => timeout(deadline, self.answered(nonce)).await,
            None => Ok(Ok(())),
        };
        let has_session = self.state().max_message.is_some();
        if has_session {
            self.stop();
            let mut told = self.told.subscribe();
            let ended = told.wait_for(|told| matches!(told, LinkState::Closed(_)));
            let _ = timeout(GOODBYE_TIMEOUT, ended).await;
        }
        self.end("closed");
        flushed.map_err(|_| BusError::Timeout {
            peer: self.id.clone(),
            after: deadline,
        })?
    }

    pub(crate) fn stats(&self) -> LinkStats {
        let state = self.state();
        let mut stats = LinkStats::new(LinkKind::CLUSTER);
        stats.messages_sent = state.sent;
        stats.messages_received = state.received;
        stats.errors = state.errors;
        stats.is_ready = state.max_message.is_some() && !state.closing;
        stats.queued = state.outbox.len();
        stats
    }
}

impl ClusterLink {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self(Arc::clone(shared))
    }
}

impl Drop for ClusterLink {
    fn drop(&mut self) {
        self.0.stop();
    }
}

impl Link for ClusterLink {
    fn kind(&self) -> LinkKind {
        LinkKind::CLUSTER
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        // A relay does not tell of those behind it.
        inbound.tells_of_all(self.0.remote.told_only);
        let started = self.0.inbound.set(inbound);
        started.map_err(|_| BusError::Closed(self.0.id.clone()))
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        self.0.push(envelope)
    }

    fn send<'a>(&'a self, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            loop {
                let room = self.0.room.notified();
                match self.0.push(envelope) {
                    Err(BusError::QueueFull(_)) => room.await,
                    sent => return sent,
                }
            }
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        let asked = self.0.ask();
        Box::pin(async move {
            match asked {
                Some(nonce) => self.0.answered(nonce).await,
                // What waited when the session was lost has been told of.
                None => Ok(()),
            }
        })
    }

    fn close(&self, deadline: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(self.0.close(deadline))
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.0.told.subscribe()
    }

    fn peers(&self) -> Vec<PeerId> {
        self.0.claims().accepted().cloned().collect()
    }

    fn stats(&self) -> LinkStats {
        self.0.stats()
    }

    fn local_peer(&self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        {
            let mut state = self.0.state();
            state.outbox.local_peer(peer, incarnation, present);
            if !present {
                state.taken.remove(peer);
            }
        }
        self.0.work.notify_one();
    }
}

impl fmt::Debug for ClusterLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClusterLink").field(&self.0.id).finish()
    }
}
