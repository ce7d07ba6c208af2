//! Answers that a peer owes: should it end, those who wait are told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    BusError, Level, MessageId, PeerId,
    bus::{Answer, Asked, Core},
    mailbox::{Item, Path},
};

/// Answers that are remembered: who waits for an older one runs into the timeout.
const MAX_OWED: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Owed(Mutex<VecDeque<Debt>>);

#[derive(Debug)]
struct Debt {
    asker: PeerId,
    id: MessageId,
    path: Path,
}

impl Owed {
    pub(super) fn owe(&self, item: &Item) {
        let envelope = &item.envelope;
        if envelope.level < Level::Answered {
            return;
        }
        let mut owed = self.lock();
        if owed.len() == MAX_OWED {
            owed.pop_front();
        }
        owed.push_back(Debt {
            asker: envelope.from.clone(),
            id: envelope.id,
            path: item.path,
        });
    }

    /// It was answered.
    pub(super) fn settle(&self, asker: &PeerId, id: MessageId) {
        let mut owed = self.lock();
        let same = |debt: &Debt| debt.id == id && debt.asker == *asker;
        if let Some(place) = owed.iter().position(same) {
            owed.remove(place);
        }
    }

    /// Tells all who wait that `asked` has ended.
    pub(super) fn fail(&self, core: &Arc<Core>, asked: &PeerId) {
        let owed = std::mem::take(&mut *self.lock());
        for Debt { asker, id, path } in owed {
            let asked = Asked {
                asker: &asker,
                id,
                asked,
            };
            let error = BusError::Closed(asked.asked.clone());
            core.answer_to(&asked, path, Answer::Failed(error));
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Debt>> {
        // The list is whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
