use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use prost::Message as _;
use shiome_wire::{
    auth::NameMessage,
    control::{self, Actor, control_message},
    meta::NetworkMessage,
    node,
};

use crate::{
    calls::Calls,
    config::Config,
    directory::Directory,
    error::SendError,
    event::{CallEnd, Event},
    exports::{Exports, Termination},
    liveness::Liveness,
    timer::{Timer, Timers},
};

mod inbound;

/// Actors in one announcement or group message, to keep each frame far below every limit: with names of
/// [`MAX_NAME_LEN`](crate::MAX_NAME_LEN) it stays below 5 MiB.
const ACTORS_PER_MESSAGE: usize = 1024;

/// The books of one authenticated link. How to drive it stands in the [crate's documentation](crate).
///
/// ```text
///             start               synced                 peer's Ready
///   (new) ───────────► Syncing ───────────► Synced ─────────────────────► Ready
///                         │                   │     (either order)          │
///                         └───────────────────┴─────────────┬───────────────┘
///                                                      close ▼
///                                                         Closed
/// ```
///
/// Messages pass in both directions from `start` on; `Ready` only tells that both sides have sent what they had.
#[derive(Debug)]
pub struct Session<C> {
    config: Config,
    exports: Exports,
    directory: Directory,
    calls: Calls<C>,
    liveness: Liveness,
    timers: Timers,
    local_ready: bool,
    peer_ready: bool,
    closed: bool,
    transmits: VecDeque<NetworkMessage>,
    events: VecDeque<Event<C>>,
}

impl<C> Session<C> {
    /// A session that begins at `now`. `seed` spreads the pings and need not be secret.
    pub fn new(now: Instant, config: Config, seed: u64) -> Self {
        Self {
            exports: Exports::default(),
            directory: Directory::new(&config),
            calls: Calls::default(),
            liveness: Liveness::new(now, config.ping_interval.clone(), seed),
            timers: Timers::default(),
            local_ready: false,
            peer_ready: false,
            closed: false,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
            config,
        }
    }

    /// Starts to ping, and with `ask_peers_as`, the own name, asks for the nodes that the peer is connected to.
    pub fn start(&mut self, now: Instant, ask_peers_as: Option<NameMessage>) {
        self.ping(now);
        if let Some(name) = ask_peers_as {
            self.transmit(control_message::Msg::EnumerateNodeSessions(name));
        }
    }

    /// Lets the peer address these local actors. Those already announced are left out.
    pub fn announce(&mut self, actors: impl IntoIterator<Item = Actor>) {
        let fresh: Vec<_> = actors
            .into_iter()
            .filter(|actor| self.exports.announce(actor.pid))
            .collect();
        for actors in chunks(fresh) {
            self.transmit(control::Spawn { actors });
        }
    }

    /// Tells that the initial announcements are complete. Once is enough.
    pub fn synced(&mut self) {
        if !std::mem::replace(&mut self.local_ready, true) {
            self.transmit(control::Ready {});
            self.check_ready();
        }
    }

    /// Whether both sides have sent their initial state.
    pub fn is_ready(&self) -> bool {
        self.local_ready && self.peer_ready
    }

    /// Tells that a local actor is gone, after its replies: while calls to it are open the news is held, for
    /// [`Config::terminate_hold`] at most. Nothing is delivered to it from here on.
    pub fn terminate(&mut self, now: Instant, pid: u64) {
        let until = now + self.config.terminate_hold;
        match self.exports.terminate(pid, until) {
            Termination::Untold => {}
            Termination::Tell => self.transmit(control::Terminate { ids: vec![pid] }),
            Termination::Hold => self.timers.set(until, Timer::Release { pid }),
        }
    }

    /// Tells that local actors joined a group, and announces those that were not.
    pub fn join(&mut self, scope: &str, group: &str, actors: Vec<Actor>) {
        self.announce(actors.iter().cloned());
        for actors in chunks(actors) {
            self.transmit(control::PgJoin {
                group: group.to_owned(),
                actors,
                scope: scope.to_owned(),
            });
        }
    }

    /// Tells that local actors left a group.
    pub fn leave(&mut self, scope: &str, group: &str, actors: Vec<Actor>) {
        for actors in chunks(actors) {
            self.transmit(control::PgLeave {
                group: group.to_owned(),
                actors,
                scope: scope.to_owned(),
            });
        }
    }

    /// Answers [`Event::SessionsRequested`].
    pub fn list_sessions(&mut self, sessions: Vec<NameMessage>) {
        self.transmit(control::NodeSessions { sessions });
    }

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

