//! What the demo and its nodes say to each other: one JSON value per line.

use std::{collections::BTreeSet, net::SocketAddr};

use serde::{Deserialize, Serialize};

use super::promise::Patience;

/// The first line to a node.
#[derive(Serialize, Deserialize)]
pub(super) struct Setup {
    /// `name@host:port`.
    pub(super) address: String,
    pub(super) secrets: Secrets,
    pub(super) role: Role,
    pub(super) patience: Patience,
}

/// What lets a node in.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Secrets {
    pub(super) cookie: String,
    /// In a demo with TLS.
    pub(super) tls: Option<Tls>,
}

/// What a node shows of itself and whom it believes, in PEM.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Tls {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) authority: String,
}

/// What a node is there for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Role {
    /// One of a cluster that gossips, with these seeds. Has a counter.
    Member {
        seeds: Vec<SocketAddr>,
        /// Where to serve the dashboard.
        dashboard: Option<SocketAddr>,
    },
    /// Knows of nobody. Has the actors of [`Owned`], and exposes those that it exports.
    Owner,
    /// Keeps connected to the owner there, and uses its actors.
    User { owner: SocketAddr },
    /// Knows of nobody, and has nothing.
    Stranger,
}

/// Every other line to a node. End of file stops it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// Comes back with the answer.
    pub(super) id: u64,
    pub(super) request: Request,
}

/// What a node is asked to do. Nodes go by their full names, `name@host`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Request {
    /// Send so many casts to a node's counter, then ask how many have come from here.
    Cast { to: String, count: u64 },
    /// Ask a node's counter for its total, so many times.
    Call { to: String, count: usize },
    /// Call a node's counter, which does not answer.
    Hold { to: String },
    /// Tell how many are in the group of counters.
    Group,
    /// Use the owner's actors.
    Use(Use),
    /// Tell how many sessions there are whose link is TLS.
    Encrypted,
    /// Connect to the node there, by one dial.
    Connect(SocketAddr),
}

/// What a user does with the actors of the owner, by handles.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Use {
    /// Take handles of all of them that can be reached, in place of those from before.
    Find,
    /// Send so many casts to the counter, then ask how many have come from here.
    Cast { count: u64 },
    /// Begin to watch an actor.
    Watch(Owned),
    /// Wait for the end of the actor watched last.
    Down,
    /// Stop the worker, for this reason.
    Stop(String),
    /// Call the worker, which does not answer.
    Hold,
    /// Make calls that have no answer.
    Refused,
    /// Send so many casts of so many bytes to the sink, and call the counter meanwhile.
    Bulk { count: u64, len: usize },
    /// Send as many of so many casts of so many bytes to the drain as the link takes at once.
    Flood { count: u64, len: usize },
    /// Wait until no link can bring the handles back.
    Ended,
}

/// An actor of the owner, registered under [its name](Owned::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Owned {
    /// A counter in the group.
    Counter,
    /// Another counter, that is stopped.
    Worker,
    /// What bulk is sent to.
    Sink,
    /// Another sink, that is sent more than the link takes.
    Drain,
    /// A counter in the group that is not exported.
    Private,
}

impl Owned {
    pub(super) const ALL: [Self; 5] = [
        Self::Counter,
        Self::Worker,
        Self::Sink,
        Self::Drain,
        Self::Private,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Worker => "worker",
            Self::Sink => "sink",
            Self::Drain => "drain",
            Self::Private => "private",
        }
    }
}

/// A line from a node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Line {
    /// The node is up.
    Listening(SocketAddr),
    /// Browsers find the dashboard there. Comes before that the node is up.
    Dashboard(String),
    /// The node cannot go on.
    Failed(String),
    /// What the node sees has changed.
    View(View),
    /// How a request went.
    Answer {
        id: u64,
        answer: Result<Answer, String>,
    },
}

/// What a node sees of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct View {
    /// Where the nodes are that are up by gossip, without itself.
    pub(super) members: BTreeSet<SocketAddr>,
    /// Nodes that it has a session with.
    pub(super) peers: BTreeSet<String>,
    /// Nodes whose counters are in the group, itself among them.
    pub(super) counters: BTreeSet<String>,
    /// Calls that its counter holds.
    pub(super) holding: usize,
    /// Casts that it has been told were not sent.
    pub(super) unsent: u64,
}

/// A request that went well.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// To [`Request::Cast`], [`Request::Group`], [`Request::Encrypted`] and [`Use::Cast`]: how many there are, or have arrived.
    Counted(u64),
    /// To [`Request::Call`]: the totals, and the median time of a call, in microseconds.
    Totals { totals: Vec<u64>, median_us: u64 },
    /// There is nothing to tell.
    Done,
    /// To [`Use::Find`].
    Found(BTreeSet<Owned>),
    /// To [`Use::Down`] and [`Use::Ended`]: how it went, in words.
    Went(String),
    /// To [`Use::Refused`]: why, in words, and the longest time of one, in microseconds.
    Refused { why: Vec<String>, slowest_us: u64 },
    /// To [`Use::Bulk`]: bytes that have arrived, and times of the calls, in microseconds.
    Beside {
        bytes: u64,
        calls: usize,
        median_us: u64,
        slowest_us: u64,
    },
    /// To [`Use::Flood`]: casts that were taken, and such that were refused as [`Full`](shiome::CastError::Full).
    Offered { taken: u64, full: u64 },
}
