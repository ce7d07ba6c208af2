//! The client's end of a link, over all the connections that it takes.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::{SeedableRng, rngs::SmallRng};

use super::{
    backoff::{Backoff, Reconnect},
    open::{OpenLink, Terms},
    session::Session,
};
use crate::{
    Envelope, Incarnation, PeerId,
    wire::{
        Apart, Batch, CloseReason, Encoding, Frame, Goodbye, Hello, Message, Refused, Secret,
        VERSION, Welcome, decode,
    },
};

/// Time for the server's first word.
pub(crate) const OPENING_TIMEOUT: Duration = Duration::from_secs(10);

/// How often in a row the id may be taken. Whether who has it is still there is found out after the first time.
const MAX_NAME_TAKEN: u32 = 2;

/// What a client says of itself.
#[derive(Debug, Clone)]
pub(crate) struct ClientConfig {
    pub(crate) id: PeerId,
    pub(crate) incarnation: Incarnation,
    pub(crate) token: Option<Secret>,
    pub(crate) reclaim: Option<Secret>,
    pub(crate) encodings: Vec<Encoding>,
    pub(crate) max_message: u64,
    pub(crate) heartbeat_ms: u64,
    pub(crate) reconnect: Reconnect,
}

/// What the owner of a client is told.
#[derive(Debug)]
pub(crate) enum ClientEvent {
    /// A connection is to be opened: then [`Client::handle_dialled`], or [`Client::handle_closed`].
    Dial,
    /// The link is up.
    Up(Box<Welcome>),
    /// Envelopes came, those of one message.
    Envelopes(Vec<Envelope>),
    /// Something else came.
    Heard(Frame),
    /// What is not sent, as the new server takes no message of that length.
    TooLong(Vec<Envelope>),
    /// The connection is to be closed with this code; nothing more is to be heard of it.
    Close(CloseReason),
    /// The link was up and is down.
    Down(CloseReason),
    /// It will not be up again. What was not acknowledged may have arrived or not.
    Ended(Ended),
}

/// How a link came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) reason: CloseReason,
    /// What the server said, if it refused.
    pub(crate) refused: Option<Refused>,
    /// What was not acknowledged.
    pub(crate) unacknowledged: Vec<Envelope>,
}

/// Dials, opens, and dials again.
///
/// ```text
///            ┌──────────────── lost, refused for now ───────────────┐
///            ▼                                                      │
/// Waiting ──────► Dialling ── dialled ──► Opening ── welcome ──► Open
///    │ given up      │                       │ refused              │ close
///    └───────────────┴────────► Ended ◄──────┴──────────────────────┘
/// ```
#[derive(Debug)]
pub(crate) struct Client {
    config: ClientConfig,
    state: State,
    backoff: Backoff,
    rng: SmallRng,
    /// There was a session that could go on.
    had_session: bool,
    /// When another attempt makes sense, as the server said.
    retry: Duration,
    refused: Option<Refused>,
    names_taken: u32,
    hello: Option<Message>,
    events: VecDeque<ClientEvent>,
}

#[derive(Debug)]
enum State {
    Waiting { until: Instant },
    Dialling,
    Opening { until: Instant },
    Open { link: Box<OpenLink>, since: Instant },
    Ended,
}

impl Client {
    /// A client that dials at once. `seed` spreads its waits.
    pub(crate) fn new(now: Instant, config: ClientConfig, seed: u64) -> Self {
        Self {
            backoff: Backoff::new(now, config.reconnect),
            config,
            state: State::Dialling,
            rng: SmallRng::seed_from_u64(seed),
            had_session: false,
            retry: Duration::ZERO,
            refused: None,
            names_taken: 0,
            hello: None,
            events: VecDeque::from([ClientEvent::Dial]),
        }
    }

