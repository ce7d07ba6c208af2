//! The session with one other node.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use shiome_handshake::{Announce, Cookie, Local, Side};
use shiome_session::Session;
use shiome_transport::Peer;
use shiome_wire::{auth::NameMessage, meta::NetworkMessage, node::NodeMessage};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use tracing::{debug, warn};

use super::{
    Dialer, NodeConnectionMode, NodeServerMessage, Opened, Registry,
    reach::Reach,
    registry::{Phase, Record},
};
use crate::{
    IncomingEncryptionMode, NetworkStream, NodeEvent, NodeId,
    exposure::Exposure,
    native::{self, NativePolicy},
    overflow::{Losses, MAX_UNTAKEN_LEN, Overflow},
    remote::{Linked, Watchers},
    trace::Pack,
};

mod any_link;
mod awaited;
mod channels;
mod ending;
mod exports;
mod inbound;
mod left_out;
mod link;
mod mailboxes;
mod monitored;
mod replies;
mod shared;
mod shims;

pub(super) use any_link::OpenedSession;
use channels::Channels;
pub(crate) use ending::Ending;
use left_out::LeftOut;
use monitored::Monitored;
pub(crate) use shared::Shared;
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
    /// Bytes in mailboxes before credit is held.
    pub(crate) max_untaken: usize,
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
            max_untaken: MAX_UNTAKEN_LEN,
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
            max_untaken: setup.max_untaken,
            losses: Losses::default(),
            left_out: LeftOut::default(),
            channels: Channels::default(),
            meter: Arc::default(),
            ending: OnceLock::new(),
            down_told: Mutex::new(false),
        });
        let record = Record::new(&shared, side, &opened);
        let session = record.information().into();
        shared.registry.insert(record);
        shared.events.send(NodeEvent::Opened(session));
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
            NodeSessionMessage::SendMessage(mut message) if authenticated => {
                let sent = shared.peer.apply(|session, _| {
                    message.pack(session, None);
                    session.forward(message)
                });
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
