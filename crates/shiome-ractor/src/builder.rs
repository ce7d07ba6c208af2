use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_core::Stream;
use ractor::{Actor, ActorCell, ActorRef, SpawnErr, rpc::CallResult};
use shiome_transport::tcp;
use thiserror::Error;
use tokio::sync::{broadcast, oneshot};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use crate::{
    IncomingEncryptionMode, NodeId,
    node::{
        Dialer, NodeConnectionMode, NodeEventSubscription, NodeServer, NodeServerMessage,
        NodeServerSessionInformation, NodeSessionMessage, Registry,
    },
};

pub use shiome_handshake::Cookie;

/// Events that wait for a slow listener. It misses the oldest above that, and is told so.
const EVENT_CAPACITY: usize = 1024;

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
    server: ActorRef<NodeServerMessage>,
    registry: Arc<Registry>,
    dialer: Arc<Dialer>,
    name: String,
    local_addr: SocketAddr,
    events: broadcast::Sender<NodeEvent>,
}

impl Node {
    /// A node to be called `name@host` and reached at `host:port`, from `name@host:port`.
    ///
    /// `host` is what other nodes dial: a name or address of this machine that they can reach. Port 0 takes any free
    /// port. What is wrong with the address is told by [`Builder::start`].
    pub fn builder(address: impl Into<String>) -> Builder {
        Builder {
            address: address.into(),
            cookie: None,
            listen: None,
            encryption: IncomingEncryptionMode::Raw,
            connector: None,
            mode: NodeConnectionMode::Transitive,
            session: shiome_session::Config::default(),
        }
    }

    /// The full name, `name@host`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the node listens, with the port that it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The node server's actor, for what `ractor_cluster`'s API offers.
    pub fn server(&self) -> &ActorRef<NodeServerMessage> {
        &self.server
    }

    /// Connects to the node at `address`, `host:port`, and waits until the two have told each other their actors and
    /// groups.
    ///
    /// The connection is protected as those that the node accepts: over TLS the server must prove to be `host`, see
    /// [`Builder::connector`].
    ///
    /// Dropping the future does not undo the connection.
    ///
    /// # Errors
    ///
    /// See [`ConnectError`].
    pub async fn connect(&self, address: impl fmt::Display) -> Result<SessionInfo, ConnectError> {
        let stream = self.dialer.dial(&address.to_string()).await?;
        let (outcome, settled) = Outcome::pair();
        if let Some(local_addr) = stream.local_addr() {
            self.registry.expect_session(local_addr, outcome);
        }
        let opened = NodeServerMessage::ConnectionOpened {
            stream: Box::new(stream),
            is_server: false,
        };
        self.server
            .cast(opened)
            .map_err(|_| ConnectError::Stopped)?;
        settled.await.unwrap_or(Err(ConnectError::Stopped))
    }

    /// The actor that is registered under `name` at the peer; `None` when there is none, or the session has ended.
    ///
    /// Names of remote actors are not in `ractor`'s registry: it knows this node's actors only.
    pub async fn remote_actor(&self, peer: &SessionInfo, name: &str) -> Option<ActorCell> {
        let shared = self.registry.get(peer.session.get_id())?.shared.upgrade()?;
        let pid = shared.peer.apply(|session, _| session.remote_pid(name))?;
        shared.shims.get_or_spawn(pid).await
    }

    /// The authenticated sessions, by node id.
    ///
    /// # Errors
    ///
    /// [`Stopped`](ConnectError::Stopped) when the node is.
    pub async fn sessions(&self) -> Result<Vec<SessionInfo>, ConnectError> {
        let reply = self
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

    /// What happens to sessions from now on.
    pub fn events(&self) -> Events {
        Events(BroadcastStream::new(self.events.subscribe()))
    }

    /// Stops the node and all its sessions, and waits until they are. What has been sent is written first, for a second
    /// at most.
    pub async fn stop(self) {
        for session in self.sessions().await.unwrap_or_default() {
            let _ = session.session.stop_and_wait(None, Some(ASK_TIMEOUT)).await;
        }
        let _ = self.server.stop_and_wait(None, Some(ASK_TIMEOUT)).await;
    }
}

/// A [`Node`] before it is started.
pub struct Builder {
    address: String,
    cookie: Option<Cookie>,
    listen: Option<IpAddr>,
    encryption: IncomingEncryptionMode,
    connector: Option<TlsConnector>,
    mode: NodeConnectionMode,
    session: shiome_session::Config,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// The secret that all nodes of the cluster share. There is no default.
    ///
    /// Whoever knows it controls every actor. Without TLS, a listener on the network can try guesses offline, so make
    /// it long and random.
    #[must_use]
    pub fn cookie(mut self, cookie: impl Into<Cookie>) -> Self {
        self.cookie = Some(cookie.into());
        self
    }

