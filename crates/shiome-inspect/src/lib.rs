//! A look into a running node over HTTP: what [`Inspector`](shiome_ractor::inspect::Inspector) tells as JSON, a live feed,
//! liveness and readiness, metrics.
//!
//! [`Inspect::router`] is an axum router that a program mounts in its own server:
//!
//! ```no_run
//! # async fn example(node: &shiome_ractor::Node) {
//! use shiome_inspect::Inspect;
//!
//! let inspect = Inspect::new(node.inspect());
//! let app: axum::Router = axum::Router::new()
//!     .nest("/cluster", inspect.router())
//!     .merge(inspect.health_router());
//! # }
//! ```
//!
//! | path               | is                                                                                      |
//! |--------------------|-----------------------------------------------------------------------------------------|
//! | `/v1/snapshot`     | all of the following but actors, groups and events: [`FeedSnapshot`]                    |
//! | `/v1/node`         | the node                                                                                |
//! | `/v1/sessions`     | sessions with lanes, credit, what waits, round trips, calls, drops                      |
//! | `/v1/peers`        | peers that there are or were, with what has passed over all sessions                    |
//! | `/v1/members`      | members by gossip, this node included                                                   |
//! | `/v1/gossip`       | how gossip is; 404 without                                                              |
//! | `/v1/actors`       | actors, by pages: `?after=&limit=&search=`, and `node_id=` for those of a peer          |
//! | `/v1/groups`       | process groups, by pages                                                                |
//! | `/v1/events`       | what happened, the last [`MAX_TIMELINE`]: `?after=` the number of an event              |
//! | `/v1/feed`         | Server-Sent Events: what happened and happens, and snapshots: `?every=` seconds         |
//! | `/healthz`         | 200 while the process answers; 503 when the node has stopped                            |
//! | `/readyz`          | 200 while the node is fit to be used: it runs and does not drain                        |
//! | `/metrics`         | metrics for Prometheus                                                                  |
//! | `/`                | the dashboard, a page of all this: [`Inspect::dashboard`]                               |
//! | `POST /v1/ping`    | asks a peer for a sign of life: [`PingRequest`]                                         |
//! | `POST /v1/call`    | calls an actor, or casts to it: [`CallRequest`]                                         |
//!
//! Nothing here asks who is there. [`Guard`] does, and refuses requests that a foreign web page makes in a browser; a
//! router that can be reached from elsewhere than its own host wants one, and [`Inspect::action_router`] always. [`serve()`]
//! runs a router with limits on what strangers can hold, on TCP or on a Unix socket that asks the system who is there.
//!
//! Refused requests are counted by reason, see [`Refusals`].

mod actions;
mod api;
#[cfg(feature = "bus")]
mod bus;
mod dashboard;
mod feed;
mod guard;
mod health;
mod inspect;
#[cfg(feature = "metrics")]
pub mod metrics;
mod refusals;
mod serve;

pub use actions::{
    CallRequest, CallResponse, MAX_CALL_TIMEOUT, MAX_REQUEST_LEN, PingRequest, PingResponse,
};
#[cfg(feature = "bus")]
pub use bus::{BusLinkView, BusView, DeadLetterView};
pub use feed::{FeedSnapshot, MAX_FEEDS, MAX_TIMELINE, NumberedEvent, SNAPSHOT_INTERVAL};
pub use guard::{Guard, MIN_TOKEN_LEN, Token, TokenError};
pub use health::Health;
pub use inspect::Inspect;
pub use refusals::{RefusalReason, Refusals};
pub use serve::{DISCARD_TIMEOUT, MAX_CONNECTIONS, REQUEST_HEAD_TIMEOUT, serve};
