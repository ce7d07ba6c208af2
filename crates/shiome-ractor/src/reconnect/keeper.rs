use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::{SeedableRng as _, rngs::StdRng};

use super::Reconnect;
use crate::backoff::Backoff;

/// When to dial one address, so that there is one session with the node there.
///
/// Does no input or output: time and randomness are arguments. After each call take what [`poll_action`] tells, and
/// call [`handle_timeout`] when [`poll_timeout`] says.
///
/// ```text
///            ┌──────── failed, or lost: after a pause ────────┐
///            ▼                                                │
///         Waiting ──due──► Dialling ──session──► Linked ──────┤
///            │                 └──────── failed ──────────────┤
///            └──session (the peer dialled) ──► Linked         └── too often, or for too long ──► Ended
/// ```
///
/// A dial can still be under way when there is a session by other means, and even when that has ended: then its end
/// decides what comes next.
///
/// [`poll_action`]: Self::poll_action
/// [`handle_timeout`]: Self::handle_timeout
/// [`poll_timeout`]: Self::poll_timeout
#[derive(Debug)]
pub(super) struct Keeper<Id> {
    config: Reconnect,
    backoff: Backoff,
    rng: StdRng,
    phase: Phase<Id>,
    /// Whether a dial is under way, in whatever phase.
    dialling: bool,
    /// Dials since the last session that lasted, and when the first of them began.
    attempts: u32,
    failing_since: Option<Instant>,
    actions: VecDeque<Action>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase<Id> {
    /// No dial is under way.
    Waiting(Instant),
    Dialling,
    Linked {
        session: Id,
        since: Instant,
    },
    Ended,
}

/// What the owner is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Dial, and tell the end by [`linked`](Keeper::linked) or [`dial_failed`](Keeper::dial_failed).
    Dial,
    /// Tell that there is a pause before the dial of this number.
    Pause { attempt: u32, pause: Duration },
    /// Tell that nothing will be done any more.
    GiveUp { attempts: u32 },
}

impl<Id: Copy + PartialEq> Keeper<Id> {
    /// Dials at once.
    pub(super) fn new(now: Instant, config: Reconnect, seed: u64) -> Self {
        let config = config.bounded();
        Self {
            backoff: Backoff::new(config.first, config.longest),
            rng: StdRng::seed_from_u64(seed),
            phase: Phase::Waiting(now),
            dialling: false,
            attempts: 0,
            failing_since: None,
            actions: VecDeque::new(),
            config,
        }
    }

    /// The session with the node, if there is one.
    pub(super) fn session(&self) -> Option<Id> {
        match self.phase {
            Phase::Linked { session, .. } => Some(session),
            _ => None,
        }
    }

    /// Number of the dial under way, or else of the next one.
    pub(super) fn attempt(&self) -> u32 {
        self.attempts.saturating_add(u32::from(!self.dialling))
    }

    /// There is a session, by whatever means. One that takes over from another goes on with its time.
    pub(super) fn session_up(&mut self, now: Instant, session: Id) {
        let since = match self.phase {
            Phase::Ended => return,
            Phase::Linked { since, .. } => since,
            Phase::Waiting(_) | Phase::Dialling => now,
        };
        self.phase = Phase::Linked { session, since };
    }

    /// A session has ended, and there is no other.
    pub(super) fn session_down(&mut self, now: Instant, session: Id) {
        let Phase::Linked { since, .. } = self.phase else {
            return;
        };
        if self.session() != Some(session) {
            return;
        }
        let lasted = now.saturating_duration_since(since) >= self.config.stable_after;
        if lasted {
            self.backoff.reset();
            self.attempts = u32::from(self.dialling);
            self.failing_since = self.dialling.then_some(now);
        }
        if self.dialling {
            self.phase = Phase::Dialling;
        } else if !lasted && self.is_over(now) {
            self.give_up();
        } else {
            self.pause(now);
        }
    }

    /// The dial has led to a session, which may have been there before.
    pub(super) fn linked(&mut self, now: Instant, session: Id) {
        self.dialling = false;
        self.session_up(now, session);
    }

    /// The dial has not led to a session. If it `never` will, the next one can wait.
    pub(super) fn dial_failed(&mut self, now: Instant, never: bool) {
        self.dialling = false;
        if self.phase != Phase::Dialling {
            return;
        }
        if never {
            self.backoff.slow_down();
        }
        if self.is_over(now) {
            self.give_up();
        } else {
            self.pause(now);
        }
    }

    /// Nothing is done any more. A dial that is under way is the owner's to drop.
    pub(super) fn cancel(&mut self) {
        self.phase = Phase::Ended;
        self.actions.clear();
    }

    /// Dials if it is time to.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let Phase::Waiting(due) = self.phase else {
            return;
        };
        if due > now {
            return;
        }
        self.phase = Phase::Dialling;
        self.dialling = true;
        self.attempts = self.attempts.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.actions.push_back(Action::Dial);
    }

    /// When to call [`handle_timeout`](Self::handle_timeout).
    #[must_use]
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Waiting(due) => Some(due),
            _ => None,
        }
    }

    /// What to do next.
    #[must_use]
    pub(super) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Whether there have been dials enough.
    fn is_over(&self, now: Instant) -> bool {
        let limit = self.config.max_attempts.map(|limit| limit.max(1));
        limit.is_some_and(|limit| self.attempts >= limit)
            || self.deadline().is_some_and(|deadline| now >= deadline)
    }

    /// When the last dial is made; none if the clock does not go that far.
    fn deadline(&self) -> Option<Instant> {
        let first = self.failing_since?;
        first.checked_add(self.config.give_up_after?)
    }

    fn pause(&mut self, now: Instant) {
        let drawn = now + self.backoff.next(&mut self.rng);
        let due = self
            .deadline()
            .map_or(drawn, |deadline| drawn.min(deadline));
        self.phase = Phase::Waiting(due);
        self.actions.push_back(Action::Pause {
            attempt: self.attempt(),
            pause: due.saturating_duration_since(now),
        });
    }

    fn give_up(&mut self) {
        self.phase = Phase::Ended;
        let attempts = self.attempts;
        self.actions.push_back(Action::GiveUp { attempts });
    }
}

#[cfg(test)]
mod tests;
