//! Addresses of this end that servers tell and lend, without socket and clock.
//!
//! After each input - a method that takes `now` - the owner sends what [`Gatherer::poll_transmit`] gives, uses what
//! [`Gatherer::poll_candidate`] gives, and calls [`Gatherer::handle_timeout`] at [`Gatherer::timeout`].

mod lent;
mod told;

use std::{
    collections::VecDeque,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use str0m::Candidate;
use turn_client_proto::stun;

use self::{lent::Lent, told::Told};
use crate::Failure;

/// Time between the first and the second request to a server; it doubles from there.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// Time between requests at most.
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// Requests to a server that says nothing.
const REQUESTS: u32 = 5;

/// Time for the answer to the last.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// A server, and what it asks for if it is to lend an address.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) credentials: Option<(String, String)>,
}

/// A datagram to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) local: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// For whom a datagram was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Routed {
    /// It is done with.
    Ours,
    /// It came to a lent address.
    Relayed {
        local: SocketAddr,
        source: SocketAddr,
        bytes: Vec<u8>,
    },
    /// Not for the gatherer.
    Theirs,
}

/// The clock of the codecs, which counts from a moment of its own.
#[derive(Debug, Clone, Copy)]
struct Clock {
    base: Instant,
}

impl Clock {
    fn of(self, now: Instant) -> stun::Instant {
        let since = now.saturating_duration_since(self.base).as_nanos();
        stun::Instant::from_nanos(i64::try_from(since).unwrap_or(i64::MAX))
    }

    fn at(self, then: stun::Instant) -> Instant {
        let since = u64::try_from(then.as_nanos()).unwrap_or_default();
        self.base + Duration::from_nanos(since)
    }
}

/// Asks servers.
#[derive(Debug)]
pub(crate) struct Gatherer {
    told: Vec<Told>,
    lent: Vec<Lent>,
    transmits: VecDeque<Packet>,
    candidates: VecDeque<Candidate>,
}

impl Gatherer {
    /// Asks all `servers` from all `hosts`. With `relay_only` only for addresses that they lend.
    pub(crate) fn new(
        now: Instant,
        servers: &[Server],
        hosts: &[SocketAddr],
        relay_only: bool,
    ) -> Self {
        let clock = Clock { base: now };
        let mut gatherer = Self {
            told: Vec::new(),
            lent: Vec::new(),
            transmits: VecDeque::new(),
            candidates: VecDeque::new(),
        };
        for server in servers {
            let same = |host: &&SocketAddr| host.is_ipv4() == server.address.is_ipv4();
            let mut hosts = hosts.iter().filter(same);
            // A server that lends tells, too.
            if !relay_only {
                for host in hosts.clone() {
                    gatherer.told.push(Told::new(clock, *host, server.address));
                }
            }
            if let (Some(credentials), Some(host)) = (&server.credentials, hosts.next()) {
                let lent = Lent::new(clock, *host, server.address, credentials);
                gatherer.lent.push(lent);
            }
        }
        gatherer.handle_timeout(now);
        gatherer
    }

    /// A datagram came to `local`.
    pub(crate) fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Routed {
        let mut routed = Routed::Theirs;
        for told in &mut self.told {
            if routed == Routed::Theirs && told.is_between(local, source) {
                routed = told.handle_datagram(now, bytes);
            }
        }
        for lent in &mut self.lent {
            if routed == Routed::Theirs && lent.is_between(local, source) {
                routed = lent.handle_datagram(now, bytes);
            }
        }
        if !self.told.is_empty() || !self.lent.is_empty() {
            self.collect(now);
        }
        routed
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.collect(now);
    }

    fn collect(&mut self, now: Instant) {
        for told in &mut self.told {
            told.collect(now, &mut self.transmits, &mut self.candidates);
        }
        for lent in &mut self.lent {
            lent.collect(now, &mut self.transmits, &mut self.candidates);
        }
        self.told.retain(|told| !told.is_done());
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let told = self.told.iter().filter_map(Told::timeout);
        told.chain(self.lent.iter().filter_map(Lent::timeout)).min()
    }

    /// Whether all servers have answered, or will not.
    pub(crate) fn is_done(&self) -> bool {
        self.told.is_empty() && self.lent.iter().all(Lent::is_settled)
    }

    /// Why a server lends nothing.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.lent.iter().find_map(Lent::failure)
    }

    /// Lets datagrams from there come to the lent addresses.
    pub(crate) fn permit(&mut self, now: Instant, peer: IpAddr) {
        for lent in &mut self.lent {
            lent.permit(now, peer);
        }
        self.collect(now);
    }

    /// Sends from a lent address. Whether `from` is one.
    pub(crate) fn relay(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let Some(lent) = self
            .lent
            .iter_mut()
            .find(|lent| lent.address() == Some(from))
        else {
            return false;
        };
        self.transmits.extend(lent.relay(now, to, bytes));
        true
    }

    /// Gives lent addresses back.
    pub(crate) fn close(&mut self, now: Instant) {
        for lent in &mut self.lent {
            lent.close(now);
        }
        self.collect(now);
    }

    #[must_use]
    pub(crate) fn poll_transmit(&mut self) -> Option<Packet> {
        self.transmits.pop_front()
    }

    #[must_use]
    pub(crate) fn poll_candidate(&mut self) -> Option<Candidate> {
        self.candidates.pop_front()
    }
}

#[cfg(test)]
mod tests;
