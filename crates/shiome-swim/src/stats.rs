/// What a node has done and dropped since it started.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams that were given to the driver to send.
    pub datagrams_sent: u64,
    /// Datagrams that the driver received.
    pub datagrams_received: u64,
    /// Bytes in those that were sent, without headers of UDP and IP.
    pub bytes_sent: u64,
    /// Bytes in those that were received.
    pub bytes_received: u64,
    /// Datagrams that did not decode.
    pub malformed: u64,
    /// Datagrams of which a part did not decode, as updates of a later version do not. The part before it counted.
    pub partly_malformed: u64,
    /// Datagrams of another cluster.
    pub wrong_cluster: u64,
    /// Datagrams that only members may send, from somebody who is none.
    pub unknown_sender: u64,
    /// Acks and nacks that nobody waits for: late, repeated or forged.
    pub unexpected_ack: u64,
    /// What was refused because of a limit: members, requests to ping, joins, exchanges.
    pub refused: u64,
    /// Claims that cannot be, such as an incarnation that leaves none above it.
    pub impossible: u64,
    /// Accusations by somebody who is gone himself, which do not count.
    pub void: u64,
    /// Probes begun.
    pub probes: u64,
    /// Probes that ended without an answer.
    pub probes_failed: u64,
    /// Probes that only others got an answer to.
    pub probes_indirect: u64,
    /// Members that this node suspected by itself.
    pub suspicions: u64,
    /// Members that this node declared dead because they did not object.
    pub deaths: u64,
    /// How often this node objected.
    pub refutations: u64,
    /// Exchanges of tables that this node began.
    pub syncs: u64,
    /// Times that this node stood still for so long that it did not trust its own timers.
    pub stalls: u64,
}
