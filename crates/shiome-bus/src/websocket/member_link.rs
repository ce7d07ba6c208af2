//! A client of a server as a link of the bus.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{sync::watch, time::timeout};

use super::{
    attached::Attached,
    hub::Hub,
    member::{Member, Order},
};
use crate::{
    Audience, BoxFuture, BusError, Envelope, Inbound, Incarnation, Link, LinkKind, LinkState,
    LinkStats, PeerId, wire::CloseReason,
};

/// A client that was let in, for the bus of this process.
pub(crate) struct MemberLink {
    hub: Arc<Hub>,
    member: Arc<Member>,
}

impl MemberLink {
    pub(crate) fn new(hub: &Arc<Hub>, member: &Arc<Member>) -> Self {
        Self {
            hub: Arc::clone(hub),
            member: Arc::clone(member),
        }
    }

    fn closed(&self) -> BusError {
        BusError::NotConnected(self.member.id.clone())
    }

    /// Waits until the first `taken` are acknowledged, where so many were `lost` before.
    async fn flushed(&self, taken: u64, lost: u64) -> Result<(), BusError> {
        let attached = self.member.attached.get().ok_or_else(|| self.closed())?;
        loop {
            let news = attached.flushed.notified();
            {
                let state = self.member.state();
                if state.lost > lost {
                    return Err(self.closed());
                }
                if state.session.has_flushed(taken) && !state.ended {
                    return Ok(());
                }
                if state.ended || !state.linked {
                    return Err(self.closed());
                }
            }
            news.await;
        }
    }

    /// Waits until the first `taken` are acknowledged, or given up. The client may be away meanwhile.
    async fn settled(&self, taken: u64) {
        let Some(attached) = self.member.attached.get() else {
            return;
        };
        loop {
            let news = attached.flushed.notified();
            {
                let state = self.member.state();
                if state.ended || state.session.has_flushed(taken) {
                    return;
                }
            }
            news.await;
        }
    }
}

impl Link for MemberLink {
    fn kind(&self) -> LinkKind {
        LinkKind::WEBSOCKET
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        let attached = Arc::new(Attached::new(inbound));
        self.member
            .attached
            .set(attached)
            .map_err(|_| self.closed())
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        self.member.push(envelope)?;
        self.member.state().sent += 1;
        Ok(())
    }

    fn send<'a>(&'a self, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            loop {
                let room = self.member.room.notified();
                match self.try_send(envelope) {
                    Err(BusError::QueueFull(_)) => room.await,
                    sent => return sent,
                }
            }
        })
    }

    fn room(&self) -> Option<BoxFuture<'_, ()>> {
        Some(Box::pin(self.member.room.notified()))
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        let (taken, lost) = {
            let state = self.member.state();
            (state.session.taken(), state.lost)
        };
        self.member.order(Order::Ask);
        Box::pin(self.flushed(taken, lost))
    }

    fn close(&self, deadline: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            let (taken, lost) = {
                let mut state = self.member.state();
                state.closing = true;
                (state.session.taken(), state.lost)
            };
            self.member.order(Order::Ask);
            let settled = timeout(deadline, self.settled(taken)).await;
            self.hub.remove(&self.member, CloseReason::Closed);
            match settled {
                _ if self.member.state().lost == lost => Ok(()),
                Ok(()) => Err(self.closed()),
                Err(_) => Err(BusError::Timeout {
                    peer: self.member.id.clone(),
                    after: deadline,
                }),
            }
        })
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        match self.member.attached.get() {
            Some(attached) => attached.state.subscribe(),
            None => watch::channel(LinkState::Connecting).1,
        }
    }

    fn peers(&self) -> Vec<PeerId> {
        let state = self.member.state();
        let others = state.speaks_for.keys();
        std::iter::once(&self.member.id)
            .chain(others)
            .cloned()
            .collect()
    }

    fn stats(&self) -> LinkStats {
        let state = self.member.state();
        LinkStats {
            messages_sent: state.sent,
            messages_received: state.received,
            errors: state.errors,
            is_ready: state.linked && !state.closing,
            queued: state.session.queued(),
            ..LinkStats::new(LinkKind::WEBSOCKET)
        }
    }

    fn local_peer(&self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        self.hub.local_peer(peer, incarnation, present);
    }

    fn audience(&self) -> Option<Arc<dyn Audience>> {
        Some(self.hub.clone())
    }
}

impl fmt::Debug for MemberLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MemberLink").field(&self.member.id).finish()
    }
}
