use std::{io, sync::Arc};

use ractor::{ActorCell, message::SerializedMessage, pg};
use shiome_handshake::MAX_NAME_LEN;
use shiome_session::{
    CallErrorCode, Event, ExitKind, InboundCall, Verb,
    wire::{auth::NameMessage, control::Actor, node},
};
use shiome_transport::EventSink;
use tokio::{sync::oneshot, task::JoinSet, time::timeout};
use tracing::{debug, trace, warn};

use super::{Shared, replies::Replies};
use crate::{
    exposure::{self, Delivery, Refusal},
    node::{NodeConnectionMode, NodeServerMessage, Opened},
    outcome::{ConnectError, Outcome},
    remote::Down,
    remote_actor::Caller,
};

/// Peers of peers that are dialled at a time.
const MAX_TRANSITIVE_DIALS: usize = 64;

/// Acts on what the peer says: gives messages to local actors, keeps shims and groups.
///
/// Runs in the link's task, so that what the peer says takes effect in the order in which it is said.
pub(super) struct Inbound {
    shared: Arc<Shared>,
    /// Calls from the peer that wait for a local actor. They end with the link.
    calls: JoinSet<()>,
    replies: Arc<Replies>,
    outcome: Outcome,
    /// Hears of the ends of local actors.
    exporter: ActorCell,
}

impl EventSink<Caller> for Inbound {
    async fn handle(&mut self, event: Event<Caller>) {
        match event {
            Event::Cast(cast) => self.cast_in(cast),
            Event::Call(call) => self.call_in(call),
            event @ (Event::Reply { .. } | Event::CallEnded { .. }) => self.shared.left_over(event),
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
            } => self.joined(scope, group, actors).await,
            Event::Left { scope, group, pids } => self.left(scope, group, &pids),
            Event::SessionsRequested(asker) => self.list_sessions(&asker),
            Event::SessionsListed(sessions) => self.sessions_listed(sessions),
            Event::Ready => self.ready(),
            Event::Pong { round_trip } => {
                trace!(?round_trip, "pong");
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
            Event::Skipped(why) => debug!(?why, "message of the peer skipped"),
            Event::NameUntold { len } => warn!(len, "local name too long to be told"),
            // What a later session may say that this bridge does not know: contents are never logged.
            _ => debug!("event without effect"),
        }
    }
}

impl Inbound {
    pub(super) fn new(shared: Arc<Shared>, exporter: ActorCell, outcome: Outcome) -> Self {
        Self {
            shared,
            calls: JoinSet::new(),
            replies: Arc::default(),
            outcome,
            exporter,
        }
    }

    fn call_in(&mut self, call: InboundCall) {
        while self.calls.try_join_next().is_some() {}
        let (to, tag, limit) = (call.to, call.tag, call.timeout);
        let (port, reply) = oneshot::channel();
        let peer = Arc::clone(&self.shared.peer);
        let refuse = |code| peer.apply(|session, now| session.drop_call(now, to, tag, code));
        if self.replies.are_too_many() {
            return refuse(CallErrorCode::Overloaded);
        }
        let message = SerializedMessage::Call {
            variant: call.variant,
            args: call.what.into(),
            reply: match limit {
                Some(limit) => (port, limit).into(),
                None => port.into(),
            },
            metadata: call.metadata.map(Into::into),
        };
        if let Some(code) = undelivered(self.deliver(to, message)) {
            return refuse(code);
        }
        let replies = Arc::clone(&self.replies);
        self.calls.spawn(async move {
            let what = match limit {
                Some(limit) => timeout(limit, reply).await.ok().and_then(Result::ok),
                None => reply.await.ok(),
            };
            let answered = match what {
                Some(what) => replies.send(&peer, to, tag, what).await,
                None => Err(CallErrorCode::NoReply),
            };
            if let Err(code) = answered {
                peer.apply(|session, now| session.drop_call(now, to, tag, code));
            }
        });
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
        for actor in actors {
            if !self.shared.shims.has_room() {
                return;
            }
            self.shared.shims.get_or_spawn(actor.pid).await;
        }
    }

    async fn joined(&self, scope: String, group: String, actors: Vec<Actor>) {
        let mut members = Vec::with_capacity(actors.len());
        for actor in actors {
            self.shared.shims.settle().await;
            members.extend(self.shared.shims.get_or_spawn(actor.pid).await);
        }
        pg::join_scoped(scope, group, members);
    }

    fn left(&self, scope: String, group: String, pids: &[u64]) {
        let shims = pids.iter().filter_map(|&pid| self.shared.shims.get(pid));
        let members: Vec<ActorCell> = shims.collect();
        pg::leave_scoped(scope, group, members);
    }

    /// Tells the peer of the others, but not of itself.
    fn list_sessions(&self, asker: &NameMessage) {
        let sessions = self.shared.registry.authenticated();
        let names = sessions
            .into_iter()
            .filter_map(|session| session.public_name());
        let others = names.filter(|name| {
            name.name != asker.name && name.connection_string != asker.connection_string
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
        let id = self.shared.myself.get_id();
        let _ = self
            .shared
            .server
            .cast(NodeServerMessage::ConnectionReady(id));
        if let Some(record) = self.shared.registry.get(id) {
            self.outcome.settle(Ok(record.information().into()));
        }
    }

    fn cast_in(&self, cast: node::Cast) {
        let message = SerializedMessage::Cast {
            variant: cast.variant,
            args: cast.what.into(),
            metadata: cast.metadata.map(Into::into),
        };
        self.deliver(cast.to, message);
    }

    /// Puts a message into a local actor's mailbox, if the peer may.
    fn deliver(&self, pid: u64, message: SerializedMessage) -> Delivery {
        match self.shared.peer_info() {
            Some(peer) => self.shared.exposure.deliver(peer, pid, message),
            None => Delivery::Refused(Refusal::NotAllowed),
        }
    }
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
