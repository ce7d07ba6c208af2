//! A well-behaved peer, which calls the victim's actor without end.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use shiome::{Node, RemoteRef, SessionInfo};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    Problem,
    actor::{ECHO, Say},
    links::{COOKIE, HOST},
    options::Options,
    told::{commands, tell},
};

/// Name of the node. Attackers know it, too.
pub(crate) const GOOD: &str = "good";

/// One call in so much time: plenty for a percentile, and far from what a link can carry.
const PACE: Duration = Duration::from_millis(2);

/// Above it a call counts as failed.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of a call.
const CALL_LEN: usize = 64;

/// Calls since the last time somebody asked.
#[derive(Debug, Default)]
struct Window {
    micros: Vec<u64>,
    failed: u64,
    /// When the call that is open was made.
    open: Option<Instant>,
}

/// What is told of a window.
#[derive(Serialize)]
struct Summary {
    calls: usize,
    failed: u64,
    p50_us: u64,
    p99_us: u64,
    max_us: u64,
    /// Sessions with the victim so far.
    sessions: u64,
}

/// Connects, and calls until stdin ends.
pub(crate) async fn run(options: &Options) -> Result<(), Problem> {
    let node = Node::builder(format!("{GOOD}@{HOST}:0"))
        .cookie(COOKIE)
        .start()
        .await?;
    let connection = node.keep_connected(&options.connect)?;
    let session = connection.connected().await?;
    let echo = echo(&node, &session)?;
    let window = Arc::new(Mutex::new(Window::default()));
    let calls = tokio::spawn(call(echo, Arc::clone(&window)));
    let node_id = session.node_id;
    tell(&serde_json::json!({ "ready": true }))?;
    let mut commands = commands();
    while commands.next_line().await?.is_some() {
        let now = connection.connected().await?;
        tell(&summary(&window, 1 + u64::from(now.node_id != node_id)))?;
    }
    calls.abort();
    node.stop().await;
    Ok(())
}

/// The victim's actor.
pub(crate) fn echo(node: &Node, session: &SessionInfo) -> Result<RemoteRef<Say>, Problem> {
    Ok(node
        .remote(session, ECHO)
        .ok_or("the victim has no such actor")?)
}

async fn call(echo: RemoteRef<Say>, window: Arc<Mutex<Window>>) {
    let mut pace = interval(PACE);
    // One that was late is no reason for a burst.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let begun = Instant::now();
        lock(&window).open = Some(begun);
        let echoed = echo
            .call(
                |reply| Say::Echo(vec![7; CALL_LEN], reply),
                Some(CALL_TIMEOUT),
            )
            .await;
        let mut window = lock(&window);
        window.open = None;
        match echoed {
            Ok(what) if what == [7; CALL_LEN] => window.micros.push(micros(begun)),
            _ => window.failed += 1,
        }
    }
}

fn summary(window: &Mutex<Window>, sessions: u64) -> Summary {
    let mut window = lock(window);
    let mut micros = std::mem::take(&mut window.micros);
    micros.extend(window.open.map(self::micros));
    micros.sort_unstable();
    let at = |share: f64| {
        let index = (micros.len() as f64 * share) as usize;
        micros
            .get(index.min(micros.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0)
    };
    Summary {
        calls: micros.len(),
        failed: std::mem::take(&mut window.failed),
        p50_us: at(0.5),
        p99_us: at(0.99),
        max_us: at(1.0),
        sessions,
    }
}

fn micros(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn lock(window: &Mutex<Window>) -> std::sync::MutexGuard<'_, Window> {
    window.lock().unwrap_or_else(PoisonError::into_inner)
}
