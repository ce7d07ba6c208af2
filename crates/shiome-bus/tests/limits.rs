//! What has an end, and what has none.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use shiome_bus::{
    Bus, BusOptions, Delivery, ErrorKind, Intent, Level, MAILBOX_CAPACITY, MAX_PAYLOAD_DEPTH,
    MAX_PAYLOAD_LEN, Payload, PeerId, PeerOptions, SendOptions, memory::MemoryLink,
};
use tokio::sync::mpsc;

const SOON: Duration = Duration::from_secs(60);

fn intent() -> Intent {
    Intent::new("x", ()).unwrap()
}

fn handled() -> SendOptions {
    SendOptions::default().level(Level::Handled)
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_may_wait_for_ever() {
    let options = BusOptions::default()
        .send_timeout(Duration::MAX)
        .request_timeout(Duration::MAX);
    let (bus, there) = (Bus::with(options), Bus::new());
    let link = MemoryLink::new().connect(&bus, &there).unwrap();
    let a = bus.peer("a").unwrap();
    let small = PeerOptions::default().capacity(1);
    let b = bus.peer_with("b", small).unwrap();
    b.on_async("x", |delivery: Delivery| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        delivery.respond(()).await.map(drop)
    })
    .unwrap()
    .detach();
    for _ in 0..5 {
        a.send("b", intent()).await.unwrap();
    }
    let for_ever = SendOptions::default().timeout(Duration::MAX);
    a.request("b", intent()).await.unwrap();
    a.request_with("b", intent(), for_ever).await.unwrap();
    a.send_with("b", intent(), for_ever).await.unwrap();
    a.ping("b", Duration::MAX).await.unwrap();
    b.close(Duration::MAX).await.unwrap();
    bus.close(Duration::MAX).await.unwrap();
    drop(link);
}

#[tokio::test]
async fn what_a_cancelled_handler_kept_is_freed_though_nothing_comes_any_more() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let (told, mut tells) = mpsc::unbounded_channel();
    let on = b.on("x", move |_| told.send(())).unwrap();
    a.send_with("b", intent(), handled()).await.unwrap();
    assert_eq!(tells.recv().await, Some(()));
    assert!(on.cancel());
    assert_eq!(tells.recv().await, None, "its sender is gone with it");
}

fn deep(levels: usize) -> Value {
    (0..levels).fold(Value::Null, |inner, _| vec![inner].into())
}

#[tokio::test(start_paused = true)]
async fn what_is_nested_too_deep_is_refused_when_it_is_made_or_sent_over_every_path() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, near, far) = (
        here.peer("a").unwrap(),
        here.peer("near").unwrap(),
        there.peer("far").unwrap(),
    );
    let _link = MemoryLink::new().connect(&here, &there).unwrap();
    a.wait_for("far", SOON).await.unwrap();
    let too_deep = MAX_PAYLOAD_DEPTH + 1;
    let made = [
        Intent::new("x", deep(too_deep)),
        Intent::json("x", &deep(too_deep)),
    ];
    for made in made {
        assert_eq!(made.unwrap_err().kind(), ErrorKind::Serialization);
    }
    for to in [&near, &far] {
        to.on("x", |delivery| {
            delivery.try_respond(deep(MAX_PAYLOAD_DEPTH + 1)).map(drop)
        })
        .map(|on| on.detach())
        .unwrap();
        let unchecked = Intent::of(intent().name().clone(), deep(too_deep).into());
        let refused = a.try_send(to.id(), unchecked).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Serialization);
        // And who answers so fails.
        let fits = Intent::new("x", deep(MAX_PAYLOAD_DEPTH)).unwrap();
        let failed = a.request(to.id(), fits).await.unwrap_err();
        assert_eq!(failed.kind(), ErrorKind::HandlerFailed);
        assert_eq!(to.stats().messages_received, 1);
    }
}

#[tokio::test]
async fn a_mailbox_keeps_many_short_envelopes_or_few_long_ones() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    b.on_async("x", |_| std::future::pending::<()>())
        .unwrap()
        .detach();
    a.send_with("b", intent(), SendOptions::default().level(Level::Received))
        .await
        .unwrap();
    while b.stats().queued.total() > 0 {
        tokio::task::yield_now().await;
    }
    let long = Intent::new("x", "x".repeat(MAX_PAYLOAD_LEN - 2)).unwrap();
    let fit = (0..MAILBOX_CAPACITY).take_while(|_| a.try_send("b", long.clone()).is_ok());
    assert_eq!(fit.count(), 16, "16 MiB");
    assert_eq!(b.stats().queued.normal, 16);
    let full = a.try_send("b", intent()).unwrap_err();
    assert_eq!(full.kind(), ErrorKind::QueueFull);
}

/// What all say to all others, as it came, ends by the limit of hops alone, however many they are.
#[tokio::test(start_paused = true)]
async fn what_all_send_on_to_all_dies_out() {
    for count in [2, 6, 40] {
        let bus = Bus::new();
        let peers: Vec<_> = (0..count)
            .map(|n| bus.peer(format!("p{n}")).unwrap())
            .collect();
        let ids: Arc<[PeerId]> = peers.iter().map(|peer| peer.id().clone()).collect();
        for peer in &peers {
            let all = ids.clone();
            peer.on_async("x", move |delivery| reflect(delivery, all.clone()))
                .unwrap()
                .detach();
        }
        let quiet = bus.peer("quiet").unwrap();
        quiet.send("p1", intent()).await.unwrap();
        while bus.stats().queued > 0 || !idle(&quiet, &ids).await {
            tokio::task::yield_now().await;
        }
        let calls = bus.stats().handler_calls;
        assert!((9..=256).contains(&calls), "{calls} among {count}");
    }
}

/// Sends it on to all others, waiting for room, twice.
async fn reflect(delivery: Delivery, all: Arc<[PeerId]>) -> Result<(), shiome_bus::BusError> {
    let peer = delivery.peer()?;
    let others = || all.iter().filter(|id| *id != peer.id());
    for id in others().chain(others()) {
        // Those that it may no longer go to are no reason to stop.
        let _ = peer.send(id, delivery.intent().clone()).await;
    }
    Ok(())
}

/// Whether all have worked off what they had when this began, and got nothing meanwhile.
async fn idle(asks: &shiome_bus::Peer, ids: &[PeerId]) -> bool {
    let before = asks.bus().stats().handler_calls;
    for id in ids {
        asks.ping(id, SOON).await.unwrap();
    }
    let after = asks.bus().stats();
    before == after.handler_calls && after.queued == 0
}

#[test]
fn a_payload_that_was_made_can_be_looked_at() {
    let made = Payload::from(deep(200));
    assert!(made.value().is_array() && made == made.clone());
    assert!(Payload::json(&deep(200)).is_err());
}
