//! The link of a bus to one peer: over a data channel while there is one, and over a detour otherwise.

mod bus;
mod diverting;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use shiome_bus::{
    BusError, Envelope, Inbound, Level, Link, LinkState, PeerId, Priority, Remote,
    wire::{Encoding, Message, max_envelope_len},
};
use tokio::sync::{Notify, watch};

use crate::{
    RtcOptions,
    chunk::WHOLE_LEN,
    connection::Terms,
    outbox::{Full, NotSent, Outbox},
    signal,
};

/// Bytes of an envelope that may go over the channel that loses: those of a datagram, less what is around it.
const MAX_LOOSE_LEN: usize = 1024;

/// Where envelopes go.
///
/// ```text
/// Relayed ── channel open ──► Held ── nothing is under way elsewhere ──► Direct
///    ▲                          │                                          │
///    └── all is under way ── Diverting ◄── channel lost ───────────────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Over another link.
    Relayed,
    /// They wait: what was sent over another link is to arrive first.
    Held,
    /// Over the channel.
    Direct,
    /// What waits goes over another link, and then what comes.
    Diverting,
    /// Nowhere.
    Closed,
}

/// The link to one peer. Lives on when its channel is lost, for the next one.
pub(crate) struct RtcLink {
    local: PeerId,
    remote: PeerId,
    options: Arc<RtcOptions>,
    inbound: OnceLock<Arc<dyn Inbound>>,
    inner: Mutex<Inner>,
    state: watch::Sender<LinkState>,
    /// There is something to do for who owns the channel.
    pub(crate) work: Notify,
    room: Notify,
    flushed: Notify,
}

#[derive(Debug)]
struct Inner {
    phase: Phase,
    outbox: Outbox,
    terms: Option<Terms>,
    sent: u64,
    received: u64,
    errors: u64,
    /// The link ended with something in it.
    left: bool,
    /// Whoever owns the channel is to close it.
    ending: bool,
}

/// Where an envelope is to be put.
enum Way {
    Done(Result<(), BusError>),
    Detour,
    /// Past all that waits here.
    Ahead(Box<Envelope>),
}

