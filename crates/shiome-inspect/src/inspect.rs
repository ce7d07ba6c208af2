use std::{fmt, sync::Arc};

use axum::Router;
use shiome_ractor::inspect::Inspector;

use crate::{
    actions, api,
    feed::{Feed, FeedSnapshot, NumberedEvent},
    health::Health,
    refusals::Refusals,
};

/// What is served of one node. Clones are the same.
#[derive(Clone)]
pub struct Inspect(Arc<Shared>);

struct Shared {
    node: Inspector,
    health: Health,
    refusals: Refusals,
    feed: Feed,
    #[cfg(feature = "bus")]
    bus: Option<shiome_bus::Bus>,
}

impl fmt::Debug for Inspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Inspect").field(&self.0.node).finish()
    }
}

impl Inspect {
    /// Begins to listen to what happens at the node, until it has stopped or nobody has a handle any more.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn new(node: Inspector) -> Self {
        Self::start(Shared {
            health: Health::new(node.clone()),
            refusals: Refusals::default(),
            feed: Feed::default(),
            #[cfg(feature = "bus")]
            bus: None,
            node,
        })
    }

    /// As [`new`](Self::new), with a bus besides the node.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[cfg(feature = "bus")]
    pub fn with_bus(node: Inspector, bus: shiome_bus::Bus) -> Self {
        Self::start(Shared {
            health: Health::new(node.clone()),
            refusals: Refusals::default(),
            feed: Feed::default(),
            bus: Some(bus),
            node,
        })
    }

    fn start(shared: Shared) -> Self {
        let inspect = Self(Arc::new(shared));
        inspect.0.feed.start(&inspect.0.node);
        #[cfg(feature = "metrics")]
        tokio::spawn(crate::metrics::run(WeakInspect(Arc::downgrade(&inspect.0))));
        inspect
    }

    /// What can be read, for an axum server of the program's own; see the [crate].
    pub fn router(&self) -> Router {
        api::router(self.clone())
    }

    /// Liveness and readiness.
    pub fn health_router(&self) -> Router {
        api::health_router(self.clone())
    }

    /// What acts: `POST /v1/ping` and `POST /v1/call`. Whoever reaches it can send to every actor of the cluster.
    pub fn action_router(&self) -> Router {
        actions::router(self.clone())
    }

    /// Whether the node is alive and ready.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// What was refused, for [`Guard`](crate::Guard) and [`serve`](crate::serve()) to count at.
    pub fn refusals(&self) -> &Refusals {
        &self.0.refusals
    }

    /// All there is to be seen but actors, groups and events.
    pub fn snapshot(&self) -> FeedSnapshot {
        FeedSnapshot {
            node: self.0.node.snapshot(),
            #[cfg(feature = "bus")]
            bus: self.bus().map(crate::bus::view),
            refused: self.refusals().all(),
            ready: self.health().is_ready(),
        }
    }

    /// What has happened since the event of that number, the oldest first; 0 for all that is remembered.
    pub fn timeline(&self, after: u64) -> Vec<NumberedEvent> {
        self.0.feed.timeline(after)
    }

    pub(crate) fn node(&self) -> &Inspector {
        &self.0.node
    }

    #[cfg(feature = "bus")]
    pub(crate) fn bus(&self) -> Option<&shiome_bus::Bus> {
        self.0.bus.as_ref()
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.0.feed
    }
}

/// What does not keep anything from ending.
#[cfg(feature = "metrics")]
pub(crate) struct WeakInspect(std::sync::Weak<Shared>);

#[cfg(feature = "metrics")]
impl WeakInspect {
    pub(crate) fn upgrade(&self) -> Option<Inspect> {
        self.0.upgrade().map(Inspect)
    }
}
