//! One `send` and one `on` from thread to browser.

mod envelope;
mod error;
mod id;
mod intent;
mod name;
mod transport;
pub mod wire;

pub use envelope::{Envelope, Level, LinkKind, MAX_HOPS, Priority, Via};
pub use error::{BusError, ErrorKind, InvalidName, MAX_REASON_LEN, NameFault};
pub use id::{Incarnation, MAX_NUMBER, MAX_PEER_ID_LEN, MessageId, PeerId};
pub use intent::{Intent, MAX_PAYLOAD_LEN, Payload};
pub use name::{MAX_NAME_LEN, Name, Pattern};
pub use transport::{BoxFuture, Inbound, Link, LinkState, LinkStats, Remote};
