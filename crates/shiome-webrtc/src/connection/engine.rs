//! What the engine tells: addresses that work, channels that open, messages that come.

use std::time::Instant;

use shiome_bus::{
    Envelope, Level,
    wire::{CloseReason, Frame},
};
use str0m::{IceConnectionState, Input, Output};

use super::{Connection, Event, Phase, RESTART_TIMEOUT, channels::Read};
use crate::{Failure, signal::Purpose};

impl Connection {
    pub(super) fn lose(&mut self, now: Instant) {
        if self.phase == Phase::Up {
            self.phase = Phase::Lost {
                until: now + RESTART_TIMEOUT,
            };
            self.events.push_back(Event::Lost);
            self.restart(now);
        }
    }

    /// The other end is there. What it says first says also that both channels are open to it, whatever is known of them here.
    fn hear(&mut self, now: Instant) {
        self.heartbeat.heard(now);
        if matches!(self.phase, Phase::Connecting { .. } | Phase::Lost { .. }) {
            self.phase = Phase::Up;
            self.events.push_back(Event::Up);
        }
    }

    pub(super) fn write_on(&mut self, now: Instant) {
        if self.channels.has_room()
            && let Some(nonce) = self.pong.take()
        {
            self.push(&Frame::Pong { nonce });
        }
        while self.channels.write_next(&mut self.rtc) {
            self.drain(now);
        }
    }

    /// Lets time pass inside.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.end(Failure::Closed(CloseReason::Lost(0)));
        }
        self.drain(now);
    }

    /// Takes all out. To be done after each change of `rtc`, before the next.
    pub(super) fn drain(&mut self, now: Instant) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.rtc_timeout = at;
                    break;
                }
                Ok(Output::Transmit(transmit)) => self.transmits.push_back(transmit),
                Ok(Output::Event(event)) => self.handle_event(now, event),
                Err(error) => {
                    self.rtc.disconnect();
                    self.end(Failure::malformed(error));
                    break;
                }
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: str0m::Event) {
        use str0m::Event::{
            ChannelClose, ChannelData, ChannelOpen, Closed, IceConnectionStateChange,
        };
        match event {
            IceConnectionStateChange(state) => self.handle_ice(now, state),
            ChannelOpen(id, label) => {
                if !self.channels.opened(id, &label) {
                    return self.end(Failure::malformed("a channel that is none of ours"));
                }
                if self.channels.are_open() && matches!(self.phase, Phase::Connecting { .. }) {
                    self.hear(now);
                }
            }
            ChannelData(data) => match self.channels.read(&data) {
                Ok(Read::Frames(frames, len, counted)) => {
                    self.handle_frames(now, frames, len, counted);
                }
                Ok(Read::Bytes(bytes)) => {
                    self.hear(now);
                    self.events.push_back(Event::Bytes(bytes));
                }
                Ok(Read::Part) => self.hear(now),
                Ok(Read::Strange) => {}
                Err(failure) => self.end(failure),
            },
            ChannelClose(id) if self.channels.is_main(id) => {
                self.end(Failure::Closed(CloseReason::Lost(0)));
            }
            Closed => self.end(Failure::Closed(CloseReason::Lost(0))),
            _ => {}
        }
    }

    fn handle_ice(&mut self, now: Instant, state: IceConnectionState) {
        match state {
            IceConnectionState::Connected | IceConnectionState::Completed => {
                self.reached = true;
                if matches!(self.phase, Phase::Lost { .. }) {
                    // Whatever comes in answer ends the loss.
                    self.push(&Frame::Ping { nonce: 0 });
                }
            }
            IceConnectionState::Disconnected => match self.phase {
                Phase::Connecting { .. } if self.candidates.are_all_told() => {
                    self.end(self.diagnosis());
                }
                Phase::Up => self.lose(now),
                _ => {}
            },
            _ => {}
        }
    }

    fn handle_frames(&mut self, now: Instant, frames: Vec<Frame>, len: usize, counted: bool) {
        if let Phase::Closing { reason, .. } = self.phase {
            // Both at once: nothing more is to be heard.
            if frames
                .iter()
                .any(|frame| matches!(frame, Frame::Goodbye(_)))
            {
                self.end(Failure::Closed(reason));
            }
            return;
        }
        self.hear(now);
        let mut heard = Vec::with_capacity(frames.len());
        for frame in frames {
            match frame {
                Frame::Envelope(ref envelope)
                    if self.config.purpose == Purpose::Envelopes
                        && (counted || may_be_lost(envelope)) =>
                {
                    heard.push(frame);
                }
                Frame::Ack { .. } if counted => heard.push(frame),
                Frame::Ping { nonce } if counted => self.pong = Some(nonce),
                Frame::Pong { .. } if counted => {}
                Frame::Goodbye(goodbye) if counted => {
                    self.push_heard(heard, len, counted);
                    self.end(Failure::Closed(goodbye.reason));
                    // Who said it waits to hear that it came.
                    let _ = self.rtc.close();
                    return;
                }
                other => {
                    return self.end(Failure::malformed(format!("a {}", other.kind())));
                }
            }
        }
        self.push_heard(heard, len, counted);
    }

    fn push_heard(&mut self, frames: Vec<Frame>, len: usize, counted: bool) {
        if !frames.is_empty() {
            self.events.push_back(Event::Heard {
                frames,
                len,
                counted,
            });
        }
    }
}

/// Whether nobody waits for what becomes of it.
fn may_be_lost(envelope: &Envelope) -> bool {
    envelope.level == Level::Accepted && envelope.reply_to.is_none()
}
