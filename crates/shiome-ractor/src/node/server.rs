use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use shiome_handshake::{Cookie, Local};
use shiome_transport::{Address, Links, Listener, Remote, TransportError, limits::Limits};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::{
    DEFAULT_MAX_INBOUND_FRAME_SIZE, Dialer, Ending, NodeConnectionMode, NodeServerMessage,
    NodeServerSessionInformation, NodeSession, Opened, Registry, Strangers,
    events::{SessionEvent, Subscriptions},
    listener,
    node_session::{OpenedSession, Setup},
    serving::Serving,
};
use crate::{
    IncomingEncryptionMode, MAX_UNTAKEN_LEN, NodeId, Overflow, connector::Connector,
    events::Broadcast, exposure::Exposure, native::NativePolicy, reconnect::Connections,
};

/// Time for a session to end when the node does: what it has to say is written in a second.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The node: listens for other nodes, holds the sessions with them and tells subscribers what happens to those.
///
/// Spawn it as an actor to start the node, stop it to end the node with all its sessions.
#[derive(Debug)]
pub struct NodeServer {
    listen: ListenAddr,
    links: Links,
    /// Those that are bound already; `None` where the server binds its own.
    listeners: Mutex<Option<Listeners>>,
    /// Whether the first listener is that of the node's own address.
    has_own: bool,
    strangers: Arc<Strangers>,
    cookie: Cookie,
    name: String,
    hostname: String,
    /// What peers are told to dial in place of host and port.
    advertised: Option<String>,
    mode: NodeConnectionMode,
    max_inbound_frame_size: u64,
    session: shiome_session::Config,
    registry: Arc<Registry>,
    dialer: Arc<Dialer>,
    exposure: Arc<Exposure>,
    native: NativePolicy,
    overflow: Overflow,
    max_untaken: usize,
    subscriptions: Mutex<Subscriptions>,
    events: Broadcast,
}

impl NodeServer {
    /// A node that is called `node_name@hostname` and reached at `hostname:port`.
    ///
    /// Port 0 takes any free port. Without `encryption_mode` connections are [`Raw`](IncomingEncryptionMode::Raw),
    /// without `connection_mode` the node is [`Isolated`](NodeConnectionMode::Isolated). Nodes whose cookies differ do
    /// not connect.
    pub fn new(
        port: u16,
        cookie: String,
        node_name: String,
        hostname: String,
        encryption_mode: Option<IncomingEncryptionMode>,
        connection_mode: Option<NodeConnectionMode>,
    ) -> Self {
        let encryption = encryption_mode.unwrap_or(IncomingEncryptionMode::Raw);
        let links = encryption.links();
        let dialer = Dialer::new(links.clone());
        let mode = connection_mode.unwrap_or(NodeConnectionMode::Isolated);
        let cookie = Cookie::new(cookie);
        Self::with_links((node_name, hostname, port), cookie, links, dialer).with_mode(mode)
    }

    /// A node that listens by these links, and dials by its dialer.
    pub(crate) fn with_links(
        (name, hostname, port): (String, String, u16),
        cookie: Cookie,
        links: Links,
        dialer: Dialer,
    ) -> Self {
        let (events, _) = Broadcast::new();
        let registry = Arc::new(Registry::new(&events));
        let mut subscriptions = Subscriptions::default();
        subscriptions.add("shiome node".to_owned(), Box::new(events.clone()));
        Self {
            subscriptions: Mutex::new(subscriptions),
            events,
            registry,
            dialer: Arc::new(dialer),
            exposure: Arc::default(),
            native: NativePolicy::default(),
            overflow: Overflow::default(),
            max_untaken: MAX_UNTAKEN_LEN,
            listen: ListenAddr { ip: None, port },
            links,
            listeners: Mutex::default(),
            has_own: true,
            strangers: Arc::default(),
            cookie,
            name,
            hostname,
            advertised: None,
            mode: NodeConnectionMode::Isolated,
            max_inbound_frame_size: DEFAULT_MAX_INBOUND_FRAME_SIZE,
            session: shiome_session::Config::default(),
        }
    }

