//! What outlives a link: the envelopes of both directions, counted.

use std::time::{Duration, Instant};

use super::outbox::{Full, NotSent, Outbox, QueueLimits};
use crate::{
    Envelope,
    wire::{Encoding, Message},
};

/// Envelopes after which they are acknowledged at once.
const ACK_ENVELOPES: u64 = 512;

/// Bytes of messages after which envelopes are acknowledged at once.
const ACK_BYTES: usize = 128 * 1024;

/// How long an envelope waits for its acknowledgement at most.
const ACK_DELAY: Duration = Duration::from_millis(100);

/// Envelopes that wait, those that are not acknowledged, and how many have come.
#[derive(Debug)]
pub(crate) struct Session {
    outbox: Outbox,
    received: u64,
    acknowledged: u64,
    unacknowledged_bytes: usize,
    ack_due: Option<Instant>,
}

impl Session {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            outbox: Outbox::new(limits),
            received: 0,
            acknowledged: 0,
            unacknowledged_bytes: 0,
            ack_due: None,
        }
    }

    /// Takes an envelope of at most `len` bytes.
    pub(crate) fn push_of(&mut self, envelope: &Envelope, len: usize) -> Result<(), Full> {
        self.outbox.push_of(envelope, len)
    }

    #[cfg(any(test, feature = "_script"))]
    pub(crate) fn push(&mut self, envelope: &Envelope) -> Result<(), Full> {
        self.push_of(envelope, crate::wire::max_envelope_len(envelope))
    }

    /// The next message with envelopes to be sent on this link. An acknowledgement rides along.
    pub(crate) fn next(&mut self) -> Option<Message> {
        if !self.outbox.has_next() {
            return None;
        }
        let mut ack = self.ack_due.map(|_| self.received);
        let next = self.outbox.next(&mut ack);
        if ack.is_none() {
            // It has gone along.
            self.take_ack();
        }
        next
    }

    /// Whether envelopes are to be sent on this link.
    pub(crate) fn has_next(&self) -> bool {
        self.outbox.has_next()
    }

    /// How many envelopes were ever taken.
    pub(crate) fn taken(&self) -> u64 {
        self.outbox.taken()
    }

    /// Whether the other end has had the first `taken`.
    pub(crate) fn has_flushed(&self, taken: u64) -> bool {
        self.outbox.has_flushed(taken)
    }

    /// Envelopes that wait or are not acknowledged.
    pub(crate) fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// The other end has had so many. Whether there is more room than before.
    pub(crate) fn acknowledge(&mut self, received: u64) -> Result<bool, NotSent> {
        self.outbox.acknowledge(received)
    }

    /// So many envelopes of one message of so many bytes were taken.
    pub(crate) fn receive(&mut self, now: Instant, envelopes: u64, bytes: usize) {
        if envelopes == 0 {
            return;
        }
        self.received += envelopes;
        self.unacknowledged_bytes += bytes;
        self.ack_due.get_or_insert(now + ACK_DELAY);
        let unacknowledged = self.received - self.acknowledged;
        if unacknowledged >= ACK_ENVELOPES || self.unacknowledged_bytes >= ACK_BYTES {
            self.ack_due = Some(now);
        }
    }

    /// How many envelopes were taken of those that came.
    pub(crate) fn received(&self) -> u64 {
        self.received
    }

    /// When the next acknowledgement is due.
    pub(crate) fn ack_due(&self) -> Option<Instant> {
        self.ack_due
    }

    /// The acknowledgement of all that has come, if there is something to acknowledge.
    pub(crate) fn take_ack(&mut self) -> Option<u64> {
        self.ack_due.take()?;
        self.unacknowledged_bytes = 0;
        self.acknowledged = self.received;
        Some(self.received)
    }

    /// Goes on over a new link of this encoding, whose other end has had so many.
    pub(crate) fn resume(&mut self, received: u64, encoding: Encoding) -> Result<(), NotSent> {
        self.outbox.resume(received, encoding)?;
        // The opening said how many have come.
        self.take_ack();
        Ok(())
    }

    /// A new session, in which all that was not acknowledged is sent again, but what is longer than the other end takes.
    pub(crate) fn restart(&mut self, encoding: Encoding, max_message: usize) -> Vec<Envelope> {
        self.received = 0;
        self.acknowledged = 0;
        self.unacknowledged_bytes = 0;
        self.ack_due = None;
        self.outbox.restart(encoding, max_message)
    }

    /// What was not acknowledged, in order.
    pub(crate) fn drain(&mut self) -> Vec<Envelope> {
        self.outbox.drain()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn session() -> Session {
        Session::new(QueueLimits::default())
    }

    #[test]
    fn few_envelopes_are_acknowledged_later_and_many_at_once() {
        let now = Instant::now();
        let mut session = session();
        assert_eq!(session.take_ack(), None);
        session.receive(now, 1, 100);
        session.receive(now + MS, 1, 100);
        assert_eq!(session.ack_due(), Some(now + ACK_DELAY), "of the first");
        assert_eq!(session.take_ack(), Some(2));
        assert_eq!(session.ack_due(), None);
        assert_eq!(session.take_ack(), None, "said before");
        session.receive(now, ACK_ENVELOPES, 100);
        assert_eq!(session.ack_due(), Some(now));
        assert_eq!(session.take_ack(), Some(2 + ACK_ENVELOPES));
        session.receive(now, 1, ACK_BYTES);
        assert_eq!(session.ack_due(), Some(now));
    }

    #[test]
    fn messages_without_envelopes_are_not_acknowledged() {
        let mut session = session();
        session.receive(Instant::now(), 0, ACK_BYTES);
        assert_eq!(session.ack_due(), None);
        assert_eq!(session.received(), 0);
    }

    #[test]
    fn a_new_session_counts_from_the_start() {
        let now = Instant::now();
        let mut session = session();
        session.receive(now, 5, 100);
        assert!(session.restart(Encoding::Json, 1000).is_empty());
        assert_eq!((session.received(), session.take_ack()), (0, None));
    }
}
