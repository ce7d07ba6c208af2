//! Two machines with a bus each, on virtual time: another link between them, and a network.

mod bounds;
mod chaos;
mod doors;
mod ends;
mod hardship;
mod letters;
#[cfg(feature = "cluster")]
mod links;
mod nat;
mod panics;
mod rogue;
mod switch;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use shiome_bus::{
    Bus, Intent, Peer,
    memory::{Conditions, Connected, MemoryLink},
};
use tokio::time::{Instant, timeout};

use crate::{
    Path, Rtc, RtcEvents, RtcOptions,
    sim::{Sky, Weather},
};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// One machine.
struct Machine {
    bus: Bus,
    peer: Peer,
    rtc: Rtc,
    events: RtcEvents,
    /// Numbers that came, and over which kind of link.
    heard: Arc<Mutex<Vec<(u64, String)>>>,
}

impl Machine {
    fn new(sky: &Arc<Sky>, name: &str, address: &str, options: RtcOptions) -> Self {
        let bus = Bus::new();
        let peer = bus.peer(name).unwrap();
        let rtc = Rtc::start_on(&peer, options, sky.net(address)).unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        peer.on("number", move |delivery| {
            let via = delivery.via().to_string();
            log.lock().unwrap().push((delivery.parse()?, via));
            Ok::<_, shiome_bus::BusError>(())
        })
        .unwrap()
        .detach();
        peer.on("echo", |delivery| {
            delivery.try_respond(delivery.payload().clone()).map(drop)
        })
        .unwrap()
        .detach();
        Self {
            events: rtc.events(),
            bus,
            peer,
            rtc,
            heard,
        }
    }

    fn heard(&self) -> Vec<u64> {
        let heard = self.heard.lock().unwrap();
        heard.iter().map(|(number, _)| *number).collect()
    }

    fn heard_over(&self, kind: &str) -> usize {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|(_, via)| via == kind).count()
    }

    async fn send(&self, to: &Self, number: u64) {
        let intent = Intent::new("number", number).unwrap();
        let sent = self.peer.send(to.peer.id(), intent).await;
        sent.unwrap_or_else(|error| panic!("{number}: {error}"));
    }

    /// Waits until so many have come.
    async fn hears(&self, count: usize) {
        wait("numbers", || self.heard.lock().unwrap().len() >= count).await;
    }

    /// The next path that is like this.
    async fn path(&mut self, what: &str, like: impl Fn(&Path) -> bool) -> Path {
        let found = timeout(120 * SECOND, async {
            loop {
                let event = self.events.next().await.expect("it is not closed");
                if like(&event.path) {
                    return event.path;
                }
            }
        });
        let found = found.await;
        found.unwrap_or_else(|_| panic!("{what}: {:?}", self.rtc.paths()))
    }

    async fn direct(&mut self) {
        self.path("direct", Path::is_direct).await;
    }

    /// Why it is relayed.
    async fn relayed(&mut self) -> crate::Failure {
        let relayed = |path: &Path| matches!(path, Path::Relayed(_));
        match self.path("relayed", relayed).await {
            Path::Relayed(failure) => failure,
            path => panic!("{path:?}"),
        }
    }
}

/// Waits until something is so.
async fn wait(what: &str, so: impl Fn() -> bool) {
    let by = Instant::now() + 120 * SECOND;
    while !so() {
        assert!(Instant::now() < by, "{what}");
        // The clock is virtual: this takes no time.
        tokio::time::sleep(MS).await;
    }
}

/// Two machines that admit each other, with another link between them.
struct World {
    sky: Arc<Sky>,
    a: Machine,
    b: Machine,
    relay: Connected,
}

fn friendly() -> RtcOptions {
    RtcOptions::default().admit(|_| true).heartbeat(SECOND)
}

fn relay(a: &Machine, b: &Machine, latency: Duration) -> Connected {
    let conditions = Conditions::default().latency(latency);
    let link = MemoryLink::new().conditions(conditions);
    link.connect(&a.bus, &b.bus).unwrap()
}

impl World {
    fn new() -> Self {
        Self::with(friendly(), friendly())
    }

    fn with(first: RtcOptions, second: RtcOptions) -> Self {
        let sky = Sky::new(7, Weather::default());
        let a = Machine::new(&sky, "a", "192.0.2.1", first);
        let b = Machine::new(&sky, "b", "192.0.2.2", second);
        let relay = relay(&a, &b, 50 * MS);
        Self { sky, a, b, relay }
    }

    async fn connect(&mut self) {
        self.a.peer.wait_for("b", SECOND).await.unwrap();
        self.a.rtc.connect("b").unwrap();
        self.a.direct().await;
        self.b.direct().await;
    }

    /// No datagram gets through from now on, or does again.
    fn silence(&self, silent: bool) {
        self.sky.air(|air| {
            air.silence("192.0.2.1".parse().unwrap(), silent);
        });
    }
}
