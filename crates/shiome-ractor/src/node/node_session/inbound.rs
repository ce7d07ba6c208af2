use std::{convert::Infallible, future::poll_fn, io, sync::Arc, task::Poll};

use bytes::Bytes;
use ractor::{ActorCell, message::SerializedMessage, pg};
use shiome_handshake::MAX_NAME_LEN;
use shiome_session::{
    CallErrorCode, Event, ExitKind, InboundCall, Verb,
    wire::{
        Capabilities,
        auth::NameMessage,
        control::Actor,
        node,
        trace::{TraceContext, unwrap},
    },
};
use shiome_transport::EventSink;
use tokio::{sync::oneshot, time::Instant};
use tracing::{debug, warn};

use super::{Shared, mailboxes::Mailboxes, replies::Replies};
use crate::{
    NodeEvent,
    exposure::{self, Delivery, Refusal, Targets},
    inspect::DropReason,
    node::{NodeConnectionMode, NodeServerMessage, Opened},
    outcome::{ConnectError, Outcome},
    remote::Down,
    remote_actor::Caller,
    trace,
};

/// Peers of peers that are dialled at a time.
const MAX_TRANSITIVE_DIALS: usize = 64;

/// Acts on what the peer says: gives messages to local actors, keeps shims and groups.
///
/// Runs in the link's task, so that what the peer says takes effect in the order in which it is said.
pub(super) struct Inbound {
    shared: Arc<Shared>,
    /// To calls from the peer. They end with the link.
    replies: Replies,
    /// Whom the peer has sent to.
    targets: Targets,
    mailboxes: Mailboxes,
    /// Whether the peer wraps metadata.
    wraps: bool,
    outcome: Outcome,
    /// Hears of the ends of local actors.
    exporter: ActorCell,
    /// The time, once it was looked at since this waited for something.
    now: Option<Instant>,
}

impl EventSink<Caller> for Inbound {
    fn is_quick(event: &Event<Caller>) -> bool {
        event.is_between_actors()
    }

    fn handle_now(&mut self, event: Event<Caller>) {
        match event {
            Event::Cast(cast) => self.cast_in(cast),
            Event::Call(call) => self.call_in(call),
            Event::Reply { call, what } => {
                let age = call.age(self.now());
                self.shared.meter.answered(age);
                call.answer(what.into());
            }
            event => self.shared.left_over(event),
        }
    }

    async fn handle(&mut self, event: Event<Caller>) {
        self.now = None;
        match event {
            Event::Spawned(actors) => self.spawned(actors).await,
            Event::Terminated(pids) => {
                for pid in pids {
                    self.shared.shims.stop(pid, "remote");
                }
            }
            Event::Joined {
                scope,
                group,
                actors,
                left_out,
            } => {
                self.shared.left_out(left_out.len());
                self.joined(scope, group, actors).await;
            }
            Event::Left { scope, group, pids } => self.left(scope, group, &pids),
            Event::SessionsRequested(asker) => self.list_sessions(&asker),
            Event::SessionsListed(sessions) => self.sessions_listed(sessions),
            Event::Ready => self.ready(),
            Event::Pong { round_trip } => {
                tracing::trace!(?round_trip, "pong");
                self.shared.meter.pong(round_trip);
                self.shared.registry.heard();
            }
            Event::StopRequested { pid, reason, kill } => self.stop_requested(pid, reason, kill),
            Event::MonitorRequested { pid } => self.monitor_requested(pid),
            Event::DemonitorRequested { pid } => self.demonitor_requested(pid),
            Event::Exited { pid, kind, reason } => self.exited(pid, kind, reason),
            Event::Refused { pid, verb } => self.refused(pid, verb),
            event @ Event::Unsent { .. } => self.shared.left_over(event),
            Event::ChannelUp {
                channel,
                max_message_len,
            } => self.shared.channel_up(channel, max_message_len),
            Event::ChannelDown { channel } => self.shared.channel_down(channel),
            Event::ChannelMessage {
                channel,
                data,
                cost,
            } => self.shared.channel_message(channel, data, cost),
            Event::ChannelRoom { channel } => self.shared.channel_room(channel),
            Event::Skipped(why) => {
                self.shared.meter.dropped(DropReason::of(why));
                debug!(?why, "message of the peer skipped");
            }
            Event::NameUntold { len } => warn!(len, "local name too long to be told"),
            // What a later session may say that this bridge does not know: contents are never logged.
            _ => debug!("event without effect"),
        }
    }

