//! One attempt to reach a peer directly, and what comes of it: the task that moves datagrams, signals and envelopes.

mod carrier;
mod delivery;
mod gathering;
mod switch;
mod voice;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use shiome_bus::{
    PeerId,
    wire::{CloseReason, Frame},
};
use tokio::{
    sync::mpsc,
    time::{sleep, sleep_until, timeout},
};

use self::{
    delivery::Deliveries,
    switch::{Switch, Turn},
};
use crate::{
    Failure, Path,
    connection::{Event, Terms},
    link::RtcLink,
    signal::{Body, SessionId, Signal},
};

pub(crate) use self::{
    carrier::{Carrier, Context, DATAGRAM_LEN, Start, now, receive},
    switch::divert_all,
};

/// Time for the last words of a session, and for what waits to go another way.
pub(crate) const LAST_WORDS: Duration = Duration::from_secs(5);

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

/// How a session tells its owner.
pub(crate) type Reporter = Box<dyn Fn(Report) + Send + Sync>;

/// One session.
pub(crate) struct Session {
    carrier: Carrier,
    link: Arc<RtcLink>,
    deliveries: Deliveries,
    switch: Switch,
    reporter: Reporter,
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
        let carrier = match Carrier::begin(&context, remote, id, &start).await {
            Ok(carrier) => carrier,
            Err(failure) => {
                reporter(Report::Path(Path::Relayed(failure.clone())));
                return failure;
            }
        };
        let mut session = Self {
            switch: Switch::new(&context.peer, &carrier.voice, &link),
            deliveries: Deliveries::new(&link),
            carrier,
            link,
            reporter,
        };
        session.drive(commands).await
    }

    async fn drive(&mut self, mut commands: mpsc::Receiver<Command>) -> Failure {
        let mut buf = vec![0; DATAGRAM_LEN];
        let link = Arc::clone(&self.link);
        let mut listening = true;
        loop {
            self.pump(now());
            if let Some(failure) = self.carrier.ended.clone() {
                return self.finish(failure, commands).await;
            }
            let timeout = sleep_until(self.timeout().into());
            let sockets = Arc::clone(&self.carrier.sockets);
            tokio::select! {
                (socket, len, source) = receive(&sockets, &mut buf) => {
                    self.carrier.receive_more(&*sockets[socket], &mut buf, len, source);
                }
                () = timeout => self.carrier.handle_timeout(now()),
                () = link.work.notified() => {
                    if link.is_ending() {
                        self.pump(now());
                        self.close(CloseReason::Closed);
                    }
                }
                command = commands.recv(), if listening => match command {
                    Some(command) => self.handle_command(now(), command),
                    None => {
                        listening = false;
                        self.close(CloseReason::GoingAway);
                    }
                },
                found = self.carrier.gathering.resolved() => self.carrier.handle_found(now(), found),
                failed = self.carrier.voice.run() => self.carrier.handle_unsaid(failed),
                taken = self.deliveries.run() => self.deliveries.taken(now(), taken),
                turn = self.switch.run() => self.turned(turn),
            }
        }
    }

    fn timeout(&self) -> Instant {
        let own = self.carrier.timeout();
        // An acknowledgement that there is no room for waits for that.
        let ack = self.deliveries.timeout();
        let ack = ack.filter(|_| self.carrier.connection.has_room());
        ack.map_or(own, |ack| ack.min(own))
    }

    fn handle_command(&mut self, now: Instant, command: Command) {
        match command {
            Command::Close(reason) => self.close(reason),
            Command::Signal(body) => {
                let answers = matches!(body, Body::Answer(_));
                self.carrier.handle_signal(now, body);
                if answers {
                    (self.reporter)(Report::Answered);
                }
            }
        }
    }

    /// Ends it. What came is known to have come.
    fn close(&mut self, reason: CloseReason) {
        let now = now();
        let received = self.deliveries.waiting_ack();
        self.deliveries.acknowledged(received);
        self.carrier.connection.finish(now, reason, received);
    }

    /// Moves on all that can move.
    fn pump(&mut self, now: Instant) {
        self.carrier.gather(now);
        loop {
            while let Some(event) = self.carrier.connection.poll_event() {
                self.handle_event(now, event);
            }
            let wrote = self.write(now);
            self.carrier.transmit(now);
            if !wrote {
                return;
            }
        }
    }

    /// Writes what waits. Whether there was something.
    fn write(&mut self, now: Instant) -> bool {
        let Some(Terms { encoding, .. }) = self.carrier.connection.remote().cloned() else {
            return false;
        };
        let mut wrote = false;
        while let Some(message) = self.link.next_loose(encoding) {
            self.carrier.connection.write_loose(now, &message);
            wrote = true;
        }
        while self.carrier.connection.has_room() {
            let ack = self.deliveries.waiting_ack();
            match self.link.next_message(encoding, ack) {
                Some(message) => {
                    self.deliveries.acknowledged(ack);
                    self.carrier.connection.write(now, &message);
                }
                None => match self.deliveries.due_ack(now) {
                    Some(received) => {
                        self.carrier.connection.say(now, &Frame::Ack { received });
                    }
                    None => break,
                },
            }
            wrote = true;
        }
        wrote
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Signal(body) => self.carrier.voice.say(body),
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
            // A connection for envelopes takes no others.
            Event::Bytes(bytes) => tracing::debug!(len = bytes.len(), "bytes of a stream"),
            Event::Ended(failure) => {
                let failure = self.carrier.gathering.explain(failure);
                self.carrier.ended.get_or_insert(failure);
            }
        }
    }

    fn up(&mut self) {
        let Some(terms) = self.carrier.connection.remote() else {
            return;
        };
        match self.link.hold(terms) {
            Ok(()) => self.switch.wait(),
            Err(error) => self.carrier.end(Failure::Signalling(error)),
        }
    }

    fn turned(&mut self, turn: Turn) {
        match turn {
            Turn::Arrived if self.link.go_direct() => {
                (self.reporter)(Report::Path(Path::Direct));
            }
            // What was held back goes behind what is still under way, and then that is waited for.
            Turn::Late => self.switch.divert(),
            Turn::Diverted if self.carrier.connection.is_up() => self.up(),
            Turn::Arrived | Turn::Diverted => {}
        }
    }

    fn hear(&mut self, now: Instant, frames: Vec<Frame>, len: usize, counted: bool) {
        let mut envelopes = Vec::with_capacity(frames.len());
        for frame in frames {
            match frame {
                Frame::Envelope(envelope) => envelopes.push(envelope),
                Frame::Ack { received } if self.link.acknowledge(received).is_err() => {
                    return self
                        .carrier
                        .end(Failure::malformed("an ack of what was not sent"));
                }
                _ => {}
            }
        }
        if !self.deliveries.push(now, envelopes, len, counted) {
            self.carrier.end(Failure::Overload);
        }
    }

    /// Says the last words, and sees to it that what waits goes another way.
    async fn finish(&mut self, failure: Failure, mut commands: mpsc::Receiver<Command>) -> Failure {
        let now = now();
        while self.carrier.connection.poll_event().is_some() {}
        self.carrier.gathering.close(now);
        self.carrier.transmit(now);
        self.link.clear_loose();
        (self.reporter)(Report::Path(Path::Relayed(failure.clone())));
        self.carrier
            .voice
            .say(Body::Close(failure.told().to_owned()));
        self.switch.divert();
        if self.link.detour().is_err() {
            // Who waits for an answer is told at once, and what waits to be sent has nowhere to go.
            self.switch.stop();
            self.link.give_up();
        }
        let last_words = async {
            let (voice, switch, deliveries) = (
                &mut self.carrier.voice,
                &mut self.switch,
                &mut self.deliveries,
            );
            tokio::join!(voice.run_out(), switch.run_out(), deliveries.run_out());
        };
        if timeout(LAST_WORDS, last_words).await.is_err() {
            self.run_out(&mut commands).await;
        }
        failure
    }

    /// Goes on to send what waits over the other link, as long as there is one. A session that takes the place of this one has
    /// what is left.
    async fn run_out(&mut self, commands: &mut mpsc::Receiver<Command>) {
        loop {
            let has_way = self.link.detour().is_ok();
            tokio::select! {
                () = self.switch.run_out() => return,
                command = commands.recv() => match command {
                    Some(Command::Close(CloseReason::Replaced)) => return self.switch.stop(),
                    Some(_) => {}
                    None => break,
                },
                () = sleep(LAST_WORDS) => if !has_way && self.link.detour().is_err() {
                    break;
                },
            }
        }
        self.switch.stop();
        self.link.give_up();
    }
}
