//! What has passed with each peer, over all sessions with it.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::SystemTime,
};

use super::totals::Totals;
use crate::{NodeDown, node::node_session::Shared};

/// Peers that are remembered, those that are connected included. Each takes some 600 bytes and a name; the one whose last
/// session is the oldest makes room.
pub const MAX_REMEMBERED_PEERS: usize = 4096;

/// The peers that the node has had sessions with.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<Peers>);

#[derive(Debug, Default)]
pub(super) struct Peers {
    peers: HashMap<String, Peer>,
    /// Orders them by their last sessions.
    clock: u64,
}

/// What is remembered of a peer.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer {
    /// Sessions that were authenticated.
    pub(super) sessions: u64,
    /// Why the last one ended, and when; `None` while none has.
    pub(super) last_down: Option<(SystemTime, NodeDown)>,
    /// What passed in those that have ended.
    pub(super) totals: Totals,
    touched: u64,
}

impl History {
    /// A session with that peer is authenticated.
    pub(crate) fn up(&self, name: &str) {
        self.lock().touch(name).sessions += 1;
    }

    /// An authenticated session has ended, and counts from now on as what is past. Once for each.
    pub(crate) fn down(&self, name: &str, link: &Shared, why: &NodeDown) {
        let mut peers = self.lock();
        if link.meter.is_history.swap(true, Ordering::Relaxed) {
            return;
        }
        let peer = peers.touch(name);
        peer.last_down = Some((SystemTime::now(), why.clone()));
        peer.totals.add(&Totals::of(link));
    }

    /// Lets `read` see the past of all peers, while no session becomes part of it.
    pub(super) fn read<R>(&self, read: impl FnOnce(&HashMap<String, Peer>) -> R) -> R {
        read(&self.lock().peers)
    }

    fn lock(&self) -> MutexGuard<'_, Peers> {
        // Numbers are whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Peers {
    fn touch(&mut self, name: &str) -> &mut Peer {
        self.clock += 1;
        if self.peers.len() >= MAX_REMEMBERED_PEERS && !self.peers.contains_key(name) {
            self.forget_oldest();
        }
        let peer = self.peers.entry(name.to_owned()).or_default();
        peer.touched = self.clock;
        peer
    }

    fn forget_oldest(&mut self) {
        let oldest = self.peers.iter().min_by_key(|(_, peer)| peer.touched);
        if let Some(name) = oldest.map(|(name, _)| name.clone()) {
            self.peers.remove(&name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peer_of_the_oldest_session_makes_room() {
        let history = History::default();
        for n in 0..MAX_REMEMBERED_PEERS {
            history.up(&format!("n{n}@h"));
        }
        history.up("n0@h");
        history.up("new@h");
        history.read(|peers| {
            assert_eq!(peers.len(), MAX_REMEMBERED_PEERS);
            assert_eq!(peers["n0@h"].sessions, 2);
            assert!(peers.contains_key("new@h") && !peers.contains_key("n1@h"));
        });
    }
}
