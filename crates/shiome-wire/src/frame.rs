//! Length-prefixed frames, the layout of which stands in the crate's documentation.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use prost::Message;

use crate::{
    decode::decode_node,
    error::{DecodeError, EncodeError, FrameError},
    meta::NetworkMessage,
    node::node_message,
    scan,
};

/// Width of the length prefix, in bytes.
pub const LENGTH_PREFIX_LEN: usize = 8;

/// Default limit on a frame's body, in bytes: what `ractor_cluster` accepts by default.
pub const MAX_FRAME_LEN: u64 = 16 * 1024 * 1024;

/// Limit on a frame's body before the peer has proven the cookie, in bytes.
///
/// A handshake message carries a node name, an address and a digest; this leaves room for names of a kilobyte and
/// for fields that are not known yet.
pub const MAX_UNAUTHENTICATED_FRAME_LEN: u64 = 4 * 1024;

/// Room that [`FrameDecoder::read_buf`] offers at least, in bytes.
const READ_CHUNK: usize = 16 * 1024;

/// Longest body that is decoded in the buffer, in bytes, whose memory stays for the next one. A longer one takes the
/// memory with it.
const MAX_IN_PLACE_LEN: usize = 128 * 1024;

/// What the buffer may have as room more than was asked for, as a factor, before its memory is given back.
const MAX_SPARE_ROOM: usize = 4;

/// Body of one frame, not decoded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// The encoded message.
    pub fn body(&self) -> &Bytes {
        &self.0
    }

    /// Decodes the message. Payload fields share the frame's memory.
    ///
    /// Unknown fields and unknown `oneof` members are skipped, as every node of the installed base does.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when the body is not such a message or lists more than
    /// [`MAX_LIST_ITEMS`](crate::MAX_LIST_ITEMS) items.
    pub fn decode(self) -> Result<NetworkMessage, DecodeError> {
        if let Some(msg) = decode_node(&self.0, |content| self.0.slice_ref(content)) {
            return Ok(msg.into());
        }
        scan::check_lists(&self.0)?;
        Ok(NetworkMessage::decode(self.0)?)
    }
}

/// A body that came in another way than a frame of its own.
impl From<Bytes> for Frame {
    fn from(body: Bytes) -> Self {
        Self(body)
    }
}

/// Cuts a stream of bytes into [`Frame`]s, wherever the stream was split on its way.
///
/// Memory is bounded by the limit plus one read: a frame's length is checked as soon as its prefix is there, before
/// anything is reserved for it, and the buffer grows with the bytes that arrive, by one read ahead of them, not with those
/// announced.
#[derive(Debug)]
pub struct FrameDecoder {
    buf: BytesMut,
    max_frame_len: u64,
}

impl FrameDecoder {
    /// A decoder that accepts bodies of up to `max_frame_len` bytes.
    pub fn new(max_frame_len: u64) -> Self {
        Self {
            buf: BytesMut::new(),
            max_frame_len,
        }
    }

    /// Changes the limit for the frames that have not been taken out yet.
    pub fn set_max_frame_len(&mut self, max_frame_len: u64) {
        self.max_frame_len = max_frame_len;
    }

    /// Appends received bytes.
    pub fn extend(&mut self, received: &[u8]) {
        self.buf.extend_from_slice(received);
    }

    /// The buffer to append received bytes to, with spare capacity for a read.
    ///
    /// Nothing but appending may be done with it.
    pub fn read_buf(&mut self) -> &mut BytesMut {
        self.read_buf_of(READ_CHUNK)
    }

    /// [`read_buf`](Self::read_buf), with spare capacity for `room` bytes at least.
    pub fn read_buf_of(&mut self, room: usize) -> &mut BytesMut {
        if self.buf.is_empty() && self.buf.capacity() > MAX_SPARE_ROOM * room {
            self.buf = BytesMut::new();
        }
        self.buf.reserve(room);
        &mut self.buf
    }

    /// Bytes that are missing of the next frame, if its length is known, and is within the limit.
    pub fn missing(&self) -> Option<usize> {
        let prefix = self.buf.first_chunk::<LENGTH_PREFIX_LEN>()?;
        let len = Some(u64::from_be_bytes(*prefix)).filter(|len| *len <= self.max_frame_len)?;
        let end = usize::try_from(len).ok()?.checked_add(LENGTH_PREFIX_LEN)?;
        Some(end.saturating_sub(self.buf.len()))
    }

