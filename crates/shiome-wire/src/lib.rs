//! The bytes of a `ractor` cluster: protobuf [`meta::NetworkMessage`]s in length-prefixed frames.
//!
//! # Layout
//!
//! | part   | bytes    | content                                       |
//! |--------|----------|-----------------------------------------------|
//! | length | 8        | u64, big-endian: number of bytes that follow  |
//! | body   | `length` | one protobuf [`meta::NetworkMessage`]         |
//!
//! There is no magic number, version, checksum or padding, and one frame carries one message. A body of length 0 is a
//! message without content, which receivers skip.
//!
//! # Use
//!
//! 1. Put what the peer sent into a [`FrameDecoder`], in pieces of any size.
//! 2. Take [`Frame`]s out with [`FrameDecoder::next_frame`] until it returns `None`.
//! 3. [`Frame::decode`] each. Payloads are slices of the received buffer, not copies.
//! 4. [`encode()`] what goes out, or put it into [`Frames`], which do not copy long payloads.
//!
//! Nothing here reads a clock or a socket, and no input from a peer panics: it ends in a [`FrameError`] (the byte
//! stream is useless from there on) or a [`DecodeError`] (this one frame is).

mod capability;
mod decode;
mod encode;
mod error;
mod frame;
mod frames;
mod generated;
mod message;
mod scan;
pub mod trace;

pub use capability::Capabilities;
pub use encode::{Encode, put_fragment};
pub use error::{DecodeError, EncodeError, FrameError};
pub use frame::{
    Frame, FrameDecoder, LENGTH_PREFIX_LEN, MAX_FRAME_LEN, MAX_UNAUTHENTICATED_FRAME_LEN, encode,
};
pub use frames::Frames;
pub use generated::{auth, control, meta, native, node};
pub use scan::MAX_LIST_ITEMS;
