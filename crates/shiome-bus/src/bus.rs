//! Peers of one process, and the links to others.

mod answer;
mod bridge;
mod core;
mod inbound;
mod late;
mod line;
mod options;
mod recent;
mod registry;
mod routes;
mod seen;
mod sync;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{runtime::Handle, time::Instant};

pub(crate) use self::{
    answer::{Answer, Asked},
    core::{Core, Target},
    line::{InTurn, Line},
    routes::Here,
    seen::Window,
};
pub use self::{
    options::{BusOptions, LinkOptions, REQUEST_TIMEOUT, SEND_TIMEOUT},
    routes::LinkId,
};
use crate::{
    BusError, BusStats, DropReason, DropStream, Dropped, Incarnation, Link, LinkStats, Peer,
    PeerId, PeerOptions, deadline,
};

/// A bus: a value, of which a process may have many. Clones share it.
///
/// The bus keeps no peer alive: that is what the handles that [`peer`](Self::peer) gives are for. Links that are
/// [attached](Self::attach) end with the last handle on the bus and its peers, unless they end before.
#[derive(Debug, Clone)]
pub struct Bus {
    core: Arc<Core>,
}

/// A bus, without keeping it. For what carries envelopes to it.
#[derive(Debug, Clone)]
pub struct WeakBus {
    core: Weak<Core>,
}

impl WeakBus {
    /// The bus, if a handle on it, or a peer of it, is left.
    #[must_use]
    pub fn upgrade(&self) -> Option<Bus> {
        let core = self.core.upgrade()?;
        Some(Bus { core })
    }
}

impl Default for Bus {
    fn default() -> Self {
        Self::new()
    }
}

impl Bus {
    /// A bus with the usual options.
    #[must_use]
    pub fn new() -> Self {
        Self::with(BusOptions::default())
    }

    /// A bus with options of one's own.
    #[must_use]
    pub fn with(options: BusOptions) -> Self {
        Self {
            core: Arc::new(Core::new(options)),
        }
    }

    pub(crate) fn runtime(&self) -> Result<Handle, BusError> {
        self.core.runtime()
    }

    pub(crate) fn of(core: &Arc<Core>) -> Self {
        Self {
            core: Arc::clone(core),
        }
    }

    /// The bus that all of the process share. Libraries should rather take a bus as an argument.
    pub fn global() -> &'static Self {
        static GLOBAL: std::sync::OnceLock<Bus> = std::sync::OnceLock::new();
        GLOBAL.get_or_init(Self::new)
    }

    /// A new peer of that name, which is on the bus until it is closed or its last handle is dropped.
    ///
    /// # Errors
    ///
    /// [`BusError::NameTaken`] when this bus has a peer of that name, [`BusError::InvalidName`] when it is none, and
    /// [`BusError::NoRuntime`] outside of a runtime.
    pub fn peer<N>(&self, id: N) -> Result<Peer, BusError>
    where
        N: TryInto<PeerId>,
        BusError: From<N::Error>,
    {
        self.peer_with(id, PeerOptions::default())
    }

    /// A new peer with options of its own.
    ///
    /// # Errors
    ///
    /// As those of [`peer`](Self::peer).
    pub fn peer_with<N>(&self, id: N, options: PeerOptions) -> Result<Peer, BusError>
    where
        N: TryInto<PeerId>,
        BusError: From<N::Error>,
    {
        Peer::start(&self.core, id.try_into()?, &options)
    }

    /// A handle that does not keep the bus.
    #[must_use]
    pub fn downgrade(&self) -> WeakBus {
        WeakBus {
            core: Arc::downgrade(&self.core),
        }
    }

    /// Whether a peer of this bus has that name.
    #[must_use]
    pub fn has(&self, id: &PeerId) -> bool {
        self.core.local(id).is_some()
    }

    /// Which life of that name is here, or at the other end of a link that is up, as far as is known: the latest.
    #[must_use]
    pub fn incarnation_of(&self, id: &PeerId) -> Option<Incarnation> {
        self.core.here(id).map(|here| here.life)
    }

    /// Names of the peers of this bus.
    #[must_use]
    pub fn names(&self) -> Vec<PeerId> {
        let nodes = self.core.registry.owners();
        nodes.iter().map(|node| node.id.clone()).collect()
    }

    /// Names of the peers of this bus, and of those that its links tell of.
    #[must_use]
    pub fn reached(&self) -> Vec<PeerId> {
        self.core.reached()
    }

    /// Whether it passes on what peers say that it does not tell of.
    pub(crate) fn is_relay(&self) -> bool {
        self.core.options.relay
    }

    /// Whether a peer that a link of that kind would tell of has the name of another.
    #[cfg(feature = "websocket")]
    pub(crate) fn is_taken(&self, id: &PeerId, kind: crate::LinkKind) -> bool {
        self.core.is_taken(id, kind)
    }

    /// Lets a link carry envelopes from now on.
    ///
    /// # Errors
    ///
    /// Those of [`Link::start`], and [`BusError::NoRuntime`] outside of a runtime.
    pub fn attach(&self, link: Arc<dyn Link>, options: LinkOptions) -> Result<LinkId, BusError> {
        self.core.attach(link, options)
    }

    /// Forgets a link, which is not closed by that, and says whether it was known.
    pub fn detach(&self, id: LinkId) -> bool {
        self.core.detach(id)
    }

    /// Links that are attached, and what they have done.
    #[must_use]
    pub fn links(&self) -> Vec<(LinkId, LinkStats)> {
        let links = self.core.links();
        let links = links.into_iter();
        links.map(|(id, link)| (id, link.stats())).collect()
    }

    /// What the bus has done, and what waits on it.
    #[must_use]
    pub fn stats(&self) -> BusStats {
        self.core.stats()
    }

    /// How many envelopes were dropped for that reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.core.drops.counted(reason)
    }

    /// The envelopes that were dropped last, at most [`DROP_RING_LEN`](crate::DROP_RING_LEN), the oldest first. The bus' own are only
    /// counted.
    #[must_use]
    pub fn recent_drops(&self) -> Vec<Dropped> {
        self.core.drops.recent()
    }

    /// The envelopes that are dropped from now on.
    #[must_use]
    pub fn drops(&self) -> DropStream {
        self.core.drops.stream()
    }

    /// Closes all peers as [`Peer::close`] does, then all links. New ones may come while it runs; those stay.
    ///
    /// # Errors
    ///
    /// [`BusError::Timeout`] when something was left unhandled or unsent after `deadline`, and [`BusError::NotConnected`] when a link
    /// broke before it had sent all.
    pub async fn close(&self, deadline: Duration) -> Result<(), BusError> {
        let end = deadline::deadline(deadline);
        let nodes = self.core.registry.owners();
        nodes.iter().for_each(|node| node.begin_close(end));
        let mut result = Ok(());
        for node in &nodes {
            let left = end.saturating_duration_since(Instant::now());
            result = result.and(node.close(left).await);
        }
        for (id, link) in self.core.links() {
            let left = end.saturating_duration_since(Instant::now());
            result = result.and(link.close(left).await);
            self.core.detach(id);
        }
        result
    }
}
