//! The way back from a channel that is lost.

use shiome_bus::{BusError, Envelope, LinkState};

use super::{Phase, RtcLink};
use crate::outbox::Diverted;

impl RtcLink {
    /// The channel is lost. Whether something may wait.
    pub(crate) fn begin_diverting(&self) -> bool {
        let mut inner = self.inner();
        let lost = matches!(inner.phase, Phase::Held | Phase::Direct | Phase::Diverting);
        if lost {
            inner.phase = Phase::Diverting;
        }
        lost
    }

    /// The next envelope to go another way. When there is none, all that comes goes there from now on.
    pub(crate) fn next_diverted(&self) -> Option<Diverted> {
        let mut inner = self.inner();
        if inner.phase != Phase::Diverting {
            return None;
        }
        let next = inner.outbox.divert();
        if next.is_none() {
            inner.phase = Phase::Relayed;
            drop(inner);
            self.state.send_if_modified(|state| {
                let up = *state == LinkState::Up;
                if up {
                    *state = LinkState::Connecting;
                }
                up
            });
            self.down();
            self.room.notify_waiters();
            self.flushed.notify_waiters();
        }
        next
    }

    /// The bus is told that the channel is lost, and what is left of the way.
    fn down(&self) {
        let Some(inbound) = self.inbound.get() else {
            return;
        };
        match inbound.detour(&self.remote) {
            Ok(_) => inbound.diverted(),
            Err(error) => {
                let terms = self.inner().terms.clone();
                if let (BusError::NodeNotFound(_), Some(terms)) = (error, terms) {
                    // Nobody knows of it any longer.
                    inbound.peer_down(&self.remote, terms.incarnation);
                }
                // No answer comes back.
                inbound.down();
            }
        }
    }

    /// One went another way.
    pub(crate) fn diverted(&self) {
        self.inner().sent += 1;
        self.room.notify_waiters();
    }

    /// One cannot go another way.
    pub(crate) fn not_diverted(&self, envelope: &Envelope, error: BusError) {
        self.bury(std::slice::from_ref(envelope), &error);
        self.room.notify_waiters();
    }

    /// One could not go another way, yet.
    pub(crate) fn put_back(&self, diverted: Diverted) {
        self.inner().outbox.put_back(diverted);
    }

    /// There is no way at all: what waits is lost, and who waits for an answer is told.
    pub(crate) fn give_up(&self) {
        let mut inner = self.inner();
        let mut lost = Vec::new();
        if inner.phase == Phase::Diverting {
            inner.phase = Phase::Relayed;
            lost = inner.outbox.drain();
        }
        drop(inner);
        self.bury(&lost, &self.not_connected());
        self.down();
        self.room.notify_waiters();
        self.flushed.notify_waiters();
    }

    /// What was taken will not be sent, or may not have arrived.
    pub(super) fn bury(&self, lost: &[Envelope], error: &BusError) {
        self.inner().errors += lost.len() as u64;
        if let Some(inbound) = self.inbound.get() {
            for envelope in lost {
                inbound.lost(envelope, error.clone());
            }
        }
    }
}
