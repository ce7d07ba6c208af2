mod steps;

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use sha2::{Digest, Sha256};
use shiome_gossip::NodeId;
use shiome_swim::Config;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    discovery::{Discovery, Dns, MAX_SEEDS, Resolve},
    driver::{Driver, Parts},
    error::{StartError, TooManySeeds},
    membership::Membership,
    security::{Guard, Security},
    seed::{Seed, SeedError},
    socket::{BindError, Socket, canonical},
};
use steps::{identity, side_tasks};

/// A [`Membership`] before it is started.
#[derive(Clone)]
#[must_use = "does nothing until it is started"]
pub struct Builder {
    bind: SocketAddr,
    advertise: Option<SocketAddr>,
    cluster: Option<String>,
    id: Option<NodeId>,
    seeds: Result<Vec<Seed>, SeedError>,
    resolver: Arc<dyn Resolve>,
    resolve_interval: Duration,
    config: Config,
    security: Security,
    state_dir: Option<PathBuf>,
    reliable_pings: bool,
}

impl Builder {
    pub(crate) fn new(bind: SocketAddr) -> Self {
        Self {
            bind,
            advertise: None,
            cluster: None,
            id: None,
            seeds: Ok(Vec::new()),
            resolver: Arc::new(Dns),
            resolve_interval: Duration::from_secs(60),
            config: Config::default(),
            security: Security::Plaintext,
            state_dir: None,
            reliable_pings: true,
        }
    }

