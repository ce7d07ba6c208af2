//! How many bytes of a stream are under way, in both directions, without a clock.
//!
//! What an end has taken from the channel and its owner has not, counts: there is never more of it than [`WINDOW`]. The end of a
//! stream counts as one byte, so that it is known to have arrived.

use std::collections::VecDeque;

use crate::chunk::WHOLE_LEN;

/// Bytes of one direction that may be under way.
pub(super) const WINDOW: u64 = 1024 * 1024;

/// Bytes after which the other end is told that there is room.
const STEP: u64 = WINDOW / 16;

/// What came is not what was agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FlowError {
    #[error("more than {WINDOW} bytes under way")]
    Window,
    #[error("bytes after the end")]
    AfterEnd,
    #[error("an ack of what was not sent")]
    NotSent,
}

/// Both directions.
#[derive(Debug, Default)]
pub(super) struct Flow {
    sent: u64,
    acknowledged: u64,
    ends: bool,
    /// What the owner has not taken yet.
    waiting: VecDeque<Vec<u8>>,
    /// Bytes of the first one that it has.
    offset: usize,
    arrived: u64,
    taken: u64,
    told: u64,
    ended: bool,
    end_taken: bool,
}

impl Flow {
    /// How many bytes may be sent at once now.
    pub(super) fn room(&self) -> usize {
        let room = WINDOW.saturating_sub(self.sent - self.acknowledged);
        if self.ends {
            return 0;
        }
        usize::try_from(room).unwrap_or(WHOLE_LEN).min(WHOLE_LEN)
    }

    /// Bytes are sent; none are the end.
    pub(super) fn send(&mut self, len: usize) {
        self.sent += len.max(1) as u64;
        self.ends |= len == 0;
    }

    /// The other end has taken so many.
    pub(super) fn acknowledge(&mut self, taken: u64) -> Result<(), FlowError> {
        if taken > self.sent {
            return Err(FlowError::NotSent);
        }
        self.acknowledged = self.acknowledged.max(taken);
        Ok(())
    }

    /// Bytes came; none are the end.
    pub(super) fn arrive(&mut self, bytes: Vec<u8>) -> Result<(), FlowError> {
        if self.ended {
            return Err(FlowError::AfterEnd);
        }
        self.arrived += bytes.len().max(1) as u64;
        // The end itself finds room in any case.
        if self.arrived - self.taken > WINDOW && !bytes.is_empty() {
            return Err(FlowError::Window);
        }
        if bytes.is_empty() {
            self.ended = true;
        } else {
            self.waiting.push_back(bytes);
        }
        Ok(())
    }

    /// Bytes that the owner is to take; none when nothing waits.
    pub(super) fn waiting(&self) -> &[u8] {
        self.waiting
            .front()
            .map_or(&[], |bytes| &bytes[self.offset..])
    }

    /// The owner has taken so many of those.
    pub(super) fn take(&mut self, len: usize) {
        self.taken += len as u64;
        self.offset += len;
        if self.waiting().is_empty() {
            self.waiting.pop_front();
            self.offset = 0;
        }
    }

    /// Whether the owner is to be told the end, said once.
    pub(super) fn take_end(&mut self) -> bool {
        let now = self.ended && self.waiting.is_empty() && !self.end_taken;
        if now {
            self.end_taken = true;
            self.taken += 1;
        }
        now
    }

    /// What the other end is to be told, if there is something.
    pub(super) fn due_ack(&mut self) -> Option<u64> {
        let news = self.taken - self.told;
        if news >= STEP || (self.end_taken && news > 0) {
            self.told = self.taken;
            return Some(self.taken);
        }
        None
    }

    /// Whether both directions have ended and all has been taken, as far as is known here.
    pub(super) fn is_over(&self) -> bool {
        self.end_taken && self.ends && self.acknowledged == self.sent
    }

    /// Whether both directions have ended, if the other end says so.
    pub(super) fn may_be_over(&self) -> bool {
        self.ended && self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_taken_is_not_followed_by_more_than_the_window() {
        let (mut near, mut far) = (Flow::default(), Flow::default());
        let mut sent = 0;
        while near.room() > 0 {
            let len = near.room();
            near.send(len);
            far.arrive(vec![7; len]).unwrap();
            sent += len as u64;
        }
        assert_eq!(sent, WINDOW);
        assert_eq!(far.due_ack(), None, "nothing is taken");
        while far.due_ack().is_none() {
            let len = far.waiting().len().min(1000);
            far.take(len);
        }
        near.acknowledge(far.told).unwrap();
        assert!(near.room() > 0);
        assert_eq!(far.arrive(vec![0; WINDOW as usize]), Err(FlowError::Window));
    }

    #[test]
    fn it_is_over_when_both_ends_have_taken_all() {
        let (mut near, mut far) = (Flow::default(), Flow::default());
        near.send(3);
        far.arrive(b"abc".to_vec()).unwrap();
        near.send(0);
        assert_eq!(near.room(), 0, "it has ended");
        far.arrive(Vec::new()).unwrap();
        assert!(!far.take_end(), "something waits");
        assert_eq!(far.waiting(), b"abc");
        far.take(3);
        assert!(far.take_end());
        assert!(!far.take_end(), "once");
        near.acknowledge(far.due_ack().unwrap()).unwrap();
        assert!(
            !near.is_over() && !far.is_over(),
            "the other direction is open"
        );
        far.send(0);
        near.arrive(Vec::new()).unwrap();
        assert!(near.take_end());
        assert!(near.is_over());
        far.acknowledge(near.due_ack().unwrap()).unwrap();
        assert!(far.is_over());
        assert_eq!(far.due_ack(), None);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut flow = Flow::default();
        assert_eq!(flow.acknowledge(1), Err(FlowError::NotSent));
        flow.arrive(Vec::new()).unwrap();
        assert_eq!(flow.arrive(Vec::new()), Err(FlowError::AfterEnd));
        assert_eq!(flow.arrive(vec![1]), Err(FlowError::AfterEnd));
    }
}
