use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak},
};

use crate::{NodeId, node::node_session::Shared};

/// The sessions of this process, by the number that is also in the ids of their stand-ins. An `ActorRef` knows no more of
/// where it belongs.
static LINKED: LazyLock<Mutex<HashMap<NodeId, Weak<Shared>>>> = LazyLock::new(Mutex::default);

/// Keeps a session findable while it lasts.
#[derive(Debug)]
pub(crate) struct Linked(NodeId);

impl Linked {
    pub(crate) fn enter(shared: &Arc<Shared>) -> Self {
        lock().insert(shared.node_id, Arc::downgrade(shared));
        Self(shared.node_id)
    }

    /// The session of that number.
    pub(super) fn find(node_id: NodeId) -> Option<Arc<Shared>> {
        lock().get(&node_id)?.upgrade()
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        lock().remove(&self.0);
    }
}

fn lock() -> MutexGuard<'static, HashMap<NodeId, Weak<Shared>>> {
    // A map of references is whole after any panic.
    LINKED.lock().unwrap_or_else(PoisonError::into_inner)
}
