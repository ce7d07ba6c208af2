//! What local actors say to the peer's.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message as _;
use shiome_wire::{control, meta::NetworkMessage, node};

use super::Session;
use crate::{config::FOREVER, error::SendError, timer::Timer};

impl<C> Session<C> {
    /// Sends a one-way message to an actor of the peer.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; the session is unchanged and nothing is sent.
    pub fn cast(&mut self, cast: node::Cast) -> Result<(), SendError> {
        self.check_callee(cast.to)?;
        let message = NetworkMessage::from(cast);
        self.check_len(&message)?;
        self.transmits.push_back(message);
        Ok(())
    }

    /// Sends a message that expects a reply. `call` comes back with it, in
    /// [`Event::Reply`](crate::Event::Reply) or [`Event::CallEnded`](crate::Event::CallEnded). `message.tag` and
    /// `message.timeout_ms` are set here, the latter in whole milliseconds, rounded up. Without `timeout`
    /// [`Config::default_call_timeout`](crate::Config::default_call_timeout) holds; one of many years is none.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; the session is unchanged, nothing is sent, and `call` is dropped.
    pub fn call(
        &mut self,
        now: Instant,
        mut message: node::Call,
        timeout: Option<Duration>,
        call: C,
    ) -> Result<(), SendError> {
        let pid = message.to;
        self.check_callee(pid)?;
        if self.calls.len() >= self.config.max_open_calls {
            return Err(SendError::TooManyCalls {
                limit: self.config.max_open_calls,
            });
        }
        let timeout = timeout
            .or(self.config.default_call_timeout)
            .filter(|timeout| *timeout < FOREVER);
        message.tag = self.calls.next_tag(pid);
        message.timeout_ms = timeout.map(whole_ms);
        let message = NetworkMessage::from(message);
        self.check_len(&message)?;
        let deadline = timeout.map(|timeout| now + timeout);
        self.calls.open(pid, call, deadline, &mut self.timers);
        self.transmits.push_back(message);
        Ok(())
    }

    /// Answers an [`Event::Call`](crate::Event::Call). When no call to `to` is open nothing is sent: it was answered
    /// or dropped before.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLong`]: nothing is sent and the call is closed; the caller's timeout ends it there.
    /// [`SendError::Closed`]: nothing is sent, nobody waits any more.
    pub fn reply(&mut self, now: Instant, to: u64, tag: u64, what: Bytes) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        if !self.exports.close_call(to) {
            return Ok(());
        }
        let message = NetworkMessage::from(node::CallReply { to, tag, what });
        let fits = self.check_len(&message);
        if fits.is_ok() {
            self.transmits.push_back(message);
            if self.exports.is_known(to) {
                self.exports.replied(now, to);
            }
        }
        self.call_closed(now, to);
        fits
    }

    /// Closes an [`Event::Call`](crate::Event::Call) to the local actor `to` that will not be answered. The protocol
    /// has no word for that; the caller's timeout ends it there.
    pub fn drop_call(&mut self, now: Instant, to: u64) {
        if self.exports.close_call(to) {
            self.call_closed(now, to);
        }
    }

    /// Sends a message between actors as it stands, outside of the session's books.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLong`] or [`SendError::Closed`]; nothing is sent.
    pub fn forward(&mut self, message: node::NodeMessage) -> Result<(), SendError> {
        if self.closed {
            return Err(SendError::Closed);
        }
        let message = NetworkMessage::from(message);
        self.check_len(&message)?;
        self.transmits.push_back(message);
        Ok(())
    }

    /// A call to `pid` is closed: its end, if that is held back, may be told earlier.
    fn call_closed(&mut self, now: Instant, pid: u64) {
        if self.closed {
            return;
        }
        let headstart = self.config.reply_headstart;
        let Some((before, until)) = self.exports.answered(now, pid, headstart) else {
            return;
        };
        self.timers.cancel(before, Timer::Release { pid });
        if until > now {
            self.timers.set(until, Timer::Release { pid });
        } else if self.exports.release(pid) {
            self.transmit(control::Terminate { ids: vec![pid] });
        }
    }

    fn check_callee(&self, pid: u64) -> Result<(), SendError> {
        if self.closed {
            Err(SendError::Closed)
        } else if !self.directory.contains(pid) {
            Err(SendError::UnknownActor { pid })
        } else {
            Ok(())
        }
    }

    fn check_len(&self, message: &NetworkMessage) -> Result<(), SendError> {
        let (len, limit) = (message.encoded_len() as u64, self.config.max_frame_len);
        if len > limit {
            return Err(SendError::TooLong { len, limit });
        }
        Ok(())
    }
}

/// Rounded up: a callee that is told 0 gives up at once.
fn whole_ms(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
