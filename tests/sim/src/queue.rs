//! What is going to happen, in order: a hierarchy of timing wheels (Varghese and Lauck 1987).
//!
//! A slot of the finest wheel spans 8 µs, in which there is rarely more than one event, so that pushing and popping cost
//! some nanoseconds however many events there are. Events of the same instant come out in the order of their pushing.

use std::mem;

use crate::time::Time;

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A datagram arrives.
    Arrival,
    /// A timer of a node is due.
    Timer,
    /// A reliable ping is answered.
    Answer,
}

/// Something that is going to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) at: Time,
    /// To whom.
    pub(crate) node: u32,
    /// Which datagram, which answer.
    pub(crate) what: u32,
    pub(crate) kind: Kind,
}

/// Events by time. Time does not go back: what is pushed for the past happens next.
#[derive(Debug)]
pub(crate) struct Queue {
    /// The slot that is being emptied, sorted by time, and where in it to go on.
    open: Vec<Entry>,
    head: usize,
    /// Begin of the open slot, in granules. All that is due up to its end is in it.
    cursor: u64,
    wheels: Box<[Wheel]>,
}

/// Nanoseconds of a granule, as a power of two.
const GRANULE_LOG2: u32 = 13;
/// Slots of a wheel, as a power of two. Each wheel's slot spans a turn of the one before.
const SLOTS_LOG2: u32 = 10;
/// Four wheels reach 104 days.
const WHEELS: usize = 4;

impl Queue {
    pub(crate) fn new() -> Self {
        Self {
            open: Vec::new(),
            head: 0,
            cursor: 0,
            wheels: (0..WHEELS).map(|_| Wheel::new()).collect(),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, entry: Entry) {
        let granule = entry.at >> GRANULE_LOG2;
        if granule <= self.cursor {
            let rest = &self.open[self.head..];
            let after = self.head + rest.partition_point(|other| other.at <= entry.at);
            self.open.insert(after, entry);
        } else {
            self.place(granule, entry);
        }
    }

    /// The time of the next event.
    #[inline]
    pub(crate) fn next_at(&mut self) -> Option<Time> {
        if self.head == self.open.len() && !self.refill() {
            return None;
        }
        Some(self.open[self.head].at)
    }

    /// Takes the next event, which [`next_at`](Self::next_at) has told of.
    #[inline]
    pub(crate) fn pop(&mut self) -> Entry {
        let entry = self.open[self.head];
        self.head += 1;
        entry
    }

    /// Puts an entry in the finest wheel whose current turn it belongs to.
    #[inline]
    fn place(&mut self, granule: u64, entry: Entry) {
        let distance = granule ^ self.cursor;
        let level = (63 - (distance | 1).leading_zeros()) / SLOTS_LOG2;
        let slot = (granule >> (level * SLOTS_LOG2)) as usize & SLOT_MASK;
        self.wheels[level as usize].push(slot, entry);
    }

    /// Opens the next slot that has entries.
    #[cold]
    fn refill(&mut self) -> bool {
        self.open.clear();
        self.head = 0;
        for level in 0..WHEELS {
            let shift = level as u32 * SLOTS_LOG2;
            let current = (self.cursor >> shift) as usize & SLOT_MASK;
            let Some(slot) = self.wheels[level].next_after(current) else {
                continue;
            };
            let turn = self.cursor >> (shift + SLOTS_LOG2) << SLOTS_LOG2;
            self.cursor = (turn | slot as u64) << shift;
            if level == 0 {
                self.wheels[0].swap(slot, &mut self.open);
                self.open.sort_by_key(|entry| entry.at);
                return true;
            }
            self.spread(level, slot);
            return !self.open.is_empty() || self.refill();
        }
        false
    }

    /// Distributes a slot of a coarse wheel, whose begin the cursor stands at, to finer ones.
    fn spread(&mut self, level: usize, slot: usize) {
        let mut entries = Vec::new();
        self.wheels[level].swap(slot, &mut entries);
        for &entry in &entries {
            self.push(entry);
        }
        entries.clear();
        // The slot keeps its room for the next turn.
        mem::swap(&mut self.wheels[level].slots[slot], &mut entries);
    }
}

const SLOT_MASK: usize = (1 << SLOTS_LOG2) - 1;
const WORDS: usize = (1 << SLOTS_LOG2) / 64;

#[derive(Debug)]
struct Wheel {
    slots: Box<[Vec<Entry>]>,
    /// One bit for each slot that has entries.
    occupied: [u64; WORDS],
}

impl Wheel {
    fn new() -> Self {
        Self {
            slots: (0..1 << SLOTS_LOG2).map(|_| Vec::new()).collect(),
            occupied: [0; WORDS],
        }
    }

    #[inline]
    fn push(&mut self, slot: usize, entry: Entry) {
        self.slots[slot].push(entry);
        self.occupied[slot / 64] |= 1 << (slot % 64);
    }

    fn swap(&mut self, slot: usize, entries: &mut Vec<Entry>) {
        mem::swap(&mut self.slots[slot], entries);
        self.occupied[slot / 64] &= !(1 << (slot % 64));
    }

    /// The first slot with entries after `slot`.
    fn next_after(&self, slot: usize) -> Option<usize> {
        let from = slot + 1;
        let first = from / 64;
        let masked = *self.occupied.get(first)? & (!0 << (from % 64));
        let rest = self.occupied[first + 1..].iter().copied();
        let (word, bits) = (first..)
            .zip([masked].into_iter().chain(rest))
            .find(|(_, bits)| *bits != 0)?;
        Some(word * 64 + bits.trailing_zeros() as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rng::Rng, time::SECOND};

    fn entry(at: Time, what: u32) -> Entry {
        Entry {
            at,
            node: 0,
            what,
            kind: Kind::Timer,
        }
    }

    #[test]
    fn events_come_in_the_order_of_their_times_and_then_of_their_pushing() {
        let mut rng = Rng::new(1);
        let mut queue = Queue::new();
        let mut waiting = Vec::new();
        let mut now = 0;
        for what in 0..20_000 {
            let reach = [
                10,
                100_000,
                2_000_000,
                SECOND,
                100 * SECOND,
                20_000 * SECOND,
            ];
            // Coarse times, so that some events share theirs.
            let reach = reach[rng.below(6) as usize];
            let at = now + rng.below(reach) / 1000 * 1000;
            waiting.push((at, what));
            queue.push(entry(at, what));
            if rng.below(3) > 0 {
                let next = *waiting.iter().min().unwrap();
                waiting.retain(|event| *event != next);
                assert_eq!(queue.next_at(), Some(next.0));
                let popped = queue.pop();
                assert_eq!((popped.at, popped.what), next);
                now = popped.at;
            }
        }
        waiting.sort_unstable();
        for next in waiting {
            assert_eq!(queue.next_at(), Some(next.0));
            assert_eq!(queue.pop().what, next.1);
        }
        assert_eq!(queue.next_at(), None);
    }

    #[test]
    fn an_event_may_be_pushed_before_one_that_was_seen_coming() {
        let mut queue = Queue::new();
        queue.push(entry(30 * SECOND, 1));
        assert_eq!(queue.next_at(), Some(30 * SECOND));
        queue.push(entry(2 * SECOND, 2));
        queue.push(entry(SECOND, 3));
        let order = [(); 3].map(|()| {
            queue.next_at().unwrap();
            queue.pop().what
        });
        assert_eq!(order, [3, 2, 1]);
    }
}
