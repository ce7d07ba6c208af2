use std::collections::VecDeque;

use bytes::Bytes;

use super::ChannelError;
use crate::config::FRAGMENT_THRESHOLD;

/// What a message that waits takes besides its content, in bytes: its place in the queue, and the memory manager's part.
const OVERHEAD: usize = 64;

/// What a piece takes besides its data, in bytes, at most: the headers of three messages, a number, a flag.
const PIECE_OVERHEAD: usize = 64;

/// Longest data of one piece: its frame is one that every native peer takes.
const MAX_PIECE_LEN: usize = FRAGMENT_THRESHOLD - PIECE_OVERHEAD;

/// What waits to be sent on one end.
#[derive(Debug)]
pub(super) struct Outgoing {
    items: VecDeque<Bytes>,
    max_queued: usize,
    queued: usize,
    /// Somebody was told that there is no room.
    refused: bool,
}

impl Outgoing {
    pub(super) fn new(max_queued: usize) -> Self {
        Self {
            items: VecDeque::new(),
            max_queued,
            queued: 0,
            refused: false,
        }
    }

    pub(super) fn push(&mut self, data: Bytes) -> Result<(), ChannelError> {
        let cost = data.len() + OVERHEAD;
        let queued = self.queued;
        if queued > 0 && queued.saturating_add(cost) > self.max_queued {
            self.refused = true;
            return Err(ChannelError::Full { queued });
        }
        self.queued += cost;
        self.items.push_back(data);
        Ok(())
    }

    /// Bytes of the next piece.
    pub(super) fn next_len(&self) -> Option<usize> {
        Some(self.items.front()?.len().min(MAX_PIECE_LEN))
    }

    /// The next piece, and whether more of its message follows.
    pub(super) fn pop(&mut self) -> Option<(Bytes, bool)> {
        let len = self.next_len()?;
        let head = self.items.front_mut()?;
        let piece = head.split_to(len);
        let more = !head.is_empty();
        self.queued -= len;
        if !more {
            self.items.pop_front();
            self.queued -= OVERHEAD;
        }
        Some((piece, more))
    }

    /// Whether who was refused finds room again. Once.
    pub(super) fn take_room(&mut self) -> bool {
        let room = self.refused && self.queued <= self.max_queued / 2;
        self.refused &= !room;
        room
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.max_queued);
    }

    #[cfg(test)]
    pub(super) fn check_invariants(&self) {
        let cost: usize = self.items.iter().map(|item| item.len() + OVERHEAD).sum();
        assert_eq!(self.queued, cost);
        assert!(self.items.len() <= 1 || self.queued <= self.max_queued);
    }
}
