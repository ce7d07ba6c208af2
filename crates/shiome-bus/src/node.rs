//! What the handles on a peer share: its mailboxes, handlers and what it waits for.

mod close;
mod outgoing;
mod owed;
mod send;

use std::{
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{runtime, sync::watch};

use self::{outgoing::Outgoing, owed::Owed};
use crate::{
    BusError, Envelope, Incarnation, Level, MessageId, PeerId, PeerOptions, PeerStats, Priority,
    bus::Core,
    handlers::Handlers,
    intercept::Interceptors,
    mailbox::{Item, Mailbox, NoPlace, Path, Place},
    peer::Handle,
    pending::Pending,
    stats::{Depth, SAMPLING, Totals},
};

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) id: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) core: Arc<Core>,
    /// One for each dispatcher; a sender always uses the same.
    mailboxes: Box<[Mailbox<Item>]>,
    pub(crate) handlers: Handlers,
    pub(crate) outbound: Interceptors,
    pub(crate) inbound: Interceptors,
    pub(crate) pending: Pending,
    owed: Owed,
    outgoing: Outgoing,
    pub(crate) totals: Totals,
    seq: AtomicU64,
    /// What it has said to rooms, of all rooms together, so that none of it is taken for another.
    said: AtomicU64,
    phase: AtomicU8,
    /// Dispatchers that still run.
    dispatchers: AtomicUsize,
    /// Until when it may take to close.
    close_by: OnceLock<tokio::time::Instant>,
    /// Whether it has ended.
    ended: watch::Sender<bool>,
    /// Envelopes that were not handled when it ended.
    left: AtomicUsize,
    /// It ended, or is about to, before the links over which it had sent something said that all of it had arrived.
    unsent: AtomicBool,
    /// What its dispatchers run on.
    runtime: runtime::Handle,
    /// Itself.
    seat: Weak<Self>,
    handle: OnceLock<Weak<Handle>>,
}

/// How far a peer's life has come; never back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Phase {
    Open,
    /// It sends and takes nothing more, and works off what it has.
    Closing,
    Ended,
}

impl Node {
    pub(crate) fn new(
        core: &Arc<Core>,
        id: PeerId,
        options: &PeerOptions,
        runtime: runtime::Handle,
    ) -> Arc<Self> {
        let incarnation = Incarnation::next();
        let mailboxes = (0..options.concurrency).map(|_| Mailbox::new(options.capacity));
        Arc::new_cyclic(|seat| Self {
            id,
            incarnation,
            core: Arc::clone(core),
            mailboxes: mailboxes.collect(),
            handlers: Handlers::default(),
            outbound: Interceptors::default(),
            inbound: Interceptors::default(),
            pending: Pending::new(incarnation),
            owed: Owed::default(),
            outgoing: Outgoing::default(),
            totals: Totals::default(),
            seq: AtomicU64::new(0),
            said: AtomicU64::new(0),
            phase: AtomicU8::new(Phase::Open as u8),
            dispatchers: AtomicUsize::new(options.concurrency),
            close_by: OnceLock::new(),
            ended: watch::Sender::new(false),
            left: AtomicUsize::new(0),
            unsent: AtomicBool::new(false),
            runtime,
            seat: Weak::clone(seat),
            handle: OnceLock::new(),
        })
    }

    pub(crate) fn set_handle(&self, handle: &Arc<Handle>) {
        self.handle.get_or_init(|| Arc::downgrade(handle));
    }

    pub(crate) fn handle(&self) -> Option<Arc<Handle>> {
        self.handle.get()?.upgrade()
    }

    pub(crate) fn runtime(&self) -> &runtime::Handle {
        &self.runtime
    }

    pub(crate) fn mailboxes(&self) -> &[Mailbox<Item>] {
        &self.mailboxes
    }