    /// There is a connection.
    pub(crate) fn handle_dialled(&mut self, now: Instant, session: &Session) {
        if !matches!(self.state, State::Dialling) {
            return;
        }
        let received = self.had_session.then(|| session.received());
        let config = &self.config;
        let hello = Hello {
            version: VERSION,
            id: config.id.clone(),
            incarnation: config.incarnation,
            token: config.token.clone(),
            reclaim: config.reclaim.clone(),
            received,
            encodings: config.encodings.clone(),
            max_message: config.max_message,
            heartbeat_ms: config.heartbeat_ms,
        };
        let mut batch = Batch::new(Encoding::Json);
        batch.push(&Frame::Hello(Box::new(hello)));
        self.hello = Some(batch.finish());
        self.state = State::Opening {
            until: now + OPENING_TIMEOUT,
        };
    }

    /// A message has come. What came before an error counts.
    pub(crate) fn handle_message(
        &mut self,
        now: Instant,
        session: &mut Session,
        message: &Message,
    ) {
        let handled = match &mut self.state {
            State::Open { link, .. } => {
                let heard = link.handle_message(now, session, message);
                heard.and_then(|heard| self.hear(heard))
            }
            State::Opening { .. } => self.handle_opening(now, session, message),
            // Too late.
            _ => return,
        };
        if let Err(reason) = handled {
            self.hang_up(now, session, reason);
        }
    }

    fn hear(&mut self, heard: Apart) -> Result<(), CloseReason> {
        let (mut envelopes, mut result) = (heard.envelopes, Ok(()));
        for (before, other) in heard.others {
            if let Frame::Goodbye(goodbye) = other {
                envelopes.truncate(before);
                result = Err(goodbye.reason);
                break;
            }
            self.events.push_back(ClientEvent::Heard(other));
        }
        if !envelopes.is_empty() {
            self.events.push_back(ClientEvent::Envelopes(envelopes));
        }
        result
    }

    fn handle_opening(
        &mut self,
        now: Instant,
        session: &mut Session,
        message: &Message,
    ) -> Result<(), CloseReason> {
        let frames = decode(message).map_err(|_| CloseReason::Malformed)?;
        let mut frames = frames.into_iter();
        match frames.next() {
            Some(Frame::Welcome(welcome)) if frames.len() == 0 => self.open(now, session, *welcome),
            Some(Frame::Refused(refused)) => {
                let reason = refused.reason;
                self.retry = Duration::from_millis(refused.retry_ms.unwrap_or_default());
                self.refused = Some(refused);
                Err(reason)
            }
            _ => Err(CloseReason::Malformed),
        }
    }

    fn open(
        &mut self,
        now: Instant,
        session: &mut Session,
        welcome: Welcome,
    ) -> Result<(), CloseReason> {
        if welcome.version == 0 || welcome.version > VERSION {
            return Err(CloseReason::UnsupportedVersion);
        }
        if welcome.id == self.config.id {
            return Err(CloseReason::NameTaken);
        }
        let terms = Terms {
            encoding: welcome.encoding,
            max_message: welcome.max_message,
            heartbeat_ms: welcome.heartbeat_ms,
        };
        let link = OpenLink::new(now, terms);
        if welcome.resumed && self.had_session {
            let resumed = session.resume(welcome.received, link.encoding());
            resumed.map_err(|_| CloseReason::Malformed)?;
        } else {
            let too_long = session.restart(link.encoding(), link.max_message());
            if !too_long.is_empty() {
                self.events.push_back(ClientEvent::TooLong(too_long));
            }
        }
        self.had_session = true;
        self.refused = None;
        self.names_taken = 0;
        self.config.reclaim = Some(welcome.reclaim.clone());
        self.state = State::Open {
            link: Box::new(link),
            since: now,
        };
        self.events.push_back(ClientEvent::Up(Box::new(welcome)));
        Ok(())
    }

