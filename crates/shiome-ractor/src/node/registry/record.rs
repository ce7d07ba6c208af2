use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
};

use ractor::{ActorId, ActorRef};
use shiome_handshake::{Candidate, Side, read_hello};
use shiome_wire::auth::NameMessage;
use tokio::time::Instant;

use crate::{
    NodeId,
    node::{
        NodeServerSessionInformation, NodeSessionMessage, node_session::Shared, opened::Opened,
    },
};

/// Addresses that are known of a peer: what a host name leads to is not this node's to say.
const MAX_ADDRESSES: usize = 64;

/// One session.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// What the session's tasks share; gone when they are.
    pub(crate) shared: Weak<Shared>,
    pub(crate) actor: ActorRef<NodeSessionMessage>,
    pub(crate) node_id: NodeId,
    pub(crate) side: Side,
    pub(crate) peer_addr: String,
    /// What was dialled; different for every stream of which that is not known.
    pub(super) target: String,
    /// Socket addresses that lead to the peer, as far as they are known.
    pub(crate) reachable_at: Vec<SocketAddr>,
    pub(crate) peer_name: Option<NameMessage>,
    pub(crate) phase: Phase,
    /// Which run of the peer this is, as it says; 0 if it does not.
    pub(super) incarnation: u64,
    /// When it was probed, and did not answer in time.
    pub(super) silent_since: Option<Instant>,
}

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Dialled; nothing has been sent.
    Connecting,
    /// Dialled; the own name has been sent.
    NameSent,
    /// Dialled; the peer has introduced itself.
    Named,
    /// Accepted; the peer has not been answered.
    Accepted,
    /// Accepted; the challenge was sent.
    Challenged,
    /// Both sides have proven the cookie.
    Authenticated,
    /// Stopped; what was sent is still being written.
    Closing,
}

impl Record {
    /// A session that has just begun on this connection.
    pub(crate) fn new(shared: &Arc<Shared>, side: Side, opened: &Opened) -> Self {
        let node_id = shared.node_id;
        let peer_addr = opened.link.peer.clone();
        let target =
            (opened.target()).unwrap_or_else(|| format!("{peer_addr}, connection {node_id}"));
        let address = opened.link.addrs.map(|addrs| addrs.peer);
        Self {
            shared: Arc::downgrade(shared),
            actor: shared.myself.clone(),
            node_id,
            side,
            peer_addr,
            target,
            // Of a peer that dialled, the address is that of its socket, where nobody listens.
            reachable_at: address
                .into_iter()
                .filter(|_| side == Side::Client)
                .collect(),
            peer_name: None,
            incarnation: 0,
            silent_since: None,
            phase: match side {
                Side::Client => Phase::Connecting,
                Side::Server => Phase::Accepted,
            },
        }
    }

    pub(crate) fn information(&self) -> NodeServerSessionInformation {
        NodeServerSessionInformation {
            actor: self.actor.clone(),
            peer_name: self.public_name(),
            is_server: self.side == Side::Server,
            node_id: self.node_id,
            peer_addr: self.peer_addr.clone(),
        }
    }

    /// How to call the other end in words: by its name, which may be a mere claim, or its address.
    pub(crate) fn peer(&self) -> &str {
        let name = self.peer_name.as_ref().map(|name| name.name.as_str());
        name.unwrap_or(&self.peer_addr)
    }

    /// What the peer calls itself. The number in its name message belongs to the connection, and is told to nobody.
    pub(crate) fn public_name(&self) -> Option<NameMessage> {
        let name = self.peer_name.clone()?;
        Some(NameMessage {
            connection_id: 0,
            ..name
        })
    }

    pub(super) fn is_authenticated(&self) -> bool {
        self.phase == Phase::Authenticated
    }

    /// Whether the handshake is under way.
    pub(super) fn is_pending(&self) -> bool {
        !matches!(self.phase, Phase::Authenticated | Phase::Closing)
    }

    /// These lead to the peer, too, as far as there is room for them.
    pub(crate) fn add_addresses(&mut self, addresses: impl IntoIterator<Item = SocketAddr>) {
        for address in addresses {
            let known = &mut self.reachable_at;
            if known.len() < MAX_ADDRESSES && !known.contains(&address) {
                known.push(address);
            }
        }
    }

    /// The peer has said who it is.
    pub(crate) fn introduce(&mut self, peer: NameMessage) {
        let hello = read_hello(peer.flags.as_ref());
        self.incarnation = hello.map_or(0, |hello| hello.incarnation);
        self.peer_name = Some(peer);
    }

    /// Whether the session was probed and has been silent since.
    pub(super) fn is_suspect(&self) -> bool {
        self.silent_since.is_some_and(|probed| {
            let shared = self.shared.upgrade();
            shared.is_none_or(|shared| !shared.heard_since(probed))
        })
    }

    pub(super) fn candidate(&self) -> Candidate<ActorId> {
        Candidate {
            id: self.actor.get_id(),
            side: self.side,
            connection_id: self.peer_name.as_ref().map_or(0, |name| name.connection_id),
            // Local actor ids are given in order.
            seniority: self.actor.get_id().pid(),
            incarnation: self.incarnation,
            suspect: self.is_suspect(),
        }
    }

    pub(super) fn is_named(&self, name: &str) -> bool {
        self.peer_name.as_ref().is_some_and(|n| n.name == name)
    }
}
