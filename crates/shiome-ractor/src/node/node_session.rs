//! The session with one other node.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use shiome_handshake::{Announce, Cookie, Local, Side};
use shiome_session::{Event, GoodbyeReason, Session};
use shiome_transport::{Peer, PeerIdentity, Security};
use shiome_wire::{auth::NameMessage, meta::NetworkMessage, node::NodeMessage};
use tokio::{
    runtime::Handle,
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until, timeout},
};
use tracing::{debug, warn};

use super::{
    Dialer, NodeConnectionMode, NodeServerMessage, Opened, Registry,
    reach::Reach,
    registry::{Phase, Record},
};
use crate::{
    IncomingEncryptionMode, NetworkStream, NodeEvent, NodeId, PeerInfo, SessionInfo,
    events::Broadcast,
    exposure::Exposure,
    native::{self, NativePolicy},
    overflow::{Losses, Overflow, Tell, Unsent},
    remote::{Down, Linked, NodeDown, Run, Watchers},
    remote_actor::Caller,
};

mod channels;
mod exports;
mod inbound;
mod link;
mod monitored;
mod replies;
mod shims;

use channels::Channels;
use monitored::Monitored;
pub(crate) use shims::Place;
use shims::Shims;

/// Time that a session that is stopped takes at most to write what is on its way.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// One connection to another node, from the handshake on.
///
/// [`NodeServer`](super::NodeServer) spawns these. Stopping one closes its connection.
#[derive(Debug)]
pub struct NodeSession {
    setup: Mutex<Option<Setup>>,
}

/// What a session starts from.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) node_id: NodeId,
    pub(crate) is_server: bool,
    pub(crate) cookie: Cookie,
    /// What nodes of shiome are told; `None`: nothing.
    pub(crate) announce: Option<Announce>,
    /// Whether nodes that announce nothing are refused.
    pub(crate) require_native: bool,
    pub(crate) local: Local,
    pub(crate) server: ActorRef<NodeServerMessage>,
    pub(crate) mode: NodeConnectionMode,
    pub(crate) max_inbound_frame_size: u64,
    pub(crate) session: shiome_session::Config,
    pub(crate) registry: Arc<Registry>,
    /// Whether `registry` is the node server's own; otherwise it is asked by messages.
    pub(crate) registered: bool,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) exposure: Arc<Exposure>,
    pub(crate) overflow: Overflow,
}

impl NodeSession {
    /// A session of `node_server` that is made by hand: `node_name` is what this node calls itself, and `node_id` must
    /// not be 0 or in use.
    pub fn new(
        node_id: NodeId,
        is_server: bool,
        cookie: String,
        node_server: ActorRef<NodeServerMessage>,
        node_name: NameMessage,
        connection_mode: NodeConnectionMode,
    ) -> Self {
        let (native, session) = (NativePolicy::default(), shiome_session::Config::default());
        Self::from_setup(Setup {
            node_id,
            is_server,
            cookie: Cookie::new(cookie),
            announce: native.announce(&session, super::DEFAULT_MAX_INBOUND_FRAME_SIZE),
            require_native: native.required,
            local: Local {
                name: node_name.name,
                connection_string: node_name.connection_string,
            },
            server: node_server,
            mode: connection_mode,
            max_inbound_frame_size: super::DEFAULT_MAX_INBOUND_FRAME_SIZE,
            session,
            registry: Arc::default(),
            registered: false,
            dialer: Arc::new(Dialer::new(IncomingEncryptionMode::Raw.links())),
            exposure: Arc::default(),
            overflow: Overflow::default(),
        })
    }

    pub(crate) fn from_setup(setup: Setup) -> Self {
        Self {
            setup: Mutex::new(Some(setup)),
        }
    }

