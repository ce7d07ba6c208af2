//! How peers begin and end, and what they leave behind: nothing.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use shiome_bus::{
    Bus, BusError, BusOptions, DropReason, ErrorKind, Intent, Level, Mesh, Peer, PeerOptions,
    SendOptions,
    memory::{Conditions, MemoryLink},
};
use tokio::{
    runtime::{Builder, Handle},
    sync::Notify,
};

const SOON: Duration = Duration::from_secs(60);

fn intent() -> Intent {
    Intent::new("x", ()).unwrap()
}

fn kind<T: std::fmt::Debug>(result: Result<T, BusError>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn handled() -> SendOptions {
    SendOptions::default().level(Level::Handled)
}

/// A handler that keeps something, to see whether it is kept.
fn keeps(peer: &Peer) -> Weak<()> {
    let kept = Arc::new(());
    let weak = Arc::downgrade(&kept);
    let keep = peer.on("keep", move |_| drop(Arc::clone(&kept)));
    keep.unwrap().detach();
    weak
}

/// Waits until so many tasks are left.
async fn tasks_left(count: usize) {
    let metrics = Handle::current().metrics();
    let left = async {
        while metrics.num_alive_tasks() != count {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(SOON, left).await;
    let now = metrics.num_alive_tasks();
    assert!(waited.is_ok(), "{now} tasks, not {count}");
}

#[tokio::test]
async fn the_last_handle_ends_a_peer_and_all_that_is_its() {
    let tasks = Handle::current().metrics().num_alive_tasks();
    let bus = Bus::new();
    let peer = bus.peer("a").unwrap();
    let (kept, weak, clone) = (keeps(&peer), peer.downgrade(), peer.clone());
    drop(peer);
    assert!(weak.upgrade().is_some() && kept.upgrade().is_some());
    drop(clone);
    assert!(weak.upgrade().is_none() && kept.upgrade().is_none());
    assert!(bus.names().is_empty());
    tasks_left(tasks).await;
}

#[tokio::test]
async fn closing_frees_even_a_handler_that_keeps_its_own_peer() {
    let bus = Bus::new();
    let peer = bus.peer("a").unwrap();
    let (kept, own) = (keeps(&peer), peer.clone());
    peer.on("x", move |_| drop(own.clone())).unwrap().detach();
    let weak = peer.downgrade();
    peer.close(SOON).await.unwrap();
    assert!(kept.upgrade().is_none());
    drop(peer);
    assert!(weak.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stuck_handler_does_not_keep_a_peer_from_closing() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let began = Arc::new(Notify::new());
    let begin = began.clone();
    b.on_async("x", move |_| {
        begin.notify_one();
        std::future::pending::<()>()
    })
    .unwrap()
    .detach();
    let waits = tokio::spawn({
        let a = a.clone();
        async move {
            a.send("b", intent()).await.unwrap();
            a.send_with("b", intent(), handled()).await
        }
    });
    began.notified().await;
    while b.stats().queued.normal == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        kind(b.close(Duration::from_secs(2)).await),
        ErrorKind::Timeout
    );
    // What it did not get to is told, and counted.
    assert_eq!(kind(waits.await.unwrap()), ErrorKind::Closed);
    assert_eq!(bus.dropped(DropReason::Closed), 2);
    assert!(!bus.has(b.id()));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_given_up_goes_on() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (reaches, goes) = (reached.clone(), go.clone());
    b.on_async("x", move |_| {
        let (reached, go) = (reaches.clone(), goes.clone());
        async move {
            reached.notify_one();
            go.notified().await;
        }
    })
    .unwrap()
    .detach();
    a.send("b", intent()).await.unwrap();
    reached.notified().await;
    let given_up = tokio::time::timeout(Duration::from_secs(1), b.close(SOON)).await;
    assert!(given_up.is_err() && b.is_closed() && bus.has(b.id()));
    assert_eq!(kind(a.send("b", intent()).await), ErrorKind::Closed);
    go.notify_one();
    b.close(SOON).await.unwrap();
    assert!(!bus.has(b.id()));
}

#[tokio::test]
async fn a_name_is_free_again_and_a_new_owner_survives_the_old_one() {
    let bus = Bus::new();
    let old = bus.peer("a").unwrap();
    let replace = PeerOptions::default().replace();
    let new = bus.peer_with("a", replace).unwrap();
    assert!(old.is_closed() && new.incarnation() > old.incarnation());
    drop(old);
    assert!(bus.has(new.id()));
    new.ping("a", SOON).await.unwrap();
    drop(new);
    assert!(bus.peer("a").is_ok());
}

#[tokio::test]
async fn buses_are_apart() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, b) = (here.peer("a").unwrap(), there.peer("a").unwrap());
    b.on("x", |_| ()).unwrap().detach();
    assert_eq!(
        kind(a.send_with("a", intent(), handled()).await),
        ErrorKind::NoHandler
    );
    assert_eq!((here.names().len(), there.stats().messages_routed), (1, 0));
}

#[tokio::test]
async fn figures_outlive_the_peers_that_made_them() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    b.on("x", |_| Err::<(), _>("no")).unwrap().detach();
    for _ in 0..3 {
        assert_eq!(
            kind(a.send_with("b", intent(), handled()).await),
            ErrorKind::HandlerFailed
        );
    }
    assert_eq!(
        kind(a.send("nobody", intent()).await),
        ErrorKind::NodeNotFound
    );
    let before = bus.stats();
    assert_eq!((before.nodes_registered, before.total_callbacks), (2, 1));
    drop((a, b));
    tokio::task::yield_now().await;
    let after = bus.stats();
    assert_eq!((after.nodes_registered, after.total_callbacks), (0, 0));
    for stats in [&before, &after] {
        assert_eq!((stats.messages_routed, stats.messages_delivered), (3, 3));
        assert_eq!((stats.handler_calls, stats.handler_errors), (3, 3));
        assert_eq!((stats.routing_errors, stats.queued), (4, 0));
        assert_eq!(stats.drops, [(DropReason::NodeNotFound, 1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_together_leaves_no_task() {
    let tasks = Handle::current().metrics().num_alive_tasks();
    for partitioned in [false, true] {
        let (here, there) = (Bus::new(), Bus::new());
        let (a, b) = (here.peer("a").unwrap(), there.peer("b").unwrap());
        let link = MemoryLink::new().connect(&here, &there).unwrap();
        a.wait_for("b", SOON).await.unwrap();
        let rooms = [Mesh::join(&a, "r").unwrap(), Mesh::join(&b, "r").unwrap()];
        rooms[0].wait_for(b.id()).await;
        if partitioned {
            link.partition();
        }
        a.send("b", intent()).await.unwrap();
        drop((rooms, a, b, here, there, link));
        tasks_left(tasks).await;
    }
}

#[test]
fn a_peer_needs_a_runtime_and_ends_with_it() {
    let bus = Bus::new();
    assert_eq!(kind(bus.peer("a")), ErrorKind::NoRuntime);
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let given = Bus::with(BusOptions::default().runtime(runtime.handle().clone()));
    let peer = given.peer("a").unwrap();
    runtime.shutdown_background();
    while !peer.is_closed() {
        std::thread::yield_now();
    }
    assert_eq!(kind(peer.try_send("a", intent())), ErrorKind::Closed);
}

#[tokio::test]
async fn a_peer_with_its_own_thread_may_block_and_no_other_waits() {
    let bus = Bus::new();
    let own = PeerOptions::default().own_thread();
    let (a, b, c) = (
        bus.peer("a").unwrap(),
        bus.peer_with("b", own).unwrap(),
        bus.peer("c").unwrap(),
    );
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    b.on("x", move |_| gate.lock().unwrap().recv())
        .unwrap()
        .detach();
    a.send("b", intent()).await.unwrap();
    // Its thread stands still, and ours does not.
    a.ping("c", SOON).await.unwrap();
    open.send(()).unwrap();
    a.ping("b", SOON).await.unwrap();
    b.close(SOON).await.unwrap();
    drop(c);
}

#[tokio::test(start_paused = true)]
async fn a_close_that_leaves_something_on_a_link_says_so() {
    let (here, there) = (Bus::new(), Bus::new());
    let (sends, silent) = (here.peer("sends").unwrap(), here.peer("silent").unwrap());
    let hears = there.peer("hears").unwrap();
    let slow = Conditions::default().latency(Duration::from_millis(100));
    let link = MemoryLink::new()
        .conditions(slow)
        .connect(&here, &there)
        .unwrap();
    sends.wait_for("hears", SOON).await.unwrap();
    sends.send("hears", intent()).await.unwrap();
    let cut = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        link.cut();
    };
    let (sent, silent, ()) = tokio::join!(sends.close(SOON), silent.close(SOON), cut);
    assert_eq!(hears.stats().messages_received, 0);
    assert_eq!(kind(sent), ErrorKind::NotConnected);
    assert!(silent.is_ok(), "nothing of it was lost");
    let [dropped] = &here.recent_drops()[..] else {
        panic!("{:?}", here.recent_drops());
    };
    assert_eq!(dropped.reason, DropReason::NotConnected);
    assert_eq!(dropped.intent, *intent().name());
}
