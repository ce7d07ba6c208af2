use std::net::SocketAddr;

use shiome_gossip::{NodeId, SlotRange};
use shiome_swim::{Member, State};

/// What is known of a member, at the time of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberInfo {
    /// Its id.
    pub id: NodeId,
    /// Where it listens for gossip, and for reliable pings.
    pub addr: SocketAddr,
    /// Its incarnation.
    pub incarnation: u64,
    /// Whether it is there.
    pub state: State,
    /// Whether it is a primary rather than a replica.
    pub is_primary: bool,
    /// The primary that it replicates.
    pub replicates: Option<NodeId>,
    /// The slots that it owns, in order and without overlap.
    pub slots: Vec<SlotRange>,
    /// Whether it speaks the compact form, as nodes of shiome do.
    pub speaks_compact: bool,
}

impl From<Member<'_>> for MemberInfo {
    fn from(member: Member<'_>) -> Self {
        Self {
            id: member.id,
            addr: member.addr,
            incarnation: member.incarnation,
            state: member.state,
            is_primary: member.is_primary,
            replicates: member.replicates,
            slots: member.slots.to_vec(),
            speaks_compact: member.speaks_compact,
        }
    }
}
