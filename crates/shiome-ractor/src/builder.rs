use std::{
    fmt,
    net::{IpAddr, TcpListener},
    sync::Arc,
};

use ractor::{Actor, SpawnErr};
#[cfg(feature = "membership")]
use shiome_membership::{Seed, SeedError, StartError};
use shiome_transport::tcp;
use thiserror::Error;
use tokio_rustls::TlsConnector;

#[cfg(feature = "membership")]
use crate::gossip::{Gossip, Joining};
use crate::{
    Expose, IncomingEncryptionMode, Node, Overflow, Policy,
    connector::Connector,
    exposure::{Exposure, Sweeper},
    native::NativePolicy,
    node::{NodeConnectionMode, NodeServer},
    reconnect::{KeepError, MAX_KEPT_CONNECTIONS, check_address},
};

pub use shiome_handshake::Cookie;

/// A [`Node`] before it is started.
pub struct Builder {
    pub(crate) address: String,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) listen: Option<IpAddr>,
    encryption: IncomingEncryptionMode,
    connector: Option<TlsConnector>,
    pub(crate) mode: Option<NodeConnectionMode>,
    session: shiome_session::Config,
    peers: Vec<String>,
    expose: Expose,
    policy: Option<Box<dyn Policy>>,
    overflow: Overflow,
    native: NativePolicy,
    /// `None` without gossip.
    #[cfg(feature = "membership")]
    pub(crate) joining: Option<Joining>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(address: String) -> Self {
        Self {
            address,
            cookie: None,
            listen: None,
            encryption: IncomingEncryptionMode::Raw,
            connector: None,
            mode: None,
            session: shiome_session::Config::default(),
            peers: Vec::new(),
            expose: Expose::default(),
            policy: None,
            overflow: Overflow::default(),
            native: NativePolicy::default(),
            #[cfg(feature = "membership")]
            joining: None,
        }
    }

    /// The secret that all nodes of the cluster share. There is no default.
    ///
    /// Whoever knows it controls every actor. Without TLS, a listener on the network can try guesses offline, so make
    /// it long and random.
    #[must_use]
    pub fn cookie(mut self, cookie: impl Into<Cookie>) -> Self {
        self.cookie = Some(cookie.into());
        self
    }

    /// Listens on this address only. Default: the host of the node's address if that is an IP address, otherwise all
    /// addresses.
    #[must_use]
    pub fn listen(mut self, addr: IpAddr) -> Self {
        self.listen = Some(addr);
        self
    }

    /// How connections that are accepted are protected. Default: not at all.
    #[must_use]
    pub fn encryption(mut self, mode: IncomingEncryptionMode) -> Self {
        self.encryption = mode;
        self
    }

    /// Dials over TLS, as the connector is configured, and never without. A node that accepts TLS only needs it to dial
    /// at all.
    #[must_use]
    pub fn connector(mut self, connector: TlsConnector) -> Self {
        self.connector = Some(connector);
        self
    }

    /// What to do with the nodes that peers are connected to. Default: connect to them too; for a node that gossips,
    /// nothing, since gossip finds them. In a cluster with nodes that do not gossip, say
    /// [`Transitive`](NodeConnectionMode::Transitive).
    #[must_use]
    pub fn connection_mode(mut self, mode: NodeConnectionMode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Keeps connected to the nodes at these addresses, `host:port` each, from the start: see [`Node::keep_connected`].
    ///
    /// The node's own address may be among them, so that all can have the same list. At most
    /// [`MAX_KEPT_CONNECTIONS`]. Default: none.
    #[must_use]
    pub fn peers<A: fmt::Display>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        let addresses = addresses.into_iter();
        self.peers
            .extend(addresses.map(|address| address.to_string()));
        self
    }

    /// Joins the cluster of these nodes, `host:port` each: the node gossips, finds all members through any of them, and
    /// keeps a session with each for as long as it is up.
    ///
    /// The port is that of gossip, which is the node's own unless there is an [offset](Gossip::port_offset). A seed that
    /// is not up yet is asked again. This node may be among them, so that all can have the same list; with none, or none
    /// but itself, it waits for others. At most 64. Default: no gossip.
    #[cfg(feature = "membership")]
    #[must_use]
    pub fn seeds<S>(mut self, seeds: impl IntoIterator<Item = S>) -> Self
    where
        S: TryInto<Seed>,
        S::Error: Into<SeedError>,
    {
        self.joining.get_or_insert_default().add(seeds);
        self
    }

    /// Gossips in this way, also without [seeds](Self::seeds). Default: [`Gossip::new`].
    #[cfg(feature = "membership")]
    #[must_use]
    pub fn gossip(mut self, gossip: Gossip) -> Self {
        self.joining.get_or_insert_default().gossip = gossip;
        self
    }

    /// Which actors peers hear of and can address. Default: all whose messages can be serialized.
    #[must_use]
    pub fn expose(mut self, expose: Expose) -> Self {
        self.expose = expose;
        self
    }

    /// What becomes of messages to `ActorRef`s of other nodes when a link is full. Default:
    /// [`Overflow::DropWhenStalled`].
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Refuses peers that do not run shiome, in either direction: nothing can make two nodes of shiome speak less than
    /// they know. Default: nodes of `ractor_cluster` are welcome.
    #[must_use]
    pub fn require_native(mut self) -> Self {
        self.native.required = true;
        self
    }

    /// Speaks the common protocol only, as `ractor_cluster` does, also with peers that know more: for a network in which
    /// something minds the rest. Takes [`require_native`](Self::require_native) back. Default: both.
    #[must_use]
    pub fn legacy_only(mut self) -> Self {
        self.native = NativePolicy {
            enabled: false,
            required: false,
        };
        self
    }

    /// Asks for each message what a peer may do to an actor. Default: [`DefaultPolicy`](crate::DefaultPolicy).
    #[must_use]
    pub fn policy(mut self, policy: impl Policy) -> Self {
        self.policy = Some(Box::new(policy));
        self
    }

    /// Limits and times of the sessions.
    #[must_use]
    pub fn session(mut self, config: shiome_session::Config) -> Self {
        self.session = config;
        self
    }

    /// Starts the node. A process has one: `ractor`'s registries, which it speaks for, are global.
    ///
    /// # Errors
    ///
    /// See [`BuildError`].
    pub async fn start(mut self) -> Result<Node, BuildError> {
        self.check_peers()?;
        #[cfg(feature = "membership")]
        if self.joining.is_some() {
            return self.start_gossiping().await;
        }
        let listener = self.bind()?;
        self.start_on(listener).await
    }

    /// What is wrong with a peer is told before anything has begun.
    fn check_peers(&mut self) -> Result<(), BuildError> {
        let own = self.address.split_once('@').map(|(_, own)| own.to_owned());
        self.peers.retain(|peer| Some(peer) != own.as_ref());
        self.peers.sort();
        self.peers.dedup();
        self.peers.iter().try_for_each(|peer| check_address(peer))?;
        if self.peers.len() > MAX_KEPT_CONNECTIONS {
            return Err(KeepError::TooMany.into());
        }
        Ok(())
    }

    /// Listens at the node's address.
    pub(crate) fn bind(&self) -> Result<TcpListener, BuildError> {
        let (_, host, port) = parse_address(&self.address)?;
        let ip = self.listen.or_else(|| host_ip(host));
        Ok(tcp::listen(ip, port)?.into_std()?)
    }

    /// Starts a node that listens there.
    pub(crate) async fn start_on(self, listener: TcpListener) -> Result<Node, BuildError> {
        let (name, host, port) = parse_address(&self.address)?;
        let cookie = self.cookie.ok_or(BuildError::NoCookie)?;
        let local_addr = listener.local_addr()?;
        let mode = self.mode.unwrap_or(NodeConnectionMode::Transitive);
        let (encryption, mode) = (Some(self.encryption), Some(mode));
        let (name_owned, host_owned) = (name.to_owned(), host.to_owned());
        let exposure = Arc::new(Exposure::new(self.expose, self.policy));
        let node_server =
            NodeServer::with_cookie(port, cookie, name_owned, host_owned, encryption, mode)
                .with_session_config(self.session)
                .with_listener(listener)
                .with_exposure(Arc::clone(&exposure))
                .with_overflow(self.overflow)
                .with_native(self.native);
        let events = node_server.events().clone();
        let first = events.subscribe();
        let registry = Arc::clone(node_server.registry());
        let dialer = Arc::clone(node_server.dialer());
        if let Some(connector) = self.connector {
            dialer.use_connector(connector);
        }
        let (server, _) = Actor::spawn(None, node_server, ()).await?;
        let sweep = Arc::clone(&exposure);
        Actor::spawn_linked(None, Sweeper, sweep, server.get_cell()).await?;
        let connector = Connector {
            server,
            registry,
            dialer,
            listening: local_addr,
        };
        let node = Node::new(
            connector,
            exposure,
            format!("{name}@{host}"),
            local_addr,
            (events.downgrade(), first),
        );
        for peer in &self.peers {
            node.keep_connected(peer)?;
        }
        Ok(node)
    }
}

