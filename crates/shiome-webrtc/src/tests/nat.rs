//! Through NAT, with servers that tell and lend addresses.

use super::*;
use crate::{Failure, IceServer};

const SERVER: &str = "198.51.100.9:3478";

fn stun() -> RtcOptions {
    let server = IceServer::stun("stun:198.51.100.9").unwrap();
    friendly().ice_server(server)
}

fn turn(password: &str) -> RtcOptions {
    let server = IceServer::turn("turn:198.51.100.9:3478", "alice", password);
    friendly().ice_server(server.unwrap())
}

/// Both machines behind NAT of their own.
fn hidden(options: [RtcOptions; 2], symmetric: bool) -> World {
    let [first, second] = options;
    let sky = Sky::new(9, Weather::default());
    sky.serve(SERVER);
    sky.air(|air| {
        air.nat("10.0.0.2", "203.0.113.1", symmetric);
        air.nat("10.0.1.2", "203.0.113.2", symmetric);
    });
    let a = Machine::new(&sky, "a", "10.0.0.2", first);
    let b = Machine::new(&sky, "b", "10.0.1.2", second);
    let relay = relay(&a, &b, 50 * MS);
    World { sky, a, b, relay }
}

async fn talk(world: &mut World) {
    for number in 0..20 {
        world.a.send(&world.b, number).await;
        world.b.send(&world.a, number).await;
    }
    world.a.hears(20).await;
    world.b.hears(20).await;
    assert_eq!(world.a.heard_over("webrtc"), 20);
    assert_eq!(world.b.heard_over("webrtc"), 20);
}

#[tokio::test(start_paused = true)]
async fn addresses_that_a_server_tells_open_the_way_through_nat() {
    let mut world = hidden([stun(), stun()], false);
    world.connect().await;
    talk(&mut world).await;
}

#[tokio::test(start_paused = true)]
async fn without_a_server_there_is_no_way_and_the_reason_is_told() {
    let mut world = hidden([friendly(), friendly()], false);
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::ChecksFailed), "{failure}");
    world.a.send(&world.b, 1).await;
    world.b.hears(1).await;
    assert_eq!(world.b.heard_over("memory"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_lent_address_gets_through_where_told_ones_do_not() {
    let mut world = hidden([stun(), stun()], true);
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::ChecksFailed), "{failure}");

    let mut world = hidden([turn("secret"), stun()], true);
    world.connect().await;
    talk(&mut world).await;
}

#[tokio::test(start_paused = true)]
async fn relay_only_shows_no_address_of_its_own() {
    let options = || turn("secret").relay_only();
    let mut world = hidden([options(), options()], false);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let look = move |envelope: &shiome_bus::Envelope| {
        log.lock()
            .unwrap()
            .push(envelope.intent.payload().to_string());
        shiome_bus::Verdict::Pass
    };
    world.a.peer.intercept_outbound(look).unwrap().detach();
    world.connect().await;
    talk(&mut world).await;
    let seen = seen.lock().unwrap().join("\n");
    assert!(seen.contains("198.51.100.9"), "the lent one is said");
    for own in ["10.0.0.2", "203.0.113.1"] {
        assert!(!seen.contains(own), "{own} is not: {seen}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_is_named() {
    let options = || turn("wrong").relay_only();
    let mut world = hidden([options(), turn("secret")], false);
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let failure = world.a.relayed().await;
    let server = SERVER.parse().unwrap();
    assert!(
        matches!(failure, Failure::TurnRefused(refused) if refused == server),
        "{failure}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_silent_is_named() {
    let mut world = hidden([turn("secret").relay_only(), stun()], false);
    world
        .sky
        .air(|air| air.silence("198.51.100.9".parse().unwrap(), true));
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::TurnUnreachable(_)), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn loss_and_reordering_change_nothing_but_time() {
    let mut world = hidden([stun(), stun()], false);
    let weather = Weather {
        jitter: 15 * MS,
        loss: 5,
        ..Weather::default()
    };
    world.sky.air(|air| air.set_weather(weather));
    world.connect().await;
    for number in 0..500 {
        world.a.send(&world.b, number).await;
    }
    world.b.hears(500).await;
    assert_eq!(world.b.heard(), (0..500).collect::<Vec<_>>());
}

/// Both ends are told, whichever finds out first.
#[tokio::test(start_paused = true)]
async fn why_there_is_no_way_is_told_at_both_ends() {
    let mut world = hidden([friendly(), turn("wrong").relay_only()], false);
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let theirs = world.b.relayed().await;
    assert!(matches!(theirs, Failure::TurnRefused(_)), "{theirs}");
    let ours = world.a.relayed().await;
    assert!(
        !matches!(ours, Failure::Closed(_)),
        "{ours}: nobody closed it"
    );
}
