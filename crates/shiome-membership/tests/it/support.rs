use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use shiome_membership::{
    Builder, Config, Events, Membership, MembershipEvent, NodeId, Stats, Suspicion,
};

/// A hundred times what is expected on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Ten times as fast as by default, with as much patience with suspects as a busy machine needs.
pub(crate) fn quick() -> Config {
    let mut config = Config::default();
    config.probe_period = Duration::from_millis(100);
    config.probe_timeout = Duration::from_millis(50);
    config.suspicion = Suspicion {
        alpha: 4.0,
        beta: 6.0,
        confirmations: 2,
    };
    config.gossip_interval = Duration::from_millis(20);
    config.sync_interval = Duration::from_millis(100);
    config.announce_interval = Duration::from_millis(10);
    config.leave_timeout = Duration::from_millis(300);
    config.rejoin_interval = Duration::from_millis(500);
    config
}

/// As patient with suspects as can be, for where it is not looked at that members are found dead: what a thread misses
/// that has no processor is no reason.
pub(crate) fn patient() -> Config {
    let mut config = quick();
    config.suspicion.alpha = 100.0;
    config
}

/// An address of one test's own: a port that it gives back is nobody else's meanwhile.
pub(crate) fn own(test: u8) -> IpAddr {
    IpAddr::from([127, 0, 77, test])
}

pub(crate) fn any_port(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, 0)
}

/// Of a node of the cluster `tests`, that is quick.
pub(crate) fn builder() -> Builder {
    at(any_port(V4))
}

pub(crate) fn at(bind: SocketAddr) -> Builder {
    Membership::builder(bind).cluster("tests").config(quick())
}

/// A node, and a listener that hears its events from the start.
pub(crate) struct Node {
    pub(crate) membership: Membership,
    events: Events,
    /// Those that were waited through.
    pub(crate) heard: Vec<MembershipEvent>,
}

impl Node {
    pub(crate) async fn start(builder: Builder) -> Self {
        let membership = builder.start().await.unwrap();
        Self {
            events: membership.events(),
            membership,
            heard: Vec::new(),
        }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.membership.id()
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.membership.advertised_addr()
    }

    pub(crate) fn stats(&self) -> Stats {
        self.membership.stats()
    }

    /// The next event; `None` after the last.
    pub(crate) async fn next(&mut self) -> Option<MembershipEvent> {
        let event = within(self.events.next()).await;
        self.heard.extend(event.clone());
        event
    }

    /// Hears events until one is as wanted.
    pub(crate) async fn until<R>(&mut self, wanted: impl Fn(&MembershipEvent) -> Option<R>) -> R {
        loop {
            let event = self.next().await.expect("the node ended");
            if let Some(result) = wanted(&event) {
                return result;
            }
        }
    }

    /// Hears events until so many members are up.
    pub(crate) async fn until_members(&mut self, count: usize) {
        while self.membership.members().len() != count {
            self.next().await.expect("the node ended");
        }
    }

    /// Members that went down, so far.
    pub(crate) fn downs(&mut self) -> Vec<NodeId> {
        self.drain();
        let down = |event: &MembershipEvent| match event {
            MembershipEvent::MemberDown { id, .. } => Some(*id),
            _ => None,
        };
        self.heard.iter().filter_map(down).collect()
    }

    /// Hears what there is without waiting.
    fn drain(&mut self) {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        loop {
            let next = std::pin::pin!(self.events.next());
            match next.poll(&mut context) {
                std::task::Poll::Ready(Some(event)) => self.heard.push(event),
                _ => return,
            }
        }
    }
}

/// Starts `count` nodes, of which all but the first ask the first, and waits until each knows all.
pub(crate) async fn cluster(count: usize, builder: impl Fn(usize) -> Builder) -> Vec<Node> {
    let mut nodes = vec![Node::start(builder(0)).await];
    let seed = nodes[0].addr();
    for index in 1..count {
        nodes.push(Node::start(builder(index).seed(seed)).await);
    }
    for node in &mut nodes {
        node.until_members(count - 1).await;
    }
    nodes
}

/// Waits until each node has heard more of the others.
pub(crate) async fn talk(nodes: &[Node]) {
    let heard = |node: &Node| node.stats().engine.datagrams_received;
    let enough: Vec<_> = nodes.iter().map(|node| heard(node) + 8).collect();
    eventually(|| {
        nodes
            .iter()
            .zip(&enough)
            .all(|(node, enough)| heard(node) >= *enough)
    })
    .await;
}

/// Waits for what only counts tell, and looks at them every millisecond.
pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    let mut looks = tokio::time::interval(Duration::from_millis(1));
    within(async {
        while !condition() {
            looks.tick().await;
        }
    })
    .await;
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future)
        .await
        .expect("it takes too long")
}
