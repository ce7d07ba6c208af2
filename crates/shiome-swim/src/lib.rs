//! SWIM membership with Lifeguard's local health, anti-entropy, and nothing that does input or output.
//!
//! [`Swim`] is one node. It learns who else is in the cluster, notices who stops answering, and tells its owner. It
//! speaks the compact form of [`shiome_gossip`] with nodes of this family, and the form of `ember-cluster` with all
//! others. Time, randomness and datagrams are arguments, so a hundred nodes run in one thread, on a clock that a test
//! sets.
//!
//! # The loop
//!
//! After [`Swim::new`] and after each call that changes something:
//!
//! 1. send what [`Swim::poll_transmit`] writes, until it has no more;
//! 2. ask whom [`Swim::poll_reliable_ping`] names, if the owner has another channel to the members, and say so to
//!    [`Swim::handle_reliable_ack`] when one answers;
//! 3. take what [`Swim::poll_event`] tells, until there is no more;
//! 4. wait for a datagram, for [`Swim::handle_datagram`], but not longer than [`Swim::poll_timeout`] says, and then
//!    call [`Swim::handle_timeout`].
//!
//! ```
//! use std::time::{Duration, Instant};
//! use shiome_gossip::NodeId;
//! use shiome_swim::{Config, Event, Identity, Swim};
//!
//! // Two nodes, and a network between them that is one line long.
//! let start = Instant::now();
//! let addrs = ["10.0.0.1:7946".parse()?, "10.0.0.2:7946".parse()?];
//! let node = |n: u8| {
//!     let me = Identity { id: NodeId::from([n; 16]), addr: addrs[n as usize], incarnation: 1 };
//!     Swim::new(start, me, Config::default(), [n; 32])
//! };
//! let mut nodes = [node(0)?, node(1)?];
//! nodes[1].join(start, &addrs[..1]);
//!
//! let mut now = start;
//! let mut buf = [0; 1400];
//! while nodes.iter().any(|node| node.is_empty()) {
//!     now = nodes.iter().filter_map(Swim::poll_timeout).min().unwrap().max(now);
//!     nodes.iter_mut().for_each(|node| node.handle_timeout(now));
//!     for (from, to) in [(1, 0), (0, 1)] {
//!         while let Some(transmit) = nodes[from].poll_transmit(&mut buf) {
//!             nodes[to].handle_datagram(now, addrs[from], &buf[..transmit.len]);
//!         }
//!     }
//! }
//! let up = Event::MemberUp { id: NodeId::from([1; 16]), addr: addrs[1] };
//! assert!(std::iter::from_fn(|| nodes[0].poll_event()).any(|event| event == up));
//! assert!(now - start < Duration::from_secs(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does
//!
//! | part | source | here |
//! |------|--------|------|
//! | probes in a shuffled round, k indirect probes | SWIM §3.1, §4.3 | with pings repeated inside the time that is waited anyway |
//! | suspicion, refuted by incarnation | SWIM §4.2 | the dead can object, too |
//! | local health, dynamic suspicion, buddy, nacks | Lifeguard §IV | on top, those who hear of a suspicion help to confirm it |
//! | dissemination, the least told first | SWIM §4.1 | in rounds of its own, and on top of probes |
//! | anti-entropy | | tables are compared by fingerprints of their parts |
//! | tombstones | | told for a time, remembered for longer |
//! | damping | | who comes and goes is announced less and less |
//! | standing still | | a node that got no time blames nobody for what it missed |
//!
//! What a call costs does not grow with the number of members, and in a steady state nothing is allocated.
//!
//! # What others cannot do
//!
//! An ack counts only with the number of the ping and from the member that was pinged. Nobody is pinged on behalf of
//! somebody who is no member, and only members are. A stranger gets no more bytes than it sends, but for Joins of the
//! installed base, of which so many a second are answered. Every list has a bound. Who may send datagrams at all may
//! still lie about others, and have an address pinged by naming it in a Join: encrypt, or authenticate, below this.

mod allowance;
mod config;
mod event;
mod graves;
mod health;
mod key;
mod member;
mod probe;
mod rng;
mod rumors;
mod seeds;
mod slots;
mod stats;
mod suspicion;
mod swim;
mod table;
mod timers;
mod transmit;
mod vote;

pub use config::{Config, ConfigError, Suspicion};
pub use event::{DownReason, Event};
pub use member::{Identity, Member, State};
pub use stats::Stats;
pub use swim::{SlotsError, Swim};
pub use transmit::{ReliablePing, Transmit};

#[cfg(test)]
mod tests;
