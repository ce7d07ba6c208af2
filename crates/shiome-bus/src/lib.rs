//! One `send` and one `on` from thread to browser: peers with names say things to each other, and need not know whether
//! the other is in the same process or behind a link.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), shiome_bus::BusError> {
//! use shiome_bus::{Bus, Intent};
//!
//! let bus = Bus::new();
//! let (alice, bob) = (bus.peer("alice")?, bus.peer("bob")?);
//! bob.on("chat.*", |delivery| {
//!     println!("{} says {}", delivery.from(), delivery.payload());
//!     delivery.try_respond("hello, too").map(drop)
//! })?
//! .detach();
//! let answer = alice.request("bob", Intent::new("chat.message", "hello")?).await?;
//! assert_eq!(answer.payload().as_str(), Some("hello, too"));
//! # Ok(())
//! # }
//! ```
//!
//! # How an envelope goes
//!
//! ```text
//!  Peer::send ─► interceptors ─► is the receiver on the bus? ─ yes ─► its mailbox ─► dispatcher ─► interceptors ─► handlers
//!                                       │ no
//!                                       ▼
//!                                a link that reaches it ─► … ─► Inbound::deliver ─► may it come in? is it new?
//!                                       │ none                                          │
//!                                       ▼                                  to a mailbox here; or, if this bus is
//!                                an error, and a dead letter               a relay, to another link; or a dead letter
//! ```
//!
//! It takes exactly one path, which is told with the [`Delivery`] and in the [`Receipt`]. What comes from a link goes to none,
//! unless the bus is a [relay](BusOptions::relay). Nothing that a program sees but [`Via`] and time depends on the path.
//!
//! # What is promised
//!
//! * **Order**: what one peer sends to another with one [`Priority`] is handled in the order of sending.
//! * **At most once**: an envelope is handled once or not at all. [`Peer::send`] resolves when the receiver's mailbox or the link has
//!   it; [`Level::Received`] and [`Level::Handled`] say more, over any path. Who waits for more than that, and gets
//!   [`BusError::Timeout`], [`BusError::NotConnected`], [`BusError::Closed`] or [`BusError::Network`], does not know whether it was
//!   handled; after [`BusError::HandlerFailed`] it was, at least in part. After all other errors it was not.
//! * **Nothing is lost in silence**: what is not delivered is an error, or a dead letter with a [reason](DropReason) that is counted
//!   ([`Bus::dropped`]), remembered ([`Bus::recent_drops`]) and told to who listens ([`Bus::drops`]).
//! * **Bounds**: mailboxes, links, waits and lists have limits; who sends too fast waits ([`Peer::send`]) or is told
//!   ([`Peer::try_send`]).
//! * **Handlers** run one at a time for each peer, never under a lock, never in the call of a sender, and may call anything.
//! * **No loops**: there is no broadcast. An intent that is only sent on, even by all to all, dies out: it leads to less than
//!   2⁸ more (see [`MAX_HOPS`]); a room is a [`Mesh`], whose members each get what is said once.
//!
//! # Over links
//!
//! A link is anything that is a [`Link`]: see there for what it has to do. [`memory`] has one whose faults are made by tests.

mod blocking;
mod bus;
mod deadline;
mod delivery;
mod dispatch;
mod drops;
mod envelope;
mod error;
mod handlers;
mod hash;
mod id;
mod intent;
mod intercept;
mod listed;
mod mailbox;
pub mod memory;
mod mesh;
mod name;
mod node;
mod peer;
mod pending;
mod stats;
mod transport;
#[cfg(feature = "websocket")]
pub mod websocket;
pub mod wire;

pub use blocking::BlockingPeer;
pub use bus::{Bus, BusOptions, LinkId, LinkOptions, REQUEST_TIMEOUT, SEND_TIMEOUT, WeakBus};
pub use delivery::Delivery;
pub use drops::{DROP_RING_LEN, DropEvent, DropReason, DropStream, Dropped};
pub use envelope::{Envelope, Level, LinkKind, MAX_HOPS, Priority, Via};
pub use error::{BusError, ErrorKind, InvalidName, MAX_REASON_LEN, NameFault};
pub use handlers::{Outcome, Subscription};
pub use id::{Incarnation, MAX_NUMBER, MAX_PEER_ID_LEN, MessageId, PeerId};
pub use intent::{Intent, MAX_PAYLOAD_DEPTH, MAX_PAYLOAD_LEN, Payload};
pub use intercept::Verdict;
pub use mailbox::{MAILBOX_CAPACITY, MAILBOX_PLACE_LEN};
pub use mesh::{
    LeaveReason, MAX_MEMBERS, MAX_ROOM_LEN, MAX_TURNS, Member, Mesh, Report, RoomSubscription,
};
pub use name::{MAX_NAME_LEN, Name, Pattern};
pub use peer::{MAX_CONCURRENCY, Peer, PeerOptions, Receipt, Route, SendOptions, WeakPeer};
pub use stats::{BusStats, Depth, Histogram, PeerStats};
pub use transport::{Audience, BoxFuture, Inbound, Link, LinkState, LinkStats, Remote};
