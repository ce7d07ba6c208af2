//! What belongs to one session, and ends with it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::AtomicBool};

use ractor::{ActorCell, ActorRef};
use shiome_handshake::Local;
use shiome_session::Event;
use shiome_transport::{Peer, PeerIdentity, Security};
use shiome_wire::auth::NameMessage;
use tokio::{
    runtime::Handle,
    sync::watch,
    time::{Instant, sleep_until},
};
use tracing::{debug, warn};

use super::{Channels, Ending, LeftOut, Monitored, NodeSessionMessage, Shims};
use crate::{
    NodeEvent, NodeId, PeerInfo, SessionInfo,
    events::Broadcast,
    exposure::Exposure,
    inspect::Meter,
    node::{
        Dialer, NodeConnectionMode, NodeServerMessage, Registry, reach::Reach, registry::Record,
    },
    overflow::{Losses, Overflow, Tell, Unsent},
    remote::{Down, NodeDown, Run, Watchers},
    remote_actor::Caller,
};

/// What a session's actor and its link's task share.
pub(crate) struct Shared {
    pub(crate) node_id: NodeId,
    pub(crate) local: Local,
    pub(crate) mode: NodeConnectionMode,
    pub(crate) myself: ActorRef<NodeSessionMessage>,
    pub(crate) server: ActorRef<NodeServerMessage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) registered: bool,
    pub(crate) dialer: Arc<Dialer>,
    pub(crate) exposure: Arc<Exposure>,
    pub(super) security: Security,
    pub(super) reach: Reach,
    pub(super) identity: Option<Arc<dyn PeerIdentity>>,
    /// What the policy is told of the peer, once that is authenticated.
    pub(super) peer_info: OnceLock<PeerInfo>,
    pub(crate) peer: Arc<Peer<Caller>>,
    pub(crate) shims: Shims,
    pub(crate) authenticated: AtomicBool,
    /// The run of the peer's node that this session is with, once that is proven.
    pub(crate) run: OnceLock<Arc<Run>>,
    pub(super) events: Broadcast,
    /// The session as events tell it, once it is authenticated.
    pub(super) info: OnceLock<SessionInfo>,
    /// Whether the peer has told its actors, or is down.
    pub(super) introduced: watch::Sender<bool>,
    pub(crate) watchers: Watchers,
    pub(super) monitored: Monitored,
    pub(crate) overflow: Overflow,
    pub(super) max_untaken: usize,
    pub(super) losses: Losses,
    pub(super) left_out: LeftOut,
    pub(super) channels: Channels,
    pub(crate) meter: Arc<Meter>,
    /// Why the session ends, once it does.
    pub(crate) ending: OnceLock<Ending>,
    /// Whether those who hear events may have been told of the end.
    pub(super) down_told: Mutex<bool>,
}

impl Shared {
    pub(crate) fn security(&self) -> Security {
        self.security
    }

    /// Whether something binds the peer to its name.
    pub(crate) fn is_bound(&self) -> bool {
        self.identity.is_some()
    }

    /// Ends the session. The first reason counts.
    pub(crate) fn end(&self, ending: Ending) {
        let why = ending.why.to_owned();
        let _ = self.ending.set(ending);
        self.myself.stop(Some(why));
    }

    /// Ends what is left open, whatever way the session ended, and tells all who watch. Again: nothing happens.
    pub(crate) fn over(self: &Arc<Self>) {
        self.settle();
        let ending = self.ending.get_or_init(Ending::closed);
        self.down(&ending.down);
    }

    /// Ends what is left open.
    pub(super) fn settle(self: &Arc<Self>) {
        self.peer.abandon(|event| self.left_over(event));
        self.end_channels();
    }

    /// Acts on what the link's task has not come to, as far as somebody waits for it.
    pub(super) fn left_over(self: &Arc<Self>, event: Event<Caller>) {
        match event {
            Event::Reply { call, what } => {
                self.meter.answered(call.age(Instant::now()));
                call.answer(what.into());
            }
            Event::CallEnded { call, why } => {
                self.meter.not_answered(why);
                call.end(why);
            }
            Event::Exited { pid, kind, reason } => {
                self.watchers.tell(pid, &Down::from_exit(kind, reason));
            }
            Event::Unsent {
                casts,
                calls,
                replies,
                bytes,
            } => self.lost(Unsent {
                casts: casts as u64,
                calls: calls as u64,
                replies: replies as u64,
                bytes: bytes as u64,
            }),
            _ => {}
        }
    }

    /// The peer has told its actors, and is in the know of this node's.
    pub(super) fn introduced(&self) {
        self.introduced.send_replace(true);
        self.watchers
            .begin_deferred(|pid| self.peer.apply(|session, _| session.monitor(pid)));
    }

    /// Waits until the peer has told its actors, or is down.
    pub(crate) async fn introduction(&self) {
        // The sender is in here.
        let _ = self.introduced.subscribe().wait_for(|done| *done).await;
    }

