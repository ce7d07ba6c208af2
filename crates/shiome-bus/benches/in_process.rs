//! What the bus does within one process. Each line of the output is a name, a value and a unit, with tabs between.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program that prints, on a bus of its own"
)]
#![allow(missing_docs, reason = "a program")]

use std::{
    alloc::System,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use shiome_bus::{Bus, BusError, Intent, Level, Peer, PeerOptions, SendOptions};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::{Builder, Runtime};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const MESSAGES: u64 = 2_000_000;
const REQUESTS: u32 = 100_000;
const PEERS: usize = 1000;
const SLEEP: Duration = Duration::from_millis(500);

/// Time for which latencies are taken, of which one sleep is half.
const WINDOW: Duration = Duration::from_secs(1);

const ROUNDS: usize = 5;

fn main() {
    // `cargo test --benches` only asks whether it runs.
    let rounds = match std::env::args().any(|argument| argument == "--bench") {
        true => ROUNDS,
        false => return,
    };
    let one = || Builder::new_current_thread().enable_all().build().unwrap();
    let two = || {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(2).enable_all().build().unwrap()
    };
    one_pair("one pair, one thread", &one(), rounds);
    one_pair("one pair, two threads", &two(), rounds);
    processor(&one());
    allocations(&one());
    requests(&two());
    sleeper(&two(), rounds);
}

fn told(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value}\t{unit}");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A peer that counts what it gets.
fn counter(bus: &Bus, id: &str) -> (Peer, Arc<AtomicU64>) {
    let (peer, got) = (bus.peer(id).unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = got.clone();
    let count = peer.on("chat.message", move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    count.unwrap().detach();
    (peer, got)
}

/// Sends so many, whenever there is room, and waits until they are handled.
async fn send(from: &Peer, to: &Peer, got: &AtomicU64, count: u64) {
    let intent = Intent::new("chat.message", "hello").unwrap();
    let wanted = got.load(Ordering::Relaxed) + count;
    for _ in 0..count {
        while let Err(BusError::QueueFull(_)) = from.try_send(to.id(), intent.clone()) {
            tokio::task::yield_now().await;
        }
    }
    while got.load(Ordering::Relaxed) < wanted {
        tokio::task::yield_now().await;
    }
}

fn one_pair(name: &str, runtime: &Runtime, rounds: usize) {
    let rates = runtime.block_on(async {
        let bus = Bus::new();
        let (from, (to, got)) = (bus.peer("alice").unwrap(), counter(&bus, "bob"));
        let sender = tokio::spawn(async move {
            let mut rates = Vec::new();
            send(&from, &to, &got, MESSAGES / 10).await;
            for _ in 0..rounds {
                let begin = Instant::now();
                send(&from, &to, &got, MESSAGES).await;
                rates.push(MESSAGES as f64 / begin.elapsed().as_secs_f64() / 1e6);
            }
            rates
        });
        sender.await.unwrap()
    });
    // Whatever else runs on the machine only ever makes it slower.
    told(name, best(&rates), "M/s");
}

fn best(rates: &[f64]) -> f64 {
    rates.iter().copied().fold(0.0, f64::max)
}

/// Deliveries in a second of the processor, whatever else runs there.
fn processor(runtime: &Runtime) {
    let rate = runtime.block_on(async {
        let bus = Bus::new();
        let (from, (to, got)) = (bus.peer("alice").unwrap(), counter(&bus, "bob"));
        send(&from, &to, &got, MESSAGES / 10).await;
        let begin = running_ns()?;
        send(&from, &to, &got, MESSAGES).await;
        Some(MESSAGES as f64 * 1e3 / (running_ns()? - begin))
    });
    if let Some(rate) = rate {
        told("one pair, one second of the processor", rate, "M/s");
    }
}

/// How long this thread has run, on systems that tell.
fn running_ns() -> Option<f64> {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split_whitespace().next()?.parse().ok()
}

fn allocations(runtime: &Runtime) {
    let allocations = runtime.block_on(async {
        let bus = Bus::new();
        let (from, (to, got)) = (bus.peer("alice").unwrap(), counter(&bus, "bob"));
        send(&from, &to, &got, 100_000).await;
        let region = Region::new(GLOBAL);
        send(&from, &to, &got, 100_000).await;
        let change = region.change();
        change.allocations + change.reallocations
    });
    // The one intent is not of the deliveries.
    let of_the_intent = 2;
    let more = allocations.saturating_sub(of_the_intent);
    told("allocations per delivery", more as f64 / 1e5, "");
}

fn requests(runtime: &Runtime) {
    let rate = runtime.block_on(async {
        let bus = Bus::new();
        let (from, to) = (bus.peer("alice").unwrap(), bus.peer("bob").unwrap());
        let answer = to.on("ask", |delivery| delivery.try_respond(()).map(drop));
        answer.unwrap().detach();
        let asker = tokio::spawn(async move {
            let begin = Instant::now();
            for _ in 0..REQUESTS {
                let ask = Intent::new("ask", ()).unwrap();
                from.request("bob", ask).await.unwrap();
            }
            drop(to);
            f64::from(REQUESTS) / begin.elapsed().as_secs_f64()
        });
        asker.await.unwrap()
    });
    told("requests, one after the other", rate, "/s");
}

/// How a handler keeps its peer busy.
#[derive(Clone, Copy)]
enum Sleeps {
    Not,
    /// It is a future.
    Waiting,
    /// It blocks the thread that is its peer's own.
    Blocking,
}

fn sleeper(runtime: &Runtime, rounds: usize) {
    let mut found = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        for (sleeps, found) in [Sleeps::Not, Sleeps::Waiting, Sleeps::Blocking]
            .into_iter()
            .zip(&mut found)
        {
            found.push(runtime.block_on(neighbours(sleeps)));
        }
    }
    let [quiet, waiting, blocking] = found.map(median);
    told("p99 among 1000 peers", quiet, "us");
    told("p99 beside a handler that waits 500 ms", waiting, "us");
    told("p99 beside a handler that blocks 500 ms", blocking, "us");
    told("p99, waiting beside none", waiting / quiet, "times");
    told("p99, blocking beside none", blocking / quiet, "times");
}

/// The 99th percentile of the time to have something handled by one of the other peers, in microseconds.
async fn neighbours(sleeps: Sleeps) -> f64 {
    let bus = Bus::new();
    let options = PeerOptions::default();
    let peers: Vec<_> = (0..PEERS)
        .map(|number| {
            let peer = bus.peer_with(format!("peer-{number}"), options.clone());
            let peer = peer.unwrap();
            peer.on("work", |_| ()).unwrap().detach();
            peer
        })
        .collect();
    let _sleeper = sleeping(&bus, sleeps);
    let sender = peers[0].clone();
    if !matches!(sleeps, Sleeps::Not) {
        let sleep = Intent::new("sleep", ()).unwrap();
        sender.send("sleeper", sleep).await.unwrap();
    }
    let pairs = tokio::spawn(async move {
        let (begin, mut times, mut number) = (Instant::now(), Vec::new(), 0);
        while begin.elapsed() < WINDOW {
            number = (number * 31 + 7) % PEERS;
            let (from, to) = (&peers[number], &peers[(number * 17 + 3) % PEERS]);
            let handled = SendOptions::default().level(Level::Handled);
            let work = Intent::new("work", ()).unwrap();
            let sent = Instant::now();
            from.send_with(to.id(), work, handled).await.unwrap();
            times.push(sent.elapsed().as_secs_f64() * 1e6);
        }
        times.sort_by(f64::total_cmp);
        times[times.len() * 99 / 100]
    });
    pairs.await.unwrap()
}

fn sleeping(bus: &Bus, sleeps: Sleeps) -> Option<Peer> {
    let own = PeerOptions::default().own_thread();
    let peer = match sleeps {
        Sleeps::Not => return None,
        Sleeps::Waiting => bus.peer("sleeper").unwrap(),
        Sleeps::Blocking => bus.peer_with("sleeper", own).unwrap(),
    };
    let handler = match sleeps {
        Sleeps::Blocking => peer.on("sleep", |_| thread::sleep(SLEEP)),
        _ => peer.on_async("sleep", |_| tokio::time::sleep(SLEEP)),
    };
    handler.unwrap().detach();
    Some(peer)
}
