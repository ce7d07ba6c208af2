//! Receipts that find no room on their link: they go as soon as there is.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::timeout;

use super::{Core, Line, LinkId};
use crate::{BusError, Envelope};

/// Receipts that wait for room on one link at most: as many as one peer may wait for.
const MAX_LATE: usize = 65_536;

/// By link, in order. A link that is in it has a task that works off its queue.
#[derive(Debug, Default)]
pub(super) struct Late(Mutex<HashMap<LinkId, VecDeque<Envelope>>>);

impl Late {
    /// Whether it is the first for that link. Handed back when there are too many.
    fn push(&self, link: LinkId, receipt: Envelope) -> Result<bool, Box<Envelope>> {
        let mut late = self.lock();
        let first = !late.contains_key(&link);
        let queue = late.entry(link).or_default();
        if queue.len() >= MAX_LATE {
            return Err(receipt.into());
        }
        queue.push_back(receipt);
        Ok(first)
    }

    /// The next one, if there is one.
    fn pop(&self, link: LinkId) -> Option<Envelope> {
        let mut late = self.lock();
        let next = late.get_mut(&link)?.pop_front();
        if next.is_none() {
            late.remove(&link);
        }
        next
    }

    /// All that wait for that link, which nobody works off then.
    fn take(&self, link: LinkId) -> VecDeque<Envelope> {
        self.lock().remove(&link).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LinkId, VecDeque<Envelope>>> {
        // Queues are whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Core {
    /// Sends what somebody behind that link waits for, now or as soon as there is room.
    pub(crate) fn send_receipt(
        self: &Arc<Self>,
        id: LinkId,
        link: &Arc<Line>,
        mut receipt: Envelope,
    ) {
        match link.try_put(&mut receipt, |link, receipt| link.try_send(receipt)) {
            Ok(()) => {}
            Err(full @ BusError::QueueFull(_)) => self.send_later(id, link, receipt, &full),
            Err(error) => self.failed(&receipt, &error),
        }
    }

    fn send_later(
        self: &Arc<Self>,
        id: LinkId,
        link: &Arc<Line>,
        receipt: Envelope,
        full: &BusError,
    ) {
        match (self.late.push(id, receipt), self.runtime()) {
            (Ok(false), _) => {}
            (Ok(true), Ok(runtime)) => {
                // Who asked waits no longer than that, unless told otherwise.
                let patience = self.options.request_timeout;
                let (core, link) = (Arc::downgrade(self), Arc::clone(link));
                runtime.spawn(work_off(core, id, link, patience));
            }
            (Ok(true), Err(_)) => self.give_up(id, full),
            (Err(receipt), _) => self.failed(&receipt, full),
        }
    }

    fn give_up(&self, id: LinkId, error: &BusError) {
        for receipt in self.late.take(id) {
            self.failed(&receipt, error);
        }
    }
}

/// Sends receipts until none waits, or the link has had no room for so long.
async fn work_off(core: Weak<Core>, id: LinkId, link: Arc<Line>, patience: Duration) {
    let next = || core.upgrade()?.late.pop(id);
    while let Some(mut receipt) = next() {
        let put = link.put(&mut receipt, |link, receipt| link.try_send(receipt));
        let sent = timeout(patience, put).await;
        let Some(core) = core.upgrade() else {
            return;
        };
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(error)) => core.failed(&receipt, &error),
            Err(_) => {
                let full = BusError::QueueFull(receipt.to.clone());
                core.failed(&receipt, &full);
                return core.give_up(id, &full);
            }
        }
    }
}
