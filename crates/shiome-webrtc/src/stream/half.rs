//! The readable half of a link, which tells its end from its loss.

use std::{
    io,
    pin::Pin,
    sync::{Arc, OnceLock},
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, DuplexStream, ReadBuf, ReadHalf};

use crate::Failure;

/// Why a connection was lost, once it was.
pub(super) type Loss = Arc<OnceLock<Failure>>;

/// Reads what came; of a connection that was lost, an error at last.
pub(super) struct Half {
    pub(super) inner: ReadHalf<DuplexStream>,
    pub(super) loss: Loss,
}

impl AsyncRead for Half {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(cx, buf);
        match (&polled, self.loss.get()) {
            (Poll::Ready(Ok(())), Some(failure))
                if buf.filled().len() == before && buf.remaining() > 0 =>
            {
                let kind = io::ErrorKind::ConnectionReset;
                Poll::Ready(Err(io::Error::new(kind, failure.clone())))
            }
            _ => polled,
        }
    }
}
