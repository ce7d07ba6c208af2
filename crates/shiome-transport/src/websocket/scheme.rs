//! `ws://host:port/path` on `tcp`, `wss://host:port/path` on `tls`.

use std::sync::Arc;

use super::{Endpoint, Origins, accept, connect};
use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::Link,
    links::{Links, Scheme},
    listener::{Accepted, Bind, Listener},
};

impl Links {
    /// Adds `ws`, and `wss` if there is `tls` or when there is, see [`with_tls`](Self::with_tls). Listeners take clients at the
    /// path of their address, and the pages of these sites.
    pub fn with_websocket(mut self, origins: Origins) -> Self {
        self.web().origins = Some(origins);
        self.with_web()
    }

    /// Adds a scheme of this name, such as `wss+proxy`, to dial `wss` where TLS ends at a proxy in front of the node:
    /// `wss+proxy://host:port/path`. `wss` itself is no use there. Its handshake proves to both nodes that they are the ends
    /// of one TLS connection, and they are not.
    ///
    /// **The proxy is trusted** as the network between it and the node is: with all that is said, and with who says it. Its
    /// certificate must be for its host; the node behind it has the name that it says, as over `ws`, which is what it listens
    /// at. Peers lead nobody to these addresses.
    pub fn with_proxied_websocket(mut self, name: impl Into<String>) -> Self {
        self.web().proxied = Some(name.into());
        self.with_web()
    }
}

/// What WebSockets there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Web {
    /// For whose pages, if there are any.
    origins: Option<Origins>,
    /// What they are called that end at a proxy.
    proxied: Option<String>,
}

impl Web {
    /// The schemes, over those that there are.
    pub(crate) fn over(&self, links: &Links) -> Vec<(String, Scheme)> {
        let mut schemes = Vec::new();
        if let Some(origins) = &self.origins {
            for (name, below) in [("ws", "tcp"), ("wss", "tls")] {
                let scheme = links.below_web(below);
                let over = scheme.map(|scheme| scheme.over(below, origins));
                schemes.extend(over.map(|over| (name.to_owned(), over)));
            }
        }
        if let (Some(name), Some(below)) = (&self.proxied, links.below_web("tls")) {
            let mut over = Scheme::new(below.security);
            if let Some(below) = below.connector.clone() {
                over = over.with_connector(Proxied(Dials { below, name: "tls" }));
            }
            schemes.push((name.clone(), over));
        }
        schemes
    }
}

impl Scheme {
    fn over(&self, name: &'static str, origins: &Origins) -> Self {
        let mut over = Self::new(self.security);
        if let Some(below) = self.connector.clone() {
            over = over.with_connector(Dials { below, name });
        }
        if let Some(below) = self.bind.clone() {
            let origins = origins.clone();
            over = over.with_bind(Listens {
                below,
                name,
                origins,
            });
        }
        over
    }
}

struct Dials {
    below: Arc<dyn Connector>,
    name: &'static str,
}

impl Connector for Dials {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let link = self.below.dial(&below(address, self.name)).await?;
            let path = match address.path() {
                "" => "/",
                path => path,
            };
            Ok(connect(link, address.authority(), path).await?)
        })
    }
}

/// Dials the node behind a proxy.
struct Proxied(Dials);

impl Connector for Proxied {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let link = self.0.dial(address).await?;
            // Those are of the proxy.
            Ok(Link {
                channel_binding: None,
                identity: None,
                ..link
            })
        })
    }
}

struct Listens {
    below: Arc<dyn Bind>,
    name: &'static str,
    origins: Origins,
}

impl Bind for Listens {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let listener = self.below.listen(&below(address, self.name)).await?;
            let port = listener.local().port().unwrap_or_default();
            let listener: Box<dyn Listener> = Box::new(WebListener {
                listener,
                local: address.moved(address.scheme(), port),
                endpoint: Arc::new(Endpoint::new(self.origins.clone()).at(address.path())),
            });
            Ok(listener)
        })
    }
}

struct WebListener {
    listener: Box<dyn Listener>,
    local: Address,
    endpoint: Arc<Endpoint>,
}

impl Listener for WebListener {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let endpoint = Arc::clone(&self.endpoint);
            let accepted = self.listener.accept().await?;
            Ok(accepted.and_then(async move |link| Ok(accept(link, &endpoint).await?)))
        })
    }
}

/// The address of what it runs on.
fn below(address: &Address, scheme: &str) -> Address {
    address.moved(scheme, address.port().unwrap_or_default())
}
