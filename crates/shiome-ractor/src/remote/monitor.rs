use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, ready},
};

use shiome_session::SendError;
use tokio::sync::{oneshot, watch};

use super::{Down, NodeDown};
use crate::node::node_session::Shared;

/// Waits for the end of a remote actor, or of the link to its node. Resolves once.
///
/// From [`RemoteRef::monitor`](super::RemoteRef::monitor). Dropping it ends the watch.
#[derive(Debug)]
#[must_use = "a monitor that is dropped watches nothing"]
pub struct Monitor {
    down: oneshot::Receiver<Down>,
    /// Where to take the watch back.
    watch: Option<Watch>,
}

#[derive(Debug)]
struct Watch {
    link: Weak<Shared>,
    pid: u64,
    number: u64,
}

impl Monitor {
    pub(super) fn start(link: &Arc<Shared>, pid: u64) -> Self {
        let (teller, down) = oneshot::channel();
        let started = link.watchers.watch(pid, teller, || {
            link.peer.apply(|session, _| match session.monitor(pid) {
                Err(SendError::UnknownActor { .. }) if !session.is_ready() => Ok(Begun::Deferred),
                // Why it is, is told in a moment.
                Err(SendError::Closed) => Ok(Begun::Now),
                begun => begun.map(|()| Begun::Now),
            })
        });
        let link = Arc::downgrade(link);
        Self {
            down,
            watch: started.map(|number| Watch { link, pid, number }),
        }
    }

    pub(super) fn resolved(down: Down) -> Self {
        let (teller, receiver) = oneshot::channel();
        // The receiver is right here.
        let _ = teller.send(down);
        Self {
            down: receiver,
            watch: None,
        }
    }
}

impl Future for Monitor {
    type Output = Down;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Down> {
        let down = ready!(Pin::new(&mut self.down).poll(cx));
        // Whoever drops a teller without a word has dropped the session.
        Poll::Ready(down.unwrap_or(Down::NodeDown(NodeDown::Closed)))
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let Some(Watch { link, pid, number }) = self.watch.take() else {
            return;
        };
        if let Some(link) = link.upgrade() {
            // The session may have ended, and then there is nothing to take back.
            let demonitor = || {
                let _ = link.peer.apply(|session, _| session.demonitor(pid));
            };
            link.watchers.forget(pid, number, demonitor);
        }
    }
}

/// Waits for the end of the link to a node.
///
/// From [`Node::monitor`](crate::Node::monitor).
#[derive(Debug, Clone)]
#[must_use = "a monitor that is dropped watches nothing"]
pub struct NodeMonitor(watch::Receiver<Option<NodeDown>>);

impl NodeMonitor {
    /// The reason, as soon as the link is gone; again and at once to whoever asks again. Cancel-safe.
    pub async fn down(&self) -> NodeDown {
        match self.0.clone().wait_for(Option::is_some).await {
            Ok(down) => down.clone().unwrap_or(NodeDown::Closed),
            Err(_) => NodeDown::Closed,
        }
    }
}

/// Who watches the actors of one peer, and the peer itself.
///
/// The lock is held while the session is told to begin or end a watch, so that it hears of both in the order in which
/// they happened here.
#[derive(Debug)]
pub(crate) struct Watchers {
    state: Mutex<State>,
    node: watch::Sender<Option<NodeDown>>,
}

/// From when on an actor is watched.
#[derive(Debug, Clone, Copy)]
enum Begun {
    Now,
    /// From when its node has told its actors.
    Deferred,
}

#[derive(Debug, Default)]
struct State {
    by_pid: HashMap<u64, Vec<(u64, oneshot::Sender<Down>)>>,
    /// Whose watches the session does not know of yet.
    deferred: HashSet<u64>,
    /// Who waits for a word on a stop.
    stops: HashMap<u64, Vec<oneshot::Sender<()>>>,
    next: u64,
}

impl Default for Watchers {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            node: watch::Sender::new(None),
        }
    }
}

impl Watchers {
    /// Adds a watch, with `begin` if it is the first of that actor; its number, unless it has resolved already.
    fn watch(
        &self,
        pid: u64,
        teller: oneshot::Sender<Down>,
        begin: impl FnOnce() -> Result<Begun, SendError>,
    ) -> Option<u64> {
        let mut state = self.lock();
        let down = self.ended();
        if let Some(down) = down {
            let _ = teller.send(Down::NodeDown(down));
            return None;
        }
        if !state.by_pid.contains_key(&pid) {
            match begin() {
                Ok(Begun::Now) => {}
                Ok(Begun::Deferred) => {
                    state.deferred.insert(pid);
                }
                Err(error) => {
                    let _ = teller.send(refused(error));
                    return None;
                }
            }
        }
        let number = state.next;
        state.next += 1;
        state.by_pid.entry(pid).or_default().push((number, teller));
        Some(number)
    }

    /// Begins the watches that had to wait for the peer to tell its actors.
    pub(crate) fn begin_deferred(&self, begin: impl Fn(u64) -> Result<(), SendError>) {
        let mut unwatched = Vec::new();
        {
            let mut state = self.lock();
            for pid in std::mem::take(&mut state.deferred) {
                if !state.by_pid.contains_key(&pid) {
                    continue;
                }
                match begin(pid) {
                    Ok(()) | Err(SendError::Closed) => {}
                    Err(error) => unwatched.push((state.by_pid.remove(&pid), refused(error))),
                }
            }
        }
        for (watches, down) in unwatched {
            for (_, teller) in watches.into_iter().flatten() {
                let _ = teller.send(down.clone());
            }
        }
    }