    /// Makes a session of a connection.
    fn begin(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        opened: Opened,
    ) -> Result<NodeSessionState, ActorProcessingErr> {
        let setup = self
            .setup
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
            .ok_or("a node session starts once")?;
        let side = if setup.is_server {
            Side::Server
        } else {
            Side::Client
        };
        let now = Instant::now().into_std();
        let mut config = setup.session;
        config.announced = setup.announce.is_some();
        if let Some(announce) = &setup.announce {
            native::keep_word(&mut config, announce);
        }
        let session = Session::new(now, config, rand::random());
        let peer = Arc::new(Peer::new(session));
        let events = setup.registry.events.upgrade();
        let shared = Arc::new_cyclic(|shared| Shared {
            node_id: setup.node_id,
            local: setup.local,
            mode: setup.mode,
            shims: Shims::new(setup.node_id, myself.get_cell(), shared.clone()),
            myself,
            server: setup.server,
            registry: setup.registry,
            registered: setup.registered,
            dialer: setup.dialer,
            exposure: setup.exposure,
            security: opened.link.security,
            reach: Reach::of(&opened.link),
            identity: opened.link.identity.clone(),
            peer_info: OnceLock::new(),
            peer,
            authenticated: AtomicBool::new(false),
            run: OnceLock::new(),
            events,
            info: OnceLock::new(),
            introduced: watch::Sender::new(false),
            watchers: Watchers::default(),
            monitored: Monitored::default(),
            overflow: setup.overflow,
            losses: Losses::default(),
            channels: Channels::default(),
            ending: OnceLock::new(),
        });
        let record = Record::new(&shared, side, &opened);
        shared.registry.insert(record);
        let task = link::Task {
            shared: Arc::clone(&shared),
            opened,
            side,
            cookie: setup.cookie,
            announce: setup.announce,
            require_native: setup.require_native,
            max_frame_len: setup.max_inbound_frame_size,
        };
        Ok(NodeSessionState {
            _linked: Linked::enter(&shared),
            shared,
            link: tokio::spawn(task.run()),
        })
    }

    /// Accepts frames of up to so many bytes from the authenticated peer. A longer one ends the session. Of a node of
    /// shiome at least 64 KiB are accepted.
    #[must_use]
    pub fn with_max_inbound_frame_size(self, bytes: u64) -> Self {
        if let Some(setup) = &mut *self.setup.lock().unwrap_or_else(PoisonError::into_inner) {
            setup.max_inbound_frame_size = bytes;
            if let Some(announce) = &mut setup.announce {
                native::set_max_frame_len(announce, bytes);
            }
        }
        self
    }
}

/// Messages of [`NodeSession`].
#[expect(clippy::exhaustive_enums, reason = "the drop-in API")]
pub enum NodeSessionMessage {
    /// Acts as if the peer had sent this. Without effect before authentication.
    MessageReceived(NetworkMessage),
    /// Sends this to the peer. Without effect before authentication.
    SendMessage(NodeMessage),
    /// Whether both sides have proven the cookie.
    GetAuthenticationState(RpcReplyPort<bool>),
    /// Whether both sides have told each other their actors and groups.
    GetReadyState(RpcReplyPort<bool>),
}

/// Names the kind of message; contents are never shown.
impl std::fmt::Debug for NodeSessionMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::MessageReceived(message) => write!(f, "MessageReceived({})", message.kind()),
            Self::SendMessage(message) => write!(f, "SendMessage({})", message.kind()),
            Self::GetAuthenticationState(_) => f.write_str("GetAuthenticationState"),
            Self::GetReadyState(_) => f.write_str("GetReadyState"),
        }
    }
}

impl ractor::Message for NodeSessionMessage {}

