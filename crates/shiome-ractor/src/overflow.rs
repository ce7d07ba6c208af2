use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// What becomes of messages to an `ActorRef` of another node while more bytes wait for the link than
/// [`Config::max_outbox`](shiome_session::Config::max_outbox).
///
/// An `ActorRef` sends without waiting and without a verdict, into a mailbox that is `ractor`'s and has no limit. From
/// there messages go to the link. A [`RemoteRef`](crate::RemoteRef) has no mailbox: there
/// [`cast`](crate::RemoteRef::cast) has room of its own, for which it waits, and [`try_cast`](crate::RemoteRef::try_cast)
/// refuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// They wait in the mailbox, in order, as long as the link moves. When it has taken nothing for a second, and nothing
    /// has come from the peer, as from one that hangs, they are dropped and [told](crate::NodeEvent::Unsent), so that
    /// memory stays bounded; calls among them end at once.
    #[default]
    DropWhenStalled,
    /// They wait in the mailbox, in order, until the link takes them or ends. The mailbox grows with what is sent.
    Wait,
    /// They are dropped and [told](crate::NodeEvent::Unsent), also by a link that is only slower than the sender.
    Drop,
}

/// Default bytes of one peer's messages in the mailboxes of local actors before it is granted no more credit, see
/// [`Builder::max_untaken`](crate::Builder::max_untaken).
///
/// Two [windows](shiome_session::WINDOW). Credit comes back when half is taken, and brings something a round trip later. Until
/// then the actor has nearly a window of long messages left, half of one of 256 bytes, and some 8000 of 16, since here
/// 256 bytes are counted beside each: one that takes more in a round trip may run dry for the rest of it. A higher limit costs
/// memory, and what waits longer has left the processor's caches when the actor comes to it. What is on its way comes on top,
/// a window at most. With a larger [`Config::window`](shiome_session::Config::window) a larger limit fits.
pub const MAX_UNTAKEN_LEN: usize = 2 * shiome_session::WINDOW as usize;

/// Messages that were not sent, since the last time somebody was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsent {
    /// One-way messages.
    pub casts: u64,
    /// Calls. Their callers were told.
    pub calls: u64,
    /// Replies. Their callers see the end of the link.
    pub replies: u64,
    /// All of them together, encoded, in bytes.
    pub bytes: u64,
}

impl Unsent {
    fn is_empty(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.casts += other.casts;
        self.calls += other.calls;
        self.replies += other.replies;
        self.bytes += other.bytes;
    }
}

/// How often losses are told at most: they come by the ten thousand.
const TELL_EVERY: Duration = Duration::from_secs(1);

/// Counts the messages of one session that were not sent.
#[derive(Debug, Default)]
pub(crate) struct Losses(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    untold: Unsent,
    told: Option<Instant>,
    /// Whether somebody will tell.
    scheduled: bool,
}

/// What is to be done about a loss.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tell {
    /// Tell this.
    Now(Unsent),
    /// Tell the [rest](Losses::rest) then.
    At(Instant),
    /// That will be done already.
    Scheduled,
}

impl Losses {
    /// Counts some.
    pub(crate) fn count(&self, now: Instant, lost: Unsent) -> Tell {
        let mut state = self.lock();
        state.untold.add(lost);
        if state.scheduled {
            return Tell::Scheduled;
        }
        match state.told.map(|told| told + TELL_EVERY) {
            Some(due) if now < due => {
                state.scheduled = true;
                Tell::At(due)
            }
            _ => {
                state.told = Some(now);
                Tell::Now(std::mem::take(&mut state.untold))
            }
        }
    }

    /// What has not been told, to be told now.
    pub(crate) fn rest(&self, now: Instant) -> Option<Unsent> {
        let mut state = self.lock();
        state.scheduled = false;
        state.told = Some(now);
        let rest = std::mem::take(&mut state.untold);
        (!rest.is_empty()).then_some(rest)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Numbers are whole after any panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn casts(casts: u64) -> Unsent {
        let bytes = 10 * casts;
        Unsent {
            casts,
            bytes,
            ..Unsent::default()
        }
    }

    #[test]
    fn losses_are_told_at_once_then_once_a_second_and_none_is_forgotten() {
        let losses = Losses::default();
        let now = Instant::now();
        assert_eq!(losses.count(now, casts(1)), Tell::Now(casts(1)));
        let due = now + TELL_EVERY;
        assert_eq!(losses.count(now, casts(1)), Tell::At(due));
        for _ in 0..1000 {
            assert_eq!(losses.count(now, casts(1)), Tell::Scheduled);
        }
        assert_eq!(losses.rest(due), Some(casts(1001)));
        let next = Tell::At(due + TELL_EVERY);
        assert_eq!(losses.count(due, casts(5)), next);
        assert_eq!(losses.rest(due), Some(casts(5)));
        assert_eq!(losses.rest(due), None);
        let later = due + TELL_EVERY;
        assert_eq!(losses.count(later, casts(1)), Tell::Now(casts(1)));
    }
}
