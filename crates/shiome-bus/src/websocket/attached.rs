//! A link of a bus: what those of clients and of servers have in common.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use tokio::sync::{Mutex, Notify, watch};
use tracing::debug;

use crate::{
    BoxFuture, BusError, Envelope, Inbound, Incarnation, LinkState, PeerId, Remote,
    wire::{CloseReason, Presence},
};

/// The bus at this end of a link.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) inbound: Arc<dyn Inbound>,
    pub(crate) state: watch::Sender<LinkState>,
    /// Of those who hand over what came.
    turn: Mutex<()>,
    /// Told when something was acknowledged, and when the link goes down.
    pub(crate) flushed: Notify,
}

impl Attached {
    pub(crate) fn new(inbound: Arc<dyn Inbound>) -> Self {
        Self {
            inbound,
            state: watch::Sender::new(LinkState::Connecting),
            turn: Mutex::new(()),
            flushed: Notify::new(),
        }
    }

    /// The link is up, and its other end is `remote`, which is a peer if an incarnation of it is told.
    ///
    /// # Errors
    ///
    /// Those of [`Inbound::peer_up`]; the link is down.
    pub(crate) fn up(
        &self,
        remote: Remote,
        incarnation: Option<Incarnation>,
    ) -> Result<(), BusError> {
        let id = remote.id.clone();
        self.inbound.up(remote);
        if let Some(incarnation) = incarnation
            && let Err(error) = self.inbound.peer_up(&id, incarnation)
        {
            self.inbound.down();
            return Err(error);
        }
        self.state.send_replace(LinkState::Up);
        Ok(())
    }

    /// Hands envelopes to the bus, one after the other, and after all that were handed over before.
    pub(crate) fn deliver(self: &Arc<Self>, envelopes: Vec<Envelope>) -> BoxFuture<'static, ()> {
        let attached = Arc::clone(self);
        Box::pin(async move {
            let _turn = attached.turn.lock().await;
            attached.inbound.deliver_all(envelopes).await;
        })
    }

    /// Who is at the other end, where `known` were before: those who are gone now, at least. Those whom the bus does not take there
    /// are skipped, and returned.
    pub(crate) fn hear_presence(
        &self,
        known: &BTreeMap<PeerId, Incarnation>,
        presence: &Presence,
    ) -> Vec<PeerId> {
        if presence.all {
            self.inbound.tells_of_all(!presence.partial);
            let here: HashSet<_> = presence.present.iter().map(|(id, _)| id).collect();
            for (id, incarnation) in known.iter().filter(|(id, _)| !here.contains(id)) {
                // Who tells of some only does not say that the others are gone.
                match presence.partial {
                    true => self.inbound.peer_untold(id, *incarnation),
                    false => self.inbound.peer_down(id, *incarnation),
                }
            }
        }
        for id in &presence.absent {
            if let Some(incarnation) = known.get(id) {
                self.inbound.peer_down(id, *incarnation);
            }
        }
        let mut refused = Vec::new();
        for (id, incarnation) in &presence.present {
            if let Err(error) = self.inbound.peer_up(id, *incarnation) {
                debug!(%id, %error, "not taken from this link");
                refused.push(id.clone());
            }
        }
        refused
    }

    /// Something came that is no message of frames.
    pub(crate) fn malformed(&self) {
        self.inbound
            .malformed(&BusError::serialization("malformed frame"));
    }

    /// The link is down, and may come back.
    pub(crate) fn down(&self) {
        let was_up = self.state.send_if_modified(|state| {
            let up = matches!(state, LinkState::Up | LinkState::Closing);
            if up {
                *state = LinkState::Connecting;
            }
            up
        });
        if was_up {
            self.inbound.down();
        }
        self.flushed.notify_waiters();
    }

    /// The link has ended.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.down();
        let last = self.state.send_if_modified(|state| {
            let last = !matches!(state, LinkState::Closed(_));
            if last {
                *state = LinkState::Closed(reason.to_string().into());
            }
            last
        });
        if last {
            self.inbound.closed();
        }
    }
}
