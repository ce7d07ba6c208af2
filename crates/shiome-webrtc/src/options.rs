//! What can be told to [`Rtc`](crate::Rtc).

mod ice_server;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use shiome_bus::{BusError, Name, Pattern, PeerId, wire::DEFAULT_MAX_MESSAGE_LEN};
use shiome_transport::{Links, Policy};

use crate::{heartbeat::HEARTBEAT_RANGE, outbox::QUEUE};

pub(crate) use self::ice_server::Protocol;
pub use self::ice_server::{IceServer, IceServerError};

/// Time from the first signal until the channel is open, unless told otherwise.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Silence after which the other end is asked whether it is there, unless told otherwise. After two it is given up.
pub const HEARTBEAT: Duration = Duration::from_secs(5);

/// ICE servers at most: each costs sockets, time and traffic at every attempt.
pub const MAX_ICE_SERVERS: usize = 8;

/// Connections at the same time, unless told otherwise.
const MAX_CONNECTIONS: usize = 256;

/// Whether a peer may open a channel to us.
type Admits = dyn Fn(&PeerId) -> bool + Send + Sync;

/// Options of [`Rtc`](crate::Rtc).
#[derive(Clone)]
pub struct RtcOptions {
    pub(crate) ice_servers: Vec<IceServer>,
    links: Option<Links>,
    pub(crate) relay_only: bool,
    pub(crate) addresses: Option<Vec<IpAddr>>,
    pub(crate) admits: Arc<Admits>,
    pub(crate) connect_timeout: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) max_message: u64,
    pub(crate) max_connections: usize,
    pub(crate) queue: (usize, usize),
    pub(crate) unreliable: Vec<Pattern>,
}

impl Default for RtcOptions {
    fn default() -> Self {
        Self {
            ice_servers: Vec::new(),
            links: None,
            relay_only: false,
            addresses: None,
            admits: Arc::new(|_| false),
            connect_timeout: CONNECT_TIMEOUT,
            heartbeat: HEARTBEAT,
            max_message: DEFAULT_MAX_MESSAGE_LEN,
            max_connections: MAX_CONNECTIONS,
            queue: QUEUE,
            unreliable: Vec::new(),
        }
    }
}

impl RtcOptions {
    /// A server that tells us our address as others see it, or lends us one. At most [`MAX_ICE_SERVERS`]; more are left out.
    #[must_use]
    pub fn ice_server(mut self, server: IceServer) -> Self {
        if self.ice_servers.len() < MAX_ICE_SERVERS {
            self.ice_servers.push(server);
        }
        self
    }

    /// Reaches TURN servers over TCP and TLS by these, which have to have TLS for `turns:`:
    /// [`Links::with_tls_streams`]. Default: those of TCP.
    #[must_use]
    pub fn turn_links(self, links: Links) -> Self {
        Self {
            links: Some(links),
            ..self
        }
    }

    pub(crate) fn links(&self) -> Links {
        let tcp = || Links::new(Policy::Any);
        self.links.clone().unwrap_or_else(tcp)
    }

    /// Uses addresses that TURN servers lend and no others, so that the peer never learns ours. Default: all.
    #[must_use]
    pub fn relay_only(self) -> Self {
        Self {
            relay_only: true,
            ..self
        }
    }

    /// Addresses of this machine to be reached at. Default: those of its interfaces, but loopback when there are others.
    #[must_use]
    pub fn addresses(self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self {
            addresses: Some(addresses.into_iter().collect()),
            ..self
        }
    }

    /// Which peers may open a channel to us of their own accord. Default: none. Those that [`Rtc::connect`](crate::Rtc::connect) was called for may in
    /// any case. Called for each signal of a peer that is not connected; not to block.
    #[must_use]
    pub fn admit(self, admits: impl Fn(&PeerId) -> bool + Send + Sync + 'static) -> Self {
        Self {
            admits: Arc::new(admits),
            ..self
        }
    }

    /// Time from the first signal until the channel is open. Default [`CONNECT_TIMEOUT`].
    #[must_use]
    pub fn connect_timeout(self, connect_timeout: Duration) -> Self {
        Self {
            connect_timeout,
            ..self
        }
    }

    /// Silence after which the other end is asked whether it is there; after two it is given up. 100 ms to 25 s. Default [`HEARTBEAT`].
    #[must_use]
    pub fn heartbeat(self, heartbeat: Duration) -> Self {
        let [least, most] = HEARTBEAT_RANGE;
        Self {
            heartbeat: heartbeat.clamp(least, most),
            ..self
        }
    }

    /// Bytes of the longest message that is taken, 4 KiB to 16 MiB. Default
    /// [`DEFAULT_MAX_MESSAGE_LEN`].
    #[must_use]
    pub fn max_message(self, max_message: u64) -> Self {
        use shiome_bus::wire::{MAX_MAX_MESSAGE_LEN, MIN_MAX_MESSAGE_LEN};
        Self {
            max_message: max_message.clamp(MIN_MAX_MESSAGE_LEN, MAX_MAX_MESSAGE_LEN),
            ..self
        }
    }

    /// Connections at the same time, opened and being opened. Default 256.
    #[must_use]
    pub fn max_connections(self, max_connections: usize) -> Self {
        Self {
            max_connections,
            ..self
        }
    }

    /// Envelopes and bytes that may wait for a channel and its acknowledgement, together. Default 8192 and 4 MiB. One envelope always
    /// finds room in an empty queue; an end that takes more than 24 MiB before it is done with them gives the channel up.
    #[must_use]
    pub fn queue(self, envelopes: usize, bytes: usize) -> Self {
        Self {
            queue: (envelopes, bytes),
            ..self
        }
    }

    /// Intents of these names go over the channel that loses and reorders rather than wait, while there is one: when they fit into a
    /// datagram and nothing is waited for. They go in the lane of the bus itself, past all others, and so are [`Priority::System`] where they
    /// arrive. Default: none.
    ///
    /// [`Priority::System`]: shiome_bus::Priority::System
    ///
    /// # Errors
    ///
    /// [`BusError::InvalidName`] when it is no pattern.
    pub fn unreliable(mut self, pattern: &str) -> Result<Self, BusError> {
        self.unreliable.push(Pattern::new(pattern)?);
        Ok(self)
    }

    pub(crate) fn is_unreliable(&self, name: &Name) -> bool {
        self.unreliable.iter().any(|pattern| pattern.matches(name))
    }
}

impl fmt::Debug for RtcOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RtcOptions");
        out.field("ice_servers", &self.ice_servers);
        out.field("relay_only", &self.relay_only);
        out.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_admitted_unless_told() {
        let peer = PeerId::new("mallory").unwrap();
        assert!(!(RtcOptions::default().admits)(&peer));
        let options = RtcOptions::default().admit(|peer| peer.as_str() == "mallory");
        assert!((options.admits)(&peer));
    }
}