    /// Listens on this address only. Default: all addresses, of IPv4 and IPv6.
    #[must_use]
    pub fn with_listen_addr(mut self, addr: IpAddr) -> Self {
        self.listen.ip = Some(addr);
        self
    }

    /// Accepts frames of up to so many bytes from authenticated peers. Default:
    /// [`DEFAULT_MAX_INBOUND_FRAME_SIZE`]. A longer one ends the session.
    #[must_use]
    pub fn with_max_inbound_frame_size(mut self, bytes: u64) -> Self {
        self.max_inbound_frame_size = bytes;
        self
    }

    /// Limits and times of the sessions.
    #[must_use]
    pub fn with_session_config(mut self, config: shiome_session::Config) -> Self {
        self.session = config;
        self
    }

    /// Has so many authenticated sessions at most. Default: [`MAX_SESSIONS`](crate::MAX_SESSIONS). Who would be one more is
    /// refused.
    #[must_use]
    pub fn with_max_sessions(self, count: usize) -> Self {
        self.registry.set_max_sessions(count);
        self
    }

    pub(crate) fn with_mode(self, mode: NodeConnectionMode) -> Self {
        Self { mode, ..self }
    }

    /// Accepts from listeners that are bound already. The first is that of the node's own address, if it has one.
    pub(crate) fn with_listeners(self, listeners: Vec<Box<dyn Listener>>, has_own: bool) -> Self {
        Self {
            listeners: Mutex::new(Some(Listeners(listeners))),
            has_own,
            ..self
        }
    }

    /// Tells peers to dial this.
    pub(crate) fn with_advertised(self, advertised: Option<String>) -> Self {
        Self { advertised, ..self }
    }

    /// Admits connections that are not authenticated yet under these limits. Default: [`Limits::default`].
    #[must_use]
    pub fn with_admission(self, limits: Limits) -> Self {
        Self {
            strangers: Strangers::new(limits),
            ..self
        }
    }

    pub(crate) fn with_native(self, native: NativePolicy) -> Self {
        Self { native, ..self }
    }

    /// What becomes of messages to `ActorRef`s of other nodes when a link is full.
    #[must_use]
    pub fn with_overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }

    /// See [`Builder::max_untaken`](crate::Builder::max_untaken).
    #[must_use]
    pub fn with_max_untaken(self, bytes: usize) -> Self {
        let max_untaken = bytes;
        Self {
            max_untaken,
            ..self
        }
    }

    /// Exposes actors so.
    pub(crate) fn with_exposure(self, exposure: Arc<Exposure>) -> Self {
        Self { exposure, ..self }
    }

    /// Tells what happens to sessions.
    pub(crate) fn events(&self) -> &Broadcast {
        &self.events
    }

    pub(crate) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    pub(crate) fn dialer(&self) -> &Arc<Dialer> {
        &self.dialer
    }

    pub(crate) fn strangers(&self) -> &Arc<Strangers> {
        &self.strangers
    }

    async fn bind(&self) -> Result<Vec<Box<dyn Listener>>, ActorProcessingErr> {
        if let Some(Listeners(bound)) = lock(&self.listeners).take() {
            return Ok(bound);
        }
        match listen_at(&self.links, self.listen.ip, self.listen.port).await {
            Ok(listener) => Ok(vec![listener]),
            // As it is told by the system.
            Err(TransportError::Listen(error)) => Err(error.into()),
            Err(error) => Err(error.into()),
        }
    }
}

/// State of a running [`NodeServer`].
pub struct NodeServerState {
    registry: Arc<Registry>,
    connections: Arc<Connections>,
    _serving: Serving,
    port: u16,
    subscriptions: Subscriptions,
    accepting: JoinSet<()>,
}

impl std::fmt::Debug for NodeServerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeServerState").finish_non_exhaustive()
    }
}

