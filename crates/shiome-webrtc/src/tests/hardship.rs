//! What goes wrong while something else does.

use std::{sync::mpsc, thread};

use shiome_bus::DropReason;

use super::*;
use crate::Failure;

/// Drops of numbers for a reason.
fn dropped(machine: &Machine, reason: DropReason) -> usize {
    let drops = machine.bus.recent_drops();
    let numbers = drops.iter().filter(|d| d.intent.as_str() == "number");
    numbers.filter(|d| d.reason == reason).count()
}

/// Nothing could be bound: that is a reason like others.
#[tokio::test(start_paused = true)]
async fn a_session_that_cannot_begin_says_why() {
    let elsewhere = friendly().addresses(["203.0.113.99".parse().unwrap()]);
    let mut world = World::with(elsewhere, friendly());
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::Network(_)), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn an_end_without_addresses_says_so() {
    let mut world = World::with(friendly().addresses([]), friendly());
    world.a.peer.wait_for("b", SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    let failure = world.a.relayed().await;
    assert!(matches!(failure, Failure::NoCandidates), "{failure}");
}

/// What comes over one channel while the other is not open yet is of the peer, too.
#[tokio::test(start_paused = true)]
async fn what_comes_before_both_channels_are_open_is_not_lost() {
    let mut wrong = Vec::new();
    for seed in 0..60 {
        let weather = Weather {
            loss: 15,
            ..Weather::default()
        };
        let sky = Sky::new(seed, weather);
        let a = Machine::new(&sky, "a", "192.0.2.1", friendly());
        let b = Machine::new(&sky, "b", "192.0.2.2", friendly());
        let relay = relay(&a, &b, MS);
        let mut world = World { sky, a, b, relay };
        world.a.peer.wait_for("b", SECOND).await.unwrap();
        world.a.rtc.connect("b").unwrap();
        for number in 0..800 {
            world.a.send(&world.b, number).await;
            world.b.send(&world.a, number).await;
            tokio::time::sleep(5 * MS).await;
        }
        world.a.direct().await;
        tokio::time::sleep(30 * SECOND).await;
        for machine in [&world.a, &world.b] {
            let heard = machine.heard();
            let forged = dropped(machine, DropReason::Forged);
            if heard != (0..800).collect::<Vec<_>>() || forged > 0 {
                let name = machine.peer.id().to_string();
                wrong.push((seed, name, heard.len(), heard.is_sorted(), forged));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Many tasks of one peer send while others of them still wait for room on the other link.
async fn many_send_over_a_narrow_relay(latency: Duration) {
    let sky = Sky::new(7, Weather::default());
    let options = || friendly().connect_timeout(60 * SECOND);
    let a = Machine::new(&sky, "a", "192.0.2.1", options());
    let b = Machine::new(&sky, "b", "192.0.2.2", options());
    let narrow = Conditions::default().latency(latency).capacity(8);
    let relay = MemoryLink::new().conditions(narrow);
    let relay = relay.connect(&a.bus, &b.bus).unwrap();
    let mut world = World { sky, a, b, relay };
    world.a.peer.wait_for("b", 10 * SECOND).await.unwrap();
    let mut senders = tokio::task::JoinSet::new();
    let again = shiome_bus::SendOptions::default().timeout(600 * SECOND);
    for sender in 0..100_u64 {
        let peer = world.a.peer.clone();
        senders.spawn(async move {
            for number in 0..60 {
                let intent = Intent::new("number", sender * 1000 + number).unwrap();
                peer.send_with("b", intent, again).await.unwrap();
            }
        });
    }
    world.a.rtc.connect("b").unwrap();
    world.a.direct().await;
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    tokio::time::sleep(60 * SECOND).await;
    let heard = world.b.heard();
    let duplicates = dropped(&world.b, DropReason::Duplicate);
    assert_eq!((heard.len(), duplicates), (6000, 0));
    for sender in 0..100 {
        let of = heard.iter().filter(|number| **number / 1000 == sender);
        assert!(of.is_sorted(), "{sender}");
    }
    assert!(world.b.heard_over("webrtc") > 1000);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_others_wait_for_room_elsewhere_is_not_lost() {
    many_send_over_a_narrow_relay(50 * MS).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_while_others_wait_long_for_room_elsewhere_is_not_lost() {
    many_send_over_a_narrow_relay(2 * SECOND).await;
}

/// A slow relay has more under way than arrives in ten seconds.
#[tokio::test(start_paused = true)]
async fn what_is_long_under_way_over_the_relay_is_waited_for() {
    let sky = Sky::new(7, Weather::default());
    let options = || friendly().connect_timeout(200 * SECOND);
    let a = Machine::new(&sky, "a", "192.0.2.1", options());
    let b = Machine::new(&sky, "b", "192.0.2.2", options());
    let slow = Conditions::default().latency(12 * SECOND).capacity(8000);
    let relay = MemoryLink::new().conditions(slow);
    let relay = relay.connect(&a.bus, &b.bus).unwrap();
    let mut world = World { sky, a, b, relay };
    world.a.peer.wait_for("b", 60 * SECOND).await.unwrap();
    world.a.rtc.connect("b").unwrap();
    for number in 0..8000 {
        world.a.send(&world.b, number).await;
        tokio::time::sleep(10 * MS).await;
    }
    world.a.direct().await;
    tokio::time::sleep(60 * SECOND).await;
    let heard = world.b.heard();
    let duplicates = dropped(&world.b, DropReason::Duplicate);
    let wrong = heard.iter().zip(0..).position(|(heard, n)| *heard != n);
    assert_eq!((heard.len(), duplicates, wrong), (8000, 0, None));
    assert!(world.b.heard_over("webrtc") > 1);
}

/// Runs a world on virtual time in a thread of its own: time that stands still is a loop that never rests.
fn rests(what: &str, test: impl Future<Output = ()> + Send + 'static) {
    let (done, ended) = mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(test);
        done.send(()).unwrap();
    });
    let ended = ended.recv_timeout(40 * SECOND);
    assert!(ended.is_ok(), "{what}: it spins, or fails");
}

/// An acknowledgement that is due and cannot be said keeps nobody busy.
#[test]
fn a_lost_channel_rests_while_an_acknowledgement_is_due() {
    rests("lost", async {
        let mut world = World::new();
        world.connect().await;
        world.b.send(&world.a, 1).await;
        // It is under way; of what is sent from now on nothing arrives, and it is more than SCTP takes.
        tokio::time::sleep(MS).await;
        assert!(world.a.heard().is_empty());
        world.silence(true);
        for _ in 0..64 {
            let intent = Intent::new("blob", "x".repeat(16_000)).unwrap();
            world.a.peer.send("b", intent).await.unwrap();
        }
        world.a.hears(1).await;
        world.a.relayed().await;
        tokio::time::sleep(60 * SECOND).await;
    });
}

/// What rides along counts, too.
#[tokio::test(start_paused = true)]
async fn a_message_that_may_be_sent_is_not_too_long() {
    let mut world = World::with(friendly(), friendly().max_message(4096));
    world.connect().await;
    let heard = Arc::new(Mutex::new(0));
    let count = Arc::clone(&heard);
    let counts = move |_: &shiome_bus::Delivery| *count.lock().unwrap() += 1;
    world.b.peer.on("blob", counts).unwrap().detach();
    let mut sent = 0;
    for len in 3700..4100 {
        world.b.send(&world.a, len).await;
        tokio::time::sleep(50 * MS).await;
        // An acknowledgement is due now.
        let intent = Intent::new("blob", "x".repeat(len as usize)).unwrap();
        match world.a.peer.send("b", intent).await {
            Ok(_) => sent += 1,
            Err(shiome_bus::BusError::PayloadTooLarge { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(150 * MS).await;
        let path = world.a.rtc.path(world.b.peer.id());
        assert!(
            path.as_ref().is_some_and(Path::is_direct),
            "{len}: {path:?}"
        );
    }
    assert!((1..400).contains(&sent));
    assert_eq!(*heard.lock().unwrap(), sent);
}

/// Whatever waits, signals do not wait behind it.
#[tokio::test(start_paused = true)]
async fn signals_go_before_what_users_say() {
    let mut world = World::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    for machine in [&world.a, &world.b] {
        let log = Arc::clone(&seen);
        let look = move |envelope: &shiome_bus::Envelope| {
            let name = envelope.intent.name().as_str().to_owned();
            if name.starts_with("sys.rtc.") && name != "sys.rtc.switch" {
                log.lock().unwrap().push((name, envelope.priority));
            }
            shiome_bus::Verdict::Pass
        };
        machine.peer.intercept_outbound(look).unwrap().detach();
    }
    world.connect().await;
    let seen = seen.lock().unwrap();
    assert!(!seen.is_empty());
    let late: Vec<_> = seen
        .iter()
        .filter(|(_, priority)| *priority != shiome_bus::Priority::System)
        .collect();
    assert!(late.is_empty(), "{late:?}");
}

/// Who has begun anew has not had what was offered to its old self.
#[tokio::test(start_paused = true)]
async fn an_offer_of_a_new_life_counts_at_once() {
    let mut world = World::new();
    let old = world.b.bus.peer("c").unwrap();
    old.on("sys.rtc.>", |_| ()).unwrap().detach();
    world.a.peer.wait_for("c", SECOND).await.unwrap();
    world.a.rtc.connect("c").unwrap();
    tokio::time::sleep(SECOND).await;
    drop(old);
    tokio::time::sleep(SECOND).await;
    let mut again = Machine::new(&world.sky, "c", "192.0.2.3", friendly());
    let _other = relay(&world.a, &again, 50 * MS);
    again.peer.wait_for("a", SECOND).await.unwrap();
    let start = Instant::now();
    again.rtc.connect("a").unwrap();
    again.direct().await;
    let _ = world.a.events.next().await;
    assert!(start.elapsed() < 3 * SECOND, "{:?}", start.elapsed());
}

/// The relay may be away at the same time, as when a machine changes networks.
#[tokio::test(start_paused = true)]
async fn a_way_is_looked_for_anew_when_the_relay_is_there_again() {
    let sky = Sky::new(7, Weather::default());
    sky.air(|air| {
        air.nat("10.0.0.2", "203.0.113.1", false);
    });
    let a = Machine::new(&sky, "a", "10.0.0.2", friendly());
    let b = Machine::new(&sky, "b", "192.0.2.2", friendly());
    let relay = relay(&a, &b, 50 * MS);
    let mut world = World { sky, a, b, relay };
    world.connect().await;
    world.relay.cut();
    // The router forgets all, and gives the machine another address.
    world.sky.air(|air| {
        air.silence("203.0.113.1".parse().unwrap(), true);
        air.forget_nats();
        air.nat("10.0.0.2", "203.0.113.7", false);
    });
    tokio::time::sleep(4 * SECOND).await;
    world.relay.mend();
    let start = Instant::now();
    world.a.direct().await;
    assert!(start.elapsed() < 6 * SECOND, "{:?}", start.elapsed());
}

/// Two peers of one bus each have a channel to the same third.
#[tokio::test(start_paused = true)]
async fn two_peers_of_one_bus_reach_the_same_peer_each_over_a_channel_of_its_own() {
    let mut world = World::new();
    let second = world.a.bus.peer("a2").unwrap();
    let net = world.sky.net("192.0.2.1");
    let rtc = Rtc::start_on(&second, friendly(), net).unwrap();
    let mut events = rtc.events();
    world.connect().await;
    world.b.peer.wait_for("a2", SECOND).await.unwrap();
    rtc.connect("b").unwrap();
    let direct = async { while !events.next().await.unwrap().path.is_direct() {} };
    timeout(30 * SECOND, direct).await.unwrap();
    for number in 0..20 {
        world.a.send(&world.b, number).await;
        let intent = Intent::new("number", 100 + number).unwrap();
        second.send("b", intent).await.unwrap();
    }
    world.b.hears(40).await;
    assert_eq!(world.b.heard_over("webrtc"), 40);
    // And each goes on over the other link when its own channel is closed.
    world.a.rtc.disconnect("b").unwrap();
    tokio::time::sleep(SECOND).await;
    world.a.send(&world.b, 20).await;
    let intent = Intent::new("number", 120).unwrap();
    second.send("b", intent).await.unwrap();
    world.b.hears(42).await;
    assert_eq!(world.b.heard_over("webrtc"), 41);
}

/// What waits when the channel ends goes over the other link, however slow that is.
#[tokio::test(start_paused = true)]
async fn what_waits_goes_over_a_slow_relay_as_long_as_it_takes() {
    let sky = Sky::new(7, Weather::default());
    let a = Machine::new(&sky, "a", "192.0.2.1", friendly());
    let b = Machine::new(&sky, "b", "192.0.2.2", friendly());
    let narrow = Conditions::default().latency(50 * MS).capacity(8);
    let relay = MemoryLink::new().conditions(narrow);
    let relay = relay.connect(&a.bus, &b.bus).unwrap();
    let mut world = World { sky, a, b, relay };
    world.connect().await;
    world.silence(true);
    for number in 0..3000 {
        world.a.send(&world.b, number).await;
    }
    world.a.rtc.disconnect("b").unwrap();
    tokio::time::sleep(60 * SECOND).await;
    let heard = world.b.heard();
    assert_eq!(heard.len(), 3000);
    assert!(heard.is_sorted());
}

/// Who takes long to answer may do so although the way of the question is gone.
#[tokio::test(start_paused = true)]
async fn an_answer_comes_late_over_the_other_link() {
    let mut world = World::new();
    world.connect().await;
    let slow = world
        .b
        .peer
        .on_async("slow", |asked: shiome_bus::Delivery| async move {
            tokio::time::sleep(50 * SECOND).await;
            asked
                .peer()?
                .try_respond(&asked, Intent::new("done", 1)?)
                .map(drop)
        });
    slow.unwrap().detach();
    let peer = world.a.peer.clone();
    let asked = tokio::spawn(async move {
        let options = shiome_bus::SendOptions::default().timeout(100 * SECOND);
        let intent = Intent::new("slow", ()).unwrap();
        peer.request_with("b", intent, options).await
    });
    tokio::time::sleep(SECOND).await;
    world.a.rtc.disconnect("b").unwrap();
    let answer = asked.await.unwrap();
    assert!(answer.is_ok(), "{answer:?}");
}
