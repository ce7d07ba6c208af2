//! Nodes and their sessions.

use std::collections::HashMap;

use ractor::{ActorId, ActorRef, RpcReplyPort};
use shiome_handshake::Admission;
use shiome_wire::auth::NameMessage;

use crate::{ClusterBidiStream, NetworkStream, NodeId};

pub mod auth;
pub mod client;
pub mod node_session;

mod dialer;
mod events;
mod listener;
mod opened;
mod reach;
mod registry;
mod server;
mod serving;
mod strangers;

pub use client::ClientConnectErr;
pub use events::NodeEventSubscription;
pub use node_session::{NodeSession, NodeSessionMessage};
pub(crate) use server::listen_at;
pub use server::{NodeServer, NodeServerState};

pub(crate) use dialer::{Dialer, encrypted, is_socket};
pub(crate) use node_session::Ending;
pub(crate) use opened::Opened;
pub(crate) use registry::{Phase, Record, Registry};
pub(crate) use serving::Serving;
pub(crate) use strangers::Strangers;

/// Default limit on the frames that other nodes send, in bytes.
pub const DEFAULT_MAX_INBOUND_FRAME_SIZE: u64 = shiome_wire::MAX_FRAME_LEN;

/// Sessions of a node that are authenticated, unless [`Builder::max_sessions`](crate::Builder::max_sessions) says otherwise.
/// Each may use up to some hundred MiB if its peer means harm.
pub const MAX_SESSIONS: usize = 1024;

/// What a node does with the nodes that its peers are connected to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the drop-in API")]
pub enum NodeConnectionMode {
    /// Asks each peer for them, and connects to those that it does not know.
    #[default]
    Transitive,
    /// Nothing.
    Isolated,
}

/// Verdict on a connection, see [`NodeServerMessage::CheckSession`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the drop-in API")]
pub enum SessionCheckReply {
    /// No other connection with that node is known.
    NoOtherConnection,
    /// Another connection stays.
    OtherConnectionContinues,
    /// Another connection exists and gives way to this one.
    ThisConnectionContinues,
    /// A connection with a node of that name is up.
    DuplicateConnection,
}

impl From<SessionCheckReply> for Admission {
    fn from(reply: SessionCheckReply) -> Self {
        match reply {
            SessionCheckReply::NoOtherConnection => Self::Ok,
            SessionCheckReply::OtherConnectionContinues => Self::NotOk,
            SessionCheckReply::ThisConnectionContinues => Self::OkSimultaneous,
            SessionCheckReply::DuplicateConnection => Self::Alive,
        }
    }
}

impl From<Admission> for SessionCheckReply {
    fn from(admission: Admission) -> Self {
        match admission {
            Admission::Ok => Self::NoOtherConnection,
            Admission::OkSimultaneous => Self::ThisConnectionContinues,
            Admission::NotOk | Admission::NotAllowed => Self::OtherConnectionContinues,
            Admission::Alive => Self::DuplicateConnection,
        }
    }
}

impl From<SessionCheckReply> for shiome_wire::auth::ServerStatus {
    fn from(reply: SessionCheckReply) -> Self {
        let status = shiome_wire::auth::server_status::Status::from(Admission::from(reply));
        Self {
            status: status.into(),
        }
    }
}

/// A session, as [`NodeServerMessage::GetSessions`] and the events tell it.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "the drop-in API")]
pub struct NodeServerSessionInformation {
    /// The session's actor. Stopping it closes the connection.
    pub actor: ActorRef<NodeSessionMessage>,
    /// What the peer calls itself, once it has.
    pub peer_name: Option<NameMessage>,
    /// Whether the peer dialled.
    pub is_server: bool,
    /// Number of the connection, also in the ids of the peer's actors.
    pub node_id: NodeId,
    /// The peer's socket address, its label, or `external`.
    pub peer_addr: String,
}

/// Messages of [`NodeServer`].
#[expect(clippy::exhaustive_enums, reason = "the drop-in API")]
pub enum NodeServerMessage {
    /// Makes a session of an open connection.
    ConnectionOpened {
        /// The connection.
        stream: Box<NetworkStream>,
        /// Whether the peer dialled.
        is_server: bool,
    },
    /// Makes a session of a stream that was opened elsewhere.
    ConnectionOpenedExternal {
        /// The stream.
        stream: Box<dyn ClusterBidiStream>,
        /// Whether the peer opened it. One end of a stream is the server, the other the client.
        is_server: bool,
    },
    /// The session of this actor has proven the cookie.
    ConnectionAuthenticated(ActorId),
    /// The session of this actor and its peer have told each other their actors and groups.
    ConnectionReady(ActorId),
    /// Asks for the verdict on a connection with a peer of this name.
    CheckSession {
        /// What the peer calls itself.
        peer_name: NameMessage,
        /// Where the verdict goes.
        reply: RpcReplyPort<SessionCheckReply>,
    },
    /// The peer of this actor's session calls itself so.
    UpdateSession {
        /// The session's actor.
        actor_id: ActorId,
        /// What the peer calls itself.
        name: NameMessage,
    },
    /// Asks for the authenticated sessions.
    GetSessions(RpcReplyPort<HashMap<NodeId, NodeServerSessionInformation>>),
    /// Adds a subscription, in place of an earlier one of the same id.
    SubscribeToEvents {
        /// For [`UnsubscribeToEvents`](Self::UnsubscribeToEvents).
        id: String,
        /// Whom to tell.
        subscription: Box<dyn NodeEventSubscription>,
    },
    /// Removes the subscription of this id.
    UnsubscribeToEvents(String),
    /// The node is reached at this port from now on.
    PortChanged {
        /// The port.
        port: u16,
    },
}

impl std::fmt::Debug for NodeServerMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ConnectionOpened { .. } => "ConnectionOpened",
            Self::ConnectionOpenedExternal { .. } => "ConnectionOpenedExternal",
            Self::ConnectionAuthenticated(_) => "ConnectionAuthenticated",
            Self::ConnectionReady(_) => "ConnectionReady",
            Self::CheckSession { .. } => "CheckSession",
            Self::UpdateSession { .. } => "UpdateSession",
            Self::GetSessions(_) => "GetSessions",
            Self::SubscribeToEvents { .. } => "SubscribeToEvents",
            Self::UnsubscribeToEvents(_) => "UnsubscribeToEvents",
            Self::PortChanged { .. } => "PortChanged",
        })
    }
}

impl ractor::Message for NodeServerMessage {}
