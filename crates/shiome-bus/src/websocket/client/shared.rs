//! What the handle and the task of a client's link share.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::Poll,
    time::{Duration, Instant},
};

use shiome_transport::Links;
use tokio::sync::Notify;

use crate::{
    BusError, Envelope, Incarnation, PeerId,
    websocket::{
        attached::Attached, bell::Bell, dial::Target, options::ClientOptions, pump::now,
        session::Session,
    },
    wire::{CloseReason, Secret, max_envelope_len},
};

pub(super) struct Shared {
    pub(super) id: PeerId,
    pub(super) target: Target,
    pub(super) links: Links,
    pub(super) options: ClientOptions,
    pub(super) state: Mutex<State>,
    /// Told when there is more room, and when the link goes down.
    pub(super) room: Notify,
    pub(super) attached: OnceLock<Arc<Attached>>,
}

pub(super) struct State {
    pub(super) session: Session,
    pub(super) bell: Bell,
    /// Peers of the bus.
    pub(super) local: BTreeMap<PeerId, Incarnation>,
    /// They are to be told to the server.
    pub(super) local_changed: bool,
    pub(super) gateway: bool,
    /// Those at the other end.
    pub(super) peers: BTreeMap<PeerId, Incarnation>,
    pub(super) reclaim: Option<Secret>,
    /// Bytes of the longest message that the server takes; `None` while the link is down.
    pub(super) max_message: Option<usize>,
    pub(super) ask: bool,
    pub(super) closing: bool,
    /// When it is to have ended.
    pub(super) close_by: Option<Instant>,
    /// Nothing more is to be sent.
    pub(super) stop: bool,
    /// Why it is not to be up again, and what the server said.
    pub(super) ended: Option<(CloseReason, String)>,
    pub(super) round_trip: Option<Duration>,
    pub(super) sent: u64,
    pub(super) received: u64,
    pub(super) errors: u64,
    /// Envelopes that were taken and given up.
    pub(super) lost: u64,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing of the caller runs under the lock, and nothing of ours panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and has the task look at it.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let result = change(&mut state);
        let waker = state.bell.for_order();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    pub(super) fn not_connected(&self, envelope: &Envelope) -> BusError {
        BusError::NotConnected(envelope.to.clone())
    }

    pub(super) fn push(&self, envelope: &Envelope) -> Result<(), BusError> {
        let len = max_envelope_len(envelope);
        let mut state = self.state();
        let limit = match state.max_message {
            Some(limit) if !state.closing => limit,
            _ => return Err(self.not_connected(envelope)),
        };
        if envelope.from != self.id && !state.gateway {
            let why = format!("the link speaks for {}, not for {}", self.id, envelope.from);
            return Err(BusError::Unauthorized(why.into()));
        }
        if len > limit {
            return Err(too_long(envelope, limit));
        }
        let pushed = state.session.push_of(envelope, len);
        pushed.map_err(|_| BusError::QueueFull(envelope.to.clone()))?;
        state.sent += 1;
        let waker = state.bell.for_message();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Why it is not to be up again.
    pub(super) fn why(&self) -> BusError {
        let id = self.id.clone();
        match self.state().ended.clone() {
            None | Some((CloseReason::Closed, _)) => BusError::Closed(id),
            Some((CloseReason::NameTaken | CloseReason::Replaced | CloseReason::Stale, _)) => {
                BusError::NameTaken(id)
            }
            Some((CloseReason::Unauthorized | CloseReason::Policy, detail)) => {
                BusError::Unauthorized(detail.into())
            }
            Some((reason, detail)) => BusError::network(format!("{reason} {detail}")),
        }
    }

    /// How long it may take to end.
    pub(super) fn left_to_close(&self) -> Duration {
        let by = self.state().close_by;
        by.map_or(Duration::MAX, |by| by.saturating_duration_since(now()))
    }

    /// Waits until the first `taken` are acknowledged, or given up. It may be down meanwhile.
    pub(super) async fn settled(&self, taken: u64) {
        let Some(attached) = self.attached.get() else {
            return;
        };
        loop {
            let news = attached.flushed.notified();
            {
                let state = self.state();
                if state.stop || state.session.has_flushed(taken) {
                    return;
                }
            }
            news.await;
        }
    }

    /// Waits until the first `taken` are acknowledged, where so many were `lost` before.
    pub(super) async fn flushed(&self, taken: u64, lost: u64) -> Result<(), BusError> {
        let down = || BusError::NotConnected(self.id.clone());
        let attached = self.attached.get().ok_or_else(down)?;
        loop {
            let news = attached.flushed.notified();
            {
                let state = self.state();
                if state.lost > lost {
                    return Err(down());
                }
                if state.session.has_flushed(taken) && !state.stop {
                    return Ok(());
                }
                if state.stop || state.max_message.is_none() {
                    return Err(down());
                }
            }
            news.await;
        }
    }

    /// Waits until the link is to be there, and says for which run of its peer. `None`: it is to end.
    pub(super) async fn wanted(&self) -> Option<Incarnation> {
        poll_fn(|cx| {
            let mut state = self.state();
            if state.stop || state.closing {
                return Poll::Ready(None);
            }
            if let Some(incarnation) = state.local.get(&self.id) {
                return Poll::Ready(Some(*incarnation));
            }
            state.bell.wait(cx.waker());
            Poll::Pending
        })
        .await
    }
}

/// What is said of an envelope that is longer than the server takes.
pub(super) fn too_long(envelope: &Envelope, limit: usize) -> BusError {
    let (len, payload) = (
        max_envelope_len(envelope),
        envelope.intent.payload().text_len(),
    );
    BusError::PayloadTooLarge {
        len: payload,
        limit: limit.saturating_sub(len - payload),
    }
}
