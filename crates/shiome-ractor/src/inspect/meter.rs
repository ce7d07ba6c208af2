//! What is counted on one link.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::Duration,
};

use shiome_session::{CallEnd, Skipped};
use shiome_transport::{BoxRead, BoxWrite};
use tokio::{sync::watch, time::Instant};

use super::{latency::Latency, metered};
use crate::Unsent;

/// Names why messages are dropped, each with its counter.
macro_rules! drops {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// Why a message was dropped.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum DropReason {
            $($(#[$doc])* $name,)*
        }

        impl DropReason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// A word for it, as in metrics.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

drops! {
    /// A cast to the peer: its link was full, or ended first.
    UnsentCast = "unsent_cast",
    /// A call to the peer, in the same way. Its caller was told.
    UnsentCall = "unsent_call",
    /// A reply to the peer, in the same way.
    UnsentReply = "unsent_reply",
    /// A message of the peer to an actor that was not announced to it, or not any more.
    NotAnnounced = "not_announced",
    /// A message of the peer to an actor that has just ended.
    ActorGone = "actor_gone",
    /// A message of the peer that the policy denies.
    Denied = "denied",
    /// A message of the peer that the actor does not understand, as far as that is known.
    Undecodable = "undecodable",
    /// A call of the peer beyond what may be open.
    Overloaded = "overloaded",
    /// A reply of the peer that nobody waits for: late, repeated or made up.
    LateReply = "late_reply",
    /// Anything else of the peer's that means nothing here.
    Unexpected = "unexpected",
}

impl DropReason {
    pub(crate) fn of(skipped: Skipped) -> Self {
        match skipped {
            Skipped::NotAnnounced { .. } => Self::NotAnnounced,
            Skipped::Overloaded { .. } => Self::Overloaded,
            Skipped::UnknownReply { .. } => Self::LateReply,
            _ => Self::Unexpected,
        }
    }
}

/// Names how calls end, each with its counter.
macro_rules! outcomes {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)*) => {
        /// How a call to a peer ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum CallOutcome {
            $($(#[$doc])* $name,)*
        }

        impl CallOutcome {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// A word for it, as in metrics.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }
        }
    };
}

outcomes! {
    /// With a reply.
    Answered = "answered",
    /// Its time was over.
    TimedOut = "timed_out",
    /// The actor ended.
    Terminated = "terminated",
    /// The peer said that there will be no reply.
    Refused = "refused",
    /// The link ended.
    LinkLost = "link_lost",
}

impl CallOutcome {
    pub(crate) fn of(why: CallEnd) -> Self {
        match why {
            CallEnd::TimedOut => Self::TimedOut,
            CallEnd::Terminated => Self::Terminated,
            CallEnd::Closed { .. } => Self::LinkLost,
            _ => Self::Refused,
        }
    }
}

/// How far away the peer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RoundTrip {
    /// Pongs that have come.
    pub(crate) pongs: u64,
    /// What the last one took.
    pub(crate) last: Duration,
    /// Moving mean, an eighth for each new one (RFC 6298 §2.3).
    pub(crate) smoothed: Duration,
}

impl RoundTrip {
    fn take(&mut self, sample: Duration) {
        self.smoothed = match self.pongs {
            0 => sample,
            _ => (self.smoothed * 7 + sample) / 8,
        };
        self.last = sample;
        self.pongs += 1;
    }
}

/// Counts what the session itself does not know. Shared by all tasks of a link; each count stands for itself.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(super) began: Instant,
    pub(super) read: AtomicU64,
    pub(super) written: AtomicU64,
    round_trip: watch::Sender<RoundTrip>,
    drops: [AtomicU64; DropReason::ALL.len()],
    malformed_traces: AtomicU64,
    outcomes: [AtomicU64; CallOutcome::ALL.len()],
    pub(super) latency: Latency,
    /// Whether its counts are part of the peer's history.
    pub(super) is_history: AtomicBool,
}

