//! Whether a connection may take the place of one that seems to be there.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ractor::ActorId;
use shiome_handshake::{Admission, MAX_HOLD};
use shiome_wire::auth::NameMessage;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Record, Registry};
use crate::node::node_session::Shared;

/// Time for a session to show a sign of life when a node dials that seems to have one.
///
/// A node that was restarted behind a link which nobody has closed is let in after this; one whose session lives is
/// refused within a round trip. Published initiators have no deadline, and the handshake's own is longer.
pub(crate) const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

impl Registry {
    /// The verdict on the initiator `id` that calls itself `peer`.
    ///
    /// Before a newcomer is refused for sessions with the node of that name, these have to show that they live. Nothing
    /// happens to them yet, whatever they show: anybody can claim a name. See [`Candidate::suspect`].
    ///
    /// [`Candidate::suspect`]: shiome_handshake::Candidate::suspect
    pub(crate) async fn admit(&self, id: ActorId, our_name: &str, peer: &NameMessage) -> Admission {
        self.update(id, |record| record.introduce(peer.clone()));
        let arrived = Instant::now();
        let mut probing = None;
        loop {
            let changed = self.changed.notified();
            let held = arrived.elapsed() - probing.unwrap_or_default();
            let admission = self.lock().admission(id, our_name, peer, held);
            match admission {
                Some(Admission::NotOk | Admission::Alive) if probing.is_none() => {
                    probing = Some(self.probe(&peer.name).await);
                }
                Some(admission) => return admission,
                None => drop(timeout(MAX_HOLD.saturating_sub(held), changed).await),
            }
        }
    }

    /// Asks the sessions with a node for a sign of life. Those that give none are suspect. Returns how long it took.
    async fn probe(&self, peer_name: &str) -> Duration {
        let rivals = self.linked_to(peer_name);
        let began = Instant::now();
        let _probing = Probing::begin(&self.probing);
        for (_, rival) in &rivals {
            rival.peer.apply(|session, now| session.probe(now));
        }
        let silent = |rivals: &[(ActorId, Arc<Shared>)]| {
            let silent = rivals.iter().filter(|(_, rival)| !rival.heard_since(began));
            let silent = silent.filter(|(id, _)| self.is_linked(*id));
            silent.map(|(id, _)| *id).collect::<Vec<_>>()
        };
        loop {
            let changed = self.changed.notified();
            if silent(&rivals).is_empty() {
                break;
            }
            if timeout_at(began + PROBE_TIMEOUT, changed).await.is_err() {
                break;
            }
        }
        for id in silent(&rivals) {
            self.update(id, |record| record.silent_since = Some(began));
        }
        began.elapsed()
    }

    /// A session has heard from its peer, for whoever probes it.
    pub(crate) fn heard(&self) {
        if self.probing.load(Ordering::Relaxed) > 0 {
            self.changed.notify_waiters();
        }
    }

    fn is_linked(&self, id: ActorId) -> bool {
        let state = self.lock();
        state
            .sessions
            .get(&id)
            .is_some_and(Record::is_authenticated)
    }

    fn linked_to(&self, peer_name: &str) -> Vec<(ActorId, Arc<Shared>)> {
        let state = self.lock();
        let records = state.sessions.values();
        let rivals = records.filter(|r| r.is_authenticated() && r.is_named(peer_name));
        rivals
            .filter_map(|record| Some((record.actor.get_id(), record.shared.upgrade()?)))
            .collect()
    }
}

/// Counts a probe for as long as it lasts, however it ends.
struct Probing<'a>(&'a AtomicUsize);

impl<'a> Probing<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Probing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
