//! What the handles on a bus share: its peers, its links, and what it has seen.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, Once, PoisonError, RwLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{runtime::Handle, sync::watch};

use super::{
    BusOptions, LinkId, LinkOptions, bridge,
    inbound::Gate,
    late::Late,
    line::Line,
    registry::{Registry, Seat},
    routes::{Here, Routes, Way},
    seen::Seen,
};
use crate::{
    BusError, BusStats, DropReason, Envelope, Incarnation, Link, LinkKind, MessageId, PeerId,
    Route, drops::Drops, node::Node, stats::Totals,
};

/// What the handles share.
pub(crate) struct Core {
    pub(crate) options: BusOptions,
    pub(super) registry: Registry<Weak<Node>>,
    routes: RwLock<Routes>,
    seen: Mutex<Seen>,
    pub(super) late: Late,
    pub(crate) drops: Drops,
    /// Figures of peers that are gone.
    pub(crate) retired: Totals,
    /// Changes whenever somebody may have become reachable.
    pub(crate) names_changed: watch::Sender<()>,
    /// Somebody tells the links of each other's peers.
    bridged: Once,
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
    Link(LinkId, Arc<Line>),
}

impl Core {
    pub(super) fn new(options: BusOptions) -> Self {
        Self {
            options,
            registry: Registry::new(),
            routes: RwLock::default(),
            seen: Mutex::default(),
            late: Late::default(),
            drops: Drops::default(),
            retired: Totals::default(),
            names_changed: watch::Sender::new(()),
            bridged: Once::new(),
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

    pub(super) fn tell_links(&self, node: &Node, present: bool) {
        for (_, link) in self.links() {
            link.local_peer(&node.id, node.incarnation, present);
        }
        if self.options.bridge {
            self.routes_mut(|routes| routes.touch(&node.id));
        }
        self.names_changed.send_replace(());
    }

    pub(super) fn attach(
        self: &Arc<Self>,
        link: Arc<dyn Link>,
        options: LinkOptions,
    ) -> Result<LinkId, BusError> {
        let runtime = self.runtime()?;
        let _within = runtime.enter();
        if self.options.bridge {
            self.bridged.call_once(|| {
                self.routes_mut(Routes::watch);
                let changed = self.names_changed.subscribe();
                runtime.spawn(bridge::run(Arc::downgrade(self), changed));
            });
        }
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
        if self.routes(|routes| routes.is_direct(id)) {
            self.await_elsewhere(id);
        }
        self.fail_link(id);
        // Dropped without the lock.
        let link = self.routes_mut(|routes| routes.detach(id));
        for node in self.registry.owners() {
            node.forget_link(id);
        }
        self.names_changed.send_replace(());
        link.is_some()
    }

    /// What was asked over a direct link may be answered over another.
    fn await_elsewhere(&self, id: LinkId) {
        for node in self.registry.owners() {
            for peer in node.pending.asked_over(id) {
                if let Ok(Target::Link(other, _)) = self.detour(id, &peer) {
                    node.pending.move_link(&peer, id, other);
                }
            }
        }
    }

    /// Tells all who wait for something over a link that it is down.
    pub(super) fn fail_link(&self, id: LinkId) {
        for node in self.registry.owners() {
            node.pending.fail_link(id);
        }
    }

    pub(crate) fn links(&self) -> Vec<(LinkId, Arc<dyn Link>)> {
        self.routes(|routes| {
            let links = routes.links();
            links
                .map(|(id, a)| (id, Arc::clone(a.link.link())))
                .collect()
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
    pub(crate) fn target(
        &self,
        from: &PeerId,
        to: &PeerId,
        route: Route,
    ) -> Result<Target, BusError> {
        if route != Route::RemoteOnly
            && let Some(node) = self.local(to)
        {
            return Ok(Target::Local(node));
        }
        if route == Route::LocalOnly {
            return Err(BusError::NodeNotFound(to.clone()));
        }
        over(self.routes(|routes| routes.way(from, to, None)), to)
    }

    /// Where an envelope goes on that came over a link.
    pub(super) fn onward(&self, id: LinkId, envelope: &Envelope) -> Result<Target, BusError> {
        let (from, to) = (&envelope.from, &envelope.to);
        over(self.routes(|routes| routes.way(from, to, Some(id))), to)
    }

    /// Where envelopes for `to` go that cannot go over a link.
    pub(super) fn detour(&self, id: LinkId, to: &PeerId) -> Result<Target, BusError> {
        over(self.routes(|routes| routes.detour(id, to)), to)
    }

    pub(crate) fn link(&self, id: LinkId) -> Option<Arc<Line>> {
        self.routes(|routes| Some(Arc::clone(&routes.link(id)?.link)))
    }

    pub(crate) fn reaches(&self, id: &PeerId) -> bool {
        self.local(id).is_some() || self.routes(|routes| routes.reaches(id))
    }

    /// Whether a peer behind a link of that kind would have the name of one that is here, or beyond the bridge.
    #[cfg(feature = "websocket")]
    pub(super) fn is_taken(&self, id: &PeerId, kind: LinkKind) -> bool {
        let beyond = |routes: &Routes| routes.told_beyond(id, kind).is_some();
        self.local(id).is_some() || self.options.bridge && self.routes(beyond)
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

    /// The same with their lives.
    pub(crate) fn present(&self) -> BTreeMap<PeerId, Here> {
        let mut all = self.routes(Routes::present);
        for node in self.registry.owners() {
            all.insert(node.id.clone(), here(&node));
        }
        all
    }

    /// The peer of that name, if it is on the bus or told of.
    pub(crate) fn here(&self, id: &PeerId) -> Option<Here> {
        let local = self.local(id).map(|node| here(&node));
        local.or_else(|| self.routes(|routes| routes.here(id)))
    }

    /// Whether that life of a peer is over, as far as is known.
    pub(crate) fn is_over(&self, id: &PeerId, life: Incarnation) -> bool {
        match self.local(id) {
            Some(node) => node.incarnation != life,
            None => self.routes(|routes| routes.is_over(id, life)),
        }
    }

    /// A name for an envelope that no peer sends.
    pub(super) fn next_id(&self) -> MessageId {
        MessageId {
            incarnation: self.incarnation,
            seq: self.seq.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// Whether an envelope that came over a link is new.
    pub(super) fn first(&self, envelope: &Envelope) -> bool {
        // Windows are whole after any panic.
        let seen: MutexGuard<'_, Seen> = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = seen;
        seen.first(envelope)
    }

    pub(super) fn routes<T>(&self, read: impl FnOnce(&Routes) -> T) -> T {
        // Nothing panics while routes change.
        read(&self.routes.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn routes_mut<T>(&self, change: impl FnOnce(&mut Routes) -> T) -> T {
        change(&mut self.routes.write().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn stats(&self) -> BusStats {
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

fn over(way: Way, to: &PeerId) -> Result<Target, BusError> {
    match way {
        Way::Over(id, link) => Ok(Target::Link(id, link)),
        Way::Down => Err(BusError::NotConnected(to.clone())),
        Way::Unknown => Err(BusError::NodeNotFound(to.clone())),
    }
}

/// A peer of the bus itself, to which no link breaks.
fn here(node: &Node) -> Here {
    Here {
        life: node.incarnation,
        since: 0,
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peers = self.registry.owners().len();
        write!(f, "Core({peers} peers, {} links)", self.links().len())
    }
}
