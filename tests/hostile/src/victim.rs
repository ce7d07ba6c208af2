//! The node that is attacked.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ractor::Actor;
use serde::Serialize;
use shiome::{Events, Node, NodeDown, NodeEvent};

use crate::{
    Problem,
    actor::{ECHO, Echo, TARGET},
    certificates,
    links::{COOKIE, HOST, links},
    options::Options,
    told::{commands, tell},
};

/// Where WebSockets are opened.
pub(crate) const PATH: &str = "/cluster";

/// Name of the node.
pub(crate) const VICTIM: &str = "victim";

/// A quarter of the default, so that what the attackers' actors take in groups fits into the memory of a small machine.
const MAX_GROUPED_ACTORS: usize = 32 * 1024;

/// Listens, and tells what happens when asked, until stdin ends.
pub(crate) async fn run(options: &Options) -> Result<(), Problem> {
    let node = Node::builder(format!("{VICTIM}@{HOST}:0"))
        .cookie(COOKIE)
        .links(links(&options.dir, certificates::VICTIM)?)
        .listen_at(format!("tls://{HOST}:0"))
        .listen_at(format!("ws://{HOST}:0{PATH}"))
        .max_grouped_actors(MAX_GROUPED_ACTORS)
        .start()
        .await?;
    for name in [ECHO, TARGET] {
        Actor::spawn(Some(name.to_owned()), Echo, ()).await?;
    }
    let tally = Arc::new(Mutex::new(Tally::default()));
    tokio::spawn(count(node.events(), Arc::clone(&tally)));
    let doors = node.local_addresses().into_iter().filter_map(|address| {
        let address = address.to_string();
        let (scheme, rest) = address.split_once("://")?;
        let (authority, _path) = rest.split_once('/').unwrap_or((rest, ""));
        Some((scheme.to_owned(), authority.to_owned()))
    });
    tell(&BTreeMap::from_iter(doors))?;
    let mut commands = commands();
    while let Some(command) = commands.next_line().await? {
        if let Some(address) = command.strip_prefix("dial ") {
            drop(node.keep_connected(address)?);
            tell(&serde_json::json!({ "dials": address }))?;
            continue;
        }
        let sessions = node.sessions().await?.len();
        let tally = lock(&tally).clone();
        let admission = node.admission();
        tell(&Counts {
            tally,
            admission: Admission {
                admitted: admission.admitted,
                authenticated: admission.authenticated,
                failed: admission.failed,
                refused_full: admission.refused_full,
                refused_source: admission.refused_source,
                refused_penalty: admission.refused_penalty,
            },
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
    /// Reasons for which authenticated peers went down, and how many.
    down: BTreeMap<String, u64>,
    /// Events that came too fast to be counted.
    missed: u64,
}

/// What became of those who connected.
#[derive(Serialize)]
struct Admission {
    admitted: u64,
    authenticated: u64,
    failed: u64,
    refused_full: u64,
    refused_source: u64,
    refused_penalty: u64,
}

/// What is told of it, with what there is now.
#[derive(Serialize)]
struct Counts {
    #[serde(flatten)]
    admission: Admission,
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
            NodeEvent::NodeDown { reason, .. } => {
                *tally.down.entry(kind_of(&reason)).or_default() += 1;
            }
            NodeEvent::Missed(missed) => tally.missed += missed,
            _ => {}
        }
    }
}

/// The reason without what a peer has put into it.
fn kind_of(reason: &NodeDown) -> String {
    let words = reason.to_string();
    let numbers = |c: char| c.is_ascii_digit();
    match words.find(numbers) {
        Some(at) => words[..at].trim_end().to_owned(),
        None => words,
    }
}

fn lock(tally: &Mutex<Tally>) -> std::sync::MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}
