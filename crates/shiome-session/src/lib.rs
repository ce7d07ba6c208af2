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
//!    [`synced`](Session::synced); later changes follow with the same methods, [`leave`](Session::leave) and
//!    [`terminate`](Session::terminate).
//! 3. Give it what arrives with [`handle_message`](Session::handle_message), actors' messages with
//!    [`cast`](Session::cast), [`call`](Session::call), [`reply`](Session::reply), and the time with
//!    [`handle_timeout`](Session::handle_timeout) when [`poll_timeout`](Session::poll_timeout) says so.
//! 4. After each of these, drain [`poll_transmit`](Session::poll_transmit) and [`poll_event`](Session::poll_event)
//!    until both return `None`, in that order, and ask [`poll_timeout`](Session::poll_timeout) again.
//! 5. When the link is lost, [`close`](Session::close) it and drain the events: every open call ends there.
//!
//! An error from [`handle_message`](Session::handle_message) means that the peer broke a limit. The session is closed
//! then: drain the events and close the link.
//!
//! What waits in a session between two drains is bounded by what was put in: a message of the peer makes at most one
//! answer and one event, unless it breaks a limit and ends the open calls.
//!
//! # Example
//!
//! Two sessions, `client` and `server`, and the loop that a driver runs with a real link and a real clock:
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use shiome_session::{
//!     Config, Event, Session, SessionError,
//!     wire::{control::Actor, node},
//! };
//!
//! /// Carries what `from` has to send over to `to`.
//! fn carry(
//!     from: &mut Session<&'static str>,
//!     to: &mut Session<&'static str>,
//!     now: Instant,
//! ) -> Result<(), SessionError> {
//!     while let Some(message) = from.poll_transmit() {
//!         to.handle_message(now, message)?;
//!     }
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Instant::now();
//! let mut client = Session::new(now, Config::default(), 1);
//! let mut server = Session::new(now, Config::default(), 2);
//! client.start(now, None);
//! server.start(now, None);
//!
//! let name = Some("greeter".to_owned());
//! server.announce([Actor { pid: 7, name }]);
//! server.synced();
//! client.synced();
//! carry(&mut server, &mut client, now)?;
//! carry(&mut client, &mut server, now)?;
//!
//! let to = client.remote_pid("greeter").ok_or("not there")?;
//! let variant = "Greet".to_owned();
//! let greet = node::Call { to, variant, ..node::Call::default() };
//! client.call(now, greet, Some(Duration::from_secs(1)), "the greeting")?;
//! carry(&mut client, &mut server, now)?;
//!
//! while let Some(event) = server.poll_event() {
//!     if let Event::Call(call) = event {
//!         server.reply(now, call.to, call.tag, "hello".into())?;
//!     }
//! }
//! carry(&mut server, &mut client, now)?;
//!
//! let mut greeting = None;
//! while let Some(event) = client.poll_event() {
//!     if let Event::Reply { call: "the greeting", what } = event {
//!         greeting = Some(what);
//!     }
//! }
//! assert_eq!(greeting.as_deref(), Some(&b"hello"[..]));
//!
//! // Nothing else happens before the next ping.
//! let next = client.poll_timeout().ok_or("no ping planned")?;
//! client.handle_timeout(next);
//! assert!(client.poll_transmit().is_some());
//! # Ok(())
//! # }
//! ```

mod calls;
mod config;
mod directory;
mod error;
mod event;
mod exports;
mod lanes;
mod liveness;
mod monitors;
mod reassembly;
mod session;
mod terms;
#[cfg(test)]
mod tests;
mod timer;
mod window;

pub use config::{
    Config, DEFAULT_CALL_TIMEOUT, FRAGMENT_THRESHOLD, LEGACY_WINDOW, LIVENESS_TIMEOUT,
    MAX_ANNOUNCED_ACTORS, MAX_CONTROL_BACKLOG, MAX_DIRECTORY_BYTES, MAX_EXPRESS_BACKLOG,
    MAX_FRAGMENTED, MAX_GROUPED_ACTORS, MAX_MEMBERSHIPS, MAX_MESSAGE_LEN, MAX_MONITORS,
    MAX_NAME_LEN, MAX_OPEN_CALLS, MAX_OUTBOX_LEN, MAX_REASON_LEN, MAX_REASSEMBLY_LEN,
    MESSAGE_OVERHEAD, MIN_WINDOW, REASSEMBLY_TIMEOUT, REPLY_GRACE, REPLY_HEADSTART, TERMINATE_HOLD,
    WINDOW,
};
pub use error::{FragmentError, SendError, SessionError};
pub use event::{
    CallEnd, CallErrorCode, Event, ExitKind, GoodbyeReason, InboundCall, Skipped, Verb,
};
pub use session::Session;
pub use shiome_wire as wire;
pub use terms::Terms;
