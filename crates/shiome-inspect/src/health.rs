use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use shiome_ractor::inspect::Inspector;

/// Whether a node is alive, and fit to be used. Clones are the same.
///
/// A node is alive until its server has stopped: then nothing but a new process helps. It is ready while it is alive and
/// nobody has said that it [drains](Self::drain): whoever sends it work may go on.
#[derive(Debug, Clone)]
pub struct Health {
    node: Inspector,
    draining: Arc<AtomicBool>,
}

impl Health {
    pub(crate) fn new(node: Inspector) -> Self {
        Self {
            node,
            draining: Arc::default(),
        }
    }

    /// The node is about to stop: from now on it is not ready.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the node runs.
    pub fn is_alive(&self) -> bool {
        self.node.is_running()
    }

    /// Whether the node runs and does not drain.
    pub fn is_ready(&self) -> bool {
        self.is_alive() && !self.draining.load(Ordering::Relaxed)
    }
}
