//! A deterministic simulator of SWIM clusters.
//!
//! A [`World`] holds a cluster of [engines](Engine) and the [network](Network) between them, with latency, loss,
//! partitions and nodes that [stand still](Pause), and lets virtual time pass. Its [`Ledger`] holds what the engines tell
//! against what is. Engines are black boxes, so that different ones can be compared on the same network. Equal seeds give
//! equal simulations, which the [fingerprint](World::fingerprint) proves.

#![allow(
    clippy::exhaustive_enums,
    reason = "nobody outside the workspace matches on them"
)]

mod contender;
mod engine;
pub mod experiments;
mod hash;
mod ledger;
pub mod metrics;
mod network;
pub mod ours;
mod pause;
mod pool;
mod queue;
pub mod report;
mod rng;
pub mod scenarios;
pub mod svg;
pub mod table;
pub mod time;
mod world;

pub use contender::Contender;
pub use engine::{Engine, Kind, Life};
pub use hash::Fingerprint;
pub use ledger::{Belief, Counts, Faults, Ledger, Sighting};
pub use network::{Bursts, Conditions, HEADER_LEN, Network};
pub use pause::{Pause, SOCKET_BUFFER_LEN, Wake};
pub use pool::MAX_DATAGRAM_LEN;
pub use rng::Rng;
pub use world::{Memory, Out, Traffic, World};
