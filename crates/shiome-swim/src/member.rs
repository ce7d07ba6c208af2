use core::net::SocketAddr;

use shiome_gossip::{NodeId, SlotRange, compact};

use crate::config::ConfigError;

/// Who a node is when it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The node's id. Unique in the cluster; a node that starts again may keep it.
    pub id: NodeId,
    /// Where the others reach it. It must not be unspecified (`0.0.0.0`, `[::]`).
    pub addr: SocketAddr,
    /// Its incarnation, from 1 to [`Identity::MAX_INCARNATION`]. A node that keeps its id over a restart has to come back with a higher one than it ever
    /// had; if it does not know, it finds out from the others and goes above.
    pub incarnation: u64,
}

impl Identity {
    /// Highest incarnation to start with: others believe no more of somebody whom they meet.
    pub const MAX_INCARNATION: u64 = 1 << 47;

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        let field = if !is_reachable(self.addr) {
            "addr"
        } else if self.incarnation > Self::MAX_INCARNATION {
            "incarnation"
        } else {
            return Ok(());
        };
        Err(ConfigError { field })
    }
}

/// Whether a datagram can be sent there, and to one node only.
pub(crate) fn is_reachable(addr: SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let broadcast = matches!(ip, core::net::IpAddr::V4(ip) if ip.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// What is known of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member<'a> {
    /// Its id.
    pub id: NodeId,
    /// Where it listens for gossip.
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
    pub slots: &'a [SlotRange],
    /// Whether it speaks the compact form.
    pub speaks_compact: bool,
}

/// Whether a member is there. Of two claims about the same incarnation the later in this order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all that the wire can say")]
pub enum State {
    /// It is.
    Alive,
    /// It did not answer and has some time to object.
    Suspect,
    /// It did not object.
    Dead,
    /// It said goodbye.
    Left,
}

impl State {
    /// Alive or Suspect: it counts as a member, is probed and gossiped to.
    pub fn is_up(self) -> bool {
        self <= Self::Suspect
    }
}

impl From<State> for compact::State {
    fn from(state: State) -> Self {
        match state {
            State::Alive => Self::Alive,
            State::Suspect => Self::Suspect,
            State::Dead => Self::Dead,
            State::Left => Self::Left,
        }
    }
}

impl From<compact::State> for State {
    fn from(state: compact::State) -> Self {
        match state {
            compact::State::Alive => Self::Alive,
            compact::State::Suspect => Self::Suspect,
            compact::State::Dead => Self::Dead,
            compact::State::Left => Self::Left,
        }
    }
}
