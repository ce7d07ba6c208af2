//! Membership by gossip: who is in the cluster, and a session with each.
//!
//! [`Roster`] decides whom to dial and which session to close, [`Driver`] gives it time and events and does what it says.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use shiome_handshake::Cookie;
use shiome_membership::{Config, Key, Keyring, Security};

mod driver;
mod member;
mod roster;
mod start;

pub(crate) use driver::Handle;
pub use member::Member;
use roster::Roster;
pub(crate) use start::Joining;

/// Name of the cluster unless another is given.
const DEFAULT_CLUSTER: &str = "shiome";

/// Sets the key of gossip apart from other uses of the cookie.
const KEY_LABEL: &str = "shiome gossip 1";

/// How a node gossips, for [`Builder::gossip`](crate::Builder::gossip). All nodes of a cluster should agree on it, but
/// for what is about the node itself: where it is reached and what it remembers.
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
