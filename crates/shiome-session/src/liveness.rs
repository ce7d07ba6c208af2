use std::{
    collections::VecDeque,
    ops::Range,
    time::{Duration, Instant},
};

use prost_types::Timestamp;

use crate::config::Config;

/// Pings whose pong is still expected; an older one's is too late to tell anything.
const MAX_TRACKED_PINGS: usize = 8;

/// Pings in a row that a silent peer was given a chance to answer. With one alone, a pause of this side would pass for
/// the peer's: what has arrived in the meantime is not taken in yet.
const MIN_PINGS_OF_SILENCE: u32 = 3;

/// Pings the peer at random intervals, measures the round trip, and notices its silence.
#[derive(Debug)]
pub(crate) struct Liveness {
    began: Instant,
    interval: Range<Duration>,
    pong_timeout: Duration,
    /// State of a 64-bit generator for the intervals, which need to be spread, not secret.
    random: u64,
    /// The last pings that wait for their pongs, the oldest first.
    unanswered: VecDeque<(Timestamp, Instant)>,
    silence: Option<Silence>,
}

/// Pings that nothing followed from the peer.
#[derive(Debug)]
struct Silence {
    since: Instant,
    pings: u32,
}

impl Liveness {
    pub(crate) fn new(began: Instant, config: &Config, seed: u64) -> Self {
        Self {
            began,
            interval: config.ping_interval.clone(),
            pong_timeout: config.pong_timeout,
            random: seed,
            unanswered: VecDeque::new(),
            silence: None,
        }
    }

    /// The timestamp of a ping sent now: time since the session began, as in the installed base.
    pub(crate) fn ping(&mut self, now: Instant) -> Timestamp {
        let age = now.saturating_duration_since(self.began);
        let timestamp = Timestamp {
            seconds: i64::try_from(age.as_secs()).unwrap_or(i64::MAX),
            nanos: age.subsec_nanos().cast_signed(),
        };
        if self.unanswered.len() == MAX_TRACKED_PINGS {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((timestamp, now));
        let silence = self.silence.get_or_insert(Silence {
            since: now,
            pings: 0,
        });
        silence.pings = silence.pings.saturating_add(1);
        timestamp
    }

    /// The round trip, when `timestamp` is that of a ping under way. Pings before it are given up.
    pub(crate) fn pong(&mut self, now: Instant, timestamp: Option<Timestamp>) -> Option<Duration> {
        let timestamp = timestamp?;
        let index = self
            .unanswered
            .iter()
            .position(|(sent, _)| *sent == timestamp)?;
        let (_, at) = self.unanswered.drain(..=index).next_back()?;
        Some(now.saturating_duration_since(at))
    }

    /// The peer has said something.
    pub(crate) fn heard(&mut self) {
        self.silence = None;
    }

    /// How long a peer that should have answered has said nothing.
    pub(crate) fn silence(&self, now: Instant) -> Option<Duration> {
        let silence = self.silence.as_ref()?;
        let lasted = now.saturating_duration_since(silence.since);
        (silence.pings >= MIN_PINGS_OF_SILENCE && lasted >= self.pong_timeout).then_some(lasted)
    }

    /// When the next ping is due.
    pub(crate) fn next_ping(&mut self, now: Instant) -> Instant {
        let spread = self.interval.end.saturating_sub(self.interval.start);
        let pause = spread.as_secs_f64() * self.fraction();
        now + self.interval.start + Duration::try_from_secs_f64(pause).unwrap_or(spread)
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
