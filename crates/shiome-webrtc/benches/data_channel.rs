//! What goes over a data channel between two buses, beside a bare loop on the same library; and how long it takes to open one. On
//! loopback, in one process, two threads.
//!
//! Prints one line for each figure: name, value, unit, separated by tabs.
#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a bench")]

#[path = "data_channel/bare.rs"]
mod bare;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use shiome_bus::{Bus, Intent, Peer, memory::MemoryLink};
use shiome_webrtc::{Path, Rtc, RtcEvents, RtcOptions};
use tokio::{runtime::Runtime, sync::mpsc, time::timeout};

/// Round trips that are measured.
const ROUND_TRIPS: usize = 3000;

/// Bytes of the payload of a round trip.
const SHORT: usize = 64;

/// Bytes of the payload of a message of the flood: with what is around it, it goes in one piece.
const LONG: usize = 15 * 1024;

/// How long a flood lasts.
const FLOOD: Duration = Duration::from_secs(3);

/// Channels that are opened one after the other.
const OPENED: usize = 200;

const SOON: Duration = Duration::from_secs(20);

fn main() {
    // The test runner asks whether there are tests, and runs what says nothing else.
    if std::env::args().any(|arg| arg == "--list" || arg == "--test") {
        return;
    }
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    };
    let trips = best(|| median(&mut runtime().block_on(bare::round_trips(SHORT, ROUND_TRIPS))));
    let ours = best(|| median(&mut round_trips(&runtime())));
    print("round trip, p50", micros(ours), "us");
    print("round trip of the bare loop, p50", micros(trips), "us");
    let ratio = ours.as_secs_f64() / trips.as_secs_f64();
    print("round trip, the bus beside the bare loop", ratio, "times");

    let mut floods = [(0.0_f64, 0.0_f64); 3];
    for flood in &mut floods {
        flood.0 = runtime().block_on(bare::flood(LONG, FLOOD));
        flood.1 = flood_ours(&runtime());
    }
    let most = |of: fn(&(f64, f64)) -> f64| floods.iter().map(of).fold(0.0, f64::max);
    let (bare, ours) = (most(|flood| flood.0), most(|flood| flood.1));
    print("flood", ours, "MB/s");
    print("flood of the bare loop", bare, "MB/s");
    print("flood, the bus beside the bare loop", ours / bare, "times");

    let mut opened = opened(&runtime());
    opened.sort_unstable();
    print("channel open, p50", millis(opened[OPENED / 2]), "ms");
    print("channel open, p99", millis(opened[OPENED * 99 / 100]), "ms");
}

fn print(name: &str, value: f64, unit: &str) {
    println!("{name}\t{value:.3}\t{unit}");
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The least of some: others share the machine.
fn best(measure: impl FnMut() -> Duration) -> Duration {
    std::iter::repeat_with(measure).take(3).min().unwrap()
}

/// Two peers on buses of their own, with a channel.
struct Pair {
    a: Peer,
    b: Peer,
    rtc: [Rtc; 2],
    events: RtcEvents,
}

impl Pair {
    async fn open() -> Self {
        let buses = [Bus::new(), Bus::new()];
        let (a, b) = (buses[0].peer("a").unwrap(), buses[1].peer("b").unwrap());
        MemoryLink::new().connect(&buses[0], &buses[1]).unwrap();
        a.wait_for("b", SOON).await.unwrap();
        b.wait_for("a", SOON).await.unwrap();
        let options = || {
            let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
            RtcOptions::default().addresses([loopback]).admit(|_| true)
        };
        let rtc = [&a, &b].map(|peer| Rtc::start(peer, options()).unwrap());
        let events = rtc[0].events();
        let mut pair = Self { a, b, rtc, events };
        pair.rtc[0].connect("b").unwrap();
        pair.direct().await;
        timeout(SOON, async {
            while !pair.rtc[1]
                .path(pair.a.id())
                .is_some_and(|path| path.is_direct())
            {
                tokio::task::yield_now().await;
            }
        })
        .await
        .unwrap();
        pair
    }

    async fn direct(&mut self) {
        let direct = async {
            while let Some(event) = self.events.next().await {
                if let Path::Relayed(failure) = &event.path {
                    panic!("{failure}");
                }
                if event.path.is_direct() {
                    return;
                }
            }
        };
        timeout(SOON, direct).await.unwrap();
    }
}

fn round_trips(runtime: &Runtime) -> Vec<Duration> {
    runtime.block_on(async {
        let pair = Pair::open().await;
        pair.b
            .on("ping", |delivery| {
                let back = Intent::new("pong", delivery.payload().clone())?;
                delivery.peer()?.try_send("a", back).map(drop)
            })
            .unwrap()
            .detach();
        // Who has the ball back throws it again, as the bare loop does: no other thread is asked.
        let (done, mut dones) = mpsc::channel(1);
        let times = Mutex::new((Instant::now(), Vec::with_capacity(ROUND_TRIPS)));
        let intent = Intent::new("ping", "x".repeat(SHORT)).unwrap();
        let again = intent.clone();
        pair.a
            .on("pong", move |delivery| {
                let mut times = times.lock().unwrap();
                let took = times.0.elapsed();
                times.1.push(took);
                if times.1.len() > ROUND_TRIPS {
                    // The first waited for nobody knows what.
                    let _ = done.try_send(times.1.split_off(1));
                    return Ok(());
                }
                times.0 = Instant::now();
                delivery.peer()?.try_send("b", again.clone()).map(drop)
            })
            .unwrap()
            .detach();
        pair.a.try_send("b", intent).unwrap();
        dones.recv().await.unwrap()
    })
}

/// Megabytes of payload per second.
fn flood_ours(runtime: &Runtime) -> f64 {
    runtime.block_on(async {
        let pair = Pair::open().await;
        let (done, mut dones) = mpsc::channel(1);
        let bytes = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&bytes);
        pair.b
            .on("flood", move |delivery| {
                let len = delivery.payload().text_len();
                counted.fetch_add(len, std::sync::atomic::Ordering::Relaxed);
            })
            .unwrap()
            .detach();
        pair.b
            .on("done", move |_| {
                let _ = done.try_send(());
            })
            .unwrap()
            .detach();
        let intent = Intent::new("flood", "x".repeat(LONG)).unwrap();
        let start = Instant::now();
        while start.elapsed() < FLOOD {
            pair.a.send("b", intent.clone()).await.unwrap();
        }
        let last = Intent::new("done", ()).unwrap();
        pair.a.send("b", last).await.unwrap();
        dones.recv().await.unwrap();
        let bytes = bytes.load(std::sync::atomic::Ordering::Relaxed);
        bytes as f64 / start.elapsed().as_secs_f64() / 1e6
    })
}

/// Times from the call to the open channel.
fn opened(runtime: &Runtime) -> Vec<Duration> {
    runtime.block_on(async {
        let mut pair = Pair::open().await;
        let mut times = Vec::new();
        for _ in 0..OPENED {
            for (rtc, other) in [(&pair.rtc[0], "b"), (&pair.rtc[1], "a")] {
                rtc.disconnect(other).unwrap();
            }
            timeout(SOON, async {
                let direct = |rtc: &Rtc| rtc.paths().iter().any(|(_, path)| path.is_direct());
                while pair.rtc.iter().any(direct) {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            })
            .await
            .unwrap();
            // What the last one said has been heard.
            while timeout(Duration::from_millis(20), pair.events.next())
                .await
                .is_ok()
            {}
            let start = Instant::now();
            pair.rtc[0].connect("b").unwrap();
            pair.direct().await;
            times.push(start.elapsed());
        }
        times
    })
}
