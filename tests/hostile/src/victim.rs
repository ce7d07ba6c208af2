//! The node that is attacked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ractor::Actor;
use serde::Serialize;
use shiome::{Events, Node, NodeEvent};

use crate::{
    Problem,
    actor::{ECHO, Echo},
    links::{COOKIE, HOST},
    options::Options,
    told::{commands, tell},
};

/// Name of the node.
pub(crate) const VICTIM: &str = "victim";

/// Listens, and tells what happens when asked, until stdin ends.
pub(crate) async fn run(_options: &Options) -> Result<(), Problem> {
    let node = Node::builder(format!("{VICTIM}@{HOST}:0"))
        .cookie(COOKIE)
        .start()
        .await?;
    Actor::spawn(Some(ECHO.to_owned()), Echo, ()).await?;
    let tally = Arc::new(Mutex::new(Tally::default()));
    tokio::spawn(count(node.events(), Arc::clone(&tally)));
    tell(&serde_json::json!({ "tcp": node.local_addr().to_string() }))?;
    let mut commands = commands();
    while let Some(command) = commands.next_line().await? {
        if let Some(address) = command.strip_prefix("dial ") {
            drop(node.keep_connected(address)?);
            tell(&serde_json::json!({ "dials": address }))?;
            continue;
        }
        let sessions = node.sessions().await?.len();
        let tally = lock(&tally).clone();
        tell(&Counts {
            tally,
            sessions,
            actors: ractor::registry::get_all_pids().len(),
            groups: ractor::pg::which_groups().len(),
        })?;
    }
    node.stop().await;
    Ok(())
}

/// What has happened since the start.
#[derive(Debug, Default, Clone, Serialize)]
struct Tally {
    opened: u64,
    authenticated: u64,
    disconnected: u64,
    /// Reasons for which authenticated peers went down, and how many.
    down: BTreeMap<String, u64>,
}

/// What is told of it, with what there is now.
#[derive(Serialize)]
struct Counts {
    #[serde(flatten)]
    tally: Tally,
    sessions: usize,
    /// Actors of this process, stand-ins included.
    actors: usize,
    groups: usize,
}

async fn count(mut events: Events, tally: Arc<Mutex<Tally>>) {
    while let Some(event) = events.next().await {
        let mut tally = lock(&tally);
        match event {
            NodeEvent::Opened(_) => tally.opened += 1,
            NodeEvent::Authenticated(_) => tally.authenticated += 1,
            NodeEvent::Disconnected(_) => tally.disconnected += 1,
            NodeEvent::NodeDown { reason, .. } => {
                *tally.down.entry(reason.to_string()).or_default() += 1;
            }
            _ => {}
        }
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
