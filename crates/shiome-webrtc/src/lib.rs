//! WebRTC data channels as links of the [bus](shiome_bus): peers that reach each other over any other link, as a relay or a
//! cluster, talk directly where the network lets them.
//!
//! [`Rtc`] makes direct connections for one peer, and lets others make them. What has to be said for that are ordinary intents,
//! `sys.rtc.*`, over the link that there is: no other server is needed. `docs/PROTOCOL.md`, section 13.13, is the specification;
//! `shiome.js` speaks it in browsers.
//!
//! # What is promised
//!
//! * **One path at a time**: what a peer sends goes over the other link until the channel is open, then over that, and over the other
//!   again when it is lost. Order is kept and nothing is handled twice; nothing is lost as long as one of the two works.
//! * **A reason**: [`Failure`] says why a peer is not reached directly: no candidates, checks failed, TURN refused, time over, and
//!   others.
//! * **Who may**: strangers are refused; [`RtcOptions::admit`] says who is none. That the other end is who it says is as certain as
//!   the link that signals: the channel is encrypted and bound to what was signalled.
//! * **Bounds**: messages, queues, candidates, connections and waits have limits; a channel that does not open, or an end that
//!   vanishes, is given up in time.
//!
//! # Inside
//!
//! ```text
//!   Rtc ── orders ──► service ── one for each peer ──► session (task) ──┬─► connection   WebRTC without socket and clock
//!    ▲                   ▲                               │     ▲        └─► gatherer     STUN and TURN, the same
//!  events           sys.rtc.*                         datagrams│
//!                  from the bus                          ▼     ▼
//!                                                     sockets  link ◄── the bus
//! ```

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
#[cfg(feature = "_script")]
#[doc(hidden)]
pub mod script;
mod session;
mod signal;
#[cfg(test)]
mod sim;
#[cfg(feature = "cluster")]
mod stream;
#[cfg(test)]
mod tests;

pub use event::{Path, RtcEvent, RtcEvents};
pub use failure::Failure;
pub use options::{
    CONNECT_TIMEOUT, HEARTBEAT, IceServer, IceServerError, MAX_ICE_SERVERS, RtcOptions,
};
pub use rtc::Rtc;
#[cfg(feature = "cluster")]
pub use stream::{RtcLinks, SCHEME};
