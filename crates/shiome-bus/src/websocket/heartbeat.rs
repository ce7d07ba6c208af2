//! Whether the other end is still there.

use std::time::{Duration, Instant};

/// What silence calls for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Nothing yet.
    Bearable,
    /// To be sent.
    Ping(u64),
    /// The other end is given up.
    Dead,
}

/// Pings after one interval without a message, and gives up after two.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    heard: Instant,
    /// A ping was sent since the last message.
    asked: bool,
    /// A probe has less time for its answer.
    deadline: Option<Instant>,
    /// The last ping that has no answer yet, and when it was sent.
    pinged: Option<(u64, Instant)>,
    pings: u64,
}

impl Heartbeat {
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        Self {
            interval,
            heard: now,
            asked: false,
            deadline: None,
            pinged: None,
            pings: 0,
        }
    }

    /// A message has come, of whatever kind.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.asked = false;
        self.deadline = None;
    }

    /// The answer to a ping has come: how long it took, if it is to the one that waits.
    pub(crate) fn pong(&mut self, now: Instant, nonce: u64) -> Option<Duration> {
        let (_, at) = self.pinged.take_if(|(waits, _)| *waits == nonce)?;
        Some(now - at)
    }

    /// A ping at once, to be answered by anything `within` this time, or by the end of the two intervals if that is sooner.
    pub(crate) fn probe(&mut self, now: Instant, within: Duration) -> u64 {
        let deadline = self.deadline.unwrap_or(now + within);
        self.deadline = Some(deadline);
        self.ping(now)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Silence {
        if now >= self.dead_at() {
            return Silence::Dead;
        }
        if !self.asked && now >= self.heard + self.interval {
            return Silence::Ping(self.ping(now));
        }
        Silence::Bearable
    }

    pub(crate) fn timeout(&self) -> Instant {
        if self.asked {
            self.dead_at()
        } else {
            self.heard + self.interval
        }
    }

    fn dead_at(&self) -> Instant {
        let dead = self.heard + self.interval * 2;
        self.deadline.map_or(dead, |deadline| deadline.min(dead))
    }

    fn ping(&mut self, now: Instant) -> u64 {
        self.asked = true;
        self.pings += 1;
        self.pinged = Some((self.pings, now));
        self.pings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(10);
    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn silence_is_answered_with_a_ping_and_then_with_the_end() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start, INTERVAL);
        assert_eq!(heartbeat.timeout(), start + INTERVAL);
        let early = start + INTERVAL - MS;
        assert_eq!(heartbeat.handle_timeout(early), Silence::Bearable);
        let now = start + INTERVAL;
        assert_eq!(heartbeat.handle_timeout(now), Silence::Ping(1));
        assert_eq!(heartbeat.handle_timeout(now), Silence::Bearable, "once");
        assert_eq!(heartbeat.timeout(), start + INTERVAL * 2);
        let now = start + INTERVAL * 2;
        assert_eq!(heartbeat.handle_timeout(now), Silence::Dead);
    }

    #[test]
    fn any_message_ends_the_silence() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start, INTERVAL);
        heartbeat.handle_timeout(start + INTERVAL);
        let heard = start + INTERVAL * 3 / 2;
        heartbeat.heard(heard);
        assert_eq!(heartbeat.timeout(), heard + INTERVAL);
        assert_eq!(
            heartbeat.handle_timeout(start + INTERVAL * 2),
            Silence::Bearable
        );
        assert_eq!(heartbeat.handle_timeout(heard + INTERVAL), Silence::Ping(2));
    }

    #[test]
    fn the_answer_tells_the_time_it_took() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start, INTERVAL);
        heartbeat.handle_timeout(start + INTERVAL);
        let now = start + INTERVAL + 5 * MS;
        heartbeat.heard(now);
        assert_eq!(heartbeat.pong(now, 7), None, "of no ping of ours");
        assert_eq!(heartbeat.pong(now, 1), Some(5 * MS));
        assert_eq!(heartbeat.pong(now, 1), None, "a second time");
    }

    #[test]
    fn a_probe_has_less_time() {
        let start = Instant::now();
        let mut heartbeat = Heartbeat::new(start, INTERVAL);
        let now = start + MS;
        assert_eq!(heartbeat.probe(now, 100 * MS), 1);
        assert_eq!(heartbeat.timeout(), now + 100 * MS);
        assert_eq!(heartbeat.probe(now + MS, 100 * MS), 2);
        assert_eq!(
            heartbeat.timeout(),
            now + 100 * MS,
            "asked again buys no time"
        );
        assert_eq!(heartbeat.handle_timeout(now + 99 * MS), Silence::Bearable);
        assert_eq!(heartbeat.handle_timeout(now + 100 * MS), Silence::Dead);
        heartbeat.heard(now + 99 * MS);
        assert_eq!(heartbeat.handle_timeout(now + 100 * MS), Silence::Bearable);
    }
}
