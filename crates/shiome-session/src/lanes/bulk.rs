use std::collections::VecDeque;

use prost_types::Timestamp;
use shiome_wire::{Capabilities, Encode, Frames, LENGTH_PREFIX_LEN, put_fragment};

use super::{
    Class, Express, Flow, InTurn, Leaving, Queued,
    flow::Cost,
    queues::{Key, Queues, Slot, Started},
};
use crate::{
    config::{AROUND_PAYLOAD_LEN, FRAGMENT_THRESHOLD, MAX_FRAGMENTED, MESSAGE_OVERHEAD},
    terms::Terms,
    window::Window,
};

/// What a fragment takes besides its data, in bytes, at most: the headers of three messages, three numbers.
const FRAGMENT_OVERHEAD: usize = 64;

/// The bulk lane: a queue for each actor, and one message or fragment of each in turn.
///
/// At the head of a queue is always bulk: what is not goes on to the express lane. A long message at the head waits
/// until the peer has room to put it together, first come, first served; the other queues do not wait for it.
#[derive(Debug)]
pub(super) struct Bulk {
    flow: Flow,
    /// Whether the next in turn has been found to be more than the peer takes.
    is_blocked: bool,
    /// Longest message that is not taken apart, where messages are.
    whole_len: usize,
    /// Bytes of messages under way in fragments that the peer holds; `None`: it takes no fragments.
    max_reassembly_len: Option<u64>,
    queues: Queues,
    /// Queues whose head may go, in turn.
    ring: VecDeque<Slot>,
    /// Queues whose head is too long to begin now.
    waiting: VecDeque<Slot>,
    /// Messages under way in fragments, and their length.
    started: usize,
    started_len: u64,
    last_id: u64,
}

impl Bulk {
    pub(super) fn new() -> Self {
        Self {
            flow: Flow::pongs(),
            is_blocked: false,
            whole_len: FRAGMENT_THRESHOLD,
            max_reassembly_len: None,
            queues: Queues::default(),
            ring: VecDeque::new(),
            waiting: VecDeque::new(),
            started: 0,
            started_len: 0,
            last_id: 0,
        }
    }

