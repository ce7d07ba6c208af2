//! What has come over a link and was not taken yet. It is acknowledged once it was, so that who sends it is slowed down, while
//! the link goes on to be read: what the other end acknowledges makes room for what it waits for.

use std::{collections::VecDeque, vec};

use crate::Envelope;

/// Envelopes that wait here: what an end with the usual limits sends ahead of its acknowledgements.
const MAX_ENVELOPES: usize = 8192;

/// Bytes of the messages that they came in.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Room that a queue keeps when it is empty.
const KEPT_CAPACITY: usize = 8;

/// Messages of envelopes, in the order of arrival. When it is full the link is not to be read.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    messages: VecDeque<Arrived>,
    envelopes: usize,
    bytes: usize,
}

/// The envelopes of one message.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) left: vec::IntoIter<Envelope>,
    /// How many there were.
    pub(crate) envelopes: usize,
    /// Bytes of the message.
    pub(crate) bytes: usize,
}

impl Intake {
    /// A message of so many bytes came, with so many envelopes, of which those are to be taken.
    pub(crate) fn push(&mut self, left: Vec<Envelope>, envelopes: usize, bytes: usize) {
        if envelopes == 0 {
            return;
        }
        self.envelopes += envelopes;
        self.bytes += bytes;
        self.messages.push_back(Arrived {
            left: left.into_iter(),
            envelopes,
            bytes,
        });
    }

    pub(crate) fn pop(&mut self) -> Option<Arrived> {
        let arrived = self.messages.pop_front()?;
        self.envelopes -= arrived.envelopes;
        self.bytes -= arrived.bytes;
        if self.messages.is_empty() && self.messages.capacity() > KEPT_CAPACITY {
            // A queue that was long once does not keep its memory for ever.
            self.messages = VecDeque::new();
        }
        Some(arrived)
    }

    /// Bytes of what waits.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing more is to come in.
    pub(crate) fn is_full(&self) -> bool {
        self.envelopes >= MAX_ENVELOPES || self.bytes >= MAX_BYTES
    }
}
