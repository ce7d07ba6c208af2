//! Messages in pieces that a data channel carries well.
//!
//! ```text
//! +-------+------------------+---------+
//! | flags | length           | piece   |   length, u32 big-endian, only of the first of several pieces: bytes of the message
//! +-------+------------------+---------+
//! flags: 1 first · 2 last · 4 the message is of the binary form · 8, alone: bytes of a stream · others 0
//! ```
//!
//! The pieces of a message follow each other, without those of another between. `docs/PROTOCOL.md`, section 13.13.

use shiome_bus::wire::Message;
use thiserror::Error;

/// Bytes of a piece with its head, at most. Browsers of all makes carry that; longer ones are cut in pieces of the size of a
/// datagram in any case.
pub(crate) const CHUNK_LEN: usize = 16 * 1024;

/// Bytes of a message that goes in one piece.
pub(crate) const WHOLE_LEN: usize = CHUNK_LEN - 1;

const FIRST: u8 = 1;
const LAST: u8 = 2;
const BINARY: u8 = 4;
const BYTES: u8 = 8;

/// What came is no piece of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum ChunkError {
    #[error("a piece without a head")]
    Empty,
    #[error("a piece with unknown flags")]
    Flags,
    #[error("a piece that does not follow the one before")]
    Order,
    #[error("a piece of more than {CHUNK_LEN} bytes")]
    PieceTooLong,
    #[error("a message that is longer than agreed")]
    TooLong,
    #[error("a message of another length than it said")]
    Length,
}

/// A piece of a stream of [`WHOLE_LEN`] bytes at most; without any it is the last one.
#[cfg(feature = "cluster")]
pub(crate) fn stream_piece(bytes: &[u8]) -> Vec<u8> {
    let mut piece = Vec::with_capacity(bytes.len() + 1);
    piece.push(BYTES);
    piece.extend_from_slice(bytes);
    piece
}

/// The bytes of a piece of a stream; `None` when it is one of a message.
pub(crate) fn stream_bytes(piece: &[u8]) -> Option<&[u8]> {
    let piece = piece.strip_prefix(&[BYTES]);
    piece.filter(|bytes| bytes.len() <= WHOLE_LEN)
}

/// The pieces of a message, in order.
pub(crate) fn split(message: &Message) -> impl Iterator<Item = Vec<u8>> {
    let binary = match message {
        Message::Binary(_) => BINARY,
        _ => 0,
    };
    let bytes = message.as_bytes();
    let whole = bytes.len() <= WHOLE_LEN;
    let first_len = if whole { bytes.len() } else { WHOLE_LEN - 4 };
    let (first, rest) = bytes.split_at(first_len);
    let first = {
        let mut piece = Vec::with_capacity(first.len() + 5);
        piece.push(FIRST | if whole { LAST } else { 0 } | binary);
        if !whole {
            let len = u32::try_from(bytes.len()).expect("messages are of 16 MiB at most");
            piece.extend_from_slice(&len.to_be_bytes());
        }
        piece.extend_from_slice(first);
        piece
    };
    let count = rest.len().div_ceil(WHOLE_LEN);
    let rest = rest
        .chunks(WHOLE_LEN)
        .enumerate()
        .map(move |(number, bytes)| {
            let last = if number + 1 == count { LAST } else { 0 };
            let mut piece = Vec::with_capacity(bytes.len() + 1);
            piece.push(last | binary);
            piece.extend_from_slice(bytes);
            piece
        });
    std::iter::once(first).chain(rest)
}

/// Puts messages together again.
#[derive(Debug)]
pub(crate) struct Joiner {
    max_len: usize,
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    binary: u8,
    len: usize,
    bytes: Vec<u8>,
}

impl Joiner {
    /// For messages of `max_len` bytes at most.
    pub(crate) fn new(max_len: usize) -> Self {
        Self {
            max_len,
            partial: None,
        }
    }

