//! What a peer has given to links.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::Node;
use crate::{BusError, Envelope, Link, Priority, bus::LinkId, pending::Wait};

/// The numbers that came to links last, and those links.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    /// Held while a link takes an envelope: no other of its lane comes between number and link.
    lanes: [Mutex<Lane>; Priority::ALL.len()],
    /// Links that something went over. Never held while anything else runs, so that a link that ends as it is sent to is forgotten.
    over: Mutex<BTreeSet<LinkId>>,
}

/// The envelope of a lane that came to a link last; also where that had no room.
#[derive(Debug, Default)]
struct Lane {
    seq: u64,
    link: Option<LinkId>,
}

impl Outgoing {
    fn lane(&self, priority: Priority) -> MutexGuard<'_, Lane> {
        // It is whole after any panic.
        let lane = self.lanes[priority.lane()].lock();
        lane.unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self) -> MutexGuard<'_, BTreeSet<LinkId>> {
        // It is whole after any panic.
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something went over that link.
    pub(super) fn went_over(&self, link: LinkId) -> bool {
        self.over().contains(&link)
    }
}

impl Node {
    /// Has a link take an envelope, under a new number if a later one of its lane went before: receivers take for a copy what
    /// comes after many later ones.
    pub(super) fn put_over(
        &self,
        id: LinkId,
        link: &dyn Link,
        envelope: &mut Envelope,
        wait: Option<&mut Wait<'_>>,
    ) -> Result<(), BusError> {
        let mut last = self.outgoing.lane(envelope.priority);
        if envelope.id.seq < last.seq {
            envelope.id = self.next_id();
            if let Some(wait) = wait {
                wait.renumber(envelope.id.seq);
            }
        }
        last.seq = envelope.id.seq;
        if last.link != Some(id) {
            self.outgoing.over().insert(id);
            last.link = Some(id);
        }
        link.try_send(envelope)
    }

    /// A link is there no longer. None has its name again.
    pub(crate) fn forget_link(&self, id: LinkId) {
        self.outgoing.over().remove(&id);
    }
}
