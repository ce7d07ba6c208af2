//! `mem:name`

use std::sync::Arc;

use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::{Link, Security},
    links::Scheme,
    listener::{Accepted, Bind, Listener, Remote},
    memory::{
        self, Network,
        fault::{Conditions, Faults},
    },
};

impl Network {
    /// The scheme of this network's addresses, for [`Links::with_scheme`](crate::Links::with_scheme) under `mem`; `from` is
    /// what listeners see as their peer.
    pub fn scheme(&self, from: impl Into<String>) -> Scheme {
        self.scheme_under(from, |_| Conditions::default(), |_, _| {})
    }

    /// As [`scheme`](Self::scheme), and links are dialled under the conditions of their address; `dialled` is told how to do
    /// harm to each.
    pub fn scheme_under(
        &self,
        from: impl Into<String>,
        conditions: impl Fn(&Address) -> Conditions + Send + Sync + 'static,
        dialled: impl Fn(&Address, Faults) + Send + Sync + 'static,
    ) -> Scheme {
        let end = Arc::new(End {
            network: self.clone(),
            from: from.into(),
            conditions: Box::new(conditions),
            dialled: Box::new(dialled),
        });
        Scheme::new(Security::Local)
            .with_connector(Arc::clone(&end))
            .with_bind(end)
    }
}

type Forecast = dyn Fn(&Address) -> Conditions + Send + Sync;
type OnDial = dyn Fn(&Address, Faults) + Send + Sync;

struct End {
    network: Network,
    from: String,
    conditions: Box<Forecast>,
    dialled: Box<OnDial>,
}

impl Connector for Arc<End> {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let conditions = (self.conditions)(address);
            let (link, faults) = self
                .network
                .dial_under(&self.from, address.rest(), conditions)
                .map_err(TransportError::Connect)?;
            (self.dialled)(address, faults);
            Ok(link)
        })
    }
}

impl Bind for Arc<End> {
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
