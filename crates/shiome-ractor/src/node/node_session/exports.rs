use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, SupervisionEvent,
    pg::{self, GroupChangeMessage},
    registry::{PidLifecycleEvent, get_all_pids, pid_registry},
};
use shiome_session::{ExitKind, wire::control};
use shiome_transport::Peer;

use super::Shared;
use crate::{PeerInfo, exposure::Reconsider, node::NodeConnectionMode, remote_actor::Caller};

/// Time after which an actor is told again whose end was told a moment ago, and is held back by its open calls.
const RETRY: Duration = Duration::from_millis(100);

/// Tells the peer of the local actors that are exposed to it, and of their groups.
///
/// An actor, because that is whom `ractor` tells of changes; so the snapshot and the changes after it are one sequence.
/// It starts the session when it starts, and ends with the link's task.
pub(super) struct Exporter;

/// What the peer has been told.
pub(super) struct Exports {
    shared: Arc<Shared>,
    myself: ActorRef<Reconsider>,
    /// For the policy.
    told: PeerInfo,
    /// Members that the peer knows of, by scope and group: a change can be in the snapshot already.
    groups: HashMap<(String, String), HashSet<u64>>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Exporter {
    type Msg = Reconsider;
    type State = Exports;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        myself: ActorRef<Reconsider>,
        shared: Arc<Shared>,
    ) -> Result<Exports, ActorProcessingErr> {
        let told = shared.peer_info().cloned();
        let mut exports = Exports {
            told: told.ok_or("the session has ended")?,
            shared,
            myself,
            groups: HashMap::new(),
        };
        exports.begin();
        Ok(exports)
    }

    async fn handle(
        &self,
        _myself: ActorRef<Reconsider>,
        Reconsider(actor): Reconsider,
        exports: &mut Exports,
    ) -> Result<(), ActorProcessingErr> {
        if exports.is_visible(&actor) {
            exports.show(actor);
        } else {
            exports.hide(&actor);
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Reconsider>,
        event: SupervisionEvent,
        exports: &mut Exports,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::PidLifecycleEvent(event) => exports.on_pid(event),
            SupervisionEvent::ProcessGroupChanged(change) => exports.on_group(change),
            SupervisionEvent::ActorTerminated(actor, _, reason) => {
                let kind = match reason.as_deref() {
                    // What `ractor` tells of an actor that was killed.
                    Some("killed") => ExitKind::Killed,
                    _ => ExitKind::Stopped,
                };
                exports.on_exit(&actor, kind, reason);
            }
            SupervisionEvent::ActorFailed(actor, error) => {
                exports.on_exit(&actor, ExitKind::Failed, Some(error.to_string()));
            }
            _ => {}
        }
        Ok(())
    }
}

impl Exports {
    /// Starts the session, sends the snapshot, and subscribes to the changes.
    fn begin(&mut self) {
        let shared = Arc::clone(&self.shared);
        let myself = self.myself.get_cell();
        let ask_as = (shared.mode == NodeConnectionMode::Transitive).then(|| shared.own_name());
        self.peer().apply(|session, now| session.start(now, ask_as));
        shared.exposure.watch(self.myself.clone());
        pid_registry::monitor(myself.clone());
        let actors = get_all_pids();
        let visible = actors.iter().filter(|actor| self.is_visible(actor));
        // The policy is asked before the session is locked.
        let visible: Vec<_> = visible.map(to_wire).collect();
        self.peer().apply(|session, _| session.announce(visible));
        pg::monitor_scope(pg::ALL_SCOPES_NOTIFICATION.to_owned(), myself);
        for key in pg::which_scopes_and_groups() {
            let (scope, group) = (key.get_scope(), key.get_group());
            let members = pg::get_scoped_local_members(&scope, &group);
            self.join(scope, group, &members);
        }
        self.peer().apply(|session, _| session.synced());
    }

    fn on_pid(&self, event: PidLifecycleEvent) {
        match event {
            PidLifecycleEvent::Spawn(actor) if self.is_visible(&actor) => {
                self.peer()
                    .apply(|session, _| session.announce([to_wire(&actor)]));
            }
            PidLifecycleEvent::Spawn(_) => {}
            PidLifecycleEvent::Terminate(actor) => {
                let pid = actor.get_id().pid();
                // The reason is not there yet, and goes first.
                if !self.shared.monitored.is_ending(pid) {
                    self.terminate(pid);
                }
            }
        }
    }

