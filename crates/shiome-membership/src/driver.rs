//! The task that gives the engine its datagrams and its time.

mod outgoing;

use std::{
    future::pending,
    io,
    net::SocketAddr,
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};

use shiome_gossip::MAX_DATAGRAM_LEN;
use shiome_swim::Event;
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
    time::sleep_until,
};

use crate::{
    clock,
    events::MembershipEvent,
    reliable,
    security::{Guard, HEADER_LEN},
    shared::{Shared, now},
    socket::{Fault, Socket},
    state::{Recorder, StateError},
};

/// Datagrams that are taken in one turn, before the engine's answers and timers have theirs.
const RECEIVE_BATCH: usize = 64;

/// Batches that are taken before timers that are due, at most: what a socket's buffer holds. A storm does not keep timers
/// waiting for long.
const CATCH_UP_BATCHES: usize = 16;

/// Pause of receiving after an error that is not the network's, so that one that stays does not keep the processor busy.
const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// One byte more than any datagram may have, so that none is cut unnoticed.
const RECEIVE_LEN: usize = MAX_DATAGRAM_LEN + 1;

/// Runs the engine on a socket.
#[derive(Debug)]
pub(crate) struct Driver {
    shared: Arc<Shared>,
    parts: Parts,
    buffers: Buffers,
    pings: JoinSet<Option<u64>>,
    /// A datagram in the buffer that the socket has no room for.
    unsent: Option<(SocketAddr, Range<usize>)>,
    /// When to receive again.
    receive_from: Option<Instant>,
    stop: Arc<Notify>,
    /// Dropped last: tells the handle that socket, listener and state directory are free.
    _ended: watch::Sender<()>,
}

/// What a driver is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) socket: Socket,
    pub(crate) guard: Guard,
    pub(crate) recorder: Option<Recorder>,
    /// How to ping over TCP, and how long to wait.
    pub(crate) reliable: Option<(reliable::Context, Duration)>,
    /// They end with the node.
    pub(crate) side_tasks: JoinSet<()>,
    /// Longest message of the engine.
    pub(crate) message_len: usize,
    /// What protection adds to it.
    pub(crate) overhead: usize,
}

/// How to stop a driver, and to know that it has ended.
#[derive(Debug)]
pub(crate) struct Control {
    pub(crate) stop: Arc<Notify>,
    /// Closed when the driver has let go of everything.
    pub(crate) ended: watch::Receiver<()>,
}

#[derive(Debug)]
struct Buffers {
    receive: Box<[u8]>,
    /// A frame: what the engine writes stands from [`HEADER_LEN`] on.
    send: Box<[u8]>,
}

/// Why the driver woke up.
enum Wake {
    Stop,
    /// Something to do for the engine, or in the socket.
    Turn,
    Readable,
    Ping(Option<u64>),
    Recorded(Result<(), StateError>),
}

impl Driver {
    pub(crate) fn new(shared: Arc<Shared>, parts: Parts) -> (Self, Control) {
        let stop = Arc::new(Notify::new());
        let (ended, ended_receiver) = watch::channel(());
        let driver = Self {
            shared,
            buffers: Buffers {
                receive: vec![0; RECEIVE_LEN].into(),
                send: vec![0; HEADER_LEN + parts.message_len + parts.overhead].into(),
            },
            parts,
            pings: JoinSet::new(),
            unsent: None,
            receive_from: None,
            stop: Arc::clone(&stop),
            _ended: ended,
        };
        let control = Control {
            stop,
            ended: ended_receiver,
        };
        (driver, control)
    }

    /// Runs until the node has left or is stopped.
    pub(crate) async fn run(mut self) {
        loop {
            if self.turn() {
                break;
            }
            match self.wake().await {
                Wake::Stop => break,
                Wake::Turn => {}
                Wake::Readable => {
                    self.receive();
                }
                Wake::Ping(token) => self.pinged(token),
                Wake::Recorded(result) => self.recorded(result),
            }
        }
        self.end().await;
    }

