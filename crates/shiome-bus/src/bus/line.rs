//! The way onto a link: who waits for room there is served in the order of coming.

use std::{
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::{Mutex, MutexGuard};

use crate::{BusError, Envelope, Link, Priority};

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
