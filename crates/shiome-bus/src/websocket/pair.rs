//! A client and a server on virtual time, and what goes between them.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    Envelope, Incarnation, Intent, MessageId, PeerId, Priority,
    websocket::{
        backoff::Reconnect,
        dialer::{Client, ClientConfig, ClientEvent},
        open::{OpenLink, Terms},
        outbox::QueueLimits,
        session::Session,
    },
    wire::{
        Batch, CloseReason, Encoding, Frame, Hello, Message, Refused, Secret, VERSION, Welcome,
        decode,
    },
};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);

pub(super) fn id(text: &str) -> PeerId {
    PeerId::new(text).expect("it is a name")
}

/// Each end has one run only.
fn first_life() -> Incarnation {
    Incarnation::new(1).expect("it is a small number")
}

pub(super) fn envelope(number: u64) -> Envelope {
    let message = MessageId {
        incarnation: first_life(),
        seq: number,
    };
    let intent = Intent::new("n", number).expect("it is a name");
    let mut envelope = Envelope::new(message, id("alice"), id("bob"), intent);
    envelope.priority = Priority::Normal;
    envelope
}

pub(super) fn config() -> ClientConfig {
    ClientConfig {
        id: id("alice"),
        incarnation: first_life(),
        token: None,
        reclaim: None,
        encodings: vec![Encoding::Binary, Encoding::Json],
        max_message: 1 << 20,
        heartbeat_ms: HEARTBEAT.as_millis() as u64,
        reconnect: Reconnect::default(),
    }
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Wire {
    messages: VecDeque<Message>,
    /// What is sent is lost, and nobody is told.
    pub(super) dead: bool,
}

/// A server that lets everybody in, and the client that it has let in.
pub(super) struct Server {
    pub(super) session: Session,
    pub(super) link: Option<OpenLink>,
    pub(super) encoding: Encoding,
    /// It remembers sessions.
    pub(super) remembers: bool,
    pub(super) refuses: Option<Refused>,
    pub(super) hellos: Vec<Hello>,
    pub(super) heard: Vec<u64>,
    pub(super) over: Option<CloseReason>,
}

/// Both, the wires between them, and the time.
pub(super) struct Pair {
    pub(super) now: Instant,
    pub(super) client: Client,
    pub(super) session: Session,
    pub(super) server: Server,
    pub(super) up: Wire,
    pub(super) down: Wire,
    /// Whether a dialled connection comes about.
    pub(super) reachable: bool,
    pub(super) dials: usize,
    pub(super) heard: Vec<u64>,
    /// What the client told: up, down, end.
    pub(super) told: Vec<String>,
    pub(super) unacknowledged: Vec<u64>,
}

impl Pair {
    pub(super) fn new(config: ClientConfig) -> Self {
        let now = Instant::now();
        Self {
            now,
            client: Client::new(now, config, 1),
            session: Session::new(QueueLimits::default()),
            server: Server {
                session: Session::new(QueueLimits::default()),
                link: None,
                encoding: Encoding::Binary,
                remembers: true,
                refuses: None,
                hellos: Vec::new(),
                heard: Vec::new(),
                over: None,
            },
            up: Wire::default(),
            down: Wire::default(),
            reachable: true,
            dials: 0,
            heard: Vec::new(),
            told: Vec::new(),
            unacknowledged: Vec::new(),
        }
    }

    pub(super) fn open() -> Self {
        let mut pair = Self::new(config());
        pair.drive();
        assert_eq!(pair.told, ["up"]);
        pair
    }

    /// Runs until nothing is left to do at this time.
    pub(super) fn drive(&mut self) {
        while self.step() {}
    }

    /// Runs for so long.
    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.drive();
            let client = self.client.timeout(&self.session, true);
            let server = self.server.link.as_ref();
            let server = server.map(|link| link.timeout(&self.server.session, true));
            match client.into_iter().chain(server).min() {
                Some(next) if next <= end => {
                    self.now = self.now.max(next);
                    self.client.handle_timeout(self.now, &mut self.session);
                    self.server.handle_timeout(self.now);
                }
                _ => {
                    self.now = end;
                    return;
                }
            }
        }
    }

    fn step(&mut self) -> bool {
        let mut busy = false;
        while let Some(event) = self.client.poll_event() {
            self.handle_event(event);
            busy = true;
        }
        while let Some(message) = self.client.poll_message(self.now, &mut self.session) {
            self.up.send(message);
            busy = true;
        }
        while let Some(message) = self.server.poll_message(self.now) {
            self.down.send(message);
            busy = true;
        }
        if let Some(message) = self.up.messages.pop_front() {
            let answer = self.server.handle_message(self.now, &message);
            self.down.messages.extend(answer);
            if let Some(reason) = self.server.over.take() {
                self.cut_with(reason);
            }
            busy = true;
        }
        if let Some(message) = self.down.messages.pop_front() {
            self.client
                .handle_message(self.now, &mut self.session, &message);
            busy = true;
        }
        busy
    }

    fn handle_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Dial => {
                self.dials += 1;
                (self.up, self.down) = (Wire::default(), Wire::default());
                self.server.link = None;
                if self.reachable {
                    self.client.handle_dialled(self.now, &self.session);
                } else {
                    self.client
                        .handle_closed(self.now, &mut self.session, CloseReason::Lost(1006));
                }
            }
            ClientEvent::Up(_) => self.told.push("up".to_owned()),
            ClientEvent::Down(reason) => self.told.push(format!("down: {}", reason.as_str())),
            ClientEvent::Ended(ended) => {
                self.told.push(format!("ended: {}", ended.reason.as_str()));
                let left = ended.unacknowledged.iter();
                self.unacknowledged = left.map(|envelope| envelope.id.seq).collect();
            }
            ClientEvent::Close(_) => self.server.link = None,
            ClientEvent::Heard(Frame::Envelope(envelope)) => {
                self.session.receive(self.now, 1, 100);
                self.heard.push(envelope.id.seq);
            }
            ClientEvent::Heard(_) | ClientEvent::TooLong(_) => {}
        }
    }

    pub(super) fn send(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            let pushed = self.session.push(&envelope(number));
            pushed.expect("scripts send no more than there is room for");
        }
    }

    /// The connection breaks, and both ends are told.
    pub(super) fn cut(&mut self) {
        self.cut_with(CloseReason::Lost(1006));
    }

    fn cut_with(&mut self, reason: CloseReason) {
        (self.up, self.down) = (Wire::default(), Wire::default());
        self.server.link = None;
        self.client
            .handle_closed(self.now, &mut self.session, reason);
    }

    /// Says something to the client that a server of ours would not say.
    pub(super) fn say(&mut self, text: &str) {
        self.down.send(Message::Text(text.to_owned().into()));
        self.drive();
    }
}