    async fn wake(&mut self) -> Wake {
        let due = self.shared.engine().poll_timeout();
        let receive_from = self.receive_from;
        tokio::select! {
            () = self.stop.notified() => Wake::Stop,
            () = self.shared.attention.notified() => Wake::Turn,
            () = until(due) => Wake::Turn,
            _ = self.parts.socket.writable(), if self.unsent.is_some() => Wake::Turn,
            _ = readable(&self.parts.socket, receive_from) => Wake::Readable,
            Some(ping) = self.pings.join_next() => Wake::Ping(ping.unwrap_or_default()),
            result = written(&mut self.parts.recorder) => Wake::Recorded(result),
        }
    }

    /// Gives the engine its time, and does what it wants. Returns whether the node has left.
    fn turn(&mut self) -> bool {
        if self.is_due() {
            self.catch_up();
            self.shared.engine().handle_timeout(now());
        }
        self.transmit();
        self.ping();
        self.tell()
    }

    fn is_due(&self) -> bool {
        let due = self.shared.engine().poll_timeout();
        due.is_some_and(|due| due <= now())
    }

    /// Receives what is there. A process that stood still finds its timers due and the answers in the socket: these come
    /// first, or the others seem dead.
    fn catch_up(&mut self) {
        for _ in 0..CATCH_UP_BATCHES {
            if self.receive_from.is_some() || !self.receive() {
                return;
            }
        }
    }

    /// Receives a batch. Returns whether there may be more.
    fn receive(&mut self) -> bool {
        self.receive_from = None;
        for _ in 0..RECEIVE_BATCH {
            match self.parts.socket.try_receive(&mut self.buffers.receive) {
                Ok((len, from)) => self.received(len, from),
                Err(Fault::WouldBlock) => return false,
                Err(Fault::Other(error)) => {
                    self.shared.counters.receive_failed.increment();
                    tracing::warn!(%error, "cannot receive");
                    self.receive_from = Some(now() + RECEIVE_PAUSE);
                    return false;
                }
                Err(_) => self.shared.counters.network_errors.increment(),
            }
        }
        true
    }

    fn received(&mut self, len: usize, from: SocketAddr) {
        let counters = &self.shared.counters;
        counters.received.increment();
        counters.received_bytes.add(len as u64);
        let datagram = &mut self.buffers.receive[..len];
        match self.parts.guard.open(clock::unix_seconds(), datagram) {
            Ok(message) => self.shared.engine().handle_datagram(now(), from, message),
            Err(reject) => {
                if counters.rejected(reject) == 0 {
                    tracing::warn!(%from, %reject, "dropped a datagram; further ones are only counted");
                }
            }
        }
    }

    fn pinged(&self, token: Option<u64>) {
        match token {
            Some(token) => self.shared.engine().handle_reliable_ack(now(), token),
            None => self.shared.counters.reliable_pings_failed.increment(),
        }
    }

    /// Passes the engine's events on. Returns whether the node has left.
    fn tell(&mut self) -> bool {
        let mut departed = false;
        while let Some((event, owned)) = self.next_event() {
            match event {
                Event::Incarnation { incarnation } => {
                    if let Some(recorder) = &mut self.parts.recorder {
                        recorder.record(incarnation);
                    }
                }
                Event::Departed => departed = true,
                _ => {}
            }
            if let Some(event) = owned {
                self.shared.events.send(event);
            }
        }
        departed
    }

    fn next_event(&self) -> Option<(Event, Option<MembershipEvent>)> {
        let mut engine = self.shared.engine();
        let event = engine.poll_event()?;
        Some((event, MembershipEvent::new(event, &engine)))
    }

    fn recorded(&self, result: Result<(), StateError>) {
        if let Err(error) = result {
            self.shared.counters.state_failed.increment();
            tracing::warn!(%error, "cannot keep the new incarnation");
        }
    }

    async fn end(mut self) {
        self.transmit();
        self.shared.events.close();
        self.parts.side_tasks.shutdown().await;
        if let Some(recorder) = self.parts.recorder.take() {
            let result = recorder.finish().await;
            self.recorded(result);
        }
        #[cfg(feature = "metrics")]
        crate::metrics::publish(&self.shared);
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due.into()).await,
        None => pending().await,
    }
}

async fn readable(socket: &Socket, from: Option<Instant>) -> io::Result<()> {
    if let Some(from) = from {
        sleep_until(from.into()).await;
    }
    socket.readable().await
}

async fn written(recorder: &mut Option<Recorder>) -> Result<(), StateError> {
    match recorder {
        Some(recorder) => recorder.written().await,
        None => pending().await,
    }
}
