use std::collections::VecDeque;

use bytes::Buf;
use shiome_wire::{Encode, Frames, LENGTH_PREFIX_LEN};

use super::Class;

/// Messages that wait, encoded, first in, first out.
#[derive(Debug, Default)]
pub(super) struct Fifo {
    items: VecDeque<Queued>,
    /// Their frames.
    frames: Frames,
}

/// A message that waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queued {
    pub(super) class: Class,
    /// Length of its encoding, in bytes, without the frame's prefix.
    pub(super) len: usize,
}

impl Fifo {
    pub(super) fn push(&mut self, message: impl Encode, queued: Queued) {
        self.frames.push(message);
        self.items.push_back(queued);
    }

    /// Moves the first message's frame to `frames`.
    pub(super) fn pop(&mut self, frames: &mut Frames) -> Option<Queued> {
        let queued = self.items.pop_front()?;
        self.frames.move_to(queued.frame_len(), frames);
        Some(queued)
    }

    /// Takes the first message off when `may` says that it may go; its frame stays until it is [moved](Self::move_frames).
    pub(super) fn pop_if(&mut self, may: impl FnOnce(Queued) -> bool) -> Option<Queued> {
        self.front().filter(|queued| may(*queued))?;
        self.items.pop_front()
    }

    /// Moves the frames of messages that were taken off, so many bytes of them.
    pub(super) fn move_frames(&mut self, len: usize, frames: &mut Frames) {
        self.frames.move_to(len, frames);
    }

    /// Moves the first message to the end of `to`.
    pub(super) fn move_front(&mut self, to: &mut Self) -> Option<Queued> {
        let queued = self.pop(&mut to.frames)?;
        to.items.push_back(queued);
        Some(queued)
    }

    /// Takes the bytes of the first message, without the prefix; its place it keeps until it is [left](Self::leave).
    pub(super) fn begin(&mut self) -> Frames {
        let mut body = Frames::new();
        if let Some(queued) = self.front() {
            self.frames.move_to(queued.frame_len(), &mut body);
            body.advance(LENGTH_PREFIX_LEN);
        }
        body
    }

    /// Takes the first message off, the bytes of which have left.
    pub(super) fn leave(&mut self) {
        self.items.pop_front();
    }

    pub(super) fn front(&self) -> Option<Queued> {
        self.items.front().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Gives back memory beyond that for so many messages and bytes, if none waits.
    pub(super) fn shrink_to(&mut self, messages: usize, bytes: usize) {
        if self.items.is_empty() && self.items.capacity() > messages {
            self.items = VecDeque::new();
        }
        self.frames.shrink_to(bytes);
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Queued> {
        self.items.iter()
    }

    /// Checks that there are as many bytes as messages need, of the first of which so many have been taken.
    #[cfg(test)]
    pub(super) fn check_invariants(&self, taken: usize) {
        let len: usize = self.iter().map(|item| item.frame_len()).sum();
        assert_eq!(self.frames.len(), len - taken);
    }
}

impl Queued {
    pub(super) fn frame_len(self) -> usize {
        LENGTH_PREFIX_LEN + self.len
    }
}