    /// Removes a watch, with `end` if it was the last of that actor.
    fn forget(&self, pid: u64, number: u64, end: impl FnOnce()) {
        let mut state = self.lock();
        let Entry::Occupied(mut watches) = state.by_pid.entry(pid) else {
            return;
        };
        watches.get_mut().retain(|(other, _)| *other != number);
        if watches.get().is_empty() {
            watches.remove();
            end();
        }
    }

    /// Tells all who watch an actor that it is gone.
    pub(crate) fn tell(&self, pid: u64, down: &Down) {
        let watches = self.lock().by_pid.remove(&pid);
        for (_, teller) in watches.into_iter().flatten() {
            let _ = teller.send(down.clone());
        }
    }

    /// Tells everybody that the link is gone. The first reason counts; `false` for others.
    pub(crate) fn end(&self, why: &NodeDown) -> bool {
        let watches = {
            let mut state = self.lock();
            let first = self.node.send_if_modified(|down| {
                let first = down.is_none();
                down.get_or_insert_with(|| why.clone());
                first
            });
            if !first {
                return false;
            }
            state.stops.clear();
            std::mem::take(&mut state.by_pid)
        };
        for (_, teller) in watches.into_values().flatten() {
            let _ = teller.send(Down::NodeDown(why.clone()));
        }
        true
    }

    /// Resolves when the peer says that it does not stop that actor.
    pub(super) fn stop_refused(&self, pid: u64) -> oneshot::Receiver<()> {
        let (teller, refused) = oneshot::channel();
        let mut state = self.lock();
        state.stops.retain(|_, tellers| {
            tellers.retain(|teller| !teller.is_closed());
            !tellers.is_empty()
        });
        state.stops.entry(pid).or_default().push(teller);
        refused
    }

    /// The peer has said that it does not stop that actor.
    pub(crate) fn tell_stop_refused(&self, pid: u64) {
        let tellers = self.lock().stops.remove(&pid);
        for teller in tellers.into_iter().flatten() {
            let _ = teller.send(());
        }
    }

    /// Why the link is gone, if it is.
    pub(crate) fn ended(&self) -> Option<NodeDown> {
        self.node.borrow().clone()
    }

    /// Watches the link.
    pub(crate) fn node(&self) -> NodeMonitor {
        NodeMonitor(self.node.subscribe())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Maps of tellers are whole after any panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(error: SendError) -> Down {
    match error {
        SendError::UnknownActor { .. } => Down::UnknownActor,
        SendError::Closed => Down::NodeDown(NodeDown::Closed),
        _ => Down::NotAllowed,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn teller() -> (oneshot::Sender<Down>, oneshot::Receiver<Down>) {
        oneshot::channel()
    }

    #[test]
    fn the_session_is_told_of_the_first_watch_and_of_the_end_of_the_last() {
        let watchers = Watchers::default();
        let (begun, ended) = (Cell::new(0), Cell::new(0));
        let watch = |teller| {
            watchers.watch(7, teller, || {
                begun.set(begun.get() + 1);
                Ok(Begun::Now)
            })
        };
        let ((one, _one), (two, _two)) = (teller(), teller());
        let (one, two) = (watch(one).unwrap(), watch(two).unwrap());
        assert_eq!(begun.get(), 1);
        let forget = |number| watchers.forget(7, number, || ended.set(ended.get() + 1));
        forget(one);
        assert_eq!(ended.get(), 0);
        forget(two);
        forget(two);
        assert_eq!(ended.get(), 1);
    }

    #[test]
    fn a_watch_resolves_once_and_is_not_taken_back_after() {
        let watchers = Watchers::default();
        let (one, mut down) = teller();
        let number = watchers.watch(7, one, || Ok(Begun::Now)).unwrap();
        watchers.tell(7, &Down::Killed);
        watchers.tell(7, &Down::Ended);
        assert!(watchers.end(&NodeDown::Stopped));
        assert_eq!(down.try_recv(), Ok(Down::Killed));
        watchers.forget(7, number, || panic!("there is nothing to take back"));
    }

    #[test]
    fn the_end_of_the_link_resolves_all_watches_also_those_that_come_later() {
        let watchers = Watchers::default();
        let (one, mut first) = teller();
        watchers.watch(7, one, || Ok(Begun::Now)).unwrap();
        assert!(watchers.end(&NodeDown::Unresponsive));
        assert!(!watchers.end(&NodeDown::Closed));
        let (two, mut second) = teller();
        let begin = || panic!("no session is left to tell");
        assert_eq!(watchers.watch(8, two, begin), None);
        let gone = Down::NodeDown(NodeDown::Unresponsive);
        assert_eq!(first.try_recv(), Ok(gone.clone()));
        assert_eq!(second.try_recv(), Ok(gone));
    }

    #[test]
    fn a_watch_that_cannot_begin_says_so() {
        let watchers = Watchers::default();
        let (one, mut down) = teller();
        let unknown = || Err(SendError::UnknownActor { pid: 7 });
        assert_eq!(watchers.watch(7, one, unknown), None);
        assert_eq!(down.try_recv(), Ok(Down::UnknownActor));
    }
}
