//! What is lost is a dead letter, and what waits for room comes first.

use shiome_bus::{DropReason, Dropped, Intent};

use super::*;

/// Numbers that `a` has given up, as far as the ring of its bus goes.
fn dead(world: &World) -> Vec<Dropped> {
    let dropped = world.a.bus.recent_drops();
    let numbers = dropped
        .into_iter()
        .filter(|d| d.intent.as_str() == "number");
    numbers.collect()
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_a_dead_letter_when_there_is_no_way_left() {
    let mut world = World::new();
    world.connect().await;
    world.a.send(&world.b, 0).await;
    world.b.hears(1).await;
    // Its acknowledgement is there, too.
    tokio::time::sleep(SECOND).await;
    world.relay.cut();
    world.silence(true);
    for number in 1..=20 {
        world.a.send(&world.b, number).await;
    }
    assert_eq!(dead(&world), []);
    world.a.relayed().await;
    wait("dead letters", || dead(&world).len() >= 20).await;
    tokio::time::sleep(60 * SECOND).await;
    let dead = dead(&world);
    assert_eq!(dead.len(), 20, "each once: {dead:?}");
    assert!(dead.iter().all(|letter| letter.to.as_str() == "b"));
    assert_eq!(world.b.heard(), [0]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_a_dead_letter_when_its_peer_closes() {
    let mut world = World::new();
    world.connect().await;
    world.silence(true);
    for number in 0..20 {
        world.a.send(&world.b, number).await;
    }
    world.relay.cut();
    let bus = world.a.bus.clone();
    world.a.peer.close(MS).await.unwrap_err();
    wait("dead letters", || bus.recent_drops().len() >= 20).await;
    let reasons = [DropReason::Closed, DropReason::NotConnected];
    let dropped = bus.recent_drops();
    let known = dropped.iter().filter(|d| d.intent.as_str() == "number");
    assert_eq!(known.clone().count(), 20);
    for letter in known {
        assert!(reasons.contains(&letter.reason), "{letter:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_room_elsewhere_is_before_the_channel() {
    let sky = Sky::new(7, Weather::default());
    let a = Machine::new(&sky, "a", "192.0.2.1", friendly());
    let b = Machine::new(&sky, "b", "192.0.2.2", friendly());
    let narrow = Conditions::default().latency(50 * MS).capacity(8);
    let relay = MemoryLink::new().conditions(narrow);
    let relay = relay.connect(&a.bus, &b.bus).unwrap();
    let mut world = World { sky, a, b, relay };
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let mut senders = tokio::task::JoinSet::new();
    for number in 0..1000_u64 {
        let peer = world.a.peer.clone();
        senders.spawn(async move {
            let intent = Intent::new("number", number).unwrap();
            peer.send("b", intent).await.unwrap();
        });
        tokio::time::sleep(2 * MS).await;
    }
    world.a.direct().await;
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    world.b.hears(1000).await;
    let order = world.b.heard();
    assert!(order.is_sorted(), "{order:?}");
    assert_eq!(order.len(), 1000);
    assert!(world.b.heard_over("memory") > 100);
    assert!(world.b.heard_over("webrtc") > 100);
}
