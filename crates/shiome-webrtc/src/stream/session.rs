//! One link: the task that moves datagrams, signals and bytes.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use sha2::{Digest, Sha256};
use shiome_bus::{
    PeerId,
    wire::{CloseReason, Frame},
};
use shiome_transport::{Link, Security};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split},
    sync::{mpsc, oneshot},
    time::{sleep_until, timeout},
};

use super::{
    SCHEME,
    flow::Flow,
    half::{Half, Loss},
};
use crate::{
    Failure,
    chunk::WHOLE_LEN,
    connection::{Connection, Event},
    session::{Carrier, Context, DATAGRAM_LEN, LAST_WORDS, Start, now, receive},
    signal::{Body, SessionId},
};

/// Bytes of each direction between a link and its connection.
const BUFFER: usize = 64 * 1024;

/// What the channel binding is a digest of, before the fingerprints.
const BINDING: &[u8] = b"shiome rtc channel binding 1";

/// Tells once what a connection has come to.
pub(super) struct Opened {
    told: oneshot::Sender<Result<Link, Failure>>,
    labels: (String, String),
}

impl Opened {
    pub(super) fn new(
        told: oneshot::Sender<Result<Link, Failure>>,
        local: &PeerId,
        remote: &PeerId,
    ) -> Self {
        let label = |id| format!("{SCHEME}:{id}");
        Self {
            told,
            labels: (label(remote), label(local)),
        }
    }
}

/// One link.
pub(super) struct StreamSession {
    carrier: Carrier,
    /// Until the channel is open.
    opens: Option<Opened>,
    flow: Flow,
    /// The connection's ends of what is between it and the link: what is read goes to the peer.
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
    /// The end of the link, until there is one.
    far: Option<DuplexStream>,
    loss: Loss,
    /// The owner takes no more.
    deaf: bool,
}

impl StreamSession {
    /// Runs until the link is over.
    pub(super) async fn run(
        context: Context,
        remote: PeerId,
        id: SessionId,
        start: Start,
        signals: mpsc::Receiver<Body>,
        opens: Opened,
    ) {
        let carrier = match Carrier::begin(&context, remote, id, &start).await {
            Ok(carrier) => carrier,
            Err(failure) => {
                // Nobody waits any longer when that fails.
                let _ = opens.told.send(Err(failure));
                return;
            }
        };
        let (near, far) = duplex(BUFFER);
        let (reader, writer) = split(near);
        let session = Self {
            carrier,
            opens: Some(opens),
            flow: Flow::default(),
            reader,
            writer,
            far: Some(far),
            loss: Arc::new(OnceLock::new()),
            deaf: false,
        };
        session.drive(signals).await;
    }

    async fn drive(mut self, mut signals: mpsc::Receiver<Body>) {
        let mut datagram = vec![0; DATAGRAM_LEN];
        let mut bytes = vec![0; WHOLE_LEN];
        loop {
            self.pump(now()).await;
            if let Some(failure) = self.carrier.ended.clone() {
                return self.finish(failure).await;
            }
            let room = self.room();
            let timeout = sleep_until(self.carrier.timeout().into());
            let sockets = Arc::clone(&self.carrier.sockets);
            tokio::select! {
                (socket, len, source) = receive(&sockets, &mut datagram) => {
                    self.carrier.receive_more(&*sockets[socket], &mut datagram, len, source);
                }
                () = timeout => self.carrier.handle_timeout(now()),
                signal = signals.recv() => match signal {
                    Some(body) => self.carrier.handle_signal(now(), body),
                    // It is in the tables until this has ended.
                    None => self.carrier.end(Failure::Closed(CloseReason::Closed)),
                },
                found = self.carrier.gathering.resolved() => {
                    self.carrier.handle_found(now(), found);
                }
                failed = self.carrier.voice.run() => self.carrier.handle_unsaid(failed),
                read = self.reader.read(&mut bytes[..room]), if room > 0 => {
                    // The other end of a duplex does not fail.
                    let len = read.unwrap_or(0);
                    self.flow.send(len);
                    self.carrier.connection.write_bytes(now(), &bytes[..len]);
                }
                written = self.writer.write(self.flow.waiting()), if !self.flow.waiting().is_empty() => {
                    match written {
                        Ok(len) => self.flow.take(len),
                        Err(_) => self.deaf = true,
                    }
                }
                () = abandoned(&mut self.opens) => {
                    self.carrier.close(now(), CloseReason::Closed);
                }
            }
            if self.deaf {
                self.carrier.close(now(), CloseReason::Closed);
            }
        }
    }

