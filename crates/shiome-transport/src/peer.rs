use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use shiome_session::{Event, Session, SessionError};
use shiome_wire::meta::NetworkMessage;
use tokio::sync::Notify;

use crate::outbox::Outbox;

/// The session of a driven link, shared by all who speak to the peer.
///
/// `C` is the owner's handle of an outgoing call, as in [`Session`].
#[derive(Debug)]
pub struct Peer<C> {
    session: Mutex<Session<C>>,
    pub(crate) outbox: Outbox,
    /// Wakes the driver when there are events, or timers that it does not know.
    pub(crate) attention: Notify,
    overflowed: AtomicBool,
}

impl<C> Peer<C> {
    /// Shares a session. Nothing moves before [`drive()`](fn@crate::drive).
    pub fn new(session: Session<C>) -> Self {
        Self {
            session: Mutex::new(session),
            outbox: Outbox::default(),
            attention: Notify::new(),
            overflowed: AtomicBool::new(false),
        }
    }

    /// Lets `f` use the session, and puts what it sends into the outbox. Frames leave in the order of these calls.
    ///
    /// Never waits for the network; see [`room`](Self::room). `f` runs under a lock and must not call back.
    pub fn apply<R>(&self, f: impl FnOnce(&mut Session<C>, Instant) -> R) -> R {
        let mut session = self.lock();
        let due = session.poll_timeout();
        let result = f(&mut session, now());
        self.transmit(&mut session);
        let earlier = match (session.poll_timeout(), due) {
            (Some(new), Some(old)) => new < old,
            (new, _) => new.is_some(),
        };
        if earlier || session.has_events() {
            self.attention.notify_one();
        }
        result
    }

    /// Waits until the outbox has room for the messages of users. Senders of many messages call it before each.
    /// Cancel-safe.
    pub async fn room(&self) {
        self.outbox.room().await;
    }

    /// Closes the session after what is in the outbox has been written. Open calls end.
    pub fn close(&self) {
        self.apply(|session, _| session.close());
        self.outbox.close();
        self.attention.notify_one();
    }

    /// Closes the session when nobody drives it any more: open calls end, and no event is told.
    pub fn abandon(&self) {
        self.close();
        while self.next_event().is_some() {}
    }

    pub(crate) fn receive(&self, message: NetworkMessage) -> Result<(), SessionError> {
        let mut session = self.lock();
        let result = session.handle_message(now(), message);
        self.transmit(&mut session);
        result
    }

    pub(crate) fn next_event(&self) -> Option<Event<C>> {
        self.lock().poll_event()
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.lock().poll_timeout()
    }

    /// Whether the peer has not read what it made this node say.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.overflowed.load(Ordering::Relaxed)
    }

    fn transmit(&self, session: &mut Session<C>) {
        while let Some(message) = session.poll_transmit() {
            if self.outbox.push(&message).is_err() {
                self.overflowed.store(true, Ordering::Relaxed);
                self.attention.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Session<C>> {
        // Only the session's own code runs under the lock; it does not panic, and if it did, the link is better
        // served by going on than by poisoning every sender.
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The runtime's clock, which tests can pause.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
