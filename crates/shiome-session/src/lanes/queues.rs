use std::collections::{HashMap, VecDeque};

use shiome_wire::Frames;

use super::fifo::Fifo;
use crate::{numbers::Secret, recent::Recent};

/// Empty queues that are kept, for the next message to their actor.
const MAX_IDLE: usize = 32;

/// What an empty queue keeps room for: messages, and bytes of them.
const KEPT_MESSAGES: usize = 64;
const KEPT_BYTES: usize = 4 * 1024;

/// Whose messages keep their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// To this actor of the peer.
    To(u64),
    /// Long replies of this local actor.
    From(u64),
}

/// Where a queue is.
pub(super) type Slot = usize;

/// The queues of the bulk lane, by whose messages they hold.
#[derive(Debug, Default)]
pub(super) struct Queues {
    slots: Vec<Option<Box<Queue>>>,
    free: Vec<Slot>,
    index: HashMap<Key, Slot, Secret>,
    recent: Recent<Slot>,
    /// Queues that are empty, or have been when they came here: the one that has been here longest first.
    idle: VecDeque<Slot>,
    /// Queues that are not empty.
    busy: usize,
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) key: Key,
    pub(super) items: Fifo,
    /// The head is under way in fragments.
    pub(super) started: Option<Box<Started>>,
    is_in_idle: bool,
}

#[derive(Debug)]
pub(super) struct Started {
    pub(super) id: u64,
    /// What is left of the encoded message, once its first fragment has left.
    pub(super) body: Frames,
    pub(super) offset: usize,
}

impl Queues {
    /// Whether no message waits.
    pub(super) fn are_empty(&self) -> bool {
        self.busy == 0
    }

    /// Whether a message waits in the queue of `key`.
    pub(super) fn has(&self, key: Key) -> bool {
        let slot = self.find(key);
        slot.is_some_and(|slot| !self.get(slot).items.is_empty())
    }

    pub(super) fn get(&self, slot: Slot) -> &Queue {
        let queue = self.slots[slot].as_ref();
        queue.expect("a slot is in use as long as it is known")
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> &mut Queue {
        let queue = self.slots[slot].as_mut();
        queue.expect("a slot is in use as long as it is known")
    }

    /// The queue of `key`, to put a message into it.
    pub(super) fn enter(&mut self, key: Key) -> Slot {
        let slot = self.find(key).unwrap_or_else(|| self.add(key));
        if let Key::To(pid) = key {
            self.recent.put(pid, slot);
        }
        self.busy += usize::from(self.get(slot).items.is_empty());
        slot
    }

    /// The last message of the queue is gone.
    pub(super) fn emptied(&mut self, slot: Slot) {
        self.busy -= 1;
        let queue = self.get_mut(slot);
        queue.items.shrink_to(KEPT_MESSAGES, KEPT_BYTES);
        if !std::mem::replace(&mut queue.is_in_idle, true) {
            self.idle.push_back(slot);
        }
        while self.idle.len() > MAX_IDLE
            && let Some(slot) = self.idle.pop_front()
        {
            self.get_mut(slot).is_in_idle = false;
            if self.get(slot).items.is_empty() {
                self.remove(slot);
            }
        }
    }

    fn find(&self, key: Key) -> Option<Slot> {
        let recent = match key {
            Key::To(pid) => self.recent.get(pid),
            Key::From(_) => None,
        };
        recent.or_else(|| self.index.get(&key).copied())
    }

    fn add(&mut self, key: Key) -> Slot {
        let queue = Box::new(Queue {
            key,
            items: Fifo::default(),
            started: None,
            is_in_idle: false,
        });
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(queue);
        self.index.insert(key, slot);
        slot
    }

    fn remove(&mut self, slot: Slot) {
        let key = self.get(slot).key;
        self.index.remove(&key);
        if let Key::To(pid) = key {
            self.recent.remove(pid);
        }
        self.slots[slot] = None;
        self.free.push(slot);
    }

    /// Checks that every queue is found, and returns those in which messages wait.
    #[cfg(test)]
    pub(super) fn check_invariants(&self) -> Vec<(Slot, &Queue)> {
        let queues = self.slots.iter().enumerate();
        let queues: Vec<_> = queues
            .filter_map(|(slot, queue)| Some((slot, &**queue.as_ref()?)))
            .collect();
        assert_eq!(queues.len() + self.free.len(), self.slots.len());
        assert_eq!(queues.len(), self.index.len());
        for (slot, queue) in &queues {
            assert_eq!(self.index.get(&queue.key), Some(slot));
            let times = self.idle.iter().filter(|idle| *idle == slot).count();
            assert_eq!(times, usize::from(queue.is_in_idle));
            assert!(queue.is_in_idle || !queue.items.is_empty());
        }
        for (pid, slot) in self.recent.iter() {
            assert_eq!(self.get(slot).key, Key::To(pid));
        }
        assert!(self.idle.len() <= MAX_IDLE);
        let busy = queues.into_iter().filter(|(_, q)| !q.items.is_empty());
        let busy: Vec<_> = busy.collect();
        assert_eq!(self.busy, busy.len());
        busy
    }
}
