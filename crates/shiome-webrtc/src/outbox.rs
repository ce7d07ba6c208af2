//! What waits to be sent on a channel, and what was sent and is not acknowledged.

use std::collections::VecDeque;

use shiome_bus::{
    Envelope, Priority,
    wire::{Batch, Encoding, Frame, MAX_FRAMES, Message, max_envelope_len},
};

use crate::chunk::WHOLE_LEN;

/// Envelopes that wait or are not acknowledged, at most, and bytes of them, unless told otherwise. One envelope always finds room
/// in an empty queue.
pub(crate) const QUEUE: (usize, usize) = (8192, 4 * 1024 * 1024);

/// Envelopes that wait for the channel that loses, at most: what waits longer is old.
const MAX_LOOSE: usize = 256;

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// An acknowledgement of what was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSent;

/// Lanes of what waits, and what may have to go another way.
#[derive(Debug)]
pub(crate) struct Outbox {
    limits: (usize, usize),
    lanes: [VecDeque<Envelope>; Priority::ALL.len()],
    /// With their numbers in the session.
    unacknowledged: VecDeque<(u64, Envelope)>,
    loose: VecDeque<Envelope>,
    bytes: usize,
    /// Counted over the whole session.
    taken: u64,
    sent: u64,
}

/// An envelope that goes another way.
#[derive(Debug)]
pub(crate) struct Diverted {
    /// Its number, if it was sent.
    number: Option<u64>,
    pub(crate) envelope: Envelope,
}

impl Outbox {
    pub(crate) fn new(limits: (usize, usize)) -> Self {
        Self {
            limits,
            lanes: Default::default(),
            unacknowledged: VecDeque::new(),
            loose: VecDeque::new(),
            bytes: 0,
            taken: 0,
            sent: 0,
        }
    }

    pub(crate) fn push(&mut self, envelope: &Envelope) -> Result<(), Full> {
        let bytes = max_envelope_len(envelope);
        let (envelopes, most) = self.limits;
        let fits = self.len() < envelopes && self.bytes + bytes <= most;
        if !fits && self.len() > 0 {
            return Err(Full);
        }
        self.bytes += bytes;
        self.taken += 1;
        self.lanes[lane(envelope.priority)].push_back(envelope.clone());
        Ok(())
    }

    pub(crate) fn push_loose(&mut self, envelope: &Envelope) -> Result<(), Full> {
        if self.loose.len() >= MAX_LOOSE {
            return Err(Full);
        }
        self.loose.push_back(envelope.clone());
        Ok(())
    }

    /// Envelopes that wait or are not acknowledged.
    pub(crate) fn len(&self) -> usize {
        let waiting: usize = self.lanes.iter().map(VecDeque::len).sum();
        waiting + self.unacknowledged.len()
    }

    pub(crate) fn has_next(&self) -> bool {
        self.lanes.iter().any(|lane| !lane.is_empty())
    }

    /// The next message for the channel that keeps all in order. `ack` rides along.
    pub(crate) fn next(&mut self, encoding: Encoding, ack: Option<u64>) -> Option<Message> {
        if !self.has_next() {
            return None;
        }
        let mut batch = Batch::with_capacity(encoding, WHOLE_LEN);
        if let Some(received) = ack {
            batch.push(&Frame::Ack { received });
        }
        let mut envelopes = 0;
        while let Some(lane) = self.lanes.iter_mut().find(|lane| !lane.is_empty()) {
            let fits = |next| batch.len() + max_envelope_len(next) <= WHOLE_LEN;
            if envelopes > 0 && !lane.front().is_some_and(fits) {
                break;
            }
            let Some(envelope) = lane.pop_front() else {
                break;
            };
            batch.push_envelope(&envelope);
            envelopes += 1;
            self.sent += 1;
            self.unacknowledged.push_back((self.sent, envelope));
            if envelopes + 2 > MAX_FRAMES {
                break;
            }
        }
        Some(batch.finish())
    }

    /// The next message for the channel that loses.
    pub(crate) fn next_loose(&mut self, encoding: Encoding) -> Option<Message> {
        let envelope = self.loose.pop_front()?;
        let mut batch = Batch::with_capacity(encoding, max_envelope_len(&envelope));
        batch.push_envelope(&envelope);
        Some(batch.finish())
    }

    /// The other end has had so many. Whether there is more room than before.
    pub(crate) fn acknowledge(&mut self, received: u64) -> Result<bool, NotSent> {
        if received > self.sent {
            return Err(NotSent);
        }
        let mut more = false;
        while let Some((number, envelope)) = self.unacknowledged.front() {
            if *number > received {
                break;
            }
            self.bytes -= max_envelope_len(envelope);
            self.unacknowledged.pop_front();
            more = true;
        }
        Ok(more)
    }

    /// How many were ever taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether the first `taken` are acknowledged, or went another way.
    pub(crate) fn has_flushed(&self, taken: u64) -> bool {
        self.taken - self.len() as u64 >= taken
    }

    /// The next that goes another way: first what may have been lost, then what waits.
    pub(crate) fn divert(&mut self) -> Option<Diverted> {
        let next = match self.unacknowledged.pop_front() {
            Some((number, envelope)) => Diverted {
                number: Some(number),
                envelope,
            },
            None => Diverted {
                number: None,
                envelope: self.lanes.iter_mut().find_map(VecDeque::pop_front)?,
            },
        };
        self.bytes -= max_envelope_len(&next.envelope);
        Some(next)
    }

    /// Puts back what [`divert`](Self::divert) gave.
    pub(crate) fn put_back(&mut self, diverted: Diverted) {
        let Diverted { number, envelope } = diverted;
        self.bytes += max_envelope_len(&envelope);
        match number {
            Some(number) => self.unacknowledged.push_front((number, envelope)),
            None => self.lanes[lane(envelope.priority)].push_front(envelope),
        }
    }

    /// All that waits or is not acknowledged, in order. Nothing is left.
    pub(crate) fn drain(&mut self) -> Vec<Envelope> {
        std::iter::from_fn(|| self.divert())
            .map(|diverted| diverted.envelope)
            .collect()
    }

    /// What may be lost is.
    pub(crate) fn clear_loose(&mut self) {
        self.loose.clear();
    }

    /// A new session begins at 1; all that is there is sent on it.
    pub(crate) fn restart(&mut self) {
        self.sent = 0;
        self.clear_loose();
        while let Some((_, envelope)) = self.unacknowledged.pop_back() {
            self.lanes[lane(envelope.priority)].push_front(envelope);
        }
    }
}

fn lane(priority: Priority) -> usize {
    match priority {
        Priority::System => 0,
        Priority::Normal => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests;
