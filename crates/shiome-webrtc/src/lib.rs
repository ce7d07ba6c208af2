//! WebRTC.
mod chunk;
mod failure;
mod heartbeat;
mod options;
mod outbox;
mod signal;
pub use failure::Failure;
pub use options::*;
