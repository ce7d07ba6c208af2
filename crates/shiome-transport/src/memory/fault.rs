//! Memory links on which bytes take their time, wait, or are lost with the link. All time is the runtime's, which tests can
//! pause.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::LINK_CAPACITY;
use crate::link::{Link, Security};

#[cfg(test)]
mod tests;

/// Bytes that arrive together on a link with a bandwidth.
const PIECE_LEN: usize = 1024;

/// How long bytes take, in each direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conditions {
    /// From one end to the other. Default: none.
    pub latency: Duration,
    /// Bytes in a second; `None`, the default, is as many as there are. At least 1.
    pub bandwidth: Option<u64>,
    /// Bytes on the way before the writer waits. Default: 64 KiB. At least 1.
    pub capacity: usize,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            bandwidth: None,
            capacity: LINK_CAPACITY,
        }
    }
}

impl Conditions {
    /// With this latency.
    pub fn with_latency(self, latency: Duration) -> Self {
        Self { latency, ..self }
    }

    /// With so many bytes in a second.
    pub fn with_bandwidth(self, bandwidth: u64) -> Self {
        Self {
            bandwidth: Some(bandwidth),
            ..self
        }
    }

    /// With so many bytes on the way.
    pub fn with_capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }

    /// Time that so many bytes occupy the wire.
    fn transmission(&self, len: usize) -> Duration {
        let Some(bandwidth) = self.bandwidth else {
            return Duration::ZERO;
        };
        let nanos = len as u128 * 1_000_000_000 / u128::from(bandwidth.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

/// One of the two directions of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two")]
pub enum Direction {
    /// From the end that dialled.
    FromDialler,
    /// To the end that dialled.
    ToDialler,
}

/// Does harm to one link, while it lasts.
#[derive(Debug, Clone)]
pub struct Faults(Weak<Mutex<Wire>>);

impl Faults {
    /// Whether one of the ends still holds the link.
    pub fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }

    /// Under these conditions go the bytes that are written from now on, in this direction.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.with(|wire| wire.lane(direction).conditions = conditions);
    }

    /// No byte arrives, and no end, until [`resume`](Self::resume). The writer goes on while there is room.
    pub fn stall(&self, direction: Direction) {
        self.with(|wire| wire.lane(direction).stalled = true);
    }

    /// What is due arrives.
    pub fn resume(&self, direction: Direction) {
        self.with(|wire| {
            let lane = wire.lane(direction);
            lane.stalled = false;
            lane.wake();
        });
    }

    /// Breaks the link, in both directions, when so many bytes have been read in this one since it was opened: at once, when
    /// there were more already.
    pub fn cut_at(&self, direction: Direction, len: u64) {
        self.with(|wire| {
            wire.lane(direction).cut_at = Some(len);
            wire.lane(direction).wake();
            wire.check_cuts();
        });
    }

    /// Breaks the link at once: reads and writes fail at both ends, and what is on the way is lost.
    pub fn reset(&self) {
        self.with(Wire::break_off);
    }

    /// Ends this direction as if its writer were shut down. The other goes on.
    pub fn end(&self, direction: Direction) {
        self.with(|wire| wire.lane(direction).end());
    }

    fn with(&self, f: impl FnOnce(&mut Wire)) {
        if let Some(wire) = self.0.upgrade() {
            f(&mut lock(&wire));
        }
    }
}

/// A link under `conditions`: the end that dialled, which calls itself `from`, the other, and how to do harm to it.
pub fn link(from: &str, to: &str, conditions: Conditions) -> (Link, Link, Faults) {
    let wire = Arc::new(Mutex::new(Wire {
        lanes: [Lane::new(conditions), Lane::new(conditions)],
        broken: false,
    }));
    let end = |reads, writes, peer: &str, local: &str| Link {
        reader: Box::new(Reader {
            wire: Arc::clone(&wire),
            direction: reads,
            due: None,
        }),
        writer: Box::new(Writer {
            wire: Arc::clone(&wire),
            direction: writes,
        }),
        peer: peer.to_owned(),
        local: local.to_owned(),
        security: Security::Local,
        channel_binding: None,
    };
    let here = end(Direction::ToDialler, Direction::FromDialler, to, from);
    let there = end(Direction::FromDialler, Direction::ToDialler, from, to);
    (here, there, Faults(Arc::downgrade(&wire)))
}

