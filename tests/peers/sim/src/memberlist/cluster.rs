use std::{net::SocketAddr, sync::Arc, time::Duration};

use memberlist_core::{
    Memberlist,
    delegate::{CompositeDelegate, EventDelegate, VoidDelegate},
    proto::{MaybeResolvedAddress, NodeState},
};
use shiome_sim::Conditions;
use smol_str::SmolStr;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::{
    SETTLING,
    hub::{Hub, address, node_at},
    options,
    transport::HubTransport,
};

/// Nodes and the network between them.
pub(super) struct Cluster {
    pub(super) hub: Hub,
    nodes: Vec<Option<Node>>,
}

type Void = VoidDelegate<SmolStr, SocketAddr>;
type Delegate = CompositeDelegate<SmolStr, SocketAddr, Void, Void, Witness, Void, Void, Void>;
type Node = Memberlist<HubTransport, Delegate>;

/// How exactly the end of something is known.
const TICK: Duration = Duration::from_millis(5);
/// How often a node that could not join tries again, as its owner would.
const RETRY: Duration = Duration::from_secs(1);

impl Cluster {
    pub(super) fn new(size: u32, conditions: Conditions, seed: u64) -> Self {
        Self {
            // One more, who may come later.
            hub: Hub::new(size + 1, conditions, seed),
            nodes: (0..=size).map(|_| None).collect(),
        }
    }

    /// A cluster that has converged and become quiet.
    pub(super) async fn settled(size: u32, conditions: Conditions, seed: u64) -> Self {
        let mut cluster = Self::new(size, conditions, seed);
        cluster.join_all(Duration::from_secs(1)).await;
        // Without a comparison of tables nothing makes sure that it ever converges.
        cluster.wait(SETTLING, Hub::is_complete).await;
        sleep(SETTLING).await;
        cluster
    }

    /// Starts all nodes within `span`, which join through the first.
    pub(super) async fn join_all(&mut self, span: Duration) {
        let begin = Instant::now();
        let size = self.nodes.len() as u32 - 1;
        self.start(0).await;
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let mut starts = Vec::from_iter(
            (1..size).map(|node| (Duration::from_nanos(self.hub.random(nanos)), node)),
        );
        starts.sort_unstable();
        for (after, node) in starts {
            sleep_until(begin + after).await;
            self.start(node).await;
            self.join(node, 0).await;
        }
    }

    pub(super) async fn start(&mut self, node: u32) {
        let witness = Witness {
            hub: self.hub.clone(),
            node,
        };
        let delegate = CompositeDelegate::new().with_event_delegate(witness);
        let started = Node::with_delegate(delegate, (self.hub.clone(), node), options()).await;
        let started = started.ok();
        if let Some(member) = &started {
            tokio::spawn(push_pull(member.clone(), node, self.hub.clone()));
        }
        self.nodes[node as usize] = started;
    }

    /// Begins to join, which goes on until it succeeds.
    pub(super) async fn join(&mut self, node: u32, seed: u32) {
        let Some(member) = self.nodes[node as usize].clone() else {
            return;
        };
        tokio::spawn(async move {
            let seed = MaybeResolvedAddress::Resolved(address(seed));
            while member.join(seed).await.is_err() {
                sleep(RETRY).await;
            }
        });
    }

    /// Ends a node without a word.
    pub(super) async fn crash(&mut self, node: u32) {
        self.hub.close(node);
        if let Some(member) = self.nodes[node as usize].take() {
            // Nobody sees it stop: it sends nothing any more.
            tokio::spawn(async move { drop(member.shutdown().await) });
        }
    }

    /// Waits for something, and tells when it came.
    pub(super) async fn wait(
        &self,
        patience: Duration,
        done: impl Fn(&Hub) -> bool,
    ) -> Option<Instant> {
        let end = Instant::now() + patience;
        let seen = async {
            while !done(&self.hub) {
                sleep(TICK).await;
            }
            Instant::now()
        };
        timeout_at(end, seen).await.ok()
    }

    /// A number below `bound`.
    pub(super) fn random(&self, bound: u32) -> u32 {
        self.hub.random(bound.into()) as u32
    }
}

/// Compares tables with a random member now and then, as `memberlist` itself does when its clock is real.
async fn push_pull(member: Node, node: u32, hub: Hub) {
    let millis = u64::try_from(PUSH_PULL_INTERVAL.as_millis()).unwrap_or(u64::MAX);
    sleep(Duration::from_millis(hub.random(millis))).await;
    loop {
        let size = member.num_online_members().await;
        sleep(PUSH_PULL_INTERVAL * scale(size)).await;
        if !hub.is_open(node) {
            break;
        }
        let mut others = member.online_members().await;
        others.retain(|other| other.id() != member.local_id());
        if others.is_empty() {
            continue;
        }
        let other = &others[hub.random(others.len() as u64) as usize];
        // It may just have died; there is a next time.
        drop(
            member
                .join(MaybeResolvedAddress::Resolved(*other.address()))
                .await,
        );
    }
}

/// Its default for a LAN.
const PUSH_PULL_INTERVAL: Duration = Duration::from_secs(30);

/// By how much the interval is longer in large clusters: twice from 33 nodes on, three times from 65, and so on.
fn scale(size: usize) -> u32 {
    let turns = size.max(1).next_power_of_two().ilog2();
    turns.saturating_sub(5) + 1
}

/// Passes on what a node tells.
struct Witness {
    hub: Hub,
    node: u32,
}

impl EventDelegate for Witness {
    type Id = SmolStr;
    type Address = SocketAddr;

    async fn notify_join(&self, member: Arc<NodeState<SmolStr, SocketAddr>>) {
        self.hub.told(self.node, node_at(*member.address()), true);
    }

    async fn notify_leave(&self, member: Arc<NodeState<SmolStr, SocketAddr>>) {
        self.hub.told(self.node, node_at(*member.address()), false);
    }

    async fn notify_update(&self, _: Arc<NodeState<SmolStr, SocketAddr>>) {}
}