impl Drop for NodeServerState {
    fn drop(&mut self) {
        self.accepting.abort_all();
        self.connections.stop();
        self.registry.services.close();
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for NodeServer {
    type Msg = NodeServerMessage;
    type State = NodeServerState;
    type Arguments = ();

    async fn pre_start(
        &self,
        myself: ActorRef<NodeServerMessage>,
        (): (),
    ) -> Result<NodeServerState, ActorProcessingErr> {
        let listeners = self.bind().await?;
        let listening: Arc<[Address]> = listeners.iter().map(|l| l.local().clone()).collect();
        let own = listening.first().filter(|_| self.has_own);
        let port = own.and_then(Address::port).unwrap_or_default();
        if self
            .hostname
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_unspecified())
        {
            warn!(hostname = %self.hostname, "other nodes are told an address that they cannot dial");
        }
        info!(name = %self.full_name(), addresses = ?listening, "node listens");
        let id = myself.get_id();
        let connector = Connector {
            server: myself.clone(),
            registry: Arc::clone(&self.registry),
            dialer: Arc::clone(&self.dialer),
            listening,
        };
        let connections = Connections::new(connector, self.events.clone());
        let accepting = (listeners.into_iter())
            .map(|listener| listener::run(listener, Arc::clone(&self.strangers), myself.clone()))
            .collect();
        Ok(NodeServerState {
            registry: Arc::clone(&self.registry),
            _serving: Serving::enter(id, &connections),
            connections,
            port,
            subscriptions: std::mem::take(&mut lock(&self.subscriptions)),
            accepting,
        })
    }

    async fn handle(
        &self,
        myself: ActorRef<NodeServerMessage>,
        message: NodeServerMessage,
        state: &mut NodeServerState,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            NodeServerMessage::ConnectionOpened { stream, is_server } => {
                self.open(myself, state, (*stream).into(), is_server).await;
            }
            NodeServerMessage::ConnectionOpenedExternal { stream, is_server } => {
                self.open(myself, state, stream.into(), is_server).await;
            }
            NodeServerMessage::ConnectionAuthenticated(id) => {
                state.tell(SessionEvent::Authenticated, id);
            }
            NodeServerMessage::ConnectionReady(id) => state.tell(SessionEvent::Ready, id),
            NodeServerMessage::CheckSession { peer_name, reply } => {
                let verdict = self.registry.check(&self.full_name(), &peer_name);
                let _ = reply.send(verdict);
            }
            NodeServerMessage::UpdateSession { actor_id, name } => {
                state
                    .registry
                    .update(actor_id, |record| record.introduce(name));
            }
            NodeServerMessage::GetSessions(reply) => {
                let sessions = self.registry.authenticated();
                let sessions = sessions.iter().map(|r| (r.node_id, r.information()));
                let _ = reply.send(sessions.collect());
            }
            NodeServerMessage::SubscribeToEvents { id, subscription } => {
                state.subscriptions.add(id, subscription);
            }
            NodeServerMessage::UnsubscribeToEvents(id) => state.subscriptions.remove(&id),
            NodeServerMessage::PortChanged { port } => state.port = port,
        }
        Ok(())
    }

    /// Gives the port free, for the state may live on in a supervisor's hands; and ends the sessions in good order,
    /// before `ractor` ends their actors in none.
    async fn post_stop(
        &self,
        _myself: ActorRef<NodeServerMessage>,
        state: &mut NodeServerState,
    ) -> Result<(), ActorProcessingErr> {
        state.connections.stop();
        state.accepting.shutdown().await;
        let mut ending = JoinSet::new();
        for record in self.registry.established() {
            if let Some(shared) = record.shared.upgrade() {
                shared.end(Ending::node_stopped());
            }
            ending.spawn(async move { record.actor.wait(Some(STOP_TIMEOUT)).await });
        }
        while ending.join_next().await.is_some() {}
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<NodeServerMessage>,
        event: SupervisionEvent,
        state: &mut NodeServerState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorTerminated(actor, _, reason) => {
                let reason = reason.as_deref().unwrap_or("stopped");
                state.closed(actor.get_id(), reason);
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                warn!(%error, "node session failed");
                state.closed(actor.get_id(), "failed");
            }
            _ => {}
        }
        Ok(())
    }
}

