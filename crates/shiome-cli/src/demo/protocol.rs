//! What the demo and its nodes say to each other: one JSON value per line.

use std::{collections::BTreeSet, net::SocketAddr};

use serde::{Deserialize, Serialize};

/// The first line to a node.
#[derive(Serialize, Deserialize)]
pub(super) struct Setup {
    /// `name@host:port`.
    pub(super) address: String,
    pub(super) cookie: String,
    /// Nodes through which it finds the others.
    pub(super) seeds: Vec<SocketAddr>,
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
}

/// A line from a node.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Line {
    /// The node is up.
    Listening(SocketAddr),
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
}

/// A request that went well.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// To [`Request::Cast`]: how many have arrived.
    Counted(u64),
    /// To [`Request::Call`]: the totals, and the median time of a call, in microseconds.
    Totals { totals: Vec<u64>, median_us: u64 },
}
