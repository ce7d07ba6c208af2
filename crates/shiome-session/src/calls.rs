use std::{collections::hash_map::Entry, time::Instant};

use crate::{deadlines::Ticket, event::CallEnd, numbers::NumberMap, timer::Timers};

/// Outgoing calls that wait for a reply.
#[derive(Debug)]
pub(crate) struct Calls<C> {
    callees: NumberMap<Callee<C>>,
    open: usize,
}

#[derive(Debug)]
struct Callee<C> {
    last_tag: u64,
    open: NumberMap<OpenCall<C>>,
}

#[derive(Debug)]
struct OpenCall<C> {
    call: C,
    deadline: Option<(Instant, Ticket)>,
    /// What it means when the deadline passes.
    end: CallEnd,
    /// Whether the call was handed to the link.
    written: bool,
}

impl<C> Default for Calls<C> {
    fn default() -> Self {
        Self {
            callees: NumberMap::default(),
            open: 0,
        }
    }
}

impl<C> Calls<C> {
    pub(crate) fn len(&self) -> usize {
        self.open
    }

    /// The number of the next call to `pid`. Numbers start at 1 for every callee.
    pub(crate) fn next_tag(&self, pid: u64) -> u64 {
        self.callees.get(&pid).map_or(0, |c| c.last_tag) + 1
    }

    /// Opens the call numbered [`next_tag`](Self::next_tag).
    pub(crate) fn open(
        &mut self,
        pid: u64,
        call: C,
        deadline: Option<Instant>,
        timers: &mut Timers,
    ) {
        let callee = self.callees.entry(pid).or_insert_with(|| Callee {
            last_tag: 0,
            open: NumberMap::default(),
        });
        callee.last_tag += 1;
        let tag = callee.last_tag;
        let open = OpenCall {
            call,
            deadline: deadline.map(|at| (at, timers.set_call(at, pid, tag))),
            end: CallEnd::TimedOut,
            written: false,
        };
        callee.open.insert(tag, open);
        self.open += 1;
    }

    /// A call was handed to the link.
    pub(crate) fn written(&mut self, pid: u64, tag: u64) {
        let callee = self.callees.get_mut(&pid);
        if let Some(open) = callee.and_then(|callee| callee.open.get_mut(&tag)) {
            open.written = true;
        }
    }

    /// Takes the call that a reply answers.
    pub(crate) fn answered(&mut self, pid: u64, tag: u64, timers: &mut Timers) -> Option<C> {
        let open = self.take(pid, tag)?;
        if let Some((_, ticket)) = open.deadline {
            timers.cancel_call(ticket);
        }
        Some(open.call)
    }

    /// Takes the call whose timer fired.
    pub(crate) fn expired(&mut self, pid: u64, tag: u64) -> Option<(C, CallEnd)> {
        self.take(pid, tag).map(|open| (open.call, open.end))
    }

    /// Gives the calls to `pid`, which is gone, until `grace` at the latest.
    pub(crate) fn callee_terminated(&mut self, pid: u64, grace: Instant, timers: &mut Timers) {
        let Entry::Occupied(mut callee) = self.callees.entry(pid) else {
            return;
        };
        let open = callee.get_mut().open.iter_mut();
        let mut late: Vec<_> = open
            .filter(|(_, open)| open.deadline.is_none_or(|(at, _)| at > grace))
            .collect();
        // In an order that does not hang on the secret of the map.
        late.sort_unstable_by_key(|(tag, _)| **tag);
        for (&tag, open) in late {
            if let Some((_, ticket)) = open.deadline {
                timers.cancel_call(ticket);
            }
            open.deadline = Some((grace, timers.set_call(grace, pid, tag)));
            open.end = CallEnd::Terminated;
        }
        if callee.get().open.is_empty() {
            callee.remove();
        }
    }

    /// Forgets the numbering of `pid` once nothing is open, for a callee that is gone.
    pub(crate) fn forget_if_idle(&mut self, pid: u64) {
        if let Entry::Occupied(callee) = self.callees.entry(pid)
            && callee.get().open.is_empty()
        {
            callee.remove();
        }
    }

    /// Takes all calls, ordered by callee and number, with whether each was written.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (C, bool)> + use<C> {
        self.open = 0;
        let mut calls: Vec<_> = std::mem::take(&mut self.callees)
            .into_iter()
            .flat_map(|(pid, callee)| {
                let open = callee.open.into_iter();
                open.map(move |(tag, open)| (pid, tag, open.call, open.written))
            })
            .collect();
        calls.sort_unstable_by_key(|(pid, tag, ..)| (*pid, *tag));
        calls
            .into_iter()
            .map(|(_, _, call, written)| (call, written))
    }

    /// Recounts, and returns the timers that have to run.
    #[cfg(test)]
    pub(crate) fn check_invariants(
        &self,
        is_known: impl Fn(u64) -> bool,
    ) -> Vec<(Instant, crate::timer::Timer)> {
        use crate::timer::Timer;

        let open: usize = self.callees.values().map(|c| c.open.len()).sum();
        assert_eq!(self.open, open);
        let mut timers = Vec::new();
        for (&pid, callee) in &self.callees {
            assert!(!callee.open.is_empty() || is_known(pid));
            for (&tag, open) in &callee.open {
                assert!((1..=callee.last_tag).contains(&tag));
                timers.extend(open.deadline.map(|(at, _)| (at, Timer::Call { pid, tag })));
            }
        }
        timers
    }

    fn take(&mut self, pid: u64, tag: u64) -> Option<OpenCall<C>> {
        let open = self.callees.get_mut(&pid)?.open.remove(&tag)?;
        self.open -= 1;
        Some(open)
    }
}
