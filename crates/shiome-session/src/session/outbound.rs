//! What local actors say to the peer's.

use std::{
    borrow::BorrowMut,
    time::{Duration, Instant},
};

use bytes::Bytes;
use shiome_wire::{
    Encode,
    meta::NetworkMessage,
    node::{self, node_message},
};

use super::{Phase, Session};
use crate::{
    Length, config::FOREVER, error::SendError, event::CallErrorCode, exports::Wait, lanes::Class,
    timer::Timer,
};

impl<C> Session<C> {
    /// Sends a one-way message to an actor of the peer. What is left in one that is borrowed when it has been sent is
    /// not specified; one that was not sent is whole.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; the session is unchanged and nothing is sent.
    pub fn cast(&mut self, mut cast: impl BorrowMut<node::Cast>) -> Result<(), SendError> {
        let cast = cast.borrow_mut();
        let class = Class::of_cast(cast);
        self.check_callee(cast.to)?;
        self.check_room()?;
        let len = self.check_len(cast)?;
        self.enqueue_len(cast, len, class);
        Ok(())
    }

    /// As [`cast`](Self::cast), for a sender that waits while [`is_high`](Self::is_high). Such casts have room of their own,
    /// [`Config::high_water`](crate::Config::high_water), so that those of senders that do not wait take none of it.
    ///
    /// # Errors
    ///
    /// See [`SendError`], [`Full`](SendError::Full) while it [is high](Self::is_high) for casts of that
    /// [length](Length::of); the session is unchanged and nothing is sent.
    pub fn cast_in_turn(&mut self, mut cast: impl BorrowMut<node::Cast>) -> Result<(), SendError> {
        let cast = cast.borrow_mut();
        let (length, class) = (Length::of(cast), Class::of_cast_in_turn(cast));
        self.check_callee(cast.to)?;
        if self.is_high(length) {
            return Err(SendError::Full {
                queued: self.lanes.in_turn(length),
                limit: self.high[length as usize].limit(),
            });
        }
        let len = self.check_len(cast)?;
        self.enqueue_len(cast, len, class);
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
        self.set_clock(now);
        let pid = message.to;
        self.check_callee(pid)?;
        if !self.has_room_for_call(pid, message.what.len()) {
            return Err(self.no_room());
        }
        if self.calls.len() >= self.config.max_open_calls {
            return Err(SendError::TooManyCalls {
                limit: self.config.max_open_calls,
            });
        }
        let timeout = timeout
            .or(self.config.default_call_timeout)
            .filter(|timeout| *timeout < FOREVER);
        let tag = self.calls.next_tag(pid);
        message.tag = tag;
        message.timeout_ms = timeout.map(whole_ms);
        let len = self.check_len(&message)?;
        let deadline = timeout.map(|timeout| now + timeout);
        self.calls.open(pid, call, deadline, &mut self.timers);
        self.enqueue_len(message, len, Class::Call { pid, tag });
        Ok(())
    }

    /// Answers an [`Event::Call`](crate::Event::Call). When no call to `to` is open nothing is sent: it was answered
    /// or dropped before. Never waits for room.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLong`]: the call is closed, and a native caller is told; a legacy one's timeout ends it there.
    /// [`SendError::Closed`]: nothing is sent, nobody waits any more.
    pub fn reply(&mut self, now: Instant, to: u64, tag: u64, what: Bytes) -> Result<(), SendError> {
        self.set_clock(now);
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        if !self.exports.close_call(to) {
            return Ok(());
        }
        let message = node::CallReply { to, tag, what };
        let fits = self.check_len(&message);
        match fits {
            Ok(len) => self.enqueue_len(message, len, Class::Reply { pid: to }),
            Err(_) => self.refuse_call(to, tag, CallErrorCode::TooLong),
        }
        self.call_closed(now, to);
        fits.map(drop)
    }

    /// Closes an [`Event::Call`](crate::Event::Call) to the local actor `to` that will not be answered, and says so to a
    /// native caller. A legacy one has no word for that; its timeout ends the call there.
    pub fn drop_call(&mut self, now: Instant, to: u64, tag: u64, code: CallErrorCode) {
        self.set_clock(now);
        if !self.is_closed() && self.exports.close_call(to) {
            self.refuse_call(to, tag, code);
            self.call_closed(now, to);
        }
    }

    /// Sends a message between actors as it stands, outside of the session's books.
    ///
    /// # Errors
    ///
    /// [`SendError::TooLong`], [`SendError::Full`] or [`SendError::Closed`]; nothing is sent.
    pub fn forward(&mut self, message: node::NodeMessage) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::Closed);
        }
        self.check_room()?;
        let class = match &message.msg {
            Some(node_message::Msg::Cast(cast)) => Class::of_cast(cast),
            Some(node_message::Msg::Call(call)) => {
                let (pid, tag) = (call.to, call.tag);
                Class::Call { pid, tag }
            }
            Some(node_message::Msg::Reply(reply)) => Class::Reply { pid: reply.to },
            None => Class::Request,
        };
        let message = NetworkMessage::from(message);
        let len = self.check_len(&message)?;
        self.enqueue_len(message, len, class);
        Ok(())
    }

    /// A call to `pid` is closed: its end, if that is held back, may be told earlier.
    fn call_closed(&mut self, now: Instant, pid: u64) {
        let headstart = self.headstart();
        let Some((before, wait)) = self.exports.answered(now, pid, headstart) else {
            return;
        };
        if let Wait::Until(at) = before {
            self.timers.cancel(at, Timer::Release { pid });
        }
        match wait {
            Wait::Queue => {}
            Wait::Until(at) if at > now => self.timers.set(at, Timer::Release { pid }),
            Wait::Until(_) => self.release(pid),
        }
    }

    /// Native peers keep order by themselves.
    pub(super) fn headstart(&self) -> Duration {
        match self.terms {
            Some(_) => Duration::ZERO,
            None => self.config.reply_headstart,
        }
    }

    pub(super) fn check_callee(&mut self, pid: u64) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            Err(SendError::Closed)
        } else if self.callees.get(pid).is_some() {
            Ok(())
        } else if self.directory.contains(pid) {
            self.callees.put(pid, ());
            Ok(())
        } else {
            Err(SendError::UnknownActor { pid })
        }
    }

    /// The length of the message's body, if the peer takes it.
    fn check_len(&self, message: &impl Encode) -> Result<usize, SendError> {
        let body_len = message.body_len();
        let (len, limit) = (body_len as u64, self.max_message_len);
        if len > limit {
            return Err(SendError::TooLong { len, limit });
        }
        Ok(body_len)
    }
}

/// Rounded up: a callee that is told 0 gives up at once.
fn whole_ms(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
