//! Who comes in, and who does not.

use serde_json::{Value, json};
use shiome_bus::{Name, wire::CloseReason};

use super::*;
use crate::Failure;

fn signal(name: &str, payload: Value) -> Intent {
    Intent::of(Name::any(name).unwrap(), payload.into())
}

#[tokio::test(start_paused = true)]
async fn of_two_who_call_at_once_both_get_one_channel() {
    let mut world = World::new();
    world.b.peer.wait_for("a", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    world.b.rtc.connect("a").unwrap();
    world.a.direct().await;
    world.b.direct().await;
    tokio::time::sleep(60 * SECOND).await;
    assert_eq!(world.sky.sockets(), 2, "one for each");
    world.a.send(&world.b, 1).await;
    world.b.send(&world.a, 1).await;
    world.a.hears(1).await;
    world.b.hears(1).await;
    assert_eq!(world.a.heard_over("webrtc"), 1);
    assert_eq!(world.b.heard_over("webrtc"), 1);
}

#[tokio::test(start_paused = true)]
async fn strangers_are_refused_and_cost_nothing() {
    let mut world = World::with(friendly(), RtcOptions::default());
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(&failure, Failure::Refused(why) if &**why == "not allowed"));
    tokio::time::sleep(120 * SECOND).await;
    assert!(world.b.rtc.paths().is_empty());
    assert_eq!(world.b.bus.links().len(), 1, "no link was made for it");
    assert_eq!(world.sky.sockets(), 0);
    assert!(
        world.a.rtc.paths().is_empty(),
        "who is refused does not ask again"
    );
}

#[tokio::test(start_paused = true)]
async fn who_was_called_is_no_stranger() {
    let mut world = World::with(friendly(), RtcOptions::default());
    world.b.peer.wait_for("a", SECOND).await.unwrap();
    world.b.rtc.connect("a").unwrap();
    world.b.direct().await;
    world.a.direct().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_knows_no_webrtc_says_so_at_once() {
    let mut world = World::new();
    let plain = world.b.bus.peer("plain").unwrap();
    world.a.peer.wait_for("plain", SECOND).await.unwrap();
    let start = Instant::now();
    world.a.rtc.connect("plain").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::Unsupported), "{failure}");
    assert!(start.elapsed() < SECOND);
    drop(plain);
}

#[tokio::test(start_paused = true)]
async fn nobody_behind_a_name_is_a_failure_to_signal() {
    let mut world = World::new();
    world.a.rtc.connect("nobody").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::Signalling(_)), "{failure}");
    assert!(world.a.rtc.connect("a").is_err(), "itself");
    assert!(world.a.rtc.connect("no name").is_err());
}

#[tokio::test(start_paused = true)]
async fn an_offer_that_is_not_answered_ends_in_time() {
    let mut world = World::new();
    let deaf = world.b.bus.peer("deaf").unwrap();
    deaf.on("sys.rtc.>", |_| ()).unwrap().detach();
    world.a.peer.wait_for("deaf", SECOND).await.unwrap();
    let start = Instant::now();
    world.a.rtc.connect("deaf").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::NoAnswer), "{failure}");
    assert!(start.elapsed() <= crate::CONNECT_TIMEOUT + SECOND);
}

#[tokio::test(start_paused = true)]
async fn malformed_signals_are_refused_and_leave_nothing_behind() {
    let world = World::new();
    let rogue = world.b.bus.peer("rogue").unwrap();
    rogue.wait_for("a", SECOND).await.unwrap();
    let offer = |sdp: &str, session: &str| json!({ "version": 1, "session": session, "sdp": sdp, "incarnation": 1 });
    for (name, payload) in [
        ("sys.rtc.offer", json!(null)),
        ("sys.rtc.offer", json!({ "session": "x" })),
        ("sys.rtc.offer", offer("", "not a name")),
        ("sys.rtc.offer", offer(&"x".repeat(100_000), "a")),
        ("sys.rtc.dance", json!({})),
        ("sys.rtc.candidate", json!({ "session": 1 })),
    ] {
        let options = shiome_bus::SendOptions::default().level(shiome_bus::Level::Handled);
        let sent = rogue.send_with("a", signal(name, payload), options).await;
        let error = sent.unwrap_err();
        assert!(
            matches!(error, shiome_bus::BusError::HandlerFailed { .. }),
            "{error}"
        );
    }
    for (name, payload) in [
        ("sys.rtc.offer", offer("nonsense", "a")),
        ("sys.rtc.answer", offer("nonsense", "b")),
        (
            "sys.rtc.candidate",
            json!({ "session": "c", "candidate": "x" }),
        ),
        ("sys.rtc.close", json!({ "session": "d" })),
        ("sys.rtc.switch", json!({ "session": "e" })),
    ] {
        rogue.send("a", signal(name, payload)).await.unwrap();
    }
    tokio::time::sleep(60 * SECOND).await;
    assert!(world.a.rtc.paths().is_empty());
    assert_eq!(world.a.bus.links().len(), 1);
    assert_eq!(world.sky.sockets(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_malformed_is_told() {
    let mut world = World::new();
    let rogue = world.b.bus.peer("rogue").unwrap();
    rogue
        .on("sys.rtc.offer", |delivery| {
            let mut answer = delivery.payload().value().clone();
            answer["sdp"] = json!("v=0\r\nnonsense");
            let peer = delivery.peer()?;
            peer.try_send(delivery.from(), signal("sys.rtc.answer", answer))
                .map(drop)
        })
        .unwrap()
        .detach();
    world.a.peer.wait_for("rogue", SECOND).await.unwrap();
    world.a.rtc.connect("rogue").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::Malformed(_)), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_begins_anew_replaces_its_old_self() {
    let mut world = World::new();
    world.connect().await;
    let World { sky, a, b, .. } = &mut world;
    drop(std::mem::replace(
        &mut b.peer,
        Bus::new().peer("nobody").unwrap(),
    ));
    tokio::time::sleep(10 * MS).await;
    let mut again = Machine::new(sky, "b", "192.0.2.3", friendly());
    let _other = relay(a, &again, 50 * MS);
    again.peer.wait_for("a", SECOND).await.unwrap();
    again.rtc.connect("a").unwrap();
    again.direct().await;
    for number in 0..10 {
        again.send(a, number).await;
    }
    a.hears(10).await;
    assert_eq!(a.heard_over("webrtc"), 10);
    assert!(a.rtc.path(again.peer.id()).unwrap().is_direct());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_goodbye_is_gone_at_once() {
    let mut world = World::new();
    world.connect().await;
    let start = Instant::now();
    world.b.bus.close(SECOND).await.unwrap();
    let failure = world.a.relayed().await;
    assert!(
        matches!(
            failure,
            Failure::Closed(CloseReason::Closed | CloseReason::GoingAway)
        ),
        "{failure}"
    );
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn there_are_no_more_connections_than_allowed() {
    let mut world = World::with(friendly(), friendly().max_connections(1));
    world.connect().await;
    let sky = Arc::clone(&world.sky);
    let mut third = Machine::new(&sky, "c", "192.0.2.9", friendly());
    let _relay = relay(&third, &world.b, MS);
    third.peer.wait_for("b", SECOND).await.unwrap();
    third.rtc.connect("b").unwrap();
    let failure = third.relayed().await;
    assert!(
        matches!(failure, Failure::Closed(CloseReason::Limit)),
        "{failure}"
    );
    world.a.send(&world.b, 1).await;
    world.b.hears(1).await;
    assert_eq!(world.b.heard_over("webrtc"), 1);
}
