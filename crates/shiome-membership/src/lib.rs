//! Membership of a cluster over UDP: who is there, told by gossip.
//!
//! [`shiome_swim`] decides who is alive; this crate gives it sockets, time, seeds, keys and a memory.
//!
//! ```
//! use std::net::{Ipv4Addr, SocketAddr};
//!
//! use shiome_membership::{Config, Key, Keyring, Membership, MembershipEvent};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let any_port = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
//! let key = Key::random();
//! let node = |seeds: Vec<SocketAddr>| {
//!     Membership::builder(any_port)
//!         .cluster("example")
//!         .security(Keyring::new(&key))
//!         .config(Config::fast())
//!         .seeds(seeds)
//!         .start()
//! };
//! let first = node(vec![]).await?;
//! let second = node(vec![first.advertised_addr()]).await?;
//!
//! let mut events = first.events();
//! while let Some(event) = events.next().await {
//!     if let MembershipEvent::MemberUp(member) = event {
//!         assert_eq!(member.id, second.id());
//!         break;
//!     }
//! }
//! second.leave().await;
//! first.leave().await;
//! # Ok(())
//! # }
//! ```
//!
//! # What runs
//!
//! ```text
//!  UDP socket ──► Guard::open ──► Swim::handle_datagram        lookups (seeds) ──► Swim::join
//!  UDP socket ◄── Guard::seal ◄── Swim::poll_transmit          Membership ──► commands, views
//!  TCP dials  ◄── Swim::poll_reliable_ping                     TCP listener: answers pings
//!  state directory ◄── Event::Incarnation                          Events ◄── Swim::poll_event
//! ```
//!
//! One task drives the engine: it receives, at most 64 datagrams in a row, gives the engine its time, sends, and passes
//! events on. Commands take effect when they return, under a lock that is held for a few lines, and wake that task; so
//! there is no queue of them. When the socket has no room, the rest waits in the engine, which bounds it. Beside that
//! task run the lookups of seeds, the TCP listener, and at most 32 pings over TCP.
//!
//! # Addresses
//!
//! A node is reached at one address and port: gossip on UDP, [reliable pings](Builder::reliable_pings) on TCP of the same
//! number. Where another program of the node listens on that number, choose another port for gossip, or do without these
//! pings. A socket that is bound to `[::]` speaks both IP versions. Link-local addresses of IPv6 cannot be advertised,
//! since gossip carries no scope.
//!
//! # Limits
//!
//! | limit                        | value      | why, and what is above it                                                  |
//! |------------------------------|------------|----------------------------------------------------------------------------|
//! | members                      | 65 536     | [`Config::max_members`]: nobody else can join                              |
//! | datagram                     | 1 400 B    | [`Config::max_datagram_len`] of what is sent, with protection              |
//! | datagram received            | 65 507 B   | what UDP carries: dropped and counted                                      |
//! | datagrams received in a turn | 64         | answers and timers have their turn                                         |
//! | events that wait             | 1 024      | a slow listener is told what it [missed](MembershipEvent::Missed)          |
//! | seeds, their addresses       | 64, 256    | [`TooManySeeds`]; further addresses are left out                           |
//! | lookup                       | 10 s       | it failed, and is tried again in 5 s                                       |
//! | TCP connections in           | 64, 2 s    | further ones wait; cut off                                                 |
//! | pings over TCP out           | 32         | not begun and counted; each for one probe period                           |
//! | keys                         | 8          | [`KeyringError::Full`]                                                     |
//! | senders remembered           | 65 536     | those heard longest ago are strangers again                                |
//! | replay window                | 1 024      | a datagram that is overtaken by more is dropped                            |
//! | state file                   | 1 KiB      | it is corrupt                                                              |
//!
//! # Features
//!
//! None by default. `metrics` publishes [`Stats`] through the `metrics` facade, once a second, as
//! `shiome_membership_<field>_total` with the label `cluster`; the engine's counts as
//! `shiome_membership_engine_<field>_total`; and the gauges `shiome_membership_members`, `…_suspects`, `…_backlog` and
//! `…_local_health`.

mod builder;
mod clock;
mod discovery;
mod driver;
mod error;
mod events;
mod identity;
mod member;
mod membership;
#[cfg(feature = "metrics")]
mod metrics;
mod reliable;
mod security;
mod seed;
mod shared;
mod socket;
#[cfg(feature = "srv")]
mod srv;
mod state;
mod stats;

pub use builder::{Builder, cluster_id};
pub use discovery::{Dns, Resolve, Resolving};
pub use error::{StartError, TooManySeeds};
pub use events::{Events, MembershipEvent};
pub use member::MemberInfo;
pub use membership::Membership;
pub use security::{
    ENCRYPTION_OVERHEAD, Encryption, Key, KeyId, Keyring, KeyringError, MigrationError,
    ParseKeyError, Security,
};
pub use seed::{Seed, SeedError};
pub use shiome_gossip::{EmptyPassword, NodeId, Secret, SlotRange};
pub use shiome_swim::{Config, ConfigError, DownReason, SlotsError, State, Suspicion};
#[cfg(feature = "srv")]
pub use srv::Srv;
pub use state::{RecordError, StateError};
pub use stats::{DriverStats, Stats};
