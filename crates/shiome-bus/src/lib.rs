//! One `send` and one `on` from thread to browser.

mod bus;
mod delivery;
mod dispatch;
mod drops;
mod envelope;
mod error;
mod handlers;
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

pub use bus::{Bus, BusOptions, LinkId, LinkOptions, REQUEST_TIMEOUT, SEND_TIMEOUT};
pub use delivery::Delivery;
pub use drops::{DROP_RING_LEN, DropEvent, DropReason, DropStream, Dropped};
pub use envelope::{Envelope, Level, LinkKind, MAX_HOPS, Priority, Via};
pub use error::{BusError, ErrorKind, InvalidName, MAX_REASON_LEN, NameFault};
pub use handlers::{Outcome, Subscription};
pub use id::{Incarnation, MAX_NUMBER, MAX_PEER_ID_LEN, MessageId, PeerId};
pub use intent::{Intent, MAX_PAYLOAD_LEN, Payload};
pub use intercept::Verdict;
pub use mailbox::MAILBOX_CAPACITY;
pub use mesh::{
    LeaveReason, MAX_MEMBERS, MAX_ROOM_LEN, MAX_TURNS, Member, Mesh, Report, RoomSubscription,
};
pub use name::{MAX_NAME_LEN, Name, Pattern};
pub use peer::{MAX_CONCURRENCY, Peer, PeerOptions, Receipt, Route, SendOptions, WeakPeer};
pub use stats::{BusStats, Depth, Histogram, PeerStats};
pub use transport::{BoxFuture, Inbound, Link, LinkState, LinkStats, Remote};
