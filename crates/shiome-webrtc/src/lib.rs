//! WebRTC.
mod chunk;
mod connection;
mod event;
mod failure;
mod gather;
mod heartbeat;
mod link;
mod net;
mod options;
mod outbox;
mod rtc;
mod session;
mod signal;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod tests;
pub use event::{Path, RtcEvent, RtcEvents};
pub use failure::Failure;
pub use options::*;
pub use rtc::Rtc;
