//! SWIM membership.
#![allow(dead_code, unused_imports)]

mod config;
mod event;
mod health;
mod key;
mod member;
mod rng;
mod rumors;
mod seeds;
mod stats;
mod suspicion;
mod table;
mod transmit;

pub use config::{Config, ConfigError, Suspicion};
pub use event::{DownReason, Event};
pub use member::{Identity, Member, State};
pub use stats::Stats;
pub use transmit::{ReliablePing, Transmit};
