//! Membership by gossip: who is in the cluster, and a session with each.
//!
//! [`Roster`] decides whom to dial and which session to close, `driver` gives it time and events and does what it says.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use shiome_handshake::Cookie;
use shiome_membership::{Config, Key, Keyring, Resolve, Security};

mod driver;
mod handle;
mod member;
mod roster;
mod start;

pub(crate) use handle::Handle;
pub use member::Member;
pub(crate) use roster::Roster;
pub(crate) use start::Joining;
pub(crate) use {driver::lock as roster, member::node_address};

/// Name of the cluster unless another is given.
const DEFAULT_CLUSTER: &str = "shiome";

/// Sets the key of gossip apart from other uses of the cookie.
const KEY_LABEL: &str = "shiome gossip 1";

/// How a node gossips, for [`Builder::gossip`](crate::Builder::gossip). All nodes of a cluster should agree on it, but
/// for what is about the node itself: where it is reached and what it remembers.
///
/// # Members and sessions
///
/// A node keeps one session with each member: of two the one with the smaller id dials at once, the other a second or two
/// later if nobody has by then. A member that cannot be dialled, or that is no node of ours, is dialled again after
/// pauses that grow from a quarter of a second to a minute. 16 are dialled at a time.
///
/// Gossip knows members by address, sessions know peers by what they call themselves. They are brought together by the
/// address that a peer says it is dialled at, names being looked up, by the address that it came from with the port that
/// it says, and by where it was dialled. So a node should be known by the address that it
/// [advertises](Self::advertise). One that has several, and says another than it gossips, is dialled at the one that it
/// gossips although there is a session; the dial ends when the two find that they are connected, and is made again after
/// a minute if it taught nothing. Until it has, the end of that member closes no session.
///
/// A member that is down loses its session at once, but for one that began after the last sign of life that gossip can
/// have had: within `probe_period` × `suspicion.alpha`. There is somebody at that address.
///
/// Over TLS a member is dialled by its IP address, which its certificate has to name.
///
/// ```
/// use shiome_ractor::{Gossip, membership::Config};
///
/// let gossip = Gossip::new().config(Config::fast()).state_dir("/var/lib/example");
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Gossip {
    config: Config,
    port_offset: i32,
    advertise: Option<IpAddr>,
    cluster: String,
    security: Option<Security>,
    state_dir: Option<PathBuf>,
    resolver: Option<Arc<dyn Resolve>>,
}

impl Default for Gossip {
    fn default() -> Self {
        Self::new()
    }
}

impl Gossip {
    /// With the defaults.
    pub fn new() -> Self {
        let defaults = Self {
            config: Config::default(),
            port_offset: 0,
            advertise: None,
            cluster: DEFAULT_CLUSTER.to_owned(),
            security: None,
            state_dir: None,
            resolver: None,
        };
        defaults.config(Config::default())
    }

    /// How often members are probed, and how long a suspect has to object. Default: [`Config::default`], which finds a
    /// dead member in some seconds.
    ///
    /// Three fields have no effect. `cluster` is set by [the name](Self::cluster). `reliable_pings` is off: the node's
    /// own listener is on that port. `max_damping` is 0: a member whose end is not told would keep its session.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self.config.max_damping = Duration::ZERO;
        self
    }

    /// Gossips on the UDP port of the node's TCP port plus this, and expects the same of others: where a member gossips
    /// less this is where it is dialled. Default: 0, the same number. Nodes of `ember` use 10 000.
    ///
    /// Members whose gossip port is not above it are not dialled.
    pub fn port_offset(mut self, offset: i32) -> Self {
        self.port_offset = offset;
        self
    }

    /// The address at which others are told to reach this node. Default: the host of the node's address; if that is a
    /// name, the first address that it resolves to here, loopback last.
    pub fn advertise(mut self, ip: IpAddr) -> Self {
        self.advertise = Some(ip);
        self
    }

    /// Name of the cluster, to keep those apart that share a network and a cookie. It is no secret. Default: `shiome`.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// How gossip is protected. Default: encrypted with a key that is derived from the cookie, so that nobody without it
    /// can read gossip, or forge any.
    ///
    /// With [`Security::Plaintext`] whoever reaches the port can have this node dial any address, and close its sessions.
    pub fn security(mut self, security: impl Into<Security>) -> Self {
        self.security = Some(security.into());
        self
    }

    /// Directory where the node keeps its id and incarnation over a restart. One node uses it at a time; it is made if
    /// it is not there. Default: none, and each start is a new member, the old one being found gone.
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    /// Who looks the names of seeds up. Default: the operating system, A and AAAA records.
    pub fn resolver(mut self, resolver: impl Resolve) -> Self {
        self.resolver = Some(Arc::new(resolver));
        self
    }

    /// The least time from the last sign of life of a member to when it is called dead: the shortest that a suspect has
    /// to object.
    fn verdict_age(&self) -> Duration {
        self.config
            .probe_period
            .mul_f64(self.config.suspicion.alpha)
    }

    fn protection(&self, cookie: &Cookie) -> Security {
        let derived = || Keyring::new(&Key::from(*cookie.derive_key(KEY_LABEL))).into();
        self.security.clone().unwrap_or_else(derived)
    }
}
