//! One command line in, one answer out.

mod received;
mod reference;

use std::time::Duration;

use ractor::registry::where_is;
use ractor::{ActorCell, ActorId};

use crate::calls::{self, Kind};
use crate::casts;
use crate::groups::{Group, target};
use crate::load::{self, Handle};
use crate::margin;
use crate::node::{Node, local_actor};
use crate::sessions;
use crate::words::Words;

/// Actors stop as soon as they have handled what they are at.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

type Answer = Result<String, String>;

pub async fn run(node: &mut Node, line: &str) -> Answer {
    let mut words = Words::new(line);
    let command = words.text("command")?;
    if let Some(kind) = Kind::of(command) {
        return call(node, kind, words).await;
    }
    match command {
        "connect" | "redial" | "keep" | "announce" | "sessions" | "wait-session"
        | "wait-no-session" | "children" | "disconnect" => session(node, command, words).await,
        "spawn" | "spawn-plain" | "spawn-margin" | "local-named" | "stop-actor" | "where-is"
        | "flood-spawn" | "flood-stop" => actor(node, command, words).await,
        "join" | "leave" | "members" | "wait-members" | "node-ids" => group(command, words).await,
        "cast" | "cast-note" | "cast-plain" | "cast-unknown" | "casts" | "big" => {
            cast(node, command, words)
        }
        "cast-margin" | "call-margin" | "call-noted" => margin(node, command, words).await,
        "flood" | "bulk-and-calls" => load(node, command, words).await,
        "call-start" | "call-result" => background_call(node, command, words).await,
        "held" | "release" => received::hold(node, command, words).await,
        "received" | "wait-received" | "numbered" | "wait-numbered" | "wait-bulk" | "clear" => {
            received::run(node, command, words).await
        }
        "hold-ref" | "drop-ref" | "call-ref" | "cast-ref" | "stop-ref" | "ref-status"
        | "wait-ref-status" => reference::run(node, command, words).await,
        "memory" => memory(),
        "quit" => quit(node).await,
        _ => Err(format!("unknown command {command}")),
    }
}

async fn session(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    let server = &node.server;
    match command {
        "connect" => node
            .connect(words.text("address")?)
            .await
            .map(|()| String::new()),
        "announce" => node.announce(words.number("port")?).map(|()| String::new()),
        "redial" => {
            node.redial(words.text("address")?.to_owned(), words.millis()?);
            Ok(String::new())
        }
        #[cfg(feature = "remote-ref")]
        "keep" => node.keep(words.text("address")?).map(|()| String::new()),
        #[cfg(not(feature = "remote-ref"))]
        "keep" => Err("this node does not keep connected by itself".into()),
        "sessions" => sessions::list(server).await,
        "children" => sessions::children(server).await,
        "disconnect" => {
            let stopped = sessions::disconnect(server, words.text("name")?).await?;
            Ok(stopped.to_string())
        }
        wait => {
            let (name, patience) = (words.text("name")?, words.millis()?);
            words.end()?;
            if wait == "wait-session" {
                sessions::wait_ready(server, name, patience).await?;
            } else {
                sessions::wait_gone(server, name, patience).await?;
            }
            Ok(String::new())
        }
    }
}

async fn actor(node: &mut Node, command: &str, mut words: Words<'_>) -> Answer {
    match command {
        "spawn" => node.spawn(words.name()?).await.map(|actor| pid(&actor)),
        "spawn-plain" => node
            .spawn_plain(words.name()?)
            .await
            .map(|actor| pid(&actor)),
        "spawn-margin" => node
            .spawn_margin(words.name()?)
            .await
            .map(|actor| pid(&actor)),
        "local-named" => node
            .spawn_hermit(words.name()?)
            .await
            .map(|actor| pid(&actor)),
        "stop-actor" => {
            let actor = local_actor(words.text("pid or name")?)?;
            stop(&actor).await.map(|()| String::new())
        }
        "where-is" => Ok(
            match where_is(String::from(words.text("name")?)).map(|cell| cell.get_id()) {
                None => "none".into(),
                Some(ActorId::Local(pid)) => format!("local:{pid}"),
                Some(ActorId::Remote { node_id, pid }) => format!("remote:{node_id}.{pid}"),
            },
        ),
        "flood-spawn" => {
            for _ in 0..words.number::<u64>("count")? {
                let actor = node.spawn(None).await?;
                node.flood.push(actor);
            }
            Ok(node.flood.len().to_string())
        }
        _ => {
            let stopped = node.flood.len();
            for actor in node.flood.drain(..) {
                stop(&actor).await?;
            }
            Ok(stopped.to_string())
        }
    }
}

