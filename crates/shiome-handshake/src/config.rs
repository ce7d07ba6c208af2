use std::time::Duration;

use crate::cookie::Cookie;
use crate::digest::DigestScheme;

/// Default of [`Config::timeout`]: a handshake is four flights of a few bytes, and whoever has not proven the cookie
/// holds resources meanwhile.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// What this node says about itself. Peers refuse names that are empty or above
/// [`MAX_NAME_LEN`](crate::MAX_NAME_LEN).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// Full node name, `name@host`. Unique in the cluster.
    pub name: String,
    /// Address that other nodes dial, `host:port`. Unique in the cluster; empty if the node cannot be dialled.
    pub connection_string: String,
}

/// How to shake hands. The same for all connections of a node.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who we are.
    pub local: Local,
    /// The cluster's secret.
    pub cookie: Cookie,
    /// How challenges are answered, by all nodes of the cluster. Default: [`DigestScheme::Sha256`].
    pub scheme: DigestScheme,
    /// Time for the whole handshake, from construction to [`Event::Authenticated`](crate::Event::Authenticated). Default: [`DEFAULT_TIMEOUT`].
    pub timeout: Duration,
}

impl Config {
    /// The defaults for this node and cookie.
    pub fn new(local: Local, cookie: Cookie) -> Self {
        Self {
            local,
            cookie,
            scheme: DigestScheme::default(),
            timeout: DEFAULT_TIMEOUT,
        }
    }
}

/// Randomness for one handshake, from a cryptographic generator. Never used for another.
#[derive(Debug, Clone, Copy)]
pub struct Entropy {
    /// The challenge that this end issues.
    pub challenge: u32,
    /// The nonce of the connection, drawn by the client; the server's is not used. Zero would mean that there is none,
    /// so it is replaced by [`u64::MAX`], which loses every election.
    pub connection_id: u64,
}
