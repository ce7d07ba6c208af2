//! One command line in, one answer out.

use std::time::Duration;

use ractor::registry::where_is;
use ractor::{ActorCell, ActorId};

use crate::calls::{self, Kind};
use crate::casts;
use crate::groups::{Group, held, target};
use crate::node::{Node, local_actor};
use crate::sessions::{self, poll};
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
        "connect" | "sessions" | "wait-session" | "wait-no-session" | "children" | "disconnect" => {
            session(node, command, words).await
        }
        "spawn" | "spawn-plain" | "local-named" | "stop-actor" | "where-is" | "flood-spawn"
        | "flood-stop" => actor(node, command, words).await,
        "join" | "leave" | "members" | "wait-members" | "node-ids" => group(command, words).await,
        "cast" | "cast-note" | "cast-plain" | "cast-unknown" | "casts" | "big" | "flood-casts" => {
            cast(node, command, words)
        }
        "call-start" | "call-result" => background_call(node, command, words).await,
        "held" | "release" => hold(node, command, words).await,
        "received" | "wait-received" | "numbered" | "wait-numbered" | "wait-bulk" | "clear" => {
            received(node, command, words).await
        }
        "hold-ref" | "drop-ref" | "call-ref" | "cast-ref" | "stop-ref" | "ref-status"
        | "wait-ref-status" => reference(node, command, words).await,
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
        "big" => casts::big(to, words.number("bytes")?),
        _ => Ok(casts::flood(
            &to,
            words.number("count")?,
            words.number("bytes")?,
        )),
    }
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

async fn hold(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    if command == "held" {
        let (count, patience) = (words.number("count")?, words.millis()?);
        return node
            .inbox
            .wait(patience, |inbox| {
                (inbox.held.len() >= count).then_some(String::new())
            })
            .await
            .ok_or_else(|| format!("timeout, held: {}", node.inbox.lock().held.len()));
    }
    let held = std::mem::take(&mut node.inbox.lock().held);
    let answered = held
        .into_iter()
        .map(|(text, reply)| reply.send(text))
        .filter(Result::is_ok);
    Ok(answered.count().to_string())
}

async fn received(node: &Node, command: &str, mut words: Words<'_>) -> Answer {
    let inbox = &node.inbox;
    match command {
        "wait-received" => {
            let (count, patience) = (words.number("count")?, words.millis()?);
            let enough = inbox.wait(patience, |inbox| (inbox.texts.len() >= count).then_some(()));
            enough
                .await
                .ok_or_else(|| format!("timeout, received {}", texts(node)))?;
            Ok(texts(node))
        }
        "wait-numbered" => {
            let (count, patience) = (words.number("count")?, words.millis()?);
            let enough = inbox.wait(patience, |inbox| {
                (inbox.numbers.count >= count).then_some(())
            });
            enough
                .await
                .ok_or_else(|| format!("timeout, received {}", numbers(node)))?;
            Ok(numbers(node))
        }
        "wait-bulk" => {
            let (count, patience) = (words.number("count")?, words.millis()?);
            let enough = inbox.wait(patience, |inbox| {
                (inbox.bulk >= count).then_some(inbox.bulk)
            });
            let bulk = enough
                .await
                .ok_or_else(|| format!("timeout, received {}", inbox.lock().bulk))?;
            Ok(bulk.to_string())
        }
        "numbered" => Ok(numbers(node)),
        "clear" => {
            let mut inbox = inbox.lock();
            inbox.texts.clear();
            inbox.numbers = Default::default();
            inbox.bulk = 0;
            Ok(String::new())
        }
        _ => Ok(texts(node)),
    }
}

async fn reference(node: &mut Node, command: &str, mut words: Words<'_>) -> Answer {
    if command == "hold-ref" {
        let group = Group::parse(&mut words)?;
        let name = words.text("name of the reference")?;
        let mut members = group.remote();
        if let Ok(pid) = words.number::<u64>("pid") {
            members.retain(|member| member.get_id().pid() == pid);
        }
        let member = members.into_iter().next().ok_or("no remote member")?;
        let id = member.get_id();
        node.refs.insert(name.into(), member);
        return Ok(format!("remote:{}.{}", id.node(), id.pid()));
    }
    let name = words.text("name of the reference")?;
    let to = held(node, name)?;
    match command {
        "cast-ref" => casts::text(to, words.text("text")?),
        "call-ref" => {
            let (text, timeout) = (words.text("text")?, words.timeout()?);
            calls::call(to, Kind::Echo, text.into(), timeout).await
        }
        "stop-ref" => {
            to.stop(None);
            Ok(String::new())
        }
        "ref-status" => Ok(format!("{:?}", to.get_status())),
        "wait-ref-status" => {
            let (status, patience) = (words.text("status")?, words.millis()?);
            poll(patience, async || {
                Ok((format!("{:?}", to.get_status()) == status).then_some(()))
            })
            .await
            .map_err(|error| format!("{error}, status: {:?}", to.get_status()))?;
            Ok(status.into())
        }
        _ => {
            node.refs.remove(name);
            Ok(String::new())
        }
    }
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

fn texts(node: &Node) -> String {
    let inbox = node.inbox.lock();
    let mut words = vec![inbox.texts.len().to_string()];
    words.extend(inbox.texts.iter().cloned());
    words.join(" ")
}

fn numbers(node: &Node) -> String {
    let inbox = node.inbox.lock();
    let last = inbox
        .numbers
        .last
        .map_or_else(|| "-".into(), |last| last.to_string());
    format!(
        "{} out-of-order={} last={last}",
        inbox.numbers.count, inbox.numbers.out_of_order
    )
}
