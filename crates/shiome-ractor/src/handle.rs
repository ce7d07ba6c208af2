use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use ractor::{ActorCell, ActorRef, Message, rpc::CallResult};
use shiome_session::{ChannelConfig, ChannelError};
use shiome_transport::{Address, limits::Counts};
use tokio::{sync::broadcast, task::JoinSet, time::Instant};

use crate::{
    LinkInfo,
    builder::Builder,
    channel::Channel,
    connector::Connector,
    events::{Events, NodeEvent, SessionInfo, WeakBroadcast},
    exposure::{ExportError, Exposure},
    node::{
        Ending, NodeServerMessage, Serving, Strangers, client::keep_connected, node_session::Shared,
    },
    outcome::ConnectError,
    reconnect::{Connection, KeepError, Reconnect},
    remote::{NodeMonitor, RemoteRef},
};
#[cfg(feature = "membership")]
use crate::{
    gossip::{Handle, Member},
    membership::Membership,
};

/// Time for an answer of the node's own actors. They only look things up.
const ASK_TIMEOUT: Duration = Duration::from_secs(5);

/// A running node: this process in the cluster.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use shiome_ractor::Node;
///
/// let node = Node::builder("a@127.0.0.1:4697")
///     .cookie("a long secret that all nodes share")
///     .start()
///     .await?;
/// let peer = node.connect("127.0.0.1:4698").await?;
/// println!("connected to {}", peer.name);
/// node.stop().await;
/// # Ok(())
/// # }
/// ```
///
/// Dropping it leaves the node running.
#[derive(Debug)]
pub struct Node {
    pub(crate) connector: Connector,
    pub(crate) exposure: Arc<Exposure>,
    pub(crate) strangers: Arc<Strangers>,
    pub(crate) started: (Instant, SystemTime),
    name: String,
    local_addr: SocketAddr,
    pub(crate) events: WeakBroadcast,
    /// For the first who listens: there may be events before anybody can ask.
    from_start: Mutex<Option<broadcast::Receiver<NodeEvent>>>,
    #[cfg(feature = "membership")]
    pub(crate) gossip: Option<Handle>,
}

