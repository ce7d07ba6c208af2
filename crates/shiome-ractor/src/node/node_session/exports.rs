use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use ractor::{
    Actor, ActorCell, ActorProcessingErr, ActorRef, ActorStatus, SupervisionEvent,
    pg::{self, GroupChangeMessage},
    registry::{PidLifecycleEvent, get_all_pids, pid_registry},
};
use shiome_session::wire::control;
use shiome_transport::Peer;

use super::Shared;
use crate::{
    node::NodeConnectionMode,
    remote_actor::{Never, ReplyPort},
};

/// Tells the peer of local actors that can be addressed from afar, and of their groups.
///
/// An actor, because that is whom `ractor` tells of changes; so the snapshot and the changes after it are one sequence.
/// It starts the session when it starts, and ends with the link's task.
pub(super) struct Exporter;

/// What the peer has been told.
pub(super) struct Exports {
    shared: Arc<Shared>,
    /// Members that the peer knows of, by scope and group: a change can be in the snapshot already.
    groups: HashMap<(String, String), HashSet<u64>>,
}

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Exporter {
    type Msg = Never;
    type State = Exports;
    type Arguments = Arc<Shared>;

    async fn pre_start(
        &self,
        myself: ActorRef<Never>,
        shared: Arc<Shared>,
    ) -> Result<Exports, ActorProcessingErr> {
        let mut exports = Exports {
            shared,
            groups: HashMap::new(),
        };
        exports.begin(myself.get_cell());
        Ok(exports)
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Never>,
        event: SupervisionEvent,
        exports: &mut Exports,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::PidLifecycleEvent(event) => exports.on_pid(event),
            SupervisionEvent::ProcessGroupChanged(change) => exports.on_group(change),
            _ => {}
        }
        Ok(())
    }
}

impl Exports {
    /// Starts the session, sends the snapshot, and subscribes to the changes.
    fn begin(&mut self, myself: ActorCell) {
        let shared = Arc::clone(&self.shared);
        let ask_as = (shared.mode == NodeConnectionMode::Transitive).then(|| shared.own_name());
        self.peer().apply(|session, now| session.start(now, ask_as));
        pid_registry::monitor(myself.clone());
        let actors = get_all_pids();
        self.peer().apply(|session, _| {
            session.announce(actors.iter().filter(|a| is_exported(a)).map(to_wire));
        });
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
            PidLifecycleEvent::Spawn(actor) if is_exported(&actor) => {
                self.peer()
                    .apply(|session, _| session.announce([to_wire(&actor)]));
            }
            PidLifecycleEvent::Spawn(_) => {}
            PidLifecycleEvent::Terminate(actor) => {
                self.peer()
                    .apply(|session, now| session.terminate(now, actor.get_id().pid()));
            }
        }
    }

    fn on_group(&mut self, change: GroupChangeMessage) {
        match change {
            GroupChangeMessage::Join(scope, group, actors) => self.join(scope, group, &actors),
            GroupChangeMessage::Leave(scope, group, actors) => self.leave(scope, group, &actors),
        }
    }

    fn peer(&self) -> &Peer<ReplyPort> {
        &self.shared.peer
    }

    fn join(&mut self, scope: String, group: String, actors: &[ActorCell]) {
        let candidates: Vec<_> = actors.iter().filter(|a| is_exported(a)).collect();
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

/// Whether the peer may know of an actor: it is of this node, understands serialized messages, and is not ending. The
/// news of its end would have come before.
fn is_exported(actor: &ActorCell) -> bool {
    actor.get_id().is_local()
        && actor.supports_remoting()
        && actor.get_status() <= ActorStatus::Draining
}

fn to_wire(actor: impl std::borrow::Borrow<ActorCell>) -> control::Actor {
    let actor = actor.borrow();
    control::Actor {
        pid: actor.get_id().pid(),
        name: actor.get_name(),
    }
}
