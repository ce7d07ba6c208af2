//! A look into a running node, see [`Inspector`].

use std::{
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ractor::ActorStatus;
use tokio::time::Instant;

use crate::{
    Events, Node,
    connector::Connector,
    events::WeakBroadcast,
    exposure::Exposure,
    node::{Serving, Strangers},
};

mod actors;
mod ask;
mod event;
#[cfg(feature = "membership")]
mod gossip;
mod groups;
mod history;
mod latency;
mod meter;
mod metered;
#[cfg(feature = "metrics")]
pub mod metrics;
mod page;
mod sessions;
mod totals;
mod view;

pub use ask::{AskError, MAX_ARGUMENTS_LEN, Request, Target};
pub use event::{EVENT_KINDS, EventView, EventViews};
pub use groups::MAX_GROUP_MEMBERS;
pub(crate) use history::History;
pub use history::MAX_REMEMBERED_PEERS;
pub use latency::{Histogram, LATENCY_BOUNDS_US};
pub(crate) use meter::Meter;
pub use meter::{CallOutcome, DropReason};
pub use page::{MAX_PAGE_LEN, MAX_SEARCH_LEN, Page, PageError, Paged};
pub use view::{
    ActorView, AdmissionView, GossipView, GroupMemberView, GroupView, KeptView, LaneView,
    LatencyView, MemberView, NodeView, PeerView, SessionView, Snapshot,
};

/// A look into a running node: what it is, whom it is connected to, what passes and what waits, which actors and groups
/// there are, and what happens.
///
/// Looking costs nothing where messages pass: it reads counters that are kept anyway. A session is locked for the time
/// that it takes to copy some numbers; a list of its actors, for as long as it takes to walk through them. It holds nothing
/// that keeps the node from ending, and when it has, there are no sessions. Clones look at the same node.
///
/// ```no_run
/// # async fn example(node: &shiome_ractor::Node) {
/// let look = node.inspect();
/// for session in look.sessions() {
///     println!("{} is {}, {} bytes wait", session.peer, session.state, session.queued_bytes);
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct Inspector {
    connector: Connector,
    exposure: Arc<Exposure>,
    strangers: Arc<Strangers>,
    name: Arc<str>,
    started: (Instant, SystemTime),
    events: WeakBroadcast,
    #[cfg(feature = "membership")]
    gossip: Option<gossip::Gossiping>,
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inspector")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A look into the node, for as long as anybody wants to have it.
    pub fn inspect(&self) -> Inspector {
        Inspector {
            connector: self.connector.clone(),
            exposure: Arc::clone(&self.exposure),
            strangers: Arc::clone(&self.strangers),
            name: self.name().into(),
            started: self.started,
            events: self.events.clone(),
            #[cfg(feature = "membership")]
            gossip: self.gossip.as_ref().map(gossip::Gossiping::of),
        }
    }
}

impl Inspector {
    /// Full name of the node.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the node runs, and nobody has told it to stop.
    pub fn is_running(&self) -> bool {
        self.connector.server.get_status() <= ActorStatus::Upgrading
    }

    /// Waits until the node has stopped. Cancel-safe.
    pub async fn stopped(&self) {
        // Without a limit it ends with the server alone.
        let _ = self.connector.server.wait(None).await;
    }

    /// The node itself.
    pub fn node(&self) -> NodeView {
        let (began, at) = self.started;
        let registry = &self.connector.registry;
        let counts = self.strangers.counts();
        NodeView {
            name: self.name.to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            incarnation: crate::native::this_run(),
            process: std::process::id(),
            started_at_ms: ms_since_epoch(at),
            uptime_ms: ms(began.elapsed()),
            stopping: !self.is_running(),
            listening: (self.connector.listening.iter())
                .map(ToString::to_string)
                .collect(),
            sessions: registry.authenticated().len(),
            max_sessions: registry.max_sessions(),
            actors: ractor::registry::get_all_pids().len(),
            explicit_exposure: self.exposure.is_explicit(),
            exported: self.exposure.exported(),
            denied: self.exposure.denied(),
            admission: AdmissionView {
                admitted: counts.admitted,
                authenticated: counts.authenticated,
                failed: counts.failed,
                refused_full: counts.refused_full,
                refused_source: counts.refused_source,
                refused_penalty: counts.refused_penalty,
            },
            kept: self.kept(),
        }
    }

    fn kept(&self) -> Vec<KeptView> {
        let connections = Serving::find(self.connector.server.get_id());
        let kept = connections.map(|connections| connections.all());
        let mut kept: Vec<_> = (kept.iter().flatten()).map(KeptView::of).collect();
        kept.sort_by(|one, other| one.address.cmp(&other.address));
        kept
    }

    /// All at once, but for actors and groups.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            at_ms: now_ms(),
            node: self.node(),
            sessions: self.sessions(),
            peers: self.peers(),
            members: self.members(),
            gossip: self.gossip(),
        }
    }

    /// The members of the cluster that are up, this node included, by address; none when the node does not gossip.
    pub fn members(&self) -> Vec<MemberView> {
        #[cfg(feature = "membership")]
        return self.gossiping_members();
        #[cfg(not(feature = "membership"))]
        Vec::new()
    }

    /// How gossip is; `None` when the node does not gossip, or has left.
    pub fn gossip(&self) -> Option<GossipView> {
        #[cfg(feature = "membership")]
        return self.gossip_view();
        #[cfg(not(feature = "membership"))]
        None
    }

    /// What happens from now on.
    pub fn events(&self) -> EventViews {
        EventViews {
            node: Events::new(self.events.upgrade().subscribe()),
            #[cfg(feature = "membership")]
            gossip: self.gossip.as_ref().and_then(gossip::Gossiping::suspicions),
        }
    }
}

impl KeptView {
    fn of(connection: &crate::Connection) -> Self {
        let view = |state: &str| Self {
            address: connection.address().to_owned(),
            state: state.to_owned(),
            ..Self::default()
        };
        match connection.state() {
            crate::ConnectionState::Connecting { attempt, next_in } => Self {
                attempt,
                next_in_ms: ms(next_in),
                ..view("connecting")
            },
            crate::ConnectionState::Connected(session) => Self {
                peer: Some(session.name),
                ..view("connected")
            },
            crate::ConnectionState::Ended(_) => view("ended"),
        }
    }
}

fn ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn us(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn ms_since_epoch(at: SystemTime) -> u64 {
    // A clock before 1970 is wrong in any case.
    ms(at.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn now_ms() -> u64 {
    ms_since_epoch(SystemTime::now())
}
