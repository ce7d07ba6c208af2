use ractor::SpawnErr;
#[cfg(feature = "membership")]
use shiome_membership::{SeedError, StartError};
use shiome_transport::{TransportError, tls::ConfigError};
use thiserror::Error;

use super::MAX_LISTENERS;
use crate::KeepError;
#[cfg(doc)]
use crate::{Builder, Gossip};

/// A node was not started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The address is not `name@host:port`.
    #[error("`{0}` is not of the form name@host:port")]
    Address(String),
    /// The host is an address that nobody can dial, such as `0.0.0.0`. Use [`Builder::listen`] to listen there.
    #[error("`{0}` names a host that other nodes cannot dial")]
    Unspecified(String),
    /// No cookie was given.
    #[error("a node needs a cookie")]
    NoCookie,
    /// The address cannot be listened on.
    #[error("cannot listen")]
    Listen(#[from] std::io::Error),
    /// Another address cannot be listened at.
    #[error("cannot listen at `{address}`")]
    ListenAt {
        /// The address.
        address: String,
        /// Why.
        #[source]
        error: TransportError,
    },
    /// There are more than [`MAX_LISTENERS`] addresses to listen at, beside the node's own.
    #[error("more than {MAX_LISTENERS} addresses to listen at")]
    TooManyListeners,
    /// The address to tell peers is none.
    #[error("`{0}` is no address to tell peers")]
    Advertised(String),
    /// Links were set up in more than one of the ways of [`Builder::tls`], [`Builder::links`], and
    /// [`Builder::encryption`] with [`Builder::connector`]. One of them would not be as protected as it was meant to be.
    #[error("links are set up in more than one way")]
    LinksTwice,
    /// The credentials do not do.
    #[error("cannot set up TLS")]
    Tls(#[from] ConfigError),
    /// The node server did not start.
    #[error("node server did not start")]
    Spawn(#[from] SpawnErr),
    /// A peer cannot be kept connected to.
    #[error("peer: {0}")]
    Peer(#[from] KeepError),
    /// A seed is no `host:port`.
    #[cfg(feature = "membership")]
    #[error("seed: {0}")]
    Seed(#[from] SeedError),
    /// The port to gossip on, by the [offset](Gossip::port_offset), is none.
    #[cfg(feature = "membership")]
    #[error("port {port} and offset {offset} do not make a port for gossip")]
    GossipPort {
        /// Where the node listens.
        port: u16,
        /// The offset.
        offset: i32,
    },
    /// The host of the node's address has no address to tell others. Name one with [`Gossip::advertise`].
    #[cfg(feature = "membership")]
    #[error("`{0}` has no address at which others could reach this node")]
    Unresolved(String),
    /// Gossip cannot start.
    #[cfg(feature = "membership")]
    #[error("cannot gossip")]
    Gossip(#[from] StartError),
}
