use std::{fmt, net::IpAddr, sync::Arc};

use ractor::{Actor, SpawnErr};
use shiome_transport::tcp;
use thiserror::Error;
use tokio_rustls::TlsConnector;

use crate::{
    IncomingEncryptionMode, Node,
    events::Broadcast,
    node::{NodeConnectionMode, NodeServer},
};

pub use shiome_handshake::Cookie;

/// A [`Node`] before it is started.
pub struct Builder {
    address: String,
    cookie: Option<Cookie>,
    listen: Option<IpAddr>,
    encryption: IncomingEncryptionMode,
    connector: Option<TlsConnector>,
    mode: NodeConnectionMode,
    session: shiome_session::Config,
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
            mode: NodeConnectionMode::Transitive,
            session: shiome_session::Config::default(),
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

    /// What to do with the nodes that peers are connected to. Default: connect to them too.
    #[must_use]
    pub fn connection_mode(mut self, mode: NodeConnectionMode) -> Self {
        self.mode = mode;
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
    pub async fn start(self) -> Result<Node, BuildError> {
        let (name, host, port) = parse_address(&self.address)?;
        let cookie = self.cookie.ok_or(BuildError::NoCookie)?;
        let ip = self.listen.or_else(|| host_ip(host));
        let listener = tcp::listen(ip, port)?.into_std()?;
        let local_addr = listener.local_addr()?;

        let (encryption, mode) = (Some(self.encryption), Some(self.mode));
        let (name_owned, host_owned) = (name.to_owned(), host.to_owned());
        let (events, first) = Broadcast::new();
        let node_server =
            NodeServer::with_cookie(port, cookie, name_owned, host_owned, encryption, mode)
                .with_session_config(self.session)
                .with_listener(listener)
                .with_subscription("shiome node", events.clone());
        let registry = Arc::clone(node_server.registry());
        let dialer = Arc::clone(node_server.dialer());
        if let Some(connector) = self.connector {
            dialer.use_connector(connector);
        }
        let (server, _) = Actor::spawn(None, node_server, ()).await?;
        Ok(Node::new(
            server,
            registry,
            dialer,
            format!("{name}@{host}"),
            local_addr,
            (events, first),
        ))
    }
}

/// Splits `name@host:port`.
fn parse_address(address: &str) -> Result<(&str, &str, u16), BuildError> {
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
fn host_ip(host: &str) -> Option<IpAddr> {
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
