use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::Instant,
};

#[cfg(test)]
use crate::timer::Timer;

/// The local actors that the peer may address, and their calls that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    announced: HashSet<u64>,
    /// Calls from the peer that wait for an answer, by callee. Tags are the peer's affair: they may repeat.
    open: HashMap<u64, usize>,
    open_total: usize,
    /// Actors that are gone but have open calls, with the end of their hold.
    held: HashMap<u64, Instant>,
}

/// What to do with the news that a local actor is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Termination {
    /// The peer has never heard of it.
    Untold,
    /// Tell now.
    Tell,
    /// Tell when its calls are answered, or the hold is over.
    Hold,
}

impl Exports {
    /// Whether `pid` is new to the peer. One whose end is held back is not.
    pub(crate) fn announce(&mut self, pid: u64) -> bool {
        !self.held.contains_key(&pid) && self.announced.insert(pid)
    }

    pub(crate) fn contains(&self, pid: u64) -> bool {
        self.announced.contains(&pid)
    }

    pub(crate) fn open_calls(&self) -> usize {
        self.open_total
    }

    pub(crate) fn open_call(&mut self, pid: u64) {
        *self.open.entry(pid).or_default() += 1;
        self.open_total += 1;
    }

    /// Closes one call to `pid`; `false` when none is open.
    pub(crate) fn close_call(&mut self, pid: u64) -> bool {
        let Entry::Occupied(mut open) = self.open.entry(pid) else {
            return false;
        };
        *open.get_mut() -= 1;
        if *open.get() == 0 {
            open.remove();
        }
        self.open_total -= 1;
        true
    }

    /// From here on nothing is delivered to `pid`.
    pub(crate) fn terminate(&mut self, pid: u64, hold_until: Instant) -> Termination {
        if !self.announced.remove(&pid) {
            Termination::Untold
        } else if self.open.contains_key(&pid) {
            self.held.insert(pid, hold_until);
            Termination::Hold
        } else {
            Termination::Tell
        }
    }

    /// Ends the hold of `pid` when its last call is closed; returns when the hold would have ended.
    pub(crate) fn release_if_answered(&mut self, pid: u64) -> Option<Instant> {
        if self.open.contains_key(&pid) {
            return None;
        }
        self.held.remove(&pid)
    }

    /// Ends the hold of `pid` whatever is open.
    pub(crate) fn release(&mut self, pid: u64) -> bool {
        self.held.remove(&pid).is_some()
    }

    /// Recounts, and returns the timers that have to run.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) -> Vec<(Instant, Timer)> {
        assert_eq!(self.open_total, self.open.values().sum::<usize>());
        assert!(self.open.values().all(|calls| *calls > 0));
        for pid in self.held.keys() {
            assert!(!self.announced.contains(pid));
            assert!(self.open.contains_key(pid));
        }
        let timer = |(&pid, &until): (&u64, &Instant)| (until, Timer::Release { pid });
        self.held.iter().map(timer).collect()
    }
}
