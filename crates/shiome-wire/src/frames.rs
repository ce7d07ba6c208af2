//! Frames on their way out.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};

use crate::encode::Encode;

/// Payloads of this length and above are kept as they are, in bytes; shorter ones are copied to what stands around them.
///
/// Below, a copy is cheaper than to count references to the memory and to write one more piece.
const SHARED_LEN: usize = 2 * 1024;

/// Length from which copied bytes become a piece of their own when their memory is full, rather than to be moved to more.
const MIN_PIECE_LEN: usize = 4 * 1024;

/// Memory of a piece at most, so that it is free again when they have left.
const MAX_PIECE_LEN: usize = 64 * 1024;

/// Room for what stands around long payloads, so that not each needs memory of its own, in bytes.
const AROUND_LEN: usize = 1024;

/// Encoded frames, first in, first out. Long payloads are in it as they were given, not copied.
///
/// As a [`Buf`] it is written in one go by links that can write vectors.
#[derive(Debug, Default)]
pub struct Frames {
    pieces: VecDeque<Bytes>,
    /// What comes after the pieces.
    tail: BytesMut,
    /// Bytes in the pieces.
    in_pieces: usize,
}

impl Frames {
    /// No frames.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a message as one frame.
    pub fn push(&mut self, message: impl Encode) {
        message.encode(self);
    }

    /// Bytes in it.
    pub fn len(&self) -> usize {
        self.in_pieces + self.tail.len()
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.tail.is_empty()
    }

    /// Moves the first `len` bytes to the end of `to`.
    ///
    /// # Panics
    ///
    /// When there are fewer.
    pub fn move_to(&mut self, mut len: usize, to: &mut Self) {
        assert!(len <= self.len(), "no more bytes than there are");
        while len > 0 {
            let Some(piece) = self.pieces.front_mut() else {
                to.put_slice(&self.tail[..len]);
                return self.tail.advance(len);
            };
            let taken = len.min(piece.len());
            if taken >= SHARED_LEN {
                to.put_shared(piece.split_to(taken));
            } else {
                to.put_slice(&piece[..taken]);
                piece.advance(taken);
            }
            self.took(taken);
            len -= taken;
        }
    }

    /// Gives memory back beyond that for `capacity` bytes, if nothing is in it.
    pub fn shrink_to(&mut self, capacity: usize) {
        if self.is_empty() && self.tail.capacity() > capacity {
            self.tail = BytesMut::new();
        }
    }

    #[inline]
    pub(crate) fn put_slice(&mut self, bytes: &[u8]) {
        if self.tail.capacity() - self.tail.len() < bytes.len() {
            self.make_room(bytes.len());
        }
        self.tail.extend_from_slice(bytes);
    }

    #[inline]
    pub(crate) fn put_payload(&mut self, mut payload: Bytes) {
        self.put_payload_of(&mut payload);
    }

    /// Takes a payload out if it is long, and copies it otherwise.
    #[inline]
    pub(crate) fn put_payload_of(&mut self, payload: &mut Bytes) {
        if payload.len() < SHARED_LEN {
            self.put_slice(payload);
        } else {
            self.put_shared(std::mem::take(payload));
        }
    }

    fn put_shared(&mut self, payload: Bytes) {
        self.finish_piece();
        self.in_pieces += payload.len();
        self.pieces.push_back(payload);
    }

    #[cold]
    fn make_room(&mut self, len: usize) {
        let room = if self.tail.len() >= MIN_PIECE_LEN {
            let next = 2 * self.tail.len();
            self.finish_piece();
            next.min(MAX_PIECE_LEN)
        } else if self.pieces.is_empty() {
            0
        } else {
            AROUND_LEN
        };
        self.tail.reserve(len.max(room));
    }

    fn finish_piece(&mut self) {
        if !self.tail.is_empty() {
            self.in_pieces += self.tail.len();
            self.pieces.push_back(self.tail.split().freeze());
        }
    }