/// What a session's actor and its link's task share.
pub(crate) struct Shared {
    pub(crate) node_id: NodeId,
    pub(crate) local: Local,
    pub(crate) mode: NodeConnectionMode,
    pub(crate) myself: ActorRef<NodeSessionMessage>,
    pub(crate) server: ActorRef<NodeServerMessage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) registered: bool,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) exposure: Arc<Exposure>,
    security: Security,
    reach: Reach,
    identity: Option<Arc<dyn PeerIdentity>>,
    /// What the policy is told of the peer, once that is authenticated.
    peer_info: OnceLock<PeerInfo>,
    pub(crate) peer: Arc<Peer<Caller>>,
    pub(crate) shims: Shims,
    pub(crate) authenticated: AtomicBool,
    /// The run of the peer's node that this session is with, once that is proven.
    pub(crate) run: OnceLock<Arc<Run>>,
    events: Broadcast,
    /// The session as events tell it, once it is authenticated.
    info: OnceLock<SessionInfo>,
    /// Whether the peer has told its actors, or is down.
    introduced: watch::Sender<bool>,
    pub(crate) watchers: Watchers,
    monitored: Monitored,
    pub(crate) overflow: Overflow,
    losses: Losses,
    channels: Channels,
    /// Why the session ends, once it does.
    pub(crate) ending: OnceLock<Ending>,
}

/// How a session ends.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The reason that the session's actor stops with.
    pub(crate) why: &'static str,
    /// The reason for whoever watches the peer.
    pub(crate) down: NodeDown,
    /// What the peer is told, if it is still there.
    pub(crate) goodbye: GoodbyeReason,
    /// Whether that, and what waits, is written first. To a peer that is gone it would only delay the end.
    pub(crate) flush: bool,
}

impl Ending {
    /// The program has closed the session.
    fn closed() -> Self {
        Self {
            why: "closed",
            down: NodeDown::Closed,
            goodbye: GoodbyeReason::Closed,
            flush: true,
        }
    }

    /// Another session with the peer stays. The peer knows that one, too.
    fn lost_election(down: NodeDown) -> Self {
        Self {
            why: "duplicate_connection",
            goodbye: GoodbyeReason::Duplicate,
            flush: down == NodeDown::Replaced,
            down,
        }
    }

    /// The node stops.
    pub(crate) fn node_stopped() -> Self {
        Self {
            why: "node_stopped",
            down: NodeDown::Closed,
            goodbye: GoodbyeReason::Shutdown,
            flush: true,
        }
    }
}

/// State of a running [`NodeSession`].
pub struct NodeSessionState {
    shared: Arc<Shared>,
    _linked: Linked,
    link: JoinHandle<()>,
}

impl std::fmt::Debug for NodeSessionState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeSessionState").finish_non_exhaustive()
    }
}