impl Node {
    /// A node to be called `name@host` and reached at `host:port`, from `name@host:port`.
    ///
    /// `host` is what other nodes dial: a name or address of this machine that they can reach. Port 0 takes any free
    /// port. What is wrong with the address is told by [`Builder::start`].
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder::new(address.into())
    }

    pub(crate) fn new(
        connector: Connector,
        (exposure, strangers): (Arc<Exposure>, Arc<Strangers>),
        name: String,
        local_addr: SocketAddr,
        (events, first): (WeakBroadcast, broadcast::Receiver<NodeEvent>),
    ) -> Self {
        Self {
            connector,
            exposure,
            strangers,
            started: (Instant::now(), SystemTime::now()),
            name,
            local_addr,
            events,
            from_start: Mutex::new(Some(first)),
            #[cfg(feature = "membership")]
            gossip: None,
        }
    }

    /// The full name, `name@host`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the node listens, with the port that it got; `0.0.0.0:0` for one with [no port of its own](Builder::no_own_port).
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// All addresses that the node listens at, with the ports that they got: its own, then those of
    /// [`Builder::listen_at`] in order.
    pub fn local_addresses(&self) -> Vec<Address> {
        self.connector.listening.to_vec()
    }

    /// What has become of the connections that others have opened, since the start.
    pub fn admission(&self) -> Counts {
        self.strangers.counts()
    }

    /// The node server's actor, for what `ractor_cluster`'s API offers.
    pub fn server(&self) -> &ActorRef<NodeServerMessage> {
        &self.connector.server
    }

    /// Connects to the node at `address`, and waits until the two have told each other their actors and groups.
    ///
    /// The address is `host:port`, which is protected as the connections that the node accepts, or has a scheme:
    /// `tcp://`, `tls://`, `unix:/path`, `ws://`, `wss://`, or one of the node's [links](Builder::links). Over TLS the server
    /// must prove to be `host`, and with [`Builder::tls`] also to be the node that it says it is.
    ///
    /// Dropping the future does not undo the connection.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn connect(&self, address: impl fmt::Display) -> Result<SessionInfo, ConnectError> {
        self.connector.connect(&address.to_string()).await
    }

    /// Keeps connected to the node at `address`, as [`connect`](Self::connect) reads it: dials at once, again until there is a session, and again
    /// when it is lost, with the pauses of [`Reconnect::default`] and without an end. Returns at once.
    ///
    /// A session that the node there dials, or that there is already, is as good, and nothing is dialled while it lasts.
    /// It is known by its address, as an IP address or as the peer says it; under another name the first dial finds it.
    /// What happens is told by the [`Connection`], by [`NodeEvent::Reconnecting`] and by [`NodeEvent::GaveUp`].
    ///
    /// An address that is kept already gives another handle of the same, as it was told first. All end with the node.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn keep_connected(&self, address: impl fmt::Display) -> Result<Connection, KeepError> {
        self.keep_connected_with(address, Reconnect::default())
    }

    /// As [`keep_connected`](Self::keep_connected), with other pauses, or an end.
    ///
    /// # Errors
    ///
    /// See [`KeepError`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn keep_connected_with(
        &self,
        address: impl fmt::Display,
        reconnect: Reconnect,
    ) -> Result<Connection, KeepError> {
        keep_connected(self.server(), &address.to_string(), reconnect)
    }

    /// Offers an actor to peers, as the [policy](Builder::policy) allows: with [`Expose::Explicit`](crate::Expose) they
    /// hear of it and its groups from now on, and can address it. It is taken off the list when it ends. Again: nothing
    /// happens.
    ///
    /// What peers send to an exported actor is decoded before it is put into its mailbox, so that a caller can be told at
    /// once what cannot be decoded. That is also what this does with [`Expose::Remotable`](crate::Expose), where the
    /// actor was exposed before.
    ///
    /// # Errors
    ///
    /// See [`ExportError`]. Nothing has changed then.
    pub fn export<M: Message>(&self, actor: &ActorRef<M>) -> Result<(), ExportError> {
        self.exposure.export(actor)
    }

    /// Takes an actor back that was [exported](Self::export); `false` when it was not. With
    /// [`Expose::Explicit`](crate::Expose) nothing that peers send is delivered to it once this has returned, and they
    /// are told that it is gone. Replies that it still owes are sent.
    pub fn unexport(&self, actor: &ActorCell) -> bool {
        self.exposure.unexport(actor)
    }

    /// Messages of peers that the [policy](Builder::policy) has denied since the start.
    pub fn denied(&self) -> u64 {
        self.exposure.denied()
    }

    /// The actor that is registered under `name` at the peer; `None` when there is none, or the session has ended.
    ///
    /// Names of remote actors are not in `ractor`'s registry: it knows this node's actors only.
    pub async fn remote_actor(&self, peer: &SessionInfo, name: &str) -> Option<ActorCell> {
        let shared = self.shared(peer)?;
        let pid = shared.peer.apply(|session, _| session.remote_pid(name))?;
        shared.shims.get_or_spawn(pid).await
    }

    /// A handle of the actor that is registered under `name` at the peer, and understands `M`; `None` when there is none,
    /// or the session has ended.
    ///
    /// That the actor understands `M` is not checked: what it does not understand it drops.
    pub fn remote<M: Message>(&self, peer: &SessionInfo, name: &str) -> Option<RemoteRef<M>> {
        let shared = self.shared(peer)?;
        let pid = shared.peer.apply(|session, _| session.remote_pid(name))?;
        Some(RemoteRef::new(shared.run.get()?.clone(), pid))
    }

    /// Opens a channel under `name` with all peers whose programs do, too, those that are there and those that come: messages
    /// beside the actors, see [`Channel`]. Legacy peers hear nothing of it. Each peer may make this node hold as much as `config` says.
    ///
    /// # Errors
    ///
    /// [`ChannelError::InvalidName`], [`ChannelError::NameInUse`], [`ChannelError::TooMany`], and [`ChannelError::Closed`] when
    /// the node has stopped.
    pub fn channel(&self, name: &str, config: ChannelConfig) -> Result<Channel, ChannelError> {
        Channel::open(&self.connector.registry, name, config)
    }

    /// Watches the link to a peer: tells once that it is gone, and why. `None` when it is already.
    pub fn monitor(&self, peer: &SessionInfo) -> Option<NodeMonitor> {
        Some(self.shared(peer)?.watchers.node())
    }

    /// What is known of the link to a peer at the moment; `None` when it is gone.
    pub fn link(&self, peer: &SessionInfo) -> Option<LinkInfo> {
        Some(LinkInfo::of(&*self.shared(peer)?))
    }

    fn shared(&self, peer: &SessionInfo) -> Option<Arc<Shared>> {
        let session = peer.session().get_id();
        self.connector.registry.get(session)?.shared.upgrade()
    }

    /// The authenticated sessions, by node id.
    ///
    /// # Errors
    ///
    /// [`Stopped`](ConnectError::Stopped) when the node is.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, ConnectError> {
        let reply = self
            .connector
            .server
            .call(NodeServerMessage::GetSessions, Some(ASK_TIMEOUT))
            .await;
        let Ok(CallResult::Success(sessions)) = reply else {
            return Err(ConnectError::Stopped);
        };
        let mut sessions: Vec<SessionInfo> = sessions.into_values().map(Into::into).collect();
        sessions.sort_by_key(|session| session.node_id);
        Ok(sessions)
    }

    /// The members of the cluster that are up, without this node, by address; none when the node does not gossip.
    #[cfg(feature = "membership")]
    pub fn members(&self) -> Vec<Member> {
        self.gossip
            .as_ref()
            .map(Handle::members)
            .unwrap_or_default()
    }

    /// The membership itself, if the node gossips: for its events beyond [`NodeEvent`]'s, its counters, its keys and its
    /// seeds. Who [leaves](Membership::leave) by it has a node that goes on without gossip.
    #[cfg(feature = "membership")]
    pub fn membership(&self) -> Option<&Membership> {
        self.gossip.as_ref().map(Handle::membership)
    }

    /// What happens to sessions and members: from the node's start for the first caller, from now on for later ones.
    pub fn events(&self) -> Events {
        let from_start = self
            .from_start
            .lock()
            .ok()
            .and_then(|mut first| first.take());
        Events::new(from_start.unwrap_or_else(|| self.events.upgrade().subscribe()))
    }

    /// Stops the node and all its sessions, and waits until they are. What has been sent is written first, for a second
    /// at most. A node that gossips then tells the others that it leaves.
    pub async fn stop(self) {
        if let Some(connections) = Serving::find(self.server().get_id()) {
            connections.stop();
        }
        #[cfg(feature = "membership")]
        if let Some(gossip) = &self.gossip {
            gossip.quiesce();
        }
        let mut stopping = JoinSet::new();
        for session in self.sessions().await.unwrap_or_default() {
            let shared = self.shared(&session);
            let session = session.session().clone();
            match shared {
                Some(shared) => shared.end(Ending::node_stopped()),
                None => session.stop(None),
            }
            // `stop_and_wait` does not wait for an actor that was told to stop before.
            stopping.spawn(async move { session.wait(Some(ASK_TIMEOUT)).await });
        }
        while stopping.join_next().await.is_some() {}
        let _ = self.server().stop_and_wait(None, Some(ASK_TIMEOUT)).await;
        #[cfg(feature = "membership")]
        if let Some(gossip) = self.gossip {
            gossip.ended().await;
        }
    }
}
