//! What is on the way.

use std::{collections::VecDeque, task::Waker};

use bytes::{Buf, Bytes};
use tokio::{io::ReadBuf, time::Instant};

use super::{Conditions, Direction, LINK_CAPACITY};

/// Bytes that arrive together on a link with a bandwidth.
const PIECE_LEN: usize = 1024;

#[derive(Debug)]
pub(super) struct Wire {
    pub(super) lanes: [Lane; 2],
    pub(super) broken: bool,
}

impl Wire {
    pub(super) fn lane(&mut self, direction: Direction) -> &mut Lane {
        &mut self.lanes[direction as usize]
    }

    pub(super) fn check_cuts(&mut self) {
        if self.lanes.iter().any(Lane::is_cut) {
            self.break_off();
        }
    }

    pub(super) fn break_off(&mut self) {
        self.broken = true;
        for lane in &mut self.lanes {
            lane.pieces.clear();
            lane.wake();
        }
    }
}

/// What is on the way in one direction.
#[derive(Debug)]
pub(super) struct Lane {
    pub(super) conditions: Conditions,
    pub(super) pieces: VecDeque<Piece>,
    /// Bytes of the pieces.
    held: usize,
    /// When the wire has taken all that was written.
    free_at: Instant,
    /// Bytes that were read.
    pub(super) delivered: u64,
    pub(super) cut_at: Option<u64>,
    pub(super) stalled: bool,
    /// No more is written.
    pub(super) ended: bool,
    /// No more is read.
    pub(super) unread: bool,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
}

#[derive(Debug)]
pub(super) struct Piece {
    pub(super) due: Instant,
    /// Empty: the end.
    pub(super) bytes: Bytes,
}

impl Lane {
    pub(super) fn new(conditions: Conditions) -> Self {
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

    pub(super) fn wake(&mut self) {
        for waker in [self.reader.take(), self.writer.take()] {
            waker.inspect(Waker::wake_by_ref);
        }
    }

    fn is_cut(&self) -> bool {
        self.cut_at.is_some_and(|at| self.delivered >= at)
    }

    /// Takes what there is room for.
    pub(super) fn write(&mut self, buf: &[u8]) -> usize {
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

    pub(super) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.push(Bytes::new());
        }
    }

    /// Moves what has arrived to `buf`, up to where the link is cut.
    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>) {
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
