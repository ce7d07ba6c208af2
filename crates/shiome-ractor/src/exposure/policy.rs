use std::panic::{AssertUnwindSafe, catch_unwind};

use ractor::ActorCell;
use shiome_transport::Security;

use crate::NodeId;

/// Decides what peers may do to the actors of this node, for [`Builder::policy`](crate::Builder::policy).
///
/// It is asked for each message of a peer, in the task of the session, while that session stands still: it should look
/// things up and not wait. A panic in it counts as a no and is logged. A closure of the same arguments is a policy.
///
/// What it says of [`Verb::See`] counts when there is something to tell: at the begin of a session, and when an actor is
/// spawned, exported or joins a group. It takes nothing back that was told.
///
/// ```
/// use shiome_ractor::{DefaultPolicy, PeerInfo, Policy, TargetInfo, Verb};
///
/// /// Guests only see what is registered under a public name.
/// struct Guests;
///
/// impl Policy for Guests {
///     fn allow(&self, peer: &PeerInfo, actor: &TargetInfo, verb: Verb) -> bool {
///         let public = actor.name.as_ref().is_some_and(|name| name.starts_with("public-"));
///         (public || !peer.name.starts_with("guest-")) && DefaultPolicy.allow(peer, actor, verb)
///     }
/// }
/// ```
pub trait Policy: Send + Sync + 'static {
    /// Whether the peer may do this to the actor.
    fn allow(&self, peer: &PeerInfo, actor: &TargetInfo, verb: Verb) -> bool;
}

impl<F> Policy for F
where
    F: Fn(&PeerInfo, &TargetInfo, Verb) -> bool + Send + Sync + 'static,
{
    fn allow(&self, peer: &PeerInfo, actor: &TargetInfo, verb: Verb) -> bool {
        self(peer, actor, verb)
    }
}

/// The policy of a node that is given none: everything is allowed.
///
/// Whoever knows the cookie can send any message to any exposed actor; to stop one is no greater power.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to hold")]
pub struct DefaultPolicy;

impl Policy for DefaultPolicy {
    fn allow(&self, _peer: &PeerInfo, _actor: &TargetInfo, _verb: Verb) -> bool {
        true
    }
}

/// What a peer may do to an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb {
    /// Hear of it and of its groups. What a peer has not heard of it can do nothing to.
    See,
    /// Send it a message. One that is denied is dropped and counted, see
    /// [`Node::denied`](crate::Node::denied).
    Cast,
    /// Call it. The caller of one that is denied is told so if its node understands that, and otherwise waits for its
    /// timeout.
    Call,
    /// Stop it.
    Stop,
    /// Be told when and why it ends. That it has ended is told to all that see it.
    Monitor,
}

/// An authenticated peer, for a [`Policy`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Full name, `name@host`, as the peer says: every node that knows the cookie can take any that is free, unless
    /// [`is_bound`](Self::is_bound).
    pub name: String,
    /// Whether the name was held against what the link has [proven](shiome_transport::Link::identity) of the peer, as it is
    /// over TLS with [`Builder::tls`](crate::Builder::tls). A policy that decides by name is worth nothing without.
    pub is_bound: bool,
    /// Its socket address, or the label of its stream.
    pub address: String,
    /// Number of the connection.
    pub node_id: NodeId,
    /// How the link is protected.
    pub security: Security,
}

/// A local actor that a peer is about to do something to, for a [`Policy`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetInfo {
    /// Its pid.
    pub pid: u64,
    /// The name that it is registered under, if it is.
    pub name: Option<String>,
    /// Whether it was [exported](crate::Node::export).
    pub exported: bool,
}

impl TargetInfo {
    pub(super) fn new(actor: &ActorCell, exported: bool) -> Self {
        Self {
            pid: actor.get_id().pid(),
            name: actor.get_name(),
            exported,
        }
    }
}

/// Asks a policy, which is user code; `None` when it panics.
pub(super) fn ask(
    policy: &dyn Policy,
    peer: &PeerInfo,
    actor: &TargetInfo,
    verb: Verb,
) -> Option<bool> {
    catch_unwind(AssertUnwindSafe(|| policy.allow(peer, actor, verb))).ok()
}
