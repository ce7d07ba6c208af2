//! What peers got.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use shiome_bus::{Delivery, Peer};
use tokio::sync::watch;

/// Time for what must happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lines in the order in which they were written. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    count: watch::Sender<usize>,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self {
            lines: Arc::default(),
            count: watch::Sender::new(0),
        }
    }

    pub(crate) fn write(&self, line: impl Into<String>) {
        self.lines.lock().unwrap().push(line.into());
        self.count.send_modify(|count| *count += 1);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// The lines, once there are so many.
    pub(crate) async fn wait(&self, count: usize) -> Vec<String> {
        let mut written = self.count.subscribe();
        let enough = written.wait_for(|written| *written >= count);
        let waited = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        let lines = self.lines();
        assert!(waited, "{count} lines wanted: {lines:?}");
        lines
    }

    /// The lines, once the last of them is `last`; and there are no others than those.
    pub(crate) async fn until(&self, last: &str) -> Vec<String> {
        let mut written = self.count.subscribe();
        let there = written.wait_for(|_| self.lines().last().is_some_and(|line| line == last));
        let waited = tokio::time::timeout(PATIENCE, there).await.is_ok();
        let lines = self.lines();
        assert!(waited, "{last} wanted: {lines:?}");
        lines
    }
}

/// What was delivered, as a line.
pub(crate) fn line(delivery: &Delivery) -> String {
    format!(
        "{} {} {}",
        delivery.from(),
        delivery.name(),
        delivery.payload()
    )
}

/// Logs all that a peer gets.
pub(crate) fn inbox(peer: &Peer) -> Log {
    let log = Log::new();
    let written = log.clone();
    let all = peer.on_any(move |delivery| written.write(line(delivery)));
    all.unwrap().detach();
    log
}
