//! Addresses that servers tell and lend, from their names on.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use shiome_bus::BoxFuture;
use str0m::Candidate;

use super::Context;
use crate::{
    Failure,
    connection::MAX_CANDIDATES,
    gather::{Gatherer, Packet, Routed, Server},
    net::Socket,
};

/// Addresses of a server that are asked, of each family.
const ADDRESSES: usize = 1;

/// First the names of the servers, then the servers.
pub(crate) struct Gathering {
    hosts: Vec<SocketAddr>,
    relay_only: bool,
    resolving: Option<BoxFuture<'static, Vec<Server>>>,
    gatherer: Option<Gatherer>,
    /// Addresses that were told before there was a server to tell.
    permits: Vec<IpAddr>,
    found: bool,
    ended: bool,
}

impl Gathering {
    pub(super) fn new(context: &Context, sockets: &[Box<dyn Socket>]) -> Self {
        let hosts = sockets.iter().map(|socket| socket.local_addr()).collect();
        let servers = context.options.ice_servers.clone();
        let net = context.net.clone();
        let resolve = async move {
            let mut found = Vec::new();
            for server in servers {
                let addresses = net.resolve(server.host, server.port).await;
                let addresses = addresses.unwrap_or_default();
                for v4 in [true, false] {
                    let family = addresses.iter().filter(|address| address.is_ipv4() == v4);
                    found.extend(family.take(ADDRESSES).map(|address| Server {
                        address: *address,
                        credentials: server.credentials.clone(),
                    }));
                }
            }
            found
        };
        Self {
            hosts,
            relay_only: context.options.relay_only,
            resolving: Some(Box::pin(resolve)),
            gatherer: None,
            permits: Vec::new(),
            found: false,
            ended: false,
        }
    }

    /// The addresses of the servers. Cancel-safe.
    pub(crate) async fn resolved(&mut self) -> Vec<Server> {
        match &mut self.resolving {
            Some(resolving) => {
                let found = resolving.await;
                self.resolving = None;
                found
            }
            None => std::future::pending().await,
        }
    }

    pub(crate) fn begin(&mut self, now: Instant, servers: &[Server]) {
        let mut gatherer = Gatherer::new(now, servers, &self.hosts, self.relay_only);
        for permit in self.permits.drain(..) {
            gatherer.permit(now, permit);
        }
        self.gatherer = Some(gatherer);
    }

    /// Lets datagrams from there come to lent addresses.
    pub(super) fn permit(&mut self, now: Instant, address: IpAddr) {
        match &mut self.gatherer {
            Some(gatherer) => gatherer.permit(now, address),
            None if self.permits.len() < MAX_CANDIDATES => self.permits.push(address),
            None => {}
        }
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Routed {
        let gatherer = self.gatherer.as_mut();
        gatherer.map_or(Routed::Theirs, |gatherer| {
            gatherer.handle_datagram(now, local, source, bytes)
        })
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some(gatherer) = &mut self.gatherer
            && gatherer.timeout().is_some_and(|at| at <= now)
        {
            gatherer.handle_timeout(now);
        }
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.gatherer.as_ref()?.timeout()
    }

    pub(super) fn poll_candidate(&mut self) -> Option<Candidate> {
        let candidate = self.gatherer.as_mut()?.poll_candidate()?;
        self.found = true;
        Some(candidate)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Packet> {
        self.gatherer.as_mut()?.poll_transmit()
    }

    /// Sends from a lent address. Whether `from` is one.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let gatherer = self.gatherer.as_mut();
        gatherer.is_some_and(|gatherer| gatherer.relay(now, from, to, bytes))
    }

    /// Whether no more will be found, said once.
    pub(super) fn ends(&mut self) -> bool {
        let done = self.gatherer.as_ref().is_some_and(Gatherer::is_done);
        done && !std::mem::replace(&mut self.ended, true)
    }

    /// Why nothing can come of it, if that is so.
    pub(super) fn hopeless(&self) -> Option<Failure> {
        let none = self.relay_only && !self.found;
        none.then(|| self.explain(Failure::NoCandidates))
    }

    /// The reason behind a failure.
    pub(crate) fn explain(&self, failure: Failure) -> Failure {
        match failure {
            Failure::NoCandidates | Failure::ChecksFailed => {
                let behind = self.gatherer.as_ref().and_then(Gatherer::failure);
                behind.unwrap_or(failure)
            }
            other => other,
        }
    }

    pub(crate) fn close(&mut self, now: Instant) {
        if let Some(gatherer) = &mut self.gatherer {
            gatherer.close(now);
        }
    }
}