impl RtcLink {
    pub(crate) fn new(local: PeerId, remote: PeerId, options: &Arc<RtcOptions>) -> Self {
        Self {
            local,
            remote,
            options: Arc::clone(options),
            inbound: OnceLock::new(),
            inner: Mutex::new(Inner {
                phase: Phase::Relayed,
                outbox: Outbox::new(options.queue),
                terms: None,
                sent: 0,
                received: 0,
                errors: 0,
                left: false,
                ending: false,
            }),
            state: watch::Sender::new(LinkState::Connecting),
            work: Notify::new(),
            room: Notify::new(),
            flushed: Notify::new(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // What is inside is whole after any panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bus that it is attached to.
    pub(crate) fn inbound(&self) -> Option<Arc<dyn Inbound>> {
        self.inbound.get().cloned()
    }

    fn not_connected(&self) -> BusError {
        BusError::NotConnected(self.remote.clone())
    }

    /// The other link that reaches the peer.
    pub(crate) fn detour(&self) -> Result<Arc<dyn Link>, BusError> {
        let inbound = self.inbound.get().ok_or_else(|| self.not_connected())?;
        inbound.detour(&self.remote)
    }

    fn put(&self, envelope: &Envelope) -> Way {
        let name = envelope.intent.name().as_str();
        let signals = name.starts_with(signal::PREFIX);
        let mut inner = self.inner();
        match inner.phase {
            Phase::Closed => return Way::Done(Err(BusError::Closed(self.remote.clone()))),
            Phase::Relayed => return Way::Detour,
            // The other end takes them from no other peer.
            _ if envelope.from != self.local => return Way::Detour,
            // What opens a channel does not go over it.
            _ if name == signal::SWITCH => return Way::Detour,
            _ if signals => return Way::Ahead(Box::new(urgent(envelope))),
            _ => {}
        }
        let len = max_envelope_len(envelope);
        if let Some(limit) = inner.terms.as_ref().map(|terms| terms.max_message)
            && len > limit
        {
            let len = envelope.intent.payload().text_len();
            return Way::Done(Err(BusError::PayloadTooLarge { len, limit }));
        }
        let loose = inner.phase == Phase::Direct
            && len <= MAX_LOOSE_LEN
            && envelope.level == Level::Accepted
            && envelope.reply_to.is_none()
            && self.options.is_unreliable(envelope.intent.name());
        let pushed = match loose {
            true => inner.outbox.push_loose(&urgent(envelope)),
            false => inner.outbox.push(envelope),
        };
        drop(inner);
        let full = |Full| BusError::QueueFull(self.remote.clone());
        let pushed = pushed.map_err(full);
        if pushed.is_ok() {
            self.work.notify_one();
        }
        Way::Done(pushed)
    }

    /// The channel is open; envelopes wait until [`go_direct`](Self::go_direct).
    ///
    /// # Errors
    ///
    /// Those of [`Inbound::peer_up`].
    pub(crate) fn hold(&self, terms: &Terms) -> Result<(), BusError> {
        {
            let mut inner = self.inner();
            if inner.phase == Phase::Closed {
                return Err(BusError::Closed(self.remote.clone()));
            }
            inner.phase = Phase::Held;
            inner.terms = Some(terms.clone());
        }
        let Some(inbound) = self.inbound.get() else {
            return Err(self.not_connected());
        };
        inbound.up(Remote::peer(self.remote.clone()));
        if let Err(error) = inbound.peer_up(&self.remote, terms.incarnation) {
            inbound.diverted();
            return Err(error);
        }
        self.state.send_replace(LinkState::Up);
        Ok(())
    }

    /// Nothing is under way elsewhere.
    pub(crate) fn go_direct(&self) -> bool {
        let mut inner = self.inner();
        let held = inner.phase == Phase::Held;
        if held {
            inner.phase = Phase::Direct;
        }
        drop(inner);
        self.work.notify_one();
        held
    }

    /// A new session begins to count.
    pub(crate) fn restart(&self) {
        self.inner().outbox.restart();
    }

    /// The next message for the channel.
    pub(crate) fn next_message(&self, encoding: Encoding, ack: Option<u64>) -> Option<Message> {
        let mut inner = self.inner();
        if inner.phase != Phase::Direct {
            return None;
        }
        inner.outbox.next(encoding, ack)
    }

    /// The next message for the channel that loses.
    pub(crate) fn next_loose(&self, encoding: Encoding) -> Option<Message> {
        let mut inner = self.inner();
        let next = inner.outbox.next_loose(encoding)?;
        inner.sent += 1;
        drop(inner);
        self.room.notify_waiters();
        (next.as_bytes().len() <= WHOLE_LEN).then_some(next)
    }

    /// What may be lost is, with the channel.
    pub(crate) fn clear_loose(&self) {
        self.inner().outbox.clear_loose();
        self.room.notify_waiters();
    }

    /// The other end has had so many.
    pub(crate) fn acknowledge(&self, received: u64) -> Result<(), NotSent> {
        let mut inner = self.inner();
        let before = inner.outbox.len();
        let more = inner.outbox.acknowledge(received)?;
        inner.sent += (before - inner.outbox.len()) as u64;
        drop(inner);
        if more {
            self.room.notify_waiters();
            self.flushed.notify_waiters();
        }
        Ok(())
    }

    pub(crate) fn received(&self, envelopes: usize) {
        self.inner().received += envelopes as u64;
    }

    /// Whether whoever owns the channel is to close it.
    pub(crate) fn is_ending(&self) -> bool {
        self.inner().ending
    }

    /// Nothing goes over it any more; what waits is lost.
    pub(crate) fn end(&self, why: &str) {
        let lost = {
            let mut inner = self.inner();
            inner.ending = true;
            if inner.phase == Phase::Closed {
                return;
            }
            inner.phase = Phase::Closed;
            let lost = inner.outbox.drain();
            inner.left = !lost.is_empty();
            lost
        };
        self.bury(&lost, &BusError::Closed(self.remote.clone()));
        self.state.send_replace(LinkState::Closed(why.into()));
        self.inbound.get().inspect(|inbound| inbound.closed());
        self.work.notify_one();
        self.room.notify_waiters();
        self.flushed.notify_waiters();
    }

    async fn flush_own(&self) -> Result<(), BusError> {
        let taken = self.inner().outbox.taken();
        loop {
            let mut news = std::pin::pin!(self.flushed.notified());
            news.as_mut().enable();
            {
                let inner = self.inner();
                if inner.phase == Phase::Closed && inner.left {
                    return Err(self.not_connected());
                }
                if inner.outbox.has_flushed(taken) {
                    return Ok(());
                }
            }
            news.await;
        }
    }
}

/// In the lane of the bus itself: what overtakes many others of its lane makes them look like copies to the other end.
fn urgent(envelope: &Envelope) -> Envelope {
    let mut envelope = envelope.clone();
    envelope.priority = Priority::System;
    envelope
}

impl fmt::Debug for RtcLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.inner().phase;
        write!(f, "RtcLink({} to {}, {phase:?})", self.local, self.remote)
    }
}
