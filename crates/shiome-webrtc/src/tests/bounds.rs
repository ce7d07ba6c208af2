//! Nothing stays behind.

use super::*;

/// Tasks of this runtime.
fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_connections_leave_nothing_behind() {
    let mut world = World::new();
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    let round = async |world: &mut World, number: u64| {
        world.connect().await;
        world.a.send(&world.b, number).await;
        world.b.hears(number as usize + 1).await;
        let [closing, other] = match number % 2 {
            0 => [&world.a, &world.b],
            _ => [&world.b, &world.a],
        };
        closing.rtc.disconnect(other.peer.id()).unwrap();
        other.rtc.disconnect(closing.peer.id()).unwrap();
        let sky = &world.sky;
        wait("closed", || sky.sockets() == 0).await;
    };
    for number in 0..100 {
        round(&mut world, number).await;
    }
    let settle = async || tokio::time::sleep(60 * SECOND).await;
    settle().await;
    let before = (tasks(), world.a.bus.links().len());
    for number in 100..1000 {
        round(&mut world, number).await;
    }
    settle().await;
    assert_eq!((tasks(), world.a.bus.links().len()), before);
    assert!(world.a.rtc.paths().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_ends_all() {
    let mut world = World::new();
    let before = tasks();
    world.connect().await;
    assert!(tasks() > before);
    let World { sky, a, b, relay } = world;
    drop((a.rtc, b.rtc));
    wait("ended", || sky.sockets() == 0 && tasks() < before).await;
    assert_eq!(a.bus.links().len(), 1, "the other link is left");
    a.peer
        .ping("b", SECOND)
        .await
        .expect("and goes on carrying");
    drop((relay, b.peer));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_signals_is_bounded() {
    let world = World::new();
    let rogue = world.b.bus.peer("rogue").unwrap();
    rogue.wait_for("a", SECOND).await.unwrap();
    let before = tasks();
    for number in 0..5000 {
        let payload = serde_json::json!({
            "version": 1, "session": format!("s{number}"), "incarnation": 1,
            "sdp": "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n",
        });
        let name = shiome_bus::Name::any("sys.rtc.offer").unwrap();
        let intent = Intent::of(name, payload.into());
        rogue.send("a", intent).await.unwrap();
    }
    assert!(tasks() <= before + 10, "one session at a time");
    tokio::time::sleep(120 * SECOND).await;
    assert_eq!(tasks(), before);
    assert_eq!(world.sky.sockets(), 0);
}
