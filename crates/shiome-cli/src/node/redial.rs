use std::{sync::Arc, time::Duration};

use shiome::{ConnectError, Events, Node, NodeEvent};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::error::chain;

/// Pause after the first dial that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Longest pause between two dials, so that a node that comes back is found soon.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Time for one dial, until the two nodes have told each other their actors. A host that drops packets is given up
/// long before the operating system does.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Dials `target` until a session is up, and again whenever it is lost. Ends when the node does.
pub(super) async fn keep_connected(node: Arc<Node>, target: String) {
    let mut backoff = Backoff::default();
    loop {
        // From before the dial, so that the end of what it brings is not missed.
        let mut events = node.events();
        match timeout(DIAL_TIMEOUT, node.connect(&target)).await {
            Ok(Ok(session)) => {
                backoff = Backoff::default();
                if !lost(&node, &mut events, &session.name).await {
                    return;
                }
                info!(%target, peer = %session.name, "session lost, dialling again");
            }
            Ok(Err(ConnectError::Stopped)) => return,
            // The node there has dialled us, or a third one has told of it.
            Ok(Err(ConnectError::Duplicate)) => {
                let pause = backoff.longest();
                let _ = timeout(pause, disconnected(&mut events)).await;
            }
            Ok(Err(error)) => pause(&target, &chain(&error), &mut backoff).await,
            Err(_) => pause(&target, "no session in time", &mut backoff).await,
        }
    }
}

/// Waits until there is no session with the node `name`; `false` when the own node has stopped instead.
async fn lost(node: &Node, events: &mut Events, name: &str) -> bool {
    loop {
        match node.sessions().await {
            Ok(sessions) if sessions.iter().any(|session| session.name == name) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
        if !disconnected(events).await {
            return false;
        }
    }
}

/// Waits until some session may have ended; `false` when the own node has.
async fn disconnected(events: &mut Events) -> bool {
    while let Some(event) = events.next().await {
        if matches!(event, NodeEvent::Disconnected(_) | NodeEvent::Missed(_)) {
            return true;
        }
    }
    false
}

async fn pause(target: &str, reason: &str, backoff: &mut Backoff) {
    let pause = backoff.next();
    warn!(%target, reason, ?pause, "not connected, dialling again");
    sleep(pause).await;
}

/// Pauses between dials, each about twice as long as the one before.
#[derive(Debug)]
struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Backoff {
    /// The next pause: by chance between half and all of what is due, so that the nodes that lost the same peer do not
    /// come back in step.
    fn next(&mut self) -> Duration {
        let due = self.0;
        self.0 = (due * 2).min(LONGEST_PAUSE);
        rand::random_range(due / 2..=due)
    }

    /// The longest pause, for what does not get better by dialling.
    fn longest(&mut self) -> Duration {
        self.0 = LONGEST_PAUSE;
        self.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_differ() {
        let mut backoff = Backoff::default();
        let mut due = FIRST_PAUSE;
        let mut fractions = Vec::new();
        for _ in 0..20 {
            let pause = backoff.next();
            assert!(due / 2 <= pause && pause <= due, "{pause:?} of {due:?}");
            fractions.push(pause.as_secs_f64() / due.as_secs_f64());
            due = (due * 2).min(LONGEST_PAUSE);
        }
        assert_eq!(due, LONGEST_PAUSE);
        fractions.dedup();
        assert!(fractions.len() > 1);
    }
}
