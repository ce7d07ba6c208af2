//! The steps with the pair that does not gossip.

#[cfg(unix)]
use std::time::Instant;
use std::{io::Write, time::Duration};

use super::in_time;
#[cfg(unix)]
use super::timed;
#[cfg(unix)]
use crate::demo::pair::FLOOD_CASTS;
use crate::demo::{
    pair::{BULK_LEN, Pair},
    process::Failure,
    protocol::Owned,
    step::Step,
    table::{Seen, Table},
};

/// What a node keeps for a peer that is frozen, in bytes: its outbox, and what it takes to write it.
#[cfg(unix)]
const MAX_KEPT: u64 = shiome::session::MAX_OUTBOX_LEN as u64 + 16 * MIB;

const MIB: u64 = 1024 * 1024;

/// Of a reason that is not the demo's own, in characters.
const MAX_QUOTE_LEN: usize = 35;

/// Why the worker is stopped.
const REASON: &str = "out of work";

/// Runs the steps, or up to the first that fails.
pub(super) async fn run(pair: &mut Pair, table: &mut Table<impl Write>) -> Result<(), Step> {
    table.step(Step::Pair, start(pair)).await?;
    table.step(Step::Expose, expose(pair)).await?;
    table.step(Step::Handle, cast(pair)).await?;
    table.step(Step::Monitor, monitor(pair)).await?;
    table.step(Step::Refuse, refuse(pair)).await?;
    #[cfg(unix)]
    freeze(pair, table).await?;
    #[cfg(unix)]
    table.step(Step::Return, thaw(pair)).await?;
    table.step(Step::Bulk, bulk(pair)).await?;
    table.step(Step::Lost, kill(pair)).await?;
    table.step(Step::Renew, renew(pair)).await?;
    table.step(Step::Part, part(pair)).await
}

async fn start(pair: &mut Pair) -> Result<String, Failure> {
    pair.start().await?;
    Ok("no seeds, no gossip: x keeps connected to y".to_owned())
}

/// What is not exported has no name for the peer, and is in no group.
async fn expose(pair: &mut Pair) -> Result<String, Failure> {
    let found = pair.find().await?;
    let exported = [Owned::Counter, Owned::Worker, Owned::Sink, Owned::Drain];
    expect("x finds", &names(exported), &names(found))?;
    let (user, owner) = pair.grouped().await?;
    if (user, owner) != (1, 2) {
        let seen = format!("{user} of {owner}");
        return Err(Failure::new("x: 1 of 2 group members", seen));
    }
    Ok("y exports 4 of its 5 actors: x finds no other".to_owned())
}

async fn cast(pair: &mut Pair) -> Result<String, Failure> {
    let casts = pair.cast().await?;
    Ok(format!("{casts} casts by a RemoteRef: all counted"))
}

/// The user stops an actor that holds a call of it.
async fn monitor(pair: &mut Pair) -> Result<String, Failure> {
    let watched = pair.watch(Owned::Worker).await?;
    let call = pair.hold_call().await?;
    pair.stop_worker(REASON).await?;
    let down = watched.down().await?;
    expect("x hears", &format!("stopped: {REASON}"), &down)?;
    let why = call.error("the open call ends").await?;
    // Its reply port has gone with the actor.
    expect("x: the open call", "the actor dropped the call", &why)?;
    Ok(format!("x stops an actor of y: \"{down}\""))
}

async fn refuse(pair: &mut Pair) -> Result<Seen, Failure> {
    let (why, slowest_us) = pair.refused().await?;
    let expected = [
        "the actor does not understand the message",
        "the actor dropped the call",
        "the node has no such actor",
    ];
    expect("x: calls", &expected.join("; "), &why.join("; "))?;
    let slowest = Duration::from_micros(slowest_us);
    within("x: each call ends", pair.patience.at_once(), slowest)?;
    let (count, at_most) = (why.len(), told(slowest));
    let seen = format!("{count} calls end, and say why; at most {at_most} each");
    Ok(in_time(pair.patience.at_once(), seen))
}

async fn bulk(pair: &mut Pair) -> Result<String, Failure> {
    let (calls, median_us, slowest_us) = pair.bulk().await?;
    let [median, slowest] = [median_us, slowest_us].map(Duration::from_micros);
    within(
        "x: each call beside bulk ends",
        pair.patience.beside_bulk(),
        slowest,
    )?;
    let (mib, median, slowest) = (BULK_LEN / MIB, told(median), told(slowest));
    Ok(format!(
        "{mib} MiB and {calls} calls: {median}, at most {slowest}"
    ))
}

