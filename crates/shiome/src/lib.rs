//! Joins `ractor` actor systems into one cluster, wire-compatible with `ractor_cluster`.
//!
//! # In place of `ractor_cluster`
//!
//! Every name and path of `ractor_cluster` 0.16.5 is here. Rename the dependency and change nothing else:
//!
//! ```toml
//! ractor_cluster = { package = "shiome", version = "0.1" }
//! ```
//!
//! # Fresh
//!
//! [`Node::builder`] starts a node, [`Node::connect`] joins another; from then on the actors and process groups of
//! both are visible to both, through `ractor`'s own `pg` and `ActorRef`. With the feature `membership`, which is on by
//! default, `Builder::seeds` lets a node find all others by gossip, and notice who is gone.
//!
//! # Layers
//!
//! The facade holds no logic. Each layer is a crate of its own, here as a module: [`wire`], [`handshake`],
//! [`session`], [`transport`], [`bridge`], and with its feature `membership`. The feature `bus` has the bus of peers, which
//! needs no cluster, and goes over its sessions where there is one; with the feature `webrtc` its peers talk directly, and nodes join
//! through NAT.

#[cfg(feature = "bus")]
pub mod bus;
pub use shiome_derive::{BytesConvertable, RactorClusterMessage, RactorMessage};
pub use shiome_handshake as handshake;
#[cfg(feature = "membership")]
pub use shiome_membership as membership;
pub use shiome_ractor as bridge;
pub use shiome_ractor::inspect;
pub use shiome_ractor::trace;
pub use shiome_ractor::{
    ActorLink, BoxRead, BoxWrite, BuildError, Builder, BytesConvertable, CallError, CastError,
    Channel, ChannelConfig, ChannelError, ChannelLink, ChannelSender, ClientConnectErr,
    ClusterBidiStream, ConnectError, Connection, ConnectionEnd, ConnectionState, Cookie,
    DEFAULT_MAX_INBOUND_FRAME_SIZE, DefaultPolicy, Down, Events, ExportError, Expose,
    HandshakeFailure, IncomingEncryptionMode, KeepError, LinkInfo, MAX_EXPORTS,
    MAX_KEPT_CONNECTIONS, MAX_LISTENERS, MAX_SESSIONS, Monitor, NativeInfo, NetworkStream, Node,
    NodeDown, NodeEvent, NodeEventSubscription, NodeId, NodeMonitor, NodeServer, NodeServerMessage,
    NodeSession, NodeSessionMessage, Overflow, PeerInfo, Policy, Reconnect, RemoteRef, RunEnd,
    Security, SessionInfo, StopError, TargetInfo, Unsent, Verb, client_connect, client_connect_enc,
    client_connect_external, client_keep_connected, derive_serialization_for_prost_type, macros,
    node,
};
#[cfg(feature = "membership")]
pub use shiome_ractor::{Gossip, Member};
pub use shiome_session as session;
pub use shiome_transport as transport;
#[cfg(feature = "webrtc")]
pub mod webrtc;
pub use shiome_wire as wire;
