use std::{
    io,
    time::{Duration, Instant},
};

use shiome_session::Lane;
use shiome_wire::Frames;
use tokio::{io::AsyncWriteExt, task::yield_now};

use crate::{link::BoxWrite, peer::Peer};

/// Bytes that are written at a time, or one message that is longer. What is more urgent waits for no more.
const MAX_BATCH_LEN: usize = 256 * 1024;

/// Capacity that is kept between two batches.
const KEPT_CAPACITY: usize = 128 * 1024;

/// Batches after one with several calls or replies before which other tasks have their turn: as many of them wait for each
/// other, and have more to send in a moment.
const CROWDED_BATCHES: u32 = 16;

/// How far the bytes of one link have come.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes that have left the session and are not written.
    in_flight: usize,
    /// Since when bytes wait of which the link has taken none.
    waits_since: Option<Instant>,
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

    fn taken(&mut self, len: usize, now: Instant) {
        self.in_flight = len;
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
    Write {
        /// Whether there are several messages in it that go ahead of casts, such as calls and replies.
        crowded: bool,
    },
    End,
}

/// Writes what the session sends, as it comes, until the session is drained or closed.
///
/// # Errors
///
/// The link's.
pub(crate) async fn write_to<C>(peer: &Peer<C>, writer: &mut BoxWrite) -> io::Result<()> {
    let mut frames = Frames::new();
    // Batches for which callers are taken for many.
    let mut crowded: u32 = 0;
    loop {
        match take(peer, &mut frames) {
            Some(Next::Write { crowded: true }) => crowded = CROWDED_BATCHES,
            Some(Next::Write { crowded: false }) => crowded = crowded.saturating_sub(1),
            None => {
                peer.filled.notified().await;
                // Callers that can run do so first, and one write takes the calls of all. Who is alone need not wait, nor who
                // casts.
                if crowded > 0 {
                    yield_now().await;
                }
                continue;
            }
            Some(Next::End) => return writer.shutdown().await,
        }
        while !frames.is_empty() {
            let len = writer.write_buf(&mut frames).await?;
            if len == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            peer.write(|session, progress, now| {
                session.wrote(now);
                progress.wrote(len, now);
                Some(())
            });
        }
        writer.flush().await?;
        frames.shrink_to(KEPT_CAPACITY);
    }
}

/// Takes the next batch; `None` when there is none yet. What was taken before has been written.
fn take<C>(peer: &Peer<C>, frames: &mut Frames) -> Option<Next> {
    peer.write(|session, progress, now| {
        session.written(now);
        let before = session.sent(Lane::Express);
        while frames.len() < MAX_BATCH_LEN && session.poll_frame(frames) {}
        if !frames.is_empty() {
            progress.taken(frames.len(), now);
            let crowded = session.sent(Lane::Express) - before > 1;
            return Some(Next::Write { crowded });
        }
        if !session.has_transmits() {
            progress.nothing_left();
        }
        session.is_drained().then_some(Next::End)
    })
}
