use std::{collections::BTreeSet, time::Instant};

/// How many that are later one passes on its way to its place in the line. Those that would pass more stand apart.
const MOST_PASSED: usize = 8;

/// Slots that are kept when none is in use.
const MAX_KEPT: usize = 1024;

/// No slot.
const NONE: usize = usize::MAX;

/// Values that each have a deadline, the earliest first.
///
/// Made for deadlines that come in order but for a few, as those of calls do, of which most have the same timeout: these
/// stand in a line, and are set and cancelled in a few steps. The others cost a search tree. It takes the memory of as many
/// as there have been at a time since there were none.
#[derive(Debug)]
pub struct Deadlines<T> {
    slots: Vec<Slot<T>>,
    /// Slots of nobody.
    free: Vec<usize>,
    /// Ends of the line.
    first: usize,
    last: usize,
    /// Slots of those that do not stand in line.
    apart: BTreeSet<(Instant, usize)>,
}

/// Names a deadline to [cancel](Deadlines::cancel), until it is cancelled or [due](Deadlines::pop_due). Later it may name
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket(usize);

#[derive(Debug)]
struct Slot<T> {
    at: Instant,
    /// `None`: the slot is free.
    value: Option<T>,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Line { before: usize, after: usize },
    Apart,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            first: NONE,
            last: NONE,
            apart: BTreeSet::new(),
        }
    }
}

impl<T> Deadlines<T> {
    /// Sets one.
    pub fn set(&mut self, at: Instant, value: T) -> Ticket {
        let slot = Slot {
            at,
            value: Some(value),
            place: Place::Apart,
        };
        let key = match self.free.pop() {
            Some(key) => {
                self.slots[key] = slot;
                key
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        match self.place_for(at) {
            Some((before, after)) => self.line_up(key, before, after),
            None => {
                self.apart.insert((at, key));
            }
        }
        Ticket(key)
    }

    /// Takes one away; `None` if it is not there any more.
    pub fn cancel(&mut self, ticket: Ticket) -> Option<T> {
        let Ticket(key) = ticket;
        let slot = self.slots.get_mut(key)?;
        let value = slot.value.take()?;
        match slot.place {
            Place::Line { before, after } => self.close_gap(before, after),
            Place::Apart => {
                self.apart.remove(&(slot.at, key));
            }
        }
        self.free.push(key);
        if self.free.len() == self.slots.len() && self.slots.len() > MAX_KEPT {
            self.clear();
        }
        Some(value)
    }

    /// The earliest.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.earliest().map(|(at, _)| at)
    }

    /// Takes one that is due at `now`, the earliest first. Which of several of the same time is open.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        let (_, key) = self.earliest().filter(|(at, _)| *at <= now)?;
        self.cancel(Ticket(key))
    }

