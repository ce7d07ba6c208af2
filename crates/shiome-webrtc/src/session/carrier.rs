//! What carries a connection: its sockets, the addresses of servers, and what is said about it over other links.

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use shiome_bus::{PeerId, WeakPeer, wire::CloseReason};
use str0m::Candidate;
use tokio::{io::ReadBuf, time::timeout};

use super::{
    LAST_WORDS,
    gathering::{Found, Gathering},
    voice::Voice,
};
use crate::{
    Failure, RtcOptions,
    connection::{Config, Connection, MAX_CANDIDATES},
    gather::Routed,
    net::{Net, Socket},
    signal::{Body, Description, SessionId},
};

/// Bytes of the longest datagram that is read. Longer ones are of nobody who speaks WebRTC.
pub(crate) const DATAGRAM_LEN: usize = 2048;

/// Datagrams that are read before others have their turn.
const BATCH: usize = 32;

/// What all sessions of a peer have in common.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) peer: WeakPeer,
    pub(crate) options: Arc<RtcOptions>,
    pub(crate) net: Arc<dyn Net>,
    pub(crate) config: Config,
}

/// How it begins.
#[derive(Debug)]
pub(crate) enum Start {
    Offer,
    Answer(Box<Description>),
}

/// A connection, and what carries it.
pub(crate) struct Carrier {
    pub(crate) connection: Connection,
    pub(crate) gathering: Gathering,
    pub(crate) sockets: Arc<[Arc<dyn Socket>]>,
    pub(crate) voice: Voice,
    pub(crate) ended: Option<Failure>,
}

impl Carrier {
    /// Begins to offer or to answer. Where that fails, who offered has been told so.
    pub(crate) async fn begin(
        context: &Context,
        remote: PeerId,
        id: SessionId,
        start: &Start,
    ) -> Result<Self, Failure> {
        let mut voice = Voice::new(context, remote, id);
        match begin(context, start) {
            Ok((connection, sockets)) => Ok(Self {
                connection,
                gathering: Gathering::new(now(), context, &sockets),
                sockets: sockets.into(),
                voice,
                ended: None,
            }),
            Err(failure) => {
                voice.say(Body::Close(failure.told().to_owned()));
                let _ = timeout(LAST_WORDS, voice.run_out()).await;
                Err(failure)
            }
        }
    }

    /// When something is to be done.
    pub(crate) fn timeout(&self) -> Instant {
        let times = [self.connection.timeout(), self.gathering.timeout()];
        let far = now() + Duration::from_secs(3600);
        times.into_iter().flatten().min().unwrap_or(far)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.connection.timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        self.gathering.handle_timeout(now);
    }

    /// Servers can be asked, maybe over streams of their own.
    pub(crate) fn handle_found(&mut self, now: Instant, found: Vec<Found>) {
        for found in found {
            let Some(stream) = found.stream.clone() else {
                self.gathering.ask(now, &found);
                continue;
            };
            let local = stream.local_addr();
            if self.sockets.iter().any(|other| other.local_addr() == local) {
                // What comes could not be told apart.
                self.gathering.refuse(now, found);
                continue;
            }
            self.gathering.ask(now, &found);
            self.sockets = self.sockets.iter().cloned().chain([stream]).collect();
        }
    }

    /// The other end said something.
    pub(crate) fn handle_signal(&mut self, now: Instant, body: Body) {
        match body {
            Body::Answer(answer) => {
                self.connection.handle_answer(now, &answer);
                self.permit_described(now, &answer.sdp);
            }
            Body::Offer(offer) => {
                self.connection.handle_offer(now, &offer);
                self.permit_described(now, &offer.sdp);
            }
            Body::Candidate(candidate) => {
                let added = self
                    .connection
                    .add_remote_candidate(now, candidate.as_deref());
                match added {
                    Ok(Some(addr)) => self.gathering.permit(now, addr.ip()),
                    Ok(None) => {}
                    Err(error) => tracing::debug!(%error, "signal"),
                }
            }
            Body::Close(reason) => match Failure::of_told(&reason) {
                Some(failure) if !self.connection.was_up() => self.end(failure),
                _ => self.connection.close(now, CloseReason::of_name(&reason)),
            },
            Body::Switch => {}
        }
    }

    /// Ends it, and tells the other end why on both ways.
    #[cfg(feature = "cluster")]
    pub(crate) fn close(&mut self, now: Instant, reason: CloseReason) {
        self.voice.say(Body::Close(reason.as_str().to_owned()));
        self.connection.close(now, reason);
    }

    /// Something could not be said.
    pub(crate) fn handle_unsaid(&mut self, failure: Failure) {
        // Once there is a way, what is said beside it no longer counts; when it is lost, it does.
        if self.connection.remote().is_none() {
            self.end(failure);
        } else if self.connection.is_lost() {
            self.voice.say_again();
        }
    }

