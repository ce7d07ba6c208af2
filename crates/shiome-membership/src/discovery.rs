//! Where the seeds are: names are resolved again and again, for addresses change.

use std::{collections::HashMap, fmt, io, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use thiserror::Error;
use tokio::{
    net::lookup_host,
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    seed::{Host, Seed},
    shared::Shared,
    socket::{Reach, canonical},
};

/// Most seeds. A few suffice, and each name is a lookup.
pub(crate) const MAX_SEEDS: usize = 64;

/// Most addresses of seeds, however many the names stand for. Each is asked until one answers.
const MAX_SEED_ADDRS: usize = 256;

/// How long one lookup may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time until names that did not resolve are tried again.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// Finds the addresses that a seed's name stands for.
///
/// Implement it to find seeds elsewhere than in the DNS, such as in a registry of services.
pub trait Resolve: fmt::Debug + Send + Sync + 'static {
    /// All addresses of `name`, with the port of each, which need not be `port`.
    ///
    /// It is dropped when it takes longer than 10 s, or the seeds change.
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Resolving<'a>;
}

/// A lookup on its way.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// The operating system's resolver: A and AAAA records, and the hosts file.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Dns;

impl Resolve for Dns {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(lookup_host((name, port)).await?.collect()) })
    }
}

/// Why a name stands for no address.
#[derive(Debug, Error)]
enum ResolveError {
    #[error(transparent)]
    Lookup(#[from] io::Error),
    #[error("no answer in time")]
    Timeout,
    #[error("no address that this socket reaches")]
    NoAddress,
}

impl<R: Resolve + ?Sized> Resolve for Arc<R> {
    fn resolve<'a>(&'a self, name: &'a str, port: u16) -> Resolving<'a> {
        (**self).resolve(name, port)
    }
}

/// Some names did not resolve.
#[derive(Debug)]
struct Unresolved;

/// Tells the engine where the seeds are.
#[derive(Debug)]
pub(crate) struct Discovery {
    shared: Arc<Shared>,
    resolver: Arc<dyn Resolve>,
    /// Between two lookups of the same name.
    interval: Duration,
    /// What the names stood for when they last resolved. A resolver that fails takes no seed away.
    resolved: HashMap<Seed, Vec<SocketAddr>>,
    /// What the engine was told.
    told: Vec<SocketAddr>,
}

impl Discovery {
    pub(crate) fn new(shared: Arc<Shared>, resolver: Arc<dyn Resolve>, interval: Duration) -> Self {
        Self {
            shared,
            resolver,
            interval,
            resolved: HashMap::new(),
            told: Vec::new(),
        }
    }

    /// Runs until the seeds cannot change any more.
    pub(crate) async fn run(mut self, mut changes: watch::Receiver<Vec<Seed>>) {
        loop {
            let seeds = changes.borrow_and_update().clone();
            self.resolved.retain(|seed, _| seeds.contains(seed));
            // Those that need no lookup are not kept waiting.
            self.tell(&seeds);
            tokio::select! {
                () = self.resolve_repeatedly(&seeds) => {}
                changed = changes.changed() => if changed.is_err() {
                    return;
                },
            }
        }
    }

    async fn resolve_repeatedly(&mut self, seeds: &[Seed]) {
        if !seeds.iter().any(|seed| matches!(seed.0, Host::Name(..))) {
            return std::future::pending().await;
        }
        loop {
            let interval = match self.resolve(seeds).await {
                Ok(()) => self.interval,
                Err(Unresolved) => self.interval.min(RETRY_INTERVAL),
            };
            // Nodes that started together do not ask together.
            sleep(interval.mul_f64(rand::random_range(0.9..1.1))).await;
        }
    }

    /// Looks all names up, and tells the engine as soon as one resolves.
    async fn resolve(&mut self, seeds: &[Seed]) -> Result<(), Unresolved> {
        let mut lookups = JoinSet::new();
        for seed in seeds {
            if let Host::Name(name, port) = seed.0.clone() {
                let (resolver, reach) = (Arc::clone(&self.resolver), self.shared.reach);
                let seed = seed.clone();
                lookups.spawn(async move { (seed, lookup(&*resolver, &name, port, reach).await) });
            }
        }
        let mut result = Ok(());
        while let Some(lookup) = lookups.join_next().await {
            match lookup {
                Ok((seed, Ok(addrs))) => {
                    self.resolved.insert(seed, addrs);
                    self.tell(seeds);
                }
                Ok((seed, Err(error))) => {
                    result = Err(Unresolved);
                    self.shared.counters.resolve_failed.increment();
                    tracing::warn!(%seed, %error, "cannot resolve a seed");
                }
                // The runtime ends.
                Err(_) => result = Err(Unresolved),
            }
        }
        result
    }

    fn tell(&mut self, seeds: &[Seed]) {
        let mut addrs = Vec::new();
        for seed in seeds {
            let of_seed = match &seed.0 {
                Host::Addr(addr) => std::slice::from_ref(addr),
                Host::Name(..) => self.resolved.get(seed).map_or(&[][..], Vec::as_slice),
            };
            for addr in of_seed {
                let addr = canonical(*addr);
                if addrs.len() < MAX_SEED_ADDRS && !addrs.contains(&addr) {
                    addrs.push(addr);
                }
            }
        }
        if addrs != self.told {
            self.shared.apply(|engine, now| engine.join(now, &addrs));
            self.told = addrs;
        }
    }
}

/// All addresses of a host that the socket can send to.
async fn lookup(
    resolver: &dyn Resolve,
    name: &str,
    port: u16,
    reach: Reach,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let found = timeout(LOOKUP_TIMEOUT, resolver.resolve(name, port))
        .await
        .map_err(|_| ResolveError::Timeout)??;
    let addrs: Vec<_> = found
        .into_iter()
        .filter(|addr| reach.reaches(*addr))
        .collect();
    if addrs.is_empty() {
        return Err(ResolveError::NoAddress);
    }
    Ok(addrs)
}
