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
    /// Adds `ws`, and `wss` if there is `tls` already, see [`with_tls`](Self::with_tls). Listeners take clients at the path of
    /// their address, and the pages of these sites.
    pub fn with_websocket(self, origins: Origins) -> Self {
        let mut links = self;
        for (name, below) in [("ws", "tcp"), ("wss", "tls")] {
            if let Some(scheme) = links.below_web(below) {
                let over = scheme.over(below, &origins);
                links = links.with_scheme(name, over);
            }
        }
        links
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
            Ok(connect(link, address.authority(), address.path()).await?)
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
