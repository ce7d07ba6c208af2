//! How a peer ends: it stops sending, works off what it has, flushes the links, and goes.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, timeout, timeout_at};

use super::{Node, Phase};
use crate::{
    BusError, DropReason, Level,
    bus::Answer,
    deadline, dispatch,
    mailbox::{Item, Mailbox},
};

/// Time that a peer takes to close which was not told how long it may.
const USUAL_DEADLINE: Duration = Duration::from_secs(5);

impl Node {
    /// It sends and takes nothing more.
    pub(crate) fn begin_close(&self, by: Instant) {
        self.close_by.get_or_init(|| by);
        let (open, closing) = (Phase::Open as u8, Phase::Closing as u8);
        let (order, failure) = (Ordering::AcqRel, Ordering::Acquire);
        if self
            .phase
            .compare_exchange(open, closing, order, failure)
            .is_ok()
        {
            self.mailboxes.iter().for_each(Mailbox::close);
        }
    }

    pub(crate) async fn close(&self, deadline: Duration) -> Result<(), BusError> {
        let by = deadline::deadline(deadline);
        self.begin_close(by);
        if dispatch::serves(self) {
            // The handler that waits here is what would be waited for.
            return Ok(());
        }
        let mut ended = self.ended.subscribe();
        let worked_off = timeout_at(by, ended.wait_for(|ended| *ended)).await;
        if worked_off.is_err() {
            self.end();
        }
        let worked_off = worked_off.is_ok() || self.dispatchers.load(Ordering::Acquire) == 0;
        match self.left.load(Ordering::Acquire) {
            0 if worked_off && !self.unsent.load(Ordering::Acquire) => Ok(()),
            0 if Instant::now() < by => Err(BusError::NotConnected(self.id.clone())),
            _ => Err(BusError::Timeout {
                peer: self.id.clone(),
                after: deadline,
            }),
        }
    }

    /// A dispatcher has worked off its mailbox. The last one ends the peer.
    pub(crate) async fn worked_off(&self) {
        if self.dispatchers.fetch_sub(1, Ordering::AcqRel) > 1 || self.is_ended() {
            return;
        }
        let by = self.close_by.get().copied();
        let by = by.unwrap_or_else(|| deadline::deadline(USUAL_DEADLINE));
        let left = by.saturating_duration_since(Instant::now());
        let links = self.core.links().into_iter();
        let (own, others): (Vec<_>, Vec<_>) =
            links.partition(|(id, _)| self.outgoing.went_over(*id));
        self.unsent.store(!own.is_empty(), Ordering::Release);
        let mut arrived = true;
        for (_, link) in own {
            // What a link that is down still has is not waited for.
            arrived &= matches!(timeout(left, link.flush()).await, Ok(Ok(())));
        }
        self.unsent.store(!arrived, Ordering::Release);
        for (_, link) in others {
            // Those have receipts of it at most.
            let _ = timeout(left, link.flush()).await;
        }
        self.end();
    }

    /// Ends at once. Idempotent.
    pub(crate) fn end(&self) {
        if self.phase.swap(Phase::Ended as u8, Ordering::AcqRel) == Phase::Ended as u8 {
            return;
        }
        for mailbox in &self.mailboxes {
            mailbox
                .abandon()
                .into_iter()
                .for_each(|item| self.leave(&item));
        }
        self.owed.fail(&self.core, &self.id);
        self.core.leave(self, &self.seat);
        self.pending.close(&self.id);
        self.handlers.clear();
        self.outbound.clear();
        self.inbound.clear();
        self.ended.send_replace(true);
    }

    /// Drops an envelope that it did not get to.
    pub(crate) fn leave(&self, item: &Item) {
        let envelope = &item.envelope;
        self.left.fetch_add(1, Ordering::AcqRel);
        self.core.drops.trace(envelope, DropReason::Closed);
        if envelope.level >= Level::Handled {
            self.core
                .answer(envelope, item.path, Answer::Failed(self.closed()));
        }
    }
}