    async fn attend(&mut self) -> Infallible {
        poll_fn(|cx| {
            self.now = None;
            self.replies.poll(cx);
            self.mailboxes.poll(cx);
            Poll::Pending
        })
        .await
    }
}

impl Inbound {
    pub(super) fn new(shared: Arc<Shared>, exporter: ActorCell, outcome: Outcome) -> Self {
        let wraps = shared.peer.apply(|session, _| {
            let terms = session.terms();
            terms.is_some_and(|terms| terms.capabilities.contains(Capabilities::TRACE_CONTEXT))
        });
        Self {
            wraps,
            replies: Replies::new(Arc::clone(&shared.peer)),
            mailboxes: Mailboxes::new(Arc::clone(&shared.peer), shared.max_untaken),
            shared,
            targets: Targets::default(),
            outcome,
            exporter,
            now: None,
        }
    }

    /// About now. The clock is not looked at for each of the messages that come together.
    fn now(&mut self) -> Instant {
        *self.now.get_or_insert_with(Instant::now)
    }

    fn call_in(&mut self, call: InboundCall) {
        let (to, tag, limit) = (call.to, call.tag, call.timeout);
        if self.replies.are_too_many() {
            self.shared.meter.dropped(DropReason::Overloaded);
            return self.drop_call(to, tag, CallErrorCode::Overloaded);
        }
        let (context, metadata) = self.unpack(call.metadata);
        let span = trace::handle_call(self.peer(), to, &call.variant, context.as_ref());
        let len = len_of(&call.what, metadata.as_ref());
        let (port, reply) = oneshot::channel();
        let message = SerializedMessage::Call {
            variant: call.variant,
            args: call.what.into(),
            reply: match limit {
                Some(limit) => (port, limit).into(),
                None => port.into(),
            },
            metadata: metadata.map(Into::into),
        };
        match undelivered(span.in_scope(|| self.deliver(to, message))) {
            None => {
                let deadline = limit.and_then(|limit| self.now().checked_add(limit));
                self.replies.expect(to, tag, deadline, reply, span);
                self.mailboxes.delivered(to, len);
            }
            Some(code) => {
                trace::failed(&span, "undelivered", &format_args!("{code:?}"));
                self.drop_call(to, tag, code);
            }
        }
    }

    fn drop_call(&self, to: u64, tag: u64, code: CallErrorCode) {
        let peer = &self.shared.peer;
        peer.apply(|session, now| session.drop_call(now, to, tag, code));
    }

    fn stop_requested(&self, pid: u64, reason: Option<String>, kill: bool) {
        match self.target(pid, exposure::Verb::Stop) {
            Ok(actor) if kill => actor.kill(),
            Ok(actor) => actor.stop(reason),
            // The news of its end is on its way.
            Err(Refusal::Gone) => debug!(pid, "stop of an actor that is gone"),
            Err(Refusal::NotAllowed) => self.refuse(pid, Verb::Stop),
        }
    }

    fn monitor_requested(&self, pid: u64) {
        match self.target(pid, exposure::Verb::Monitor) {
            Ok(_) if self.shared.monitored.begin(&self.exporter, pid) => {}
            Ok(_) | Err(Refusal::Gone) => {
                let unknown = ExitKind::UnknownActor;
                let peer = &self.shared.peer;
                peer.apply(|session, _| session.exited(pid, unknown, None));
            }
            Err(Refusal::NotAllowed) => self.refuse(pid, Verb::Monitor),
        }
    }

