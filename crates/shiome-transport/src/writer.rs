use std::{
    future::{Future, poll_fn},
    io::{self, IoSlice},
    mem,
    pin::pin,
    time::{Duration, Instant},
};

use bytes::Buf;
use shiome_session::{Event, Lane, Session};
use shiome_wire::Frames;
use tokio::{io::AsyncWriteExt, task::yield_now};

use crate::{link::BoxWrite, peer::Peer};

/// Bytes that are written at a time, or one message that is longer. What is more urgent waits for no more.
const MAX_BATCH_LEN: usize = 256 * 1024;

/// Pieces that are written at a time: those of a batch of messages of 4 KiB, which have two each.
const MAX_SLICES: usize = 128;

/// Capacity that is kept between two batches.
const KEPT_CAPACITY: usize = 128 * 1024;

/// How far the bytes of one link have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes that have left the session and are not written.
    in_flight: usize,
    /// Since when bytes wait of which the link has taken none.
    waits_since: Option<Instant>,
    /// Replies that callers have got, who may call again in a moment.
    answered: u64,
    /// Calls that actors have got, which may answer in a moment.
    asked: u64,
}

impl Progress {
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How long bytes have waited without any being taken.
    pub(crate) fn waits(&self, now: Instant) -> Option<Duration> {
        let since = self.waits_since?;
        Some(now.saturating_duration_since(since))
    }

    /// Whether bytes wait of which the link has taken none.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waits_since.is_some()
    }

    /// Something is there to be written.
    pub(crate) fn begins_to_wait(&mut self, now: impl FnOnce() -> Instant) {
        self.waits_since.get_or_insert_with(now);
    }

    /// Somebody has got what has come.
    pub(crate) fn given<C>(&mut self, event: &Event<C>) {
        match event {
            Event::Reply { .. } => self.answered += 1,
            Event::Call(_) => self.asked += 1,
            _ => {}
        }
    }

    /// Whether not all who may call again have done so, or not all actors that were asked have answered. Never while
    /// something waits that is more urgent than calls, such as a pong.
    pub(crate) fn expects_more<C>(&self, session: &Session<C>) -> bool {
        let callers = self.answered > session.queued(Lane::Express);
        let actors = self.asked > 0 && session.calls_in() > 0;
        (callers || actors) && session.queued(Lane::Control) == 0
    }

    /// So many bytes have left the session, with so many calls and replies.
    fn taken(&mut self, len: usize, sent: u64, now: Instant) {
        self.in_flight = len;
        // Some will never send any.
        for expected in [&mut self.answered, &mut self.asked] {
            *expected = expected.saturating_sub(sent) / 2;
        }
        self.begins_to_wait(|| now);
    }

    fn wrote(&mut self, len: usize, now: Instant) {
        self.in_flight -= len;
        self.waits_since = Some(now);
    }

    fn nothing_left(&mut self) {
        self.in_flight = 0;
        self.waits_since = None;
    }
}

/// What the writer is to do.
enum Next {
    Write,
    /// To let those run first who will have more in a moment.
    Yield,
    End,
}

/// Writes what the session sends, as it comes, until the session is drained or closed.
///
/// # Errors
///
/// The link's.
pub(crate) async fn write_to<C>(peer: &Peer<C>, writer: &mut BoxWrite) -> io::Result<()> {
    let mut frames = Frames::new();
    // What the link has taken and the session does not know of.
    let mut written = 0;
    // Whether it was just woken, and callers that can run do so first: then one write takes the calls of all.
    let mut woken = false;
    loop {
        match take(peer, &mut frames, &mut written, woken) {
            Some(Next::Write) => woken = false,
            Some(Next::Yield) => {
                woken = false;
                yield_now().await;
                continue;
            }
            None => {
                peer.filled.notified().await;
                woken = true;
                continue;
            }
            Some(Next::End) => return writer.shutdown().await,
        }
        loop {
            written = write_some(writer, &frames).await?;
            frames.advance(written);
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            if frames.is_empty() {
                break;
            }
            tell(peer, &mut written);
        }
        let mut flush = pin!(writer.flush());
        let flushed = poll_fn(|cx| {
            let flushed = flush.as_mut().poll(cx);
            if flushed.is_pending() {
                // Else it is told with what is taken next.
                tell(peer, &mut written);
            }
            flushed
        });
        flushed.await?;
        frames.shrink_to(KEPT_CAPACITY);
    }
}

/// Writes the beginning of what is there, and returns how much. Other than tokio's `write_buf` it hands over a batch of long
/// messages in one go.
async fn write_some(writer: &mut BoxWrite, frames: &Frames) -> io::Result<usize> {
    let chunk = frames.chunk();
    if chunk.len() == frames.len() || !writer.is_write_vectored() {
        return writer.write(chunk).await;
    }
    let mut slices = [IoSlice::new(&[]); MAX_SLICES];
    let filled = frames.chunks_vectored(&mut slices);
    writer.write_vectored(&slices[..filled]).await
}

/// Tells the session what the link has taken.
fn tell<C>(peer: &Peer<C>, written: &mut usize) {
    if *written > 0 {
        peer.write(|session, progress, now| {
            account(session, progress, written, now);
            Some(())
        });
    }
}

fn account<C>(
    session: &mut Session<C>,
    progress: &mut Progress,
    written: &mut usize,
    now: Instant,
) {
    if *written > 0 {
        session.wrote(now);
        progress.wrote(mem::take(written), now);
    }
}

/// Takes the next batch, unless it lets others run who were `woken` with it; `None` when there is none yet. What was taken before
/// has been written, of it `written` bytes since the session was told.
fn take<C>(peer: &Peer<C>, frames: &mut Frames, written: &mut usize, woken: bool) -> Option<Next> {
    peer.write(|session, progress, now| {
        account(session, progress, written, now);
        if woken && progress.expects_more(session) {
            return Some(Next::Yield);
        }
        session.written(now);
        let before = session.sent(Lane::Express);
        while frames.len() < MAX_BATCH_LEN && session.poll_frame(frames) {}
        if !frames.is_empty() {
            let sent = session.sent(Lane::Express) - before;
            progress.taken(frames.len(), sent, now);
            return Some(Next::Write);
        }
        if !session.has_transmits() {
            progress.nothing_left();
        }
        session.is_drained().then_some(Next::End)
    })
}

#[cfg(test)]
mod tests;