impl Default for Meter {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            read: AtomicU64::default(),
            written: AtomicU64::default(),
            round_trip: watch::Sender::default(),
            drops: Default::default(),
            malformed_traces: AtomicU64::default(),
            outcomes: Default::default(),
            latency: Latency::default(),
            is_history: AtomicBool::default(),
        }
    }
}

impl Meter {
    /// The two halves of a link, whose bytes are counted from now on.
    pub(crate) fn over(
        self: &std::sync::Arc<Self>,
        reader: BoxRead,
        writer: BoxWrite,
    ) -> (BoxRead, BoxWrite) {
        let (meter, other) = (Self::clone_of(self), Self::clone_of(self));
        (
            Box::new(metered::Read::new(reader, meter)),
            Box::new(metered::Write::new(writer, other)),
        )
    }

    fn clone_of(this: &std::sync::Arc<Self>) -> std::sync::Arc<Self> {
        std::sync::Arc::clone(this)
    }

    pub(crate) fn pong(&self, round_trip: Duration) {
        self.round_trip.send_modify(|trips| trips.take(round_trip));
    }

    pub(crate) fn round_trip(&self) -> RoundTrip {
        *self.round_trip.borrow()
    }

    pub(crate) fn round_trips(&self) -> watch::Receiver<RoundTrip> {
        self.round_trip.subscribe()
    }

    pub(crate) fn dropped(&self, reason: DropReason) {
        self.add_drops(reason, 1);
    }

    pub(crate) fn unsent(&self, unsent: Unsent) {
        self.add_drops(DropReason::UnsentCast, unsent.casts);
        self.add_drops(DropReason::UnsentCall, unsent.calls);
        self.add_drops(DropReason::UnsentReply, unsent.replies);
    }

    fn add_drops(&self, reason: DropReason, count: u64) {
        self.drops[reason as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// A message came with a trace context that is none.
    pub(crate) fn malformed_trace(&self) {
        self.malformed_traces.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn malformed_traces(&self) -> u64 {
        self.malformed_traces.load(Ordering::Relaxed)
    }

    pub(crate) fn drops(&self) -> [u64; DropReason::ALL.len()] {
        self.drops.each_ref().map(|n| n.load(Ordering::Relaxed))
    }

    /// A call was answered after that time.
    pub(crate) fn answered(&self, after: Duration) {
        self.latency.record(after);
        self.outcomes[CallOutcome::Answered as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn not_answered(&self, why: CallEnd) {
        self.outcomes[CallOutcome::of(why) as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn outcomes(&self) -> [u64; CallOutcome::ALL.len()] {
        self.outcomes.each_ref().map(|n| n.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_and_outcome_has_a_word_and_a_place_of_its_own() {
        let words: std::collections::BTreeSet<_> = DropReason::ALL
            .iter()
            .map(|reason| reason.as_str())
            .chain(CallOutcome::ALL.iter().map(|outcome| outcome.as_str()))
            .collect();
        assert_eq!(words.len(), DropReason::ALL.len() + CallOutcome::ALL.len());
        for (place, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, place);
        }
        for (place, outcome) in CallOutcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, place);
        }
    }

    #[test]
    fn a_round_trip_out_of_line_moves_the_mean_by_an_eighth() {
        let meter = Meter::default();
        meter.pong(Duration::from_millis(8));
        meter.pong(Duration::from_millis(80));
        let trip = meter.round_trip();
        assert_eq!(trip.last, Duration::from_millis(80));
        assert_eq!(trip.smoothed, Duration::from_millis(17));
        assert_eq!(trip.pongs, 2);
    }

    #[test]
    fn what_was_not_sent_counts_as_dropped_by_kind() {
        let meter = Meter::default();
        meter.unsent(Unsent {
            casts: 3,
            calls: 2,
            replies: 1,
            bytes: 99,
        });
        let drops = meter.drops();
        assert_eq!(drops[DropReason::UnsentCast as usize], 3);
        assert_eq!(drops[DropReason::UnsentCall as usize], 2);
        assert_eq!(drops[DropReason::UnsentReply as usize], 1);
        assert_eq!(drops.iter().sum::<u64>(), 6);
    }
}