    fn target(&self, pid: u64, verb: exposure::Verb) -> Result<ActorCell, Refusal> {
        let peer = self.shared.peer_info().ok_or(Refusal::NotAllowed)?;
        self.shared.exposure.target(peer, pid, verb)
    }

    fn refuse(&self, pid: u64, verb: Verb) {
        self.shared
            .peer
            .apply(|session, _| session.refuse(pid, verb));
    }

    fn demonitor_requested(&self, pid: u64) {
        let shared = &self.shared;
        if shared.monitored.end(&self.exporter, pid) {
            shared
                .peer
                .apply(|session, now| session.terminate(now, pid));
        }
    }

    fn exited(&self, pid: u64, kind: ExitKind, reason: Option<String>) {
        let down = Down::from_exit(kind, reason);
        self.shared.watchers.tell(pid, &down);
        if kind != ExitKind::UnknownActor {
            self.shared.shims.stop(pid, &down.to_string());
        }
    }

    fn refused(&self, pid: u64, verb: Verb) {
        match verb {
            Verb::Monitor => self.shared.watchers.tell(pid, &Down::NotAllowed),
            Verb::Stop => self.shared.watchers.tell_stop_refused(pid),
            _ => {}
        }
    }

    async fn spawned(&self, actors: Vec<Actor>) {
        let shims = &self.shared.shims;
        for actor in actors {
            if !shims.has_room() {
                return;
            }
            shims.get_or_spawn(actor.pid).await;
        }
    }

    async fn joined(&self, scope: String, group: String, actors: Vec<Actor>) {
        let shims = &self.shared.shims;
        shims.settle().await;
        let pids: Vec<_> = actors.into_iter().map(|actor| actor.pid).collect();
        let members = shims.get_or_spawn_all(&pids).await;
        pg::join_scoped(scope, group, members);
    }

    fn left(&self, scope: String, group: String, pids: &[u64]) {
        let shims = pids.iter().filter_map(|&pid| self.shared.shims.get(pid));
        let members: Vec<ActorCell> = shims.collect();
        pg::leave_scoped(scope, group, members);
    }

    /// Tells the peer of the others that have an address, but not of itself.
    fn list_sessions(&self, asker: &NameMessage) {
        let sessions = self.shared.registry.authenticated();
        let names = sessions
            .into_iter()
            .filter_map(|session| session.public_name());
        let others = names.filter(|name| {
            let address = &name.connection_string;
            !address.is_empty() && name.name != asker.name && *address != asker.connection_string
        });
        let others = others.collect();
        self.shared
            .peer
            .apply(|session, _| session.list_sessions(others));
    }

    fn sessions_listed(&self, sessions: Vec<NameMessage>) {
        if self.shared.mode == NodeConnectionMode::Transitive {
            // More than there can be sessions need not be looked at.
            let most = self.shared.registry.max_sessions();
            for session in sessions.into_iter().take(most) {
                self.dial_if_unknown(session);
            }
        }
    }

    fn dial_if_unknown(&self, node: NameMessage) {
        let NameMessage {
            name,
            connection_string: address,
            ..
        } = node;
        let (local, registry) = (&self.shared.local, &self.shared.registry);
        if name.len() > MAX_NAME_LEN
            || name == local.name
            || address == local.connection_string
            || registry.knows(&name, &address)
        {
            return;
        }
        let Some(target) = self
            .shared
            .dialer
            .address_of_peer(&address, self.shared.reach)
        else {
            return debug!("address of a peer's peer is not one to dial");
        };
        if !registry.begin_dial(&address, MAX_TRANSITIVE_DIALS) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        // In a task of its own: the session that told of the node need not outlive the dial.
        tokio::spawn(async move {
            let dialled = async {
                if !shared.reach.includes_all_of(&target).await {
                    return Err(io::Error::from(io::ErrorKind::AddrNotAvailable).into());
                }
                shared
                    .dialer
                    .dial(&target)
                    .await
                    .map_err(ConnectError::from)
            };
            match dialled.await {
                Ok(link) => {
                    let opened = Opened::dialled(link, target, Outcome::none());
                    let _ = shared.server.cast(opened.into_message(false));
                }
                Err(error) => shared.dialer.not_reached(&name, &address, &error),
            }
            shared.registry.end_dial(&address);
        });
    }

