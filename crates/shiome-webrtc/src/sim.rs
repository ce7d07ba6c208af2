//! A network on virtual time, for tests: delay, loss, order, NAT.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use shiome_bus::BoxFuture;
use tokio::{io::ReadBuf, sync::Notify};
use turn_client_proto::{
    api::Transmit,
    stun::{self, types::TransportType},
};
use turn_server_proto::{
    api::{TurnServerApi, TurnServerPollRet},
    server::TurnServer,
};

use crate::{
    net::{Net, Socket},
    session::now,
};

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

    /// All routers are gone.
    pub(crate) fn forget_nats(&mut self) {
        self.nats.clear();
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

/// The network on the clock of tokio, with sockets.
pub(crate) struct Sky {
    state: Mutex<State>,
    changed: Notify,
}

struct State {
    air: Air,
    sockets: HashMap<SocketAddr, Inbox>,
    next_port: u16,
    server: Option<(TurnServer, SocketAddr, Instant)>,
}

#[derive(Default)]
struct Inbox {
    arrived: VecDeque<(SocketAddr, Vec<u8>)>,
    waker: Option<Waker>,
}

impl Sky {
    /// A network whose datagrams fly while the runtime lives.
    pub(crate) fn new(seed: u64, weather: Weather) -> Arc<Self> {
        let sky = Arc::new(Self {
            state: Mutex::new(State {
                air: Air::new(seed, weather),
                sockets: HashMap::new(),
                next_port: 10_000,
                server: None,
            }),
            changed: Notify::new(),
        });
        let weak = Arc::downgrade(&sky);
        tokio::spawn(async move {
            while let Some(sky) = weak.upgrade() {
                let next = sky.deliver();
                let changed = sky.changed.notified();
                let far = now() + Duration::from_secs(1);
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep_until(next.unwrap_or(far).into()) => {}
                }
            }
        });
        sky
    }

    /// A server at an address that tells and lends addresses, to `alice` with the password `secret`.
    pub(crate) fn serve(&self, address: &str) {
        let address: SocketAddr = address.parse().unwrap();
        let mut server = TurnServer::new(TransportType::Udp, address, "shiome".to_owned());
        server.add_user("alice".to_owned(), "secret".to_owned());
        self.state.lock().unwrap().server = Some((server, address, now()));
    }

    pub(crate) fn air<T>(&self, change: impl FnOnce(&mut Air) -> T) -> T {
        change(&mut self.state.lock().unwrap().air)
    }

    /// Sockets that are open.
    pub(crate) fn sockets(&self) -> usize {
        self.state.lock().unwrap().sockets.len()
    }

    pub(crate) fn net(self: &Arc<Self>, address: &str) -> Arc<dyn Net> {
        Arc::new(Host {
            sky: Arc::clone(self),
            address: address.parse().unwrap(),
        })
    }

    fn deliver(&self) -> Option<Instant> {
        let (now, mut state) = (now(), self.state.lock().unwrap());
        while let Some(datagram) = state.air.receive(now) {
            let Datagram { source, to, bytes } = datagram;
            let of_server =
                |(_, address, _): &(TurnServer, SocketAddr, Instant)| address.ip() == to.ip();
            if state.server.as_ref().is_some_and(of_server) {
                state.serve(now, source, to, &bytes);
            } else if let Some(inbox) = state.sockets.get_mut(&to) {
                inbox.arrived.push_back((source, bytes));
                inbox.waker.take().inspect(Waker::wake_by_ref);
            }
        }
        state.air.timeout()
    }
}

impl State {
    fn serve(&mut self, now: Instant, source: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let Some((server, address, base)) = &mut self.server else {
            return;
        };
        let then = stun::Instant::from_nanos((now - *base).as_nanos() as i64);
        let transmit = Transmit::new(bytes, TransportType::Udp, source, to);
        let mut out = Vec::new();
        if let Some(answer) = server.recv(transmit, then) {
            let answer = answer.build();
            // The server of the crate tells an address to itself.
            let to = Some(answer.to).filter(|to| to != address);
            out.push((answer.from, to.unwrap_or(source), answer.data));
        }
        while let TurnServerPollRet::AllocateSocket {
            transport,
            listen_addr,
            client_addr,
            allocation_transport,
            family,
        } = server.poll(then)
        {
            let lent = Ok(SocketAddr::new(address.ip(), self.next_port));
            self.next_port += 1;
            server.allocated_socket(
                transport,
                listen_addr,
                client_addr,
                allocation_transport,
                family,
                lent,
                then,
            );
        }
        while let Some(answer) = server.poll_transmit(then) {
            out.push((answer.from, answer.to, answer.data));
        }
        for (from, to, bytes) in out {
            self.air.send(now, from, to, &bytes);
        }
    }
}

/// One machine of it.
struct Host {
    sky: Arc<Sky>,
    address: IpAddr,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({})", self.address)
    }
}

impl Net for Host {
    fn addresses(&self) -> Vec<IpAddr> {
        vec![self.address]
    }

    fn bind(&self, address: IpAddr) -> io::Result<Box<dyn Socket>> {
        if address != self.address {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        let mut state = self.sky.state.lock().unwrap();
        state.next_port = state.next_port.checked_add(1).unwrap_or(10_000);
        let local = SocketAddr::new(address, state.next_port);
        state.sockets.insert(local, Inbox::default());
        let sky = Arc::clone(&self.sky);
        Ok(Box::new(SimSocket { sky, local }))
    }

    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        let found = host.parse().map(|ip| vec![SocketAddr::new(ip, port)]);
        Box::pin(async move { found.map_err(io::Error::other) })
    }
}

struct SimSocket {
    sky: Arc<Sky>,
    local: SocketAddr,
}

impl fmt::Debug for SimSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimSocket({})", self.local)
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        self.sky.state.lock().unwrap().sockets.remove(&self.local);
    }
}

impl Socket for SimSocket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        let mut state = self.sky.state.lock().unwrap();
        let inbox = state.sockets.get_mut(&self.local).expect("it is open");
        match inbox.arrived.pop_front() {
            Some((source, bytes)) => {
                buf.put_slice(&bytes);
                Poll::Ready(Ok(source))
            }
            None => {
                inbox.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn try_recv(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        let mut state = self.sky.state.lock().unwrap();
        let inbox = state.sockets.get_mut(&self.local).expect("it is open");
        let (source, bytes) = inbox.arrived.pop_front()?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Some((bytes.len(), source))
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let mut state = self.sky.state.lock().unwrap();
        state.air.send(now(), self.local, to, bytes);
        drop(state);
        self.sky.changed.notify_one();
    }
}
