use bytes::BufMut;
use shiome_wire::{Frame, FrameDecoder, meta::NetworkMessage};
use tokio::io::AsyncReadExt;

use crate::{error::ReadError, link::BoxRead};

/// Bytes that are read at a time, whatever room there is: after a long frame there is room for a million small ones, each
/// of which becomes an event. A message of [`FRAGMENT_THRESHOLD`](shiome_session::FRAGMENT_THRESHOLD) comes in one read.
const MAX_READ_LEN: usize = 65 * 1024;

/// Bytes that are read at a time from a link that has little to say.
const MIN_READ_LEN: usize = 16 * 1024;

/// Bytes of a frame's rest that are read alone, so that what follows begins where the buffer does, and is not moved there.
const LONG_REST_LEN: usize = 8 * 1024;

/// Reads frames from a link.
pub struct FrameReader {
    reader: BoxRead,
    decoder: FrameDecoder,
    /// Bytes to read at a time.
    room: usize,
}

impl FrameReader {
    /// A reader of frames of up to `max_frame_len` bytes.
    pub fn new(reader: BoxRead, max_frame_len: u64) -> Self {
        Self {
            reader,
            decoder: FrameDecoder::new(max_frame_len),
            room: MIN_READ_LEN,
        }
    }

    /// Changes the limit for the frames that have not been read yet.
    pub fn set_max_frame_len(&mut self, max_frame_len: u64) {
        self.decoder.set_max_frame_len(max_frame_len);
    }

    /// The next frame; `None` when the peer has closed the link between two frames. Cancel-safe: no byte is lost.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the link is of no use any more.
    pub async fn next(&mut self) -> Result<Option<Frame>, ReadError> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(Some(frame));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    /// Reads what has arrived, whether it completes a frame or not; `false` when the peer has closed the link between
    /// two frames. Cancel-safe: no byte is lost.
    ///
    /// # Errors
    ///
    /// [`ReadError`]; the link is of no use any more.
    pub async fn fill(&mut self) -> Result<bool, ReadError> {
        let rest = self.decoder.missing().filter(|len| *len >= LONG_REST_LEN);
        let room = rest.map_or(self.room, |rest| rest.min(MAX_READ_LEN));
        let mut buf = self.decoder.read_buf_of(room).limit(room);
        let read = self.reader.read_buf(&mut buf).await?;
        if read == 0 {
            self.decoder.finish()?;
        }
        if read == room {
            self.room = (2 * self.room).min(MAX_READ_LEN);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(MIN_READ_LEN);
        }
        Ok(read > 0)
    }

    /// The next frame, if it has arrived already.
    ///
    /// # Errors
    ///
    /// [`ReadError::Frame`]; the link is of no use any more.
    pub fn buffered(&mut self) -> Result<Option<Frame>, ReadError> {
        Ok(self.decoder.next_frame()?)
    }
}

impl FrameReader {
    /// The message in the next frame, if that has arrived already.
    ///
    /// # Errors
    ///
    /// [`ReadError::Frame`] and [`ReadError::Decode`]; the link is of no use any more.
    pub(crate) fn buffered_message(&mut self) -> Result<Option<NetworkMessage>, ReadError> {
        if let Some(msg) = self.decoder.next_node_message() {
            return Ok(Some(msg.into()));
        }
        match self.buffered()? {
            Some(frame) => Ok(Some(frame.decode()?)),
            None => Ok(None),
        }
    }
}

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_long_frame_makes_no_room_for_a_flood_of_small_ones() {
        let long = 1024 * 1024_u64;
        let mut bytes = long.to_be_bytes().to_vec();
        bytes.resize(8 + long as usize, 0);
        bytes.resize(bytes.len() + 4 * MAX_READ_LEN, 0);
        let mut reader = FrameReader::new(Box::new(std::io::Cursor::new(bytes)), long);
        assert!(reader.next().await.unwrap().is_some());
        let mut most = 0;
        loop {
            let mut frames = 0;
            while reader.buffered().unwrap().is_some() {
                frames += 1;
            }
            most = most.max(frames);
            if !reader.fill().await.unwrap() {
                break;
            }
        }
        assert_eq!(most, MAX_READ_LEN / 8);
    }
}