async fn group(command: &str, mut words: Words<'_>) -> Answer {
    let group = Group::parse(&mut words)?;
    match command {
        "members" => return Ok(group.list()),
        "node-ids" => return Ok(group.node_ids()),
        "join" => group.join(local_actor(words.text("pid or name")?)?),
        "leave" => group.leave(local_actor(words.text("pid or name")?)?),
        _ => {
            let (count, patience) = (words.number("count")?, words.millis()?);
            group.wait_for(count, patience).await?;
        }
    }
    Ok(String::new())
}

fn cast(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    let to = target(node, &mut words)?;
    match command {
        "cast" => casts::text(to, words.text("text")?),
        "cast-note" => casts::note(to, words.text("text")?),
        "cast-plain" => casts::plain(to, words.text("text")?),
        "cast-unknown" => casts::unknown(to, words.text("text")?),
        "casts" => casts::numbered(to, words.number("count")?),
        _ => casts::big(to, words.number("bytes")?),
    }
}

async fn margin(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    let to = target(node, &mut words)?;
    let metadata = words.text("metadata")?.to_owned();
    if command == "cast-margin" {
        return margin::cast(to, &metadata);
    }
    let timeout = words.timeout()?;
    words.end()?;
    margin::call(to, command == "call-noted", &metadata, timeout).await
}

async fn load(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    let handle = Handle::of(words.text("handle")?)?;
    let to = target(node, &mut words)?;
    if command == "flood" {
        let (count, len) = (words.number("count")?, words.number("bytes")?);
        return Ok(load::flood(handle, &to, count, len).await);
    }
    let asked = target(node, &mut words)?;
    let bulk = (words.number("count")?, words.number("bytes")?);
    load::bulk_and_calls(handle, &to, &asked, bulk, words.millis()?).await
}

async fn call(node: &Node, kind: Kind, mut words: Words<'_>) -> Answer {
    let to = target(node, &mut words)?;
    let (text, timeout) = (words.text("text")?, words.timeout()?);
    words.end()?;
    calls::call(to, kind, text.into(), timeout).await
}

async fn background_call(node: &mut Node, command: &str, mut words: Words<'_>) -> Answer {
    let id = words.text("id")?.to_owned();
    if command == "call-result" {
        let running = node
            .calls
            .get_mut(&id)
            .ok_or_else(|| format!("no call {id}"))?;
        let patience = words.millis()?;
        let result = tokio::time::timeout(patience, running).await;
        let result = result.map_err(|_| "pending".to_owned())?;
        node.calls.remove(&id);
        return result.map_err(|error| error.to_string())?;
    }
    let kind = words.text("kind")?;
    let kind = Kind::of(kind).ok_or_else(|| format!("unknown kind {kind}"))?;
    let to = target(node, &mut words)?;
    let (text, timeout) = (words.text("text")?.to_owned(), words.timeout()?);
    node.calls
        .insert(id, tokio::spawn(calls::call(to, kind, text, timeout)));
    Ok(String::new())
}

/// Resident memory in KiB.
fn memory() -> Answer {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let resident = resident.and_then(|value| value.split_whitespace().next());
    resident.map(str::to_owned).ok_or_else(|| "no VmRSS".into())
}

async fn quit(node: &Node) -> Answer {
    stop(&node.server.get_cell()).await.map(|()| String::new())
}

async fn stop(actor: &ActorCell) -> Result<(), String> {
    let stopped = actor.stop_and_wait(None, Some(STOP_PATIENCE)).await;
    stopped.map_err(|error| error.to_string())
}

fn pid(actor: &ActorCell) -> String {
    actor.get_id().pid().to_string()
}
