//! Addresses that servers tell and lend, from their names on.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use shiome_transport::{Links, TransportError};
use str0m::Candidate;
use tokio::task::JoinSet;

use super::Context;
use crate::{
    Failure, IceServer,
    gather::{Gatherer, Over, Packet, Routed, Server},
    net::{Net, Socket, Streamed},
    options::Protocol,
};

/// Addresses of a server that are asked, of each family.
const ADDRESSES: usize = 1;

/// First the names of the servers, then the servers: each as soon as it is known.
pub(crate) struct Gathering {
    relay_only: bool,
    resolving: JoinSet<Vec<Found>>,
    gatherer: Gatherer,
    found: bool,
    ended: bool,
}

/// A server whose address is known, and the stream to it, if there is one.
pub(crate) struct Found {
    server: Server,
    pub(crate) stream: Option<Arc<dyn Socket>>,
}

impl Gathering {
    pub(super) fn new(now: Instant, context: &Context, sockets: &[Arc<dyn Socket>]) -> Self {
        let hosts: Vec<_> = sockets.iter().map(|socket| socket.local_addr()).collect();
        let mut resolving = JoinSet::new();
        for server in &context.options.ice_servers {
            let links = context.options.links();
            resolving.spawn(resolve(server.clone(), context.net.clone(), links));
        }
        Self {
            relay_only: context.options.relay_only,
            gatherer: Gatherer::new(now, &hosts, context.options.relay_only),
            resolving,
            found: false,
            ended: false,
        }
    }

    /// Servers whose addresses are known now. Cancel-safe.
    pub(crate) async fn resolved(&mut self) -> Vec<Found> {
        match self.resolving.join_next().await {
            // One that ends otherwise is cut off with the runtime.
            Some(found) => found.unwrap_or_default(),
            None => std::future::pending().await,
        }
    }

    /// Asks a server.
    pub(super) fn ask(&mut self, now: Instant, found: &Found) {
        self.gatherer.add(now, &found.server);
    }

    /// There is no stream to a server after all.
    pub(super) fn refuse(&mut self, now: Instant, mut found: Found) {
        found.server.over = Over::Nothing;
        self.ask(now, &found);
    }

    /// Lets datagrams from there come to lent addresses.
    pub(super) fn permit(&mut self, now: Instant, address: IpAddr) {
        self.gatherer.permit(now, address);
    }

    pub(super) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Routed {
        self.gatherer.handle_datagram(now, local, source, bytes)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if self.gatherer.timeout().is_some_and(|at| at <= now) {
            self.gatherer.handle_timeout(now);
        }
    }

    pub(super) fn timeout(&self) -> Option<Instant> {
        self.gatherer.timeout()
    }

    pub(super) fn poll_candidate(&mut self) -> Option<Candidate> {
        let candidate = self.gatherer.poll_candidate()?;
        self.found = true;
        Some(candidate)
    }

    pub(super) fn poll_transmit(&mut self) -> Option<Packet> {
        self.gatherer.poll_transmit()
    }

    /// Sends from a lent address. Whether `from` is one.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        self.gatherer.relay(now, from, to, bytes)
    }

    /// Whether no more will be found, said once.
    pub(super) fn ends(&mut self) -> bool {
        let done = self.resolving.is_empty() && self.gatherer.is_done();
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
                self.gatherer.failure().unwrap_or(failure)
            }
            other => other,
        }
    }

    pub(crate) fn close(&mut self, now: Instant) {
        self.gatherer.close(now);
    }
}

/// The addresses of a server, and the stream to it where it is reached by one.
async fn resolve(server: IceServer, net: Arc<dyn Net>, links: Links) -> Vec<Found> {
    let addresses = net.resolve(server.host.clone(), server.port).await;
    let addresses = addresses.unwrap_or_default();
    let at = |address: &SocketAddr| Server {
        address: *address,
        over: Over::Datagrams,
        credentials: server.credentials.clone(),
    };
    if server.protocol != Protocol::Udp {
        let first = addresses.first().map(at);
        return match first {
            Some(known) => vec![open(&server, known, &links).await],
            None => Vec::new(),
        };
    }
    let family = |v4| {
        let family = addresses
            .iter()
            .filter(move |address| address.is_ipv4() == v4);
        family.take(ADDRESSES)
    };
    let asked = family(true).chain(family(false)).map(at);
    let found = |server| Found {
        server,
        stream: None,
    };
    asked.map(found).collect()
}

/// Opens a stream to a server, which is known to have that address.
async fn open(server: &IceServer, known: Server, links: &Links) -> Found {
    let opened = async {
        let link = links
            .dial(&links.address(&server.stream_address())?)
            .await?;
        Ok::<_, TransportError>(link.addrs.zip(Some(link)))
    };
    match opened.await {
        Ok(Some((addrs, link))) => Found {
            server: Server {
                address: addrs.peer,
                over: Over::Stream(addrs.local),
                ..known
            },
            stream: Some(Arc::new(Streamed::new(addrs, (link.reader, link.writer)))),
        },
        failed => {
            let error = failed.err();
            tracing::debug!(?error, server = %known.address, "TURN server");
            Found {
                server: Server {
                    over: Over::Nothing,
                    ..known
                },
                stream: None,
            }
        }
    }
}
