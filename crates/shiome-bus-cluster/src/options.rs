use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use shiome_bus::{LinkOptions, PeerId, Remote, wire::DEFAULT_MAX_MESSAGE_LEN};
use shiome_ractor::{ChannelConfig, SessionInfo};

/// Name of the channel that nodes speak about the bus on, with its version.
pub const CHANNEL: &str = "shiome-bus.1";

/// Default time that a node whose session was lost may take to come back before its peers are forgotten.
///
/// Longer than it takes to notice a dead link and to dial again, shorter than senders want to be put off.
pub const GRACE: Duration = Duration::from_secs(30);

/// Bytes that wait in the session at most: what an urgent envelope waits for.
const MAX_IN_SESSION: usize = 128 * 1024;

/// Least window of the channel: four of the longest messages.
const WINDOW: u64 = 4 * DEFAULT_MAX_MESSAGE_LEN;

/// What another node is for the bus of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum NodeRole {
    /// It has peers of its own, and speaks for no others.
    #[default]
    Peers,
    /// It passes on what others say: what comes from it is taken whoever is named as its sender, and what is for a peer that nobody has
    /// told of goes there. Its bus has to be [a relay](shiome_bus::BusOptions::relay).
    Relay,
    /// There is no link with it.
    Stranger,
}

/// Decides what another node is.
type Roles = Arc<dyn Fn(&SessionInfo) -> NodeRole + Send + Sync>;

/// How a bus uses the sessions of a node.
#[derive(Clone)]
pub struct ClusterOptions {
    roles: Option<Roles>,
    pub(crate) grace: Duration,
    max_message_len: u64,
    cost: u8,
}

impl Default for ClusterOptions {
    fn default() -> Self {
        Self {
            roles: None,
            grace: GRACE,
            max_message_len: DEFAULT_MAX_MESSAGE_LEN,
            cost: 0,
        }
    }
}

impl ClusterOptions {
    /// Has `roles` decide what each node is, once for each session. Default: all [have peers](NodeRole::Peers). It runs in a task
    /// of the links, and must not block; a node about which it panics is a [stranger](NodeRole::Stranger).
    #[must_use]
    pub fn roles(self, roles: impl Fn(&SessionInfo) -> NodeRole + Send + Sync + 'static) -> Self {
        let roles = Some(Arc::new(roles) as _);
        Self { roles, ..self }
    }

    /// Time that a node whose session was lost may take to come back. Until then its peers are known, and sending to them says that
    /// their link is down. Default: [`GRACE`].
    #[must_use]
    pub fn grace(self, grace: Duration) -> Self {
        Self { grace, ..self }
    }

    /// Longest message in bytes that this node takes: an envelope with all that belongs to it. At least 64 KiB, at most 64 MiB. Default:
    /// 1 MiB and 4 KiB, the longest payload of a bus and what is around it. Four of them can wait for each node.
    #[must_use]
    pub fn max_message_len(self, max_message_len: u64) -> Self {
        let max_message_len = max_message_len.max(MIN_MAX_MESSAGE_LEN);
        Self {
            max_message_len,
            ..self
        }
    }

    /// Of several links that reach a peer, the cheapest that is up is taken. Default: 0.
    #[must_use]
    pub fn cost(self, cost: u8) -> Self {
        Self { cost, ..self }
    }

    pub(crate) fn role(&self, session: &SessionInfo) -> NodeRole {
        let Some(roles) = &self.roles else {
            return NodeRole::default();
        };
        // Who panics has not said that there may be a link.
        let role = catch_unwind(AssertUnwindSafe(|| roles(session)));
        role.unwrap_or(NodeRole::Stranger)
    }

    pub(crate) fn channel(&self) -> ChannelConfig {
        let mut config = ChannelConfig::default();
        config.max_message_len = self.max_message_len;
        config.window = WINDOW.max(4 * self.max_message_len);
        config.max_queued = MAX_IN_SESSION;
        config
    }

    pub(crate) fn link(&self, role: NodeRole) -> LinkOptions {
        let options = LinkOptions::default().cost(self.cost);
        match role {
            NodeRole::Relay => options.uplink(),
            _ => options,
        }
    }
}

/// Longest message that every node takes, at least.
pub(crate) const MIN_MAX_MESSAGE_LEN: u64 = 64 * 1024;

impl NodeRole {
    pub(crate) fn remote(self, id: PeerId) -> Remote {
        match self {
            Self::Relay => Remote::gateway(id),
            _ => Remote::node(id),
        }
    }
}

impl fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("grace", &self.grace)
            .field("max_message_len", &self.max_message_len)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}
