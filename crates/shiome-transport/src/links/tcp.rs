//! `tcp://host:port`

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use tokio::net::{TcpListener, TcpStream, lookup_host};

use super::Scheme;
use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::{Link, Security},
    listener::{Accepted, Bind, Listener},
    tcp,
};

pub(super) fn scheme() -> Scheme {
    Scheme::new(Security::Plain)
        .with_connector(Tcp)
        .with_bind(Tcp)
}

struct Tcp;

impl Connector for Tcp {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async { Ok(Link::tcp(dial(address).await?)) })
    }
}

impl Bind for Tcp {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let listener: Box<dyn Listener> = Box::new(Sockets::listen(address).await?);
            Ok(listener)
        })
    }
}

/// Connects to the host of an address that has one.
pub(super) async fn dial(address: &Address) -> Result<TcpStream, TransportError> {
    let (host, port) = host_and_port(address).map_err(TransportError::Connect)?;
    tcp::dial((host, port))
        .await
        .map_err(TransportError::Connect)
}

/// Listens on TCP.
pub(super) struct Sockets {
    listener: TcpListener,
    pub(super) local: Address,
}

impl Sockets {
    pub(super) async fn listen(address: &Address) -> Result<Self, TransportError> {
        let bound = async {
            let addr = resolve(address).await?;
            // The unspecified address of IPv6 stands for all of both versions.
            let only = (addr.ip() != IpAddr::V6(Ipv6Addr::UNSPECIFIED)).then_some(addr.ip());
            let listener = tcp::listen(only, addr.port())?;
            let bound = listener.local_addr()?;
            let local = if addr.ip().is_unspecified() {
                // Of IPv4 where the host has no IPv6.
                address.at(bound)
            } else {
                address.moved(address.scheme(), bound.port())
            };
            Ok((listener, local))
        };
        let (listener, local) = bound.await.map_err(TransportError::Listen)?;
        Ok(Self { listener, local })
    }

    /// The next connection.
    pub(super) async fn accept(&self) -> Result<(TcpStream, SocketAddr), TransportError> {
        loop {
            match self.listener.accept().await {
                // Gone before it was accepted, which is no fault of the listener.
                Err(error) if is_gone(&error) => {}
                accepted => return accepted.map_err(TransportError::Accept),
            }
        }
    }
}

impl Listener for Sockets {
    fn local(&self) -> &Address {
        &self.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let (stream, peer) = Self::accept(self).await?;
            Ok(Accepted::new(peer.into(), async {
                stream.set_nodelay(true).map_err(TransportError::Lost)?;
                Ok(Link::tcp(stream))
            }))
        })
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

fn host_and_port(address: &Address) -> io::Result<(&str, u16)> {
    let parts = address.host().zip(address.port());
    parts.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "address without a host"))
}

async fn resolve(address: &Address) -> io::Result<SocketAddr> {
    let mut addrs = lookup_host(host_and_port(address)?).await?;
    addrs
        .next()
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "host without an address"))
}
