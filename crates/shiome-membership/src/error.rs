use std::{io, net::SocketAddr};

use shiome_swim::ConfigError;
use thiserror::Error;

use crate::{discovery::MAX_SEEDS, security::MigrationError, seed::SeedError, state::StateError};

/// A node was not started: no task runs and no port is taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The others cannot reach `0.0.0.0` or `[::]`: name an address with
    /// [`Builder::advertise`](crate::Builder::advertise).
    #[error("bound to {0}, and no address is advertised")]
    NoAdvertisedAddr(SocketAddr),
    /// The advertised address is unspecified, multicast, IPv4 broadcast, or link-local of IPv6, whose scope no datagram
    /// can carry.
    #[error("others cannot reach {0}")]
    AdvertisedAddr(SocketAddr),
    /// The UDP port cannot be bound.
    #[error("cannot bind UDP {addr}")]
    Udp {
        /// What was to be bound.
        addr: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The TCP port of the same number cannot be bound, for reliable pings. Choose another port, or do without
    /// [them](crate::Builder::reliable_pings).
    #[error("cannot bind TCP {addr}")]
    Tcp {
        /// What was to be bound.
        addr: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A seed is not `host:port`.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// There are too many seeds.
    #[error(transparent)]
    TooManySeeds(#[from] TooManySeeds),
    /// A field of the engine's configuration is out of its range. What encryption adds to a datagram counts in
    /// `max_datagram_len`.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The flags of the migration contradict each other.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The state directory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// More seeds than a node asks. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("more than {MAX_SEEDS} seeds")]
pub struct TooManySeeds;
