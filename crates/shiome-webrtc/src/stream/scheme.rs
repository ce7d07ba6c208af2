//! How links are dialled, and listened for.

use std::io;

use shiome_bus::{BusError, PeerId};
use shiome_transport::{
    Accepted, Address, Bind, BoxFuture, Connector, Link, Listener, Remote, TransportError,
};
use tokio::sync::mpsc;

use super::{Arrival, BACKLOG, RtcLinks, SCHEME};
use crate::{Failure, session::Start, signal::SessionId};

impl Connector for RtcLinks {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async move {
            let remote = PeerId::new(address.rest());
            let remote = remote.map_err(|error| TransportError::Other(Box::new(error)))?;
            let state = &self.shared.state;
            if state.peer.upgrade().is_none_or(|peer| peer.is_closed()) {
                return Err(other(Failure::Signalling(BusError::Closed(
                    state.local.clone(),
                ))));
            }
            let opened = state.begin(remote, SessionId::random(), Start::Offer);
            let opened = opened.map_err(other)?.await;
            opened.map_err(|_| gone())?.map_err(other)
        })
    }
}

impl Bind for RtcLinks {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async move {
            let listen = |kind: io::ErrorKind| TransportError::Listen(kind.into());
            if address.rest() != self.shared.state.local.as_str() {
                return Err(listen(io::ErrorKind::AddrNotAvailable));
            }
            let (sender, arrivals) = mpsc::channel(BACKLOG);
            let mut tables = self.shared.state.tables();
            let listens = tables.listener.as_ref();
            if listens.is_some_and(|listener| !listener.is_closed()) {
                return Err(listen(io::ErrorKind::AddrInUse));
            }
            tables.listener = Some(sender);
            let listener: Box<dyn Listener> = Box::new(RtcListener {
                local: address.clone(),
                arrivals,
                _links: self.clone(),
            });
            Ok(listener)
        })
    }
}

/// Where links to one peer arrive.
struct RtcListener {
    local: Address,
    arrivals: mpsc::Receiver<Arrival>,
    _links: RtcLinks,
}

impl Listener for RtcListener {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let Some(Arrival { from, opened }) = self.arrivals.recv().await else {
                // Its sender is in the tables of the links that it holds.
                return Err(TransportError::Accept(io::ErrorKind::NotConnected.into()));
            };
            let remote = Remote::labelled(format!("{SCHEME}:{from}"));
            Ok(Accepted::new(remote, async move {
                opened.await.map_err(|_| gone())?.map_err(other)
            }))
        })
    }
}

fn other(failure: Failure) -> TransportError {
    TransportError::Other(Box::new(failure))
}

/// The runtime ends, and the connection with it.
fn gone() -> TransportError {
    TransportError::Connect(io::ErrorKind::ConnectionAborted.into())
}
