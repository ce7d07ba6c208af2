//! `shiome bench`: how fast two nodes of this machine are.

use std::{
    env, io,
    process::Stdio,
    time::{Duration, Instant},
};

use shiome::{CallError, Cookie, Expose, Node, RemoteRef, node::NodeConnectionMode};
use shiome_inspect::metrics::Prometheus;
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::{Child, Command},
    task::JoinSet,
    time::timeout,
};

use crate::{cookie, error::Error, print, row::Row};

mod worker;

use worker::{WORKER, Work};

/// Time for the other process to be there, and for each answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Calls under way at a time, in the step that has many.
const CONCURRENT: usize = 64;

/// Payload of the step that has large ones, in bytes.
const LARGE: usize = 64 * 1024;

/// Calls of which the time is remembered, the first: 8 MiB of numbers.
const MAX_TIMES: usize = 1_000_000;

/// Measure casts and calls between two nodes of this machine
///
/// Starts a second process with a node, connects to it over loopback without TLS, and sends to one actor there: casts, casts
/// of 64 KiB, calls one after the other, and 64 calls at a time. A cast counts when the actor has counted it. What it tells
/// depends on the machine and on what else that does; a debug build is several times slower than a release build.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Time for each of the four steps: 1 to 60.
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    time: u64,

    /// Payload of small messages: 0 to 1048576.
    #[arg(long, value_name = "BYTES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(0..=1_048_576))]
    size: u32,

    /// Publish metrics of the sending node meanwhile, as shiome node does. What they cost is the difference to a run without.
    #[arg(long)]
    metrics: bool,

    /// Print JSON: a list of rows, as the other tools of shiome do.
    #[arg(long)]
    json: bool,
}

