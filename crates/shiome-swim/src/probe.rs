use core::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::key::Key;

/// Most probes under way at a time: the one of the period, and some of suspects for another opinion.
pub(crate) const MAX_PROBES: usize = 8;

/// Most requests to ping for others under way at a time. What comes above it is refused, so that nobody can make this
/// node flood others.
pub(crate) const MAX_RELAYS: usize = 256;

/// Most of these for one member.
pub(crate) const MAX_RELAYS_EACH: usize = 8;

/// One probe: ping, ping again, ask others, judge (SWIM §3.1, with pings repeated within the time that is waited
/// anyway, because a lost datagram is more likely than a dead member).
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) target: Key,
    /// In pings of this node.
    pub(crate) seq: u64,
    /// In requests to others. It is another, so that the target's own late answer is told from theirs.
    pub(crate) indirect_seq: u64,
    /// Who was asked.
    pub(crate) relays: Vec<Key>,
    /// Who of them said that the target does not answer them either.
    pub(crate) nackers: Vec<Key>,
    /// Of how many a nack is expected.
    pub(crate) nacks_expected: usize,
    pub(crate) sent: Instant,
    /// All times are as many times as long.
    scale: u32,
    next: Step,
    pub(crate) purpose: Purpose,
}

/// Why a member is probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It is its turn.
    Turn,
    /// Somebody suspects it.
    Confirm,
}

/// What comes next in a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Ping again.
    Again,
    /// Ping once more.
    OnceMore,
    /// Ask others to ping, and ping again oneself.
    Indirect,
    /// The last ping.
    Last,
    /// Nobody had an answer.
    Fail,
}

/// Lengths of a probe.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Until others are asked.
    pub(crate) timeout: Duration,
    /// Until it has failed.
    pub(crate) period: Duration,
}

impl Probe {
    pub(crate) fn new(
        now: Instant,
        target: Key,
        seqs: [u64; 2],
        scale: u32,
        purpose: Purpose,
    ) -> Self {
        let [seq, indirect_seq] = seqs;
        Self {
            target,
            seq,
            indirect_seq,
            relays: Vec::new(),
            nackers: Vec::new(),
            nacks_expected: 0,
            sent: now,
            scale,
            next: Step::Again,
            purpose,
        }
    }

    /// When the next step is.
    pub(crate) fn due(&self, span: &Span) -> Instant {
        let rest = span.period - span.timeout;
        let after = match self.next {
            Step::Again => span.timeout * 3 / 10,
            Step::OnceMore => span.timeout * 7 / 10,
            Step::Indirect => span.timeout,
            Step::Last => span.timeout + rest * 4 / 10,
            Step::Fail => span.period,
        };
        self.sent + after * self.scale
    }

    /// Takes the next step if it is due.
    pub(crate) fn step(&mut self, now: Instant, span: &Span) -> Option<Step> {
        if self.due(span) > now {
            return None;
        }
        let step = self.next;
        self.next = match step {
            Step::Again => Step::OnceMore,
            Step::OnceMore => Step::Indirect,
            Step::Indirect => Step::Last,
            Step::Last | Step::Fail => Step::Fail,
        };
        Some(step)
    }

    /// Whether nobody who was asked gets an answer either, and all own pings are out: there is nothing to wait for.
    pub(crate) fn is_hopeless(&self) -> bool {
        let asked = self.relays.len();
        self.next == Step::Fail && asked > 1 && self.nackers.len() == asked
    }

    pub(crate) fn is_indirect(&self) -> bool {
        !self.relays.is_empty()
    }
}

/// A ping on behalf of another.
#[derive(Debug)]
pub(crate) struct Relay {
    pub(crate) target: Key,
    /// In the ping.
    pub(crate) seq: u64,
    /// Who asked, where its answer goes, and what it waits for.
    pub(crate) origin: Key,
    pub(crate) origin_addr: SocketAddr,
    pub(crate) origin_seq: u64,
    pub(crate) compact: bool,
    since: Instant,
    repeated: bool,
}

impl Relay {
    pub(crate) fn new(
        now: Instant,
        target: Key,
        seq: u64,
        origin: (Key, SocketAddr, u64),
        compact: bool,
    ) -> Self {
        let (origin, origin_addr, origin_seq) = origin;
        Self {
            target,
            seq,
            origin,
            origin_addr,
            origin_seq,
            compact,
            since: now,
            repeated: false,
        }
    }

    /// When it pings again, or gives up.
    pub(crate) fn due(&self, span: &Span) -> Instant {
        let after = if self.repeated { 7 } else { 3 };
        self.since + span.timeout * after / 10
    }

    /// Whether it is to ping again, which it does once, rather than give up.
    pub(crate) fn repeat(&mut self) -> bool {
        !core::mem::replace(&mut self.repeated, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_probe_stand_where_its_scale_says() {
        let now = Instant::now();
        let span = Span {
            timeout: Duration::from_millis(500),
            period: Duration::from_secs(1),
        };
        for scale in [1, 3] {
            let mut probe = Probe::new(now, Key(1), [1, 2], scale, Purpose::Turn);
            let mut steps = Vec::new();
            for ms in 0..=4_000 {
                let now = now + Duration::from_millis(ms);
                if steps.last().is_none_or(|(_, step)| *step != Step::Fail)
                    && let Some(step) = probe.step(now, &span)
                {
                    steps.push((ms / u64::from(scale), step));
                }
            }
            assert_eq!(
                steps,
                [
                    (150, Step::Again),
                    (350, Step::OnceMore),
                    (500, Step::Indirect),
                    (700, Step::Last),
                    (1_000, Step::Fail)
                ]
            );
        }
    }
}
