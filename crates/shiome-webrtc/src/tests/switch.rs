//! From one way to the other and back.

use shiome_bus::{BusError, Level, Priority, SendOptions};

use super::*;
use crate::Failure;

#[tokio::test(start_paused = true)]
async fn traffic_moves_to_the_channel_in_order_and_once() {
    let mut world = World::new();
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    for number in 0..3000 {
        world.a.send(&world.b, number).await;
        world.b.send(&world.a, number).await;
        tokio::time::sleep(MS / 2).await;
    }
    world.a.direct().await;
    world.b.direct().await;
    for machine in [&world.a, &world.b] {
        machine.hears(3000).await;
        assert_eq!(machine.heard(), (0..3000).collect::<Vec<_>>());
        assert!(machine.heard_over("memory") > 50, "it began there");
        assert!(machine.heard_over("webrtc") > 1000, "and went on there");
    }
}

#[tokio::test(start_paused = true)]
async fn traffic_moves_back_in_order_and_once_and_to_the_channel_again() {
    let mut world = World::new();
    world.connect().await;
    for number in 0..9000 {
        world.a.send(&world.b, number).await;
        world.b.send(&world.a, number).await;
        tokio::time::sleep(MS).await;
        match number {
            1000 => world.silence(true),
            6000 => world.silence(false),
            _ => {}
        }
    }
    world.a.direct().await;
    for machine in [&world.a, &world.b] {
        machine.hears(9000).await;
        tokio::time::sleep(30 * SECOND).await;
        let heard = machine.heard();
        let wrong = heard.iter().zip(0..).position(|(heard, n)| *heard != n);
        assert_eq!(wrong.map(|at| &heard[at - 2..at + 3]), None);
        assert_eq!(heard.len(), 9000);
        assert!(machine.heard_over("memory") > 1000);
        assert!(machine.heard_over("webrtc") > 1000);
    }
}

#[tokio::test(start_paused = true)]
async fn each_lane_keeps_its_order() {
    let world = World::new();
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    for number in 0..2000 {
        let priority = [Priority::Normal, Priority::Bulk][number as usize % 2];
        let options = SendOptions::default().priority(priority);
        let intent = Intent::new("number", number).unwrap();
        let sent = world.a.peer.send_with("b", intent, options).await;
        sent.unwrap();
        tokio::time::sleep(MS).await;
    }
    world.b.hears(2000).await;
    let heard = world.b.heard();
    for lane in 0..2 {
        let lane = heard.iter().filter(|number| **number % 2 == lane);
        assert!(lane.is_sorted());
    }
    assert!(world.b.heard_over("webrtc") > 500);
}

#[tokio::test(start_paused = true)]
async fn questions_are_answered_whichever_way_the_answer_goes() {
    let mut world = World::new();
    world.connect().await;
    world.silence(true);
    for number in 0..40_u64 {
        let intent = Intent::new("echo", number).unwrap();
        let answer = world.a.peer.request("b", intent).await;
        assert_eq!(answer.unwrap().parse::<u64>().unwrap(), number);
        tokio::time::sleep(100 * MS).await;
    }
    let handled = SendOptions::default().level(Level::Handled);
    let intent = Intent::new("number", 1).unwrap();
    let sent = world.a.peer.send_with("b", intent, handled).await;
    assert_eq!(sent.unwrap().via.to_string(), "memory");
    assert!(world.a.events_lost());
}

#[tokio::test(start_paused = true)]
async fn the_channel_goes_on_while_the_other_link_is_gone() {
    let mut world = World::new();
    world.connect().await;
    world.relay.cut();
    for number in 0..100 {
        world.a.send(&world.b, number).await;
    }
    world.b.hears(100).await;
    assert_eq!(world.b.heard_over("webrtc"), 100);
    world.relay.mend();
    tokio::time::sleep(60 * SECOND).await;
    world.a.send(&world.b, 100).await;
    world.b.hears(101).await;
    assert_eq!(world.b.heard_over("webrtc"), 101);
}