    pub(super) fn negotiated(&mut self, terms: &Terms) {
        if terms.capabilities.contains(Capabilities::CREDIT) {
            self.flow = Flow::credit(terms.window);
        }
        if terms.capabilities.contains(Capabilities::FRAGMENTS) {
            self.max_reassembly_len = Some(terms.max_reassembly_len);
        }
        let whole_len = FRAGMENT_THRESHOLD + AROUND_PAYLOAD_LEN;
        let least_room = terms.max_frame_len.min(Window::least_left(terms.window));
        if least_room >= whole_len as u64 {
            self.whole_len = whole_len;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues.are_empty()
    }

    /// Whether the next in turn may go, as far as is known, or a ping has to.
    pub(super) fn is_ready(&self) -> bool {
        !self.is_blocked && !self.ring.is_empty() || self.flow.is_ping_wanted()
    }

    /// How much the peer takes may change by this.
    pub(super) fn flow(&mut self) -> &mut Flow {
        self.is_blocked = false;
        &mut self.flow
    }

    pub(super) fn take_ping_wanted(&mut self) -> bool {
        self.flow.take_ping_wanted()
    }

    pub(super) fn pinged(&mut self, timestamp: Timestamp) {
        self.flow.pinged(timestamp);
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.queues.has(key)
    }

    pub(super) fn clear(&mut self) {
        self.queues = Queues::default();
        self.ring = VecDeque::new();
        self.waiting = VecDeque::new();
        (self.started, self.started_len) = (0, 0);
    }

    pub(super) fn push(
        &mut self,
        key: Key,
        message: impl Encode,
        queued: Queued,
        express: &mut Express,
    ) {
        let slot = self.queues.enter(key);
        let items = &mut self.queues.get_mut(slot).items;
        items.push(message, queued);
        if items.len() == 1 {
            self.place(slot, express);
        }
    }

    /// The next message or fragment, if the peer takes it, or the next casts to one actor of `run_len` bytes together: the
    /// frames go to `frames`. What may go in the express lane after it goes there.
    pub(super) fn pop(
        &mut self,
        run_len: usize,
        express: &mut Express,
        frames: &mut Frames,
    ) -> Option<Leaving> {
        let slot = *self.ring.front()?;
        let queue = self.queues.get_mut(slot);
        let Some(started) = &mut queue.started else {
            let leaving = self.pop_run(slot, run_len, frames)?;
            self.ring.pop_front();
            self.place(slot, express);
            return Some(leaving);
        };
        let head = queue
            .items
            .front()
            .expect("a queue in the ring is not empty");
        let left = head.len - started.offset;
        let data_len = left.min(FRAGMENT_THRESHOLD - FRAGMENT_OVERHEAD);
        self.is_blocked = !self.flow.admit(Cost::of_fragment(data_len));
        if self.is_blocked {
            return None;
        }
        if started.offset == 0 {
            started.body = queue.items.begin();
        }
        started.cut(head.len, data_len, frames);
        self.ring.pop_front();
        if data_len < left {
            self.ring.push_back(slot);
        } else {
            self.started -= 1;
            self.started_len -= head.len as u64;
            queue.started = None;
            queue.items.leave();
            self.place(slot, express);
            self.admit_waiting();
        }
        let count = usize::from(data_len == left);
        Some(Leaving {
            whole: (data_len == left).then_some(head.class),
            count,
            is_piece: true,
            len: data_len,
            in_turn: InTurn::of(head.class, data_len + count * MESSAGE_OVERHEAD),
        })
    }

    /// Takes off the message at the head, and the casts right behind it while all together are no longer than `run_len`, as
    /// far as the peer takes them.
    fn pop_run(&mut self, slot: Slot, run_len: usize, frames: &mut Frames) -> Option<Leaving> {
        let items = &mut self.queues.get_mut(slot).items;
        let (flow, blocked) = (&mut self.flow, &mut self.is_blocked);
        let mut admit = |queued: Queued| {
            *blocked = !flow.admit(Cost::of_message(queued));
            !*blocked
        };
        let first = items.pop_if(&mut admit)?;
        let (mut count, mut len) = (1, first.len);
        let mut in_turn = InTurn::of(first.class, first.len + MESSAGE_OVERHEAD);
        while matches!(first.class, Class::Cast { .. })
            && let Some(next) = items.pop_if(|next| {
                matches!(next.class, Class::Cast { .. }) && len + next.len <= run_len && admit(next)
            })
        {
            count += 1;
            len += next.len;
            in_turn += InTurn::of(next.class, next.len + MESSAGE_OVERHEAD);
        }
        items.move_frames(count * LENGTH_PREFIX_LEN + len, frames);
        Some(Leaving {
            whole: Some(first.class),
            count,
            is_piece: false,
            len,
            in_turn,
        })
    }

    /// Puts a queue with a new head where it belongs.
    fn place(&mut self, slot: Slot, express: &mut Express) {
        let items = &mut self.queues.get_mut(slot).items;
        while items.front().is_some_and(|head| !head.is_bulk()) {
            express.take_front_of(items);
        }
        match items.front() {
            None => self.queues.emptied(slot),
            Some(head) if head.len > self.whole_len && self.max_reassembly_len.is_some() => {
                self.waiting.push_back(slot);
                self.admit_waiting();
            }
            Some(_) => self.ring.push_back(slot),
        }
    }

    /// Starts long messages while the peer has room for them.
    fn admit_waiting(&mut self) {
        let room = self.max_reassembly_len.unwrap_or(0);
        while let Some(&slot) = self.waiting.front()
            && let Some(head) = self.queues.get(slot).items.front()
            && self.started < MAX_FRAGMENTED
            && self.started_len + head.len as u64 <= room
        {
            self.last_id += 1;
            self.started += 1;
            self.started_len += head.len as u64;
            self.queues.get_mut(slot).started = Some(Box::new(Started {
                id: self.last_id,
                body: Frames::new(),
                offset: 0,
            }));
            self.ring.extend(self.waiting.pop_front());
        }
    }

    /// The queue that a message goes to, if it goes to one.
    pub(super) fn accepts(&self, queued: Queued) -> Option<Key> {
        let key = queued.key()?;
        // Replies have no order among themselves: a short one passes a long one.
        let follows = || matches!(key, Key::To(_)) && self.has(key);
        (queued.is_bulk() || follows()).then_some(key)
    }

    /// Recounts, and returns what waits, with the bytes of each that have left.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) -> Vec<(&Queued, usize)> {
        let mut items = Vec::new();
        let (mut started, mut started_len) = (0, 0);
        let queues = self.queues.check_invariants();
        for (slot, queue) in &queues {
            let head = queue.items.front().expect("an empty queue");
            assert!(head.is_bulk());
            let places = |list: &VecDeque<Slot>| list.iter().filter(|s| *s == slot).count();
            assert_eq!(places(&self.ring) + places(&self.waiting), 1);
            assert!(queue.items.iter().all(|item| item.key() == Some(queue.key)));
            let (mut left, mut taken) = (0, 0);
            if let Some(at) = &queue.started {
                assert_eq!(places(&self.ring), 1);
                assert!(at.offset < head.len);
                started += 1;
                started_len += head.len as u64;
                left = at.offset;
                if left > 0 {
                    taken = LENGTH_PREFIX_LEN + head.len;
                    assert_eq!(at.body.len(), head.len - left);
                }
            }
            queue.items.check_invariants(taken);
            let gone = std::iter::once(left).chain(std::iter::repeat(0));
            items.extend(queue.items.iter().zip(gone));
        }
        assert_eq!(self.ring.len() + self.waiting.len(), queues.len());
        assert_eq!((self.started, self.started_len), (started, started_len));
        assert!(started <= MAX_FRAGMENTED);
        let room = self.max_reassembly_len.unwrap_or(0);
        assert!(started_len <= room);
        items
    }
}

impl Started {
    /// Appends a fragment with the next so many bytes, of a message that is `total` long.
    fn cut(&mut self, total: usize, data_len: usize, frames: &mut Frames) {
        let total = if self.offset == 0 { total as u64 } else { 0 };
        let offset = self.offset as u64;
        put_fragment(self.id, offset, total, &mut self.body, data_len, frames);
        self.offset += data_len;
    }
}

impl Queued {
    /// Whether it goes in the bulk lane by itself, not for what is ahead of it.
    fn is_bulk(&self) -> bool {
        matches!(self.class, Class::Cast { .. }) || self.len > FRAGMENT_THRESHOLD
    }

    /// Whose order it keeps.
    fn key(&self) -> Option<Key> {
        match self.class {
            Class::Cast { pid, .. } | Class::Call { pid, .. } | Class::Stop { pid } => {
                Some(Key::To(pid))
            }
            Class::Reply { pid } => Some(Key::From(pid)),
            _ => None,
        }
    }
}
