//! The ends of a link.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{Direction, lock, wire::Wire};

pub(super) struct Reader {
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) direction: Direction,
    /// When the next piece arrives.
    pub(super) due: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Reader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if let Some(due) = &mut this.due {
                ready!(due.as_mut().poll(cx));
                this.due = None;
            }
            let mut wire = lock(&this.wire);
            if wire.broken {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            let lane = wire.lane(this.direction);
            match lane.pieces.front() {
                Some(piece) if !lane.stalled && piece.due > Instant::now() => {
                    this.due = Some(Box::pin(sleep_until(piece.due)));
                }
                Some(_) if !lane.stalled => {
                    lane.read(buf);
                    wire.check_cuts();
                    return Poll::Ready(Ok(()));
                }
                _ => {
                    lane.reader = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut wire = lock(&self.wire);
        let lane = wire.lane(self.direction);
        lane.unread = true;
        lane.wake();
    }
}

pub(super) struct Writer {
    pub(super) wire: Arc<Mutex<Wire>>,
    pub(super) direction: Direction,
}

impl AsyncWrite for Writer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut wire = lock(&self.wire);
        if wire.broken {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let lane = wire.lane(self.direction);
        if lane.ended || lane.unread {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        match lane.write(buf) {
            0 if !buf.is_empty() => {
                lane.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            len => Poll::Ready(Ok(len)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.wire).lane(self.direction).end();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        lock(&self.wire).lane(self.direction).end();
    }
}
