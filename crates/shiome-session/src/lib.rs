//! What happens on one authenticated link of a `ractor` cluster, without I/O, clock or tasks.
//!
//! A [`Session`] keeps the books of both directions: which local actors the peer may address, which actors the peer
//! has announced and the groups they are in, which calls are open either way, and when to ping. It decides what is
//! sent, what is delivered and what ends the link.
//!
//! # How to drive it
//!
//! 1. After the handshake, create one with [`Session::new`], tell it what was [`negotiated`](Session::negotiated) with a
//!    native peer, and [`start`](Session::start) it.
//! 2. [`announce`](Session::announce) the local actors, [`join`](Session::join) their groups, then call
//!    [`synced`](Session::synced); later changes follow with the same methods, [`leave`](Session::leave),
//!    [`exited`](Session::exited) and [`terminate`](Session::terminate).
//! 3. Say that bytes have come with [`heard`](Session::heard). Give it what arrives with
//!    [`handle_message`](Session::handle_message), actors' messages with [`cast`](Session::cast),
//!    [`call`](Session::call), [`reply`](Session::reply), and the time with
//!    [`handle_timeout`](Session::handle_timeout) when [`poll_timeout`](Session::poll_timeout) says so, after what has
//!    arrived by then.
//! 4. After each of these, take [`poll_event`](Session::poll_event) until it returns `None`; take
//!    [`poll_frame`](Session::poll_frame) or [`poll_transmit`](Session::poll_transmit) whenever the link has room, and only
//!    then, since what is not taken yet can be overtaken by what is more urgent. Ask [`poll_timeout`](Session::poll_timeout) again. Taking an event may
//!    make a message, and the reverse.
//! 5. To close the link in good order, say [`goodbye`](Session::goodbye) and go on until
//!    [`is_drained`](Session::is_drained). When that is so, or the link is lost, [`close`](Session::close) and take the
//!    events: every open call ends there.
//!
//! An error from [`handle_message`](Session::handle_message) means that the peer broke a rule. The session is closed
//! then: take the events, let [`poll_frame`](Session::poll_frame) say goodbye, and close the link.
//!
//! What waits in a session is bounded: casts and calls by [`Config::max_outbox`], what is told and answered by
//! [`MAX_CONTROL_BACKLOG`], replies by the calls that are open. A message of the peer makes at most one answer and one
//! event, unless it ends what was open: calls, monitors, the session.
//!
//! # Order
//!
//! * What this side tells goes before calls and replies, and these go before bulk: casts, and whatever is longer than
//!   [`FRAGMENT_THRESHOLD`]. Messages to one remote actor never overtake each other, but for a kill, which waits for
//!   nothing. Bulk to different actors goes in turn.
//! * What is told keeps its order. Only the end of a local actor is held: until its calls are answered (for
//!   [`Config::terminate_hold`] at most) and its answers have left, however long they are. How it exited goes right
//!   before that. Until then the actor is not announced and joins no group; that it leaves one is told at once, since
//!   its end says no more.
//! * Replies have no order among themselves, but that a long one waits for other long ones of its actor.
//!
//! # Flow
//!
//! A native peer grants [credit](Config::window) for casts and fragments, and grants it again when its owner has taken
//! what came. A cast takes the length of its payload, metadata and name of its kind and 8 bytes, a fragment that of its data
//! and 8, and both at least 64. A fragment gives its share back with the events before it. Both sides have room for one
//! frame of bulk once all is taken, so neither waits for ever, whatever the window, but for an owner that
//! [holds credit](Session::hold_credit) back. Towards a legacy peer at most [`LEGACY_WINDOW`] of bulk goes out beyond the
//! last ping that it answered.
//!
//! # Channels
//!
//! Native nodes may also speak about what is no actor's: [`open_channel`](Session::open_channel), by name, and when the peer has
//! opened it too, whole messages go both ways, in order. A channel has a window of its own, so one that nobody reads holds up
//! neither actors nor other channels. Channels and bulk share the link by bytes, half and half, after all that is more urgent.
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
//! // It looks twice whether more comes, and then pings.
//! for _ in 0..2 {
//!     let next = client.poll_timeout().ok_or("it does not look")?;
//!     client.handle_timeout(next);
//! }
//! assert!(client.poll_transmit().is_some());
//! # Ok(())
//! # }
//! ```

mod calls;
mod channels;
mod config;
mod deadlines;
mod directory;
mod error;
mod event;
mod exports;
mod lanes;
mod length;
mod liveness;
mod mark;
mod monitors;
mod numbers;
mod reassembly;
mod recent;
mod session;
mod terms;
#[cfg(test)]
mod tests;
mod timer;
mod traffic;
mod window;

pub use channels::{
    ChannelConfig, ChannelError, ChannelFault, ChannelId, MAX_CHANNEL_MESSAGE_LEN,
    MAX_CHANNEL_NAME_LEN, MAX_CHANNELS,
};
pub use config::{
    Config, DEFAULT_CALL_TIMEOUT, FRAGMENT_THRESHOLD, HIGH_WATER, LEGACY_WINDOW, LIVENESS_TIMEOUT,
    MAX_ANNOUNCED_ACTORS, MAX_CONTROL_BACKLOG, MAX_DIRECTORY_BYTES, MAX_EXPRESS_BACKLOG,
    MAX_FRAGMENTED, MAX_GROUPED_ACTORS, MAX_MEMBERSHIPS, MAX_MESSAGE_LEN, MAX_MONITORS,
    MAX_NAME_LEN, MAX_OPEN_CALLS, MAX_OUTBOX_LEN, MAX_REASON_LEN, MAX_REASSEMBLY_LEN,
    MESSAGE_OVERHEAD, MIN_WINDOW, REASSEMBLY_TIMEOUT, REPLY_GRACE, REPLY_HEADSTART, TERMINATE_HOLD,
    WINDOW,
};
pub use deadlines::{Deadlines, Ticket};
pub use error::{FragmentError, SendError, SessionError};
pub use event::{
    CallEnd, CallErrorCode, Event, ExitKind, GoodbyeReason, InboundCall, Skipped, Verb,
};
pub use length::Length;
pub use session::Session;
pub use shiome_wire as wire;
pub use terms::Terms;
pub use traffic::{Figures, Lane, LaneFigures};
