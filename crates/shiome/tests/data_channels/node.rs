//! A node that is reached over data channels alone, and its actors.

use std::{net::Ipv4Addr, sync::Arc, time::Duration};

use ractor::{
    Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent,
    pg::{self, GroupChangeMessage},
};
use shiome::{
    Builder, Node, RactorClusterMessage,
    bus::{
        Bus, LinkOptions, Peer,
        websocket::{ClientOptions, Links, Policy, WebSocketClient},
    },
    session::Config,
    webrtc::{RtcLinks, RtcOptions},
};
use tokio::sync::mpsc;

pub(crate) const COOKIE: &str = "a secret of this test alone";

/// Group of those who are told when somebody joins it.
pub(crate) const WATCHERS: &str = "data-channel-watchers";

/// Group of the counter.
pub(crate) const COUNTERS: &str = "data-channel-counters";

/// A node, and what it is signalled over.
pub(crate) struct Reached {
    pub(crate) node: Node,
    pub(crate) rtc: RtcLinks,
    _peer: Peer,
}

/// A peer of this name on the relay.
async fn peer(name: &str, relay: &str) -> Peer {
    let bus = Bus::new();
    let peer = bus.peer(name).unwrap();
    let links = Links::new(Policy::Any);
    let link = WebSocketClient::new(relay, peer.id(), links, ClientOptions::default());
    let link = Arc::new(link.unwrap());
    let uplink = LinkOptions::default().uplink();
    bus.attach(Arc::clone(&link) as _, uplink).unwrap();
    link.connected().await.unwrap();
    peer
}

/// A node that has no other way in or out, on loopback.
pub(crate) async fn start(name: &str, cookie: &str, relay: &str) -> Reached {
    let loopback = Ipv4Addr::LOCALHOST.into();
    start_with(
        name,
        cookie,
        relay,
        RtcOptions::default().addresses([loopback]),
    )
    .await
}

/// A node that has no other way in or out.
pub(crate) async fn start_with(
    name: &str,
    cookie: &str,
    relay: &str,
    options: RtcOptions,
) -> Reached {
    let peer = peer(name, relay).await;
    let rtc = RtcLinks::start(&peer, options.admit(|_| true)).unwrap();
    let mut session = Config::default();
    session.liveness_timeout = Duration::from_secs(3);
    let node: Builder = Node::builder(format!("{name}@{name}:0"))
        .cookie(cookie)
        .links(rtc.links())
        .session(session)
        .no_own_port()
        .listen_at(format!("rtc:{name}"))
        .advertise(format!("rtc:{name}"));
    Reached {
        node: node.start().await.unwrap(),
        rtc,
        _peer: peer,
    }
}

#[derive(RactorClusterMessage)]
pub(crate) enum Count {
    Add(u64),
    #[rpc]
    Total(RpcReplyPort<u64>),
}

/// Counts, and tells who joins the watchers what it has counted.
pub(crate) struct Counter;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Counter {
    type Msg = Count;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, own: ActorRef<Count>, (): ()) -> Result<u64, ActorProcessingErr> {
        pg::join(COUNTERS.to_owned(), vec![own.get_cell()]);
        pg::monitor(WATCHERS.to_owned(), own.get_cell());
        Ok(0)
    }

    async fn handle(
        &self,
        _: ActorRef<Count>,
        message: Count,
        total: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Count::Add(n) => *total += n,
            Count::Total(reply) => reply.send(*total)?,
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<Count>,
        event: SupervisionEvent,
        total: &mut u64,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ProcessGroupChanged(GroupChangeMessage::Join(_, _, joined)) = event
        {
            for watcher in joined {
                ActorRef::<Notice>::from(watcher).cast(Notice::Counted(*total))?;
            }
        }
        Ok(())
    }
}

#[derive(RactorClusterMessage)]
pub(crate) enum Notice {
    Counted(u64),
}

/// Hands on what it is told.
pub(crate) struct Watcher;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Watcher {
    type Msg = Notice;
    type State = mpsc::UnboundedSender<u64>;
    type Arguments = mpsc::UnboundedSender<u64>;

    async fn pre_start(
        &self,
        _: ActorRef<Notice>,
        heard: mpsc::UnboundedSender<u64>,
    ) -> Result<Self::State, ActorProcessingErr> {
        Ok(heard)
    }

    async fn handle(
        &self,
        _: ActorRef<Notice>,
        Notice::Counted(total): Notice,
        heard: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        heard.send(total)?;
        Ok(())
    }
}
