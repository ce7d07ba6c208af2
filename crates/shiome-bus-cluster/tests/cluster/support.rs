//! Nodes with a bus, over memory links.

use std::time::Duration;

use shiome_bus::{Bus, BusError, BusOptions, Delivery, ErrorKind, Intent, Peer, PeerId};
use shiome_bus_cluster::{ClusterBus, ClusterOptions};
use shiome_ractor::{Builder, Node, SessionInfo, node::NodeConnectionMode};
use shiome_transport::{Links, Policy, memory::Network};
use tokio::sync::mpsc;

/// Time for what must happen; on a paused clock nobody waits for it.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// A node with a bus that is linked over it.
pub(crate) struct Linked {
    pub(crate) node: Node,
    pub(crate) bus: Bus,
    pub(crate) links: ClusterBus,
    address: String,
}

pub(crate) fn builder(network: &Network, name: &str) -> Builder {
    let links = Links::new(Policy::Any).with_scheme("mem", network.scheme(name));
    Node::builder(format!("{name}@127.0.0.1:0"))
        .cookie("the cookie of the tests")
        .connection_mode(NodeConnectionMode::Isolated)
        .links(links)
        .listen_at(format!("mem:{name}"))
}

/// A node of that name, which no other test has.
pub(crate) async fn linked(network: &Network, name: &str) -> Linked {
    let bus = Bus::with(BusOptions::default());
    linked_with(network, name, bus, ClusterOptions::default()).await
}

pub(crate) async fn linked_with(
    network: &Network,
    name: &str,
    bus: Bus,
    options: ClusterOptions,
) -> Linked {
    let node = builder(network, name).start().await.unwrap();
    let links = ClusterBus::new(&node, &bus, options).unwrap();
    Linked {
        node,
        bus,
        links,
        address: format!("mem:{name}"),
    }
}

impl Linked {
    /// Dials the other, until its node has noticed that an earlier session is gone.
    pub(crate) async fn dial(&self, other: &Self) -> SessionInfo {
        let dialling = async {
            loop {
                match self.node.connect(&other.address).await {
                    Ok(session) => return session,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(SOON, dialling).await.unwrap()
    }

    pub(crate) fn peer(&self, name: &str) -> Peer {
        self.bus.peer(name).unwrap()
    }
}

pub(crate) fn intent(name: &str) -> Intent {
    Intent::new(name, name).unwrap()
}

pub(crate) fn id(name: &str) -> PeerId {
    PeerId::new(name).unwrap()
}

pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, BusError>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// What a peer is sent.
pub(crate) fn inbox(peer: &Peer) -> mpsc::UnboundedReceiver<Delivery> {
    let (put, inbox) = mpsc::unbounded_channel();
    let all = peer.on_any(move |delivery| drop(put.send(delivery.clone())));
    all.unwrap().detach();
    inbox
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::task::yield_now().await;
            tokio::time::advance(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(SOON, waiting).await.unwrap();
}