    /// A piece came. The message, if it was the last one of it. Allocates for no more than has come.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Option<Message>, ChunkError> {
        if piece.len() > CHUNK_LEN {
            return Err(ChunkError::PieceTooLong);
        }
        let (&flags, rest) = piece.split_first().ok_or(ChunkError::Empty)?;
        if flags & !(FIRST | LAST | BINARY) != 0 {
            return Err(ChunkError::Flags);
        }
        let (first, last) = (flags & FIRST != 0, flags & LAST != 0);
        if first != self.partial.is_none() {
            return Err(ChunkError::Order);
        }
        if first && last {
            self.check(rest.len())?;
            return Ok(Some(message(flags & BINARY, rest.to_vec())));
        }
        if first {
            let (len, bytes) = rest.split_first_chunk().ok_or(ChunkError::Empty)?;
            let len = u32::from_be_bytes(*len) as usize;
            self.check(len)?;
            self.partial = Some(Partial {
                binary: flags & BINARY,
                len,
                bytes: bytes.to_vec(),
            });
            return Ok(None);
        }
        self.go_on(flags, rest, last)
    }

    fn go_on(
        &mut self,
        flags: u8,
        bytes: &[u8],
        last: bool,
    ) -> Result<Option<Message>, ChunkError> {
        let mut partial = self.partial.take().ok_or(ChunkError::Order)?;
        if partial.binary != flags & BINARY {
            return Err(ChunkError::Flags);
        }
        let len = partial.bytes.len() + bytes.len();
        if len > partial.len || bytes.is_empty() || last != (len == partial.len) {
            return Err(ChunkError::Length);
        }
        partial.bytes.extend_from_slice(bytes);
        if last {
            return Ok(Some(message(partial.binary, partial.bytes)));
        }
        self.partial = Some(partial);
        Ok(None)
    }

    fn check(&self, len: usize) -> Result<(), ChunkError> {
        if len > self.max_len {
            return Err(ChunkError::TooLong);
        }
        Ok(())
    }
}

fn message(binary: u8, bytes: Vec<u8>) -> Message {
    if binary == 0 {
        Message::Text(bytes.into())
    } else {
        Message::Binary(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 100_000;

    fn joined(pieces: impl IntoIterator<Item = Vec<u8>>) -> Result<Vec<Message>, ChunkError> {
        let mut joiner = Joiner::new(MAX);
        let mut messages = Vec::new();
        for piece in pieces {
            messages.extend(joiner.push(&piece)?);
        }
        Ok(messages)
    }

    #[test]
    fn messages_come_whole_at_every_length() {
        for len in [0, 1, WHOLE_LEN, WHOLE_LEN + 1, 2 * CHUNK_LEN, MAX] {
            let bytes: Vec<u8> = (0..len).map(|n| n as u8).collect();
            for message in [
                Message::Text(bytes.clone().into()),
                Message::Binary(bytes.into()),
            ] {
                assert!(split(&message).all(|piece| piece.len() <= CHUNK_LEN));
                assert_eq!(joined(split(&message)), Ok(vec![message]), "{len}");
            }
        }
    }

    #[test]
    fn the_head_is_as_documented() {
        let short = Message::Text(b"[]"[..].into());
        assert_eq!(split(&short).collect::<Vec<_>>(), [b"\x03[]"]);
        let long = Message::Binary(vec![7; 20_000].into());
        let pieces: Vec<_> = split(&long).collect();
        assert_eq!(pieces[0][..6], [0x05, 0, 0, 0x4e, 0x20, 7]);
        assert_eq!(pieces[1][..2], [0x06, 7]);
        assert_eq!(pieces.len(), 2);
    }

    #[test]
    fn what_is_no_piece_is_refused() {
        let too_long = (MAX as u32 + 1).to_be_bytes();
        for (pieces, error) in [
            (vec![vec![]], ChunkError::Empty),
            (vec![vec![FIRST, 0, 0]], ChunkError::Empty),
            (vec![vec![8 | FIRST | LAST]], ChunkError::Flags),
            (vec![vec![LAST, 1]], ChunkError::Order),
            (vec![vec![0; CHUNK_LEN + 1]], ChunkError::PieceTooLong),
            (
                vec![[&[FIRST][..], &too_long].concat()],
                ChunkError::TooLong,
            ),
            (
                vec![vec![FIRST, 0, 0, 0, 9, 1], vec![FIRST | LAST]],
                ChunkError::Order,
            ),
            (
                vec![vec![FIRST, 0, 0, 0, 2, 1], vec![LAST | BINARY, 1]],
                ChunkError::Flags,
            ),
            (
                vec![vec![FIRST, 0, 0, 0, 2, 1], vec![LAST, 1, 1]],
                ChunkError::Length,
            ),
            (
                vec![vec![FIRST, 0, 0, 0, 3, 1], vec![LAST, 1]],
                ChunkError::Length,
            ),
            (
                vec![vec![FIRST, 0, 0, 0, 3, 1], vec![0]],
                ChunkError::Length,
            ),
        ] {
            assert_eq!(joined(pieces), Err(error));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_take_more_than_the_limit(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..40),
        ) {
            let mut joiner = Joiner::new(64);
            for piece in pieces {
                if let Ok(Some(message)) = joiner.push(&piece) {
                    prop_assert!(message.as_bytes().len() <= 64);
                }
                if let Some(partial) = &joiner.partial {
                    prop_assert!(partial.bytes.len() <= 64);
                }
            }
        }
    }
}
