//! One end of a memory link, and what both share.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::{Instant, timeout_at},
};

use super::{Conditions, pump};
use crate::{
    BoxFuture, BusError, Envelope, Inbound, Incarnation, Link, LinkKind, LinkState, LinkStats,
    PeerId, Remote, deadline,
    mailbox::{Mailbox, NoPlace, Place},
};

/// What both ends share.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) conditions: Conditions,
    sides: [Side; 2],
    ends: [Remote; 2],
    /// Whether each bus passes on what peers say that it does not tell of.
    relays: [bool; 2],
    partitioned: watch::Sender<bool>,
    /// Of this time of being up; what was sent before is lost.
    epoch: AtomicU64,
    up: AtomicBool,
}

/// What one end sends, and where what it gets goes.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) out: Mailbox<Frame>,
    announcements: Mutex<VecDeque<Announcement>>,
    pub(super) announced: Notify,
    inbound: OnceLock<Arc<dyn Inbound>>,
    state: watch::Sender<LinkState>,
    /// Envelopes that were put in, and those that are done with, lost or not.
    put: AtomicU64,
    done: watch::Sender<u64>,
    sent: AtomicU64,
    received: AtomicU64,
    errors: AtomicU64,
    peers: Mutex<Vec<PeerId>>,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub(super) envelope: Envelope,
    pub(super) due: Instant,
    pub(super) epoch: u64,
}

/// A peer came or went.
#[derive(Debug)]
pub(super) struct Announcement {
    pub(super) peer: PeerId,
    pub(super) incarnation: Incarnation,
    pub(super) present: bool,
    /// Envelopes that were put in before.
    after: u64,
}

impl Wires {
    pub(super) fn new(conditions: Conditions, ends: [Remote; 2], relays: [bool; 2]) -> Self {
        let side = || Side {
            out: Mailbox::new(conditions.capacity),
            announcements: Mutex::default(),
            announced: Notify::new(),
            inbound: OnceLock::new(),
            state: watch::Sender::new(LinkState::Connecting),
            put: AtomicU64::new(0),
            done: watch::Sender::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            peers: Mutex::default(),
        };
        Self {
            conditions,
            sides: [side(), side()],
            ends,
            relays,
            partitioned: watch::Sender::new(false),
            epoch: AtomicU64::new(0),
            up: AtomicBool::new(false),
        }
    }

    pub(super) fn side(&self, side: usize) -> &Side {
        &self.sides[side]
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    pub(super) async fn whole(&self) {
        let mut partitioned = self.partitioned.subscribe();
        // The sender is ours: it cannot be gone.
        let _ = partitioned.wait_for(|partitioned| !partitioned).await;
    }

    pub(super) fn set_partitioned(&self, partitioned: bool) {
        self.partitioned.send_replace(partitioned);
    }

    pub(super) fn cut(&self) {
        if self.up.swap(false, Ordering::AcqRel) {
            self.epoch.fetch_add(1, Ordering::AcqRel);
            for side in &self.sides {
                side.state.send_replace(LinkState::Connecting);
                side.inbound.get().inspect(|inbound| inbound.down());
            }
        }
    }

    /// Up, if both ends have begun and neither has ended.
    pub(super) fn mend(&self) {
        let ended = |side: &Side| matches!(*side.state.borrow(), LinkState::Closed(_));
        let [Some(first), Some(second)] = self.sides.each_ref().map(|side| side.inbound.get())
        else {
            return;
        };
        if self.sides.iter().any(ended) || self.up.swap(true, Ordering::AcqRel) {
            return;
        }
        first.up(self.ends[1].clone());
        second.up(self.ends[0].clone());
        for side in &self.sides {
            side.state.send_replace(LinkState::Up);
        }
    }

    /// Both ends are gone.
    pub(super) fn end(&self, why: &str) {
        self.up.store(false, Ordering::Release);
        self.set_partitioned(false);
        for side in &self.sides {
            side.out.close();
            let ended = LinkState::Closed(why.into());
            let before = side.state.send_replace(ended);
            if !matches!(before, LinkState::Closed(_)) {
                side.inbound.get().inspect(|inbound| inbound.closed());
            }
        }
    }

    fn check(&self, side: usize, to: &PeerId) -> Result<(), BusError> {
        match &*self.side(side).state.borrow() {
            LinkState::Up => Ok(()),
            LinkState::Connecting => Err(BusError::NotConnected(to.clone())),
            _ => Err(BusError::Closed(to.clone())),
        }
    }

    fn put(
        &self,
        side: usize,
        place: Place<'_, Frame>,
        envelope: &Envelope,
    ) -> Result<(), BusError> {
        let frame = Frame {
            envelope: envelope.clone(),
            due: deadline::deadline(self.conditions.latency),
            epoch: self.epoch(),
        };
        let side = self.side(side);
        place
            .put(frame)
            .map_err(|no_place| no_place.of(&envelope.to))?;
        side.put.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }
}

impl Side {
    pub(super) fn inbound(&self) -> Option<&Arc<dyn Inbound>> {
        self.inbound.get()
    }

