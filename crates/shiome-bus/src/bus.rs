//! Peers of one process, and the links to others.

mod answer;
mod inbound;
mod options;
mod registry;
mod routes;
mod seen;
mod sync;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{runtime::Handle, sync::watch, time::Instant};

pub(crate) use self::{
    answer::{Answer, Asked},
    seen::Window,
};
use self::{
    inbound::Gate,
    registry::{Registry, Seat},
    routes::{Routes, Way},
    seen::Seen,
};
pub use self::{
    options::{BusOptions, LinkOptions, REQUEST_TIMEOUT, SEND_TIMEOUT},
    routes::LinkId,
};
use crate::{
    BusError, BusStats, DropReason, DropStream, Dropped, Envelope, Incarnation, Link, LinkKind,
    LinkStats, MessageId, Peer, PeerId, PeerOptions, Route, drops::Drops, node::Node,
    stats::Totals,
};

/// A bus: a value, of which a process may have many. Clones share it.
///
/// The bus keeps no peer alive: that is what the handles that [`peer`](Self::peer) gives are for. Links that are
/// [attached](Self::attach) end with the last handle on the bus and its peers, unless they end before.
#[derive(Debug, Clone)]
pub struct Bus {
    core: Arc<Core>,
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

    /// Whether a peer of this bus has that name.
    #[must_use]
    pub fn has(&self, id: &PeerId) -> bool {
        self.core.local(id).is_some()
    }

