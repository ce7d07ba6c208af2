//! Stops and monitors.

use shiome_wire::{Capabilities, meta::NetworkMessage, native};

use super::Session;
use crate::{
    error::SendError,
    event::{ExitKind, Verb},
    lanes::Class,
    terms::cut,
};

impl<C> Session<C> {
    /// Asks that an actor of the peer stop, after what was sent to it before; with `kill` at once. Reasons above
    /// [`MAX_REASON_LEN`](crate::MAX_REASON_LEN) are cut.
    ///
    /// # Errors
    ///
    /// See [`SendError`], [`NotNegotiated`](SendError::NotNegotiated) for peers that cannot; nothing is sent.
    pub fn stop(&mut self, pid: u64, reason: Option<String>, kill: bool) -> Result<(), SendError> {
        self.check_callee(pid)?;
        if !self.can(Capabilities::STOP) {
            return Err(SendError::NotNegotiated);
        }
        self.check_backlog()?;
        let reason = reason.map(cut);
        let class = if kill {
            Class::Request
        } else {
            Class::Stop { pid }
        };
        self.enqueue(
            NetworkMessage::from(native::Stop { pid, reason, kill }),
            class,
        );
        Ok(())
    }

    /// Wants to know when an actor of the peer ends, and why: [`Event::Exited`](crate::Event::Exited), or
    /// [`Event::Refused`](crate::Event::Refused). Of an actor of a legacy peer only that it ends becomes known. Once is
    /// enough, until one of these came. Nothing comes when the session is closed.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; nothing is monitored.
    pub fn monitor(&mut self, pid: u64) -> Result<(), SendError> {
        self.check_callee(pid)?;
        self.check_backlog()?;
        let fresh = self
            .monitors
            .add_remote(pid)
            .map_err(|error| SendError::TooManyMonitors { limit: error.limit })?;
        if fresh && self.can(Capabilities::MONITORS) {
            self.enqueue(
                NetworkMessage::from(native::Monitor { pid }),
                Class::Request,
            );
        }
        Ok(())
    }

    /// Does not want to know any more; when it was not [monitored](Self::monitor), or has ended, nothing happens.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`].
    pub fn demonitor(&mut self, pid: u64) -> Result<(), SendError> {
        if self.is_closed() {
            return Err(SendError::Closed);
        }
        if self.monitors.remove_remote(pid) && self.can(Capabilities::MONITORS) {
            self.enqueue(
                NetworkMessage::from(native::Demonitor { pid }),
                Class::Request,
            );
        }
        Ok(())
    }

    /// Notes how and why a local actor ended, before [`terminate`](Self::terminate) tells that it did. Nothing happens
    /// unless the peer monitors it. Reasons above [`MAX_REASON_LEN`](crate::MAX_REASON_LEN) are cut.
    pub fn exited(&mut self, pid: u64, kind: ExitKind, reason: Option<String>) {
        self.monitors.exited(pid, kind, reason);
    }

    /// Does not let the peer do what it asked for, in [`Event::StopRequested`](crate::Event::StopRequested) or
    /// [`Event::MonitorRequested`](crate::Event::MonitorRequested). A refused monitor is over.
    pub fn refuse(&mut self, pid: u64, verb: Verb) {
        let capability = match verb {
            Verb::Stop => Capabilities::STOP,
            Verb::Monitor => {
                self.monitors.remove_local(pid);
                Capabilities::MONITORS
            }
        };
        if self.can(capability) {
            let verb = verb.to_wire();
            self.enqueue(
                NetworkMessage::from(native::Refused { pid, verb }),
                Class::Request,
            );
        }
    }

    fn check_backlog(&self) -> Result<(), SendError> {
        if self.lanes.is_backlogged() {
            return Err(SendError::Full {
                queued: self.queued_len(),
                limit: crate::MAX_CONTROL_BACKLOG,
            });
        }
        Ok(())
    }
}
