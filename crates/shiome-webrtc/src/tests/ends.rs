//! What is still sent when a peer, a channel or an attempt ends.

use super::*;

fn blob(number: u64) -> Intent {
    Intent::new("blob", format!("{number} {}", "x".repeat(5_000))).unwrap()
}

/// Numbers of blobs that came.
fn blobs(machine: &Machine) -> Arc<Mutex<Vec<u64>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let counts = move |delivery: &shiome_bus::Delivery| {
        let text = delivery.payload().as_str().unwrap();
        let number = text.split(' ').next().unwrap().parse().unwrap();
        log.lock().unwrap().push(number);
    };
    machine.peer.on("blob", counts).unwrap().detach();
    heard
}

#[tokio::test(start_paused = true)]
async fn who_closes_waits_for_what_its_channel_has() {
    let mut world = World::new();
    world.connect().await;
    let heard = blobs(&world.b);
    for number in 0..500 {
        world.a.peer.send("b", blob(number)).await.unwrap();
    }
    world.a.peer.close(20 * SECOND).await.unwrap();
    wait("blobs", || heard.lock().unwrap().len() >= 500).await;
    assert_eq!(*heard.lock().unwrap(), (0..500).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_loses_nothing_that_was_sent() {
    let mut world = World::new();
    world.connect().await;
    let heard = blobs(&world.b);
    for number in 0..500 {
        world.a.peer.send("b", blob(number)).await.unwrap();
    }
    let World { sky, a, b, relay } = world;
    drop(a.rtc);
    wait("blobs", || heard.lock().unwrap().len() >= 500).await;
    assert_eq!(*heard.lock().unwrap(), (0..500).collect::<Vec<_>>());
    drop((sky, a.peer, b, relay));
}

/// All was flushed that was sent before, whichever way it went.
#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_goes_back_to_the_relay() {
    let mut world = World::new();
    world.connect().await;
    let heard = blobs(&world.b);
    world.silence(true);
    for number in 0..300 {
        world.a.peer.send("b", blob(number)).await.unwrap();
    }
    world.a.relayed().await;
    world.a.peer.close(60 * SECOND).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!(*heard.lock().unwrap(), (0..300).collect::<Vec<_>>());
}

/// Many large ones in both directions at once, through loss.
#[tokio::test(start_paused = true)]
async fn much_goes_both_ways_at_once_and_through_losses_of_the_way() {
    let mut world = World::new();
    world.connect().await;
    let (here, there) = (blobs(&world.a), blobs(&world.b));
    for number in 0..3000 {
        world.a.peer.send("b", blob(number)).await.unwrap();
        world.b.peer.send("a", blob(number)).await.unwrap();
        tokio::time::sleep(4 * MS).await;
        match number {
            500 | 1800 => world.silence(true),
            900 | 2100 => world.silence(false),
            _ => {}
        }
    }
    for heard in [here, there] {
        wait("blobs", || heard.lock().unwrap().len() >= 3000).await;
        let heard = heard.lock().unwrap();
        let wrong = heard.iter().zip(0..).position(|(heard, n)| *heard != n);
        assert_eq!((heard.len(), wrong), (3000, None));
    }
}

/// Who waits for room in the channel that loses gets it as soon as there is some.
#[tokio::test(start_paused = true)]
async fn a_burst_of_what_may_be_lost_waits_for_room_no_longer_than_needed() {
    let options = || friendly().unreliable("number").unwrap();
    let mut world = World::with(options(), options());
    world.connect().await;
    let start = Instant::now();
    for number in 0..1000 {
        world.a.send(&world.b, number).await;
    }
    assert!(start.elapsed() < SECOND, "{:?}", start.elapsed());
}

/// The last one, too, that waits for room on the relay.
#[tokio::test(start_paused = true)]
async fn who_closes_waits_for_what_goes_back_to_a_narrow_relay() {
    for capacity in [1, 2, 8] {
        let sky = Sky::new(7, Weather::default());
        let a = Machine::new(&sky, "a", "192.0.2.1", friendly());
        let b = Machine::new(&sky, "b", "192.0.2.2", friendly());
        let narrow = Conditions::default().latency(50 * MS).capacity(capacity);
        let relay = MemoryLink::new().conditions(narrow);
        let relay = relay.connect(&a.bus, &b.bus).unwrap();
        let mut world = World { sky, a, b, relay };
        world.connect().await;
        world.silence(true);
        for number in 0..50 {
            world.a.send(&world.b, number).await;
        }
        world.a.relayed().await;
        let closed = world.a.peer.close(60 * SECOND).await;
        tokio::time::sleep(10 * SECOND).await;
        let heard = world.b.heard();
        assert_eq!(heard.len(), 50, "{capacity}: {closed:?}");
        assert!(closed.is_ok(), "{capacity}: {closed:?}");
    }
}

/// Connections that come to nothing leave as little as others.
#[tokio::test(start_paused = true)]
async fn a_thousand_attempts_that_fail_leave_nothing_behind() {
    let tasks = || {
        tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
    };
    let options = || friendly().connect_timeout(3 * SECOND);
    let world = World::with(options(), options());
    let deaf = world.b.bus.peer("deaf").unwrap();
    deaf.on("sys.rtc.>", |_| ()).unwrap().detach();
    let rude = world.b.bus.peer("rude").unwrap();
    let refuses = rude.on("sys.rtc.>", |_| Err::<(), _>("no"));
    refuses.unwrap().detach();
    let _plain = world.b.bus.peer("plain").unwrap();
    for name in ["b", "deaf", "rude", "plain"] {
        world.a.peer.wait_for(name, SECOND).await.unwrap();
    }
    let settle = async || tokio::time::sleep(60 * SECOND).await;
    let mut before = (0, 0, 0);
    for round in 0..1000_u64 {
        if round == 100 {
            settle().await;
            let links = (world.a.bus.links().len(), world.b.bus.links().len());
            before = (tasks(), links.0, links.1);
        }
        world.silence(round % 10 < 5);
        let to = ["b", "deaf", "rude", "plain", "nobody"][round as usize % 5];
        world.a.rtc.connect(to).unwrap();
        // Given up at any time.
        tokio::time::sleep(MS * (round * 7 % 400) as u32).await;
        world.a.rtc.disconnect(to).unwrap();
        if round % 3 == 0 {
            tokio::time::sleep(5 * SECOND).await;
        }
    }
    settle().await;
    let links = (world.a.bus.links().len(), world.b.bus.links().len());
    assert_eq!((tasks(), links.0, links.1), before);
    assert_eq!(world.sky.sockets(), 0);
    assert!(world.a.rtc.paths().is_empty(), "{:?}", world.a.rtc.paths());
    assert!(world.b.rtc.paths().is_empty(), "{:?}", world.b.rtc.paths());
}
