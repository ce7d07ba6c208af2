//! What a bus and its peers have done.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::{DropReason, PeerId};

/// What a bus has done, and what waits on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusStats {
    /// Envelopes that a mailbox or a link took from a peer of this bus.
    pub messages_routed: u64,
    /// Envelopes that peers of this bus could not send.
    pub routing_errors: u64,
    /// Peers that are on the bus.
    pub nodes_registered: usize,
    /// Handlers that are registered.
    pub total_callbacks: usize,
    /// Envelopes that peers took out of their mailboxes.
    pub messages_delivered: u64,
    /// Runs of handlers.
    pub handler_calls: u64,
    /// Runs of handlers that returned an error, or could not read the payload.
    pub handler_errors: u64,
    /// Runs of handlers that panicked.
    pub handler_panics: u64,
    /// Envelopes that wait in mailboxes.
    pub queued: usize,
    /// Dropped envelopes, by reason, of those reasons that occurred.
    pub drops: Vec<(DropReason, u64)>,
}

impl BusStats {
    pub(crate) fn add(&mut self, totals: &Totals) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        self.messages_routed += read(&totals.out.sent);
        self.routing_errors += read(&totals.out.errors);
        self.messages_delivered += read(&totals.taken.delivered);
        self.handler_calls += read(&totals.taken.calls);
        self.handler_errors += read(&totals.taken.errors);
        self.handler_panics += read(&totals.taken.panics);
    }
}

/// What a peer has done, and what waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// Its name.
    pub id: PeerId,
    /// Envelopes of it that a mailbox or a link took.
    pub messages_sent: u64,
    /// Envelopes that it could not send.
    pub errors: u64,
    /// Envelopes that it took out of its mailbox.
    pub messages_received: u64,
    /// Runs of its handlers.
    pub handler_calls: u64,
    /// Runs of its handlers that returned an error, or could not read the payload.
    pub handler_errors: u64,
    /// Runs of its handlers that panicked.
    pub handler_panics: u64,
    /// What waits for it.
    pub queued: Depth,
    /// Answers and acknowledgements that it waits for.
    pub waiting: usize,
    /// How long envelopes waited for it.
    pub waited: Histogram,
}

/// Envelopes in the lanes of a mailbox, with those that have a place in it and are about to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Depth {
    /// Pings, and what protocols between peers say.
    pub system: usize,
    /// Those of normal priority.
    pub normal: usize,
    /// Those that can wait.
    pub bulk: usize,
}

impl Depth {
    /// All lanes.
    #[must_use]
    pub fn total(self) -> usize {
        self.system + self.normal + self.bulk
    }
}

/// Classes of a [`Histogram`]: up to a minute in the last but one.
const CLASSES: usize = 27;

/// One of so many envelopes is timed: a clock costs as much as a delivery.
pub(crate) const SAMPLING: u64 = 64;

/// Times in classes: class `n` holds those under 2ⁿ microseconds that fit into none before; the last, all others. One of 64
/// envelopes of each sender is timed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: [u64; CLASSES],
}

impl Histogram {
    /// How many were timed.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Upper end of each class, and how many are in it; the last has no end.
    pub fn classes(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let counts = self.counts.iter().enumerate();
        counts.map(|(class, count)| {
            let end = Duration::from_micros(1 << class);
            ((class < CLASSES - 1).then_some(end), *count)
        })
    }
}

/// Counters of one peer, or of all that are gone. Those of senders and of the receiver are apart, as they run on different cores.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) out: Out,
    pub(crate) taken: Taken,
}

#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Out {
    pub(crate) sent: AtomicU64,
    pub(crate) errors: AtomicU64,
}

#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Taken {
    pub(crate) delivered: AtomicU64,
    pub(crate) calls: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    waited: [AtomicU64; CLASSES],
}

/// Counts one more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Totals {
    pub(crate) fn waited(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let class = (u64::BITS - micros.leading_zeros()) as usize;
        count(&self.taken.waited[class.min(CLASSES - 1)]);
    }

    pub(crate) fn histogram(&self) -> Histogram {
        let counts = self.taken.waited.each_ref();
        Histogram {
            counts: counts.map(|count| count.load(Ordering::Relaxed)),
        }
    }

    pub(crate) fn stats(&self) -> BusStats {
        let mut stats = BusStats::default();
        stats.add(self);
        stats
    }

    /// Takes over what `other` counted.
    pub(crate) fn absorb(&self, other: &Self) {
        for (ours, theirs) in self.each().into_iter().zip(other.each()) {
            ours.fetch_add(theirs.swap(0, Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    fn each(&self) -> Vec<&AtomicU64> {
        let (out, taken) = (&self.out, &self.taken);
        let named = [
            &out.sent,
            &out.errors,
            &taken.delivered,
            &taken.calls,
            &taken.errors,
            &taken.panics,
        ];
        named.into_iter().chain(&taken.waited).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_fall_into_the_class_they_are_under() {
        let totals = Totals::default();
        for (micros, class) in [(0, 0), (1, 1), (2, 2), (3, 2), (1000, 10), (u64::MAX, 26)] {
            totals.waited(Duration::from_micros(micros));
            let histogram = totals.histogram();
            let classes: Vec<_> = histogram.classes().collect();
            let (end, count) = classes[class];
            assert!(count > 0, "{micros} is not in class {class}");
            assert!(end.is_none_or(|end| Duration::from_micros(micros) < end));
        }
        assert_eq!(totals.histogram().count(), 6);
    }

    #[test]
    fn what_is_taken_over_is_counted_once() {
        let (gone, all) = (Totals::default(), Totals::default());
        count(&gone.out.sent);
        gone.waited(Duration::ZERO);
        all.absorb(&gone);
        all.absorb(&gone);
        assert_eq!(all.stats().messages_routed, 1);
        assert_eq!(all.histogram().count(), 1);
        assert_eq!(gone.stats(), BusStats::default());
    }
}
