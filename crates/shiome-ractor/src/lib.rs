//! The bridge between `ractor` and a cluster: actors, process groups and messages of other nodes.
//!
//! The names and paths are those of `ractor_cluster`, so that a program changes by renaming one dependency; how it
//! behaves better stands in the workspace's `docs/MIGRATING.md`. [`Node`] is the shorter way for a program that
//! starts fresh.
//!
//! # Where a message goes
//!
//! ```text
//! ActorRef::cast ──► RemoteActor (shim) ──► Peer::apply(Session::cast) ──► outbox ──► link
//! link ──► drive ──► Session::handle_message ──► Inbound (EventSink) ──► send_serialized ──► local actor
//! ```
//!
//! * [`NodeServer`] listens, holds the table of sessions and emits events.
//! * [`NodeSession`] owns one connection: it runs the link's task and tells the peer of local actors and groups.
//! * A remote actor is a local shim without name; it exists while the peer says so and the session lasts.
//!
//! `ractor`'s registries are global to the process, so a process is one node.

pub mod inspect;
pub mod macros;
pub mod node;
pub mod trace;

mod backoff;
mod builder;
mod channel;
mod connector;
mod events;
mod exposure;
#[cfg(feature = "membership")]
mod gossip;
mod handle;
mod link_info;
mod native;
mod outcome;
mod overflow;
mod reconnect;
mod remote;
mod remote_actor;
mod stream;

pub use builder::{BuildError, Builder, Cookie, MAX_LISTENERS};
pub use channel::{Channel, ChannelLink, ChannelSender};
pub use events::{Events, NodeEvent, SessionInfo};
pub use exposure::{
    DefaultPolicy, ExportError, Expose, MAX_EXPORTS, PeerInfo, Policy, TargetInfo, Verb,
};
#[cfg(feature = "membership")]
pub use gossip::{Gossip, Member};
pub use handle::Node;
pub use link_info::{LinkInfo, NativeInfo};
pub use node::{
    ClientConnectErr, DEFAULT_MAX_INBOUND_FRAME_SIZE, MAX_SESSIONS, NodeEventSubscription,
    NodeServer, NodeServerMessage, NodeSession, NodeSessionMessage,
    client::{
        connect as client_connect, connect_enc as client_connect_enc,
        connect_external as client_connect_external, keep_connected as client_keep_connected,
    },
};
pub use outcome::{ConnectError, HandshakeFailure};
pub use overflow::{MAX_UNTAKEN_LEN, Overflow, Unsent};
pub use ractor::serialization::*;
pub use reconnect::{
    Connection, ConnectionEnd, ConnectionState, KeepError, MAX_KEPT_CONNECTIONS, Reconnect,
};
pub use remote::{
    ActorLink, CallError, CastError, Down, Monitor, NodeDown, NodeMonitor, RemoteRef, RunEnd,
    StopError,
};
pub use shiome_derive::{RactorClusterMessage, RactorMessage};
#[cfg(feature = "membership")]
pub use shiome_membership as membership;
pub use shiome_session::{ChannelConfig, ChannelError, MAX_CHANNEL_NAME_LEN, MAX_CHANNELS};
pub use shiome_transport::{BoxRead, BoxWrite, ClusterBidiStream, Security};
pub use stream::{IncomingEncryptionMode, NetworkStream};

/// Number of a connection to another node, unique in this process and never 0, which stands for this node itself.
pub type NodeId = u64;
