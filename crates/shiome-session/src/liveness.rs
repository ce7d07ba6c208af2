use std::{
    ops::Range,
    time::{Duration, Instant},
};

use prost_types::Timestamp;

/// Pings the peer at random intervals and measures the round trip.
#[derive(Debug)]
pub(crate) struct Liveness {
    began: Instant,
    interval: Range<Duration>,
    /// State of a 64-bit generator for the intervals, which need to be spread, not secret.
    random: u64,
    /// The ping that waits for its pong.
    unanswered: Option<(Timestamp, Instant)>,
}

impl Liveness {
    pub(crate) fn new(began: Instant, interval: Range<Duration>, seed: u64) -> Self {
        Self {
            began,
            interval,
            random: seed,
            unanswered: None,
        }
    }

    /// The timestamp of a ping sent now: time since the session began, as in the installed base.
    pub(crate) fn ping(&mut self, now: Instant) -> Timestamp {
        let age = now.saturating_duration_since(self.began);
        let timestamp = Timestamp {
            seconds: i64::try_from(age.as_secs()).unwrap_or(i64::MAX),
            nanos: age.subsec_nanos().cast_signed(),
        };
        self.unanswered = Some((timestamp, now));
        timestamp
    }

    /// The round trip, when `timestamp` is that of the ping under way.
    pub(crate) fn pong(&mut self, now: Instant, timestamp: Option<Timestamp>) -> Option<Duration> {
        let (sent, at) = self.unanswered?;
        if timestamp != Some(sent) {
            return None;
        }
        self.unanswered = None;
        Some(now.saturating_duration_since(at))
    }

    /// When the next ping is due.
    pub(crate) fn next_ping(&mut self, now: Instant) -> Instant {
        let spread = self.interval.end.saturating_sub(self.interval.start);
        now + self.interval.start + spread.mul_f64(self.fraction())
    }

    /// Uniform in 0..1 (splitmix64).
    fn fraction(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // 53 bits, what an f64 holds exactly.
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}