/// Stops the owner while the user goes on sending: the link alone can tell.
#[cfg(unix)]
async fn freeze(pair: &mut Pair, table: &mut Table<impl Write>) -> Result<(), Step> {
    let watched = match pair.watch(Owned::Counter).await {
        Ok(watched) => watched,
        Err(failure) => return table.fail(Step::Full, failure),
    };
    let at = Instant::now();
    let flooded = match pair.owner.process().freeze() {
        Ok(()) => flood(pair).await,
        Err(failure) => Err(failure),
    };
    let taken = flooded.as_ref().map_or(0, |(taken, _)| *taken);
    table.add(Step::Full, at.elapsed(), flooded.map(|(_, seen)| seen))?;

    let (took, down) = timed(at, watched.down()).await;
    let seen = match down {
        Ok(down) => silence(pair, &down, taken).await,
        Err(failure) => Err(failure),
    };
    let in_time = within("x hears that y is down", pair.patience.silent(), took);
    table.add(Step::Silent, took, in_time.and(seen))
}

/// Sends what the link takes and more, and looks at the memory.
#[cfg(unix)]
async fn flood(pair: &mut Pair) -> Result<(u64, String), Failure> {
    let before = pair.user.process().resident();
    let (taken, bytes) = pair.flood().await?;
    let after = pair.user.process().resident();
    let most = format!("x: at most {} MiB", MAX_KEPT / MIB);
    if bytes > MAX_KEPT {
        return Err(Failure::new(most, format!("{} MiB taken", bytes / MIB)));
    }
    let grown = after.zip(before).map(|(a, b)| a.saturating_sub(b));
    let memory = match grown {
        Some(grown) if grown > MAX_KEPT => {
            return Err(Failure::new(most, format!("{} MiB more", grown / MIB)));
        }
        Some(grown) => format!("+{} MiB", grown / MIB),
        None => format!("{} MiB", bytes / MIB),
    };
    let all = FLOOD_CASTS;
    let seen = format!("SIGSTOP: {taken} of {all} casts, then Full; {memory}");
    Ok((taken, seen))
}

#[cfg(unix)]
async fn silence(pair: &mut Pair, down: &str, taken: u64) -> Result<Seen, Failure> {
    expect("x hears", "node down: it does not respond", down)?;
    let unsent = pair.parted().await?;
    if unsent > taken {
        let expected = format!("x: {taken} casts unsent at most");
        return Err(Failure::new(expected, format!("{unsent} unsent")));
    }
    let seen = format!("\"{down}\", {unsent} unsent");
    Ok(in_time(pair.patience.silent(), seen))
}

/// Lets the owner go on: it is the same run, with what it has counted.
#[cfg(unix)]
async fn thaw(pair: &mut Pair) -> Result<Seen, Failure> {
    pair.owner.process().thaw()?;
    pair.connected().await?;
    pair.recount().await?;
    pair.cast().await?;
    let seen = "y gets SIGCONT: connected, the RemoteRef is good";
    Ok(in_time(pair.patience.again(), seen.to_owned()))
}

async fn kill(pair: &mut Pair) -> Result<String, Failure> {
    let watched = pair.watch(Owned::Counter).await?;
    pair.take_owner()?.kill().await?;
    let down = watched.down().await?;
    if !down.starts_with("node down: ") {
        return Err(Failure::new("x hears that y is down", down));
    }
    // The system may have more to say of it than there is room for.
    let short: String = down.chars().take(MAX_QUOTE_LEN).collect();
    Ok(format!("y is killed: \"{short}\""))
}

async fn renew(pair: &mut Pair) -> Result<Seen, Failure> {
    pair.start_owner().await?;
    pair.connected().await?;
    let why = pair.ended().await?;
    expect("x: old handles", "the node was started anew", &why)?;
    let over = format!("the node's run is over: {why}");
    let error = pair.call_the_past().await?;
    expect("x: a call by an old handle", &over, &error)?;
    pair.find().await?;
    pair.recount().await?;
    pair.cast().await?;
    let seen = "y is back: the old RemoteRef has ended, a new works";
    Ok(in_time(pair.patience.again(), seen.to_owned()))
}

async fn part(pair: &mut Pair) -> Result<String, Failure> {
    pair.stop().await?;
    Ok("x and y closed their session, exit code 0".to_owned())
}

fn names(actors: impl IntoIterator<Item = Owned>) -> String {
    let names: Vec<_> = actors.into_iter().map(Owned::name).collect();
    names.join(", ")
}

fn expect(what: &str, expected: &str, seen: &str) -> Result<(), Failure> {
    if seen == expected {
        return Ok(());
    }
    Err(Failure::new(format!("{what}: {expected}"), seen))
}

fn within(what: &str, limit: Duration, took: Duration) -> Result<(), Failure> {
    if took <= limit {
        return Ok(());
    }
    let expected = format!("{what} within {}", told(limit));
    Err(Failure::new(expected, told(took)))
}

fn told(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}
