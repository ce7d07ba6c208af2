use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use bytes::Bytes;
use shiome_wire::auth::{
    AuthenticationMessage, Challenge, ChallengeAck, ChallengeReply, ClientStatus, NameMessage,
    ServerStatus, authentication_message::Msg, server_status::Status,
};

use crate::config::{Config, Entropy};
use crate::digest::Digest;
use crate::error::{HandshakeError, RefusedBy};
use crate::event::{Admission, Event, Peer, Side};
use crate::name;

/// One end of the handshake on one connection.
///
/// ```text
///        Client                                     Server
///
///                  ─────────── Name ─────────────►  AwaitName
///  AwaitStatus                                      AwaitAdmission ── admit(NotOk | NotAllowed) ─► Refused
///       │          ◄──────── ServerStatus ────────     │        │
///       │                                              │        └─ admit(Alive) ─► AwaitClientStatus
///       ├─ ALIVE ─► AwaitAliveAnswer                   │                            │ true     │ false
///       │               │ answer_alive(go_on)          │                            │          └─► Refused
///       │               │  ──── ClientStatus ───────►  │ ◄──────────────────────────┘
///       ▼               ▼                              ▼
///  AwaitChallenge  ◄───────── Challenge ──────────  AwaitReply
///  AwaitAck        ─────── ChallengeReply ───────►     │  verifies the digest
///       │          ◄──────── ChallengeAck ────────     ▼
///       ▼  verifies the digest                      Authenticated
///  Authenticated
/// ```
///
/// Any other message in a state before Authenticated or Refused is an error, and so is the deadline; the handshake has
/// then failed. In Authenticated and in Refused messages are ignored: published nodes repeat themselves there, and a
/// refusal may cross with what the peer sent before it arrived.
#[cfg_attr(test, derive(Clone))]
pub struct Handshake {
    config: Config,
    side: Side,
    entropy: Entropy,
    state: State,
    /// What the peer claims to be, once it has said so.
    peer: Option<NameMessage>,
    /// `None` if the timeout lies beyond what the clock can say.
    deadline: Option<Instant>,
    /// A status and a challenge at most.
    transmits: VecDeque<Msg>,
    /// One question, or one name and the end of the handshake, at most.
    events: VecDeque<Event>,
}

/// Named for what is awaited.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
enum State {
    AwaitName,
    AwaitAdmission,
    AwaitClientStatus,
    AwaitReply,
    AwaitStatus,
    AwaitAliveAnswer,
    AwaitChallenge,
    AwaitAck {
        /// The digest that we have sent.
        sent: Digest,
    },
    Authenticated,
    Refused,
    Failed,
}

impl Handshake {
    /// The end that dialled. Has the Name to transmit.
    pub fn client(now: Instant, config: Config, mut entropy: Entropy) -> Self {
        if entropy.connection_id == 0 {
            entropy.connection_id = u64::MAX;
        }
        let name = NameMessage {
            name: config.local.name.clone(),
            flags: name::flags(),
            connection_string: config.local.connection_string.clone(),
            connection_id: entropy.connection_id,
        };
        let mut client = Self::new(now, config, Side::Client, entropy, State::AwaitStatus);
        client.transmits.push_back(Msg::Name(name));
        client
    }

    /// The end that accepted. Waits for the Name.
    pub fn server(now: Instant, config: Config, entropy: Entropy) -> Self {
        Self::new(now, config, Side::Server, entropy, State::AwaitName)
    }

