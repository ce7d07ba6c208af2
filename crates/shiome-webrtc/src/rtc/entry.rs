//! What is known of one other peer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rand::RngExt;
use shiome_bus::{Incarnation, LinkId, PeerId, wire::CloseReason};
use tokio::{sync::mpsc, time::Instant};

use crate::{
    link::RtcLink,
    session::Command,
    signal::{Body, Description, SessionId},
};

/// Time until a lost connection is made anew: at first, and at most.
const RETRY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(60)];

/// Signals that wait for a session to begin.
const MAX_EARLY: usize = 64;

/// A session that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: SessionId,
    pub(super) commands: mpsc::Sender<Command>,
    /// We offered.
    pub(super) offers: bool,
    /// Which life of the other end was there when it began, as far as the bus knew.
    pub(super) life: Option<Incarnation>,
    pub(super) marks: Arc<Marks>,
}

impl Running {
    /// Ends it. Where it has more to do than it takes, it ends as one whose owner is gone.
    pub(super) fn close(&mut self, reason: CloseReason) {
        if self.commands.try_send(Command::Close(reason)).is_err() {
            (self.commands, _) = mpsc::channel(1);
        }
    }

    /// We offered, and have no answer yet.
    fn is_offering(&self) -> bool {
        self.offers && !self.marks.answered.load(Ordering::Relaxed)
    }
}

/// What a session has come to.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) answered: AtomicBool,
    pub(super) reached: AtomicBool,
}

/// An offer that waits for the session before it to end.
#[derive(Debug)]
pub(super) struct Offered {
    pub(super) id: SessionId,
    pub(super) offer: Description,
    pub(super) early: Vec<Body>,
}

/// One other peer.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) link: Arc<RtcLink>,
    pub(super) link_id: LinkId,
    pub(super) running: Option<Running>,
    pub(super) offered: Option<Offered>,
    /// We want a connection.
    pub(super) wanted: bool,
    pub(super) retry_at: Option<Instant>,
    pub(super) forget_at: Option<Instant>,
    retries: u32,
}

/// What to do about an offer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is of the session that runs.
    Pass,
    /// Both offered at once, and ours counts.
    Ignore,
    /// It counts.
    Take,
}

impl Entry {
    pub(super) fn new(link: Arc<RtcLink>, link_id: LinkId) -> Self {
        Self {
            link,
            link_id,
            running: None,
            offered: None,
            wanted: false,
            retry_at: None,
            forget_at: None,
            retries: 0,
        }
    }

    /// Of two who offer at once, the lesser counts. Another offer is that of a peer that has lost what there was, as has a life of
    /// the peer that is later than the one that ours was for.
    pub(super) fn judge(
        &self,
        local: &PeerId,
        remote: &PeerId,
        (id, life): (&SessionId, Incarnation),
    ) -> Verdict {
        match &self.running {
            Some(running) if running.id == *id => Verdict::Pass,
            Some(running) if running.is_offering() && local < remote => {
                let anew = running.life.is_some_and(|known| known < life);
                if anew { Verdict::Take } else { Verdict::Ignore }
            }
            _ => Verdict::Take,
        }
    }

    /// A signal for a session that has not begun yet. Whether there is one.
    pub(super) fn keep_early(&mut self, id: &SessionId, body: Body) -> bool {
        match &mut self.offered {
            Some(offered) if offered.id == *id => {
                if offered.early.len() < MAX_EARLY {
                    offered.early.push(body);
                }
                true
            }
            _ => false,
        }
    }

    /// Another attempt is to be made after a while (full jitter).
    pub(super) fn retry_later(&mut self) {
        let [first, most] = RETRY;
        let bound = first.saturating_mul(1 << self.retries.min(10)).min(most);
        self.retries += 1;
        let wait = rand::rng().random_range(first / 2..=bound);
        self.retry_at = Some(Instant::now() + wait);
    }

    /// The same, as soon as there may be a way to signal.
    pub(super) fn look_again(&mut self) {
        self.retry_at = Some(Instant::now() + RETRY[0]);
    }

    /// It was reached.
    pub(super) fn reached(&mut self) {
        self.retries = 0;
    }

    /// When something is to be done about it.
    pub(super) fn due(&self) -> Option<Instant> {
        let times = [self.retry_at, self.forget_at];
        times.into_iter().flatten().min()
    }

    /// Whether nothing speaks for keeping it.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_none() && self.offered.is_none() && !self.wanted
    }
}