/// A measurement did not come to its end.
#[derive(Debug, Error)]
pub(crate) enum BenchError {
    #[error("cannot start the other process")]
    Start(#[source] io::Error),
    #[error("the other process is not there in time")]
    NotThere,
    #[error("the other node has no actor to send to")]
    NoWorker,
    #[error("not sent: {0}")]
    Cast(#[from] shiome::CastError),
    #[error("no answer: {0}")]
    Call(#[from] CallError),
}

fn row(name: String, value: f64, unit: &'static str) -> Row {
    let mut row = Row::new("bench", name, Some(value), unit);
    if cfg!(debug_assertions) {
        row.note = "debug build".into();
    }
    row
}

pub(crate) async fn run(args: Args) -> Result<(), Error> {
    let time = Duration::from_secs(args.time);
    let size = usize::try_from(args.size).unwrap_or(usize::MAX);
    // Before the node, which records from its start.
    let metrics = args.metrics.then(Prometheus::install).transpose()?;
    let rows = measure(time, size).await?;
    drop(metrics);
    if args.json {
        let text = serde_json::to_string(&rows).map_err(io::Error::other);
        return text.and_then(print).map_err(Error::Print);
    }
    for row in rows {
        let line = format!(
            "{:38} {:>12.0} {}  {}",
            row.name,
            row.value.unwrap_or_default(),
            row.unit,
            row.note
        );
        print(line.trim_end()).map_err(Error::Print)?;
    }
    Ok(())
}

/// The node of the other process: it runs until its standard input ends.
pub(crate) async fn run_child() -> Result<(), Error> {
    worker::run().await
}

async fn measure(time: Duration, size: usize) -> Result<Vec<Row>, Error> {
    let secret = format!("{:032x}", rand::random::<u128>());
    let mut other = spawn(&secret).map_err(BenchError::Start)?;
    let address = timeout(PATIENCE, ready(&mut other)).await;
    let address = address.ok().flatten().ok_or(BenchError::NotThere)?;
    let node = Node::builder("bench-sender@127.0.0.1:0")
        .cookie(Cookie::new(secret))
        .connection_mode(NodeConnectionMode::Isolated)
        .expose(Expose::Explicit)
        .start()
        .await?;
    let session = node.connect(address).await?;
    let worker = node.remote(&session, WORKER).ok_or(BenchError::NoWorker)?;
    let rows = steps(&worker, time, size).await;
    node.stop().await;
    drop(other.stdin.take());
    // It ends with its input; if it does not, it is killed when dropped.
    let _ = timeout(PATIENCE, other.wait()).await;
    Ok(rows?)
}

fn spawn(secret: &str) -> io::Result<Child> {
    Command::new(env::current_exe()?)
        .arg("bench-node")
        .env(cookie::VARIABLE, secret)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// The address that the other process prints when it is there.
async fn ready(other: &mut Child) -> Option<String> {
    let stdout = other.stdout.take()?;
    BufReader::new(stdout).lines().next_line().await.ok()?
}

async fn steps(
    worker: &RemoteRef<Work>,
    time: Duration,
    size: usize,
) -> Result<Vec<Row>, BenchError> {
    let mut rows = Vec::new();
    let small = casts(worker, time, size).await?;
    rows.push(row(format!("casts of {size} bytes"), small.rate, "1/s"));
    let large = casts(worker, time, LARGE).await?;
    let mib = large.rate * LARGE as f64 / (1024.0 * 1024.0);
    rows.push(row("casts of 64 KiB".to_owned(), mib, "MiB/s"));
    let mut times = calls_in_turn(worker, time, size).await?;
    times.sort_unstable();
    let share = |share: f64| {
        let at = (times.len() as f64 * share) as usize;
        times
            .get(at)
            .map_or(0.0, |time| time.as_nanos() as f64 / 1e3)
    };
    for (name, value) in [("median", share(0.5)), ("99 of 100", share(0.99))] {
        let name = format!("call of {size} bytes, {name}");
        rows.push(row(name, value, "us"));
    }
    let rate = calls_at_a_time(worker, time, size).await?;
    let name = format!("calls of {size} bytes, {CONCURRENT} at a time");
    rows.push(row(name, rate, "1/s"));
    if let Some(cpu) = small.cpu {
        let name = format!("processor time of a cast of {size} bytes, sending");
        rows.push(row(name, cpu.as_secs_f64() * 1e9, "ns"));
    }
    Ok(rows)
}

/// What casts came to.
struct Casts {
    /// How many a second the actor has counted.
    rate: f64,
    /// Time of processors that this process has spent on each, where the system tells.
    cpu: Option<Duration>,
}

async fn casts(worker: &RemoteRef<Work>, time: Duration, size: usize) -> Result<Casts, BenchError> {
    let before = worker.call(Work::Taken, Some(PATIENCE)).await?;
    let (began, spent_before) = (Instant::now(), processor_time());
    let mut sent = 0_u64;
    while began.elapsed() < time {
        // A clock costs as much as a cast.
        for _ in 0..64 {
            worker.cast(Work::Take(vec![7; size])).await?;
        }
        sent += 64;
    }
    // A call does not overtake casts to the same actor.
    let after = worker.call(Work::Taken, Some(PATIENCE)).await?;
    debug_assert_eq!(after - before, sent);
    let spent = processor_time().zip(spent_before);
    let spent = spent.map(|(after, before)| after.saturating_sub(before));
    Ok(Casts {
        rate: sent as f64 / began.elapsed().as_secs_f64(),
        cpu: spent.map(|spent| spent.div_f64(sent as f64)),
    })
}

/// What this process has had of processors.
#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};

    clock_gettime(ClockId::ProcessCPUTime).try_into().ok()
}

#[cfg(not(unix))]
fn processor_time() -> Option<Duration> {
    None
}

async fn calls_in_turn(
    worker: &RemoteRef<Work>,
    time: Duration,
    size: usize,
) -> Result<Vec<Duration>, BenchError> {
    let began = Instant::now();
    let mut times = Vec::new();
    while began.elapsed() < time && times.len() < MAX_TIMES {
        let called = Instant::now();
        echo(worker, size).await?;
        times.push(called.elapsed());
    }
    Ok(times)
}

async fn calls_at_a_time(
    worker: &RemoteRef<Work>,
    time: Duration,
    size: usize,
) -> Result<f64, BenchError> {
    let began = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..CONCURRENT {
        let worker = worker.clone();
        callers.spawn(async move {
            let mut calls = 0_u64;
            while began.elapsed() < time {
                echo(&worker, size).await?;
                calls += 1;
            }
            Ok::<_, CallError>(calls)
        });
    }
    let mut calls = 0;
    for caller in callers.join_all().await {
        calls += caller?;
    }
    Ok(calls as f64 / began.elapsed().as_secs_f64())
}

async fn echo(worker: &RemoteRef<Work>, size: usize) -> Result<(), CallError> {
    let ask = |reply| Work::Echo(vec![7; size], reply);
    worker.call(ask, Some(PATIENCE)).await?;
    Ok(())
}
