//! What the demo does, step by step.

use std::{
    collections::BTreeSet,
    io::Write,
    time::{Duration, Instant},
};

use super::{
    cluster::Cluster,
    pair::Pair,
    pending::Pending,
    process::{Failure, all},
    promise::Promise,
    step::Step,
    strangers::Strangers,
    table::{Seen, Table},
};

#[cfg(unix)]
mod frozen;
mod look;
mod pair;
mod tls;

#[cfg(unix)]
use frozen::{freeze, thaw};

/// Runs all steps, or up to the first that fails.
pub(super) async fn run(
    cluster: &mut Cluster,
    pair: &mut Pair,
    strangers: Option<&mut Strangers>,
    table: &mut Table<impl Write>,
) -> Result<(), Step> {
    table.step(Step::Start, start(cluster)).await?;
    let dashboard = cluster.dashboard();
    if let Some(url) = &dashboard {
        table.say(&format!("dashboard {url}"));
    }
    table.step(Step::Join, meet(cluster)).await?;
    if strangers.is_some() {
        table.step(Step::Encrypt, encrypted(cluster)).await?;
    }
    table.step(Step::Group, group(cluster)).await?;
    table.step(Step::Cast, cast(cluster)).await?;
    table.step(Step::Call, call(cluster)).await?;
    if dashboard.is_some() {
        look::until_enter(cluster, table, "a node is killed, and comes back").await?;
    }
    kill(cluster, table).await?;
    table.step(Step::NewCall, call_the_dead(cluster)).await?;
    table.step(Step::Survive, survive(cluster)).await?;
    table.step(Step::Restart, restart(cluster)).await?;
    table.step(Step::Rejoin, rejoin(cluster)).await?;
    table.step(Step::Recount, recount(cluster)).await?;
    #[cfg(unix)]
    freeze(cluster, table).await?;
    #[cfg(unix)]
    thaw(cluster, table).await?;
    if dashboard.is_some() {
        look::until_enter(cluster, table, "the nodes stop, the dashboard too").await?;
    }
    table.step(Step::Stop, stop(cluster)).await?;
    pair::run(pair, table).await?;
    match strangers {
        Some(strangers) => tls::run(pair, strangers, table).await,
        None => Ok(()),
    }
}

