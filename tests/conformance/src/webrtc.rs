//! Data channels on loopback: a bus for each peer, signalled over memory links between all.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Mutex,
    time::Duration,
};

use shiome_bus::{
    Bus, BusOptions, Envelope, MAILBOX_CAPACITY, Peer, PeerId, PeerOptions, Remote, WeakPeer,
    memory::{Connected, MemoryLink},
};
use shiome_webrtc::{Rtc, RtcOptions};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

use crate::stage::{BoxFuture, Stage, World};

/// Time for what has to happen.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct WebRtcStage;

impl Stage for WebRtcStage {
    fn name(&self) -> &'static str {
        "WebRTC"
    }

    fn runtime(&self) -> Runtime {
        Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn open(&self, options: BusOptions) -> Box<dyn World> {
        Box::new(Meshed {
            options,
            nodes: Mutex::default(),
            links: Mutex::default(),
        })
    }
}

struct Meshed {
    options: BusOptions,
    nodes: Mutex<Vec<Node>>,
    links: Mutex<Vec<Connected>>,
}

#[derive(Clone)]
struct Node {
    bus: Bus,
    id: PeerId,
    peer: WeakPeer,
    rtc: Rtc,
}

/// Waits until a peer is reached over a channel.
async fn direct(rtc: &Rtc, to: &PeerId) {
    let mut events = rtc.events();
    let opened = async {
        while !rtc.path(to).is_some_and(|path| path.is_direct()) {
            events.next().await.expect("the service runs");
        }
    };
    let opened = timeout(PATIENCE, opened).await;
    opened.unwrap_or_else(|_| panic!("{:?}", rtc.paths()));
}

impl World for Meshed {
    fn peer_with<'a>(&'a self, name: &'a str, options: PeerOptions) -> BoxFuture<'a, Peer> {
        Box::pin(async move {
            let bus = Bus::with(self.options.clone());
            let peer = bus.peer_with(name, options).unwrap();
            let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
            let options = RtcOptions::default()
                .addresses([loopback])
                .admit(|_| true)
                // As much as a mailbox has, so that what is full is so everywhere.
                .queue(MAILBOX_CAPACITY, 4 << 20);
            let rtc = Rtc::start(&peer, options).unwrap();
            let others: Vec<Node> = {
                let nodes = self.nodes.lock().unwrap();
                let open = |node: &&Node| {
                    let peer = node.peer.upgrade();
                    peer.is_some_and(|peer| !peer.is_closed())
                };
                nodes.iter().filter(open).cloned().collect()
            };
            for other in &others {
                let ends = MemoryLink::new().ends(
                    Remote::peer(peer.id().clone()),
                    Remote::peer(other.id.clone()),
                );
                let link = ends.connect(&bus, &other.bus).unwrap();
                self.links.lock().unwrap().push(link);
                peer.wait_for(&other.id, PATIENCE).await.unwrap();
                let there = other.peer.upgrade().unwrap();
                there.wait_for(peer.id(), PATIENCE).await.unwrap();
                rtc.connect(&other.id).unwrap();
                direct(&rtc, &other.id).await;
                direct(&other.rtc, peer.id()).await;
            }
            self.nodes.lock().unwrap().push(Node {
                bus,
                id: peer.id().clone(),
                peer: peer.downgrade(),
                rtc,
            });
            peer
        })
    }

    fn buses(&self) -> Vec<Bus> {
        let nodes = self.nodes.lock().unwrap();
        nodes.iter().map(|node| node.bus.clone()).collect()
    }

    fn cut(&self) -> bool {
        self.links.lock().unwrap().iter().for_each(Connected::cut);
        // Without another way left, a channel that is closed leaves none at all.
        for node in &*self.nodes.lock().unwrap() {
            for (peer, _) in node.rtc.paths() {
                node.rtc.disconnect(&peer).unwrap();
            }
        }
        true
    }

    fn inject<'a>(&'a self, _: &'a str, _: &'a Peer, _: Envelope) -> BoxFuture<'a, bool> {
        // Who has the key of a channel is the peer that it was signalled for; the crate's own tests say what is not its own.
        Box::pin(async { false })
    }
}
