//! Links over WebSocket: to a server whose peers are on the bus of its process, or through a relay to all of its other clients.
//! `docs/PROTOCOL.md`, section 13, says what goes over them.
//!
//! A relay is a process of its own, or a part of one that has a web server:
//!
//! ```
//! use std::sync::Arc;
//!
//! use shiome_bus::{
//!     Bus, LinkOptions, PeerId,
//!     websocket::{ClientOptions, Links, Origins, Policy, ServerOptions, WebSocketClient, WebSocketServer},
//! };
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let links = Links::new(Policy::Any);
//! let relay = WebSocketServer::relay(&PeerId::new("relay")?, ServerOptions::anyone())?;
//! let listening = relay.listen(&links, "ws://127.0.0.1:0/bus", Origins::none()).await?;
//!
//! let bus = Bus::new();
//! let alice = bus.peer("alice")?;
//! let link = WebSocketClient::new(listening.url(), &PeerId::new("alice")?, links, ClientOptions::default())?;
//! bus.attach(Arc::new(link), LinkOptions::default().uplink())?;
//! # Ok::<(), shiome_bus::BusError>(())
//! # }).unwrap();
//! ```

mod accept;
mod attached;
mod backoff;
mod bell;
mod client;
mod dial;
mod dialer;
mod heartbeat;
mod hub;
mod intake;
mod member;
mod member_link;
mod names;
mod open;
mod opening;
mod options;
mod outbox;
#[cfg(any(test, feature = "_script"))]
#[allow(dead_code, reason = "support code of tests, which use all of it")]
mod pair;
mod presence;
mod pump;
#[cfg(feature = "_script")]
#[doc(hidden)]
pub mod script;
mod server;
mod session;
mod stats;
#[cfg(test)]
mod tests;

pub use shiome_transport::{
    Links, Policy,
    websocket::{Endpoint, Origins, UpgradeError},
};

pub use self::{
    backoff::Reconnect,
    client::WebSocketClient,
    options::{Admission, ClientOptions, MAX_HEARTBEAT, MIN_HEARTBEAT, ServerOptions, Verifier},
    outbox::QueueLimits,
    server::{Listening, WebSocketServer, endpoint},
    stats::ServerStats,
};

/// Subprotocol of WebSockets that links of the bus are.
pub const SUBPROTOCOL: &str = "shiome-bus.1";
