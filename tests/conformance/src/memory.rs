//! The paths inside one process: all peers on one bus, and a bus for each with memory links between all.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use shiome_bus::{
    Bus, BusError, BusOptions, Envelope, Inbound, Incarnation, Link, LinkKind, LinkOptions,
    LinkState, LinkStats, Peer, PeerId, PeerOptions, Remote,
    memory::{Connected, MemoryLink},
};
use tokio::{
    runtime::{Builder, Runtime},
    sync::watch,
};

use crate::stage::{BoxFuture, Stage, World};

/// Time for what needs some turns of tasks; nobody waits for it on a paused clock.
const SOON: Duration = Duration::from_secs(5);

fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_all().start_paused(true).build().unwrap()
}

pub(crate) struct OneBus;

impl Stage for OneBus {
    fn name(&self) -> &'static str {
        "bus"
    }

    fn runtime(&self) -> Runtime {
        paused()
    }

    fn open(&self, options: BusOptions) -> Box<dyn World> {
        Box::new(Shared(Bus::with(options)))
    }
}

struct Shared(Bus);

impl World for Shared {
    fn peer_with<'a>(&'a self, name: &'a str, options: PeerOptions) -> BoxFuture<'a, Peer> {
        Box::pin(async move { self.0.peer_with(name, options).unwrap() })
    }

    fn buses(&self) -> Vec<Bus> {
        vec![self.0.clone()]
    }

    fn cut(&self) -> bool {
        false
    }

    fn inject<'a>(&'a self, _: &'a str, _: &'a Peer, _: Envelope) -> BoxFuture<'a, bool> {
        // A peer says who it is by being it.
        Box::pin(async { false })
    }
}

pub(crate) struct MemoryStage;

impl Stage for MemoryStage {
    fn name(&self) -> &'static str {
        "memory link"
    }

    fn runtime(&self) -> Runtime {
        paused()
    }

    fn open(&self, options: BusOptions) -> Box<dyn World> {
        Box::new(Meshed {
            options,
            buses: Mutex::default(),
            links: Mutex::default(),
        })
    }
}

struct Meshed {
    options: BusOptions,
    buses: Mutex<Vec<(Bus, PeerId)>>,
    links: Mutex<Vec<Connected>>,
}

impl World for Meshed {
    fn peer_with<'a>(&'a self, name: &'a str, options: PeerOptions) -> BoxFuture<'a, Peer> {
        Box::pin(async move {
            let bus = Bus::with(self.options.clone());
            let peer = bus.peer_with(name, options).unwrap();
            let others = self.buses.lock().unwrap().clone();
            for (other, id) in &others {
                let ends = MemoryLink::new()
                    .ends(Remote::peer(peer.id().clone()), Remote::peer(id.clone()));
                let link = ends.connect(&bus, other).unwrap();
                self.links.lock().unwrap().push(link);
            }
            for (other, id) in &others {
                let Some(there) = other.names().first().cloned() else {
                    continue;
                };
                assert_eq!(there, *id);
                peer.wait_for(id, SOON).await.unwrap();
                let scout = other.peer(format!("scout-{}", peer.id())).unwrap();
                scout.wait_for(peer.id(), SOON).await.unwrap();
            }
            self.buses.lock().unwrap().push((bus, peer.id().clone()));
            peer
        })
    }

    fn buses(&self) -> Vec<Bus> {
        let buses = self.buses.lock().unwrap();
        buses.iter().map(|(bus, _)| bus.clone()).collect()
    }

    fn cut(&self) -> bool {
        self.links.lock().unwrap().iter().for_each(Connected::cut);
        true
    }

    fn inject<'a>(&'a self, end: &'a str, to: &'a Peer, envelope: Envelope) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let link = Arc::new(Puppet::default());
            let bus = to.bus();
            let id = bus.attach(Arc::clone(&link) as _, LinkOptions::default());
            let inbound = link.0.lock().unwrap().clone().unwrap();
            inbound.up(Remote::peer(PeerId::new(end).unwrap()));
            inbound.deliver(envelope).await;
            bus.detach(id.unwrap())
        })
    }
}

/// A link whose other end is the test.
#[derive(Debug, Default)]
struct Puppet(Mutex<Option<Arc<dyn Inbound>>>);

impl Link for Puppet {
    fn kind(&self) -> LinkKind {
        LinkKind::new("puppet")
    }

    fn start(&self, inbound: Arc<dyn Inbound>) -> Result<(), BusError> {
        *self.0.lock().unwrap() = Some(inbound);
        Ok(())
    }

    fn try_send(&self, _: &Envelope) -> Result<(), BusError> {
        Ok(())
    }

    fn send<'a>(&'a self, _: &'a Envelope) -> BoxFuture<'a, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn flush(&self) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self, _: Duration) -> BoxFuture<'_, Result<(), BusError>> {
        Box::pin(async { Ok(()) })
    }

    fn state(&self) -> watch::Receiver<LinkState> {
        watch::channel(LinkState::Up).1
    }

    fn peers(&self) -> Vec<PeerId> {
        Vec::new()
    }

    fn stats(&self) -> LinkStats {
        LinkStats::new(self.kind())
    }

    fn local_peer(&self, _: &PeerId, _: Incarnation, _: bool) {}
}