    /// Bytes of the first piece have been taken out of it.
    fn took(&mut self, len: usize) {
        self.in_pieces -= len;
        if self.pieces.front().is_some_and(Bytes::is_empty) {
            self.pieces.pop_front();
        }
    }
}

impl Buf for Frames {
    fn remaining(&self) -> usize {
        self.len()
    }

    fn chunk(&self) -> &[u8] {
        self.pieces.front().map_or(&self.tail, |piece| piece)
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = self.pieces.iter().map(|piece| &piece[..]);
        let tail = (!self.tail.is_empty()).then_some(&self.tail[..]);
        let all = pieces.chain(tail);
        let filled = slices.iter_mut().zip(all).map(|(slice, piece)| {
            *slice = IoSlice::new(piece);
        });
        filled.count()
    }

    fn advance(&mut self, mut len: usize) {
        while let Some(piece) = self.pieces.front_mut() {
            let taken = len.min(piece.len());
            piece.advance(taken);
            self.took(taken);
            len -= taken;
            if len == 0 {
                return;
            }
        }
        self.tail.advance(len);
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;
    use proptest::prelude::*;

    use super::*;
    use crate::node::CallReply;

    fn reply(len: usize) -> CallReply {
        CallReply {
            to: 1,
            tag: len as u64,
            what: vec![len as u8; len].into(),
        }
    }

    fn plain(lens: &[usize]) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        for len in lens {
            crate::frame::encode(&reply(*len).into(), u64::MAX, &mut bytes).unwrap();
        }
        bytes.to_vec()
    }

    #[test]
    fn a_long_payload_is_not_copied() {
        let (mut frames, mut next) = (Frames::new(), Frames::new());
        let reply = reply(SHARED_LEN);
        let at = reply.what.as_ptr();
        frames.push(reply);
        let len = frames.len();
        frames.move_to(len, &mut next);
        let mut slices = [IoSlice::new(&[]); 4];
        assert_eq!(next.chunks_vectored(&mut slices), 2);
        assert_eq!(slices[1].as_ptr(), at);
    }

    #[test]
    fn what_has_left_holds_no_memory() {
        let mut frames = Frames::new();
        let mut gone = Frames::new();
        for _ in 0..100_000 {
            frames.push(reply(40));
            frames.push(reply(40));
            let len = frames.len() / 2;
            gone.clear();
            frames.move_to(len, &mut gone);
            assert!(frames.tail.capacity() <= 2 * MAX_PIECE_LEN);
        }
        frames.clear();
        frames.shrink_to(0);
        assert_eq!(frames.tail.capacity(), 0);
    }

    impl Frames {
        fn clear(&mut self) {
            self.advance(self.len());
        }
    }

    proptest! {
        #[test]
        fn any_way_through_gives_the_same_bytes(
            lens in prop::collection::vec(prop_oneof![0usize..300, 2000usize..2100, 60_000usize..70_000], 1..8),
            cuts in prop::collection::vec(1usize..40_000, 1..20),
            vectored in any::<bool>(),
        ) {
            let expected = plain(&lens);
            let mut frames = Frames::new();
            for len in &lens {
                frames.push(reply(*len));
            }
            prop_assert_eq!(frames.len(), expected.len());
            let mut moved = Frames::new();
            let mut cuts = cuts.into_iter().cycle();
            while !frames.is_empty() {
                let len = cuts.next().unwrap().min(frames.len());
                frames.move_to(len, &mut moved);
            }
            let mut got = Vec::new();
            while moved.has_remaining() {
                let mut slices = [IoSlice::new(&[]); 3];
                let filled = if vectored { moved.chunks_vectored(&mut slices) } else { 0 };
                let chunk = slices[..filled].iter().fold(Vec::new(), |mut all, slice| {
                    all.put_slice(slice);
                    all
                });
                let chunk = if vectored { chunk } else { moved.chunk().to_vec() };
                let len = cuts.next().unwrap().min(chunk.len());
                got.put_slice(&chunk[..len]);
                moved.advance(len);
            }
            prop_assert_eq!(got, expected);
        }
    }
}
