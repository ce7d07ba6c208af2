//! How the task of a connection is woken.

use std::task::Waker;

/// Rings for orders at any time, and for something to send only when the task has nothing left to send: one that waits for the
/// connection to take more is not disturbed.
#[derive(Debug, Default)]
pub(crate) struct Bell {
    waker: Option<Waker>,
    idle: bool,
}

impl Bell {
    /// The task waits for orders.
    pub(crate) fn wait(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            None => self.waker = Some(waker.clone()),
        }
    }

    /// The task waits for something to send, too.
    pub(crate) fn idle(&mut self) {
        self.idle = true;
    }

    /// The task that has to be woken for something to send.
    #[must_use]
    pub(crate) fn for_message(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.idle) {
            self.waker.take()
        } else {
            None
        }
    }

    /// The task that has to be woken for an order.
    #[must_use]
    pub(crate) fn for_order(&mut self) -> Option<Waker> {
        self.idle = false;
        self.waker.take()
    }
}