    /// How many bytes the channel takes at once.
    fn room(&self) -> usize {
        let open = self.opens.is_none() && self.carrier.connection.has_room();
        if open { self.flow.room() } else { 0 }
    }

    /// Moves on all that can move.
    async fn pump(&mut self, now: Instant) {
        self.carrier.gather(now);
        while let Some(event) = self.carrier.connection.poll_event() {
            self.handle_event(event);
        }
        if self.flow.take_end() {
            // That of a duplex waits for nobody, and what it says does not matter to who is gone.
            let _ = self.writer.shutdown().await;
        }
        if let Some(received) = self.flow.due_ack() {
            self.carrier.connection.say(now, &Frame::Ack { received });
        }
        self.carrier.transmit(now);
        if self.flow.is_over() {
            self.carrier.end(Failure::Closed(CloseReason::Closed));
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Signal(body) => self.carrier.voice.say(body),
            Event::Up => self.open(),
            Event::Bytes(bytes) => {
                if let Err(error) = self.flow.arrive(bytes) {
                    self.carrier.end(Failure::malformed(error));
                }
            }
            Event::Heard { frames, .. } => self.hear(&frames),
            Event::Ended(failure) => {
                let failure = self.carrier.gathering.explain(failure);
                self.carrier.ended.get_or_insert(failure);
            }
            // What is under way waits in SCTP for a new one.
            Event::Lost => {}
        }
    }

    fn hear(&mut self, frames: &[Frame]) {
        for frame in frames {
            if let Frame::Ack { received } = frame
                && let Err(error) = self.flow.acknowledge(*received)
            {
                return self.carrier.end(Failure::malformed(error));
            }
        }
    }

    /// The channel is open, for the first time or again.
    fn open(&mut self) {
        let (Some(opens), Some(far)) = (self.opens.take(), self.far.take()) else {
            return;
        };
        let (inner, writer) = split(far);
        let half = Half {
            inner,
            loss: Arc::clone(&self.loss),
        };
        let mut link = Link::over(
            Box::new(half),
            Box::new(writer),
            opens.labels,
            Security::Tls,
        );
        link.channel_binding = binding(&mut self.carrier.connection);
        if opens.told.send(Ok(link)).is_err() {
            self.carrier.end(Failure::Closed(CloseReason::Closed));
        }
    }

    /// Says the last words, and tells the owner that it was not the end, if it was not.
    async fn finish(mut self, failure: Failure) {
        let orderly = self.flow.may_be_over();
        if !orderly {
            // Nobody else writes it.
            let _ = self.loss.set(failure.clone());
        }
        if let Some(opens) = self.opens.take() {
            // Nobody waits any longer when that fails.
            let _ = opens.told.send(Err(failure.clone()));
        }
        while self.carrier.connection.poll_event().is_some() {}
        self.carrier.gathering.close(now());
        self.carrier.transmit(now());
        let Self {
            mut carrier,
            reader,
            mut writer,
            mut flow,
            ..
        } = self;
        drop(reader);
        let reason = failure.told().to_owned();
        carrier.voice.say(Body::Close(reason));
        let deliver = async {
            // What has come before an orderly end is the owner's.
            while orderly && !flow.waiting().is_empty() {
                match writer.write(flow.waiting()).await {
                    Ok(len) => flow.take(len),
                    Err(_) => break,
                }
            }
            drop(writer);
        };
        let _ = timeout(LAST_WORDS, async {
            tokio::join!(deliver, carrier.voice.run_out())
        })
        .await;
    }
}

/// Resolves when nobody waits any longer for the channel to open. Cancel-safe.
async fn abandoned(opens: &mut Option<Opened>) {
    match opens {
        Some(opens) => opens.told.closed().await,
        None => std::future::pending().await,
    }
}

/// What both ends know, and whoever stands between does not.
fn binding(connection: &mut Connection) -> Option<[u8; 32]> {
    let [first, second] = connection.fingerprints()?;
    let mut digest = Sha256::new();
    digest.update(BINDING);
    for fingerprint in [first, second] {
        digest.update((fingerprint.len() as u64).to_be_bytes());
        digest.update(fingerprint);
    }
    Some(digest.finalize().into())
}