    fn terminate(&self, pid: u64) {
        self.peer()
            .apply(|session, now| session.terminate(now, pid));
    }

    fn on_exit(&self, actor: &ActorCell, kind: ExitKind, reason: Option<String>) {
        let pid = actor.get_id().pid();
        if let Some(kept_back) = self.shared.monitored.ended(pid) {
            self.peer()
                .apply(|session, _| session.exited(pid, kind, reason));
            if kept_back {
                self.terminate(pid);
            }
        }
    }

    fn on_group(&mut self, change: GroupChangeMessage) {
        match change {
            GroupChangeMessage::Join(scope, group, actors) => self.join(scope, group, &actors),
            GroupChangeMessage::Leave(scope, group, actors) => self.leave(scope, group, &actors),
        }
    }

    /// Tells of an actor, and of the groups that it is in.
    fn show(&mut self, actor: ActorCell) {
        let pid = actor.get_id().pid();
        if self.peer().apply(|session, _| session.is_announced(pid)) {
            return;
        }
        let announced = self.peer().apply(|session, _| {
            session.announce([to_wire(&actor)]);
            session.is_announced(pid)
        });
        if !announced {
            self.myself.send_after(RETRY, || Reconsider(actor));
            return;
        }
        for key in pg::which_scopes_and_groups() {
            let (scope, group) = (key.get_scope(), key.get_group());
            let members = pg::get_scoped_local_members(&scope, &group);
            if members
                .iter()
                .any(|member| member.get_id() == actor.get_id())
            {
                self.join(scope, group, std::slice::from_ref(&actor));
            }
        }
    }

    /// Takes back what was told of an actor.
    fn hide(&mut self, actor: &ActorCell) {
        let pid = actor.get_id().pid();
        let of_actor = self.groups.iter().filter(|(_, pids)| pids.contains(&pid));
        let of_actor: Vec<_> = of_actor.map(|(key, _)| key.clone()).collect();
        for (scope, group) in of_actor {
            self.leave(scope, group, std::slice::from_ref(actor));
        }
        self.terminate(pid);
    }

    fn is_visible(&self, actor: &ActorCell) -> bool {
        self.shared.exposure.is_visible(&self.told, actor)
    }

    fn peer(&self) -> &Peer<Caller> {
        &self.shared.peer
    }

    fn join(&mut self, scope: String, group: String, actors: &[ActorCell]) {
        let candidates: Vec<_> = actors.iter().filter(|a| self.is_visible(a)).collect();
        if candidates.is_empty() {
            return;
        }
        let members = self
            .groups
            .entry((scope.clone(), group.clone()))
            .or_default();
        let fresh: Vec<_> = candidates
            .into_iter()
            .filter(|actor| members.insert(actor.get_id().pid()))
            .map(to_wire)
            .collect();
        self.peer()
            .apply(|session, _| session.join(&scope, &group, fresh));
    }

    fn leave(&mut self, scope: String, group: String, actors: &[ActorCell]) {
        let key = (scope, group);
        let Some(members) = self.groups.get_mut(&key) else {
            return;
        };
        let left: Vec<_> = actors
            .iter()
            .filter(|actor| actor.get_id().is_local() && members.remove(&actor.get_id().pid()))
            .map(to_wire)
            .collect();
        if members.is_empty() {
            self.groups.remove(&key);
        }
        self.peer()
            .apply(|session, _| session.leave(&key.0, &key.1, left));
    }
}

impl Drop for Exports {
    fn drop(&mut self) {
        self.shared.exposure.unwatch(self.myself.get_id());
        self.shared.monitored.clear(&self.myself.get_cell());
    }
}

fn to_wire(actor: impl std::borrow::Borrow<ActorCell>) -> control::Actor {
    let actor = actor.borrow();
    control::Actor {
        pid: actor.get_id().pid(),
        name: actor.get_name(),
    }
}