    /// Takes all away.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// All of them, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (Instant, &T)> {
        let slots = self.slots.iter();
        slots.filter_map(|slot| slot.value.as_ref().map(|value| (slot.at, value)))
    }

    fn earliest(&self) -> Option<(Instant, usize)> {
        let in_line = self.slots.get(self.first).map(|slot| (slot.at, self.first));
        let Some(&apart) = self.apart.first() else {
            return in_line;
        };
        Some(in_line.map_or(apart, |in_line| in_line.min(apart)))
    }

    /// Between which two, if that is near the end of the line.
    fn place_for(&self, at: Instant) -> Option<(usize, usize)> {
        let (mut before, mut after) = (self.last, NONE);
        for _ in 0..=MOST_PASSED {
            match self.slots.get(before) {
                Some(slot) if slot.at > at => {
                    let Place::Line { before: next, .. } = slot.place else {
                        return None;
                    };
                    (before, after) = (next, before);
                }
                _ => return Some((before, after)),
            }
        }
        None
    }

    fn line_up(&mut self, key: usize, before: usize, after: usize) {
        self.slots[key].place = Place::Line { before, after };
        *self.end_before(after) = key;
        *self.end_after(before) = key;
    }

    fn close_gap(&mut self, before: usize, after: usize) {
        *self.end_before(after) = before;
        *self.end_after(before) = after;
    }

    /// What says who stands before that one; or last, before nobody.
    fn end_before(&mut self, after: usize) -> &mut usize {
        match self.slots.get_mut(after).map(|slot| &mut slot.place) {
            Some(Place::Line { before, .. }) => before,
            _ => &mut self.last,
        }
    }

    /// What says who stands after that one; or first, after nobody.
    fn end_after(&mut self, before: usize) -> &mut usize {
        match self.slots.get_mut(before).map(|slot| &mut slot.place) {
            Some(Place::Line { after, .. }) => after,
            _ => &mut self.first,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Set(u64),
        Cancel(prop::sample::Index),
        Pass(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            // Most have one of two timeouts.
            6 => prop_oneof![4 => Just(100), 1 => Just(1000), 1 => 0..2000u64].prop_map(Step::Set),
            4 => any::<prop::sample::Index>().prop_map(Step::Cancel),
            2 => (0..60u64).prop_map(Step::Pass),
        ]
    }

    proptest! {
        #[test]
        fn they_are_due_as_in_a_sorted_list(steps in vec(step(), 0..300)) {
            let begun = Instant::now();
            let mut now = begun;
            let mut deadlines = Deadlines::default();
            let mut model: Vec<(Instant, usize, Ticket)> = Vec::new();
            let mut most = 0;
            for (name, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Set(timeout) => {
                        let at = now + Duration::from_millis(timeout);
                        model.push((at, name, deadlines.set(at, name)));
                    }
                    Step::Cancel(which) if !model.is_empty() => {
                        let (_, name, ticket) = model.remove(which.index(model.len()));
                        prop_assert_eq!(deadlines.cancel(ticket), Some(name));
                        prop_assert_eq!(deadlines.cancel(ticket), None);
                    }
                    Step::Cancel(_) => {}
                    Step::Pass(time) => {
                        now += Duration::from_millis(time);
                        let (mut due, mut last) = (Vec::new(), begun);
                        while let Some(name) = deadlines.pop_due(now) {
                            let at = model.iter().find(|one| one.1 == name).map(|one| one.0);
                            prop_assert!(at >= Some(last));
                            last = at.unwrap();
                            due.push(name);
                        }
                        due.sort_unstable();
                        let over = model.extract_if(.., |one| one.0 <= now).map(|one| one.1);
                        prop_assert_eq!(due, over.collect::<Vec<_>>());
                    }
                }
                most = most.max(model.len());
                prop_assert_eq!(deadlines.next(), model.iter().map(|one| one.0).min());
                let mut left: Vec<_> = deadlines.iter().map(|(at, name)| (at, *name)).collect();
                left.sort_unstable_by_key(|one| one.1);
                prop_assert_eq!(left, model.iter().map(|one| (one.0, one.1)).collect::<Vec<_>>());
                prop_assert!(deadlines.slots.len() <= most);
            }
        }
    }

    #[test]
    fn those_that_come_in_order_and_a_few_that_do_not_stand_in_line() {
        let begun = Instant::now();
        let at = |seconds| begun + Duration::from_secs(seconds);
        let mut deadlines = Deadlines::default();
        for long in 0..MOST_PASSED as u64 {
            deadlines.set(at(10_000 + long), long);
        }
        for short in 0..1000 {
            deadlines.set(at(short), short);
        }
        assert!(deadlines.apart.is_empty());
        // One that would pass too many.
        deadlines.set(at(0), 0);
        assert_eq!(deadlines.apart.len(), 1);
    }

    #[test]
    fn slots_are_used_again() {
        let now = Instant::now();
        let mut deadlines = Deadlines::default();
        for _ in 0..100 {
            let tickets = [(); 3].map(|()| deadlines.set(now, ()));
            for ticket in tickets {
                assert_eq!(deadlines.cancel(ticket), Some(()));
            }
        }
        assert_eq!(deadlines.slots.len(), 3);
        assert_eq!((deadlines.next(), deadlines.pop_due(now)), (None, None));
    }

    #[test]
    fn the_memory_of_many_is_given_back_after_the_last() {
        let now = Instant::now();
        let mut deadlines = Deadlines::default();
        let mut last = deadlines.set(now, 0);
        for name in 1..=MAX_KEPT {
            last = deadlines.set(now, name);
        }
        for _ in 0..MAX_KEPT {
            assert!(deadlines.pop_due(now).is_some());
        }
        assert_eq!(deadlines.slots.len(), MAX_KEPT + 1);
        assert!(deadlines.pop_due(now).is_some());
        assert_eq!(deadlines.slots.capacity(), 0);
        assert_eq!(deadlines.cancel(last), None);
        let ticket = deadlines.set(now, 1);
        assert_eq!(deadlines.cancel(ticket), Some(1));
    }
}
