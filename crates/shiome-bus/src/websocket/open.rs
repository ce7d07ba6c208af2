//! A link that is open, at either end.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::{
    heartbeat::{Heartbeat, Silence},
    session::Session,
};
use crate::wire::{Apart, Batch, CloseReason, Encoding, Frame, Goodbye, Message, decode_apart};

/// Nonce of a ping whose answer is not measured.
const ASKED: u64 = 0;

/// Says and hears on an open link what all links have to; what else is heard goes to the owner. No I/O, no clock.
///
/// 1. What comes goes to [`handle_message`](Self::handle_message), the time to [`handle_timeout`](Self::handle_timeout).
/// 2. After that, and when the session has got something, [`poll_message`](Self::poll_message) until it is `None`, and then
///    [`timeout`](Self::timeout).
/// 3. An `Err` ends the link: [`goodbye`](Self::goodbye), the rest of the messages, and the close code.
#[derive(Debug)]
pub(crate) struct OpenLink {
    heartbeat: Heartbeat,
    encoding: Encoding,
    /// Bytes of the longest message that the other end takes.
    max_message: usize,
    ping: Option<u64>,
    /// The last ping that waits for an answer: who asks faster than it reads gets fewer.
    pong: Option<u64>,
    frames: VecDeque<Frame>,
    round_trip: Option<Duration>,
    ending: bool,
}

/// What an end announced, and both agreed on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms {
    pub(crate) encoding: Encoding,
    pub(crate) max_message: u64,
    pub(crate) heartbeat_ms: u64,
}

impl OpenLink {
    pub(crate) fn new(now: Instant, terms: Terms) -> Self {
        Self {
            heartbeat: Heartbeat::new(now, Duration::from_millis(terms.heartbeat_ms)),
            encoding: terms.encoding,
            max_message: usize::try_from(terms.max_message).unwrap_or(usize::MAX),
            ping: None,
            pong: None,
            frames: VecDeque::new(),
            round_trip: None,
            ending: false,
        }
    }

    /// The frames of a message that are for the owner: envelopes, presence, refusals and goodbyes. After an error the link is to
    /// be ended, and nothing of the message counts but what is not for the owner. Envelopes are to be told to
    /// [`Session::receive`] once they are taken.
    pub(crate) fn handle_message(
        &mut self,
        now: Instant,
        session: &mut Session,
        message: &Message,
    ) -> Result<Apart, CloseReason> {
        self.heartbeat.heard(now);
        let agreed = matches!(message, Message::Text(_)) || self.encoding == Encoding::Binary;
        let frames = if agreed {
            decode_apart(message).ok()
        } else {
            None
        };
        let mut frames = frames.ok_or(CloseReason::Malformed)?;
        let mut all = Ok(());
        frames.others.retain(|(_, frame)| {
            let handled = self.handle_frame(now, session, frame);
            handled.unwrap_or_else(|reason| {
                all = Err(reason);
                false
            })
        });
        all.map(|()| frames)
    }

    /// Whether a frame is for the owner; if not, this was all there is to it.
    fn handle_frame(
        &mut self,
        now: Instant,
        session: &mut Session,
        frame: &Frame,
    ) -> Result<bool, CloseReason> {
        match frame {
            Frame::Envelope(_) | Frame::Presence(_) | Frame::Refused(_) | Frame::Goodbye(_) => {
                return Ok(true);
            }
            Frame::Ack { received } => {
                let acknowledged = session.acknowledge(*received);
                acknowledged.map_err(|_| CloseReason::Malformed)?;
            }
            Frame::Ping { nonce } => self.pong = Some(*nonce),
            Frame::Pong { nonce } => {
                self.round_trip = self.heartbeat.pong(now, *nonce).or(self.round_trip);
            }
            Frame::Hello(_) | Frame::Welcome(_) => return Err(CloseReason::Malformed),
        }
        Ok(false)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), CloseReason> {
        match self.heartbeat.handle_timeout(now) {
            Silence::Bearable => Ok(()),
            Silence::Ping(nonce) => {
                self.ping = Some(nonce);
                Ok(())
            }
            Silence::Dead => Err(CloseReason::Unresponsive),
        }
    }

    /// Messages are not read for a while: that nothing is heard means nothing, but the other end is to hear something.
    pub(crate) fn deaf(&mut self, now: Instant) {
        match self.heartbeat.handle_timeout(now) {
            Silence::Bearable => {}
            Silence::Ping(nonce) => {
                self.ping = Some(nonce);
                self.heartbeat.heard(now);
            }
            // The answer to a ping may wait to be read.
            Silence::Dead => self.heartbeat.heard(now),
        }
    }

    /// Has the other end acknowledge what it has: an answer brings that along.
    pub(crate) fn ask(&mut self) {
        self.ping.get_or_insert(ASKED);
    }

    /// Asks whether the other end is there; it has so long for an answer.
    pub(crate) fn probe(&mut self, now: Instant, within: Duration) {
        self.ping = Some(self.heartbeat.probe(now, within));
    }

    /// Says something that is not counted. The owner sees to it that not much of it waits.
    pub(crate) fn say(&mut self, frame: Frame) {
        self.frames.push_back(frame);
    }

    /// Whether something that the owner [said](Self::say) waits.
    pub(crate) fn has_said(&self) -> bool {
        !self.frames.is_empty()
    }

    /// How many frames that is.
    pub(crate) fn said(&self) -> usize {
        self.frames.len()
    }

    /// Says what is queued, and then goodbye.
    pub(crate) fn goodbye(&mut self, goodbye: Goodbye) {
        if !self.ending {
            self.ending = true;
            self.say(Frame::Goodbye(goodbye));
        }
    }

    /// The next message that is to be sent. After a goodbye there are no more envelopes.
    pub(crate) fn poll_message(&mut self, now: Instant, session: &mut Session) -> Option<Message> {
        let has_own = self.ping.is_some() || self.pong.is_some() || self.has_said();
        if has_own {
            return Some(self.own_message(session));
        }
        if !self.ending
            && let Some(message) = session.next()
        {
            return Some(message);
        }
        let ack_due = session.ack_due().is_some_and(|due| due <= now);
        ack_due.then(|| self.own_message(session))
    }

    /// A message without envelopes.
    fn own_message(&mut self, session: &mut Session) -> Message {
        let mut batch = Batch::new(self.encoding);
        if let Some(received) = session.take_ack() {
            batch.push(&Frame::Ack { received });
        }
        if let Some(nonce) = self.pong.take() {
            batch.push(&Frame::Pong { nonce });
        }
        if let Some(nonce) = self.ping.take() {
            batch.push(&Frame::Ping { nonce });
        }
        while let Some(frame) = self.frames.front() {
            if batch.is_empty() {
                batch.push(frame);
            } else if !batch.push_within(frame, self.max_message) {
                break;
            }
            self.frames.pop_front();
        }
        batch.finish()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, or an acknowledgement if the connection is `writable`.
    pub(crate) fn timeout(&self, session: &Session, writable: bool) -> Instant {
        let heartbeat = self.heartbeat.timeout();
        let ack = session.ack_due().filter(|_| writable);
        ack.map_or(heartbeat, |ack| ack.min(heartbeat))
    }

    /// How messages are written.
    pub(crate) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Bytes of the longest message that the other end takes.
    pub(crate) fn max_message(&self) -> usize {
        self.max_message
    }

    /// How long the last ping took, there and back.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }
}
