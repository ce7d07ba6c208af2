use std::{sync::Arc, time::Duration};

use ractor::{ActorId, ActorRef, ActorStatus};
use shiome_transport::{Address, SocketAddrs};
use tokio::time::timeout;

use crate::{
    events::SessionInfo,
    node::{Dialer, NodeServerMessage, Opened, Registry, is_socket},
    outcome::{ConnectError, HandshakeFailure, Outcome},
};

/// Time for a link that the node has dialled by itself to become a session, until the two nodes have told each other their
/// actors.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Dials other nodes, and waits for the sessions.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) server: ActorRef<NodeServerMessage>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) dialer: Arc<Dialer>,
    /// Where the node listens.
    pub(crate) listening: Arc<[Address]>,
}

impl Connector {
    /// Connects to the node at `address` and waits until the two have told each other their actors and
    /// groups. Dropping the future does not undo the connection.
    pub(crate) async fn connect(&self, address: &str) -> Result<SessionInfo, ConnectError> {
        let address = self.dialer.address(address)?;
        if self.listening.contains(&address) {
            return Err(HandshakeFailure::self_connection().into());
        }
        let link = self.dialer.dial(&address).await?;
        if link.addrs.is_some_and(|addrs| self.leads_here(addrs)) {
            return Err(HandshakeFailure::self_connection().into());
        }
        let (outcome, settled) = Outcome::pair();
        let opened = Opened::dialled(link, address, outcome);
        self.server
            .cast(opened.into_message(false))
            .map_err(|_| ConnectError::Stopped)?;
        settled.await.unwrap_or_else(|_| Err(self.closed_here()))
    }

    /// Whether the node has dialled itself. It would close the connection at its other end, and not know why at this one.
    fn leads_here(&self, addrs: SocketAddrs) -> bool {
        let peer_ip = addrs.peer.ip().to_canonical();
        if peer_ip != addrs.local.ip().to_canonical() {
            return false;
        }
        let sockets = self.listening.iter().filter(|own| is_socket(own));
        sockets.filter_map(Address::socket_addr).any(|own| {
            let own_ip = own.ip().to_canonical();
            own.port() == addrs.peer.port() && (own_ip.is_unspecified() || own_ip == peer_ip)
        })
    }

    /// Why a session has ended without a word: with the node, or on its own.
    fn closed_here(&self) -> ConnectError {
        if self.server.get_status() >= ActorStatus::Stopping {
            ConnectError::Stopped
        } else {
            ConnectError::Lost("closed by this node".to_owned())
        }
    }

    /// As [`connect`](Self::connect), for a dial that the node makes by itself: within 10 s after the time that a dial has, and known to those who
    /// would dial the same address.
    pub(crate) async fn attempt(&self, address: &str) -> Result<SessionInfo, ConnectError> {
        let _dialling = Dialling::begin(&self.registry, address);
        self.connect_in_time(address).await
    }

    /// As [`attempt`](Self::attempt), unless the address is being dialled for another reason.
    #[cfg(feature = "membership")]
    pub(crate) async fn attempt_alone(&self, address: &str) -> Result<SessionInfo, ConnectError> {
        let Some(_dialling) = Dialling::begin(&self.registry, address) else {
            return Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists).into());
        };
        self.connect_in_time(address).await
    }

    async fn connect_in_time(&self, address: &str) -> Result<SessionInfo, ConnectError> {
        let limit = self.dialer.timeout().saturating_add(SESSION_TIMEOUT);
        let connected = timeout(limit, self.connect(address)).await;
        connected.unwrap_or_else(|_| Err(ConnectError::timed_out()))
    }
}

/// Keeps an address on the list of those that are being dialled.
struct Dialling<'a> {
    registry: &'a Registry,
    address: &'a str,
}

impl<'a> Dialling<'a> {
    /// `None` when it is on the list already.
    fn begin(registry: &'a Registry, address: &'a str) -> Option<Self> {
        let fresh = registry.begin_dial(address, usize::MAX);
        fresh.then_some(Self { registry, address })
    }
}

impl Drop for Dialling<'_> {
    fn drop(&mut self) {
        self.registry.end_dial(self.address);
    }
}

/// The authenticated session with the peer of the connection `id`, which has given way to it.
pub(crate) fn other_session(registry: &Registry, id: ActorId) -> Option<SessionInfo> {
    let own = registry.get(id)?;
    let name = own.peer_name.as_ref().map(|name| name.name.as_str());
    let same_peer = |other: &SessionInfo| {
        Some(other.name.as_str()) == name
            || (other.connection_string.parse()).is_ok_and(|at| own.reachable_at.contains(&at))
    };
    registry.authenticated().into_iter().find_map(|other| {
        let shared_address = other
            .reachable_at
            .iter()
            .any(|at| own.reachable_at.contains(at));
        let other = SessionInfo::from(other.information());
        let found = other.session().get_id() != id && (shared_address || same_peer(&other));
        found.then_some(other)
    })
}
