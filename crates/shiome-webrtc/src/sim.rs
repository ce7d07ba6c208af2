//! A network on virtual time, for tests: delay, loss, order, NAT.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// What befalls datagrams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weather {
    pub(crate) delay: Duration,
    /// Random time on top, by which they overtake each other.
    pub(crate) jitter: Duration,
    /// Of 100 so many are lost.
    pub(crate) loss: u32,
}

impl Default for Weather {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0,
        }
    }
}

/// A datagram that has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Datagram {
    pub(crate) source: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) bytes: Vec<u8>,
}

/// A router that hides one address behind another. What comes from a place that was not sent to from there is dropped.
#[derive(Debug)]
struct Nat {
    inside: IpAddr,
    outside: IpAddr,
    /// Another port for each destination.
    symmetric: bool,
    next_port: u16,
    outer: HashMap<(SocketAddr, Option<SocketAddr>), SocketAddr>,
    inner: HashMap<SocketAddr, SocketAddr>,
    sent: HashSet<(SocketAddr, SocketAddr)>,
}

impl Nat {
    fn outbound(&mut self, source: SocketAddr, to: SocketAddr) -> SocketAddr {
        let key = (source, self.symmetric.then_some(to));
        let next = SocketAddr::new(self.outside, self.next_port);
        let outer = *self.outer.entry(key).or_insert(next);
        if outer == next {
            self.next_port += 1;
        }
        self.inner.insert(outer, source);
        self.sent.insert((outer, to));
        outer
    }

    fn inbound(&self, source: SocketAddr, to: SocketAddr) -> Option<SocketAddr> {
        let may = self.sent.contains(&(to, source));
        may.then(|| self.inner.get(&to).copied()).flatten()
    }
}

/// The network.
#[derive(Debug)]
pub(crate) struct Air {
    weather: Weather,
    rng: SmallRng,
    flying: BTreeMap<(Instant, u64), Datagram>,
    seq: u64,
    nats: Vec<Nat>,
    silenced: HashSet<IpAddr>,
    pub(crate) sent: u64,
}

impl Air {
    pub(crate) fn new(seed: u64, weather: Weather) -> Self {
        Self {
            weather,
            rng: SmallRng::seed_from_u64(seed),
            flying: BTreeMap::new(),
            seq: 0,
            nats: Vec::new(),
            silenced: HashSet::new(),
            sent: 0,
        }
    }

    pub(crate) fn nat(&mut self, inside: &str, outside: &str, symmetric: bool) {
        self.nats.push(Nat {
            inside: inside.parse().unwrap(),
            outside: outside.parse().unwrap(),
            symmetric,
            next_port: 20_000,
            outer: HashMap::new(),
            inner: HashMap::new(),
            sent: HashSet::new(),
        });
    }

    /// Nothing goes to or from an address from now on, or does again.
    pub(crate) fn silence(&mut self, address: IpAddr, silent: bool) {
        if silent {
            self.silenced.insert(address);
        } else {
            self.silenced.remove(&address);
        }
    }

    pub(crate) fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) fn send(&mut self, now: Instant, source: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        self.sent += 1;
        let silent = |address: SocketAddr| self.silenced.contains(&address.ip());
        if silent(source) || silent(to) {
            return;
        }
        let mut source = source;
        if let Some(nat) = self.nats.iter_mut().find(|nat| nat.inside == source.ip()) {
            source = nat.outbound(source, to);
        }
        // Addresses inside are known to nobody outside.
        if self.nats.iter().any(|nat| nat.inside == to.ip()) {
            return;
        }
        let mut to = to;
        if let Some(nat) = self.nats.iter().find(|nat| nat.outside == to.ip()) {
            match nat.inbound(source, to) {
                Some(inside) => to = inside,
                None => return,
            }
        }
        if self.rng.random_range(0..100) < self.weather.loss {
            return;
        }
        let jitter = self.weather.jitter.as_micros() as u64;
        let jitter = Duration::from_micros(self.rng.random_range(0..=jitter));
        self.seq += 1;
        let due = now + self.weather.delay + jitter;
        let bytes = bytes.to_vec();
        let datagram = Datagram { source, to, bytes };
        self.flying.insert((due, self.seq), datagram);
    }

    /// Loses those in flight that are like this.
    pub(crate) fn drop_where(&mut self, lost: impl Fn(&[u8]) -> bool) {
        self.flying.retain(|_, datagram| !lost(&datagram.bytes));
    }

    /// When the next datagram arrives.
    pub(crate) fn timeout(&self) -> Option<Instant> {
        let (due, _) = self.flying.keys().next()?;
        Some(*due)
    }

    /// A datagram that has arrived by now.
    pub(crate) fn receive(&mut self, now: Instant) -> Option<Datagram> {
        let first = self.flying.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
