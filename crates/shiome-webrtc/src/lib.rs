//! WebRTC.
mod chunk;
mod connection;
mod failure;
mod gather;
mod heartbeat;
mod options;
mod outbox;
mod signal;
#[cfg(test)]
mod sim;
pub use failure::Failure;
pub use options::*;
