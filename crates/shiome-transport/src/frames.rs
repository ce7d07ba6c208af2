use shiome_wire::{Frame, FrameDecoder};
use tokio::io::AsyncReadExt;

use crate::{error::ReadError, link::BoxRead};

/// Reads frames from a link.
pub struct FrameReader {
    reader: BoxRead,
    decoder: FrameDecoder,
}

impl FrameReader {
    /// A reader of frames of up to `max_frame_len` bytes.
    pub fn new(reader: BoxRead, max_frame_len: u64) -> Self {
        Self {
            reader,
            decoder: FrameDecoder::new(max_frame_len),
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
        let read = self.reader.read_buf(self.decoder.read_buf()).await?;
        if read == 0 {
            self.decoder.finish()?;
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

impl std::fmt::Debug for FrameReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReader").finish_non_exhaustive()
    }
}
