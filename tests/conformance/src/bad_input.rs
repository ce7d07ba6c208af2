//! What bad input gets, over every path: an error that tells the sender what is known, or a drop that is counted.

use std::time::Duration;

use shiome_bus::{
    BusError, DropReason, Envelope, ErrorKind, Intent, Level, MessageId, Payload, PeerId,
    PeerOptions, SendOptions,
};

use crate::{
    inbox::{Log, inbox},
    table::each,
};

const SOON: Duration = Duration::from_secs(30);

fn text(name: &str) -> Intent {
    Intent::new(name, "").unwrap()
}

fn at(level: Level) -> SendOptions {
    SendOptions::default().level(level)
}

fn kind<T: std::fmt::Debug>(result: Result<T, BusError>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// Waits for an answer as long as no test does.
fn patient() -> SendOptions {
    SendOptions::default().timeout(Duration::from_secs(3600))
}

/// What came of a [`patient`] request: it does not wait for its time.
async fn early<T>(asked: tokio::task::JoinHandle<T>) -> T {
    let ended = tokio::time::timeout(Duration::from_secs(60), asked).await;
    ended.expect("it waits").unwrap()
}

each! {
    async fn unknown_destination(world) {
        let a = world.peer("a").await;
        let others = world.peer("b").await;
        let before = others.stats().messages_received;
        for level in [Level::Received, Level::Handled, Level::Answered] {
            let sent = a.send_with("nobody", text("x"), at(level)).await;
            assert_eq!(kind(sent), ErrorKind::NodeNotFound);
        }
        assert_eq!(world.dropped(DropReason::NodeNotFound), 3);
        let dropped = world.buses().iter().flat_map(|bus| bus.recent_drops()).next().unwrap();
        assert_eq!((dropped.to.as_str(), dropped.from.as_str()), ("nobody", "a"));
        assert_eq!((dropped.intent.as_str(), dropped.reason), ("x", DropReason::NodeNotFound));
        assert_eq!(others.stats().messages_received, before);
    }

    async fn no_handler(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let before = b.stats().messages_received;
        for level in [Level::Handled, Level::Answered] {
            let sent = a.send_with("b", text("x"), at(level)).await;
            assert_eq!(kind(sent), ErrorKind::NoHandler);
        }
        a.send_with("b", text("x"), at(Level::Received)).await.unwrap();
        a.ping("b", SOON).await.unwrap();
        // The ping may overtake; the next envelope may not.
        kind(a.send_with("b", text("x"), at(Level::Handled)).await);
        assert_eq!(world.dropped(DropReason::NoHandler), 4);
        assert_eq!(b.stats().messages_received - before, 5);
    }

    async fn full_queue(world) {
        const CAPACITY: usize = 4;
        let (a, log) = (world.peer("a").await, Log::new());
        let options = PeerOptions::default().capacity(CAPACITY);
        let b = world.peer_with("b", options).await;
        let (written, stuck) = (log.clone(), std::sync::Arc::new(tokio::sync::Notify::new()));
        let held = stuck.clone();
        b.on_async("x", move |_| {
            let (log, stuck) = (written.clone(), held.clone());
            async move {
                log.write("began");
                stuck.notified().await;
            }
        }).unwrap().detach();
        a.send_with("b", text("x"), at(Level::Received)).await.unwrap();
        log.wait(1).await;
        for _ in 0..CAPACITY {
            a.send_with("b", text("x"), at(Level::Received)).await.unwrap();
        }
        let waits = at(Level::Received).timeout(Duration::from_secs(20));
        assert_eq!(kind(a.send_with("b", text("x"), waits).await), ErrorKind::QueueFull);
        assert!(world.dropped(DropReason::QueueFull) > 0);
        // Nothing was lost of what was accepted.
        for _ in 0..=CAPACITY {
            stuck.notify_one();
            tokio::task::yield_now().await;
            while b.stats().queued.total() > 0 && log.lines().len() <= CAPACITY {
                stuck.notify_one();
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(log.wait(CAPACITY + 1).await.len(), CAPACITY + 1);
        drop(b);
    }

    async fn full_queue_at_once(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        // Nobody runs in between: what is full stays full.
        let mut sent = 0;
        let full = loop {
            match a.try_send("b", text("x")) {
                Ok(_) => sent += 1,
                Err(error) => break error.kind(),
            }
        };
        assert_eq!((sent, full), (1024, ErrorKind::QueueFull));
        let log = inbox(&b);
        let lines = log.wait(sent).await;
        assert_eq!(lines.len(), sent);
    }

    async fn oversized_payload(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let of = |len: usize| Intent::new("x", "x".repeat(len - 2)).unwrap();
        let limit = 64 * 1024;
        assert_eq!(kind(a.try_send("b", of(limit + 1))), ErrorKind::PayloadTooLarge);
        let sent = a.send_with("b", of(limit + 1), at(Level::Handled)).await;
        assert_eq!(kind(sent), ErrorKind::PayloadTooLarge);
        a.send_with("b", of(limit), at(Level::Handled)).await.unwrap();
        assert_eq!(log.lines().len(), 1);
        assert_eq!(world.dropped(DropReason::PayloadTooLarge), 2);
    }

    async fn bad_json(world) {
        let a = world.peer("a").await;
        for text in ["", "{", "nul", "{\"a\"}", "1e999"] {
            assert_eq!(kind(Payload::from_text(text)), ErrorKind::Serialization);
        }
        let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(kind(Intent::json("x", &keys)), ErrorKind::Serialization);
        drop(a);
    }

    async fn bad_names(world) {
        let a = world.peer("a").await;
        for name in ["", "a b", "a/b", &"x".repeat(129)] {
            assert_eq!(kind(a.send(name, text("x")).await), ErrorKind::InvalidName);
            assert_eq!(kind(a.request(name, text("x")).await), ErrorKind::InvalidName);
            assert_eq!(kind(a.bus().peer(name)), ErrorKind::InvalidName);
        }
        for pattern in ["", "a*", ">.a", "a..b"] {
            assert_eq!(kind(a.on(pattern, |_| ())), ErrorKind::InvalidName);
            assert_eq!(a.off(pattern), 0);
        }
    }

    async fn taken_name(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        for bus in world.buses() {
            assert_eq!(kind(bus.peer("b")), ErrorKind::NameTaken);
        }
        a.send("b", text("x")).await.unwrap();
        assert_eq!(log.wait(1).await.len(), 1);
    }

    async fn forged_from(world) {
        let (a, b, c) = (world.peer("a").await, world.peer("b").await, world.peer("c").await);
        let log = inbox(&b);
        let id = MessageId { incarnation: c.incarnation(), seq: 1 };
        let forged = Envelope::new(id, c.id().clone(), b.id().clone(), text("x"));
        let echo = Envelope::new(id, b.id().clone(), b.id().clone(), text("x"));
        if world.inject("eve", &b, forged).await {
            assert_eq!(world.dropped(DropReason::Forged), 1);
        }
        // A server lets nobody in as one that is there.
        if world.inject("b", &b, echo).await {
            assert_eq!(world.dropped(DropReason::Echo), 1);
        }
        a.send_with("b", text("last"), at(Level::Handled)).await.unwrap();
        assert_eq!(log.lines(), [r#"a last """#]);
    }

    async fn twice_the_same(world) {
        let b = world.peer("b").await;
        let log = inbox(&b);
        let id = MessageId { incarnation: b.incarnation(), seq: 1 };
        let from = PeerId::new("outside").unwrap();
        let envelope = Envelope::new(id, from, b.id().clone(), text("x"));
        if world.inject("outside", &b, envelope.clone()).await {
            assert!(world.inject("outside", &b, envelope).await);
            assert_eq!(world.dropped(DropReason::Duplicate), 1);
            assert_eq!(log.wait(1).await.len(), 1);
        }
    }

    async fn link_lost_while_waiting(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let asked = tokio::spawn({
            let a = a.clone();
            async move { a.request_with("b", text("x"), patient()).await }
        });
        log.wait(1).await;
        let lost = world.cut();
        if lost {
            assert_eq!(kind(early(asked).await), ErrorKind::NotConnected);
            assert_eq!(kind(a.send("b", text("x")).await), ErrorKind::NotConnected);
        } else {
            drop(b);
            assert_eq!(kind(early(asked).await), ErrorKind::Closed);
        }
        assert_eq!(a.stats().waiting, 0);
    }

    async fn receiver_closed_while_waiting(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let asked = tokio::spawn({
            let a = a.clone();
            async move { a.request_with("b", text("x"), patient()).await }
        });
        log.wait(1).await;
        b.close(SOON).await.unwrap();
        assert_eq!(kind(early(asked).await), ErrorKind::Closed);
    }

    async fn sender_closed_while_waiting(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = inbox(&b);
        let asked = tokio::spawn({
            let a = a.clone();
            async move { a.request("b", text("x")).await }
        });
        log.wait(1).await;
        a.close(SOON).await.unwrap();
        assert_eq!(kind(asked.await.unwrap()), ErrorKind::Closed);
    }

    async fn handler_panics(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        b.on("x", |_| -> () { panic!("on purpose") }).unwrap().detach();
        b.on_async("y", |_| async { if true { panic!("on purpose, too") } }).unwrap().detach();
        b.on("z", |_| Err::<(), _>("no")).unwrap().detach();
        let log = inbox(&b);
        for name in ["x", "y", "z"] {
            let sent = a.send_with("b", text(name), at(Level::Handled)).await;
            assert_eq!(kind(sent), ErrorKind::HandlerFailed);
        }
        // The others ran, and all goes on.
        assert_eq!(log.lines().len(), 3);
        let stats = b.stats();
        assert_eq!((stats.handler_panics, stats.handler_errors), (2, 1));
        assert_eq!(kind(a.request("b", text("x")).await), ErrorKind::HandlerFailed);
        a.ping("b", SOON).await.unwrap();
        world.peer("c").await.ping("b", SOON).await.unwrap();
    }

    async fn flood(world) {
        let (a, b, c) = (world.peer("a").await, world.peer("b").await, world.peer("c").await);
        b.on_async("x", |_| std::future::pending::<()>()).unwrap().detach();
        let log = inbox(&c);
        a.on("y", |_| ()).unwrap().detach();
        let mut refused = 0;
        for number in 0..5000 {
            match a.try_send("b", text("x")) {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::QueueFull);
                    refused += 1;
                }
            }
            if number % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        // Neither those who send to others nor, for long, the one who floods.
        c.send_with("a", text("y"), at(Level::Handled)).await.unwrap();
        a.send_with("c", text("y"), at(Level::Handled)).await.unwrap();
        assert_eq!(log.lines().len(), 1);
        let waits = at(Level::Handled).timeout(Duration::from_secs(5));
        assert!(a.send_with("b", text("x"), waits).await.is_err());
        assert!(refused + world.dropped(DropReason::QueueFull) > 0);
        assert!(b.stats().queued.total() <= 1024);
    }

    async fn use_after_close(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let before = b.stats().messages_received;
        a.on("x", |_| ()).unwrap().detach();
        a.close(SOON).await.unwrap();
        a.close(SOON).await.unwrap();
        assert_eq!(kind(a.send("b", text("x")).await), ErrorKind::Closed);
        assert_eq!(kind(a.try_send("b", text("x"))), ErrorKind::Closed);
        assert_eq!(kind(a.request("b", text("x")).await), ErrorKind::Closed);
        assert_eq!(kind(a.ping("b", SOON).await), ErrorKind::Closed);
        assert_eq!(kind(a.on("y", |_| ())), ErrorKind::Closed);
        assert_eq!(kind(a.intercept_outbound(|_| shiome_bus::Verdict::Pass)), ErrorKind::Closed);
        assert_eq!(a.off("x"), 0);
        assert_eq!(b.stats().messages_received - before, 0);
    }
}
