use std::{
    collections::hash_map::Entry,
    time::{Duration, Instant},
};

use crate::numbers::{NumberMap, NumberSet};
#[cfg(test)]
use crate::timer::Timer;

/// The local actors that the peer may address, and their calls that are not answered yet.
#[derive(Debug, Default)]
pub(crate) struct Exports {
    announced: NumberSet,
    /// Calls from the peer that wait for an answer, by callee. Tags are the peer's affair: they may repeat.
    open: NumberMap<usize>,
    open_total: usize,
    /// Answers that have not been handed to the link, by callee.
    queued: NumberMap<usize>,
    /// When each actor's last reply was sent.
    replied: NumberMap<Instant>,
    /// Actors that are gone but whose replies are on their way, with the end of their hold.
    held: NumberMap<Hold>,
}

/// How long the end of an actor is held back.
#[derive(Debug, Clone, Copy)]
struct Hold {
    wait: Wait,
    /// What the last reply's head start can put it off to.
    limit: Instant,
}

/// What the end of an actor waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// This time, or an answer before it.
    Until(Instant),
    /// That its answers leave, however long that takes.
    Queue,
}

/// What to do with the news that a local actor is gone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Termination {
    /// The peer has never heard of it.
    Untold,
    /// Tell now.
    Tell,
    /// Tell later.
    Hold(Wait),
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

    /// An answer of an actor waits to be sent.
    pub(crate) fn answer_queued(&mut self, pid: u64) {
        *self.queued.entry(pid).or_default() += 1;
    }

    /// An answer of an actor has left; whether its end waited for that and for nothing else.
    pub(crate) fn answer_left(&mut self, pid: u64) -> bool {
        let Entry::Occupied(mut queued) = self.queued.entry(pid) else {
            return false;
        };
        *queued.get_mut() -= 1;
        if *queued.get() > 0 {
            return false;
        }
        queued.remove();
        let held = self.held.get(&pid);
        held.is_some_and(|hold| hold.wait == Wait::Queue)
    }

    /// Notes that a reply of an actor, if the peer knows that, has left.
    pub(crate) fn replied(&mut self, now: Instant, pid: u64) {
        if self.is_known(pid) {
            self.replied.insert(pid, now);
        }
    }

    /// From here on nothing is delivered to `pid`. Its end is told at `hold_until` although calls are open, but after all
    /// answers that wait to be sent; its last reply is given `headstart` even then.
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
        let wait = if self.open.contains_key(&pid) {
            Wait::Until(hold_until)
        } else {
            self.after_answers(now, pid, headstart)
        };
        if wait.is_over(now) {
            self.replied.remove(&pid);
            return Termination::Tell;
        }
        let limit = hold_until.checked_add(headstart).unwrap_or(hold_until);
        self.held.insert(pid, Hold { wait, limit });
        Termination::Hold(wait)
    }

    /// When `pid` is held back and its last call is closed: what the hold waited for, and what it waits for now.
    pub(crate) fn answered(
        &mut self,
        now: Instant,
        pid: u64,
        headstart: Duration,
    ) -> Option<(Wait, Wait)> {
        if self.open.contains_key(&pid) {
            return None;
        }
        self.wait_again(now, pid, headstart)
    }

    /// The time of `pid`'s hold is over, or its answers have left; what it still waits for.
    pub(crate) fn put_off(&mut self, now: Instant, pid: u64, headstart: Duration) -> Option<Wait> {
        let (_, wait) = self.wait_again(now, pid, headstart)?;
        (!wait.is_over(now)).then_some(wait)
    }

    fn wait_again(&mut self, now: Instant, pid: u64, headstart: Duration) -> Option<(Wait, Wait)> {
        let wait = self.after_answers(now, pid, headstart);
        let hold = self.held.get_mut(&pid)?;
        let before = hold.wait;
        hold.wait = match wait {
            // Its answers left late, not by its own doing: the limit is not for that.
            Wait::Until(until) if before != Wait::Queue => Wait::Until(until.min(hold.limit)),
            wait => wait,
        };
        Some((before, hold.wait))
    }

    fn after_answers(&self, now: Instant, pid: u64, headstart: Duration) -> Wait {
        if self.queued.contains_key(&pid) {
            return Wait::Queue;
        }
        Wait::Until(self.headstart_ends(pid, headstart).unwrap_or(now))
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
    pub(crate) fn check_invariants(&self, queued: &NumberMap<usize>) -> Vec<(Instant, Timer)> {
        assert_eq!(self.open_total, self.open.values().sum::<usize>());
        assert!(self.open.values().all(|calls| *calls > 0));
        for (pid, hold) in &self.held {
            assert!(!self.announced.contains(pid));
            assert!(match hold.wait {
                Wait::Queue => self.queued.contains_key(pid),
                Wait::Until(_) => self.open.contains_key(pid) || self.replied.contains_key(pid),
            });
        }
        assert_eq!(self.queued, *queued);
        for pid in self.replied.keys() {
            assert!(self.announced.contains(pid) || self.held.contains_key(pid));
        }
        let timer = |(&pid, hold): (&u64, &Hold)| match hold.wait {
            Wait::Until(at) => Some((at, Timer::Release { pid })),
            Wait::Queue => None,
        };
        self.held.iter().filter_map(timer).collect()
    }
}

impl Wait {
    pub(crate) fn is_over(self, now: Instant) -> bool {
        matches!(self, Self::Until(at) if at <= now)
    }
}
