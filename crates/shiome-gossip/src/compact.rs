//! Datagrams of nodes that speak shiome among each other: a third of the bytes for the same news.
//!
//! They go only to peers that announced [`Capabilities::COMPACT`](crate::Capabilities::COMPACT). The installed base
//! does not know their tags, and the classic [`Datagram`](crate::Datagram) rejects them; [`is_compact`] tells the two
//! apart by the first byte. In place of a node's 16 bytes stands its [`Handle`] of 4, so a receiver makes sense of news
//! only of members that it knows: a [`Member`] makes one known.
//!
//! # Layout
//!
//! Integers are little-endian. A `varint` is a u64 in LEB128: 7 bits a byte, the low ones first, with the high bit set
//! in all bytes but the last; at most 10 bytes. Readers take zeros at its end, writers leave them out. Every datagram
//! starts with a header:
//!
//! | offset | bytes | field                        |
//! |--------|-------|------------------------------|
//! | 0      | 1     | tag                          |
//! | 1      | 2     | low bits of the cluster's id |
//! | 3      | 4     | handle of the sender         |
//!
//! | tag  | message     | after the header                             | bytes, header included |
//! |------|-------------|----------------------------------------------|------------------------|
//! | 0x40 | [Ping](Message::Ping) | seq u32 · digest u64 · updates     | 19 + updates           |
//! | 0x41 | [Ack](Message::Ack)   | as Ping                            | 19 + updates           |
//! | 0x42 | [`PingReq`] | seq u32 · target's handle                    | 15                     |
//! | 0x43 | [`Nack`]    | seq u32                                      | 11                     |
//! | 0x44 | [Gossip](Message::Gossip) | updates                        | 7 + updates            |
//! | 0x45 | [`Sync`]    | flags u8 · bits u8 · 2^bits × bucket's hash u32 | 9 + 4 × 2^bits      |
//! | 0x46 | [Records](Message::Records) | updates                      | 7 + updates            |
//!
//! Updates have no count: they end where the datagram does. What follows the other messages is ignored. Each update
//! starts with its kind:
//!
//! | kind      | update        | after the kind                                | bytes   |
//! |-----------|---------------|-----------------------------------------------|---------|
//! | 1         | Alive         | handle · incarnation varint                   | 6 to 15 |
//! | 2         | Suspect       | handle · incarnation varint · accuser's handle | 10 to 19 |
//! | 3         | Dead          | handle · incarnation varint                   | 6 to 15 |
//! | 4         | Left          | handle · incarnation varint                   | 6 to 15 |
//! | 5         | [`Member`]    | the whole record                              | 25 and more |
//! | 6         | VoteRequest   | candidate 16 · epoch varint · offset varint   | 19 to 37 |
//! | 7         | VoteGranted   | voter 16 · candidate 16 · epoch varint        | 34 to 43 |
//! | 0x80-0xff |               | length u8 · as many bytes                     | 2 to 257 |
//!
//! Kinds from 0x80 are for what a reader may leave out: those that it does not know are skipped. Any other unknown
//! kind ends the list; what came before it is good.
//!
//! ```
//! use shiome_gossip::{NodeId, compact::{Datagram, Handle, Header, Message, Packer, Update}};
//!
//! let [a, b] = [0xa, 0xb].map(|byte| Handle::of(&NodeId::from([byte; 16])));
//! let news = Update::Suspect { node: b, incarnation: 3, from: a };
//! let mut buf = [0; 1400];
//! let mut ping = Packer::ping(&mut buf, &Header { cluster: 5, sender: a }, 7, 0)?;
//! ping.push(&news)?;
//! let len = ping.finish();
//! assert_eq!(len, 19 + 10);
//!
//! let datagram = Datagram::decode(&buf[..len])?;
//! let Message::Ping(ping) = datagram.message else { panic!("not a ping") };
//! assert_eq!((datagram.header.sender, ping.seq), (a, 7));
//! assert!(ping.updates.iter().eq([Ok(news)]));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod handle;
mod header;
mod member;
mod message;
mod packer;
mod probe;
mod sync;
mod update;
mod updates;
mod varint;

pub use handle::Handle;
pub use header::Header;
pub use member::{Member, Meta, State};
pub use message::{Datagram, Message};
pub use packer::Packer;
pub use probe::{Nack, PingReq, Probe};
pub use sync::{Buckets, MAX_BUCKET_BITS, Sync};
pub use update::Update;
pub use updates::{Updates, UpdatesIter};

/// The first of the tags that compact datagrams start with.
pub const FIRST_TAG: u8 = 0x40;

/// The last of the tags that compact datagrams may start with. Above it the format has no plans.
const LAST_TAG: u8 = 0x7f;

/// Whether this is to be decoded as a compact [`Datagram`]: its first byte is from [`FIRST_TAG`] to 0x7f. No classic
/// datagram starts so.
#[inline]
pub fn is_compact(datagram: &[u8]) -> bool {
    matches!(datagram, [FIRST_TAG..=LAST_TAG, ..])
}
