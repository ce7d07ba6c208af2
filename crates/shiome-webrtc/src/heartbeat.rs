//! Whether the other end is still there.

use std::time::{Duration, Instant};

/// Heartbeats at least and at most: shorter ones are mostly noise, and after longer ones NAT has forgotten the way.
pub(crate) const HEARTBEAT_RANGE: [Duration; 2] =
    [Duration::from_millis(100), Duration::from_secs(25)];

/// What is to be done about a silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    Bearable,
    /// Ask, with this nonce.
    Ping(u64),
    Dead,
}

/// After one interval of silence it asks, after two it gives up.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    interval: Duration,
    heard: Instant,
    asked: bool,
    nonce: u64,
}

impl Heartbeat {
    pub(crate) fn new(now: Instant, interval: Duration) -> Self {
        let [least, most] = HEARTBEAT_RANGE;
        Self {
            interval: interval.clamp(least, most),
            heard: now,
            asked: false,
            nonce: 0,
        }
    }

    /// Something came.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.asked = false;
    }

    pub(crate) fn timeout(&self) -> Instant {
        self.heard + self.interval * if self.asked { 2 } else { 1 }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Silence {
        if now < self.timeout() {
            return Silence::Bearable;
        }
        if self.asked {
            return Silence::Dead;
        }
        self.asked = true;
        self.nonce += 1;
        Silence::Ping(self.nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_asked_about_once_and_then_ends_it() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut heartbeat = Heartbeat::new(start, second);
        assert_eq!(heartbeat.handle_timeout(start), Silence::Bearable);
        assert_eq!(heartbeat.handle_timeout(start + second), Silence::Ping(1));
        assert_eq!(heartbeat.timeout(), start + second * 2);
        assert_eq!(heartbeat.handle_timeout(start + second), Silence::Bearable);
        assert_eq!(heartbeat.handle_timeout(start + second * 2), Silence::Dead);
        heartbeat.heard(start + second * 2);
        let now = start + second * 3;
        assert_eq!(heartbeat.handle_timeout(now), Silence::Ping(2));
    }

    #[test]
    fn intervals_are_within_their_range() {
        let now = Instant::now();
        let [least, most] = HEARTBEAT_RANGE;
        assert_eq!(Heartbeat::new(now, Duration::ZERO).timeout(), now + least);
        assert_eq!(Heartbeat::new(now, Duration::MAX).timeout(), now + most);
    }
}