    pub(crate) fn end(&mut self, failure: Failure) {
        if self.ended.is_none() {
            self.connection.close(now(), failure.reason());
            self.ended = Some(failure);
        }
    }

    /// Lets datagrams from the addresses in an SDP come to those that servers lend us.
    fn permit_described(&mut self, now: Instant, sdp: &str) {
        let lines = sdp.lines().filter_map(|line| line.strip_prefix("a="));
        let candidates = lines.filter(|line| line.starts_with("candidate:"));
        for candidate in candidates.take(MAX_CANDIDATES) {
            if let Ok(candidate) = Candidate::from_sdp_string(candidate) {
                self.gathering.permit(now, candidate.addr().ip());
            }
        }
    }

    /// Takes in a datagram, and those that have come since.
    pub(crate) fn receive_more(
        &mut self,
        socket: &dyn Socket,
        buf: &mut [u8],
        mut len: usize,
        mut source: SocketAddr,
    ) {
        let (now, local) = (now(), socket.local_addr());
        for _ in 0..BATCH {
            self.handle_datagram(now, local, source, &buf[..len]);
            match socket.try_recv(buf) {
                Some(next) => (len, source) = next,
                None => break,
            }
        }
    }

    fn handle_datagram(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        bytes: &[u8],
    ) {
        match self.gathering.handle_datagram(now, local, source, bytes) {
            Routed::Ours => {}
            Routed::Theirs => self.connection.handle_datagram(now, local, source, bytes),
            Routed::Relayed {
                local,
                source,
                bytes,
            } => self.connection.handle_datagram(now, local, source, &bytes),
        }
    }

    /// Tells of addresses that were found.
    pub(crate) fn gather(&mut self, now: Instant) {
        while let Some(candidate) = self.gathering.poll_candidate() {
            self.connection.add_local_candidate(now, candidate);
        }
        if self.gathering.ends() {
            self.connection.end_local_candidates(now);
            if let Some(failure) = self.gathering.hopeless() {
                self.end(failure);
            }
        }
    }

    /// Sends all datagrams that are to be sent.
    pub(crate) fn transmit(&mut self, now: Instant) {
        while let Some(transmit) = self.connection.poll_transmit() {
            let (from, to) = (transmit.source, transmit.destination);
            if !self.gathering.relay(now, from, to, &transmit.contents) {
                send(&self.sockets, from, to, &transmit.contents);
            }
        }
        while let Some(packet) = self.gathering.poll_transmit() {
            send(&self.sockets, packet.local, packet.to, &packet.bytes);
        }
    }
}

/// Sockets, and a connection that offers or answers.
fn begin(context: &Context, start: &Start) -> Result<(Connection, Vec<Arc<dyn Socket>>), Failure> {
    let (now, config) = (now(), context.config.clone());
    let sockets = bind(context)?;
    let hosts = sockets.iter().map(|socket| socket.local_addr());
    let hosts = hosts.filter(|_| !context.options.relay_only);
    let candidates = hosts.filter_map(|host| Candidate::host(host, "udp").ok());
    let candidates = candidates.collect();
    let connection = match start {
        Start::Offer => Connection::offer(now, config, candidates),
        Start::Answer(offer) => Connection::answer(now, config, candidates, offer),
    };
    Ok((connection?, sockets))
}

/// Now, on the clock of the timers.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn bind(context: &Context) -> Result<Vec<Arc<dyn Socket>>, Failure> {
    let addresses = match &context.options.addresses {
        Some(addresses) => addresses.clone(),
        None => context.net.addresses(),
    };
    let mut sockets = Vec::new();
    let mut failed = None;
    for address in addresses {
        match context.net.bind(address) {
            Ok(socket) => sockets.push(Arc::from(socket)),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if sockets.is_empty() => Err(error.into()),
        _ if sockets.is_empty() => Err(Failure::NoCandidates),
        _ => Ok(sockets),
    }
}

fn send(sockets: &[Arc<dyn Socket>], from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
    let socket = sockets.iter().find(|socket| socket.local_addr() == from);
    if let Some(socket) = socket {
        socket.send(to, bytes);
    }
}

/// The next datagram: to which socket, its length and its source. Cancel-safe.
pub(crate) async fn receive(
    sockets: &[Arc<dyn Socket>],
    buf: &mut [u8],
) -> (usize, usize, SocketAddr) {
    poll_fn(|cx| {
        for (index, socket) in sockets.iter().enumerate() {
            let mut into = ReadBuf::new(buf);
            while let Poll::Ready(received) = socket.poll_recv(cx, &mut into) {
                // An error tells of a datagram that was sent, and went nowhere.
                if let Ok(source) = received {
                    return Poll::Ready((index, into.filled().len(), source));
                }
            }
        }
        Poll::Pending
    })
    .await
}
