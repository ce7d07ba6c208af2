//! What waits to be sent on a session, and what was sent and may have to be sent again.

use std::collections::VecDeque;

/// Room that a queue keeps when it is empty.
const KEPT_CAPACITY: usize = 32;

/// What may wait for a link and for its acknowledgement, together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueLimits {
    /// Frames. Default: 8192.
    pub frames: usize,
    /// Bytes, roughly as they are sent. Default: 1 MiB. One frame always finds room in an empty queue.
    pub bytes: usize,
}

impl QueueLimits {
    /// These.
    pub fn new(frames: usize, bytes: usize) -> Self {
        Self { frames, bytes }
    }
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self::new(8192, 1024 * 1024)
    }
}

/// Waits behind all of the lanes before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    System,
    Normal,
    Bulk,
}

const LANES: usize = 3;

/// There is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// An acknowledgement of what was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotSent;

/// Frames in the order of their lanes until they are sent, and in the order of their numbers from then on.
#[derive(Debug)]
pub(crate) struct Outbox<T> {
    limits: QueueLimits,
    waiting: [VecDeque<Kept<T>>; LANES],
    /// Numbered from `acknowledged + 1`.
    numbered: VecDeque<Kept<T>>,
    /// How many of the numbered were sent on this link.
    sent: usize,
    acknowledged: u64,
    frames: usize,
    bytes: usize,
    /// How many were ever taken.
    taken: u64,
}

#[derive(Debug)]
struct Kept<T> {
    frame: T,
    len: usize,
    /// How many were taken before.
    before: u64,
}

impl<T> Outbox<T> {
    pub(crate) fn new(limits: QueueLimits) -> Self {
        Self {
            limits,
            waiting: [const { VecDeque::new() }; LANES],
            numbered: VecDeque::new(),
            sent: 0,
            acknowledged: 0,
            frames: 0,
            bytes: 0,
            taken: 0,
        }
    }

    /// Whether there is room for a frame of `len` bytes.
    pub(crate) fn has_room(&self, len: usize) -> bool {
        let fits = self.bytes.saturating_add(len) <= self.limits.bytes;
        self.frames == 0 || (fits && self.frames < self.limits.frames)
    }

    pub(crate) fn push(&mut self, frame: T, len: usize, lane: Lane) -> Result<(), Full> {
        if !self.has_room(len) {
            return Err(Full);
        }
        self.frames += 1;
        self.bytes += len;
        let before = self.taken;
        self.taken += 1;
        self.waiting[lane as usize].push_back(Kept { frame, len, before });
        Ok(())
    }

    /// The next to be sent on this link, if its length is at most `room`.
    pub(crate) fn next(&mut self, room: usize) -> Option<&T> {
        if self.sent == self.numbered.len() {
            let lane = self.waiting.iter_mut().find(|lane| !lane.is_empty())?;
            if lane.front()?.len > room {
                return None;
            }
            let kept = lane.pop_front()?;
            release(lane);
            self.numbered.push_back(kept);
        }
        let kept = self.numbered.get(self.sent)?;
        if kept.len > room {
            return None;
        }
        self.sent += 1;
        Some(&kept.frame)
    }

    /// Whether something is to be sent.
    pub(crate) fn has_next(&self) -> bool {
        self.sent < self.numbered.len() || self.waiting.iter().any(|lane| !lane.is_empty())
    }

    /// The other end has had the first `received` of this session. Whether there is more room than before.
    pub(crate) fn acknowledge(&mut self, received: u64) -> Result<bool, NotSent> {
        let news = received.saturating_sub(self.acknowledged);
        let news = usize::try_from(news).map_err(|_| NotSent)?;
        if news > self.sent {
            return Err(NotSent);
        }
        for kept in self.numbered.drain(..news) {
            self.frames -= 1;
            self.bytes -= kept.len;
        }
        self.sent -= news;
        self.acknowledged += news as u64;
        release(&mut self.numbered);
        Ok(news > 0)
    }

    /// The same session on a new link, of which the other end has had `received`.
    pub(crate) fn resume(&mut self, received: u64) -> Result<(), NotSent> {
        // It may have had all that was ever sent, and no more.
        self.sent = self.numbered.len();
        self.acknowledge(received)?;
        self.sent = 0;
        Ok(())
    }

