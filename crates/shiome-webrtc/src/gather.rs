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

use self::{
    lent::{Lent, MAX_PERMITS},
    told::Told,
};
use crate::Failure;

/// Time between the first and the second request to a server; it doubles from there.
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// Time between requests at most.
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// Requests to a server that says nothing.
const REQUESTS: u32 = 5;

/// Time for the answer to the last.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What goes to and from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Over {
    /// Datagrams, from each of our addresses.
    Datagrams,
    /// Messages of a stream that has this end.
    Stream(SocketAddr),
    /// There is no stream.
    Nothing,
}

/// A server, and what it asks for if it is to lend an address.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) over: Over,
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
    clock: Clock,
    hosts: Vec<SocketAddr>,
    relay_only: bool,
    told: Vec<Told>,
    lent: Vec<Lent>,
    /// A server that cannot be asked.
    unreachable: Option<SocketAddr>,
    /// From where datagrams may come to lent addresses, also to those that are lent later.
    permits: Vec<IpAddr>,
    transmits: VecDeque<Packet>,
    candidates: VecDeque<Candidate>,
}

impl Gatherer {
    /// Asks all `servers` from all `hosts`. With `relay_only` only for addresses that they lend.
    pub(crate) fn new(now: Instant, hosts: &[SocketAddr], relay_only: bool) -> Self {
        Self {
            clock: Clock { base: now },
            hosts: hosts.to_vec(),
            relay_only,
            told: Vec::new(),
            lent: Vec::new(),
            unreachable: None,
            permits: Vec::new(),
            transmits: VecDeque::new(),
            candidates: VecDeque::new(),
        }
    }

    /// Asks a server.
    pub(crate) fn add(&mut self, now: Instant, server: &Server) {
        let (clock, address) = (self.clock, server.address);
        let hosts = self.hosts.iter().copied();
        let hosts = hosts.filter(|host| host.is_ipv4() == address.is_ipv4());
        let begun = self.lent.len();
        match server.over {
            Over::Datagrams => {
                // A server that lends tells, too.
                let tells = |_: &SocketAddr| !self.relay_only;
                let told = hosts.clone().filter(tells);
                let told = told.map(|host| Told::new(clock, host, address));
                self.told.extend(told);
                if let Some(credentials) = &server.credentials {
                    // Not each of them may lead there: the first that does is used.
                    let lent =
                        hosts.map(|host| Lent::new(clock, (host, address), false, credentials));
                    self.lent.extend(lent);
                }
            }
            Over::Stream(local) => {
                let credentials = server.credentials.iter();
                let lent = credentials.map(|it| Lent::new(clock, (local, address), true, it));
                self.lent.extend(lent);
            }
            Over::Nothing => self.unreachable = Some(address),
        }
        for lent in &mut self.lent[begun..] {
            for peer in &self.permits {
                lent.permit(now, *peer);
            }
        }
        self.collect(now);
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
        for index in 0..self.lent.len() {
            if self.is_needless(index) {
                self.lent[index].close(now);
            }
            self.lent[index].collect(now, &mut self.transmits, &mut self.candidates);
        }
        self.told.retain(|told| !told.is_done());
    }

    /// Whether its server lends an address over another of ours.
    fn is_needless(&self, index: usize) -> bool {
        let lent = &self.lent[index];
        let mut others = self
            .lent
            .iter()
            .filter(|other| other.server() == lent.server());
        lent.address().is_none() && others.any(|other| other.address().is_some())
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
        let of = |server| self.lent.iter().filter(move |lent| lent.server() == server);
        let failures = self.lent.iter().filter_map(|lent| {
            let all = of(lent.server()).all(|lent| lent.failure().is_some());
            all.then(|| of(lent.server()).filter_map(Lent::failure))
        });
        // What one has said says more than silence.
        let said = |failure: &Failure| matches!(failure, Failure::TurnRefused(_));
        let failures: Vec<_> = failures.flatten().collect();
        let first = failures.iter().find(|failure| said(failure));
        let first = first.or_else(|| failures.first()).cloned();
        first.or_else(|| self.unreachable.map(Failure::TurnUnreachable))
    }

    /// Lets datagrams from there come to the lent addresses.
    pub(crate) fn permit(&mut self, now: Instant, peer: IpAddr) {
        if self.permits.len() < MAX_PERMITS && !self.permits.contains(&peer) {
            self.permits.push(peer);
        }
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
