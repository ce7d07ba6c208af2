use std::{fmt, net::IpAddr, sync::Arc};

use ractor::Actor;
#[cfg(feature = "membership")]
use shiome_membership::{Seed, SeedError};
use shiome_transport::{
    Links,
    limits::Limits,
    tls::{ClientConfig, Credentials, ServerConfig},
};
use tokio_rustls::TlsConnector;

#[cfg(feature = "membership")]
use crate::gossip::{Gossip, Joining};
use crate::{
    Expose, IncomingEncryptionMode, KeepError, MAX_KEPT_CONNECTIONS, MAX_SESSIONS, MAX_UNTAKEN_LEN,
    Node, Overflow, Policy,
    connector::Connector,
    exposure::{Exposure, Sweeper},
    native::NativePolicy,
    node::{NodeConnectionMode, NodeServer},
    reconnect::check_address,
};

pub use error::BuildError;
pub use shiome_handshake::Cookie;

mod error;
mod ways;

pub(crate) use ways::{Bound, Ways};

/// Addresses that a node listens at, beside its own. Each is a socket and a task, and a program names them one by one.
pub const MAX_LISTENERS: usize = 16;

/// A [`Node`] before it is started.
pub struct Builder {
    pub(crate) address: String,
    pub(crate) cookie: Option<Cookie>,
    pub(crate) listen: Option<IpAddr>,
    encryption: Option<IncomingEncryptionMode>,
    connector: Option<TlsConnector>,
    tls: Option<ways::Configs>,
    links: Option<Links>,
    listen_at: Vec<String>,
    pub(crate) no_own_port: bool,
    advertised: Option<String>,
    limits: Limits,
    max_sessions: usize,
    pub(crate) mode: Option<NodeConnectionMode>,
    session: shiome_session::Config,
    peers: Vec<String>,
    expose: Expose,
    policy: Option<Box<dyn Policy>>,
    overflow: Overflow,
    max_untaken: usize,
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
            encryption: None,
            connector: None,
            tls: None,
            links: None,
            listen_at: Vec::new(),
            no_own_port: false,
            advertised: None,
            limits: Limits::default(),
            max_sessions: MAX_SESSIONS,
            mode: None,
            session: shiome_session::Config::default(),
            peers: Vec::new(),
            expose: Expose::default(),
            policy: None,
            overflow: Overflow::default(),
            max_untaken: MAX_UNTAKEN_LEN,
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

    /// Listens at one more address, with or without scheme, such as `unix:/run/app/node.sock` or `ws://[::]:8080/cluster`.
    /// At most [`MAX_LISTENERS`]. Default: at the node's own address only, over TCP or, where the node is
    /// [encrypted](shiome_transport::Policy::Encrypted), TLS.
    ///
    /// Peers are not told of it unless it is [advertised](Self::advertise).
    #[must_use]
    pub fn listen_at(mut self, address: impl fmt::Display) -> Self {
        self.listen_at.push(address.to_string());
        self
    }

    /// Opens no port at the node's own address: it listens at those of [`listen_at`](Self::listen_at) alone, if there are any.
    /// For a node that others cannot dial over TCP, as one behind NAT, and for one that only dials. Default: it listens there.
    ///
    /// Peers are told no address unless there is one that is [advertised](Self::advertise), and the port in the node's address
    /// says nothing. Such a node cannot gossip.
    #[must_use]
    pub fn no_own_port(mut self) -> Self {
        self.no_own_port = true;
        self
    }

    /// What peers are told to dial: an address with or without scheme. Default: host and port of the node's address.
    ///
    /// Peers of shiome dial `tcp`, `tls`, `ws` and `wss` by the word of a peer, as far as their own policy allows; nodes of
    /// `ractor_cluster` dial `host:port` only.
    #[must_use]
    pub fn advertise(mut self, address: impl fmt::Display) -> Self {
        self.advertised = Some(address.to_string());
        self
    }

    /// Mutual TLS on all connections, accepted and dialled, the latter also to the peers of peers: nodes must show a
    /// certificate that these credentials believe, and may speak only as a node that it is for. Default: no TLS.
    ///
    /// A certificate that names its node by [URI](shiome_transport::tls::node_uri) is believed from any address, see
    /// [`ClientConfig::for_nodes`]; any other must be for the host of the address that is dialled.
    ///
    /// Without a scheme an address is then one of TLS, and plain TCP cannot be dialled or listened at; Unix sockets and
    /// memory can.
    #[must_use]
    pub fn tls(mut self, credentials: &Arc<Credentials>) -> Self {
        self.tls = Some(ways::configs(credentials));
        self
    }

    /// As [`tls`](Self::tls), with configurations that say more.
    ///
    /// A server that does not demand certificates lets clients without one speak as any node. What a client shows is held
    /// against it in any case.
    #[must_use]
    pub fn tls_with(mut self, server: ServerConfig, client: ClientConfig) -> Self {
        self.tls = Some(Ok((server, client)));
        self
    }

    /// Dials and listens by these links, with the schemes and the policy that they have: in place of [`tls`](Self::tls),
    /// and of [`encryption`](Self::encryption) and [`connector`](Self::connector).
    #[must_use]
    pub fn links(mut self, links: Links) -> Self {
        self.links = Some(links);
        self
    }

