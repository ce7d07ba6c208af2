//! A handle on a handler.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use crate::node::Node;

/// Keeps a handler registered: dropping it removes the handler, unless it was [detached](Self::detach).
///
/// A handler that is removed while it runs finishes that run; a delivery that has begun with it still reaches it.
#[must_use = "dropping a subscription removes its handler; `detach` keeps it"]
pub struct Subscription {
    node: Weak<Node>,
    what: What,
}

/// What is registered, by its id.
#[derive(Debug, Clone, Copy)]
pub(crate) enum What {
    Handler(u64),
    Outbound(u64),
    Inbound(u64),
}

impl Subscription {
    pub(crate) fn new(node: &Arc<Node>, what: What) -> Self {
        Self {
            node: Arc::downgrade(node),
            what,
        }
    }

    /// Removes the handler, and says whether it was still there.
    pub fn cancel(mut self) -> bool {
        self.remove()
    }

    /// Leaves the handler registered until it is removed by name or its peer is closed.
    pub fn detach(mut self) {
        self.node = Weak::new();
    }

    /// Whether the handler is registered.
    #[must_use]
    pub fn is_active(&self) -> bool {
        let Some(node) = self.node.upgrade() else {
            return false;
        };
        match self.what {
            What::Handler(id) => node.handlers.contains(id),
            What::Outbound(id) => node.outbound.contains(id),
            What::Inbound(id) => node.inbound.contains(id),
        }
    }

    fn remove(&mut self) -> bool {
        let Some(node) = std::mem::take(&mut self.node).upgrade() else {
            return false;
        };
        match self.what {
            What::Handler(id) => node.handlers.remove(id),
            What::Outbound(id) => node.outbound.remove(id),
            What::Inbound(id) => node.inbound.remove(id),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.remove();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Subscription({:?})", self.what)
    }
}
