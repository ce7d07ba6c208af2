//! Several tasks that send over one link.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use tokio::task::JoinSet;

use super::*;

/// A server, and the numbers of what its peer has heard.
async fn listening() -> (Bus, WebSocketServer, Listening, Peer, Arc<Mutex<Vec<u64>>>) {
    let bus = Bus::new();
    let server = bus.peer("server").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = Arc::clone(&seen);
    let see = move |delivery: &Delivery| sees.lock().unwrap().push(delivery.envelope().id.seq);
    server.on(">", see).unwrap().detach();
    let websockets = WebSocketServer::new(&bus, &id("server"), ServerOptions::anyone()).unwrap();
    let listening = listen(&websockets, "ws://127.0.0.1:0/bus").await;
    (bus, websockets, listening, server, seen)
}

/// Waits until all that was sent before is handled: in the same lane, as a ping is not.
async fn handled_all(side: &Side) {
    let last = SendOptions::default().level(Level::Handled);
    let last = last.timeout(PATIENCE);
    let sent = side.peer.send_with("server", text("last", 1), last);
    sent.await.unwrap();
}

fn text(name: &str, len: usize) -> Intent {
    Intent::new(name, "x".repeat(len)).unwrap()
}

#[tokio::test]
async fn what_equal_senders_send_arrives_whole_and_in_the_order_of_the_numbers() {
    const TASKS: usize = 16;
    const EACH: usize = 100;
    let (bus, _websockets, listening, _server, seen) = listening().await;
    // Most of the time somebody waits.
    let small = ClientOptions::default().queue(QueueLimits::new(8192, 256 << 10));
    let alice = Side::connected("alice", listening.url(), small).await;
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let peer = alice.peer.clone();
        tasks.spawn(async move {
            for number in 0..EACH {
                let intent = text("some", 500 * (1 + (task * 7 + number) % 20));
                peer.send("server", intent).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    handled_all(&alice).await;
    assert_eq!(bus.dropped(DropReason::Duplicate), 0);
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), TASKS * EACH + 1);
    assert!(seen.is_sorted());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_message_among_many_short_ones_has_its_turn() {
    let (bus, _websockets, listening, _server, seen) = listening().await;
    let alice = Side::connected("alice", listening.url(), ClientOptions::default()).await;
    let (go_on, sent) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicU64::new(0)));
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let (peer, go_on, sent) = (alice.peer.clone(), go_on.clone(), sent.clone());
        let short = text("short", 4000);
        tasks.spawn(async move {
            while go_on.load(Relaxed) {
                sent.fetch_add(1, Relaxed);
                peer.send("server", short.clone()).await.unwrap();
            }
        });
    }
    // The queue is full by now.
    while sent.load(Relaxed) < 2000 {
        tokio::task::yield_now().await;
    }
    // There is no end to the others: it goes only if it has its turn among them.
    let options = SendOptions::default().timeout(PATIENCE);
    let long = alice
        .peer
        .send_with("server", text("long", 1_000_000), options);
    let receipt = long.await.unwrap();
    go_on.store(false, Relaxed);
    tasks.join_all().await;
    handled_all(&alice).await;
    assert_eq!(bus.dropped(DropReason::Duplicate), 0);
    assert!(
        seen.lock().unwrap().contains(&receipt.id.seq),
        "under this number"
    );
}

#[tokio::test]
async fn an_answer_finds_its_request_though_that_had_to_wait_for_room() {
    let (_bus, _websockets, listening, server, _seen) = listening().await;
    let answer = |delivery: &Delivery| delivery.try_respond(()).map(drop);
    server.on("ask", answer).unwrap().detach();
    let small = ClientOptions::default().queue(QueueLimits::new(4, 1 << 20));
    let alice = Side::connected("alice", listening.url(), small).await;
    let mut tasks = JoinSet::new();
    for _ in 0..200 {
        let peer = alice.peer.clone();
        tasks.spawn(async move {
            let ask = Intent::new("ask", ()).unwrap();
            peer.request("server", ask).await.map(drop)
        });
    }
    while let Some(answered) = tasks.join_next().await {
        answered.unwrap().unwrap();
    }
}