    /// Names of the peers of this bus.
    #[must_use]
    pub fn names(&self) -> Vec<PeerId> {
        let nodes = self.core.registry.owners();
        nodes.iter().map(|node| node.id.clone()).collect()
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
    /// [`BusError::Timeout`] when something was left unhandled or unsent after `deadline`.
    pub async fn close(&self, deadline: Duration) -> Result<(), BusError> {
        let end = Instant::now() + deadline;
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

/// What the handles share.
pub(crate) struct Core {
    pub(crate) options: BusOptions,
    registry: Registry<Weak<Node>>,
    routes: RwLock<Routes>,
    seen: Mutex<Seen>,
    pub(crate) drops: Drops,
    /// Figures of peers that are gone.
    pub(crate) retired: Totals,
    /// Changes whenever somebody may have become reachable.
    pub(crate) names_changed: watch::Sender<()>,
    /// For envelopes of the bus' own.
    incarnation: Incarnation,
    seq: AtomicU64,
}

impl Seat for Weak<Node> {
    type Owner = Arc<Node>;

    fn owner(&self) -> Option<Arc<Node>> {
        self.upgrade()
    }

    fn is(&self, other: &Self) -> bool {
        self.ptr_eq(other)
    }
}

/// Where an envelope goes.
pub(crate) enum Target {
    Local(Arc<Node>),
    Link(LinkId, Arc<dyn Link>),
}

impl Core {
    fn new(options: BusOptions) -> Self {
        Self {
            options,
            registry: Registry::new(),
            routes: RwLock::default(),
            seen: Mutex::default(),
            drops: Drops::default(),
            retired: Totals::default(),
            names_changed: watch::Sender::new(()),
            incarnation: Incarnation::next(),
            seq: AtomicU64::new(0),
        }
    }

    /// The runtime that tasks of the bus run on.
    pub(crate) fn runtime(&self) -> Result<Handle, BusError> {
        let given = self.options.runtime.clone();
        let current = || Handle::try_current().map_err(|_| BusError::NoRuntime);
        given.map_or_else(current, Ok)
    }

    pub(crate) fn local(&self, id: &PeerId) -> Option<Arc<Node>> {
        self.registry.get(id)
    }

    /// Puts a peer on the bus.
    pub(crate) fn enter(&self, node: &Arc<Node>, replace: bool) -> Result<(), BusError> {
        if !replace && self.routes(|routes| routes.is_told(&node.id)) {
            return Err(BusError::NameTaken(node.id.clone()));
        }
        let mut seat = Arc::downgrade(node);
        while let Err(refused) = self.registry.take(node.id.clone(), seat) {
            if !replace {
                return Err(BusError::NameTaken(node.id.clone()));
            }
            if let Some(other) = self.local(&node.id) {
                other.end();
            }
            seat = refused;
        }
        self.tell_links(node, true);
        Ok(())
    }

    /// Takes a peer off the bus, if it is the one that is there.
    pub(crate) fn leave(&self, node: &Node, seat: &Weak<Node>) {
        if self.registry.free(&node.id, seat) {
            self.tell_links(node, false);
        }
    }

    fn tell_links(&self, node: &Node, present: bool) {
        for (_, link) in self.links() {
            link.local_peer(&node.id, node.incarnation, present);
        }
        self.names_changed.send_replace(());
    }

    fn attach(
        self: &Arc<Self>,
        link: Arc<dyn Link>,
        options: LinkOptions,
    ) -> Result<LinkId, BusError> {
        let runtime = self.runtime()?;
        let _within = runtime.enter();
        let id = self.routes_mut(|routes| routes.attach(Arc::clone(&link), options));
        let gate = Gate::new(self, id, link.kind());
        if let Err(error) = link.start(Arc::new(gate)) {
            self.detach(id);
            return Err(error);
        }
        for node in self.registry.owners() {
            link.local_peer(&node.id, node.incarnation, true);
            // It may have gone since, and have told the link of it before.
            if self.local(&node.id).is_none() {
                link.local_peer(&node.id, node.incarnation, false);
            }
        }
        Ok(id)
    }

    pub(crate) fn detach(&self, id: LinkId) -> bool {
        self.fail_link(id);
        // Dropped without the lock.
        let link = self.routes_mut(|routes| routes.detach(id));
        self.names_changed.send_replace(());
        link.is_some()
    }

    /// Tells all who wait for something over a link that it is down.
    fn fail_link(&self, id: LinkId) {
        for node in self.registry.owners() {
            node.pending.fail_link(id);
        }
    }

    pub(crate) fn links(&self) -> Vec<(LinkId, Arc<dyn Link>)> {
        self.routes(|routes| {
            let links = routes.links();
            links.map(|(id, a)| (id, Arc::clone(&a.link))).collect()
        })
    }

    pub(crate) fn link_kinds(&self) -> Vec<LinkKind> {
        let mut kinds = Vec::new();
        for (_, link) in self.links() {
            if !kinds.contains(&link.kind()) {
                kinds.push(link.kind());
            }
        }
        kinds
    }

    /// Where envelopes for `to` go: to a peer of this bus if there is one, else over a link.
    #[inline]
    pub(crate) fn target(&self, to: &PeerId, route: Route) -> Result<Target, BusError> {
        if route != Route::RemoteOnly
            && let Some(node) = self.local(to)
        {
            return Ok(Target::Local(node));
        }
        if route == Route::LocalOnly {
            return Err(BusError::NodeNotFound(to.clone()));
        }
        self.over_link(to, None)
    }

    fn over_link(&self, to: &PeerId, not: Option<LinkId>) -> Result<Target, BusError> {
        match self.routes(|routes| routes.way(to, not)) {
            Way::Over(id, link) => Ok(Target::Link(id, link)),
            Way::Down => Err(BusError::NotConnected(to.clone())),
            Way::Unknown => Err(BusError::NodeNotFound(to.clone())),
        }
    }

    pub(crate) fn link(&self, id: LinkId) -> Option<Arc<dyn Link>> {
        self.routes(|routes| Some(Arc::clone(&routes.link(id)?.link)))
    }

    pub(crate) fn reaches(&self, id: &PeerId) -> bool {
        self.local(id).is_some() || self.routes(|routes| routes.reaches(id))
    }

    /// All that are on the bus or told of by links.
    pub(crate) fn reached(&self) -> Vec<PeerId> {
        let local = self.registry.owners();
        let mut all: Vec<_> = local.iter().map(|node| node.id.clone()).collect();
        self.routes(|routes| all.extend(routes.reached().cloned()));
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The same with their lives, as far as those are known.
    pub(crate) fn present(&self) -> BTreeMap<PeerId, Option<Incarnation>> {
        let mut all = self.routes(Routes::told_lives);
        for node in self.registry.owners() {
            all.insert(node.id.clone(), Some(node.incarnation));
        }
        all
    }

    /// A name for an envelope that no peer sends.
    fn next_id(&self) -> MessageId {
        MessageId {
            incarnation: self.incarnation,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// Whether an envelope that came over a link is new.
    fn first(&self, envelope: &Envelope) -> bool {
        // Windows are whole after any panic.
        let seen: MutexGuard<'_, Seen> = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = seen;
        seen.first(envelope)
    }

    fn routes<T>(&self, read: impl FnOnce(&Routes) -> T) -> T {
        // Nothing panics while routes change.
        read(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn routes_mut<T>(&self, change: impl FnOnce(&mut Routes) -> T) -> T {
        change(&mut self.routes.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn stats(&self) -> BusStats {
        let nodes = self.registry.owners();
        let mut stats = self.retired.stats();
        stats.nodes_registered = nodes.len();
        for node in &nodes {
            stats.add(&node.totals);
            stats.total_callbacks += node.handlers.len();
            stats.queued += node.depth().total();
        }
        let drops = DropReason::ALL.map(|reason| (reason, self.drops.counted(reason)));
        stats.drops = drops.into_iter().filter(|(_, count)| *count > 0).collect();
        stats
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers = self.registry.owners().len();
        write!(f, "Core({peers} peers, {} links)", self.links().len())
    }
}
