use std::{collections::BTreeSet, time::Instant};

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
pub(crate) struct Timers(BTreeSet<(Instant, Timer)>);

impl Timers {
    pub(crate) fn set(&mut self, at: Instant, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub(crate) fn cancel(&mut self, at: Instant, timer: Timer) {
        self.0.remove(&(at, timer));
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// The earliest timer that is due at `now`, removed.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Instant, Timer)> {
        self.0.iter().copied()
    }
}
