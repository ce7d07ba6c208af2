//! `mem:name`

use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::{Link, Security},
    links::Scheme,
    listener::{Accepted, Bind, Listener, Remote},
    memory::{self, Network},
};

impl Network {
    /// The scheme of this network's addresses, for [`Links::with_scheme`](crate::Links::with_scheme) under `mem`; `from` is
    /// what listeners see as their peer.
    pub fn scheme(&self, from: impl Into<String>) -> Scheme {
        let end = End {
            network: self.clone(),
            from: from.into(),
        };
        Scheme::new(Security::Local)
            .with_connector(end.clone())
            .with_bind(end)
    }
}

#[derive(Clone)]
struct End {
    network: Network,
    from: String,
}

impl Connector for End {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let dialled = self.network.dial(&self.from, address.rest());
            dialled.map_err(TransportError::Connect)
        })
    }
}

impl Bind for End {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let listener = self.network.listen(address.rest());
            let listener: Box<dyn Listener> = Box::new(MemoryListener {
                listener: listener.map_err(TransportError::Listen)?,
                local: address.clone(),
            });
            Ok(listener)
        })
    }
}

struct MemoryListener {
    listener: memory::Listener,
    local: Address,
}

impl Listener for MemoryListener {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let link = self.listener.accept().await;
            let link = link.map_err(TransportError::Accept)?;
            let remote = Remote::labelled(link.peer.clone());
            Ok(Accepted::new(remote, async { Ok(link) }))
        })
    }
}
