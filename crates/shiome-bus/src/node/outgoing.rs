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
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    /// Of each lane; also where the link had no room.
    seqs: [u64; Priority::ALL.len()],
    /// Those of the envelopes before, and which of them was the last.
    over: BTreeSet<LinkId>,
    latest: Option<LinkId>,
}

impl Outgoing {
    fn last(&self) -> MutexGuard<'_, Last> {
        // It is whole after any panic.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether something went over that link.
    pub(super) fn went_over(&self, link: LinkId) -> bool {
        self.last().over.contains(&link)
    }

    /// The link is there no longer.
    pub(super) fn forget(&self, link: LinkId) {
        let mut last = self.last();
        last.over.remove(&link);
        last.latest = None;
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
        let mut last = self.outgoing.last();
        let lane = envelope.priority.lane();
        if envelope.id.seq < last.seqs[lane] {
            envelope.id = self.next_id();
            if let Some(wait) = wait {
                wait.renumber(envelope.id.seq);
            }
        }
        last.seqs[lane] = envelope.id.seq;
        if last.latest != Some(id) {
            last.over.insert(id);
            last.latest = Some(id);
        }
        link.try_send(envelope)
    }

    /// A link is there no longer.
    pub(crate) fn forget_link(&self, id: LinkId) {
        self.outgoing.forget(id);
    }
}
