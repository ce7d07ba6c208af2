use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ractor::{ActorCell, ActorId, ActorStatus, registry::where_is_pid};

/// Local actors whose end the peer wants to know the reason of.
///
/// The link's task begins to watch, so that an end after the peer's request is told with its reason; the exporter hears
/// of the end.
#[derive(Debug, Default)]
pub(super) struct Monitored(Mutex<HashMap<u64, Watched>>);

#[derive(Debug)]
struct Watched {
    actor: ActorCell,
    /// It has ended for those who would send to it, and is cleaning up.
    ending: bool,
}

impl Monitored {
    /// Lets `exporter` hear of the end of `pid`; `false` when there is no such actor, or it is ending.
    pub(super) fn begin(&self, exporter: &ActorCell, pid: u64) -> bool {
        let Some(actor) = where_is_pid(ActorId::Local(pid)) else {
            return false;
        };
        let mut monitored = self.lock();
        exporter.monitor(actor.clone());
        // One that was not ending when it was monitored tells its end.
        let in_time = actor.get_status() < ActorStatus::Stopping;
        if in_time {
            let ending = false;
            monitored.entry(pid).or_insert(Watched { actor, ending });
        }
        in_time
    }

    /// The peer does not want to know any more. Whether the end of `pid` has been kept back for its reason.
    pub(super) fn end(&self, exporter: &ActorCell, pid: u64) -> bool {
        let Some(watched) = self.lock().remove(&pid) else {
            return false;
        };
        exporter.unmonitor(watched.actor);
        watched.ending
    }

    /// `pid` is ending; `false` when nobody waits for the reason.
    pub(super) fn is_ending(&self, pid: u64) -> bool {
        let mut monitored = self.lock();
        let watched = monitored.get_mut(&pid);
        watched.map(|watched| watched.ending = true).is_some()
    }

    /// `pid` has ended; `None` when nobody wants to know, otherwise whether its end has been kept back.
    pub(super) fn ended(&self, pid: u64) -> Option<bool> {
        Some(self.lock().remove(&pid)?.ending)
    }

    /// The session has ended.
    pub(super) fn clear(&self, exporter: &ActorCell) {
        for watched in self.lock().drain().map(|(_, watched)| watched) {
            exporter.unmonitor(watched.actor);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Watched>> {
        // A map of refs is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
