//! What goes out, and when.

use std::time::Instant;

use bytes::Buf;
use shiome_wire::{
    Capabilities, Encode, Frame, Frames, LENGTH_PREFIX_LEN, meta::NetworkMessage, native,
};

use super::{Phase, Session};
use crate::{
    Length,
    error::SendError,
    event::{Event, GoodbyeReason},
    lanes::{Class, Tally},
    terms::cut,
};

/// What a call or reply takes besides its contents, in bytes, unless its variant's name is absurd.
const CALL_OVERHEAD: usize = 1024;

/// Casts to one actor that leave at a time, in bytes: enough to be worth a turn, and a quarter of what a long one takes of it.
const RUN_LEN: usize = 16 * 1024;

impl<C> Session<C> {
    /// Appends the frame of the next message to send to `frames`, or those of several short casts to one actor; `false`,
    /// and nothing is, also while what waits is more than the peer takes now.
    #[must_use]
    pub fn poll_frame(&mut self, frames: &mut Frames) -> bool {
        self.poll_run(RUN_LEN, frames)
    }

    /// As [`poll_frame`](Self::poll_frame), with casts that take `run_len` bytes together, but one in any case.
    fn poll_run(&mut self, run_len: usize, frames: &mut Frames) -> bool {
        if self.is_closed() {
            return self.poll_farewell(frames);
        }
        if self.lanes.take_ping_wanted() {
            self.ping(self.clock);
        }
        if self.is_channels_turn() && self.poll_piece(frames) {
            return true;
        }
        let urgent = self.lanes.is_urgent();
        let mut leaving = self.lanes.pop(run_len, frames);
        if leaving.is_none() && self.lanes.take_ping_wanted() {
            self.ping(self.clock);
            leaving = self.lanes.pop(run_len, frames);
        }
        let Some(leaving) = leaving else {
            let is_last = self.phase == Phase::Finishing && self.lanes.is_empty();
            return self.poll_piece(frames) || is_last && self.poll_farewell(frames);
        };
        if !urgent {
            self.channels.passed_by(leaving.len);
        }
        self.full.fell(self.lanes.queued());
        for length in Length::ALL {
            self.high[length as usize].fell(self.lanes.in_turn(length));
        }
        self.traffic.left(&leaving);
        match leaving.whole {
            Some(class) => self.left(class, leaving.count, leaving.len),
            None => {
                if let Some(unwritten) = &mut self.unwritten {
                    unwritten.bytes += leaving.len;
                }
            }
        }
        true
    }

