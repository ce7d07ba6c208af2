use std::fmt;
use std::time::Duration;

use shiome_wire::Capabilities;

use crate::cookie::Cookie;
use crate::digest::DigestScheme;
use crate::hello::NONCE_LEN;

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

/// What this node tells nodes of shiome that it can take. Peers refuse what is out of range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// Messages that may be sent to this node.
    pub capabilities: Capabilities,
    /// Tells runs of this node apart: a later run has a greater one, such as the time of its start. Never 0.
    pub incarnation: u64,
    /// Longest frame body that this node takes, in bytes. At least
    /// [`MIN_ANNOUNCED_LIMIT`](crate::MIN_ANNOUNCED_LIMIT).
    pub max_frame_len: u64,
    /// Longest message that this node puts together from fragments, in bytes. At least `max_frame_len`.
    pub max_message_len: u64,
    /// Bytes of unfinished messages that this node holds at a time. At least `max_message_len`.
    pub max_reassembly_len: u64,
    /// Bytes of casts and fragments that this node takes before it grants more. At least
    /// [`MIN_ANNOUNCED_LIMIT`](crate::MIN_ANNOUNCED_LIMIT).
    pub window: u64,
}

/// How to shake hands. The same for all connections of a node, but for the channel binding.
#[derive(Clone)]
pub struct Config {
    /// Who we are.
    pub local: Local,
    /// The cluster's secret.
    pub cookie: Cookie,
    /// How challenges are answered, by all nodes of the cluster. Default: [`DigestScheme::Sha256`].
    pub scheme: DigestScheme,
    /// Time for the whole handshake, from construction to [`Event::Authenticated`](crate::Event::Authenticated).
    /// Default: [`DEFAULT_TIMEOUT`].
    pub timeout: Duration,
    /// What nodes of shiome are told. Default: nothing, and what they tell is not read: all peers are spoken to as
    /// published nodes are, and the [`Proof`](shiome_wire::native::Proof) that they send afterwards is to be skipped.
    pub native: Option<Announce>,
    /// Whether to refuse peers that announce nothing, and so also peers whose announcement somebody took away. Without
    /// `native` this refuses all. Default: no.
    pub require_native: bool,
    /// What both ends of the channel around the connection know and nobody else: on TLS, 32 bytes exported under the
    /// label `EXPORTER-shiome-native` without context (RFC 8446 §7.5). The peer must have the same. Default: none.
    pub channel_binding: Option<[u8; 32]>,
}

impl Config {
    /// The defaults for this node and cookie.
    pub fn new(local: Local, cookie: Cookie) -> Self {
        Self {
            local,
            cookie,
            scheme: DigestScheme::default(),
            timeout: DEFAULT_TIMEOUT,
            native: None,
            require_native: false,
            channel_binding: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("local", &self.local)
            .field("scheme", &self.scheme)
            .field("timeout", &self.timeout)
            .field("native", &self.native)
            .field("require_native", &self.require_native)
            .field("is_bound", &self.channel_binding.is_some())
            .finish_non_exhaustive()
    }
}

/// Randomness for one handshake, from a cryptographic generator. Never used for another.
#[derive(Clone, Copy)]
pub struct Entropy {
    /// The challenge that this end issues.
    pub challenge: u32,
    /// The nonce of the connection, drawn by the client; the server's is not used. Zero would mean that there is none,
    /// so it is replaced by [`u64::MAX`], which loses every election.
    pub connection_id: u64,
    /// The nonce of this end's Hello. Not used without [`Config::native`].
    pub nonce: [u8; NONCE_LEN],
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}
