//! The link as the bus sees it.

use std::{sync::Arc, time::Duration};

use shiome_bus::{
    BoxFuture, BusError, Envelope, Inbound, Incarnation, Link, LinkKind, LinkState, LinkStats,
    PeerId,
};
use tokio::{sync::watch, time::timeout};

use super::{Phase, RtcLink, Way};

impl Link for RtcLink {
    fn kind(&self) -> LinkKind {
        LinkKind::WEBRTC
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        let closed = |_| BusError::Closed(self.remote.clone());
        self.inbound.set(inbound).map_err(closed)
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        match self.put(envelope) {
            Way::Done(done) => done,
            Way::Detour => self.detour()?.try_send(envelope),
            Way::Ahead(envelope) => self.detour()?.try_send(&envelope),
        }
    }

    fn send<'a>(&'a self, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            loop {
                let mut room = std::pin::pin!(self.room.notified());
                room.as_mut().enable();
                match self.put(envelope) {
                    Way::Done(Err(BusError::QueueFull(_))) => room.await,
                    Way::Done(done) => return done,
                    Way::Detour => return self.detour()?.send(envelope).await,
                    Way::Ahead(envelope) => return self.detour()?.send(&envelope).await,
                }
            }
        })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            self.flush_own().await?;
            let relayed = self.inner().phase == Phase::Relayed;
            match self.detour() {
                Ok(detour) if relayed => detour.flush().await,
                _ => Ok(()),
            }
        })
    }

    fn close(&self, deadline: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async move {
            let flushed = timeout(deadline, self.flush_own()).await;
            let left = self.inner().outbox.len();
            self.end("closed");
            match flushed {
                Err(_) if left > 0 => Err(BusError::Timeout {
                    peer: self.remote.clone(),
                    after: deadline,
                }),
                _ => Ok(()),
            }
        })
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    fn peers(&self) -> Vec<PeerId> {
        vec![self.remote.clone()]
    }

    fn stats(&self) -> LinkStats {
        let inner = self.inner();
        let mut stats = LinkStats::new(LinkKind::WEBRTC);
        stats.messages_sent = inner.sent;
        stats.messages_received = inner.received;
        stats.errors = inner.errors;
        stats.is_ready = matches!(inner.phase, Phase::Held | Phase::Direct);
        stats.queued = inner.outbox.len();
        stats
    }

    fn local_peer(&self, peer: &PeerId, _: Incarnation, present: bool) {
        if *peer == self.local && !present {
            self.inner().ending = true;
            self.work.notify_one();
        }
    }
}