    fn ready(&mut self) {
        self.shared.introduced();
        self.shared.open_channels();
        self.shared.tell_before_down(NodeEvent::Ready);
        let id = self.shared.myself.get_id();
        let _ = self
            .shared
            .server
            .cast(NodeServerMessage::ConnectionReady(id));
        if let Some(record) = self.shared.registry.get(id) {
            self.outcome.settle(Ok(record.information().into()));
        }
    }

    fn cast_in(&mut self, cast: node::Cast) {
        let (context, metadata) = self.unpack(cast.metadata);
        let span = trace::handle_cast(self.peer(), cast.to, &cast.variant, context.as_ref());
        let len = len_of(&cast.what, metadata.as_ref());
        let message = SerializedMessage::Cast {
            variant: cast.variant,
            args: cast.what.into(),
            metadata: metadata.map(Into::into),
        };
        let delivery = span.in_scope(|| self.deliver(cast.to, message));
        match undelivered(delivery) {
            None => self.mailboxes.delivered(cast.to, len),
            Some(code) => trace::failed(&span, "undelivered", &format_args!("{code:?}")),
        }
    }

    /// The trace that a message of the peer is part of, and its metadata as the program of the peer has given it.
    fn unpack(&self, metadata: Option<Bytes>) -> (Option<TraceContext>, Option<Bytes>) {
        let Some(metadata) = metadata else {
            return (None, None);
        };
        if !self.wraps {
            return (None, Some(metadata));
        }
        let unwrapped = unwrap(metadata);
        if let Some(error) = unwrapped.error {
            self.shared.meter.malformed_trace();
            debug!(%error, "trace context of a message ignored");
        }
        (unwrapped.context, unwrapped.metadata)
    }

    /// Full name of the peer.
    fn peer(&self) -> &str {
        self.shared.run.get().map_or("", |run| run.name())
    }

    /// Puts a message into a local actor's mailbox, if the peer may.
    fn deliver(&mut self, pid: u64, message: SerializedMessage) -> Delivery {
        let delivery = match self.shared.peer_info() {
            Some(peer) => (self.shared.exposure).deliver(peer, &mut self.targets, pid, message),
            None => Delivery::Refused(Refusal::NotAllowed),
        };
        if let Some(reason) = dropped(delivery) {
            self.shared.meter.dropped(reason);
        }
        delivery
    }
}

/// Why a message was not delivered.
fn dropped(delivery: Delivery) -> Option<DropReason> {
    match delivery {
        Delivery::Delivered => None,
        Delivery::Undecodable => Some(DropReason::Undecodable),
        Delivery::Refused(Refusal::Gone) => Some(DropReason::ActorGone),
        Delivery::Refused(Refusal::NotAllowed) => Some(DropReason::Denied),
    }
}

/// Length of what a message carries.
fn len_of(what: &Bytes, metadata: Option<&Bytes>) -> usize {
    what.len() + metadata.map_or(0, Bytes::len)
}

/// What a caller is told of a message that was not delivered.
fn undelivered(delivery: Delivery) -> Option<CallErrorCode> {
    match delivery {
        Delivery::Delivered => None,
        Delivery::Undecodable => Some(CallErrorCode::Undecodable),
        Delivery::Refused(Refusal::Gone) => Some(CallErrorCode::UnknownActor),
        Delivery::Refused(Refusal::NotAllowed) => Some(CallErrorCode::NotAllowed),
    }
}
