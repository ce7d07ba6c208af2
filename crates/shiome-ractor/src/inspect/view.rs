//! What an [`Inspector`](super::Inspector) tells, as plain data.
//!
//! Times are microseconds or milliseconds, as the names say; points in time are milliseconds since 1970. Counts grow from
//! the start of the node, or of the session. With the feature `serde` all of it can be serialized, with the names of the
//! fields as keys, and read again: what a later version adds is skipped, and what an earlier one leaves out is empty.

use std::collections::BTreeMap;

/// Declares views, which all are alike.
macro_rules! views {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$field_doc:meta])* pub $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(default))]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )*};
}

views! {
    /// The node itself.
    pub struct NodeView {
        /// Full name, `name@host`.
        pub name: String,
        /// Version of the bridge.
        pub version: String,
        /// Which run of the node this is, as peers are told.
        pub incarnation: u64,
        /// Number of the process.
        pub process: u32,
        /// When it was started.
        pub started_at_ms: u64,
        /// How long it has been up.
        pub uptime_ms: u64,
        /// Whether it is stopping, or has.
        pub stopping: bool,
        /// Where it listens.
        pub listening: Vec<String>,
        /// Sessions that are authenticated.
        pub sessions: usize,
        /// Sessions that may be, at most.
        pub max_sessions: usize,
        /// Actors of this process, those of the node itself included.
        pub actors: usize,
        /// Whether only actors that were exported are told to peers.
        pub explicit_exposure: bool,
        /// Actors that were exported.
        pub exported: usize,
        /// Messages of peers that the policy has denied.
        pub denied: u64,
        /// What has become of the connections that others have opened.
        pub admission: AdmissionView,
        /// The addresses that the node keeps connected to.
        pub kept: Vec<KeptView>,
    }

    /// Connections that others have opened.
    pub struct AdmissionView {
        /// Admitted.
        pub admitted: u64,
        /// Of these, authenticated.
        pub authenticated: u64,
        /// Of these, failed to authenticate.
        pub failed: u64,
        /// Refused: too many in all were not authenticated.
        pub refused_full: u64,
        /// Refused: too many of their source were not authenticated.
        pub refused_source: u64,
        /// Refused: their source had failed too often.
        pub refused_penalty: u64,
    }

    /// An address that the node keeps connected to.
    pub struct KeptView {
        /// The address, as it was given.
        pub address: String,
        /// `connecting`, `connected` or `ended`.
        pub state: String,
        /// Full name of the node there, while connected.
        pub peer: Option<String>,
        /// Number of the dial to come or under way, while connecting.
        pub attempt: u32,
        /// Time until then.
        pub next_in_ms: u64,
    }

    /// A session, or a connection that may become one.
    pub struct SessionView {
        /// Number of the connection, also in the ids of the peer's actors.
        pub node_id: u64,
        /// Full name of the peer; empty until it is proven.
        pub peer: String,
        /// `connecting`, `handshake`, `syncing`, `ready` or `closing`.
        pub state: String,
        /// `native`, `legacy`, or `unknown` until the handshake is over.
        pub tier: String,
        /// Version of the native protocol; 0 with a legacy peer.
        pub protocol: u32,
        /// What both nodes can take beyond the common protocol, in words.
        pub capabilities: Vec<String>,
        /// Which run of the peer it is; 0 if it does not tell.
        pub incarnation: u64,
        /// Whether the peer dialled.
        pub inbound: bool,
        /// The peer's socket address or label.
        pub address: String,
        /// Where the peer is dialled, as it says.
        pub dialled_at: String,
        /// `plain`, `tls`, `local` or `unknown`.
        pub security: String,
        /// Whether a certificate binds the peer to its name.
        pub bound: bool,
        /// Age of the connection.
        pub age_ms: u64,
        /// Time since the last byte of the peer.
        pub silence_ms: u64,
        /// What the last ping took; `None` while none was answered.
        pub round_trip_us: Option<u64>,
        /// Moving mean of that.
        pub round_trip_mean_us: Option<u64>,
        /// The lanes, the most urgent first.
        pub lanes: Vec<LaneView>,
        /// Bytes that wait to be written, with the overhead of each message, and those that the link is taking.
        pub queued_bytes: u64,
        /// Bytes of bulk that the peer takes before it grants more; `None`: a legacy peer grants none.
        pub credit_bytes: Option<u64>,
        /// Bytes of bulk that the peer may send before it is granted more.
        pub window_bytes: u64,
        /// Whether casts are refused for want of room.
        pub full: bool,
        /// Whether bytes wait and neither end has moved for a second.
        pub stalled: bool,
        /// Bytes that have come.
        pub bytes_in: u64,
        /// Bytes that have gone.
        pub bytes_out: u64,
        /// Calls of this node that wait for a reply.
        pub calls_out: usize,
        /// Calls of the peer that wait for a reply.
        pub calls_in: usize,
        /// How calls of this node have ended, by [`CallOutcome`](super::CallOutcome).
        pub calls_ended: BTreeMap<String, u64>,
        /// How long those took that were answered.
        pub latency: LatencyView,
        /// What was dropped, by [`DropReason`](super::DropReason); reasons that did not occur are left out.
        pub drops: BTreeMap<String, u64>,
        /// Messages of the peer with a trace context that is none, which was ignored.
        pub malformed_traces: u64,
        /// Actors that the peer has announced.
        pub remote_actors: usize,
    }

    /// A lane of a session.
    pub struct LaneView {
        /// `control`, `express` or `bulk`.
        pub name: String,
        /// Messages that have gone.
        pub sent: u64,
        /// Bytes of them, encoded.
        pub sent_bytes: u64,
        /// Messages and fragments that have come.
        pub received: u64,
        /// Bytes of their contents.
        pub received_bytes: u64,
        /// Messages that wait.
        pub queued: u64,
        /// Bytes of them, encoded.
        pub queued_bytes: u64,
    }

    /// How long calls took.
    pub struct LatencyView {
        /// How many were answered.
        pub count: u64,
        /// All together.
        pub sum_us: u64,
        /// How many are in each class of [`LATENCY_BOUNDS_US`](super::LATENCY_BOUNDS_US), and in the last, without an end.
        pub classes: Vec<u64>,
        /// End of the class of the median; `None` without calls, or beyond the last end.
        pub p50_us: Option<u64>,
        /// End of the class that 99 of 100 do not exceed.
        pub p99_us: Option<u64>,
    }

    /// A peer, over all sessions with it that there were.
    pub struct PeerView {
        /// Full name.
        pub name: String,
        /// Whether there is an authenticated session.
        pub connected: bool,
        /// Sessions that were authenticated.
        pub sessions: u64,
        /// Those after the first.
        pub reconnects: u64,
        /// Why the last session ended that has, in words.
        pub last_down: Option<String>,
        /// When.
        pub last_down_at_ms: Option<u64>,
        /// Bytes that have come.
        pub bytes_in: u64,
        /// Bytes that have gone.
        pub bytes_out: u64,
        /// The lanes; nothing waits in those of ended sessions.
        pub lanes: Vec<LaneView>,
        /// How calls to it have ended.
        pub calls_ended: BTreeMap<String, u64>,
        /// How long those took that were answered.
        pub latency: LatencyView,
        /// What was dropped.
        pub drops: BTreeMap<String, u64>,
        /// Messages of it with a trace context that is none, which was ignored.
        pub malformed_traces: u64,
    }

    /// An actor of this process, or one that a peer has announced.
    pub struct ActorView {
        /// Its number on its node.
        pub pid: u64,
        /// Name in its node's registry.
        pub name: Option<String>,
        /// How it is: `running`, `stopping` and so on; empty for one of a peer.
        pub status: String,
        /// Whether its messages can be serialized.
        pub remotable: bool,
        /// Whether peers can hear of it, as far as the policy lets them.
        pub exposed: bool,
        /// Pid of its supervisor.
        pub supervisor: Option<u64>,
    }

    /// A process group.
    pub struct GroupView {
        /// Its scope.
        pub scope: String,
        /// Its name.
        pub name: String,
        /// Members of this process.
        pub local: usize,
        /// Members of peers.
        pub remote: usize,
        /// Members, up to [`MAX_GROUP_MEMBERS`](super::MAX_GROUP_MEMBERS).
        pub members: Vec<GroupMemberView>,
    }

    /// A member of a group.
    pub struct GroupMemberView {
        /// Number of the connection to its node; 0 for this one.
        pub node_id: u64,
        /// Its number on its node.
        pub pid: u64,
        /// Name in the registry, of one of this process.
        pub name: Option<String>,
    }

    /// A member of the cluster, as gossip tells it.
    pub struct MemberView {
        /// Its id in gossip.
        pub id: String,
        /// Where its node is dialled.
        pub address: String,
        /// Full name, if there is a session with it or was.
        pub name: Option<String>,
        /// `alive`, `suspect`, `dead` or `left`.
        pub state: String,
        /// Its incarnation in gossip.
        pub incarnation: u64,
        /// Whether it is this node.
        pub own: bool,
        /// Whether it gossips as nodes of shiome do.
        pub compact: bool,
        /// Number of the connection to it, if there is one.
        pub node_id: Option<u64>,
    }

    /// How gossip is.
    pub struct GossipView {
        /// Name of the cluster.
        pub cluster: String,
        /// This node's id.
        pub id: String,
        /// This node's incarnation.
        pub incarnation: u64,
        /// Where others reach this node.
        pub address: String,
        /// Whether gossip is encrypted.
        pub encrypted: bool,
        /// Members that are up, without this node.
        pub members: usize,
        /// Those of them that are suspected.
        pub suspects: usize,
        /// News that has to be told on.
        pub backlog: usize,
        /// How little the node trusts itself: 0 when it is well.
        pub local_health: u8,
        /// What was counted, by name: see `shiome_membership::Stats`.
        pub counts: BTreeMap<String, u64>,
    }

    /// All of it but actors and groups, which can be many.
    pub struct Snapshot {
        /// When it was taken.
        pub at_ms: u64,
        /// The node.
        pub node: NodeView,
        /// Sessions and connections, by number.
        pub sessions: Vec<SessionView>,
        /// Peers that there are or were, by name.
        pub peers: Vec<PeerView>,
        /// Members that are up, this node included; none without gossip.
        pub members: Vec<MemberView>,
        /// How gossip is; `None` without.
        pub gossip: Option<GossipView>,
    }
}
