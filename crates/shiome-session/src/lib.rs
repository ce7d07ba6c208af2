//! What happens on one authenticated link of a `ractor` cluster, without I/O, clock or tasks.
//!
//! A [`Session`] keeps the books of both directions: which local actors the peer may address, which actors the peer
//! has announced and the groups they are in, which calls are open either way, and when to ping. It decides what is
//! sent, what is delivered and what ends the link.
//!
//! # How to drive it
//!
//! 1. After the handshake, create one with [`Session::new`] and [`start`](Session::start) it.
//! 2. [`announce`](Session::announce) the local actors, [`join`](Session::join) their groups, then call
//!    [`synced`](Session::synced); later changes follow with the same methods and [`terminate`](Session::terminate).
//! 3. Give it what arrives with [`handle_message`](Session::handle_message), actors' messages with
//!    [`cast`](Session::cast), [`call`](Session::call), [`reply`](Session::reply), and the time with
//!    [`handle_timeout`](Session::handle_timeout) when [`poll_timeout`](Session::poll_timeout) says so.
//! 4. After each of these, drain [`poll_transmit`](Session::poll_transmit) and [`poll_event`](Session::poll_event)
//!    until both return `None`, in that order, and ask [`poll_timeout`](Session::poll_timeout) again.
//! 5. When the link is lost, [`close`](Session::close) it and drain the events: every open call ends there.
//!
//! An error from [`handle_message`](Session::handle_message) means that the peer broke a limit; close the link.

mod calls;
mod config;
mod directory;
mod error;
mod event;
mod exports;
mod liveness;
mod session;
#[cfg(test)]
mod tests;
mod timer;

pub use config::{
    Config, DEFAULT_CALL_TIMEOUT, MAX_ANNOUNCED_ACTORS, MAX_DIRECTORY_BYTES, MAX_GROUPED_ACTORS,
    MAX_MEMBERSHIPS, MAX_NAME_LEN, MAX_OPEN_CALLS, PING_INTERVAL, PONG_TIMEOUT, REPLY_GRACE,
    TERMINATE_HOLD,
};
pub use error::{SendError, SessionError};
pub use event::{CallEnd, Event, InboundCall, Skipped};
pub use session::Session;
pub use shiome_wire as wire;