    /// Name of the cluster, which keeps clusters apart that reach each other. Its [hash](cluster_id) takes the place of
    /// [`Config::cluster`]. It is no secret. Default: none, and the configuration's id counts.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = Some(name.into());
        self
    }

    /// Where the others reach this node. Port 0 stands for the port that is bound. Default: the bound address, which
    /// must not be unspecified then.
    pub fn advertise(mut self, addr: SocketAddr) -> Self {
        self.advertise = Some(addr);
        self
    }

    /// The node's id. Default: that of the state directory, or a new one.
    ///
    /// With an id and no [`state_dir`](Self::state_dir), the node cannot know its former incarnation, and takes the
    /// time: seconds of Unix time × 256. Nodes of `ember-cluster` 0.4.9 do not believe incarnations above 1000, so give
    /// a state directory in a cluster with them. And if the clock is set back meanwhile, the others do not believe the
    /// node until it has caught up.
    pub fn id(mut self, id: NodeId) -> Self {
        self.id = Some(id);
        self
    }

    /// A node to ask for admission: a `host:port`, or an address. At most 64. This node may be among them, so that all
    /// can have the same list. Default: none, and this node waits to be asked.
    pub fn seed<S>(mut self, seed: S) -> Self
    where
        S: TryInto<Seed>,
        S::Error: Into<SeedError>,
    {
        if let Ok(seeds) = &mut self.seeds {
            match seed.try_into() {
                Ok(seed) => seeds.push(seed),
                Err(error) => self.seeds = Err(error.into()),
            }
        }
        self
    }

    /// More of [them](Self::seed).
    pub fn seeds<S>(self, seeds: impl IntoIterator<Item = S>) -> Self
    where
        S: TryInto<Seed>,
        S::Error: Into<SeedError>,
    {
        seeds.into_iter().fold(self, Self::seed)
    }

    /// Time from one lookup of the seeds' names to the next, give or take a tenth. After a failure it is at most 5 s.
    /// 1 s to 1 d, the nearer of which is taken; default: 60 s.
    pub fn resolve_interval(mut self, interval: Duration) -> Self {
        self.resolve_interval = interval.clamp(MIN_RESOLVE_INTERVAL, MAX_RESOLVE_INTERVAL);
        self
    }

    /// Who looks the seeds' names up. Default: the operating system, [`Dns`].
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// How the engine probes, suspects and gossips. `max_datagram_len` is the length with protection;
    /// `reliable_pings` is set by [the method](Self::reliable_pings). Default: [`Config::default`].
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// How gossip is protected. Default: not at all.
    pub fn security(mut self, security: impl Into<Security>) -> Self {
        self.security = security.into();
        self
    }

    /// Where the node keeps who it is over a restart: its id and incarnation. One node uses a directory at a time; it is
    /// made if it is not there. Default: none, and each start is a new node.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Whether members that do not answer datagrams are asked over TCP, and this node answers there: on the port number
    /// of gossip, so nothing else may listen there. A member without it is judged by datagrams alone. Default: true.
    pub fn reliable_pings(mut self, on: bool) -> Self {
        self.reliable_pings = on;
        self
    }

    /// Starts the node. It waits for the file system, not for the network: names are resolved, and seeds asked, when it
    /// runs. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time.
    pub async fn start(mut self) -> Result<Membership, StartError> {
        let seeds = std::mem::replace(&mut self.seeds, Ok(Vec::new()))?;
        if seeds.len() > MAX_SEEDS {
            return Err(TooManySeeds.into());
        }
        let config = self.engine_config();
        config.validate()?;
        self.security.check()?;
        let (socket, listener) = self.bind()?;
        let (local_addr, addr) = self.addrs(&socket)?;
        let identity = identity(self.state_dir.take(), self.id).await?;

        let context = self.context(&identity, config.cluster);
        let shared = self.shared(&identity, addr, &config, &context, socket.reach())?;
        let (seeds, changes) = watch::channel(seeds);
        let discovery = Discovery::new(Arc::clone(&shared), self.resolver, self.resolve_interval);
        let side_tasks = side_tasks(&shared, &context, listener, discovery.run(changes));
        let parts = Parts {
            socket,
            guard: Guard::new(Arc::clone(&context.protection), &self.security),
            recorder: identity.recorder,
            reliable: self
                .reliable_pings
                .then_some((context, config.probe_period)),
            side_tasks,
            message_len: config.max_datagram_len,
            overhead: self.security.overhead(),
        };
        let (driver, control) = Driver::new(Arc::clone(&shared), parts);
        Ok(Membership {
            shared,
            id: identity.id,
            addr,
            local_addr,
            seeds,
            control,
            driver: tokio::spawn(driver.run()).abort_handle(),
            leave_timeout: config.leave_timeout,
        })
    }

    /// What the engine is to go by.
    fn engine_config(&self) -> Config {
        let mut config = self.config.clone();
        if let Some(name) = &self.cluster {
            config.cluster = cluster_id(name);
        }
        let overhead = self.security.overhead();
        config.max_datagram_len = config.max_datagram_len.saturating_sub(overhead);
        config.reliable_pings = self.reliable_pings;
        config
    }

    fn bind(&self) -> Result<(Socket, Option<TcpListener>), StartError> {
        let addr = self.bind;
        if self.advertise.is_none() && addr.ip().is_unspecified() {
            return Err(StartError::NoAdvertisedAddr(addr));
        }
        Socket::bind(addr, self.reliable_pings).map_err(|error| match error {
            BindError::Udp(source) => StartError::Udp { addr, source },
            BindError::Tcp(source) => StartError::Tcp { addr, source },
        })
    }

    /// The bound and the advertised address.
    fn addrs(&self, socket: &Socket) -> Result<(SocketAddr, SocketAddr), StartError> {
        let local = socket.local_addr().map_err(|source| StartError::Udp {
            addr: self.bind,
            source,
        })?;
        let mut advertised = canonical(self.advertise.unwrap_or(local));
        if advertised.port() == 0 {
            advertised.set_port(local.port());
        }
        if can_be_reached(advertised.ip()) {
            Ok((local, advertised))
        } else {
            Err(StartError::AdvertisedAddr(advertised))
        }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("bind", &self.bind)
            .field("advertise", &self.advertise)
            .field("cluster", &self.cluster)
            .field("seeds", &self.seeds)
            .field("security", &self.security)
            .field("state_dir", &self.state_dir)
            .finish_non_exhaustive()
    }
}

const MIN_RESOLVE_INTERVAL: Duration = Duration::from_secs(1);
const MAX_RESOLVE_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// The id of the cluster of that name: the first eight bytes, little-endian, of SHA-256 over the name.
///
/// ```
/// assert_eq!(shiome_membership::cluster_id("production"), 0xddbe_be4e_ef18_8eab);
/// ```
pub fn cluster_id(name: &str) -> u64 {
    let hash: [u8; 32] = Sha256::digest(name).into();
    let (first, _) = hash.split_first_chunk().expect("the hash has 32 bytes");
    u64::from_le_bytes(*first)
}

/// Whether an address means one host, the same to all others.
fn can_be_reached(ip: IpAddr) -> bool {
    let is_local = match ip {
        IpAddr::V4(v4) => v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !(is_local || ip.is_unspecified() || ip.is_multicast())
}
