//! Once its queues have grown, the bus delivers without allocating.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "support code of tests"
)]

use std::{
    alloc::System,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use shiome_bus::{Bus, Intent, Peer};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static GLOBAL: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const BURST: usize = 500;

/// Sends bursts, and waits for each to be delivered.
async fn deliver(from: &Peer, to: &Peer, intent: &Intent, bursts: usize, got: &AtomicUsize) {
    for _ in 0..bursts {
        let wanted = got.load(Ordering::Relaxed) + BURST;
        for _ in 0..BURST {
            from.try_send(to.id(), intent.clone()).unwrap();
        }
        while got.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
        }
    }
}

/// Without the harness, whose own thread allocates when it likes, and that is counted.
fn main() {
    let has = |flag: &str| std::env::args().any(|arg| arg == flag);
    match (has("--list"), has("--ignored")) {
        (true, true) => {}
        (true, false) => println!("deliveries_allocate_nothing_after_warming_up: test"),
        (false, _) => deliveries_allocate_nothing_after_warming_up(),
    }
}

fn deliveries_allocate_nothing_after_warming_up() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let bus = Bus::new();
        let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
        let got = Arc::new(AtomicUsize::new(0));
        let counted = got.clone();
        let count = b.on("chat.message", move |delivery| {
            assert_eq!(delivery.payload().as_str(), Some("hello"));
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let _count = count.unwrap();
        let intent = Intent::new("chat.message", "hello").unwrap();
        deliver(&a, &b, &intent, 10, &got).await;
        let region = Region::new(GLOBAL);
        deliver(&a, &b, &intent, 100, &got).await;
        let change = region.change();
        assert_eq!(got.load(Ordering::Relaxed), 110 * BURST);
        assert_eq!((change.allocations, change.reallocations), (0, 0));
        // And the count counts.
        drop(Box::new(1));
        assert_eq!(region.change().allocations, 1);
    });
}