    #[inline]
    fn mailbox_of(&self, sender: &PeerId) -> &Mailbox<Item> {
        match &*self.mailboxes {
            [only] => only,
            several => {
                let bytes = sender.as_str().bytes();
                let sum = bytes.fold(0_usize, |sum, byte| {
                    sum.wrapping_mul(31).wrapping_add(byte.into())
                });
                &several[sum % several.len()]
            }
        }
    }

    #[inline]
    pub(crate) fn try_reserve(&self, envelope: &Envelope) -> Result<Place<'_, Item>, NoPlace> {
        self.mailbox_of(&envelope.from)
            .try_reserve(envelope.priority)
    }

    pub(crate) async fn reserve(&self, envelope: &Envelope) -> Result<Place<'_, Item>, NoPlace> {
        let mailbox = self.mailbox_of(&envelope.from);
        mailbox.reserve(envelope.priority).await
    }

    /// The same, but not after so long; see [`Mailbox::reserve_within`].
    pub(crate) async fn reserve_within(
        &self,
        envelope: &Envelope,
        patience: Duration,
    ) -> Result<Place<'_, Item>, NoPlace> {
        let mailbox = self.mailbox_of(&envelope.from);
        mailbox.reserve_within(envelope.priority, patience).await
    }

    /// An envelope as the mailbox takes it.
    #[inline]
    pub(crate) fn item(&self, envelope: Envelope, path: Path) -> Item {
        let timed = envelope.id.seq.is_multiple_of(SAMPLING);
        Item {
            envelope,
            path,
            since: timed.then(Instant::now),
        }
    }

    /// Whether it is of a protocol between peers that this one does not speak, and nobody waits for what becomes of it. Such
    /// envelopes go to everybody, and take no places.
    #[inline]
    pub(crate) fn ignores(&self, envelope: &Envelope) -> bool {
        envelope.priority == Priority::System
            && envelope.level == Level::Accepted
            && envelope.reply_to.is_none()
            && envelope.intent.name().is_system()
            && !self.handlers.hear(envelope.intent.name())
    }

    fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Open,
            1 => Phase::Closing,
            _ => Phase::Ended,
        }
    }

    /// Becomes true when it has ended.
    pub(crate) fn ended(&self) -> watch::Receiver<bool> {
        self.ended.subscribe()
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.phase() == Phase::Ended
    }

    /// Fails once it sends nothing more of its own.
    pub(crate) fn check_open(&self) -> Result<(), BusError> {
        match self.phase() {
            Phase::Open => Ok(()),
            _ => Err(self.closed()),
        }
    }

    pub(crate) fn closed(&self) -> BusError {
        BusError::Closed(self.id.clone())
    }

    pub(crate) fn next_id(&self) -> MessageId {
        MessageId {
            incarnation: self.incarnation,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// The next number of what is said to rooms.
    pub(crate) fn next_said(&self) -> u64 {
        self.said.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(crate) fn depth(&self) -> Depth {
        let mut depth = Depth::default();
        for mailbox in &self.mailboxes {
            let [system, normal, bulk] = mailbox.depth();
            depth.system += system;
            depth.normal += normal;
            depth.bulk += bulk;
        }
        depth
    }

    pub(crate) fn stats(&self) -> PeerStats {
        let totals = self.totals.stats();
        PeerStats {
            id: self.id.clone(),
            messages_sent: totals.messages_routed,
            errors: totals.routing_errors,
            messages_received: totals.messages_delivered,
            handler_calls: totals.handler_calls,
            handler_errors: totals.handler_errors,
            handler_panics: totals.handler_panics,
            queued: self.depth(),
            waiting: self.pending.len(),
            waited: self.totals.histogram(),
        }
    }

    /// Notes that `delivery` is to be answered.
    pub(crate) fn owe(&self, item: &Item) {
        self.owed.owe(item);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.core.retired.absorb(&self.totals);
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer[{}:bus", self.id)?;
        for kind in self.core.link_kinds() {
            write!(f, "+{kind}")?;
        }
        f.write_str("]")
    }
}