impl Drop for NodeSessionState {
    fn drop(&mut self) {
        self.link.abort();
        self.shared.over();
    }
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for NodeSession {
    type Msg = NodeSessionMessage;
    type State = NodeSessionState;
    type Arguments = NetworkStream;

    async fn pre_start(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        stream: NetworkStream,
    ) -> Result<NodeSessionState, ActorProcessingErr> {
        self.begin(myself, stream.into())
    }

    async fn post_stop(
        &self,
        _myself: ActorRef<NodeSessionMessage>,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        let shared = &state.shared;
        shared
            .registry
            .update(shared.myself.get_id(), |r| r.phase = Phase::Closing);
        let ending = shared.ending.get_or_init(Ending::closed);
        shared.peer.close_with(ending.goodbye, "");
        if ending.flush && shared.authenticated.load(Ordering::Relaxed) {
            let _ = timeout(FLUSH_TIMEOUT, &mut state.link).await;
        }
        shared.settle();
        shared.shims.end(&shared.exit_reason(ending)).await;
        shared.over();
        Ok(())
    }

    async fn handle(
        &self,
        _myself: ActorRef<NodeSessionMessage>,
        message: NodeSessionMessage,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        let shared = &state.shared;
        let authenticated = shared.authenticated.load(Ordering::Relaxed);
        match message {
            NodeSessionMessage::MessageReceived(message) if authenticated => {
                shared
                    .peer
                    .apply(|session, now| session.handle_message(now, message))?;
            }
            NodeSessionMessage::SendMessage(message) if authenticated => {
                let sent = shared.peer.apply(|session, _| session.forward(message));
                if let Err(error) = sent {
                    warn!(%error, "message was not sent");
                }
            }
            NodeSessionMessage::MessageReceived(_) | NodeSessionMessage::SendMessage(_) => {
                debug!("message to a session that is not authenticated dropped");
            }
            NodeSessionMessage::GetAuthenticationState(reply) => {
                let _ = reply.send(authenticated);
            }
            NodeSessionMessage::GetReadyState(reply) => {
                let _ = reply.send(shared.peer.apply(|session, _| session.is_ready()));
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<NodeSessionMessage>,
        event: SupervisionEvent,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            // A shim that ends, for whatever reason, concerns nobody but those who hold it.
            SupervisionEvent::ActorTerminated(shim, _, reason) => {
                state.shared.shim_ended(&shim, reason);
            }
            SupervisionEvent::ActorFailed(shim, _) => {
                state.shared.shims.forget(&shim);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A [`NodeSession`] of a connection of any kind, with all that belongs to it.
#[derive(Debug)]
pub(super) struct OpenedSession(pub(super) NodeSession);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for OpenedSession {
    type Msg = NodeSessionMessage;
    type State = NodeSessionState;
    type Arguments = Opened;

    async fn pre_start(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        opened: Opened,
    ) -> Result<NodeSessionState, ActorProcessingErr> {
        self.0.begin(myself, opened)
    }

    async fn post_stop(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        self.0.post_stop(myself, state).await
    }

    async fn handle(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        message: NodeSessionMessage,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        self.0.handle(myself, message, state).await
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<NodeSessionMessage>,
        event: SupervisionEvent,
        state: &mut NodeSessionState,
    ) -> Result<(), ActorProcessingErr> {
        self.0.handle_supervisor_evt(myself, event, state).await
    }
}

impl Shared {
    pub(crate) fn security(&self) -> Security {
        self.security
    }

    /// Ends the session. The first reason counts.
    pub(crate) fn end(&self, ending: Ending) {
        let why = ending.why.to_owned();
        let _ = self.ending.set(ending);
        self.myself.stop(Some(why));
    }

    /// Ends what is left open, whatever way the session ended, and tells all who watch. Again: nothing happens.
    pub(crate) fn over(self: &Arc<Self>) {
        self.settle();
        let ending = self.ending.get_or_init(Ending::closed);
        self.down(&ending.down);
    }

    /// Ends what is left open.
    fn settle(self: &Arc<Self>) {
        self.peer.abandon(|event| self.left_over(event));
        self.end_channels();
    }

    /// Acts on what the link's task has not come to, as far as somebody waits for it.
    fn left_over(self: &Arc<Self>, event: Event<Caller>) {
        match event {
            Event::Reply { call, what } => call.answer(what.into()),
            Event::CallEnded { call, why } => call.end(why),
            Event::Exited { pid, kind, reason } => {
                self.watchers.tell(pid, &Down::from_exit(kind, reason));
            }
            Event::Unsent {
                casts,
                calls,
                replies,
                bytes,
            } => self.lost(Unsent {
                casts: casts as u64,
                calls: calls as u64,
                replies: replies as u64,
                bytes: bytes as u64,
            }),
            _ => {}
        }
    }

    /// The peer has told its actors, and is in the know of this node's.
    fn introduced(&self) {
        self.introduced.send_replace(true);
        self.watchers
            .begin_deferred(|pid| self.peer.apply(|session, _| session.monitor(pid)));
    }

    /// Waits until the peer has told its actors, or is down.
    pub(crate) async fn introduction(&self) {
        // The sender is in here.
        let _ = self.introduced.subscribe().wait_for(|done| *done).await;
    }

    /// The session is with that run of the peer's node; unless it has ended.
    fn enter_run(self: &Arc<Self>, run: Arc<Run>) {
        let _ = self.run.set(run);
        if let Some(why) = self.watchers.ended() {
            self.leave_run(&why);
        }
    }

    fn leave_run(self: &Arc<Self>, why: &NodeDown) {
        if let Some(run) = self.run.get() {
            let link = Arc::downgrade(self);
            self.registry.link_down(run, &link, why.clone());
        }
    }

    /// Tells all who watch the peer or its actors that it is gone. The first reason counts.
    fn down(self: &Arc<Self>, why: &NodeDown) {
        self.leave_run(why);
        let first = self.watchers.end(why);
        // The link's task may just have entered it.
        self.leave_run(why);
        if first && self.run.get().is_some() {
            self.tell_losses();
            let reason = why.clone();
            self.tell(|session| NodeEvent::NodeDown { session, reason });
        }
        self.introduced.send_replace(true);
    }

    /// Counts messages that were not sent, and tells of them now and then.
    pub(crate) fn lost(self: &Arc<Self>, lost: Unsent) {
        match self.losses.count(Instant::now().into_std(), lost) {
            Tell::Now(unsent) => self.tell_unsent(unsent),
            Tell::At(due) => {
                let shared = Arc::downgrade(self);
                let telling = async move {
                    sleep_until(due.into()).await;
                    if let Some(shared) = shared.upgrade() {
                        shared.tell_losses();
                    }
                };
                // Without a runtime the session is ending, and that tells the rest.
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(telling);
                }
            }
            Tell::Scheduled => {}
        }
    }

    /// Tells what was lost and is not told.
    fn tell_losses(&self) {
        if let Some(unsent) = self.losses.rest(Instant::now().into_std()) {
            self.tell_unsent(unsent);
        }
    }

    fn tell_unsent(&self, unsent: Unsent) {
        warn!(node_id = self.node_id, ?unsent, "messages were not sent");
        self.tell(|session| NodeEvent::Unsent { session, unsent });
    }

    fn tell(&self, event: impl FnOnce(SessionInfo) -> NodeEvent) {
        if let Some(session) = self.info.get() {
            self.events.send(event(session.clone()));
        }
    }

    /// Asks the peer to stop an actor whose stand-in the program has stopped. A legacy peer lets it live.
    fn shim_ended(&self, shim: &ActorCell, reason: Option<String>) {
        if !self.shims.forget(shim) {
            return;
        }
        let kill = reason.as_deref() == Some("killed");
        let reason = reason.filter(|_| !kill);
        let pid = shim.get_id().pid();
        let asked = self
            .peer
            .apply(|session, _| session.stop(pid, reason, kill));
        if let Err(error) = asked {
            debug!(pid, %error, "remote actor let go of, not stopped");
        }
    }

    /// Whether the peer has said anything since `then`.
    pub(crate) fn heard_since(&self, then: Instant) -> bool {
        let last = self.peer.apply(|session, _| session.last_heard());
        last >= then.into_std()
    }

    /// The authenticated peer, as the policy is told of it; `None` when the session has ended before anybody asked.
    pub(crate) fn peer_info(&self) -> Option<&PeerInfo> {
        if let Some(known) = self.peer_info.get() {
            return Some(known);
        }
        let record = self.registry.get(self.myself.get_id())?;
        let name = record.peer_name?.name;
        Some(self.peer_info.get_or_init(|| PeerInfo {
            name,
            is_bound: self.identity.is_some(),
            address: record.peer_addr,
            node_id: self.node_id,
            security: self.security,
        }))
    }

    /// What those who watch a stand-in are told when the session ends.
    fn exit_reason(&self, ending: &Ending) -> String {
        let record = self.registry.get(self.myself.get_id());
        let peer = record.as_ref().map_or("a peer", Record::peer);
        format!("session with {peer} ended: {}", ending.down)
    }

    pub(crate) fn own_name(&self) -> NameMessage {
        NameMessage {
            name: self.local.name.clone(),
            flags: Some(shiome_wire::auth::NodeFlags {
                version: 1,
                ..Default::default()
            }),
            connection_string: self.local.connection_string.clone(),
            connection_id: 0,
        }
    }
}
