use core::hash::BuildHasherDefault;
use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    time::{Duration, Instant},
};

use crate::key::{Key, KeyHasher};

/// What happens at a time, once for the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// The next probe begins.
    Probe,
    /// A round of gossip.
    Gossip,
    /// Tables are compared with somebody, while there is much to learn.
    Sync,
    /// New members are announced.
    Announce,
    /// The dead that are old enough are forgotten.
    Forget,
    /// The farewell ends.
    Leave,
}

const TIMERS: [Timer; 6] = [
    Timer::Probe,
    Timer::Gossip,
    Timer::Sync,
    Timer::Announce,
    Timer::Forget,
    Timer::Leave,
];

/// What happens at a time, once for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Due {
    /// A suspect may be dead. It is looked up whether it is.
    Suspicion(Key),
    /// A member that came and went has been kept waiting long enough.
    Damped(Key),
    /// A suspect is probed, for another opinion.
    Confirm(Key),
}

/// When what happens. Times of members are not taken back: who takes them out looks whether they still hold.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    at: [Option<Instant>; TIMERS.len()],
    members: BinaryHeap<Reverse<(Instant, Due)>>,
    /// The earliest of each in `members`: a later one is not added, since who takes the earlier out adds it again.
    earliest: hashbrown::HashMap<Due, Instant, BuildHasherDefault<KeyHasher>>,
}

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.at[timer as usize] = Some(at);
    }

    /// Sets a timer unless it is to fire earlier.
    pub(crate) fn set_by(&mut self, timer: Timer, at: Instant) {
        let slot = &mut self.at[timer as usize];
        *slot = Some(slot.map_or(at, |earlier| earlier.min(at)));
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.at[timer as usize] = None;
    }

    pub(crate) fn is_set(&self, timer: Timer) -> bool {
        self.at[timer as usize].is_some()
    }

    /// Adds what happens at a time, unless it happens earlier already.
    pub(crate) fn add(&mut self, at: Instant, due: Due) {
        let earliest = self.earliest.get(&due);
        if earliest.is_none_or(|earliest| at < *earliest) {
            self.earliest.insert(due, at);
            self.members.push(Reverse((at, due)));
        }
    }

    /// Takes out a timer that is due.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Timer> {
        let due = |timer: &Timer| self.at[*timer as usize].is_some_and(|at| at <= now);
        let timer = TIMERS.into_iter().find(due)?;
        self.stop(timer);
        Some(timer)
    }

    /// Takes out what is due for a member.
    pub(crate) fn pop_member(&mut self, now: Instant) -> Option<Due> {
        let Reverse((at, due)) = *self.members.peek()?;
        (at <= now).then(|| {
            self.members.pop();
            if self.earliest.get(&due) == Some(&at) {
                self.earliest.remove(&due);
            }
            due
        })
    }

    /// The earliest of all.
    pub(crate) fn next(&self) -> Option<Instant> {
        let member = self.members.peek().map(|Reverse((at, _))| *at);
        self.at.iter().copied().chain([member]).flatten().min()
    }

    #[cfg(test)]
    pub(crate) fn members_len(&self) -> usize {
        self.members.len()
    }

    /// Puts all of the members' times off.
    pub(crate) fn put_off_members(&mut self, by: Duration) {
        let mut members = core::mem::take(&mut self.members).into_vec();
        for Reverse((at, _)) in &mut members {
            *at += by;
        }
        for at in self.earliest.values_mut() {
            *at += by;
        }
        self.members = members.into();
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_fires_once_when_it_is_due() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::Gossip, now + second);
        timers.set_by(Timer::Gossip, now + 2 * second);
        timers.add(now + 3 * second, Due::Suspicion(Key(1)));
        timers.add(now + 2 * second, Due::Suspicion(Key(2)));
        assert_eq!(timers.next(), Some(now + second));
        assert_eq!(timers.pop(now), None);
        assert_eq!(timers.pop(now + second), Some(Timer::Gossip));
        assert_eq!(timers.pop(now + second), None);
        assert_eq!(timers.pop_member(now + second), None);
        assert_eq!(timers.next(), Some(now + 2 * second));
        timers.put_off_members(second);
        assert_eq!(timers.next(), Some(now + 3 * second));
        let late = now + 9 * second;
        assert_eq!(timers.pop_member(late), Some(Due::Suspicion(Key(2))));
        assert_eq!(timers.pop_member(late), Some(Due::Suspicion(Key(1))));
        assert_eq!(timers.next(), None);
    }
}
