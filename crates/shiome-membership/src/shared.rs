use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use shiome_swim::Swim;
use tokio::sync::Notify;

use crate::{
    events::Broadcast,
    security::Protection,
    socket::Reach,
    stats::{Counters, Stats},
};

/// What the tasks of a node and its handle have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    engine: Mutex<Swim>,
    /// Wakes the driver: the engine may have something to send or tell, or another timer.
    pub(crate) attention: Notify,
    pub(crate) events: Broadcast,
    pub(crate) counters: Arc<Counters>,
    pub(crate) protection: Arc<Protection>,
    pub(crate) reach: Reach,
    /// Name of the cluster, or its id.
    pub(crate) cluster: Arc<str>,
}

impl Shared {
    pub(crate) fn new(
        engine: Swim,
        protection: Arc<Protection>,
        reach: Reach,
        cluster: Arc<str>,
    ) -> Self {
        Self {
            engine: Mutex::new(engine),
            attention: Notify::new(),
            events: Broadcast::new(),
            counters: Arc::default(),
            protection,
            reach,
            cluster,
        }
    }

    /// Lets `f` command the engine, and the driver do what follows from it. `f` runs under a lock and must not call
    /// back.
    pub(crate) fn apply<R>(&self, f: impl FnOnce(&mut Swim, Instant) -> R) -> R {
        let result = f(&mut self.engine(), now());
        self.attention.notify_one();
        result
    }

    /// The engine, for a few lines without `await`.
    pub(crate) fn engine(&self) -> MutexGuard<'_, Swim> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn stats(&self) -> Stats {
        let engine = self.engine();
        Stats {
            members: engine.len(),
            suspects: engine.suspects(),
            backlog: engine.backlog(),
            local_health: engine.local_health(),
            engine: engine.stats().clone(),
            driver: self.counters.snapshot(),
        }
    }
}

/// The time, of tokio's clock, which tests can pause.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