    /// The next message to send, for links that carry messages as they are. As [`poll_frame`](Self::poll_frame)
    /// otherwise, at the cost of decoding it.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<NetworkMessage> {
        let mut frames = Frames::new();
        if !self.poll_run(0, &mut frames) {
            return None;
        }
        frames.advance(LENGTH_PREFIX_LEN);
        let body = frames.copy_to_bytes(frames.len());
        let message = Frame::from(body).decode();
        Some(message.expect("what this side has encoded can be decoded"))
    }

    fn poll_farewell(&mut self, frames: &mut Frames) -> bool {
        let farewell = self.farewell.take().map(NetworkMessage::from);
        let is_there = farewell.is_some();
        farewell
            .into_iter()
            .for_each(|farewell| frames.push(farewell));
        is_there
    }

    fn left(&mut self, class: Class, count: usize, len: usize) {
        if let Some(unwritten) = &mut self.unwritten {
            unwritten.add(class, count, len);
        }
        match class {
            Class::Call { pid, tag } => self.calls.written(pid, tag),
            Class::Reply { pid } => {
                self.exports.replied(self.clock, pid);
                self.answer_left(pid);
            }
            Class::CallError { pid } => self.answer_left(pid),
            Class::Ping(_) => self.liveness.ping_left(self.unwritten.is_some()),
            _ => {}
        }
    }

    fn answer_left(&mut self, pid: u64) {
        if self.exports.answer_left(pid) {
            self.hold_over(self.clock, pid);
        }
    }

    /// Whether [`poll_frame`](Self::poll_frame) may have something, now or when the peer takes more.
    pub fn has_transmits(&self) -> bool {
        self.farewell.is_some() && self.phase != Phase::Open
            || !self.lanes.is_empty()
            || self.channels.is_ready()
    }

    /// Whether [`poll_frame`](Self::poll_frame) may have something now. It has nothing when this is `false`.
    pub fn is_transmit_ready(&self) -> bool {
        self.lanes.is_ready()
            || self.channels.is_ready()
            || self.farewell.is_some() && self.phase != Phase::Open
    }

    /// Whether all is said, the goodbye too: [`close`](Self::close), and close the link.
    pub fn is_drained(&self) -> bool {
        self.phase != Phase::Open && !self.has_transmits()
    }

    /// Bytes that wait to be sent, with [`MESSAGE_OVERHEAD`](crate::MESSAGE_OVERHEAD) a message.
    pub fn queued_len(&self) -> usize {
        self.lanes.queued()
    }

    /// Whether casts are refused, and calls that cannot go ahead of what waits: since as much waits as
    /// [`Config::max_outbox`](crate::Config::max_outbox), until a quarter of it is free again.
    pub fn is_full(&self) -> bool {
        self.full.is_reached()
    }

    /// Whether a sender of casts of that length that waits for its turn should wait, see
    /// [`Config::high_water`](crate::Config::high_water) and [`cast_in_turn`](Self::cast_in_turn).
    pub fn is_high(&self, length: Length) -> bool {
        self.high[length as usize].is_reached()
    }

    /// All that was polled has been written to the link; it is `now`. For drivers that call this before they poll first,
    /// and again after every write, what was polled since the last time counts in [`Event::Unsent`] too.
    pub fn written(&mut self, now: Instant) {
        self.set_clock(now);
        self.liveness.written();
        self.unwritten = Some(Tally::default());
    }

    /// The link has taken bytes of what was polled: one that is slow is told from one that is dead by it, while a ping
    /// waits behind something long.
    pub fn wrote(&mut self, now: Instant) {
        self.set_clock(now);
        self.liveness.link_moved();
    }

    pub(super) fn transmit(&mut self, message: impl Into<NetworkMessage>) {
        self.enqueue(message.into(), Class::Control);
    }

    pub(super) fn enqueue(&mut self, message: impl Encode, class: Class) {
        let len = message.body_len();
        self.enqueue_len(message, len, class);
    }

    /// Enqueues a message whose length is known.
    pub(super) fn enqueue_len(&mut self, message: impl Encode, len: usize, class: Class) {
        if self.is_closed() {
            return;
        }
        if self.lanes.push(message, len, class).is_err() {
            if !std::mem::replace(&mut self.overflowed, true) {
                self.tell(Event::NotReading);
            }
            return;
        }
        self.traffic.queued(class, len);
        if let Class::Reply { pid } | Class::CallError { pid } = class {
            self.exports.answer_queued(pid);
        }
        self.full.rose(self.lanes.queued());
        if let Class::Cast {
            turn: Some(length), ..
        } = class
        {
            self.high[length as usize].rose(self.lanes.in_turn(length));
        }
    }

    /// Whether a call with `what_len` bytes of arguments to that actor is not refused for want of room. One that can go
    /// ahead of what waits does not need as much as a cast.
    pub fn has_room_for_call(&self, to: u64, what_len: usize) -> bool {
        !self.is_full()
            || !self.lanes.has_bulk_to(to) && self.lanes.has_express_room(what_len + CALL_OVERHEAD)
    }

    /// Whether a reply of that length should be sent now. [`reply`](Self::reply) refuses none for want of room, so that
    /// who sends them asks.
    pub fn has_room_for_reply(&self, what_len: usize) -> bool {
        !self.is_full() || self.lanes.has_express_room(what_len + CALL_OVERHEAD)
    }

    pub(super) fn check_room(&self) -> Result<(), SendError> {
        if self.is_full() {
            return Err(self.no_room());
        }
        Ok(())
    }

    pub(super) fn no_room(&self) -> SendError {
        SendError::Full {
            queued: self.queued_len(),
            limit: self.full.limit(),
        }
    }

    pub(super) fn can(&self, capability: Capabilities) -> bool {
        self.terms
            .is_some_and(|terms| terms.capabilities.contains(capability))
    }

    pub(super) fn words_of_farewell(
        &self,
        reason: GoodbyeReason,
        detail: &str,
    ) -> Option<native::Goodbye> {
        self.can(Capabilities::GOODBYE).then(|| native::Goodbye {
            reason: reason.to_wire(),
            detail: cut(detail.to_owned()),
        })
    }
}
