//! The [bus](shiome_bus) over the sessions of a cluster: nodes that are connected anyway carry envelopes between the peers of
//! their programs, without another socket, port, or secret.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use shiome_bus::{Bus, Intent};
//! use shiome_bus_cluster::{ClusterBus, ClusterOptions};
//! use shiome_ractor::Node;
//!
//! // Usually in two processes.
//! let cookie = "a long secret that all nodes share";
//! let a = Node::builder("a@127.0.0.1:0").cookie(cookie).start().await?;
//! let b = Node::builder("b@127.0.0.1:0").cookie(cookie).start().await?;
//! let (bus_a, bus_b) = (Bus::new(), Bus::new());
//! let _links_of_a = ClusterBus::new(&a, &bus_a, ClusterOptions::default())?;
//! let _links_of_b = ClusterBus::new(&b, &bus_b, ClusterOptions::default())?;
//! let (alice, bob) = (bus_a.peer("alice")?, bus_b.peer("bob")?);
//! bob.on("chat.*", |delivery| delivery.try_respond("hello, too").map(drop))?
//!     .detach();
//!
//! a.connect(b.local_addr()).await?;
//! alice.wait_for(bob.id(), Duration::from_secs(5)).await?;
//! let answer = alice.request("bob", Intent::new("chat.message", "hello")?).await?;
//! assert_eq!(answer.payload().as_str(), Some("hello, too"));
//! # Ok(())
//! # }
//! ```
//!
//! # What goes over which session
//!
//! Each node of shiome that has a `ClusterBus` is one [link](shiome_bus::Link) of the bus, over a
//! [channel](shiome_ractor::Channel) of its session. Who it is, the session has proven; legacy nodes, and nodes without
//! a `ClusterBus`, get none of it. A node tells which peers it has, and speaks for no others, unless it is declared a
//! [relay](NodeRole::Relay).
//!
//! When a session is lost, whoever waits for an answer over it is told so at once ([`NotConnected`]), and so is who sends, until
//! the node is back, for [`ClusterOptions::grace`] at most; then its peers are not known any more ([`NodeNotFound`]). What was on its
//! way is lost.
//!
//! # One name, one peer
//!
//! A name that some node of the cluster has told is taken for others ([`NameTaken`]). When two nodes that did not know of each other
//! have peers of one name, each keeps its own and does not know the other's; a third knows the later one. Which of one's own peers are
//! not known elsewhere is told by [`ClusterBus::taken`]. When the one ends, the other is known within a second.
//!
//! [`NotConnected`]: shiome_bus::BusError::NotConnected
//! [`NodeNotFound`]: shiome_bus::BusError::NodeNotFound
//! [`NameTaken`]: shiome_bus::BusError::NameTaken

mod cluster;
mod link;
mod options;
mod outbox;
mod speaker;

pub use cluster::{ClusterBus, NodeLink};
pub use options::{CHANNEL, ClusterOptions, GRACE, NodeRole};
pub use outbox::{LANE_CAPACITY, MAX_QUEUED_BYTES};
