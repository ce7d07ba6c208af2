//! How a node dials and listens.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use shiome_transport::{
    Address, Links, Listener, Policy, TransportError,
    tls::{ClientConfig, ConfigError, Credentials, ServerConfig},
};

use super::{BuildError, Builder, MAX_LISTENERS, host_ip, parse_address};
use crate::{
    IncomingEncryptionMode,
    node::{Dialer, encrypted, listen_at},
    stream::with_websocket,
};

/// Both sides of shiome's own TLS.
pub(super) type Configs = Result<(ServerConfig, ClientConfig), ConfigError>;

/// Mutual TLS with these credentials, between nodes.
pub(super) fn configs(credentials: &Arc<Credentials>) -> Configs {
    let server = ServerConfig::builder(credentials).build()?;
    // Members are known by their names, and dialled by their addresses.
    Ok((server, ClientConfig::new(credentials)?.for_nodes()))
}

/// How a node dials and listens.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(super) listens: Links,
    pub(super) dialer: Dialer,
}

impl Ways {
    /// As the builder says, which is asked once.
    pub(super) fn of(builder: &mut Builder) -> Result<Self, BuildError> {
        if let Some(address) = &builder.advertised {
            let parsed: Result<Address, _> = address.parse();
            parsed.map_err(|_| BuildError::Advertised(address.clone()))?;
        }
        let drop_in = (builder.encryption.take(), builder.connector.take());
        match (builder.links.take(), builder.tls.take(), drop_in) {
            (Some(links), None, (None, None)) => Ok(Self::fixed(links)),
            (None, Some(configs), (None, None)) => {
                let (server, client) = configs?;
                let links = Links::new(Policy::Encrypted).with_tls(Some(server), Some(client));
                Ok(Self::fixed(with_websocket(links)))
            }
            (None, None, (encryption, connector)) => {
                let listens = encryption.unwrap_or(IncomingEncryptionMode::Raw).links();
                let dials = match connector {
                    Some(connector) => encrypted(listens.clone(), connector),
                    None => listens.clone(),
                };
                let dialer = Dialer::new(dials);
                Ok(Self { listens, dialer })
            }
            _ => Err(BuildError::LinksTwice),
        }
    }

    fn fixed(links: Links) -> Self {
        Self {
            listens: links.clone(),
            dialer: Dialer::fixed(links),
        }
    }

    /// Listens at all addresses of the node.
    pub(crate) async fn bind(&self, builder: &Builder) -> Result<Bound, BuildError> {
        if builder.listen_at.len() > MAX_LISTENERS {
            return Err(BuildError::TooManyListeners);
        }
        let mut listeners = Vec::new();
        let mut addr = None;
        if !builder.no_own_port {
            let own = self.bind_own(builder).await?;
            let bound = own.local().socket_addr();
            addr = Some(bound.ok_or_else(|| BuildError::Address(builder.address.clone()))?);
            listeners.push(own);
        }
        for address in &builder.listen_at {
            let listener = self.listen(address).await;
            listeners.push(listener.map_err(at(address))?);
        }
        Ok(Bound { addr, listeners })
    }

    async fn bind_own(&self, builder: &Builder) -> Result<Box<dyn Listener>, BuildError> {
        let (_, host, port) = parse_address(&builder.address)?;
        let ip = builder.listen.or_else(|| host_ip(host));
        let own = listen_at(&self.listens, ip, port).await;
        own.map_err(|error| match error {
            TransportError::Listen(error) => error.into(),
            error => at(&builder.address)(error),
        })
    }

    async fn listen(&self, address: &str) -> Result<Box<dyn Listener>, TransportError> {
        self.listens.listen(&self.listens.address(address)?).await
    }
}

/// Why an address cannot be listened at.
fn at(address: &str) -> impl FnOnce(TransportError) -> BuildError {
    let address = address.to_owned();
    |error| BuildError::ListenAt { address, error }
}

/// Where a node listens: at its own address first, if there.
pub(crate) struct Bound {
    pub(super) addr: Option<SocketAddr>,
    pub(super) listeners: Vec<Box<dyn Listener>>,
}

impl Bound {
    /// The node's own address; no port where there is none.
    pub(crate) fn addr(&self) -> SocketAddr {
        let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        self.addr.unwrap_or(nowhere)
    }

    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.listeners
            .iter()
            .map(|listener| listener.local().clone())
    }
}
