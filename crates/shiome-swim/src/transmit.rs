use core::net::SocketAddr;

use shiome_gossip::NodeId;

/// A datagram to send. Its bytes are in the buffer that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: SocketAddr,
    /// Its length, in bytes.
    pub len: usize,
}

/// A member to ask over a reliable channel whether it is there, because it does not answer datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReliablePing {
    /// Whom to ask.
    pub member: NodeId,
    /// Where it listens for gossip.
    pub addr: SocketAddr,
    /// What to call [`Swim::handle_reliable_ack`](crate::Swim::handle_reliable_ack) with if it answers.
    pub token: u64,
}