    fn new(now: Instant, config: Config, side: Side, entropy: Entropy, state: State) -> Self {
        Self {
            deadline: now.checked_add(config.timeout),
            config,
            side,
            entropy,
            state,
            peer: None,
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Which end this is.
    pub fn side(&self) -> Side {
        self.side
    }

    /// What the peer claims to be, once it has said so. Proven to be one that knows the cookie only after
    /// [`Event::Authenticated`]; the name itself is never proven.
    pub fn peer(&self) -> Option<&NameMessage> {
        self.peer.as_ref()
    }

    /// Whether both ends have proven the cookie.
    pub fn is_authenticated(&self) -> bool {
        matches!(self.state, State::Authenticated)
    }

    /// Whether this end refused the connection, with [`admit`](Self::admit) or
    /// [`answer_alive`](Self::answer_alive). What is left to do is to send what [`poll_transmit`](Self::poll_transmit)
    /// still holds, and to close.
    pub fn is_refused(&self) -> bool {
        matches!(self.state, State::Refused)
    }

    /// Whether the handshake is over: authenticated, refused or failed.
    pub fn is_finished(&self) -> bool {
        self.is_authenticated() || self.is_refused() || matches!(self.state, State::Failed)
    }

    /// Takes a message from the peer.
    ///
    /// # Errors
    ///
    /// Every [`HandshakeError`]. Close the connection.
    pub fn handle_message(
        &mut self,
        now: Instant,
        msg: AuthenticationMessage,
    ) -> Result<(), HandshakeError> {
        match self.state {
            State::Authenticated | State::Refused => return Ok(()),
            State::Failed => {
                return Err(HandshakeError::NotAwaited {
                    call: "handle_message",
                });
            }
            _ => {}
        }
        self.handle_timeout(now)?;
        let next = self.next_state(msg.msg);
        self.enter(next)
    }

    /// Tells the time, at [`poll_timeout`](Self::poll_timeout) or whenever.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::Deadline`] once, when the handshake is not over by then. Close the connection.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), HandshakeError> {
        match self.poll_timeout() {
            Some(deadline) if now >= deadline => self.enter(Err(HandshakeError::Deadline)),
            _ => Ok(()),
        }
    }

    /// Answers [`Event::NameReceived`]. After [`Admission::NotOk`] and [`Admission::NotAllowed`] the handshake
    /// [is refused](Self::is_refused).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NotAwaited`] when that question is not open. The handshake is unchanged.
    pub fn admit(&mut self, status: Admission) -> Result<(), HandshakeError> {
        if !matches!(self.state, State::AwaitAdmission) {
            return Err(HandshakeError::NotAwaited { call: "admit" });
        }
        self.transmits.push_back(Msg::ServerStatus(ServerStatus {
            status: Status::from(status).into(),
        }));
        self.state = match status {
            Admission::Ok | Admission::OkSimultaneous => self.send_challenge(),
            Admission::NotOk | Admission::NotAllowed => State::Refused,
            Admission::Alive => State::AwaitClientStatus,
        };
        Ok(())
    }

    /// Answers [`Event::PeerAlive`]. Unless `go_on`, the handshake [is refused](Self::is_refused).
    ///
    /// A published acceptor that has asked never goes on, whatever the answer: the deadline ends that.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NotAwaited`] when that question is not open. The handshake is unchanged.
    pub fn answer_alive(&mut self, go_on: bool) -> Result<(), HandshakeError> {
        if !matches!(self.state, State::AwaitAliveAnswer) {
            return Err(HandshakeError::NotAwaited {
                call: "answer_alive",
            });
        }
        self.transmits
            .push_back(Msg::ClientStatus(ClientStatus { status: go_on }));
        self.state = if go_on {
            State::AwaitChallenge
        } else {
            State::Refused
        };
        Ok(())
    }

    /// Next message to send to the peer. Send all of them before acting on an event: the one that authenticates a
    /// server comes with the proof that the client waits for.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<AuthenticationMessage> {
        let msg = self.transmits.pop_front()?;
        Some(AuthenticationMessage { msg: Some(msg) })
    }

