//! What a native peer says beyond what all understand.

use std::time::Instant;

use shiome_wire::{
    Capabilities, Frame,
    native::{self, native_message::Msg},
    node,
};

use super::Session;
use crate::{
    error::{FragmentError, SessionError},
    event::{CallEnd, CallErrorCode, Event, ExitKind, GoodbyeReason, Skipped, Verb},
    lanes::{Class, cost_of_fragment},
    terms::cut,
    timer::Timer,
};

impl<C> Session<C> {
    pub(super) fn on_native(&mut self, now: Instant, msg: Msg) -> Result<(), SessionError> {
        self.check_negotiated(&msg)?;
        match msg {
            // The handshake has verified the peer's; a second one means nothing.
            Msg::Proof(_) => self.skip(Skipped::Unexpected),
            Msg::Fragment(fragment) => self.on_fragment(now, fragment)?,
            Msg::Credit(credit) => self.lanes.flow().granted(credit.bytes),
            Msg::CallError(error) => self.on_call_error(error),
            Msg::Stop(stop) => self.on_stop(stop),
            Msg::Monitor(monitor) => self.on_monitor(monitor.pid)?,
            Msg::Demonitor(demonitor) => self.on_demonitor(demonitor.pid),
            Msg::Refused(refused) => self.on_refused(refused),
            Msg::Exit(exit) => self.on_exit(exit),
            Msg::Goodbye(goodbye) => self.on_goodbye(goodbye),
            Msg::ChannelOpen(open) => self.on_channel_open(open)?,
            Msg::ChannelData(data) => self.on_channel_data(&data)?,
            Msg::ChannelCredit(credit) => self.on_channel_credit(&credit)?,
            Msg::ChannelClose(close) => self.on_channel_close(&close)?,
        }
        Ok(())
    }

    fn check_negotiated(&self, msg: &Msg) -> Result<(), SessionError> {
        let needs = match msg {
            Msg::Proof(_) if self.terms.is_none() && self.config.announced => {
                return Err(SessionError::Downgraded);
            }
            Msg::Proof(_) => return Ok(()),
            Msg::Fragment(_) => Capabilities::FRAGMENTS,
            Msg::Credit(_) => Capabilities::CREDIT,
            Msg::CallError(_) => Capabilities::CALL_ERRORS,
            Msg::Stop(_) => Capabilities::STOP,
            Msg::Monitor(_) | Msg::Demonitor(_) | Msg::Exit(_) => Capabilities::MONITORS,
            Msg::Refused(refused) => match Verb::from_wire(refused.verb) {
                Some(Verb::Stop) => Capabilities::STOP,
                _ => Capabilities::MONITORS,
            },
            Msg::Goodbye(_) => Capabilities::GOODBYE,
            Msg::ChannelOpen(_)
            | Msg::ChannelData(_)
            | Msg::ChannelCredit(_)
            | Msg::ChannelClose(_) => Capabilities::CHANNELS,
        };
        if self.can(needs) {
            return Ok(());
        }
        let kind = shiome_wire::meta::NetworkMessage::from(msg.clone()).kind();
        Err(SessionError::NotNegotiated { kind })
    }

    /// The fragment takes of the window until the owner has caught up with what came before it; that it ends a message
    /// that the owner has not taken makes no difference.
    fn on_fragment(
        &mut self,
        now: Instant,
        fragment: native::Fragment,
    ) -> Result<(), SessionError> {
        self.take_of_window(cost_of_fragment(fragment.data.len()))?;
        if let Some(at) = self.reassembly.deadline() {
            self.timers.cancel(at, Timer::Reassembly);
        }
        let whole = self.reassembly.add(now, fragment)?;
        if let Some(at) = self.reassembly.deadline() {
            self.timers.set(at, Timer::Reassembly);
        }
        let Some(body) = whole else {
            return Ok(());
        };
        let message = Frame::from(body).decode();
        let message = message.map_err(|_| FragmentError::Undecodable)?;
        let msg = message.into_node().ok_or(FragmentError::NotBetweenActors)?;
        self.on_node(msg);
        Ok(())
    }

    pub(super) fn reassembly_expired(&mut self, now: Instant) {
        if self.window.is_tight() && self.can(Capabilities::CREDIT) {
            // The owner does not take what came, so the peer cannot go on.
            self.reassembly.excuse(now);
            let again = self.reassembly.deadline();
            return self.timers.set(again.unwrap_or(now), Timer::Reassembly);
        }
        let error = SessionError::from(FragmentError::Stalled);
        self.tell(Event::Failed(error));
        self.give_up(&error);
    }

