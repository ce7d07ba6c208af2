use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    time::{Duration, Instant},
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
    /// When each actor replied last.
    replied: HashMap<u64, Instant>,
    /// Actors that are gone but whose replies are on their way, with the end of their hold.
    held: HashMap<u64, Hold>,
}

/// How long the end of an actor is held back.
#[derive(Debug, Clone, Copy)]
struct Hold {
    until: Instant,
    /// What the last reply's head start can put it off to.
    limit: Instant,
}

/// What to do with the news that a local actor is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Termination {
    /// The peer has never heard of it.
    Untold,
    /// Tell now.
    Tell,
    /// Tell at this time, or when its calls are answered.
    Hold(Instant),
}

impl Exports {
    /// Whether `pid` is new to the peer. One whose end is held back is not.
    pub(crate) fn announce(&mut self, pid: u64) -> bool {
        !self.held.contains_key(&pid) && self.announced.insert(pid)
    }

    pub(crate) fn contains(&self, pid: u64) -> bool {
        self.announced.contains(&pid)
    }

    /// Whether the peer knows of the actor, also of one whose end is held back.
    pub(crate) fn is_known(&self, pid: u64) -> bool {
        self.contains(pid) || self.held.contains_key(&pid)
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

    /// Notes that an actor has replied.
    pub(crate) fn replied(&mut self, now: Instant, pid: u64) {
        self.replied.insert(pid, now);
    }

    /// From here on nothing is delivered to `pid`. Its end is told at `hold_until` although calls are open; its last
    /// reply is given `headstart` even then.
    pub(crate) fn terminate(
        &mut self,
        now: Instant,
        pid: u64,
        hold_until: Instant,
        headstart: Duration,
    ) -> Termination {
        if !self.announced.remove(&pid) {
            return Termination::Untold;
        }
        let until = if self.open.contains_key(&pid) {
            hold_until
        } else {
            self.headstart_ends(pid, headstart).unwrap_or(now)
        };
        if until <= now {
            self.replied.remove(&pid);
            return Termination::Tell;
        }
        let limit = hold_until.checked_add(headstart).unwrap_or(hold_until);
        self.held.insert(pid, Hold { until, limit });
        Termination::Hold(until)
    }

    /// When `pid` is held back and its last call is closed: when the hold would have ended, and when it ends now.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        pid: u64,
        headstart: Duration,
    ) -> Option<(Instant, Instant)> {
        if self.open.contains_key(&pid) {
            return None;
        }
        let ends = self.headstart_ends(pid, headstart).unwrap_or(now);
        let hold = self.held.get_mut(&pid)?;
        let before = std::mem::replace(&mut hold.until, ends.min(hold.limit));
        Some((before, hold.until))
    }

    /// The hold of `pid` is over, unless it has just replied: then until when it is put off.
    pub(crate) fn put_off(
        &mut self,
        now: Instant,
        pid: u64,
        headstart: Duration,
    ) -> Option<Instant> {
        let ends = self.headstart_ends(pid, headstart)?;
        let hold = self.held.get_mut(&pid)?;
        hold.until = ends.min(hold.limit);
        (hold.until > now).then_some(hold.until)
    }

    fn headstart_ends(&self, pid: u64, headstart: Duration) -> Option<Instant> {
        self.replied.get(&pid)?.checked_add(headstart)
    }

    /// Ends the hold of `pid` whatever is open.
    pub(crate) fn release(&mut self, pid: u64) -> bool {
        self.replied.remove(&pid);
        self.held.remove(&pid).is_some()
    }

    /// Recounts, and returns the timers that have to run.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) -> Vec<(Instant, Timer)> {
        assert_eq!(self.open_total, self.open.values().sum::<usize>());
        assert!(self.open.values().all(|calls| *calls > 0));
        for pid in self.held.keys() {
            assert!(!self.announced.contains(pid));
            assert!(self.open.contains_key(pid) || self.replied.contains_key(pid));
        }
        for pid in self.replied.keys() {
            assert!(self.announced.contains(pid) || self.held.contains_key(pid));
        }
        let timer = |(&pid, hold): (&u64, &Hold)| (hold.until, Timer::Release { pid });
        self.held.iter().map(timer).collect()
    }
}
