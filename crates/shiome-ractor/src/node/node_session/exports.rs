use std::collections::{HashMap, HashSet};

use ractor::{
    ActorCell, ActorStatus,
    pg::{self, GroupChangeMessage},
    registry::{PidLifecycleEvent, get_all_pids, pid_registry},
};
use shiome_session::wire::control::Actor;
use shiome_transport::Peer;

use crate::remote_actor::ReplyPort;

/// Tells the peer of local actors that can be addressed from afar, and of their groups.
///
/// Runs in the session's actor, so that the snapshot and the changes that `ractor` reports after it are one sequence.
#[derive(Debug, Default)]
pub(super) struct Exports {
    begun: bool,
    /// Members that the peer knows of, by scope and group: a change can be in the snapshot already.
    groups: HashMap<(String, String), HashSet<u64>>,
}

impl Exports {
    /// Sends the snapshot, and subscribes to the changes.
    pub(super) fn begin(&mut self, peer: &Peer<ReplyPort>, myself: ActorCell) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        pid_registry::monitor(myself.clone());
        let actors = get_all_pids();
        peer.apply(|session, _| {
            session.announce(actors.iter().filter(|a| is_exported(a)).map(to_wire));
        });
        pg::monitor_scope(pg::ALL_SCOPES_NOTIFICATION.to_owned(), myself);
        for key in pg::which_scopes_and_groups() {
            let (scope, group) = (key.get_scope(), key.get_group());
            let members = pg::get_scoped_local_members(&scope, &group);
            self.join(peer, scope, group, &members);
        }
    }

    pub(super) fn on_pid(&mut self, peer: &Peer<ReplyPort>, event: PidLifecycleEvent) {
        match event {
            PidLifecycleEvent::Spawn(actor) if is_exported(&actor) => {
                peer.apply(|session, _| session.announce([to_wire(&actor)]));
            }
            PidLifecycleEvent::Spawn(_) => {}
            PidLifecycleEvent::Terminate(actor) => {
                peer.apply(|session, now| session.terminate(now, actor.get_id().pid()));
            }
        }
    }

    pub(super) fn on_group(&mut self, peer: &Peer<ReplyPort>, change: GroupChangeMessage) {
        match change {
            GroupChangeMessage::Join(scope, group, actors) => {
                self.join(peer, scope, group, &actors);
            }
            GroupChangeMessage::Leave(scope, group, actors) => {
                self.leave(peer, scope, group, &actors);
            }
        }
    }

    fn join(&mut self, peer: &Peer<ReplyPort>, scope: String, group: String, actors: &[ActorCell]) {
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
        peer.apply(|session, _| session.join(&scope, &group, fresh));
    }

    fn leave(
        &mut self,
        peer: &Peer<ReplyPort>,
        scope: String,
        group: String,
        actors: &[ActorCell],
    ) {
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
        peer.apply(|session, _| session.leave(&key.0, &key.1, left));
    }
}

/// Whether the peer may know of an actor: it is of this node, understands serialized messages, and is not ending. The
/// news of its end would have come before.
fn is_exported(actor: &ActorCell) -> bool {
    actor.get_id().is_local()
        && actor.supports_remoting()
        && actor.get_status() <= ActorStatus::Draining
}

fn to_wire(actor: impl std::borrow::Borrow<ActorCell>) -> Actor {
    let actor = actor.borrow();
    Actor {
        pid: actor.get_id().pid(),
        name: actor.get_name(),
    }
}