    /// Takes the next complete frame out; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// [`FrameError::TooLong`] when the next frame's announced length is above the limit; the decoder is unchanged
    /// and every further call returns the same.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(len) = self.next_len()? else {
            return Ok(None);
        };
        self.buf.advance(LENGTH_PREFIX_LEN);
        Ok(Some(Frame(self.buf.split_to(len).freeze())))
    }

    /// Takes the next frame out if it is complete, not very long, and holds a message between actors, written in the usual
    /// way. `None`
    /// means that [`next_frame`](Self::next_frame) has to say what is there.
    ///
    /// The message owns its contents: the memory that was read into is free for the next read.
    pub fn next_node_message(&mut self) -> Option<node_message::Msg> {
        let len = self
            .next_len()
            .ok()?
            .filter(|len| *len <= MAX_IN_PLACE_LEN)?;
        let body = &self.buf[LENGTH_PREFIX_LEN..LENGTH_PREFIX_LEN + len];
        let msg = decode_node(body, Bytes::copy_from_slice)?;
        self.buf.advance(LENGTH_PREFIX_LEN + len);
        Some(msg)
    }

    /// Length of the next frame's body, if it is complete.
    fn next_len(&self) -> Result<Option<usize>, FrameError> {
        let Some(prefix) = self.buf.first_chunk::<LENGTH_PREFIX_LEN>() else {
            return Ok(None);
        };
        let announced = u64::from_be_bytes(*prefix);
        let too_long = FrameError::TooLong {
            announced,
            limit: self.max_frame_len,
        };
        if announced > self.max_frame_len {
            return Err(too_long);
        }
        // A limit above the address space does not help a frame above it.
        let len = usize::try_from(announced).map_err(|_| too_long)?;
        Ok((self.buf.len() - LENGTH_PREFIX_LEN >= len).then_some(len))
    }

    /// Says that no more bytes will come.
    ///
    /// # Errors
    ///
    /// [`FrameError::Truncated`] when the stream ended inside a frame.
    pub fn finish(&self) -> Result<(), FrameError> {
        match self.buf.len() {
            0 => Ok(()),
            buffered => Err(FrameError::Truncated { buffered }),
        }
    }
}

