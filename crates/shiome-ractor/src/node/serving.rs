use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
};

use ractor::ActorId;

use crate::reconnect::Connections;

/// What belongs to the running node servers. The functions of [`client`](super::client) know a node server by its actor
/// alone, whose messages are `ractor_cluster`'s and have none for more.
static SERVING: LazyLock<Mutex<HashMap<ActorId, Weak<Connections>>>> =
    LazyLock::new(Mutex::default);

/// Keeps what belongs to a node server findable while it runs.
#[derive(Debug)]
pub(crate) struct Serving(ActorId);

impl Serving {
    pub(super) fn enter(server: ActorId, connections: &Arc<Connections>) -> Self {
        lock().insert(server, Arc::downgrade(connections));
        Self(server)
    }

    /// The connections of a running node server of this process.
    pub(crate) fn find(server: ActorId) -> Option<Arc<Connections>> {
        lock().get(&server)?.upgrade()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn lock() -> MutexGuard<'static, HashMap<ActorId, Weak<Connections>>> {
    // A map of references is whole after any panic.
    SERVING.lock().unwrap_or_else(PoisonError::into_inner)
}