    /// Listens on this address only. Default: the host of the node's address if that is an IP address, otherwise all
    /// addresses.
    #[must_use]
    pub fn listen(mut self, addr: IpAddr) -> Self {
        self.listen = Some(addr);
        self
    }

    /// How connections that are accepted are protected. Default: not at all.
    #[must_use]
    pub fn encryption(mut self, mode: IncomingEncryptionMode) -> Self {
        self.encryption = mode;
        self
    }

    /// Dials over TLS, as the connector is configured, and never without. A node that accepts TLS only needs it to dial
    /// at all.
    #[must_use]
    pub fn connector(mut self, connector: TlsConnector) -> Self {
        self.connector = Some(connector);
        self
    }

    /// What to do with the nodes that peers are connected to. Default: connect to them too.
    #[must_use]
    pub fn connection_mode(mut self, mode: NodeConnectionMode) -> Self {
        self.mode = mode;
        self
    }

    /// Limits and times of the sessions.
    #[must_use]
    pub fn session(mut self, config: shiome_session::Config) -> Self {
        self.session = config;
        self
    }

    /// Starts the node. A process has one: `ractor`'s registries, which it speaks for, are global.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub async fn start(self) -> Result<Node, BuildError> {
        let (name, host, port) = parse_address(&self.address)?;
        let cookie = self.cookie.ok_or(BuildError::NoCookie)?;
        let ip = self.listen.or_else(|| host_ip(host));
        let listener = tcp::listen(ip, port)?.into_std()?;
        let local_addr = listener.local_addr()?;

        let (encryption, mode) = (Some(self.encryption), Some(self.mode));
        let (name_owned, host_owned) = (name.to_owned(), host.to_owned());
        let node_server =
            NodeServer::with_cookie(port, cookie, name_owned, host_owned, encryption, mode)
                .with_session_config(self.session)
                .with_listener(listener);
        let registry = Arc::clone(node_server.registry());
        let dialer = Arc::clone(node_server.dialer());
        if let Some(connector) = self.connector {
            dialer.use_connector(connector);
        }
        let (server, _) = Actor::spawn(None, node_server, ()).await?;

        let (events, _) = broadcast::channel(EVENT_CAPACITY);
        let _ = server.cast(NodeServerMessage::SubscribeToEvents {
            id: "shiome node".to_owned(),
            subscription: Box::new(Broadcast(events.clone())),
        });
        Ok(Node {
            server,
            registry,
            dialer,
            name: format!("{name}@{host}"),
            local_addr,
            events,
        })
    }
}

/// Splits `name@host:port`.
fn parse_address(address: &str) -> Result<(&str, &str, u16), BuildError> {
    let split = || {
        let (name, host_port) = address.split_once('@')?;
        let (host, port) = host_port.rsplit_once(':')?;
        let complete = !name.is_empty() && !host.is_empty();
        Some((name, host, port.parse().ok()?)).filter(|_| complete)
    };
    let (name, host, port) = split().ok_or_else(|| BuildError::Address(address.to_owned()))?;
    if host_ip(host).is_some_and(|ip| ip.is_unspecified()) {
        return Err(BuildError::Unspecified(address.to_owned()));
    }
    Ok((name, host, port))
}

/// The IP address that `host` is, with or without the brackets of IPv6.
fn host_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// A node was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is not `name@host:port`.
    #[error("`{0}` is not of the form name@host:port")]
    Address(String),
    /// The host is an address that nobody can dial, such as `0.0.0.0`. Use [`Builder::listen`] to listen there.
    #[error("`{0}` names a host that other nodes cannot dial")]
    Unspecified(String),
    /// No cookie was given.
    #[error("a node needs a cookie")]
    NoCookie,
    /// The address cannot be listened on.
    #[error("cannot listen")]
    Listen(#[from] std::io::Error),
    /// The node server did not start.
    #[error("node server did not start")]
    Spawn(#[from] SpawnErr),
}

/// A connection did not become a session.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address cannot be resolved or reached.
    #[error("connection failed")]
    Dial(#[from] std::io::Error),
    /// There is another connection with that node, which stays: from before, or because both dialled at the same time.
    #[error("another connection with that node stays")]
    Duplicate,
    /// The handshake failed, for instance because the cookies differ.
    #[error("handshake failed: {0}")]
    Handshake(String),
    /// The connection ended before the two nodes had told each other their actors and groups.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The node has been stopped.
    #[error("the node is stopped")]
    Stopped,
}

/// An authenticated session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Full name of the peer, `name@host`.
    pub name: String,
    /// Where the peer is dialled, `host:port`, as it says.
    pub connection_string: String,
    /// Number of the connection, also in the ids of the peer's actors.
    pub node_id: NodeId,
    /// Whether the peer dialled.
    pub is_server: bool,
    /// The peer's socket address or label.
    pub peer_addr: String,
    session: ActorCell,
}