    /// The connection was closed, or could not be opened.
    pub(crate) fn handle_closed(
        &mut self,
        now: Instant,
        session: &mut Session,
        reason: CloseReason,
    ) {
        match &self.state {
            State::Open { since, .. } => {
                self.backoff.lost(now, now - *since);
                self.events.push_back(ClientEvent::Down(reason));
            }
            State::Dialling | State::Opening { .. } => {}
            State::Waiting { .. } | State::Ended => return,
        }
        let retry = std::mem::take(&mut self.retry);
        self.names_taken += u32::from(reason == CloseReason::NameTaken);
        let asked_back = !retry.is_zero() && self.names_taken < MAX_NAME_TAKEN;
        let may_redial = reason.may_redial() || asked_back;
        let next = match may_redial {
            true => self.backoff.next(now, retry, &mut self.rng),
            false => None,
        };
        match next {
            Some(until) => self.state = State::Waiting { until },
            None => self.end(session, reason),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant, session: &mut Session) {
        match &mut self.state {
            State::Waiting { until } if *until <= now => {
                self.state = State::Dialling;
                self.events.push_back(ClientEvent::Dial);
            }
            State::Opening { until } if *until <= now => {
                self.hang_up(now, session, CloseReason::Unresponsive);
            }
            State::Open { link, .. } => {
                if let Err(reason) = link.handle_timeout(now) {
                    self.hang_up(now, session, reason);
                }
            }
            _ => {}
        }
    }

    /// Messages are not read for a while.
    pub(crate) fn deaf(&mut self, now: Instant) {
        if let State::Open { link, .. } = &mut self.state {
            link.deaf(now);
        }
    }

    fn hang_up(&mut self, now: Instant, session: &mut Session, reason: CloseReason) {
        self.events.push_back(ClientEvent::Close(reason));
        self.handle_closed(now, session, reason);
    }

    /// Says something that is not counted, if the link is up.
    pub(crate) fn say(&mut self, frame: Frame) {
        if let State::Open { link, .. } = &mut self.state {
            link.say(frame);
        }
    }

    /// Has the server acknowledge what it has, if the link is up.
    pub(crate) fn ask(&mut self) {
        if let State::Open { link, .. } = &mut self.state {
            link.ask();
        }
    }

    /// Ends the link, with a goodbye if it is up.
    pub(crate) fn close(&mut self, now: Instant, session: &mut Session) {
        let reason = CloseReason::Closed;
        if let State::Open { link, .. } = &mut self.state {
            link.goodbye(Goodbye::new(reason));
            // The last message, for the driver to send before it closes.
            self.hello = link.poll_message(now, session);
            self.events.push_back(ClientEvent::Down(reason));
        }
        if !matches!(self.state, State::Ended) {
            self.events.push_back(ClientEvent::Close(reason));
            self.end(session, reason);
        }
    }

    fn end(&mut self, session: &mut Session, reason: CloseReason) {
        self.state = State::Ended;
        self.events.push_back(ClientEvent::Ended(Ended {
            reason,
            refused: self.refused.take(),
            unacknowledged: session.drain(),
        }));
    }

    #[must_use]
    pub(crate) fn poll_message(&mut self, now: Instant, session: &mut Session) -> Option<Message> {
        if let Some(message) = self.hello.take() {
            return Some(message);
        }
        match &mut self.state {
            State::Open { link, .. } => link.poll_message(now, session),
            _ => None,
        }
    }

    #[must_use]
    pub(crate) fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due, or [`poll_message`](Self::poll_message) for an acknowledgement if the
    /// connection is `writable`.
    pub(crate) fn timeout(&self, session: &Session, writable: bool) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } | State::Opening { until } => Some(*until),
            State::Open { link, .. } => Some(link.timeout(session, writable)),
            State::Dialling | State::Ended => None,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// How long the last heartbeat took, there and back, if the link is up.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        match &self.state {
            State::Open { link, .. } => link.round_trip(),
            _ => None,
        }
    }

    /// Bytes of the longest message that the server takes, if the link is up.
    pub(crate) fn max_message(&self) -> Option<usize> {
        match &self.state {
            State::Open { link, .. } => Some(link.max_message()),
            _ => None,
        }
    }
}
