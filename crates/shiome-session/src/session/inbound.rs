//! What the peer says.

use std::time::{Duration, Instant};

use shiome_wire::{
    control::{self, control_message},
    meta::{NetworkMessage, network_message},
    native,
    node::{self, node_message},
};

use super::{Session, native_inbound::cost_of};
use crate::{
    config::FOREVER,
    directory::Joined,
    error::SessionError,
    event::{CallErrorCode, Event, ExitKind, GoodbyeReason, InboundCall, Skipped},
    lanes::{content_len_of_cast, cost},
};

impl<C> Session<C> {
    /// Takes in a message of the peer.
    ///
    /// # Errors
    ///
    /// [`SessionError`] when the peer broke a rule. The session is closed then, but for the goodbye that says so; the
    /// owner closes the link.
    pub fn handle_message(
        &mut self,
        now: Instant,
        message: NetworkMessage,
    ) -> Result<(), SessionError> {
        if self.is_closed() {
            return Ok(());
        }
        self.heard(now);
        self.traffic.arrived(&message);
        let result = self.on_message(now, message);
        match result {
            Ok(()) => self.settle_arrival(),
            Err(error) => self.give_up(&error),
        }
        result
    }

    /// As [`handle_message`](Self::handle_message), and gives back at once what it makes, if that is a cast that the owner
    /// takes now and nothing waits before it: without the detour over [`poll_event`](Self::poll_event).
    ///
    /// # Errors
    ///
    /// As those of [`handle_message`](Self::handle_message).
    pub fn take_in(
        &mut self,
        now: Instant,
        message: NetworkMessage,
        takes_now: impl FnOnce(&Event<C>) -> bool,
    ) -> Result<Option<Event<C>>, SessionError> {
        use network_message::Message;
        match message.message {
            Some(Message::Node(node::NodeMessage {
                msg: Some(node_message::Msg::Cast(cast)),
            })) if self.events.is_empty() && !self.is_closed() => {
                self.take_cast_in(now, cast, takes_now)
            }
            message => self
                .handle_message(now, NetworkMessage { message })
                .map(|()| None),
        }
    }

    fn take_cast_in(
        &mut self,
        now: Instant,
        cast: node::Cast,
        takes_now: impl FnOnce(&Event<C>) -> bool,
    ) -> Result<Option<Event<C>>, SessionError> {
        self.heard(now);
        let content_len = content_len_of_cast(&cast);
        self.traffic.cast_arrived(content_len);
        if let Err(error) = self.take_of_window(cost(content_len)) {
            self.give_up(&error);
            return Err(error);
        }
        if !self.exports.contains(cast.to) {
            self.skip(Skipped::NotAnnounced { pid: cast.to });
            return Ok(None);
        }
        let event = Event::Cast(cast);
        if !takes_now(&event) {
            self.tell(event);
            return Ok(None);
        }
        let cost = std::mem::take(&mut self.arriving);
        self.give_back(cost);
        Ok(Some(event))
    }

    fn on_message(&mut self, now: Instant, message: NetworkMessage) -> Result<(), SessionError> {
        use network_message::Message;
        match message.message {
            Some(Message::Node(node::NodeMessage { msg: Some(msg) })) => {
                self.take_of_window(cost_of(&msg))?;
                self.on_node(msg);
            }
            Some(Message::Control(control::ControlMessage { msg: Some(msg) })) => {
                self.on_control(now, msg)?;
            }
            Some(Message::Native(native::NativeMessage { msg: Some(msg) })) => {
                self.on_native(now, msg)?;
            }
            _ => self.skip(Skipped::Unexpected),
        }
        Ok(())
    }

    /// The peer broke a rule: it is told which, and that is the last.
    pub(super) fn give_up(&mut self, error: &SessionError) {
        let detail = error.to_string();
        self.farewell = self.words_of_farewell(GoodbyeReason::Protocol, &detail);
        self.close();
    }

    pub(super) fn on_node(&mut self, msg: node_message::Msg) {
        match msg {
            node_message::Msg::Cast(cast) => self.on_cast(cast),
            node_message::Msg::Call(call) => self.on_call(call),
            node_message::Msg::Reply(reply) => self.on_reply(reply),
        }
    }

    fn on_control(&mut self, now: Instant, msg: control_message::Msg) -> Result<(), SessionError> {
        use control_message::Msg;
        match msg {
            Msg::Spawn(spawn) => self.on_spawn(spawn)?,
            Msg::Terminate(terminate) => self.on_terminate(now, terminate),
            Msg::Ping(ping) => self.on_ping(ping),
            Msg::Pong(pong) => self.on_pong(now, pong),
            Msg::PgJoin(join) => self.on_join(join)?,
            Msg::PgLeave(leave) => self.on_leave(leave)?,
            Msg::EnumerateNodeSessions(asker) => {
                self.tell(Event::SessionsRequested(asker));
            }
            Msg::NodeSessions(list) => {
                self.tell(Event::SessionsListed(list.sessions));
            }
            Msg::Ready(_) => {
                if !std::mem::replace(&mut self.peer_ready, true) {
                    self.check_ready();
                }
            }
        }
        Ok(())
    }

