use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, Weak},
};

use ractor::{ActorCell, ActorId, ActorRuntime, ActorStatus};
use tracing::debug;

use crate::{
    NodeId,
    node::node_session::Shared,
    remote_actor::{RemoteActor, Route},
};

/// Shims made as soon as their actors are announced, a peer.
///
/// Each costs some 11 KiB, and only those in groups or asked for are ever used; the actors beyond get theirs when they
/// join a group or somebody asks.
pub(super) const MAX_EAGER_SHIMS: usize = 1024;

/// The local stand-ins for one peer's actors.
pub(crate) struct Shims {
    node_id: NodeId,
    supervisor: ActorCell,
    link: Weak<Shared>,
    by_pid: Mutex<HashMap<u64, ActorCell>>,
    /// Held while a shim is made, so that an actor gets one.
    spawning: tokio::sync::Mutex<()>,
}

impl Shims {
    pub(crate) fn new(node_id: NodeId, supervisor: ActorCell, link: Weak<Shared>) -> Self {
        Self {
            node_id,
            supervisor,
            link,
            by_pid: Mutex::default(),
            spawning: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// The shim of `pid`, if there is one.
    pub(crate) fn get(&self, pid: u64) -> Option<ActorCell> {
        self.lock().get(&pid).cloned()
    }

    /// The shim of `pid`, made if need be; `None` when the session is ending.
    pub(crate) async fn get_or_spawn(&self, pid: u64) -> Option<ActorCell> {
        let _spawning = self.spawning.lock().await;
        if let Some(shim) = self.get(pid).filter(is_usable) {
            return Some(shim);
        }
        let id = ActorId::Remote {
            node_id: self.node_id,
            pid,
        };
        let route = Route {
            pid,
            link: self.link.clone(),
        };
        let spawned = ActorRuntime::spawn_linked_remote(
            None,
            RemoteActor,
            id,
            route,
            self.supervisor.clone(),
        );
        match spawned.await {
            Ok((shim, _)) => {
                let shim = shim.get_cell();
                self.lock().insert(pid, shim.clone());
                Some(shim)
            }
            Err(error) => {
                debug!(pid, %error, "no shim for a remote actor");
                None
            }
        }
    }

    /// Ends the shim of an actor that is gone.
    pub(crate) fn stop(&self, pid: u64, reason: &str) {
        if let Some(shim) = self.lock().remove(&pid) {
            shim.stop(Some(reason.to_owned()));
        }
    }

    /// Ends all shims; whoever watches them is told why.
    pub(crate) fn end(&self, reason: &str) {
        let shims = std::mem::take(&mut *self.lock());
        for shim in shims.into_values() {
            // A supervisor that ends kills what it supervises, and that would be all that is told.
            shim.unlink(self.supervisor.clone());
            shim.stop(Some(reason.to_owned()));
        }
    }

    /// Forgets a shim that has ended, unless the actor has got another since. Whether it ended by the program's will,
    /// and not because the actor or the session has ended.
    pub(crate) fn forget(&self, ended: &ActorCell) -> bool {
        let mut shims = self.lock();
        let pid = ended.get_id().pid();
        let stopped = shims.get(&pid).is_some_and(|shim| !is_usable(shim));
        if stopped {
            shims.remove(&pid);
        }
        stopped
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, ActorCell>> {
        // A map of refs is whole after any panic.
        self.by_pid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_usable(shim: &ActorCell) -> bool {
    shim.get_status() < ActorStatus::Draining
}
