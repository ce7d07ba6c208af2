//! The datagrams of a SWIM gossip cluster, byte-compatible with `ember-cluster`.
//!
//! All integers are little-endian. A datagram carries one message. There is no magic number, version, length or
//! checksum; what follows the message is ignored by every node of the installed base, which is where the
//! [`Extension`] block goes.
//!
//! # Layout
//!
//! | tag  | message         | after the tag                                             | bytes, tag included |
//! |------|-----------------|-----------------------------------------------------------|---------------------|
//! | 1    | [`Ping`]        | seq u64 · sender · count u16 · count × [`Update`]         | 27 + updates        |
//! | 2    | [`PingReq`]     | seq u64 · sender · target · target's address              | 48 / 60             |
//! | 3    | [`Ack`]         | as Ping                                                   | 27 + updates        |
//! | 4    | [`Join`]        | sender · sender's address                                 | 24 / 36             |
//! | 5    | [`Welcome`]     | sender · count u16 · count × [`Member`]                   | 19 + members        |
//! | 6    | [`SlotsAnnounce`] | sender · incarnation u64 · count u16 · count × [`SlotRange`] | 27 + 4 × count |
//!
//! | part          | layout                                                                  | bytes  |
//! |---------------|-------------------------------------------------------------------------|--------|
//! | [`NodeId`]    | the bytes of a UUID in the order they are printed in (not little-endian) | 16     |
//! | address       | family u8 (4 or 6) · 4 or 16 octets · port u16                          | 7 / 19 |
//! | [`SlotRange`] | first u16 · last u16, inclusive                                         | 4      |
//!
//! Offsets within each message stand in the documentation of its type. Messages 1 to 5 with updates 1 to 4 are the
//! base set, which `ember-cluster` 0.2.1 speaks; 0.4.9 added message 6, updates 5 to 8, and a mode in which an
//! HMAC-SHA256 tag of 32 bytes follows everything else.
//!
//! Message tags from 0x40 are none of these. They start the datagrams of [`compact`], which say the same in a third of
//! the bytes and go only to nodes that announced [`Capabilities::COMPACT`].
//!
//! # Use
//!
//! 1. [`Datagram::decode`] what arrived, in authenticated clusters what `Secret::open` says was signed. Views borrow
//!    the datagram and nothing is allocated.
//! 2. Iterate over the lists. They are decoded on the way, and one that ends in an error costs no more than what comes
//!    after it: **answer a Ping whose updates do not decode**, or its sender is suspected for what it relays.
//! 3. Read the extension with [`ListIter::trailing`] or [`Datagram::extension`].
//!
//! To send, write a message into a buffer as long as the datagram may get, with `encode` where it is of one piece and
//! with a [`Packer`] where it lists something. An [`ExtensionPacker`] and `Secret::seal` go on where that ended.
//!
//! ```
//! use shiome_gossip::{Datagram, ExtensionPacker, Field, Message, NodeId, Packer, Update};
//!
//! let (a, b) = (NodeId::from([0xa; 16]), NodeId::from([0xb; 16]));
//! let mut buf = [0; 1400];
//! let mut ping = Packer::ping(&mut buf, 7, a)?;
//! let packed = ping.pack([Update::Suspect { node: b, incarnation: 3 }]);
//! assert_eq!((packed.items, packed.refused), (1, None));
//! let mut len = ping.finish();
//!
//! let mut extension = ExtensionPacker::new(&mut buf[len..]);
//! extension.push(&Field::Incarnation(4))?;
//! len += extension.finish();
//!
//! let datagram = Datagram::decode(&buf[..len])?;
//! let Message::Ping(ping) = datagram.message else { panic!("not a ping") };
//! assert_eq!((ping.seq, ping.sender), (7, a));
//! for update in ping.updates {
//!     assert_eq!(update?, Update::Suspect { node: b, incarnation: 3 });
//! }
//! let extension = datagram.extension()?.expect("just written");
//! assert_eq!(extension.iter().next(), Some(Ok(Field::Incarnation(4))));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # What the format does not do
//!
//! Nobody's identity is proven and anything that starts with a small byte may parse. The HMAC trailer keeps strangers
//! out, yet carries no nonce: whoever records a datagram can send it again, for ever.
//!
//! # Features
//!
//! None by default. `alloc` adds what allocates ([`Slots::to_vec`](Slots)), `hmac` the trailer of authenticated
//! clusters (`Secret`). Nothing needs `std`.
#![no_std]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;

mod address;
#[cfg(feature = "hmac")]
mod auth;
pub mod compact;
mod error;
mod extension;
mod join;
mod limits;
mod list;
mod message;
mod node_id;
mod packer;
mod probe;
mod reader;
mod slots;
mod update;
mod writer;

#[cfg(feature = "hmac")]
pub use auth::{AuthError, EmptyPassword, Secret, TAG_LEN};
pub use error::{DecodeError, DecodeErrorKind, EncodeError};
pub use extension::{
    Capabilities, EXTENSION_HEADER_LEN, EXTENSION_MAGIC, EXTENSION_VERSION, Extension,
    ExtensionPacker, Field, FieldIter,
};
pub use join::{Join, Member, Welcome};
pub use limits::{MAX_DATAGRAM_LEN, MAX_LIST_ITEMS, SLOT_COUNT, SUGGESTED_DATAGRAM_LEN};
pub use list::{List, ListItem, ListIter, Trailing};
pub use message::{Datagram, Message};
pub use node_id::NodeId;
pub use packer::{Packed, Packer};
pub use probe::{Ack, Ping, PingReq};
pub use slots::{SlotRange, SlotRangeError, Slots, SlotsAnnounce, SlotsIter};
pub use update::Update;
