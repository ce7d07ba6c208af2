//! Which local actors peers hear of, and what they may do to them.
//!
//! The set of exported actors is the node's, all its sessions share it. Each session's exporter is asked to
//! [`Reconsider`] an actor when it is exported or taken back: what its peer has been told follows from what holds then.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use ractor::{
    ActorCell, ActorId, ActorRef, ActorStatus, Message, message::SerializedMessage,
    registry::where_is_pid,
};
use thiserror::Error;
use tracing::{Span, debug};

mod decoder;
mod denials;
mod learned;
mod policy;
mod sweeper;
mod targets;

use decoder::{Decoder, decode_as};
use denials::Denials;
pub(crate) use learned::learn;
use policy::ask;
pub use policy::{DefaultPolicy, PeerInfo, Policy, TargetInfo, Verb};
pub(crate) use sweeper::Sweeper;
use targets::Target;
pub(crate) use targets::Targets;

/// Actors that are exported at a time. It is what a peer of ours lets a node announce.
pub const MAX_EXPORTS: usize = shiome_session::MAX_ANNOUNCED_ACTORS;

/// Which local actors are told to peers, with their groups, and can be addressed by them.
///
/// Never one whose messages cannot be serialized, and never one that the [`Policy`] hides from the peer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expose {
    /// All whose messages can be serialized. The default, as with `ractor_cluster`.
    #[default]
    Remotable,
    /// Those that were [exported](crate::Node::export), and no other.
    Explicit,
}

/// An actor cannot be exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It is an actor of another node.
    #[error("the actor is not of this node")]
    Remote,
    /// Its messages cannot be serialized.
    #[error("messages of the actor cannot be serialized")]
    NotRemotable,
    /// The reference is not of the type of the actor's messages.
    #[error("the actor takes messages of another type")]
    OtherType,
    /// It has ended.
    #[error("the actor has ended")]
    Ended,
    /// There are [`MAX_EXPORTS`] already.
    #[error("{MAX_EXPORTS} actors are exported already")]
    TooMany,
}

/// What became of a message from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// It is in the actor's mailbox. One for an actor that was not exported may still turn out to be undecodable: then
    /// the actor drops it.
    Delivered,
    /// The bytes are no message of the actor's.
    Undecodable,
    Refused(Refusal),
}

/// Why a peer may not do something to an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// There is no such actor, as far as the peer is concerned.
    Gone,
    /// The policy says no.
    NotAllowed,
}

/// Asks a session's exporter to look again whether its peer is to know of an actor.
pub(crate) struct Reconsider(pub(crate) ActorCell);

impl Message for Reconsider {}

/// What a node exposes.
#[derive(Default)]
pub(crate) struct Exposure {
    mode: Expose,
    /// `None` is [`DefaultPolicy`], without the cost of asking.
    policy: Option<Box<dyn Policy>>,
    /// The exported actors, by pid, and how to decode their messages.
    exports: RwLock<HashMap<u64, Decoder>>,
    /// How often the exports have changed. Changes with the lock held.
    revision: AtomicU64,
    exporters: Mutex<HashMap<ActorId, ActorRef<Reconsider>>>,
    denials: Denials,
}

impl fmt::Debug for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exposure")
            .field("mode", &self.mode)
            .field("exports", &self.exports().len())
            .finish_non_exhaustive()
    }
}

impl Exposure {
    pub(crate) fn new(mode: Expose, policy: Option<Box<dyn Policy>>) -> Self {
        Self {
            mode,
            policy,
            ..Self::default()
        }
    }

    /// Lets peers hear of an actor and address it, and decodes what they send it before it is delivered.
    pub(crate) fn export<M: Message>(&self, actor: &ActorRef<M>) -> Result<(), ExportError> {
        let id = actor.get_id();
        if !id.is_local() {
            return Err(ExportError::Remote);
        }
        if !actor.supports_remoting() {
            return Err(ExportError::NotRemotable);
        }
        if actor.is_message_type_of::<M>() != Some(true) {
            return Err(ExportError::OtherType);
        }
        let pid = id.pid();
        self.change_exports(|exports| {
            if exports.len() >= MAX_EXPORTS && !exports.contains_key(&pid) {
                return Err(ExportError::TooMany);
            }
            exports.insert(pid, decode_as::<M>);
            Ok(())
        })?;
        // After the entry was made: the news of an end from now on finds it.
        if where_is_pid(id).is_none() {
            self.forget(pid);
            return Err(ExportError::Ended);
        }
        self.tell(&actor.get_cell());
        Ok(())
    }

    /// Takes an actor back; `false` when it was not exported. Nothing is delivered to it once this has returned, unless
    /// the mode exposes it anyway.
    pub(crate) fn unexport(&self, actor: &ActorCell) -> bool {
        let exported = actor.get_id().is_local() && self.forget(actor.get_id().pid());
        if exported {
            self.tell(actor);
        }
        exported
    }

    /// Takes an actor that has ended off the list.
    fn forget(&self, pid: u64) -> bool {
        self.change_exports(|exports| exports.remove(&pid).is_some())
    }

    /// Whether a peer is to hear of an actor: it is of this node, understands serialized messages, is exposed to that
    /// peer, and is not ending. The news of its end would have come before.
    pub(crate) fn is_visible(&self, peer: &PeerInfo, actor: &ActorCell) -> bool {
        let pid = actor.get_id().pid();
        let is_exposed = || self.mode == Expose::Remotable || self.exports().contains_key(&pid);
        actor.get_id().is_local()
            && actor.supports_remoting()
            && actor.get_status() <= ActorStatus::Draining
            && is_exposed()
            && self.allows(peer, actor, self.exports().contains_key(&pid), Verb::See)
    }