    fn on_call_error(&mut self, error: native::CallError) {
        let (pid, tag) = (error.to, error.tag);
        let code = CallErrorCode::from_wire(error.code);
        match self.calls.answered(pid, tag, &mut self.timers) {
            Some(call) => {
                let why = CallEnd::Refused(code);
                self.tell(Event::CallEnded { call, why });
            }
            None => self.skip(Skipped::UnknownReply { pid, tag }),
        }
        self.forget_callee(pid);
    }

    fn on_stop(&mut self, stop: native::Stop) {
        let native::Stop { pid, reason, kill } = stop;
        if !self.exports.contains(pid) {
            return self.skip(Skipped::NotAnnounced { pid });
        }
        let reason = reason.map(cut);
        self.tell(Event::StopRequested { pid, reason, kill });
    }

    fn on_monitor(&mut self, pid: u64) -> Result<(), SessionError> {
        if !self.exports.contains(pid) {
            let exit = native::Exit {
                pid,
                kind: ExitKind::UnknownActor.to_wire(),
                reason: None,
            };
            self.transmit(exit);
            return Ok(());
        }
        let fresh = self
            .monitors
            .add_local(pid)
            .map_err(|error| SessionError::TooManyMonitors { limit: error.limit })?;
        if fresh {
            self.tell(Event::MonitorRequested { pid });
        }
        Ok(())
    }

    fn on_demonitor(&mut self, pid: u64) {
        if self.monitors.remove_local(pid) {
            self.tell(Event::DemonitorRequested { pid });
        } else {
            self.skip(Skipped::NotMonitored { pid });
        }
    }

    fn on_refused(&mut self, refused: native::Refused) {
        let pid = refused.pid;
        match Verb::from_wire(refused.verb) {
            Some(Verb::Monitor) if !self.monitors.remove_remote(pid) => {
                self.skip(Skipped::NotMonitored { pid });
            }
            Some(verb) => self.tell(Event::Refused { pid, verb }),
            None => self.skip(Skipped::Unexpected),
        }
    }

    fn on_exit(&mut self, exit: native::Exit) {
        let pid = exit.pid;
        if !self.monitors.remove_remote(pid) {
            return self.skip(Skipped::NotMonitored { pid });
        }
        self.tell(Event::Exited {
            pid,
            kind: ExitKind::from_wire(exit.kind),
            reason: exit.reason.map(cut),
        });
    }

    fn on_goodbye(&mut self, goodbye: native::Goodbye) {
        self.tell(Event::Goodbye {
            reason: GoodbyeReason::from_wire(goodbye.reason),
            detail: cut(goodbye.detail),
        });
        // It does not listen any more.
        self.farewell = None;
        self.close();
    }

    /// Says that the call is not answered, to a peer that understands.
    pub(super) fn refuse_call(&mut self, to: u64, tag: u64, code: CallErrorCode) {
        if self.can(Capabilities::CALL_ERRORS) {
            let code = code.to_wire();
            let error = native::CallError { to, tag, code };
            self.enqueue(error.into(), Class::CallError { pid: to });
        }
    }

    /// What has come takes so much of the window until the owner has taken it.
    pub(super) fn take_of_window(&mut self, cost: u64) -> Result<(), SessionError> {
        if self.can(Capabilities::CREDIT) {
            self.window.take(cost)?;
            self.arriving = cost;
        }
        Ok(())
    }

    /// What has come and made no event is over when what came before it is.
    pub(super) fn settle_arrival(&mut self) {
        let cost = std::mem::take(&mut self.arriving);
        match self.events.back_mut() {
            Some(last) => last.cost += cost,
            None => self.give_back(cost),
        }
    }

    pub(super) fn give_back(&mut self, cost: u64) {
        if cost == 0 || self.is_closed() {
            return;
        }
        if let Some(bytes) = self.window.give_back(cost) {
            self.transmit(native::Credit { bytes });
        }
    }
}

/// Whether this is a cast, which takes of the window.
pub(super) fn cost_of(msg: &node::node_message::Msg) -> u64 {
    match msg {
        node::node_message::Msg::Cast(cast) => crate::lanes::cost_of_cast(cast),
        _ => 0,
    }
}