    /// A new session: all that is left is sent again, from number 1, but what is longer than `max_len`.
    pub(crate) fn restart(&mut self, max_len: usize) -> Vec<T> {
        self.sent = 0;
        self.acknowledged = 0;
        let mut longer = Vec::new();
        for queue in std::iter::once(&mut self.numbered).chain(&mut self.waiting) {
            if queue.iter().all(|kept| kept.len <= max_len) {
                continue;
            }
            for kept in std::mem::take(queue) {
                if kept.len <= max_len {
                    queue.push_back(kept);
                } else {
                    self.frames -= 1;
                    self.bytes -= kept.len;
                    longer.push(kept.frame);
                }
            }
        }
        longer
    }

    /// All that is left, in order: first what was sent and not acknowledged.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = T> {
        self.sent = 0;
        self.frames = 0;
        self.bytes = 0;
        let numbered = std::mem::take(&mut self.numbered);
        let waiting = std::mem::take(&mut self.waiting).into_iter().flatten();
        numbered.into_iter().chain(waiting).map(|kept| kept.frame)
    }

    /// How many were ever taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether all of the first `taken` are acknowledged.
    pub(crate) fn has_flushed(&self, taken: u64) -> bool {
        let waiting = self.waiting.iter().filter_map(|lane| lane.front());
        waiting
            .chain(&self.numbered)
            .all(|kept| kept.before >= taken)
    }

    pub(crate) fn len(&self) -> usize {
        self.frames
    }
}