#[derive(Debug)]
struct Wire {
    lanes: [Lane; 2],
    broken: bool,
}

impl Wire {
    fn lane(&mut self, direction: Direction) -> &mut Lane {
        &mut self.lanes[direction as usize]
    }

    fn check_cuts(&mut self) {
        if self.lanes.iter().any(Lane::is_cut) {
            self.break_off();
        }
    }

    fn break_off(&mut self) {
        self.broken = true;
        for lane in &mut self.lanes {
            lane.pieces.clear();
            lane.wake();
        }
    }
}

/// What is on the way in one direction.
#[derive(Debug)]
struct Lane {
    conditions: Conditions,
    pieces: VecDeque<Piece>,
    /// Bytes of the pieces.
    held: usize,
    /// When the wire has taken all that was written.
    free_at: Instant,
    /// Bytes that were read.
    delivered: u64,
    cut_at: Option<u64>,
    stalled: bool,
    /// No more is written.
    ended: bool,
    /// No more is read.
    unread: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Debug)]
struct Piece {
    due: Instant,
    /// Empty: the end.
    bytes: Bytes,
}

impl Lane {
    fn new(conditions: Conditions) -> Self {
        Self {
            conditions,
            pieces: VecDeque::new(),
            held: 0,
            free_at: Instant::now(),
            delivered: 0,
            cut_at: None,
            stalled: false,
            ended: false,
            unread: false,
            reader: None,
            writer: None,
        }
    }

    fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()] {
            waker.inspect(Waker::wake_by_ref);
        }
    }

    fn is_cut(&self) -> bool {
        self.cut_at.is_some_and(|at| self.delivered >= at)
    }

    /// Takes what there is room for.
    fn write(&mut self, buf: &[u8]) -> usize {
        let room = self.conditions.capacity.max(1).saturating_sub(self.held);
        let buf = &buf[..buf.len().min(room)];
        let piece_len = match self.conditions.bandwidth {
            Some(_) => PIECE_LEN,
            None => LINK_CAPACITY,
        };
        for piece in buf.chunks(piece_len) {
            self.push(Bytes::copy_from_slice(piece));
        }
        buf.len()
    }

    fn push(&mut self, bytes: Bytes) {
        let begins = self.free_at.max(Instant::now());
        self.free_at = begins + self.conditions.transmission(bytes.len());
        self.held += bytes.len();
        // None overtakes another, whatever the conditions were.
        let due = self.free_at + self.conditions.latency;
        let due = self.pieces.back().map_or(due, |last| due.max(last.due));
        self.pieces.push_back(Piece { due, bytes });
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.push(Bytes::new());
        }
    }

    /// Moves what has arrived to `buf`, up to where the link is cut.
    fn read(&mut self, buf: &mut ReadBuf<'_>) {
        let now = Instant::now();
        while let Some(piece) = self.pieces.front_mut()
            && piece.due <= now
            && !piece.bytes.is_empty()
            && buf.remaining() > 0
        {
            let until_cut = self.cut_at.map_or(u64::MAX, |at| at - self.delivered);
            let len = piece.bytes.len().min(buf.remaining());
            let len = len.min(usize::try_from(until_cut).unwrap_or(usize::MAX));
            buf.put_slice(&piece.bytes[..len]);
            piece.bytes.advance(len);
            self.held -= len;
            self.delivered += len as u64;
            if piece.bytes.is_empty() {
                self.pieces.pop_front();
            }
            if self.is_cut() {
                break;
            }
        }
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }
}

fn lock(wire: &Mutex<Wire>) -> MutexGuard<'_, Wire> {
    // Nothing of others runs under the lock.
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Reader {
    wire: Arc<Mutex<Wire>>,
    direction: Direction,
    /// When the next piece arrives.
    due: Option<Pin<Box<Sleep>>>,
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

struct Writer {
    wire: Arc<Mutex<Wire>>,
    direction: Direction,
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
