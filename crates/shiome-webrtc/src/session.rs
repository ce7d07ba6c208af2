//! One attempt to reach a peer directly, and what comes of it: the task that moves datagrams, signals and envelopes.

mod delivery;
mod gathering;
mod switch;
mod voice;

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use shiome_bus::{
    PeerId, WeakPeer,
    wire::{CloseReason, Frame},
};
use str0m::Candidate;
use tokio::{
    io::ReadBuf,
    sync::mpsc,
    time::{sleep_until, timeout},
};

use self::{delivery::Deliveries, gathering::Gathering, switch::Switch, voice::Voice};
use crate::{
    Failure, Path, RtcOptions,
    connection::{Config, Connection, Event, Terms},
    gather::Routed,
    link::RtcLink,
    net::{Net, Socket},
    signal::{Body, Description, SessionId, Signal},
};

/// Bytes of the longest datagram that is read. Longer ones are of nobody who speaks WebRTC.
const DATAGRAM_LEN: usize = 2048;

/// Datagrams that are read before others have their turn.
const BATCH: usize = 32;

/// Time for the last words of a session, and for what waits to go another way.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What a session is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// The other end said something.
    Signal(Body),
    /// It is to end.
    Close(CloseReason),
}

/// What a session tells of itself while it lives.
#[derive(Debug)]
pub(crate) enum Report {
    /// The way to the peer changed.
    Path(Path),
    /// The other end answered the offer.
    Answered,
}

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

/// How a session tells its owner.
pub(crate) type Reporter = Box<dyn Fn(Report) + Send + Sync>;

/// One session.
pub(crate) struct Session {
    connection: Connection,
    gathering: Gathering,
    sockets: Arc<[Box<dyn Socket>]>,
    link: Arc<RtcLink>,
    voice: Voice,
    deliveries: Deliveries,
    switch: Switch,
    reporter: Reporter,
    ended: Option<Failure>,
}

impl Session {
    /// Runs a session until it has ended, and says why it did.
    pub(crate) async fn run(
        context: Context,
        remote: PeerId,
        id: SessionId,
        start: Start,
        link: Arc<RtcLink>,
        commands: mpsc::Receiver<Command>,
        reporter: Reporter,
    ) -> Failure {
        let mut voice = Voice::new(&context, remote, id);
        match begin(&context, &start) {
            Ok((connection, sockets)) => {
                let mut session = Self {
                    connection,
                    gathering: Gathering::new(&context, &sockets),
                    sockets: sockets.into(),
                    switch: Switch::new(&context.peer, &voice, &link),
                    deliveries: Deliveries::new(&link),
                    link,
                    voice,
                    reporter,
                    ended: None,
                };
                session.drive(commands).await
            }
            Err(failure) => {
                // Who offered learns that there will be no answer.
                voice.say(Body::Close(failure.reason().as_str().to_owned()));
                let _ = timeout(LAST_WORDS, voice.run_out()).await;
                failure
            }
        }
    }

    async fn drive(&mut self, mut commands: mpsc::Receiver<Command>) -> Failure {
        let sockets = Arc::clone(&self.sockets);
        let mut buf = vec![0; DATAGRAM_LEN];
        let link = Arc::clone(&self.link);
        let mut listening = true;
        loop {
            self.pump(now());
            if let Some(failure) = self.ended.clone() {
                return self.finish(failure).await;
            }
            let timeout = sleep_until(self.timeout().into());
            tokio::select! {
                (socket, len, source) = receive(&sockets, &mut buf) => {
                    self.receive_more(&*sockets[socket], &mut buf, len, source);
                }
                () = timeout => self.handle_timeout(now()),
                () = link.work.notified() => {
                    if link.is_ending() {
                        self.pump(now());
                        self.connection.close(now(), CloseReason::Closed);
                    }
                }
                command = commands.recv(), if listening => match command {
                    Some(command) => self.handle_command(now(), command),
                    None => {
                        listening = false;
                        self.connection.close(now(), CloseReason::GoingAway);
                    }
                },
                found = self.gathering.resolved() => self.gathering.begin(now(), &found),
                failed = self.voice.run() => self.handle_unsaid(failed),
                taken = self.deliveries.run() => self.deliveries.taken(now(), taken),
                () = self.switch.run() => self.switched(),
            }
        }
    }

    fn timeout(&self) -> Instant {
        let acknowledge = self.deliveries.timeout();
        let times = [
            self.connection.timeout(),
            self.gathering.timeout(),
            acknowledge,
        ];
        let far = now() + Duration::from_secs(3600);
        times.into_iter().flatten().min().unwrap_or(far)
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.connection.timeout().is_some_and(|at| at <= now) {
            self.connection.handle_timeout(now);
        }
        self.gathering.handle_timeout(now);
    }

    fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Close(reason) => {
                self.voice.say(Body::Close(reason.as_str().to_owned()));
                self.connection.close(now, reason);
            }
            Command::Signal(Body::Answer(answer)) => {
                self.connection.handle_answer(now, &answer);
                self.permit_described(now, &answer.sdp);
                (self.reporter)(Report::Answered);
            }
            Command::Signal(Body::Offer(offer)) => {
                self.connection.handle_offer(now, &offer);
                self.permit_described(now, &offer.sdp);
            }
            Command::Signal(Body::Candidate(candidate)) => {
                let added = self
                    .connection
                    .add_remote_candidate(now, candidate.as_deref());
                match added {
                    Ok(Some(addr)) => self.gathering.permit(now, addr.ip()),
                    Ok(None) => {}
                    Err(error) => tracing::debug!(%error, "signal"),
                }
            }
            Command::Signal(Body::Close(reason)) => {
                self.connection.close(now, CloseReason::of_name(&reason));
            }
            Command::Signal(Body::Switch) => {}
        }
    }

    /// Lets datagrams from the addresses in an SDP come to those that servers lend us.
    fn permit_described(&mut self, now: Instant, sdp: &str) {
        for line in sdp.lines() {
            if let Some(candidate) = line
                .strip_prefix("a=")
                .filter(|l| l.starts_with("candidate:"))
                && let Ok(candidate) = Candidate::from_sdp_string(candidate)
            {
                self.gathering.permit(now, candidate.addr().ip());
            }
        }
    }

    fn handle_unsaid(&mut self, failure: Failure) {
        // Once there is a way, what is said beside it no longer counts.
        if self.connection.remote().is_none() {
            self.end(failure);
        }
    }

    fn end(&mut self, failure: Failure) {
        if self.ended.is_none() {
            self.connection.close(now(), failure.reason());
            self.ended = Some(failure);
        }
    }

    fn receive_more(
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

    /// Moves on all that can move.
    fn pump(&mut self, now: Instant) {
        self.gather(now);
        loop {
            while let Some(event) = self.connection.poll_event() {
                self.handle_event(now, event);
            }
            let wrote = self.write(now);
            self.transmit(now);
            if !wrote {
                return;
            }
        }
    }

    fn gather(&mut self, now: Instant) {
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

    /// Writes what waits. Whether there was something.
    fn write(&mut self, now: Instant) -> bool {
        let Some(Terms { encoding, .. }) = self.connection.remote().cloned() else {
            return false;
        };
        let mut wrote = false;
        while let Some(message) = self.link.next_loose(encoding) {
            self.connection.write_loose(now, &message);
            wrote = true;
        }
        while self.connection.has_room() {
            let ack = self.deliveries.waiting_ack();
            match self.link.next_message(encoding, ack) {
                Some(message) => {
                    self.deliveries.acknowledged(ack);
                    self.connection.write(now, &message);
                }
                None => match self.deliveries.due_ack(now) {
                    Some(received) => {
                        self.connection.say(now, &Frame::Ack { received });
                    }
                    None => break,
                },
            }
            wrote = true;
        }
        wrote
    }

    fn transmit(&mut self, now: Instant) {
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

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Signal(body) => self.voice.say(body),
            Event::Up => self.up(),
            Event::Lost => {
                (self.reporter)(Report::Path(Path::Relayed(Failure::Unresponsive)));
                self.switch.divert();
            }
            Event::Heard {
                frames,
                len,
                counted,
            } => self.hear(now, frames, len, counted),
            Event::Ended(failure) => {
                let failure = self.gathering.explain(failure);
                self.ended.get_or_insert(failure);
            }
        }
    }

    fn up(&mut self) {
        let Some(terms) = self.connection.remote() else {
            return;
        };
        match self.link.hold(terms) {
            Ok(()) => self.switch.wait(),
            Err(error) => self.end(Failure::Signalling(error)),
        }
    }

    fn switched(&mut self) {
        if self.link.go_direct() {
            (self.reporter)(Report::Path(Path::Direct));
        }
    }

    fn hear(&mut self, now: Instant, frames: Vec<Frame>, len: usize, counted: bool) {
        let mut envelopes = Vec::with_capacity(frames.len());
        for frame in frames {
            match frame {
                Frame::Envelope(envelope) => envelopes.push(envelope),
                Frame::Ack { received } if self.link.acknowledge(received).is_err() => {
                    return self.end(Failure::malformed("an ack of what was not sent"));
                }
                _ => {}
            }
        }
        if !self.deliveries.push(now, envelopes, len, counted) {
            self.end(Failure::Overload);
        }
    }

    /// Says the last words, and sees to it that what waits goes another way.
    async fn finish(&mut self, failure: Failure) -> Failure {
        let now = now();
        while self.connection.poll_event().is_some() {}
        self.gathering.close(now);
        self.transmit(now);
        self.link.clear_loose();
        (self.reporter)(Report::Path(Path::Relayed(failure.clone())));
        self.voice
            .say(Body::Close(failure.reason().as_str().to_owned()));
        self.switch.divert();
        if self.link.detour().is_err() {
            // Who waits for an answer is told at once, and what waits to be sent has nowhere to go.
            self.switch.stop();
            self.link.give_up();
        }
        let last_words = async {
            let (voice, switch, deliveries) =
                (&mut self.voice, &mut self.switch, &mut self.deliveries);
            tokio::join!(voice.run_out(), switch.run_out(), deliveries.run_out());
        };
        if timeout(LAST_WORDS, last_words).await.is_err() {
            self.switch.stop();
            self.link.give_up();
        }
        failure
    }
}

/// Sockets, and a connection that offers or answers.
fn begin(context: &Context, start: &Start) -> Result<(Connection, Vec<Box<dyn Socket>>), Failure> {
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

fn bind(context: &Context) -> Result<Vec<Box<dyn Socket>>, Failure> {
    let addresses = match &context.options.addresses {
        Some(addresses) => addresses.clone(),
        None => context.net.addresses(),
    };
    let mut sockets = Vec::new();
    let mut failed = None;
    for address in addresses {
        match context.net.bind(address) {
            Ok(socket) => sockets.push(socket),
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if sockets.is_empty() => Err(error.into()),
        _ if sockets.is_empty() => Err(Failure::NoCandidates),
        _ => Ok(sockets),
    }
}

fn send(sockets: &[Box<dyn Socket>], from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
    let socket = sockets.iter().find(|socket| socket.local_addr() == from);
    if let Some(socket) = socket {
        socket.send(to, bytes);
    }
}

/// The next datagram: to which socket, its length and its source.
async fn receive(sockets: &[Box<dyn Socket>], buf: &mut [u8]) -> (usize, usize, SocketAddr) {
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