    /// The local actor `pid`, if that peer may do this to it.
    pub(crate) fn target(
        &self,
        peer: &PeerInfo,
        pid: u64,
        verb: Verb,
    ) -> Result<ActorCell, Refusal> {
        let target = self.look_up(pid)?;
        self.check_allowed(peer, &target, verb)?;
        Ok(target.actor)
    }

    /// The local actor `pid`, if it is exposed.
    fn look_up(&self, pid: u64) -> Result<Target, Refusal> {
        // Before the rest: what changes meanwhile is looked up again.
        let revision = self.revision();
        let actor = where_is_pid(ActorId::Local(pid)).filter(ActorCell::supports_remoting);
        let decoder = self.exports().get(&pid).copied();
        let exposed = self.mode == Expose::Remotable || decoder.is_some();
        let Some(actor) = actor.filter(|_| exposed) else {
            debug!(pid, "message to an actor that is gone");
            return Err(Refusal::Gone);
        };
        let learned = match decoder {
            None => learned::decoder_of(&actor),
            Some(_) => None,
        };
        Ok(Target {
            actor,
            decoder,
            learned,
            revision,
        })
    }

    fn check_allowed(&self, peer: &PeerInfo, target: &Target, verb: Verb) -> Result<(), Refusal> {
        let Target { actor, decoder, .. } = target;
        if self.allows(peer, actor, decoder.is_some(), verb) {
            return Ok(());
        }
        self.denials.count(peer, actor.get_id().pid(), verb);
        Err(Refusal::NotAllowed)
    }

    /// Puts a message of a peer into the mailbox of the local actor `pid`. Runs user code: the policy, and the decoding
    /// of an exported actor's message.
    pub(crate) fn deliver(
        &self,
        peer: &PeerInfo,
        targets: &mut Targets,
        pid: u64,
        message: SerializedMessage,
    ) -> Delivery {
        let verb = match message {
            SerializedMessage::Call { .. } => Verb::Call,
            _ => Verb::Cast,
        };
        let target = targets.find(pid, self.revision(), || self.look_up(pid));
        let allowed = target.and_then(|target| {
            self.check_allowed(peer, target, verb)?;
            Ok(target)
        });
        let target = match allowed {
            Ok(target) => target,
            Err(refusal) => return Delivery::Refused(refusal),
        };
        let actor = &target.actor;
        // What is delivered in a span is decoded for it: `ractor` gives typed messages alone a span.
        let learned = target.learned.filter(|_| !Span::current().is_disabled());
        let delivered = match target.decoder.or(learned) {
            Some(decode) => {
                let Some(deliver) = decode(message) else {
                    debug!(pid, ?verb, "message that cannot be decoded");
                    return Delivery::Undecodable;
                };
                let exports = self.exports();
                let exposed = self.mode == Expose::Remotable || exports.contains_key(&pid);
                let sent = exposed.then(|| deliver(actor));
                // A message that comes back is user code to drop.
                drop(exports);
                matches!(sent, Some(Ok(())))
            }
            // A message that cannot be decoded is dropped by the actor itself, which lives on.
            None => self.mode == Expose::Remotable && actor.send_serialized(message).is_ok(),
        };
        if delivered {
            Delivery::Delivered
        } else {
            Delivery::Refused(Refusal::Gone)
        }
    }

    /// Whether peers hear of nothing but what was exported.
    pub(crate) fn is_explicit(&self) -> bool {
        self.mode == Expose::Explicit
    }

    /// Whether an actor whose messages can be serialized is exposed, as far as the policy lets it.
    pub(crate) fn exposes(&self, pid: u64) -> bool {
        self.mode == Expose::Remotable || self.exports().contains_key(&pid)
    }

    /// How many actors are exported.
    pub(crate) fn exported(&self) -> usize {
        self.exports().len()
    }

    /// Messages that the policy has denied.
    pub(crate) fn denied(&self) -> u64 {
        self.denials.total()
    }

    /// Tells this exporter of changes from now on.
    pub(crate) fn watch(&self, exporter: ActorRef<Reconsider>) {
        self.exporters().insert(exporter.get_id(), exporter);
    }

    pub(crate) fn unwatch(&self, exporter: ActorId) {
        self.exporters().remove(&exporter);
    }

    fn tell(&self, actor: &ActorCell) {
        for exporter in self.exporters().values() {
            // One that is gone has nobody to tell.
            let _ = exporter.cast(Reconsider(actor.clone()));
        }
    }

    fn allows(&self, peer: &PeerInfo, actor: &ActorCell, exported: bool, verb: Verb) -> bool {
        let Some(policy) = &self.policy else {
            return true;
        };
        let target = TargetInfo::new(actor, exported);
        ask(&**policy, peer, &target, verb).unwrap_or_else(|| {
            self.denials.policy_panicked(target.pid, verb);
            false
        })
    }

    // Maps of pids and refs are whole after any panic.

    fn exports(&self) -> RwLockReadGuard<'_, HashMap<u64, Decoder>> {
        self.exports.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_exports<R>(&self, change: impl FnOnce(&mut HashMap<u64, Decoder>) -> R) -> R {
        let mut exports = self.exports.write().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut exports);
        self.revision.fetch_add(1, Ordering::Release);
        result
    }

    fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    fn exporters(&self) -> MutexGuard<'_, HashMap<ActorId, ActorRef<Reconsider>>> {
        let exporters = self.exporters.lock();
        exporters.unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
