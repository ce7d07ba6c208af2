//! The way onto a link: who waits for room there is served in the order of coming.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard, watch};

use crate::{
    BoxFuture, BusError, Envelope, Inbound, Incarnation, Link, LinkKind, LinkState, LinkStats,
    PeerId, Priority,
};

/// A link, and the queues of those who wait for room on it: one for each lane, as links have room for what is urgent when they
/// have none for the rest.
pub(crate) struct Line {
    link: Arc<dyn Link>,
    queues: [Queue; Priority::ALL.len()],
}

#[derive(Debug, Default)]
struct Queue {
    /// Of who is next.
    turn: Mutex<()>,
    /// Those who wait, with the one whose turn it is.
    waiting: AtomicUsize,
}

/// A place in a queue; dropping it leaves the queue.
struct Turn<'a> {
    queue: &'a Queue,
    _turn: Option<MutexGuard<'a, ()>>,
}

impl Line {
    pub(super) fn new(link: Arc<dyn Link>) -> Self {
        Self {
            link,
            queues: Default::default(),
        }
    }

    pub(crate) fn link(&self) -> &Arc<dyn Link> {
        &self.link
    }

    fn queue(&self, envelope: &Envelope) -> &Queue {
        let lane = match envelope.reply_to {
            Some(_) => Priority::System.lane(),
            None => envelope.priority.lane(),
        };
        &self.queues[lane]
    }

    /// Hands an envelope over by `put`, if there is room and nobody has waited for it before.
    pub(crate) fn try_put(
        &self,
        envelope: &mut Envelope,
        put: impl FnOnce(&dyn Link, &mut Envelope) -> Result<(), BusError>,
    ) -> Result<(), BusError> {
        if self.queue(envelope).waiting.load(Ordering::Acquire) > 0 {
            return Err(BusError::QueueFull(envelope.to.clone()));
        }
        put(&*self.link, envelope)
    }

    /// Hands an envelope over by `put` as soon as there is room, after all who came before. Cancel-safe, if `put` is.
    pub(crate) async fn put(
        &self,
        envelope: &mut Envelope,
        mut put: impl FnMut(&dyn Link, &mut Envelope) -> Result<(), BusError>,
    ) -> Result<(), BusError> {
        let _turn = self.queue(envelope).turn().await;
        loop {
            // Before the attempt, so that no room is missed that is made after it.
            let room = self.link.room();
            match (put(&*self.link, envelope), room) {
                (Err(BusError::QueueFull(_)), Some(room)) => room.await,
                (Err(BusError::QueueFull(_)), None) => return self.link.send(envelope).await,
                (put, _) => return put,
            }
        }
    }
}

impl Queue {
    async fn turn(&self) -> Turn<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        let mut turn = Turn {
            queue: self,
            _turn: None,
        };
        // Fair: the lock goes to who has waited longest.
        turn._turn = Some(self.turn.lock().await);
        turn
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.queue.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A link for others to send over, in turn with all who do.
pub(crate) struct InTurn(pub(super) Arc<Line>);

impl Link for InTurn {
    fn kind(&self) -> LinkKind {
        self.0.kind()
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        self.0.start(inbound)
    }

    fn try_send(&self, envelope: &Envelope) -> Result<(), BusError> {
        let put = |link: &dyn Link, envelope: &mut Envelope| link.try_send(envelope);
        self.0.try_put(&mut envelope.clone(), put)
    }

    fn send<'a>(&'a self, envelope: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async move {
            let put = |link: &dyn Link, envelope: &mut Envelope| link.try_send(envelope);
            self.0.put(&mut envelope.clone(), put).await
        })
    }

    fn room(&self) -> Option<BoxFuture<'_, ()>> {
        self.0.room()
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        self.0.flush()
    }

    fn close(&self, deadline: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        self.0.close(deadline)
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        self.0.state()
    }

    fn peers(&self) -> Vec<PeerId> {
        self.0.peers()
    }

    fn stats(&self) -> LinkStats {
        self.0.stats()
    }

    fn local_peer(&self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        self.0.local_peer(peer, incarnation, present);
    }
}

impl fmt::Debug for InTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Deref for Line {
    type Target = dyn Link;

    fn deref(&self) -> &Self::Target {
        &*self.link
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.link.fmt(f)
    }
}
