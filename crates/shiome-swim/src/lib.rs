//! SWIM membership.

mod allowance;
mod config;
mod event;
mod graves;
mod health;
mod key;
mod member;
mod probe;
mod rng;
mod rumors;
mod seeds;
mod slots;
mod stats;
mod suspicion;
mod swim;
mod table;
mod timers;
mod transmit;

pub use config::{Config, ConfigError, Suspicion};
pub use event::{DownReason, Event};
pub use member::{Identity, Member, State};
pub use stats::Stats;
pub use swim::{SlotsError, Swim};
pub use transmit::{ReliablePing, Transmit};

#[cfg(test)]
mod tests;