impl Wire {
    fn send(&mut self, message: Message) {
        if !self.dead {
            self.messages.push_back(message);
        }
    }
}

impl Server {
    fn handle_message(&mut self, now: Instant, message: &Message) -> Option<Message> {
        if let Some(link) = &mut self.link {
            match link.handle_message(now, &mut self.session, message) {
                Ok(heard) => {
                    let before = self.heard.len();
                    self.heard
                        .extend(heard.iter().filter_map(|heard| match heard {
                            Frame::Envelope(envelope) => Some(envelope.id.seq),
                            _ => None,
                        }));
                    let envelopes = (self.heard.len() - before) as u64;
                    let bytes = message.as_bytes().len();
                    self.session.receive(now, envelopes, bytes);
                }
                Err(reason) => self.over = Some(reason),
            }
            return None;
        }
        let frames = decode(message).expect("the client is ours");
        let [Frame::Hello(hello)] = &frames[..] else {
            // Of a connection that is over.
            return None;
        };
        self.hellos.push((**hello).clone());
        let answer = match self.refuses.take() {
            Some(refused) => Frame::Refused(refused),
            None => Frame::Welcome(Box::new(self.open(now, hello))),
        };
        let mut batch = Batch::new(Encoding::Json);
        batch.push(&answer);
        Some(batch.finish())
    }

    fn open(&mut self, now: Instant, hello: &Hello) -> Welcome {
        let knows = self.remembers && self.session.taken() + self.session.received() > 0;
        let had = hello.received.filter(|_| knows);
        let resumed = had.is_some();
        let received = self.session.received();
        if let Some(had) = had {
            let goes_on = self.session.resume(had, self.encoding);
            goes_on.expect("the client has had no more than was sent");
        } else {
            self.session = Session::new(QueueLimits::default());
            self.session.restart(self.encoding, usize::MAX);
        }
        let terms = Terms {
            encoding: self.encoding,
            max_message: hello.max_message,
            heartbeat_ms: hello.heartbeat_ms,
        };
        self.link = Some(OpenLink::new(now, terms));
        Welcome {
            version: VERSION,
            id: id("relay"),
            incarnation: first_life(),
            relay: true,
            gateway: false,
            encoding: self.encoding,
            reclaim: Secret::new("reclaim"),
            resumed,
            received: if resumed { received } else { 0 },
            max_message: 1 << 20,
            heartbeat_ms: hello.heartbeat_ms,
            grace_ms: 10_000,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if let Some(link) = &mut self.link
            && let Err(reason) = link.handle_timeout(now)
        {
            self.over = Some(reason);
            self.link = None;
        }
    }

    fn poll_message(&mut self, now: Instant) -> Option<Message> {
        self.link.as_mut()?.poll_message(now, &mut self.session)
    }
}
