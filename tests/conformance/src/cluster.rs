//! The path over the sessions of a cluster: a node and a bus for each peer, and sessions between all.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use shiome_bus::{
    Bus, BusOptions, Envelope, Peer, PeerId, PeerOptions,
    wire::{Batch, Encoding, Frame, Message, Presence, decode},
};
use shiome_bus_cluster::{CHANNEL, ClusterBus, ClusterOptions};
use shiome_ractor::{ChannelConfig, Node, SessionInfo, node::NodeConnectionMode};
use shiome_transport::{Links, Policy, memory::Network};
use tokio::runtime::Runtime;

use crate::{
    memory::{meet, paused},
    stage::{BoxFuture, Stage, World},
};

const COOKIE: &str = "the cookie of the conformance table";

pub(crate) struct ClusterStage;

impl Stage for ClusterStage {
    fn name(&self) -> &'static str {
        "cluster link"
    }

    fn runtime(&self) -> Runtime {
        paused()
    }

    fn open(&self, options: BusOptions) -> Box<dyn World> {
        Box::new(Cluster {
            options,
            network: Network::default(),
            members: Mutex::default(),
            sessions: Mutex::default(),
        })
    }
}

struct Cluster {
    options: BusOptions,
    network: Network,
    members: Mutex<Vec<Arc<Member>>>,
    /// As the one that dialled has them.
    sessions: Mutex<Vec<SessionInfo>>,
}

struct Member {
    address: String,
    bus: Bus,
    id: PeerId,
    _node: Node,
    _links: ClusterBus,
}

/// Names of nodes are of the process.
fn next_name() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("n{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl Cluster {
    /// A node that listens at the address which it is called by.
    async fn node(&self) -> (String, Node) {
        let name = next_name();
        let links = Links::new(Policy::Any).with_scheme("mem", self.network.scheme(&name));
        let address = format!("mem:{name}");
        let node = Node::builder(format!("{name}@127.0.0.1:0"))
            .cookie(COOKIE)
            .connection_mode(NodeConnectionMode::Isolated)
            .links(links)
            .listen_at(&address)
            .start();
        (address, node.await.unwrap())
    }

    fn members(&self) -> Vec<Arc<Member>> {
        self.members.lock().unwrap().clone()
    }
}

impl World for Cluster {
    fn peer_with<'a>(&'a self, name: &'a str, options: PeerOptions) -> BoxFuture<'a, Peer> {
        Box::pin(async move {
            let (address, node) = self.node().await;
            let bus = Bus::with(self.options.clone());
            let links = ClusterBus::new(&node, &bus, ClusterOptions::default()).unwrap();
            let peer = bus.peer_with(name, options).unwrap();
            for other in self.members() {
                let session = node.connect(&other.address).await.unwrap();
                self.sessions.lock().unwrap().push(session);
            }
            for other in self.members() {
                meet(&peer, &other.bus, &other.id).await;
            }
            let member = Member {
                address,
                bus,
                id: peer.id().clone(),
                _node: node,
                _links: links,
            };
            self.members.lock().unwrap().push(Arc::new(member));
            peer
        })
    }

    fn buses(&self) -> Vec<Bus> {
        let members = self.members();
        members.iter().map(|member| member.bus.clone()).collect()
    }

    fn cut(&self) -> bool {
        let sessions = self.sessions.lock().unwrap();
        sessions.iter().for_each(SessionInfo::disconnect);
        true
    }

    fn inject<'a>(&'a self, end: &'a str, to: &'a Peer, envelope: Envelope) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            // A node that says by hand that it has that peer, and then whatever it is told to.
            let (_, node) = self.node().await;
            let mut channel = node.channel(CHANNEL, ChannelConfig::default()).unwrap();
            let member = self.members().into_iter();
            let member = { member }.find(|member| member.id == *to.id()).unwrap();
            let _session = node.connect(&member.address).await.unwrap();
            let mut link = channel.accept().await.unwrap();
            let mut presence = Presence::default();
            presence.all = true;
            // A name that is another's stays that.
            if self
                .members()
                .iter()
                .all(|member| member.id.as_str() != end)
            {
                let life = envelope.id.incarnation;
                presence.present.push((PeerId::new(end).unwrap(), life));
            }
            let frames = [
                Frame::Presence(presence),
                Frame::Envelope(envelope),
                Frame::Ping { nonce: 1 },
            ];
            link.send(message(&frames)).await.unwrap();
            // All that was said has been taken when the ping is answered.
            loop {
                let answer = link.recv().await.expect("the session stays");
                let frames = decode(&Message::Binary(answer)).unwrap();
                if frames.contains(&Frame::Pong { nonce: 1 }) {
                    break;
                }
            }
            node.stop().await;
            true
        })
    }
}

fn message(frames: &[Frame]) -> Bytes {
    let mut batch = Batch::new(Encoding::Binary);
    frames.iter().for_each(|frame| batch.push(frame));
    Bytes::copy_from_slice(batch.finish().as_bytes())
}