    /// An envelope is done with.
    pub(super) fn done(&self, arrived: bool) {
        let counter = if arrived { &self.sent } else { &self.errors };
        counter.fetch_add(1, Ordering::Relaxed);
        self.done.send_modify(|done| *done += 1);
    }

    pub(super) fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    /// The next announcement that is not behind an envelope.
    pub(super) fn announcement(&self) -> Option<Announcement> {
        let done = *self.done.borrow();
        let mut announcements = self.announcements();
        let due = announcements.front().is_some_and(|next| next.after <= done);
        if due { announcements.pop_front() } else { None }
    }

    fn announcements(&self) -> MutexGuard<'_, VecDeque<Announcement>> {
        // The queue is whole after any panic.
        self.announcements
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn peers(&self) -> MutexGuard<'_, Vec<PeerId>> {
        // The list is whole after any panic.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One end.
#[derive(Debug)]
pub(super) struct End {
    wires: Arc<Wires>,
    side: usize,
}

impl End {
    pub(super) fn new(wires: &Arc<Wires>, side: usize) -> Self {
        Self {
            wires: Arc::clone(wires),
            side,
        }
    }

    fn side(&self) -> &Side {
        self.wires.side(self.side)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.wires.end("the bus is gone");
    }
}

impl Link for End {
    fn kind(&self) -> LinkKind {
        LinkKind::MEMORY
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        inbound.tells_of_all(!self.wires.relays[1 - self.side]);
        self.side().inbound.get_or_init(|| inbound);
        tokio::spawn(pump::run(Arc::clone(&self.wires), self.side));
        self.wires.mend();
        Ok(())
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        self.wires.check(self.side, &envelope.to)?;
        let len = envelope.intent.payload().text_len();
        let place = self.side().out.try_reserve(envelope.priority, len);
        let place = place.map_err(|no_place| no_place.of(&envelope.to))?;
        self.wires.put(self.side, place, envelope)
    }

    fn send<'a>(&'a self, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async {
            self.wires.check(self.side, &envelope.to)?;
            let len = envelope.intent.payload().text_len();
            let place = self.side().out.reserve(envelope.priority, len).await;
            let place = place.map_err(|_| NoPlace::Closed.of(&envelope.to))?;
            // It may have been cut meanwhile.
            self.wires.check(self.side, &envelope.to)?;
            self.wires.put(self.side, place, envelope)
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async {
            let (side, epoch) = (self.side(), self.wires.epoch());
            let put = side.put.load(Ordering::Acquire);
            let mut done = side.done.subscribe();
            let flushed = done.wait_for(|done| *done >= put).await;
            let remote = &self.wires.ends[1 - self.side].id;
            match flushed {
                Ok(_) if self.wires.epoch() == epoch => Ok(()),
                _ => Err(BusError::NotConnected(remote.clone())),
            }
        })
    }

    fn close(&self, deadline: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        let by = deadline::deadline(deadline);
        Box::pin(async move {
            let side = self.side();
            side.state.send_if_modified(|state| {
                let open = !matches!(state, LinkState::Closed(_));
                if open {
                    *state = LinkState::Closing;
                }
                open
            });
            let flushed = timeout_at(by, self.flush()).await;
            self.wires.end("closed");
            let left = || BusError::Timeout {
                peer: self.wires.ends[1 - self.side].id.clone(),
                after: deadline,
            };
            flushed.map_err(|_| left())?
        })
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.side().state.subscribe()
    }

    fn peers(&self) -> Vec<PeerId> {
        self.side().peers().clone()
    }

    fn stats(&self) -> LinkStats {
        let side = self.side();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        LinkStats {
            messages_sent: read(&side.sent),
            messages_received: read(&side.received),
            errors: read(&side.errors),
            is_ready: *side.state.borrow() == LinkState::Up,
            queued: side.out.depth().into_iter().sum(),
            ..LinkStats::new(LinkKind::MEMORY)
        }
    }

    fn local_peer(&self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        let side = self.side();
        let announcement = Announcement {
            peer: peer.clone(),
            incarnation,
            present,
            after: side.put.load(Ordering::Acquire),
        };
        side.announcements().push_back(announcement);
        side.announced.notify_one();
    }
}
