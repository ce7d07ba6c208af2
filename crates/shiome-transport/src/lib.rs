//! Links of a `ractor` cluster: byte streams between nodes, and the tasks that run the handshake and the session on
//! them.
//!
//! # Where a byte goes
//!
//! ```text
//!            ┌────────────────────── drive ──────────────────────┐
//!  reader ──►│ FrameReader ──► Session::handle_message ──► Event │──► EventSink (the owner)
//!            └───────────────────────┬───────────────────────────┘
//!                              Peer (lock)
//!  writer ◄── writer task ◄── Session::poll_frame       Session::cast, … ◄── Peer::apply (the owner)
//! ```
//!
//! 1. A [`Link`] comes from [`Links`], which dial and listen at [`Address`]es of any scheme under one [`Policy`], or is any
//!    [`ClusterBidiStream`].
//! 2. [`authenticate()`] runs the handshake on it, asking a [`Gate`] whom to admit.
//! 3. [`drive()`] runs the session of the authenticated link until it ends, and says [why](LinkEnd).
//!
//! [`limits`] keeps strangers from filling a node up before the second step is over.
//!
//! The owner speaks through a shared [`Peer`] at any time and hears through its [`EventSink`].

mod address;
mod alarm;
mod authenticate;
mod connector;
mod drive;
mod error;
mod frames;
pub mod limits;
mod link;
mod links;
mod listener;
pub mod memory;
mod peer;
pub mod tcp;
pub mod tls;
mod turnover;
#[cfg(unix)]
pub mod unix;
#[cfg(feature = "websocket")]
pub mod websocket;
mod writer;

pub use address::{Address, AddressError, MAX_ADDRESS_LEN, MAX_SCHEME_LEN};
pub use authenticate::{Gate, authenticate};
pub use connector::{BoxFuture, Connector};
pub use drive::{DRAIN_TIMEOUT, EventSink, LinkEnd, drive};
pub use error::{AuthenticateError, ReadError, TransportError};
pub use frames::FrameReader;
pub use link::{BoxRead, BoxWrite, ClusterBidiStream, Link, PeerIdentity, Security, SocketAddrs};
pub use links::{DIAL_TIMEOUT, ESTABLISH_TIMEOUT, Links, Policy, Scheme};
pub use listener::{Accepted, Bind, Listener, Remote};
pub use peer::{Peer, STALL_TIMEOUT, Turn};
pub use shiome_handshake as handshake;
pub use shiome_session as session;
