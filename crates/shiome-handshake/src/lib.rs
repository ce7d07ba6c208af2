//! Sans-io cookie handshake of a `ractor` cluster, and the election between duplicate connections.
//!
//! A [`Handshake`] is one end of one connection, from the first byte until both ends have proven that they know the
//! cluster's [`Cookie`]. It opens no socket, reads no clock and draws no random number: messages, time and
//! [`Entropy`] are arguments.
//!
//! # Use
//!
//! 1. Make one with [`Handshake::client`] on the connection that was dialled, [`Handshake::server`] on the one that
//!    was accepted.
//! 2. Send what [`Handshake::poll_transmit`] returns, until `None`.
//! 3. Act on what [`Handshake::poll_event`] returns, until `None`. [`Event::NameReceived`] and [`Event::PeerAlive`]
//!    are questions: answer with [`Handshake::admit`] and [`Handshake::answer_alive`], then go back to 2.
//! 4. Wait for a message or for [`Handshake::poll_timeout`], hand it to [`Handshake::handle_message`] or
//!    [`Handshake::handle_timeout`], then go back to 2.
//! 5. Done at [`Event::Authenticated`]. On an error, or when [`Handshake::is_refused`] says so, send what step 2 still
//!    has, and close the connection.
//!
//! ```
//! use std::time::Instant;
//!
//! use shiome_handshake::{Admission, Config, Cookie, Entropy, Event, Handshake, HandshakeError, Local};
//!
//! /// Steps 2 and 3, with a peer in the same thread; true once authenticated.
//! fn step(end: &mut Handshake, peer: &mut Handshake) -> Result<bool, HandshakeError> {
//!     while let Some(message) = end.poll_transmit() {
//!         peer.handle_message(Instant::now(), message)?;
//!     }
//!     while let Some(event) = end.poll_event() {
//!         match event {
//!             Event::NameReceived(_) => end.admit(Admission::Ok)?,
//!             Event::PeerAlive => end.answer_alive(true)?,
//!             Event::Authenticated(_) => return Ok(true),
//!             _ => {}
//!         }
//!     }
//!     Ok(false)
//! }
//!
//! let config = |name: &str| {
//!     let local = Local { name: format!("{name}@host"), connection_string: format!("{name}:4697") };
//!     Config::new(local, Cookie::new("drawn from a good generator"))
//! };
//! let now = Instant::now();
//! // All drawn at random for each connection.
//! let entropy = |challenge| Entropy { challenge, connection_id: 0x5eed, nonce: [0; 32] };
//! let mut client = Handshake::client(now, config("a"), entropy(1));
//! let mut server = Handshake::server(now, config("b"), entropy(2));
//! while !step(&mut client, &mut server)? {
//!     step(&mut server, &mut client)?;
//! }
//! assert!(server.is_authenticated());
//! # Ok::<(), HandshakeError>(())
//! ```
//!
//! # Which connection stays
//!
//! Two nodes that dial each other at the same time end up with two connections. [`admit`] is the verdict on a newcomer
//! before it has authenticated, [`elect`] the final one after. Peers that put no nonce on their connections need more
//! care, which is in [`admit_nonceless`] and [`may_dial`].
//!
//! # Nodes of shiome among themselves
//!
//! With [`Config::native`] a node tells what else it can take, in a field that published nodes skip. When both ends
//! have, [`Event::Authenticated`] waits for one more message each way: the proof that both know the cookie and have
//! seen the same handshake, role by role, on the same channel. Nothing of it can be changed or moved to another
//! connection on the way, and the channel cannot be another one at either end ([`Config::channel_binding`]).
//!
//! Whoever takes the announcement of one end away fails the other end's proof. Whoever takes both away makes the two
//! ends take each other for published nodes; then each gets the other's proof as the first message of its session,
//! which closes it. What is left is an attacker that holds the proofs back as well: see
//! [`Config::require_native`].
//!
//! # What this handshake proves, and what it does not
//!
//! Both ends know the cookie. Not the claimed names, and nothing about the bytes that follow: without TLS, whoever
//! relays the handshake owns the connection. The initiator answers the acceptor's challenge before the acceptor has
//! proven anything, so any host that is dialled collects one digest to guess weak cookies with. Use a cookie of high
//! entropy and dial only hosts that are trusted to be dialled. [`OutstandingChallenges`] closes the way back: a node
//! never answers a challenge of its own.

mod challenge;
mod config;
mod cookie;
mod digest;
mod election;
mod error;
mod event;
mod handshake;
mod hello;
mod legacy;
mod name;
mod transcript;

pub use challenge::OutstandingChallenges;
pub use config::{Announce, Config, DEFAULT_TIMEOUT, Entropy, Local};
pub use cookie::Cookie;
pub use digest::{Digest, DigestScheme};
pub use election::{Candidate, admit, elect};
pub use error::{Fault, HandshakeError, HelloError, NameError, RefusedBy};
pub use event::{Admission, Event, Peer, Side};
pub use handshake::{Handshake, MAX_SKIPPED};
pub use hello::{
    MAX_HELLO_LEN, MIN_ANNOUNCED_LIMIT, NATIVE_VERSION, NONCE_LEN, Native, OLDEST_NATIVE_VERSION,
    Versions, read_hello,
};
pub use legacy::{
    DialState, DialVerdict, MAX_HOLD, NoncelessAdmission, SessionState, admit_nonceless, may_dial,
};
pub use name::{MAX_NAME_LEN, PROTOCOL_VERSION};

#[cfg(test)]
mod tests;