#[tokio::test(start_paused = true)]
async fn without_any_way_senders_are_told() {
    let mut world = World::new();
    world.connect().await;
    world.relay.cut();
    world.silence(true);
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::Unresponsive), "{failure}");
    let intent = || Intent::new("echo", 1).unwrap();
    let asked = world.a.peer.request("b", intent()).await;
    let error = asked.unwrap_err();
    assert!(
        matches!(error, BusError::NotConnected(_) | BusError::Timeout { .. }),
        "{error}"
    );
    tokio::time::sleep(60 * SECOND).await;
    let sent = world.a.peer.send("b", intent()).await;
    assert!(matches!(sent, Err(BusError::NotConnected(_))), "{sent:?}");
    world.relay.mend();
    world.a.send(&world.b, 7).await;
    world.b.hears(1).await;
    assert_eq!(world.b.heard_over("memory"), 1);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_answer_is_told_at_once_when_the_last_way_is_closed() {
    let mut world = World::new();
    world.connect().await;
    let heard = Arc::new(tokio::sync::Notify::new());
    let asked = Arc::clone(&heard);
    let listens = world.b.peer.on("mute", move |_| asked.notify_one());
    listens.unwrap().detach();
    let a = world.a.peer.clone();
    let request = tokio::spawn(async move {
        let intent = Intent::new("mute", ()).unwrap();
        a.request("b", intent).await
    });
    heard.notified().await;
    world.relay.cut();
    let start = Instant::now();
    world.a.rtc.disconnect("b").unwrap();
    let answer = request.await.unwrap();
    assert!(
        matches!(answer, Err(BusError::NotConnected(_))),
        "{answer:?}"
    );
    assert!(start.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_disconnects_goes_on_over_the_other_link() {
    let mut world = World::new();
    world.connect().await;
    for number in 0..500 {
        world.a.send(&world.b, number).await;
        if number == 250 {
            world.a.rtc.disconnect("b").unwrap();
        }
        tokio::time::sleep(MS).await;
    }
    world.b.hears(500).await;
    assert_eq!(world.b.heard(), (0..500).collect::<Vec<_>>());
    assert!(world.b.heard_over("memory") > 100);
    tokio::time::sleep(120 * SECOND).await;
    assert!(world.a.rtc.paths().is_empty(), "it makes no other");
    assert!(world.b.rtc.paths().is_empty());
    assert_eq!(world.sky.sockets(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_may_be_lost_goes_over_the_channel_that_loses() {
    let options = || {
        let options = friendly().heartbeat(10 * SECOND);
        options.unreliable("number").unwrap()
    };
    let mut world = World::with(options(), options());
    world.connect().await;
    world.sky.air(|air| {
        air.set_weather(Weather {
            loss: 30,
            ..Weather::default()
        });
    });
    for number in 0..300 {
        world.a.send(&world.b, number).await;
        tokio::time::sleep(10 * MS).await;
    }
    tokio::time::sleep(SECOND).await;
    let heard = world.b.heard().len();
    assert!((100..290).contains(&heard), "{heard}");
    assert_eq!(world.b.heard_over("memory"), 0);
}

#[tokio::test(start_paused = true)]
async fn peers_of_the_same_bus_that_have_no_channel_go_the_other_way() {
    let mut world = World::new();
    world.connect().await;
    let other = world.a.bus.peer("other").unwrap();
    world.b.peer.wait_for("other", SECOND).await.unwrap();
    let handled = SendOptions::default().level(Level::Handled);
    let intent = Intent::new("number", 1).unwrap();
    other.send_with("b", intent, handled).await.unwrap();
    assert_eq!(world.b.heard_over("memory"), 1);
}

impl Machine {
    /// Whether the channel was lost at some time.
    fn events_lost(&self) -> bool {
        let paths = self.rtc.paths();
        paths.iter().all(|(_, path)| !path.is_direct())
    }
}
