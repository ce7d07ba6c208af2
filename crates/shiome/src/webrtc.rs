//! Direct connections over WebRTC: for the peers of the bus, and for nodes of a cluster behind NAT.
//!
//! [`Rtc`] moves what two peers of the [bus](crate::bus) say onto a data channel where the network lets them. [`RtcLinks`] are links
//! between nodes. Both are signalled over the bus, so all that the two ends need in common is a relay; what goes over it is the setting
//! up of connections, and nothing of the nodes.
//!
//! # A cluster behind NAT
//!
//! None of these nodes has a port that others could dial. Each has a peer on the relay, by whose name the others reach it: `rtc:alice`.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use shiome::{
//!     Builder, Node,
//!     bus::{
//!         Bus, BusError, LinkOptions, Peer,
//!         websocket::{
//!             ClientOptions, Links, Origins, Policy, ServerOptions, WebSocketClient, WebSocketServer,
//!         },
//!     },
//!     webrtc::{RtcLinks, RtcOptions},
//! };
//!
//! /// A peer on the relay.
//! async fn on_the_relay(name: &str, relay: &str) -> Result<Peer, BusError> {
//!     let bus = Bus::new();
//!     let peer = bus.peer(name)?;
//!     let link = WebSocketClient::new(relay, peer.id(), Links::new(Policy::Any), ClientOptions::default())?;
//!     let link = Arc::new(link);
//!     bus.attach(Arc::clone(&link) as _, LinkOptions::default().uplink())?;
//!     link.connected().await?;
//!     Ok(peer)
//! }
//!
//! /// A node without a port, reached as `rtc:` and the name of its peer.
//! fn behind_nat(peer: &Peer, rtc: &RtcLinks) -> Builder {
//!     let name = peer.id();
//!     Node::builder(format!("{name}@{name}:0"))
//!         .cookie("a long secret that all nodes share")
//!         .links(rtc.links())
//!         .no_own_port()
//!         .listen_at(format!("rtc:{name}"))
//!         .advertise(format!("rtc:{name}"))
//! }
//!
//! // Where all can reach it:
//! let relay = WebSocketServer::relay(&"relay".try_into()?, ServerOptions::anyone())?;
//! let listening = relay.listen(&Links::new(Policy::Any), "ws://127.0.0.1:0/bus", Origins::none()).await?;
//! # let relay = listening.url();
//!
//! // Behind one NAT:
//! let alice = on_the_relay("alice", relay).await?;
//! let options = RtcOptions::default().admit(|peer| peer.as_str() == "bob");
//! # let options = options.addresses([std::net::Ipv4Addr::LOCALHOST.into()]);
//! let rtc = RtcLinks::start(&alice, options)?;
//! let a = behind_nat(&alice, &rtc).start().await?;
//!
//! // Behind another:
//! let bob = on_the_relay("bob", relay).await?;
//! let options = RtcOptions::default();
//! # let options = options.addresses([std::net::Ipv4Addr::LOCALHOST.into()]);
//! let rtc = RtcLinks::start(&bob, options)?;
//! let b = behind_nat(&bob, &rtc).peers(["rtc:alice"]).start().await?;
//! let session = b.keep_connected("rtc:alice")?.connected().await?;
//! assert_eq!(session.name, a.name());
//! # b.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Where the nodes are not in one network, each is told of a STUN server, and of a TURN server for those NATs that let nothing else
//! through: [`RtcOptions::ice_server`]. Nodes know each other by name, so each is told of all others by
//! [`Builder::peers`](crate::Builder::peers): what one peer tells of another leads to no `rtc:` address, and there is no gossip.
//! [`RtcOptions::admit`] says which peers of the relay may try; the cookie, whose proof is bound to the channel, says who is let in.

pub use shiome_webrtc::*;