    /// How many connections may be open that are not authenticated, and how long those wait who fail too often. Default:
    /// [`Limits::default`].
    #[must_use]
    pub fn admission(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Has so many sessions at most, whoever dialled; who would be one more is refused, and may try again. Default:
    /// [`MAX_SESSIONS`].
    #[must_use]
    pub fn max_sessions(mut self, count: usize) -> Self {
        self.max_sessions = count;
        self
    }

    /// Actors of one peer that are represented here as members of process groups. Each takes some 11 KiB for as long as it
    /// lives. Those beyond are left out of their groups and [told](crate::NodeEvent::MembersLeftOut); the session goes on.
    /// Default: [`MAX_GROUPED_ACTORS`](shiome_session::MAX_GROUPED_ACTORS), 131 072.
    #[must_use]
    pub fn max_grouped_actors(mut self, count: usize) -> Self {
        self.session.max_grouped_actors = count;
        self
    }

    /// How connections that are accepted are protected, with an acceptor of one's own, as in `ractor_cluster`. It binds
    /// nobody to a name, which [`tls`](Self::tls) does. Default: not at all.
    #[must_use]
    pub fn encryption(mut self, mode: IncomingEncryptionMode) -> Self {
        self.encryption = Some(mode);
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

    /// Keeps connected to the nodes at these addresses, with or without scheme, from the start: see
    /// [`Node::keep_connected`].
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

    /// Bytes that a peer may have in the mailboxes of local actors, with 256 a message, before it has to wait until half of
    /// them are taken: then its casts, and whatever of it is longer than 64 KiB, wait on its side. So the memory of this
    /// node is bounded also where an actor is slower than its senders.
    ///
    /// An actor that takes less than 64 KiB in a second is not waited for, since all others would wait with it: its
    /// mailbox has no limit, nor has any that a node of `ractor_cluster` sends to. `usize::MAX` waits for nobody.
    /// Default: [`MAX_UNTAKEN_LEN`], 4 MiB.
    #[must_use]
    pub fn max_untaken(mut self, bytes: usize) -> Self {
        self.max_untaken = bytes;
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
        let ways = Ways::of(&mut self)?;
        self.check_peers(&ways)?;
        #[cfg(feature = "membership")]
        if self.joining.is_some() {
            let node = self.start_gossiping(ways).await?;
            return Ok(published(node));
        }
        let bound = ways.bind(&self).await?;
        self.start_on(ways, bound).await.map(published)
    }

    /// What is wrong with a peer is told before anything has begun.
    fn check_peers(&mut self, ways: &Ways) -> Result<(), BuildError> {
        let at_port = self.address.split_once('@').map(|(_, own)| own.to_owned());
        let own = at_port
            .iter()
            .chain(&self.advertised)
            .chain(&self.listen_at);
        let own: Vec<_> = own.cloned().collect();
        let dialer = &ways.dialer;
        self.peers
            .retain(|peer| !own.iter().any(|own| dialer.is_same(own, peer)));
        self.peers.sort();
        self.peers.dedup();
        self.peers
            .iter()
            .try_for_each(|peer| check_address(dialer, peer))?;
        if self.peers.len() > MAX_KEPT_CONNECTIONS {
            return Err(KeepError::TooMany.into());
        }
        Ok(())
    }

    /// Starts a node that listens there.
    pub(crate) async fn start_on(self, ways: Ways, bound: Bound) -> Result<Node, BuildError> {
        let (name, host, port) = parse_address(&self.address)?;
        let cookie = self.cookie.ok_or(BuildError::NoCookie)?;
        let local_addr = bound.addr();
        let listening: Arc<[_]> = bound.addresses().collect();
        let mode = self.mode.unwrap_or(NodeConnectionMode::Transitive);
        let exposure = Arc::new(Exposure::new(self.expose, self.policy));
        let address = (name.to_owned(), host.to_owned(), port);
        let node_server = NodeServer::with_links(address, cookie, ways.listens, ways.dialer)
            .with_mode(mode)
            .with_session_config(self.session)
            .with_listeners(bound.listeners, bound.addr.is_some())
            .with_advertised(self.advertised)
            .with_admission(self.limits)
            .with_max_sessions(self.max_sessions)
            .with_exposure(Arc::clone(&exposure))
            .with_overflow(self.overflow)
            .with_max_untaken(self.max_untaken)
            .with_native(self.native);
        let events = node_server.events().clone();
        let first = events.subscribe();
        let registry = Arc::clone(node_server.registry());
        let dialer = Arc::clone(node_server.dialer());
        let strangers = Arc::clone(node_server.strangers());
        let (server, _) = Actor::spawn(None, node_server, ()).await?;
        let sweep = Arc::clone(&exposure);
        Actor::spawn_linked(None, Sweeper, sweep, server.get_cell()).await?;
        let connector = Connector {
            server,
            registry,
            dialer,
            listening,
        };
        let node = Node::new(
            connector,
            (exposure, strangers),
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

/// The same node, whose metrics are published as long as it runs.
fn published(node: Node) -> Node {
    #[cfg(feature = "metrics")]
    tokio::spawn(crate::inspect::metrics::run(node.inspect()));
    node
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