/// Splits `name@host:port`.
pub(crate) fn parse_address(address: &str) -> Result<(&str, &str, u16), BuildError> {
    let split = || {
        let (name, host_port) = address.split_once('@')?;
        let (host, port) = host_port.rsplit_once(':')?;
        let complete = !name.is_empty() && !host.is_empty();
        Some((name, host, port.parse().ok()?)).filter(|_| complete)
    };
    let (name, host, port) = split().ok_or_else(|| BuildError::Address(address.to_owned()))?;
    if host_ip(host).is_some_and(|ip| ip.is_unspecified()) {
        return Err(BuildError::Unspecified(address.to_owned()));
    }
    Ok((name, host, port))
}

/// The IP address that `host` is, with or without the brackets of IPv6.
pub(crate) fn host_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok()
}

/// A node was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is not `name@host:port`.
    #[error("`{0}` is not of the form name@host:port")]
    Address(String),
    /// The host is an address that nobody can dial, such as `0.0.0.0`. Use [`Builder::listen`] to listen there.
    #[error("`{0}` names a host that other nodes cannot dial")]
    Unspecified(String),
    /// No cookie was given.
    #[error("a node needs a cookie")]
    NoCookie,
    /// The address cannot be listened on.
    #[error("cannot listen")]
    Listen(#[from] std::io::Error),
    /// The node server did not start.
    #[error("node server did not start")]
    Spawn(#[from] SpawnErr),
    /// A peer cannot be kept connected to.
    #[error("peer: {0}")]
    Peer(#[from] KeepError),
    /// A seed is no `host:port`.
    #[cfg(feature = "membership")]
    #[error("seed: {0}")]
    Seed(#[from] SeedError),
    /// The port to gossip on, by the [offset](Gossip::port_offset), is none.
    #[cfg(feature = "membership")]
    #[error("port {port} and offset {offset} do not make a port for gossip")]
    GossipPort {
        /// Where the node listens.
        port: u16,
        /// The offset.
        offset: i32,
    },
    /// The host of the node's address has no address to tell others. Name one with [`Gossip::advertise`].
    #[cfg(feature = "membership")]
    #[error("`{0}` has no address at which others could reach this node")]
    Unresolved(String),
    /// Gossip cannot start.
    #[cfg(feature = "membership")]
    #[error("cannot gossip")]
    Gossip(#[from] StartError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_name_host_and_port() {
        assert_eq!(parse_address("a@h:1").unwrap(), ("a", "h", 1));
        assert_eq!(parse_address("a@[::1]:0").unwrap(), ("a", "[::1]", 0));
        for wrong in ["", "a", "a@h", "a@h:", "a@:1", "@h:1", "a@h:65536", "h:1"] {
            let error = parse_address(wrong).unwrap_err();
            assert!(matches!(error, BuildError::Address(_)), "{wrong}: {error}");
        }
    }

    #[test]
    fn an_address_that_nobody_can_dial_is_refused() {
        for wrong in ["a@0.0.0.0:1", "a@[::]:1"] {
            assert!(matches!(
                parse_address(wrong),
                Err(BuildError::Unspecified(_))
            ));
        }
    }

    #[test]
    fn a_host_that_is_an_address_is_listened_on() {
        assert_eq!(host_ip("127.0.0.1"), Some([127, 0, 0, 1].into()));
        assert_eq!(host_ip("[::1]"), Some(IpAddr::V6(1.into())));
        assert_eq!(host_ip("node.example"), None);
    }
}
