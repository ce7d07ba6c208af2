use std::{
    collections::{HashMap, hash_map::Entry},
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ractor::{ActorCell, ActorId, ActorRuntime, ActorStatus};
use tokio::{sync::Notify, task::coop::consume_budget, time::timeout};
use tracing::debug;

use crate::{
    NodeId,
    node::node_session::Shared,
    remote_actor::{RemoteActor, Route},
};

/// Shims made as soon as their actors are announced, a peer.
///
/// Enough for a program that looks through the children of a session with few actors. Each costs some 10 KiB, and only those
/// in groups or asked for are ever used; the actors beyond get theirs when they join a group or somebody asks.
const MAX_EAGER_SHIMS: usize = 64;

/// Shims that are ending, a peer, before what it says next waits: an actor takes its time to end, and a peer that lets actors
/// come and go faster than that fills the memory with what is left of them.
const MAX_ENDING_SHIMS: usize = 1024;

/// How long that waits at most. A shim that waits for room on the link ends no sooner than there is some, for which the link
/// has to be read.
const ENDING_TIMEOUT: Duration = Duration::from_secs(1);

/// Time for the mailboxes of a session's shims to empty when it ends. A message takes some microseconds, since nobody
/// sends it any more.
const EMPTY_TIMEOUT: Duration = Duration::from_secs(1);

/// The local stand-ins for one peer's actors.
pub(crate) struct Shims {
    node_id: NodeId,
    supervisor: ActorCell,
    link: Weak<Shared>,
    made: Mutex<Made>,
    places: Arc<Places>,
    /// Held while a shim is made, so that an actor gets one.
    spawning: tokio::sync::Mutex<()>,
}

/// Counts the shims that there are, also those that are ending and are not known any more.
#[derive(Default)]
struct Places {
    taken: AtomicUsize,
    /// Tells that there is one less.
    left: Notify,
}

/// What a shim holds as long as it takes memory.
pub(crate) struct Place(Arc<Places>);

impl Place {
    fn take(places: &Arc<Places>) -> Self {
        places.taken.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(places))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
        self.0.left.notify_waiters();
    }
}

#[derive(Default)]
struct Made {
    by_pid: HashMap<u64, ActorCell>,
    /// Shims that had ended by the program's will, and have a successor before their end was told; how many an actor.
    succeeded: HashMap<u64, usize>,
}

impl Shims {
    pub(crate) fn new(node_id: NodeId, supervisor: ActorCell, link: Weak<Shared>) -> Self {
        Self {
            node_id,
            supervisor,
            link,
            made: Mutex::default(),
            places: Arc::default(),
            spawning: tokio::sync::Mutex::default(),
        }
    }

    /// Whether there may be one more that nobody has asked for.
    pub(crate) fn has_room(&self) -> bool {
        self.places.taken.load(Ordering::Relaxed) < MAX_EAGER_SHIMS
    }

    /// Waits until not too many shims are ending, but not for ever.
    pub(crate) async fn settle(&self) {
        let settled = async {
            loop {
                let mut left = pin!(self.places.left.notified());
                // From here on none is missed.
                left.as_mut().enable();
                let taken = self.places.taken.load(Ordering::Relaxed);
                if taken.saturating_sub(self.lock().by_pid.len()) < MAX_ENDING_SHIMS {
                    return;
                }
                left.await;
            }
        };
        let _ = timeout(ENDING_TIMEOUT, settled).await;
    }

    /// The shim of `pid`, if there is one.
    pub(crate) fn get(&self, pid: u64) -> Option<ActorCell> {
        self.lock().by_pid.get(&pid).cloned()
    }

    /// The shim of `pid`, made if need be; `None` when the session is ending.
    pub(crate) async fn get_or_spawn(&self, pid: u64) -> Option<ActorCell> {
        self.get_or_spawn_all(&[pid]).await.pop()
    }

    /// The shims of these actors, made if need be; none of those that cannot be made since the session is ending.
    pub(crate) async fn get_or_spawn_all(&self, pids: &[u64]) -> Vec<ActorCell> {
        let _spawning = self.spawning.lock().await;
        let mut shims = Vec::with_capacity(pids.len());
        for &pid in pids {
            let known = self.get(pid).filter(is_usable);
            match known {
                Some(shim) => shims.push(shim),
                None => shims.extend(self.spawn(pid).await),
            }
            // A long list leaves others their turns.
            consume_budget().await;
        }
        shims
    }

    /// Makes the shim of an actor that has none.
    async fn spawn(&self, pid: u64) -> Option<ActorCell> {
        let id = ActorId::Remote {
            node_id: self.node_id,
            pid,
        };
        let route = Route {
            pid,
            link: self.link.clone(),
            _place: Place::take(&self.places),
        };
        let supervisor = self.supervisor.clone();
        let spawned = ActorRuntime::spawn_linked_remote(None, RemoteActor, id, route, supervisor);
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
        if let Some(shim) = self.lock().by_pid.remove(&pid) {
            shim.stop(Some(reason.to_owned()));
        }
    }