    /// Sends a message that expects a reply. `call` comes back with it, in [`Event::Reply`] or
    /// [`Event::CallEnded`]. `message.tag` is set here. Without `timeout` [`Config::default_call_timeout`] holds.
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
        let timeout = timeout.or(self.config.default_call_timeout);
        message.tag = self.calls.next_tag(pid);
        message.timeout_ms = timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        let message = NetworkMessage::from(message);
        self.check_len(&message)?;
        // A timeout beyond what an `Instant` can hold is none.
        let deadline = timeout.and_then(|t| now.checked_add(t));
        self.calls.open(pid, call, deadline, &mut self.timers);
        self.transmits.push_back(message);
        Ok(())
    }

    /// Answers an [`Event::Call`].
    ///
    /// # Errors
    ///
    /// [`SendError::TooLong`]: nothing is sent and the call is closed; the caller's timeout ends it there.
    pub fn reply(&mut self, to: u64, tag: u64, what: Bytes) -> Result<(), SendError> {
        let message = NetworkMessage::from(node::CallReply { to, tag, what });
        let fits = self.check_len(&message);
        if fits.is_ok() && !self.closed {
            self.transmits.push_back(message);
        }
        self.drop_call(to);
        fits
    }

    /// Closes an [`Event::Call`] to the local actor `to` that will not be answered. The protocol has no word for
    /// that; the caller's timeout ends it there.
    pub fn drop_call(&mut self, to: u64) {
        if !self.exports.close_call(to) {
            return;
        }
        if let Some(until) = self.exports.release_if_answered(to) {
            self.timers.cancel(until, Timer::Release { pid: to });
            self.transmit(control::Terminate { ids: vec![to] });
        }
    }

    /// Ends the session: nothing is sent any more and every open call ends with [`CallEnd::Closed`].
    pub fn close(&mut self) {
        self.closed = true;
        self.timers.clear();
        self.transmits.clear();
        let ended = self.calls.drain().map(|call| Event::CallEnded {
            call,
            why: CallEnd::Closed,
        });
        self.events.extend(ended);
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::Ping => self.ping(now),
                Timer::Call { pid, tag } => self.call_expired(pid, tag),
                Timer::Release { pid } => {
                    if self.exports.release(pid) {
                        self.transmit(control::Terminate { ids: vec![pid] });
                    }
                }
            }
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called, as long as nothing else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next message to send.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<NetworkMessage> {
        self.transmits.pop_front()
    }

    /// The next thing to act on.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event<C>> {
        self.events.pop_front()
    }

    /// Pid of the peer's actor that is registered under `name` there.
    pub fn remote_pid(&self, name: &str) -> Option<u64> {
        self.directory.pid_of(name)
    }

    /// Name that the peer's actor `pid` is registered under there.
    pub fn remote_name(&self, pid: u64) -> Option<&str> {
        self.directory.name_of(pid)
    }

    /// Pids of all actors that the peer has announced, in no particular order.
    pub fn remote_pids(&self) -> impl Iterator<Item = u64> {
        self.directory.pids()
    }

    /// Whether the peer may address the local actor `pid`.
    pub fn is_announced(&self, pid: u64) -> bool {
        self.exports.contains(pid)
    }

    fn ping(&mut self, now: Instant) {
        let timestamp = Some(self.liveness.ping(now));
        self.transmit(control::Ping { timestamp });
        let next = self.liveness.next_ping(now);
        self.timers.set(next, Timer::Ping);
    }

    fn call_expired(&mut self, pid: u64, tag: u64) {
        if let Some((call, why)) = self.calls.expired(pid, tag) {
            self.events.push_back(Event::CallEnded { call, why });
        }
        if !self.directory.contains(pid) {
            self.calls.forget_if_idle(pid);
        }
    }

    fn check_ready(&mut self) {
        if self.is_ready() {
            self.events.push_back(Event::Ready);
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

    fn transmit(&mut self, message: impl Into<NetworkMessage>) {
        if !self.closed {
            self.transmits.push_back(message.into());
        }
    }
}

/// Splits a list for messages of at most [`ACTORS_PER_MESSAGE`].
fn chunks(mut actors: Vec<Actor>) -> impl Iterator<Item = Vec<Actor>> {
    std::iter::from_fn(move || {
        if actors.is_empty() {
            return None;
        }
        let rest = actors.split_off(actors.len().min(ACTORS_PER_MESSAGE));
        Some(std::mem::replace(&mut actors, rest))
    })
}