async fn start(cluster: &mut Cluster) -> Result<String, Failure> {
    let everyone = 0..cluster.len();
    cluster.start(0..1).await?;
    cluster.start(1..cluster.len()).await?;
    let ports = cluster.ports(everyone.clone());
    let ports = match ports.as_slice() {
        [first, .., last] if ports.len() > 4 => format!("{first} ... {last}"),
        _ => ports
            .iter()
            .map(u16::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    };
    Ok(format!(
        "{} listen on ports {ports}",
        cluster.labels(everyone)
    ))
}

async fn meet(cluster: &mut Cluster) -> Result<Seen, Failure> {
    let count = cluster.len();
    let meet = Promise::new(count, cluster.patience()).meet;
    cluster.see_sessions(0..count, meet).await?;
    let sessions = count * (count - 1) / 2;
    let seen = format!("all know a and find each other: {sessions} sessions");
    Ok(in_time(meet, seen))
}

async fn encrypted(cluster: &mut Cluster) -> Result<String, Failure> {
    let count = cluster.expect_encrypted(0..cluster.len()).await?;
    let sessions = count * (count - 1) / 2;
    Ok(format!(
        "{sessions} sessions over TLS, each name as certified"
    ))
}

async fn group(cluster: &mut Cluster) -> Result<String, Failure> {
    let count = cluster.len();
    cluster
        .see_counters(0..count, cluster.patience().deadline())
        .await?;
    Ok(format!("every node sees all {count} counters in the group"))
}

async fn cast(cluster: &mut Cluster) -> Result<String, Failure> {
    let casts = cluster.cast(Cluster::pairs(0..cluster.len())).await?;
    Ok(format!(
        "{casts} casts, every node to every other: all counted"
    ))
}

async fn call(cluster: &mut Cluster) -> Result<String, Failure> {
    let (calls, median_us) = cluster.call(Cluster::pairs(0..cluster.len())).await?;
    let median_ms = Duration::from_micros(median_us).as_secs_f64() * 1000.0;
    Ok(format!(
        "{calls} calls: all answers right, median {median_ms:.2} ms"
    ))
}

/// Kills the last node while calls to it are open. What the others see is timed from the kill.
async fn kill(cluster: &mut Cluster, table: &mut Table<impl Write>) -> Result<(), Step> {
    let survivors = 0..cluster.last();
    let held = match cluster.hold_calls().await {
        Ok(held) => held,
        Err(failure) => return table.fail(Step::Kill, failure),
    };
    let (count, who) = (held.len(), cluster.labels(survivors.clone()));
    let victim = cluster.labels(cluster.last()..cluster.len());
    let notice = Promise::new(cluster.len(), cluster.patience()).notice;
    let mut process = match cluster.take_last() {
        Ok(process) => process,
        Err(failure) => return table.fail(Step::Kill, failure),
    };
    let at = Instant::now();
    let (killed, sessions, group, calls, members) = tokio::join!(
        process.kill(),
        timed(
            at,
            cluster.see_sessions(survivors.clone(), cluster.patience().deadline())
        ),
        timed(
            at,
            cluster.see_counters(survivors.clone(), cluster.patience().deadline())
        ),
        timed(at, ends(held)),
        timed(at, cluster.see_members(survivors, notice)),
    );

    let seen = killed.and(sessions.1);
    let seen = seen.map(|()| format!("{victim} gets SIGKILL: {who} see the session end"));
    table.add(Step::Kill, sessions.0, seen)?;
    let seen = group
        .1
        .map(|()| format!("{who} see the counter of {victim} leave the group"));
    table.add(Step::Leave, group.0, seen)?;
    let seen = calls
        .1
        .map(|why| format!("{count} open calls to {victim} end: {}", quote(why)));
    table.add(Step::OpenCall, calls.0, seen)?;
    let know = |()| in_time(notice, format!("gossip: {who} know {victim} failed"));
    table.add(Step::Down, members.0, members.1.map(know))
}

/// Waits until all these calls have ended without an answer.
async fn ends(calls: Vec<Pending>) -> Result<Vec<String>, Failure> {
    let ends = calls
        .into_iter()
        .map(|call| call.error("the open call ends"));
    all(ends).await
}

/// What was seen within the time that was promised.
fn in_time(promised: Duration, what: String) -> Seen {
    Seen {
        what,
        promised: Some(promised),
    }
}

async fn call_the_dead(cluster: &mut Cluster) -> Result<String, Failure> {
    let calls = cluster.call_last().await;
    let count = calls.len();
    let why = all(calls.into_iter().map(|call| call.error("a new call fails"))).await?;
    Ok(format!(
        "{count} new calls by old refs fail: {}",
        quote(why)
    ))
}

async fn survive(cluster: &mut Cluster) -> Result<String, Failure> {
    let survivors = 0..cluster.last();
    let casts = cluster.cast(Cluster::pairs(survivors.clone())).await?;
    let (calls, _) = cluster.call(Cluster::pairs(survivors.clone())).await?;
    let who = cluster.labels(survivors);
    Ok(format!(
        "{who} go on: {casts} casts, {calls} calls, all right"
    ))
}

async fn restart(cluster: &mut Cluster) -> Result<String, Failure> {
    let last = cluster.last()..cluster.len();
    cluster.start(last.clone()).await?;
    let port = cluster.ports(last.clone())[0];
    Ok(format!(
        "{} listens on port {port} again",
        cluster.labels(last)
    ))
}

async fn rejoin(cluster: &mut Cluster) -> Result<Seen, Failure> {
    let (last, everyone) = (cluster.last()..cluster.len(), 0..cluster.len());
    let meet = Promise::new(cluster.len(), cluster.patience()).meet;
    cluster.see_sessions(everyone.clone(), meet).await?;
    cluster
        .see_counters(everyone, cluster.patience().deadline())
        .await?;
    let who = cluster.labels(last);
    Ok(in_time(
        meet,
        format!("{who} is found: sessions and group whole"),
    ))
}

async fn recount(cluster: &mut Cluster) -> Result<String, Failure> {
    let (last, everyone) = (cluster.last(), Cluster::pairs(0..cluster.len()));
    let with_last = everyone
        .iter()
        .filter(|(from, to)| [*from, *to].contains(&last));
    let casts = cluster.cast(with_last.copied().collect()).await?;
    let (calls, _) = cluster.call(everyone).await?;
    let who = cluster.labels(last..cluster.len());
    Ok(format!(
        "{casts} casts from and to {who}, {calls} calls: all right"
    ))
}

async fn stop(cluster: &mut Cluster) -> Result<String, Failure> {
    cluster.stop().await?;
    let who = cluster.labels(0..cluster.len());
    Ok(format!("{who} closed their sessions, exit code 0"))
}

/// The result, and the time from `start` to it.
async fn timed<T>(start: Instant, future: impl Future<Output = T>) -> (Duration, T) {
    let result = future.await;
    (start.elapsed(), result)
}

/// The reasons, each once.
fn quote(reasons: Vec<String>) -> String {
    let reasons: BTreeSet<_> = reasons.into_iter().collect();
    let reasons: Vec<_> = reasons.iter().map(|why| format!("\"{why}\"")).collect();
    reasons.join(", ")
}