    /// Ends all shims after what is in their mailboxes, which the session, being closed, refuses and counts. Waits for
    /// that, but not for long. Whoever watches them is told why.
    pub(crate) async fn end(&self, reason: &str) {
        let shims = std::mem::take(&mut *self.lock()).by_pid;
        for shim in shims.values() {
            // A supervisor that ends kills what it supervises, and that would be all that is told.
            shim.unlink(self.supervisor.clone());
            if shim
                .send_serialized(RemoteActor::last_message(reason))
                .is_err()
            {
                shim.stop(Some(reason.to_owned()));
            }
        }
        let ended = async {
            for shim in shims.values() {
                let _ = shim.wait(None).await;
            }
        };
        if timeout(EMPTY_TIMEOUT, ended).await.is_err() {
            for shim in shims.values() {
                shim.stop(Some(reason.to_owned()));
            }
        }
    }

    /// Forgets a shim that has ended, unless the actor has got another since. Whether it ended by the program's will,
    /// and not because the actor or the session has ended.
    pub(crate) fn forget(&self, ended: &ActorCell) -> bool {
        self.lock().forget(ended.get_id().pid())
    }

    fn lock(&self) -> MutexGuard<'_, Made> {
        // Maps of refs and numbers are whole after any panic.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Made {
    fn insert(&mut self, pid: u64, shim: ActorCell) {
        if self.by_pid.insert(pid, shim).is_some() {
            *self.succeeded.entry(pid).or_default() += 1;
        }
    }

    fn forget(&mut self, pid: u64) -> bool {
        if self.by_pid.get(&pid).is_some_and(|shim| !is_usable(shim)) {
            self.by_pid.remove(&pid);
            return true;
        }
        let Entry::Occupied(mut succeeded) = self.succeeded.entry(pid) else {
            return false;
        };
        *succeeded.get_mut() -= 1;
        if *succeeded.get() == 0 {
            succeeded.remove();
        }
        true
    }
}

fn is_usable(shim: &ActorCell) -> bool {
    shim.get_status() < ActorStatus::Draining
}

#[cfg(test)]
mod tests {
    use ractor::{Actor, ActorProcessingErr, ActorRef};

    use super::*;

    /// Does not hear of those that it supervises, as a session that is busy.
    struct Deaf;

    #[cfg_attr(feature = "async-trait", ractor::async_trait)]
    impl Actor for Deaf {
        type Msg = crate::remote_actor::Never;
        type State = ();
        type Arguments = ();

        async fn pre_start(
            &self,
            _myself: ActorRef<Self::Msg>,
            (): (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }

        async fn handle_supervisor_evt(
            &self,
            _myself: ActorRef<Self::Msg>,
            _event: ractor::SupervisionEvent,
            (): &mut (),
        ) -> Result<(), ActorProcessingErr> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stand_in_that_the_program_has_stopped_is_known_also_when_there_is_another_by_then() {
        let (session, _) = Actor::spawn(None, Deaf, ()).await.unwrap();
        let shims = Shims::new(9, session.get_cell(), Weak::new());
        let stopped = shims.get_or_spawn(7).await.unwrap();
        stopped.stop_and_wait(None, None).await.unwrap();
        let next = shims.get_or_spawn(7).await.unwrap();
        assert!(shims.forget(&stopped), "the program has stopped it");
        assert_eq!(
            shims.get(7).map(|shim| shim.get_status()),
            Some(next.get_status())
        );
        // The actor has ended, and its stand-in does.
        shims.stop(7, "remote");
        next.wait(None).await.unwrap();
        assert!(!shims.forget(&next));
        session.stop(None);
    }

    #[tokio::test(start_paused = true)]
    async fn stand_ins_that_are_ending_count_until_they_have_ended() {
        let (session, _) = Actor::spawn(None, Deaf, ()).await.unwrap();
        let shims = Shims::new(9, session.get_cell(), Weak::new());
        for pid in 0..MAX_EAGER_SHIMS as u64 {
            assert!(shims.has_room());
            shims.get_or_spawn(pid).await.unwrap();
        }
        assert!(!shims.has_room(), "as many as are made unasked");
        let many = MAX_ENDING_SHIMS as u64;
        let pids: Vec<_> = (0..many).collect();
        assert_eq!(shims.get_or_spawn_all(&pids).await.len(), MAX_ENDING_SHIMS);
        // That all live is nothing to wait for.
        let begun = tokio::time::Instant::now();
        shims.settle().await;
        for pid in 0..many {
            shims.stop(pid, "remote");
        }
        assert!(!shims.has_room(), "they have not ended");
        shims.settle().await;
        assert!(shims.places.taken.load(Ordering::Relaxed) < MAX_ENDING_SHIMS);
        while shims.places.taken.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO, "none of it took its time");
        session.stop(None);
    }
}
