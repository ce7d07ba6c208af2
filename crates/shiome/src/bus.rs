//! The bus of peers: one `send` and one `on` from thread to browser, and over the cluster.
//!
//! Peers with names say things to each other in one process, over WebSocket, and in pages. Two nodes of shiome that each link a bus by
//! a [`ClusterBus`] join their peers over the session that they have anyway:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use shiome::{
//!     Node,
//!     bus::{Bus, ClusterBus, ClusterOptions, Intent},
//! };
//!
//! # let cookie = "a long secret that all nodes share";
//! // In one process:
//! let a = Node::builder("a@127.0.0.1:0").cookie(cookie).start().await?;
//! let bus = Bus::new();
//! let _links = ClusterBus::new(&a, &bus, ClusterOptions::default())?;
//! let alice = bus.peer("alice")?;
//! alice
//!     .on("greet", |delivery| delivery.try_respond("hello").map(drop))?
//!     .detach();
//!
//! // In another:
//! let b = Node::builder("b@127.0.0.1:0").cookie(cookie).start().await?;
//! let bus = Bus::new();
//! let _links_too = ClusterBus::new(&b, &bus, ClusterOptions::default())?;
//! let bob = bus.peer("bob")?;
//! b.connect(a.local_addr()).await?;
//! bob.wait_for(alice.id(), Duration::from_secs(5)).await?;
//! let answer = bob.request("alice", Intent::new("greet", "who is there?")?).await?;
//! assert_eq!(answer.payload().as_str(), Some("hello"));
//! # Ok(())
//! # }
//! ```

pub use shiome_bus::*;
pub use shiome_bus_cluster::{CHANNEL, ClusterBus, ClusterOptions, NodeLink, NodeRole};