    /// Next event for the owner.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout). `None` once the handshake is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.is_finished() {
            return None;
        }
        self.deadline
    }

    fn enter(&mut self, next: Result<State, HandshakeError>) -> Result<(), HandshakeError> {
        match next {
            Ok(state) => {
                self.state = state;
                Ok(())
            }
            Err(error) => {
                self.state = State::Failed;
                self.transmits.clear();
                self.events.clear();
                Err(error)
            }
        }
    }

    fn next_state(&mut self, msg: Option<Msg>) -> Result<State, HandshakeError> {
        match (&self.state, msg) {
            (State::AwaitName, Some(Msg::Name(name))) => self.on_name(name),
            (State::AwaitClientStatus, Some(Msg::ClientStatus(answer))) => {
                self.on_client_status(answer)
            }
            (State::AwaitReply, Some(Msg::ClientChallenge(reply))) => self.on_reply(&reply),
            (State::AwaitStatus, Some(Msg::ServerStatus(status))) => self.on_status(status),
            (State::AwaitChallenge, Some(Msg::ServerChallenge(challenge))) => {
                self.on_challenge(challenge)
            }
            (State::AwaitAck { sent }, Some(Msg::ServerAck(ack))) => {
                // The peer would echo the digest that we gave away when it lacks the cookie.
                if sent.verify(&ack.digest) {
                    return Err(HandshakeError::Reflected);
                }
                self.on_ack(&ack)
            }
            (state, msg) => Err(HandshakeError::Unexpected {
                message: kind(msg.as_ref()),
                awaited: state.awaited(),
            }),
        }
    }

    fn on_name(&mut self, peer: NameMessage) -> Result<State, HandshakeError> {
        name::check(&peer, &self.config.local)?;
        self.peer = Some(peer.clone());
        self.events.push_back(Event::NameReceived(peer));
        Ok(State::AwaitAdmission)
    }

    fn on_client_status(&mut self, answer: ClientStatus) -> Result<State, HandshakeError> {
        if !answer.status {
            return Err(HandshakeError::Refused(RefusedBy::ClientStatus));
        }
        Ok(self.send_challenge())
    }

    fn send_challenge(&mut self) -> State {
        self.transmits.push_back(Msg::ServerChallenge(Challenge {
            name: self.config.local.name.clone(),
            flags: name::flags(),
            challenge: self.entropy.challenge,
            connection_string: self.config.local.connection_string.clone(),
        }));
        State::AwaitReply
    }

    fn on_reply(&mut self, reply: &ChallengeReply) -> Result<State, HandshakeError> {
        // Our acknowledgement would be the digest that the peer has just sent: it would prove nothing to an honest
        // initiator, and an initiator that asks for it is passing on somebody else's answer.
        if reply.challenge == self.entropy.challenge {
            return Err(HandshakeError::Reflected);
        }
        if !self.digest(self.entropy.challenge).verify(&reply.digest) {
            return Err(HandshakeError::WrongDigest);
        }
        let digest = self.digest(reply.challenge);
        self.transmits.push_back(Msg::ServerAck(ChallengeAck {
            digest: Bytes::copy_from_slice(digest.as_ref()),
        }));
        Ok(self.authenticated())
    }

    fn on_status(&mut self, status: ServerStatus) -> Result<State, HandshakeError> {
        match Status::try_from(status.status) {
            Ok(Status::Ok | Status::OkSimultaneous) => Ok(State::AwaitChallenge),
            Ok(Status::NotOk) => Err(HandshakeError::Refused(RefusedBy::NotOk)),
            Ok(Status::NotAllowed) => Err(HandshakeError::Refused(RefusedBy::NotAllowed)),
            Ok(Status::Alive) => {
                self.events.push_back(Event::PeerAlive);
                Ok(State::AwaitAliveAnswer)
            }
            Err(_) => Err(HandshakeError::UnknownStatus(status.status)),
        }
    }

    /// The weak spot of this protocol: we answer whoever we have dialled before it has proven anything.
    fn on_challenge(&mut self, challenge: Challenge) -> Result<State, HandshakeError> {
        let peer = NameMessage {
            name: challenge.name,
            flags: challenge.flags,
            connection_string: challenge.connection_string,
            connection_id: self.entropy.connection_id,
        };
        name::check(&peer, &self.config.local)?;
        // Our answer to our own challenge is all that the peer needs to pass for one that knows the cookie. Ours has
        // not been sent on this connection yet, so the peer has seen it elsewhere or guessed it; that an honest peer
        // draws the same number, once in 2³² connections, is not worth a second challenge that no other connection of
        // this node could recognize as ours.
        if challenge.challenge == self.entropy.challenge {
            return Err(HandshakeError::Reflected);
        }
        let sent = self.digest(challenge.challenge);
        self.transmits
            .push_back(Msg::ClientChallenge(ChallengeReply {
                challenge: self.entropy.challenge,
                digest: Bytes::copy_from_slice(sent.as_ref()),
            }));
        self.peer = Some(peer.clone());
        self.events.push_back(Event::PeerNamed(peer));
        Ok(State::AwaitAck { sent })
    }

    fn on_ack(&mut self, ack: &ChallengeAck) -> Result<State, HandshakeError> {
        if !self.digest(self.entropy.challenge).verify(&ack.digest) {
            return Err(HandshakeError::WrongDigest);
        }
        Ok(self.authenticated())
    }

    fn authenticated(&mut self) -> State {
        let name = self
            .peer
            .clone()
            .expect("both sides learn the peer's name before they verify a digest");
        self.events.push_back(Event::Authenticated(Peer {
            name,
            side: self.side,
        }));
        State::Authenticated
    }

    fn digest(&self, challenge: u32) -> Digest {
        self.config.scheme.digest(&self.config.cookie, challenge)
    }
}

impl State {
    fn awaited(&self) -> &'static str {
        match self {
            Self::AwaitName => "name",
            Self::AwaitAdmission => "admission",
            Self::AwaitClientStatus => "client status",
            Self::AwaitReply => "challenge reply",
            Self::AwaitStatus => "server status",
            Self::AwaitAliveAnswer => "answer to alive",
            Self::AwaitChallenge => "challenge",
            Self::AwaitAck { .. } => "challenge ack",
            Self::Authenticated | Self::Refused | Self::Failed => "nothing",
        }
    }
}

fn kind(msg: Option<&Msg>) -> &'static str {
    match msg {
        None => "message without known content",
        Some(Msg::Name(_)) => "name",
        Some(Msg::ServerStatus(_)) => "server status",
        Some(Msg::ClientStatus(_)) => "client status",
        Some(Msg::ServerChallenge(_)) => "challenge",
        Some(Msg::ClientChallenge(_)) => "challenge reply",
        Some(Msg::ServerAck(_)) => "challenge ack",
    }
}

/// Queued messages hold digests, so only their number is shown.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("side", &self.side)
            .field("state", &self.state)
            .field("local", &self.config.local.name)
            .field("peer", &self.peer)
            .field("transmits", &self.transmits.len())
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
