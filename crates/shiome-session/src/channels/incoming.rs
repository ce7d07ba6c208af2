use bytes::Bytes;

use super::{Arrived, ChannelFault};
use crate::{error::SessionError, lanes::cost_of_fragment, window::Window};

/// What comes to one end.
///
/// Everything is copied, so that what is counted is what is held: a short piece could be part of a long buffer.
#[derive(Debug)]
pub(super) struct Incoming {
    max_message_len: u64,
    window: Window,
    /// A message of which more is to come, and what it takes of the window.
    begun: Vec<u8>,
    begun_cost: u64,
    /// What the owner has not taken.
    not_taken: u64,
}

impl Incoming {
    pub(super) fn new(max_message_len: u64, window: Window) -> Self {
        Self {
            max_message_len,
            window,
            begun: Vec::new(),
            begun_cost: 0,
            not_taken: 0,
        }
    }

    /// Takes a piece in; the message, once it is whole.
    pub(super) fn add(&mut self, data: &[u8], more: bool) -> Result<Option<Arrived>, SessionError> {
        if data.is_empty() && more {
            return Err(ChannelFault::Empty.into());
        }
        let cost = cost_of_fragment(data.len());
        self.window.take(cost)?;
        let limit = self.max_message_len;
        if (self.begun.len() + data.len()) as u64 > limit {
            return Err(ChannelFault::TooLong { limit }.into());
        }
        self.begun_cost += cost;
        if more {
            self.append(data);
            return Ok(None);
        }
        let data = if self.begun.is_empty() {
            Bytes::copy_from_slice(data)
        } else {
            self.append(data);
            std::mem::take(&mut self.begun).into()
        };
        let cost = std::mem::take(&mut self.begun_cost);
        self.not_taken += cost;
        Ok(Some(Arrived { data, cost }))
    }

    /// Grows to twice what has come, and not beyond the longest message.
    fn append(&mut self, data: &[u8]) {
        let len = self.begun.len() + data.len();
        if len > self.begun.capacity() {
            let longest = usize::try_from(self.max_message_len).unwrap_or(usize::MAX);
            let room = (2 * self.begun.len()).min(longest).max(len);
            self.begun.reserve_exact(room - self.begun.len());
        }
        self.begun.extend_from_slice(data);
    }

    /// The owner has taken what cost so much; what to grant now.
    pub(super) fn taken(&mut self, cost: u64) -> Option<u64> {
        let cost = cost.min(self.not_taken);
        self.not_taken -= cost;
        self.window.give_back(cost)
    }

    /// The message that has begun does not go on; what to grant now.
    pub(super) fn abandon(&mut self) -> Option<u64> {
        self.begun = Vec::new();
        let cost = std::mem::take(&mut self.begun_cost);
        self.window.give_back(cost)
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        assert!(self.begun.len() as u64 <= self.max_message_len);
        assert!(self.begun.capacity() <= 2 * self.begun.len().max(1));
        self.window
            .check_invariants(self.begun_cost + self.not_taken);
    }
}
