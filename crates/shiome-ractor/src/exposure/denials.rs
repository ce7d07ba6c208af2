use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tracing::{error, warn};

use super::{PeerInfo, Verb};

/// Least time from one line of a kind in the log to the next: a peer can be denied as fast as it can send.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Counts what the policy has denied, and logs some of it.
#[derive(Debug, Default)]
pub(super) struct Denials {
    total: AtomicU64,
    denied: Pace,
    panicked: Pace,
}

impl Denials {
    pub(super) fn count(&self, peer: &PeerInfo, pid: u64, verb: Verb) {
        let total = self.total.fetch_add(1, Ordering::Relaxed) + 1;
        if self.denied.is_due() {
            let peer = peer.name.as_str();
            warn!(peer, pid, ?verb, total, "denied by the policy");
        }
    }

    pub(super) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// The policy panicked when it was asked, which is a no.
    pub(super) fn policy_panicked(&self, pid: u64, verb: Verb) {
        if self.panicked.is_due() {
            error!(pid, ?verb, "the policy panicked, which is a no");
        }
    }
}

/// When the last line of a kind was logged.
#[derive(Debug, Default)]
struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// Whether it is time for another line.
    fn is_due(&self) -> bool {
        let now = Instant::now();
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = logged.is_none_or(|logged| now.duration_since(logged) >= LOG_INTERVAL);
        if due {
            *logged = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_line_a_second_at_most() {
        let pace = Pace::default();
        let mut lines = 0;
        for _ in 0..25 {
            lines += usize::from(pace.is_due());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(lines, 3);
    }
}