impl SessionInfo {
    /// Closes the session.
    pub fn disconnect(&self) {
        self.session.stop(None);
    }

    /// The session's actor.
    pub fn actor(&self) -> ActorRef<NodeSessionMessage> {
        self.session.clone().into()
    }
}

impl From<NodeServerSessionInformation> for SessionInfo {
    fn from(information: NodeServerSessionInformation) -> Self {
        let name = information.peer_name.unwrap_or_default();
        Self {
            name: name.name,
            connection_string: name.connection_string,
            node_id: information.node_id,
            is_server: information.is_server,
            peer_addr: information.peer_addr,
            session: information.actor.get_cell(),
        }
    }
}

/// What happens to a session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A connection is open. Nothing is proven yet, and the names are empty.
    Opened(SessionInfo),
    /// Both nodes know the cookie.
    Authenticated(SessionInfo),
    /// Both nodes have told each other their actors and groups.
    Ready(SessionInfo),
    /// The session has ended, authenticated or not.
    Disconnected(SessionInfo),
    /// The listener was too slow and missed so many events.
    Missed(u64),
}

/// Stream of [`NodeEvent`]s. It ends when the node does.
pub struct Events(BroadcastStream<NodeEvent>);

impl Events {
    /// The next event; `None` when the node has stopped. Cancel-safe.
    pub async fn next(&mut self) -> Option<NodeEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = NodeEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<NodeEvent>> {
        Pin::new(&mut self.0).poll_next(cx).map(|event| {
            event.map(|event| match event {
                Ok(event) => event,
                Err(BroadcastStreamRecvError::Lagged(missed)) => NodeEvent::Missed(missed),
            })
        })
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

/// Passes the node server's events on.
struct Broadcast(broadcast::Sender<NodeEvent>);

impl NodeEventSubscription for Broadcast {
    fn node_session_opened(&self, session: NodeServerSessionInformation) {
        let _ = self.0.send(NodeEvent::Opened(session.into()));
    }

    fn node_session_authenticated(&self, session: NodeServerSessionInformation) {
        let _ = self.0.send(NodeEvent::Authenticated(session.into()));
    }

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        let _ = self.0.send(NodeEvent::Ready(session.into()));
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        let _ = self.0.send(NodeEvent::Disconnected(session.into()));
    }
}

/// Tells whoever dialled how it went, once.
#[derive(Debug)]
pub(crate) struct Outcome(Option<oneshot::Sender<Result<SessionInfo, ConnectError>>>);

impl Outcome {
    /// Nobody waits.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    fn pair() -> (Self, oneshot::Receiver<Result<SessionInfo, ConnectError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    pub(crate) fn settle(&mut self, result: Result<SessionInfo, ConnectError>) {
        if let Some(waiting) = self.0.take() {
            let _ = waiting.send(result);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_name_host_and_port() {
        assert_eq!(parse_address("a@h:1").unwrap(), ("a", "h", 1));
        assert_eq!(parse_address("a@[::1]:0").unwrap(), ("a", "[::1]", 0));
        for wrong in ["", "a", "a@h", "a@h:", "a@:1", "@h:1", "a@h:65536", "h:1"] {
            let error = parse_address(wrong).unwrap_err();
            assert!(matches!(error, BuildError::Address(_)), "{wrong}: {error}");
        }
    }

    #[test]
    fn an_address_that_nobody_can_dial_is_refused() {
        for wrong in ["a@0.0.0.0:1", "a@[::]:1"] {
            assert!(matches!(
                parse_address(wrong),
                Err(BuildError::Unspecified(_))
            ));
        }
    }

    #[test]
    fn a_host_that_is_an_address_is_listened_on() {
        assert_eq!(host_ip("127.0.0.1"), Some([127, 0, 0, 1].into()));
        assert_eq!(host_ip("[::1]"), Some(IpAddr::V6(1.into())));
        assert_eq!(host_ip("node.example"), None);
    }
}
