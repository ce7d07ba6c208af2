//! All of it at once, by chance from a seed: order is kept, and nothing is lost or handled twice while the relay works.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::IceServer;

/// What both ends heard is what was sent.
fn check(world: &World, count: u64, what: &str) {
    for machine in [&world.a, &world.b] {
        let heard = machine.heard();
        let wrong = heard.iter().zip(0..).position(|(heard, n)| *heard != n);
        let around = wrong.map(|at| &heard[at.saturating_sub(3)..(at + 4).min(heard.len())]);
        let drops = machine.bus.recent_drops();
        let drops: Vec<_> = drops
            .iter()
            .map(|d| (d.intent.to_string(), d.reason))
            .collect();
        let dropped = drops.iter().rev().take(5);
        assert_eq!(
            (around, heard.len() as u64),
            (None, count),
            "{what} {}: {:?}",
            machine.peer.id(),
            dropped.collect::<Vec<_>>()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_befalls_the_channel_all_arrives_in_order_and_once() {
    for seed in 0..5 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let world = World::new();
        world.a.peer.wait_for("b", SECOND).await.unwrap();
        world.b.peer.wait_for("a", SECOND).await.unwrap();
        let (mut next, mut log) = (Instant::now(), Vec::new());
        for number in 0..6000 {
            world.a.send(&world.b, number).await;
            world.b.send(&world.a, number).await;
            tokio::time::sleep(5 * MS).await;
            if Instant::now() < next {
                continue;
            }
            next = Instant::now() + MS * rng.random_range(5..3000);
            let [one, other] = match rng.random_range(0..2) {
                0 => [&world.a, &world.b],
                _ => [&world.b, &world.a],
            };
            let action = rng.random_range(0..8);
            log.push((number, action, one.peer.id().to_string()));
            match action {
                0..=3 => one.rtc.connect(other.peer.id()).unwrap(),
                4 => one.rtc.disconnect(other.peer.id()).unwrap(),
                5 => {
                    one.rtc.disconnect(other.peer.id()).unwrap();
                    one.rtc.connect(other.peer.id()).unwrap();
                }
                6 => world.silence(true),
                _ => world.silence(false),
            }
        }
        world.silence(false);
        tokio::time::sleep(30 * SECOND).await;
        check(&world, 6000, &format!("{seed} {log:?}"));
    }
}

/// In bursts, in both lanes, and of all lengths.
#[tokio::test(start_paused = true)]
async fn whatever_befalls_the_channel_bursts_arrive_in_order_and_once() {
    for seed in 0..2 {
        let mut rng = SmallRng::seed_from_u64(seed);
        let world = World::new();
        world.a.peer.wait_for("b", SECOND).await.unwrap();
        world.b.peer.wait_for("a", SECOND).await.unwrap();
        let heard = [&world.a, &world.b].map(|machine| {
            let heard = Arc::new(Mutex::new([Vec::new(), Vec::new()]));
            let log = Arc::clone(&heard);
            let hears = move |delivery: &shiome_bus::Delivery| {
                let text = delivery.payload().as_str().unwrap();
                let number: u64 = text.split(' ').next().unwrap().parse().unwrap();
                log.lock().unwrap()[number as usize % 2].push(number);
            };
            machine.peer.on("blob", hears).unwrap().detach();
            heard
        });
        let mut number = 0;
        let mut log = Vec::new();
        for _ in 0..120 {
            for _ in 0..rng.random_range(1..300) {
                let len = match rng.random_range(0..20) {
                    0 => 40_000,
                    1..4 => 3_000,
                    _ => 10,
                };
                for [from, to] in [[&world.a, &world.b], [&world.b, &world.a]] {
                    let priority = [shiome_bus::Priority::Normal, shiome_bus::Priority::Bulk];
                    let options = shiome_bus::SendOptions::default()
                        .priority(priority[number as usize % 2])
                        .timeout(60 * SECOND);
                    let intent = Intent::new("blob", format!("{number} {}", "x".repeat(len)));
                    let sent = from
                        .peer
                        .send_with(to.peer.id(), intent.unwrap(), options)
                        .await;
                    sent.unwrap();
                }
                number += 1;
            }
            let [one, other] = match rng.random_range(0..2) {
                0 => [&world.a, &world.b],
                _ => [&world.b, &world.a],
            };
            let action = rng.random_range(0..8);
            log.push((number, action));
            match action {
                0..=3 => one.rtc.connect(other.peer.id()).unwrap(),
                4 => one.rtc.disconnect(other.peer.id()).unwrap(),
                5 => {
                    one.rtc.disconnect(other.peer.id()).unwrap();
                    one.rtc.connect(other.peer.id()).unwrap();
                }
                6 => world.silence(true),
                _ => world.silence(false),
            }
            tokio::time::sleep(MS * rng.random_range(5..2000)).await;
        }
        world.silence(false);
        tokio::time::sleep(60 * SECOND).await;
        for (heard, machine) in heard.iter().zip([&world.a, &world.b]) {
            let heard = heard.lock().unwrap();
            for (lane, heard) in heard.iter().enumerate() {
                let all = (lane as u64..number).step_by(2);
                let wrong = heard
                    .iter()
                    .copied()
                    .zip(all.clone())
                    .position(|(h, n)| h != n);
                let around =
                    wrong.map(|at| &heard[at.saturating_sub(3)..(at + 4).min(heard.len())]);
                let drops = machine.bus.recent_drops();
                let drops: Vec<_> = drops
                    .iter()
                    .rev()
                    .map(|d| (d.intent.to_string(), d.reason))
                    .take(5)
                    .collect();
                assert_eq!(
                    (around, heard.len()),
                    (None, all.count()),
                    "{seed} {lane} {drops:?} {log:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_who_call_at_nearly_the_same_time_both_get_one_channel() {
    for after in (0..400).step_by(7) {
        let mut world = World::new();
        world.a.peer.wait_for("b", SECOND).await.unwrap();
        world.b.peer.wait_for("a", SECOND).await.unwrap();
        let [first, second] = match after % 2 {
            0 => [&world.a, &world.b],
            _ => [&world.b, &world.a],
        };
        first.rtc.connect(second.peer.id()).unwrap();
        tokio::time::sleep(MS * after).await;
        second.rtc.connect(first.peer.id()).unwrap();
        let start = Instant::now();
        world.a.direct().await;
        world.b.direct().await;
        assert!(
            start.elapsed() < 2 * SECOND,
            "{after}: {:?}",
            start.elapsed()
        );
        tokio::time::sleep(20 * SECOND).await;
        assert_eq!(world.sky.sockets(), 2, "{after}");
        for machine in [&world.a, &world.b] {
            let paths = machine.rtc.paths();
            assert!(
                paths.iter().all(|(_, path)| path.is_direct()),
                "{after}: {paths:?}"
            );
        }
    }
}

/// A lent address is kept for hours, and one that is lost is lent anew.
#[tokio::test(start_paused = true)]
async fn a_lent_address_is_kept_and_got_again() {
    const SERVER: &str = "198.51.100.9:3478";
    let turn = || {
        let server = IceServer::turn("turn:198.51.100.9:3478", "alice", "secret");
        friendly()
            .heartbeat(20 * SECOND)
            .ice_server(server.unwrap())
            .relay_only()
    };
    let sky = Sky::new(9, Weather::default());
    sky.serve(SERVER);
    let a = Machine::new(&sky, "a", "10.0.0.2", turn());
    let b = Machine::new(&sky, "b", "10.0.1.2", turn());
    let relay = relay(&a, &b, 50 * MS);
    let mut world = World { sky, a, b, relay };
    world.connect().await;
    tokio::time::sleep(3 * 3600 * SECOND).await;
    world.a.send(&world.b, 0).await;
    world.b.hears(1).await;
    assert_eq!(world.b.heard_over("webrtc"), 1, "{:?}", world.a.rtc.paths());
    // The server begins anew, and knows nothing of what it has lent.
    world.sky.serve(SERVER);
    for number in 1..200 {
        world.a.send(&world.b, number).await;
        tokio::time::sleep(SECOND).await;
    }
    world.b.hears(200).await;
    assert_eq!(world.b.heard(), (0..200).collect::<Vec<_>>());
    assert!(world.a.rtc.path(world.b.peer.id()).unwrap().is_direct());
}