/// A queue that was long once does not keep its memory for ever.
fn release<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > KEPT_CAPACITY {
        *queue = VecDeque::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(frames: usize) -> Outbox<u32> {
        Outbox::new(QueueLimits::new(frames, 1000))
    }

    fn filled(numbers: impl IntoIterator<Item = u32>) -> Outbox<u32> {
        let mut outbox = outbox(100);
        for number in numbers {
            outbox.push(number, 1, Lane::Normal).unwrap();
        }
        outbox
    }

    fn sent(outbox: &mut Outbox<u32>) -> Vec<u32> {
        std::iter::from_fn(|| outbox.next(usize::MAX).copied()).collect()
    }

    #[test]
    fn what_waits_and_what_is_not_acknowledged_count_together() {
        let mut outbox = outbox(3);
        for number in 1..=3 {
            outbox.push(number, 1, Lane::Normal).unwrap();
        }
        assert_eq!(outbox.push(4, 1, Lane::System), Err(Full));
        assert_eq!(sent(&mut outbox), [1, 2, 3]);
        assert_eq!(outbox.push(4, 1, Lane::Normal), Err(Full), "only sent");
        assert_eq!(outbox.acknowledge(1), Ok(true));
        outbox.push(4, 1, Lane::Normal).unwrap();
        assert_eq!(outbox.push(5, 1, Lane::Normal), Err(Full));
        assert_eq!(sent(&mut outbox), [4]);
    }

    #[test]
    fn bytes_are_bounded_and_one_frame_always_finds_room() {
        let mut outbox = outbox(100);
        outbox.push(1, 5000, Lane::Normal).unwrap();
        assert_eq!(outbox.push(2, 1, Lane::Normal), Err(Full));
        sent(&mut outbox);
        outbox.acknowledge(1).unwrap();
        outbox.push(2, 600, Lane::Normal).unwrap();
        assert!(!outbox.has_room(401));
        assert!(outbox.has_room(400));
        assert_eq!(outbox.push(3, usize::MAX, Lane::Normal), Err(Full));
    }

    #[test]
    fn lanes_go_before_each_other_and_keep_their_order() {
        let mut outbox = outbox(100);
        for (number, lane) in [
            (1, Lane::Bulk),
            (2, Lane::Normal),
            (3, Lane::System),
            (4, Lane::Bulk),
            (5, Lane::Normal),
            (6, Lane::System),
        ] {
            outbox.push(number, 1, lane).unwrap();
        }
        assert_eq!(sent(&mut outbox), [3, 6, 2, 5, 1, 4]);
    }

    #[test]
    fn what_does_not_fit_waits() {
        let mut outbox = outbox(100);
        outbox.push(1, 10, Lane::Normal).unwrap();
        assert_eq!(outbox.next(9), None);
        assert_eq!(outbox.next(10), Some(&1));
        assert!(!outbox.has_next());
    }

    #[test]
    fn an_acknowledgement_of_more_than_was_sent_is_an_error() {
        let mut outbox = filled(1..=3);
        assert_eq!(outbox.acknowledge(1), Err(NotSent));
        outbox.next(usize::MAX);
        assert_eq!(outbox.acknowledge(2), Err(NotSent));
        assert_eq!(outbox.acknowledge(1), Ok(true));
        assert_eq!(outbox.acknowledge(1), Ok(false), "said before");
        assert_eq!(outbox.acknowledge(0), Ok(false), "overtaken");
        assert_eq!(outbox.acknowledge(u64::MAX), Err(NotSent));
    }

    #[test]
    fn a_session_that_is_resumed_sends_what_was_not_had() {
        let mut outbox = filled(1..=5);
        for _ in 0..4 {
            outbox.next(usize::MAX);
        }
        outbox.acknowledge(1).unwrap();
        assert_eq!(outbox.resume(5), Err(NotSent), "the fifth was never sent");
        outbox.resume(3).unwrap();
        assert_eq!(sent(&mut outbox), [4, 5]);
        outbox.acknowledge(5).unwrap();
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn a_link_that_breaks_in_the_replay_loses_nothing() {
        let mut outbox = filled(1..=5);
        sent(&mut outbox);
        outbox.resume(2).unwrap();
        assert_eq!(outbox.next(usize::MAX), Some(&3));
        outbox.resume(2).unwrap();
        assert_eq!(sent(&mut outbox), [3, 4, 5]);
    }

    #[test]
    fn a_new_session_sends_all_that_was_not_acknowledged() {
        let mut outbox = filled(1..=5);
        sent(&mut outbox);
        outbox.acknowledge(2).unwrap();
        assert!(outbox.restart(1).is_empty());
        assert_eq!(sent(&mut outbox), [3, 4, 5]);
        outbox.acknowledge(3).unwrap();
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn a_new_session_does_not_take_what_is_longer_than_the_new_end_allows() {
        let mut outbox = outbox(100);
        for (number, len) in [(1, 10), (2, 20), (3, 10), (4, 20)] {
            outbox.push(number, len, Lane::Normal).unwrap();
        }
        outbox.next(usize::MAX);
        outbox.next(usize::MAX);
        assert_eq!(outbox.restart(15), [2, 4]);
        assert_eq!(sent(&mut outbox), [1, 3]);
        assert_eq!((outbox.frames, outbox.bytes), (2, 20));
    }

    #[test]
    fn what_is_left_is_told_in_order() {
        let mut outbox = filled(1..=4);
        outbox.next(usize::MAX);
        outbox.next(usize::MAX);
        outbox.acknowledge(1).unwrap();
        assert_eq!(outbox.drain().collect::<Vec<_>>(), [2, 3, 4]);
        assert_eq!(outbox.len(), 0);
        assert!(outbox.has_room(1000));
    }

    #[test]
    fn what_was_taken_before_is_flushed_when_all_of_it_is_acknowledged() {
        let mut outbox = outbox(100);
        assert!(outbox.has_flushed(outbox.taken()));
        outbox.push(1, 1, Lane::Bulk).unwrap();
        outbox.push(2, 1, Lane::Normal).unwrap();
        let taken = outbox.taken();
        outbox.push(3, 1, Lane::System).unwrap();
        assert_eq!(sent(&mut outbox), [3, 2, 1]);
        outbox.acknowledge(2).unwrap();
        assert!(
            !outbox.has_flushed(taken),
            "the bulk waits behind the others"
        );
        outbox.push(4, 1, Lane::Normal).unwrap();
        outbox.acknowledge(3).unwrap();
        assert!(outbox.has_flushed(taken));
        assert!(!outbox.has_flushed(outbox.taken()));
    }

    #[test]
    fn memory_of_a_burst_is_given_back() {
        let mut outbox = filled(0..100);
        sent(&mut outbox);
        outbox.acknowledge(100).unwrap();
        let kept = outbox.numbered.capacity() + outbox.waiting[1].capacity();
        assert!(kept <= 2 * KEPT_CAPACITY, "{kept}");
    }
}