    /// Only actors that were announced to this peer can be addressed: others are not remotable, or not its business.
    fn on_cast(&mut self, cast: node::Cast) {
        if self.exports.contains(cast.to) {
            self.tell(Event::Cast(cast));
        } else {
            self.skip(Skipped::NotAnnounced { pid: cast.to });
        }
    }

    fn on_call(&mut self, call: node::Call) {
        let pid = call.to;
        if !self.exports.contains(pid) {
            self.refuse_call(pid, call.tag, CallErrorCode::UnknownActor);
            return self.skip(Skipped::NotAnnounced { pid });
        }
        if self.exports.open_calls() >= self.config.max_open_calls {
            self.refuse_call(pid, call.tag, CallErrorCode::Overloaded);
            return self.skip(Skipped::Overloaded { pid });
        }
        self.exports.open_call(pid);
        self.tell(Event::Call(InboundCall {
            to: pid,
            tag: call.tag,
            timeout: call
                .timeout_ms
                .map(Duration::from_millis)
                .filter(|timeout| *timeout < FOREVER),
            variant: call.variant,
            what: call.what,
            metadata: call.metadata,
        }));
    }

    fn on_reply(&mut self, reply: node::CallReply) {
        let (pid, tag, what) = (reply.to, reply.tag, reply.what);
        match self.calls.answered(pid, tag, &mut self.timers) {
            Some(call) => self.tell(Event::Reply { call, what }),
            None => self.skip(Skipped::UnknownReply { pid, tag }),
        }
        self.forget_callee(pid);
    }

    /// Forgets the numbering of calls to an actor that is gone, once none is open.
    pub(super) fn forget_callee(&mut self, pid: u64) {
        if !self.directory.contains(pid) {
            self.calls.forget_if_idle(pid);
        }
    }

    fn on_spawn(&mut self, spawn: control::Spawn) -> Result<(), SessionError> {
        let mut spawned = Vec::new();
        for actor in spawn.actors {
            if self.directory.add(&actor)? {
                spawned.push(actor);
            }
        }
        if !spawned.is_empty() {
            self.tell(Event::Spawned(spawned));
        }
        Ok(())
    }

    fn on_terminate(&mut self, now: Instant, terminate: control::Terminate) {
        let grace = now + self.config.reply_grace;
        let mut gone = terminate.ids;
        gone.retain(|&pid| self.directory.remove(pid));
        gone.iter().for_each(|&pid| self.callees.remove(pid));
        for &pid in &gone {
            self.calls.callee_terminated(pid, grace, &mut self.timers);
            if self.monitors.remove_remote(pid) {
                // A native peer has told before, unless it does not know itself.
                let (kind, reason) = (ExitKind::Unknown, None);
                self.tell(Event::Exited { pid, kind, reason });
            }
        }
        if !gone.is_empty() {
            self.tell(Event::Terminated(gone));
        }
    }

    fn on_join(&mut self, join: control::PgJoin) -> Result<(), SessionError> {
        let (scope, group) = (join.scope, join.group);
        let Joined { actors, left_out } = self.directory.join(&scope, &group, join.actors)?;
        if !(actors.is_empty() && left_out.is_empty()) {
            self.tell(Event::Joined {
                scope,
                group,
                actors,
                left_out,
            });
        }
        Ok(())
    }

    fn on_leave(&mut self, leave: control::PgLeave) -> Result<(), SessionError> {
        let (scope, group) = (leave.scope, leave.group);
        let pids = self.directory.leave(&scope, &group, &leave.actors)?;
        if !pids.is_empty() {
            self.tell(Event::Left { scope, group, pids });
        }
        Ok(())
    }

    /// Echoes the timestamp bit for bit, also none: a peer computes the round trip from it, and some panic on any
    /// other.
    fn on_ping(&mut self, ping: control::Ping) {
        let timestamp = ping.timestamp;
        self.transmit(control::Pong { timestamp });
    }

    fn on_pong(&mut self, now: Instant, pong: control::Pong) {
        if let Some(timestamp) = pong.timestamp {
            self.lanes.flow().ponged(timestamp);
        }
        match self.liveness.pong(now, pong.timestamp) {
            Some(round_trip) => self.tell(Event::Pong { round_trip }),
            None => self.skip(Skipped::OddPong),
        }
    }

    pub(super) fn skip(&mut self, why: Skipped) {
        self.tell(Event::Skipped(why));
    }
}
