use shiome_bus::*;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Instant;
fn main() {
    for workers in [1, 2] {
        let rt = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()
            .unwrap();
        rt.block_on(async {
            let bus = Bus::new();
            let (a, b) = (bus.peer("alice").unwrap(), bus.peer("bob").unwrap());
            let n = Arc::new(AtomicU64::new(0));
            let m = n.clone();
            b.on("chat.message", move |_| {
                m.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap()
            .detach();
            let intent = Intent::new("chat.message", "hello").unwrap();
            let to = b.id().clone();
            let task = tokio::spawn(async move {
                for _ in 0..3 {
                    let begin = Instant::now();
                    let start = n.load(Ordering::Relaxed);
                    const N: u64 = 3_000_000;
                    let mut full = 0;
                    for _ in 0..N {
                        while let Err(BusError::QueueFull(_)) = a.try_send(&to, intent.clone()) {
                            full += 1;
                            tokio::task::yield_now().await;
                        }
                    }
                    while n.load(Ordering::Relaxed) - start < N {
                        tokio::task::yield_now().await;
                    }
                    println!(
                        "{workers} workers: {:.2} M/s, full {full}",
                        N as f64 / begin.elapsed().as_secs_f64() / 1e6
                    );
                }
            });
            task.await.unwrap();
            drop(b);
        });
    }
}
