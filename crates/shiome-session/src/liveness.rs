use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use prost_types::Timestamp;

use crate::config::{Config, LIVENESS_TICKS};

/// Pings whose pong is still expected; an older one's is too late to tell anything.
const MAX_TRACKED_PINGS: usize = 16;

/// Ticks in a row without a byte that make a peer unresponsive. With the tick in which it said its last, they fill the
/// timeout.
const SILENT_TICKS: u32 = LIVENESS_TICKS - 1;

/// Looks at regular times whether anything came from the peer, pings it when not, and measures the round trip.
///
/// Ticks are counted, not time: however long this side was paused, that is one tick, and what came in the meantime is
/// read before the next. A tick does not count while the ping waits behind something long that the link is taking, as a
/// slow one does.
#[derive(Debug)]
pub(crate) struct Liveness {
    began: Instant,
    tick: Duration,
    /// Share of the first tick that is left out, so that sessions do not tick together.
    phase: f64,
    next_tick: Instant,
    heard_at: Instant,
    heard_since_tick: bool,
    silent_ticks: u32,
    /// Pings that have not left.
    queued_pings: usize,
    /// A ping has left and is not known to be written.
    ping_in_flight: bool,
    /// The link has taken bytes since the last tick.
    link_moved: bool,
    /// Age of the session at the last ping, for no two pings have the same timestamp.
    last_stamp: Option<Duration>,
    /// The last pings that wait for their pongs, the oldest first.
    unanswered: VecDeque<(Timestamp, Instant)>,
}

/// What a tick has found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Something has come since the last.
    Life,
    /// Nothing has come: ping.
    Nothing,
    /// Nothing has come for so long, several pings or not.
    Silence(Duration),
}

impl Liveness {
    pub(crate) fn new(began: Instant, config: &Config, seed: u64) -> Self {
        // A twentieth is left to act on it.
        let tick = config.liveness_timeout * 19 / 20 / LIVENESS_TICKS;
        Self {
            began,
            tick,
            phase: fraction(seed),
            next_tick: began + tick,
            heard_at: began,
            heard_since_tick: true,
            silent_ticks: 0,
            queued_pings: 0,
            ping_in_flight: false,
            link_moved: false,
            last_stamp: None,
            unanswered: VecDeque::new(),
        }
    }

    /// When the first tick is due, of a session that starts now. That counts as a sign of life.
    pub(crate) fn start(&mut self, now: Instant) -> Instant {
        self.heard(now);
        self.next_tick = now + self.tick.mul_f64(1.0 - self.phase / 2.0);
        self.next_tick
    }

    /// A ping has left. It is written later, if the driver says when.
    pub(crate) fn ping_left(&mut self, is_written_later: bool) {
        self.queued_pings = self.queued_pings.saturating_sub(1);
        self.ping_in_flight |= is_written_later;
    }

    /// All that has left is written.
    pub(crate) fn written(&mut self) {
        self.ping_in_flight = false;
    }

    /// The link has taken bytes.
    pub(crate) fn link_moved(&mut self) {
        self.link_moved = true;
    }

    /// Whether a ping is not written yet.
    pub(crate) fn is_ping_waiting(&self) -> bool {
        self.queued_pings > 0 || self.ping_in_flight
    }

    /// Whether a ping has not left yet.
    pub(crate) fn is_ping_queued(&self) -> bool {
        self.queued_pings > 0
    }

    /// The timestamp of a ping that is queued now: time since the session began, as in the installed base.
    pub(crate) fn ping(&mut self, now: Instant) -> Timestamp {
        let age = now.saturating_duration_since(self.began);
        let after = |last: Duration| last + Duration::from_nanos(1);
        let age = age.max(self.last_stamp.map_or(Duration::ZERO, after));
        self.last_stamp = Some(age);
        let timestamp = Timestamp {
            seconds: i64::try_from(age.as_secs()).unwrap_or(i64::MAX),
            nanos: age.subsec_nanos().cast_signed(),
        };
        if self.unanswered.len() == MAX_TRACKED_PINGS {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back((timestamp, now));
        self.queued_pings += 1;
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

    /// Something has come from the peer.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = self.heard_at.max(now);
        self.heard_since_tick = true;
    }

    pub(crate) fn last_heard(&self) -> Instant {
        self.heard_at
    }

    /// Looks whether something has come, and says when to look again.
    pub(crate) fn tick(&mut self, now: Instant) -> (Found, Instant) {
        // In step, unless this side was paused: then the peer has a whole tick from now on.
        let in_step = self.next_tick + self.tick;
        self.next_tick = if in_step > now {
            in_step
        } else {
            now + self.tick
        };
        let link_moved = std::mem::take(&mut self.link_moved);
        if std::mem::take(&mut self.heard_since_tick) {
            self.silent_ticks = 0;
            return (Found::Life, self.next_tick);
        }
        if !(link_moved && self.is_ping_waiting()) {
            self.silent_ticks = self.silent_ticks.saturating_add(1);
        }
        let found = if self.silent_ticks < SILENT_TICKS {
            Found::Nothing
        } else {
            Found::Silence(now.saturating_duration_since(self.heard_at))
        };
        (found, self.next_tick)
    }
}

/// A fraction in 0..1 of a seed, the same for the same (splitmix64).
fn fraction(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    // 53 bits, what an f64 holds exactly.
    (z >> 11) as f64 / (1u64 << 53) as f64
}