    /// The session is with that run of the peer's node; unless it has ended.
    pub(super) fn enter_run(self: &Arc<Self>, run: Arc<Run>) {
        self.registry.history().up(run.name());
        let _ = self.run.set(run);
        if let Some(why) = self.watchers.ended() {
            self.leave_run(&why);
        }
    }

    pub(super) fn leave_run(self: &Arc<Self>, why: &NodeDown) {
        if let Some(run) = self.run.get() {
            let link = Arc::downgrade(self);
            self.registry.link_down(run, &link, why.clone());
        }
    }

    /// Tells all who watch the peer or its actors that it is gone. The first reason counts.
    pub(super) fn down(self: &Arc<Self>, why: &NodeDown) {
        *self.down_told() = true;
        self.leave_run(why);
        let first = self.watchers.end(why);
        // The link's task may just have entered it.
        self.leave_run(why);
        if first && let Some(run) = self.run.get() {
            self.registry.history().down(run.name(), self, why);
            self.tell_losses();
            let reason = why.clone();
            self.tell(|session| NodeEvent::NodeDown { session, reason });
        }
        self.introduced.send_replace(true);
    }

    /// Counts messages that were not sent, and tells of them now and then.
    pub(crate) fn lost(self: &Arc<Self>, lost: Unsent) {
        self.meter.unsent(lost);
        match self.losses.count(Instant::now().into_std(), lost) {
            Tell::Now(unsent) => self.tell_unsent(unsent),
            Tell::At(due) => {
                let shared = Arc::downgrade(self);
                let telling = async move {
                    sleep_until(due.into()).await;
                    if let Some(shared) = shared.upgrade() {
                        shared.tell_losses();
                    }
                };
                // Without a runtime the session is ending, and that tells the rest.
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(telling);
                }
            }
            Tell::Scheduled => {}
        }
    }

    /// Tells what was lost and is not told.
    pub(super) fn tell_losses(&self) {
        if let Some(unsent) = self.losses.rest(Instant::now().into_std()) {
            self.tell_unsent(unsent);
        }
    }

    pub(super) fn tell_unsent(&self, unsent: Unsent) {
        warn!(node_id = self.node_id, ?unsent, "messages were not sent");
        self.tell(|session| NodeEvent::Unsent { session, unsent });
    }

    /// Counts actors of the peer that there was no room for in groups.
    pub(super) fn left_out(&self, count: usize) {
        if let Some(count) = self.left_out.count(count) {
            warn!(
                node_id = self.node_id,
                count, "actors of the peer left out of groups"
            );
            self.tell(|session| NodeEvent::MembersLeftOut { session, count });
        }
    }

    /// Tells what comes before the end, unless that is told already.
    pub(super) fn tell_before_down(&self, event: impl FnOnce(SessionInfo) -> NodeEvent) {
        // Held until it is told: another thread may be about to tell of the end.
        let down_told = self.down_told();
        if !*down_told {
            self.tell(event);
        }
    }

    fn down_told(&self) -> MutexGuard<'_, bool> {
        // It is right after any panic.
        self.down_told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, event: impl FnOnce(SessionInfo) -> NodeEvent) {
        if let Some(session) = self.info.get() {
            self.events.send(event(session.clone()));
        }
    }

    /// Asks the peer to stop an actor whose stand-in the program has stopped. A legacy peer lets it live.
    pub(super) fn shim_ended(&self, shim: &ActorCell, reason: Option<String>) {
        if !self.shims.forget(shim) {
            return;
        }
        let kill = reason.as_deref() == Some("killed");
        let reason = reason.filter(|_| !kill);
        let pid = shim.get_id().pid();
        let asked = self
            .peer
            .apply(|session, _| session.stop(pid, reason, kill));
        if let Err(error) = asked {
            debug!(pid, %error, "remote actor let go of, not stopped");
        }
    }

    /// Whether the peer has said anything since `then`.
    pub(crate) fn heard_since(&self, then: Instant) -> bool {
        let last = self.peer.apply(|session, _| session.last_heard());
        last >= then.into_std()
    }

    /// The authenticated peer, as the policy is told of it; `None` when the session has ended before anybody asked.
    pub(crate) fn peer_info(&self) -> Option<&PeerInfo> {
        if let Some(known) = self.peer_info.get() {
            return Some(known);
        }
        let record = self.registry.get(self.myself.get_id())?;
        let name = record.peer_name?.name;
        Some(self.peer_info.get_or_init(|| PeerInfo {
            name,
            is_bound: self.identity.is_some(),
            address: record.peer_addr,
            node_id: self.node_id,
            security: self.security,
        }))
    }

    /// What those who watch a stand-in are told when the session ends.
    pub(super) fn exit_reason(&self, ending: &Ending) -> String {
        let record = self.registry.get(self.myself.get_id());
        let peer = record.as_ref().map_or("a peer", Record::peer);
        format!("session with {peer} ended: {}", ending.down)
    }

    pub(crate) fn own_name(&self) -> NameMessage {
        NameMessage {
            name: self.local.name.clone(),
            flags: Some(shiome_wire::auth::NodeFlags {
                version: 1,
                ..Default::default()
            }),
            connection_string: self.local.connection_string.clone(),
            connection_id: 0,
        }
    }
}