/// Appends `message` to `buf` as one frame.
///
/// # Errors
///
/// [`EncodeError::TooLong`] when the body would be longer than `max_frame_len` bytes; `buf` is unchanged.
pub fn encode(
    message: &NetworkMessage,
    max_frame_len: u64,
    buf: &mut BytesMut,
) -> Result<(), EncodeError> {
    let len = message.encoded_len();
    if len as u64 > max_frame_len {
        return Err(EncodeError::TooLong {
            len: len as u64,
            limit: max_frame_len,
        });
    }
    buf.reserve(LENGTH_PREFIX_LEN + len);
    buf.put_u64(len as u64);
    message
        .encode(buf)
        .expect("BytesMut grows as needed, which is the only way that prost's encode can fail");
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{control, node};

    fn framed(message: impl Into<NetworkMessage>) -> BytesMut {
        let mut buf = BytesMut::new();
        encode(&message.into(), MAX_FRAME_LEN, &mut buf).unwrap();
        buf
    }

    fn cast(len: usize) -> NetworkMessage {
        node::Cast {
            to: 3,
            what: vec![7; len].into(),
            variant: "Add".into(),
            metadata: None,
        }
        .into()
    }

    #[test]
    fn ready_has_its_known_bytes() {
        assert_eq!(
            hex::encode(framed(control::Ready {})),
            "00000000000000041a024a00"
        );
    }

    #[test]
    fn length_is_checked_before_anything_is_allocated() {
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(&(1u64 << 40).to_be_bytes());
        let before = decoder.buf.capacity();
        let refused = Err(FrameError::TooLong {
            announced: 1 << 40,
            limit: MAX_FRAME_LEN,
        });
        assert_eq!(decoder.next_frame(), refused);
        assert_eq!(decoder.next_frame(), refused, "the refusal lasts");
        assert_eq!(decoder.buf.capacity(), before);
    }

    #[test]
    fn it_is_known_how_much_of_a_frame_is_missing() {
        let mut decoder = FrameDecoder::new(100);
        let bytes = framed(cast(50));
        decoder.extend(&bytes[..7]);
        assert_eq!(decoder.missing(), None);
        decoder.extend(&bytes[7..10]);
        assert_eq!(decoder.missing(), Some(bytes.len() - 10));
        decoder.extend(&bytes[10..]);
        decoder.extend(&[0]);
        assert_eq!(decoder.missing(), Some(0));
        let mut refused = FrameDecoder::new(100);
        refused.extend(&u64::MAX.to_be_bytes());
        assert_eq!(refused.missing(), None);
    }

    #[test]
    fn memory_that_a_burst_took_is_given_back() {
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        for len in [1000, MAX_IN_PLACE_LEN - 100, MAX_IN_PLACE_LEN, 1000] {
            decoder.extend(&framed(cast(len)));
            while decoder.next_node_message().is_some() {}
            while decoder.next_frame().unwrap().is_some() {}
        }
        decoder.read_buf_of(1000);
        assert!(decoder.buf.capacity() <= MAX_SPARE_ROOM * 1000);
    }

    #[test]
    fn a_frame_of_exactly_the_limit_passes_and_one_more_byte_does_not() {
        let bytes = framed(cast(100));
        let body = (bytes.len() - LENGTH_PREFIX_LEN) as u64;
        let mut decoder = FrameDecoder::new(body);
        decoder.extend(&bytes);
        assert!(decoder.next_frame().unwrap().is_some());

        let mut decoder = FrameDecoder::new(body - 1);
        decoder.extend(&bytes);
        assert!(decoder.next_frame().is_err());
        assert_eq!(
            encode(&cast(100), body - 1, &mut BytesMut::new()),
            Err(EncodeError::TooLong {
                len: body,
                limit: body - 1
            })
        );
    }

    #[test]
    fn a_message_that_is_taken_in_place_leaves_the_rest() {
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(&framed(cast(100)));
        decoder.extend(&framed(control::Ready {}));
        let msg = decoder.next_node_message().unwrap();
        assert_eq!(NetworkMessage::from(msg), cast(100));
        assert_eq!(
            decoder.next_node_message(),
            None,
            "it is not between actors"
        );
        let ready = decoder.next_frame().unwrap().unwrap();
        assert_eq!(ready.decode().unwrap().kind(), "ready");
        let mut short = FrameDecoder::new(10);
        short.extend(&framed(cast(100)));
        assert_eq!(short.next_node_message(), None);
        assert!(short.next_frame().is_err());
    }

    #[test]
    fn empty_frame_is_a_message_without_content() {
        let mut decoder = FrameDecoder::new(0);
        decoder.extend(&0u64.to_be_bytes());
        let frame = decoder.next_frame().unwrap().unwrap();
        assert_eq!(frame.decode().unwrap().message, None);
        assert_eq!(decoder.finish(), Ok(()));
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_truncated() {
        let bytes = framed(cast(10));
        for cut in 1..bytes.len() {
            let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
            decoder.extend(&bytes[..cut]);
            assert_eq!(decoder.next_frame(), Ok(None));
            assert_eq!(
                decoder.finish(),
                Err(FrameError::Truncated { buffered: cut })
            );
        }
    }

    #[test]
    fn payload_shares_the_frames_memory() {
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(&framed(cast(4096)));
        let frame = decoder.next_frame().unwrap().unwrap();
        let range = frame.body().as_ptr_range();
        let Some(node_message::Msg::Cast(cast)) = frame.clone().decode().unwrap().into_node()
        else {
            panic!("a cast went in");
        };
        assert!(range.contains(&cast.what.as_ptr()));
    }

    proptest! {
        #[test]
        fn any_split_of_the_stream_gives_the_same_frames(
            sizes in prop::collection::vec(0usize..300, 1..8),
            cuts in prop::collection::vec(1usize..64, 1..200),
            in_place in any::<bool>(),
        ) {
            let sent: Vec<_> = sizes.into_iter().map(cast).collect();
            let mut stream = BytesMut::new();
            for message in &sent {
                encode(message, MAX_FRAME_LEN, &mut stream).unwrap();
            }
            let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
            let mut received = Vec::new();
            let mut cuts = cuts.into_iter().cycle();
            while !stream.is_empty() {
                let piece = stream.split_to(cuts.next().unwrap().min(stream.len()));
                decoder.extend(&piece);
                loop {
                    if in_place && let Some(msg) = decoder.next_node_message() {
                        received.push(msg.into());
                    } else if let Some(frame) = decoder.next_frame().unwrap() {
                        received.push(frame.decode().unwrap());
                    } else {
                        break;
                    }
                }
            }
            prop_assert_eq!(received, sent);
            prop_assert_eq!(decoder.finish(), Ok(()));
        }

        #[test]
        fn any_bytes_end_in_frames_or_a_typed_error(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
            let mut decoder = FrameDecoder::new(256);
            decoder.extend(&bytes);
            while let Ok(Some(frame)) = decoder.next_frame() {
                prop_assert!(frame.body().len() <= 256);
                let _ = frame.decode();
            }
        }
    }
}