impl NodeServer {
    fn full_name(&self) -> String {
        format!("{}@{}", self.name, self.hostname)
    }

    fn local(&self, port: u16) -> Local {
        // Without a port the node cannot be dialled, and tells no address.
        let at_port = || match self.has_own {
            true => format!("{}:{port}", self.hostname),
            false => String::new(),
        };
        Local {
            name: self.full_name(),
            connection_string: self.advertised.clone().unwrap_or_else(at_port),
        }
    }

    /// Makes a session of a connection.
    async fn open(
        &self,
        myself: ActorRef<NodeServerMessage>,
        state: &mut NodeServerState,
        mut opened: Opened,
        is_server: bool,
    ) {
        if is_server && opened.stranger.is_none() {
            // Accepted elsewhere.
            let remote = match opened.link.addrs {
                Some(addrs) => addrs.peer.into(),
                None => Remote::labelled(&opened.link.peer),
            };
            opened.stranger = self.strangers.admit(remote);
            if opened.stranger.is_none() {
                return;
            }
        }
        let session = NodeSession::from_setup(Setup {
            node_id: next_node_id(),
            is_server,
            cookie: self.cookie.clone(),
            announce: self
                .native
                .announce(&self.session, self.max_inbound_frame_size),
            require_native: self.native.required,
            local: self.local(state.port),
            server: myself.clone(),
            mode: self.mode,
            max_inbound_frame_size: self.max_inbound_frame_size,
            session: self.session.clone(),
            registry: Arc::clone(&self.registry),
            registered: true,
            dialer: Arc::clone(&self.dialer),
            exposure: Arc::clone(&self.exposure),
            overflow: self.overflow,
            max_untaken: self.max_untaken,
        });
        let session = OpenedSession(session);
        match Actor::spawn_linked(None, session, opened, myself.get_cell()).await {
            Ok((actor, _)) => state.opened(actor.get_id()),
            Err(error) => warn!(%error, "node session did not start"),
        }
    }
}

impl NodeServerState {
    fn opened(&self, id: ActorId) {
        if let Some(record) = self.registry.get(id) {
            // The handshake may be over by now, but that is another event.
            let session = NodeServerSessionInformation {
                peer_name: None,
                ..record.information()
            };
            self.subscriptions.tell(SessionEvent::Opened, &session);
        }
    }

    fn closed(&self, id: ActorId, reason: &str) {
        // One that was killed, or has failed, may not have come to it.
        let ended = self.registry.get(id);
        if let Some(shared) = ended.and_then(|record| record.shared.upgrade()) {
            shared.over();
        }
        if let Some(record) = self.registry.remove(id) {
            let peer = record.peer();
            info!(peer, node_id = record.node_id, reason, "session closed");
            let session = record.information();
            self.subscriptions
                .tell(SessionEvent::Disconnected, &session);
        }
    }

    fn tell(&self, event: SessionEvent, id: ActorId) {
        if let Some(record) = self.registry.get(id) {
            self.subscriptions.tell(event, &record.information());
        }
    }
}

/// Where a node of the drop-in API listens.
#[derive(Debug, Clone, Copy)]
struct ListenAddr {
    ip: Option<IpAddr>,
    port: u16,
}

/// Listeners that are bound already.
struct Listeners(Vec<Box<dyn Listener>>);

impl std::fmt::Debug for Listeners {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let addresses = self.0.iter().map(|listener| listener.local());
        f.debug_list().entries(addresses).finish()
    }
}

/// Listens on a port of one address or all, over what the policy of the links wants.
pub(crate) async fn listen_at(
    links: &Links,
    ip: Option<IpAddr>,
    port: u16,
) -> Result<Box<dyn Listener>, TransportError> {
    let all = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    let socket = SocketAddr::new(ip.unwrap_or(all), port);
    let address = links.address(&socket.to_string())?;
    links.listen(&address).await
}

/// What starts with the server, and is taken when it does.
fn lock<T>(starts: &Mutex<T>) -> MutexGuard<'_, T> {
    starts.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Numbers of connections, from 1: 0 in an actor's id means this node.
fn next_node_id() -> NodeId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
