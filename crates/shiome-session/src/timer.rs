use std::{collections::BTreeSet, time::Instant};

use crate::deadlines::{Deadlines, Ticket};

/// What a session waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Look whether the peer has said something.
    Tick,
    /// An outgoing call has waited long enough.
    Call { pid: u64, tag: u64 },
    /// A local actor's last replies have had their time; tell that it is gone.
    Release { pid: u64 },
    /// Unfinished messages may have waited long enough for their next fragment.
    Reassembly,
}

/// All running timers of a session, the earliest first.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// Those of calls, of which there are many, and most end before their time.
    calls: Deadlines<OpenCall>,
    others: BTreeSet<(Instant, Timer)>,
}

#[derive(Debug)]
struct OpenCall {
    pid: u64,
    tag: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.others.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, at: Instant, timer: Timer) {
        self.others.remove(&(at, timer));
    }

    /// Sets the timer of a call.
    pub(crate) fn set_call(&mut self, at: Instant, pid: u64, tag: u64) -> Ticket {
        self.calls.set(at, OpenCall { pid, tag })
    }

    /// Cancels the timer of a call, which has not expired.
    pub(crate) fn cancel_call(&mut self, ticket: Ticket) {
        self.calls.cancel(ticket);
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        let call = self.calls.next();
        let other = self.others.first().map(|(at, _)| *at);
        match (call, other) {
            (Some(call), Some(other)) => Some(call.min(other)),
            (call, other) => call.or(other),
        }
    }

    /// The earliest timer that is due at `now`, removed.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Timer> {
        let next = self.next().filter(|next| *next <= now)?;
        if let Some(OpenCall { pid, tag }) = self.calls.pop_due(next) {
            return Some(Timer::Call { pid, tag });
        }
        self.others.pop_first().map(|(_, timer)| timer)
    }

    pub(crate) fn clear(&mut self) {
        self.calls.clear();
        self.others.clear();
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Instant, Timer)> {
        let calls = self.calls.iter();
        let calls = calls.map(|(at, &OpenCall { pid, tag })| (at, Timer::Call { pid, tag }));
        calls.chain(self.others.iter().copied())
    }
}
