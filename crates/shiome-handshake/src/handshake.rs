mod client;
mod native;
mod server;
mod state;
mod step;

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use shiome_wire::auth::{
    NameMessage, ServerStatus, authentication_message::Msg, server_status::Status,
};
use shiome_wire::meta::NetworkMessage;

use self::state::State;
use self::step::Part;
use crate::config::{Config, Entropy};
use crate::digest::Digest;
use crate::error::HandshakeError;
use crate::event::{Event, Side};
use crate::hello::{Native, Own};
use crate::name::{self, Shown};

/// Messages that belong to no handshake, and are skipped before it is over. Published nodes send none, so that a few are
/// plenty; one more ends the handshake.
pub const MAX_SKIPPED: u32 = 16;

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
///       │          ◄──────── ChallengeAck ────────     │
///       │          ◄──────────── Proof ───────────     ├─ no Hello came with the Name ──────► Authenticated
///       │  verifies the digest                         ▼
///       │          ───────────── Proof ───────────► AwaitProof
///       ├─ no Hello came with the Challenge            │  verifies the proof
///       │               └─► Authenticated              ▼
///       ▼                                           Authenticated
///  AwaitProof
///       │  verifies the proof
///       ▼
///  Authenticated
/// ```
///
/// Without [`Config::native`] there are no proofs. Any other handshake message, or a Proof, in a state before
/// Authenticated or Refused is an error, and so is the deadline; the handshake has then failed. Messages that belong to
/// no handshake are skipped, as in published nodes, up to [`MAX_SKIPPED`] of them, but for AwaitProof, where they are errors too: a Proof comes first.
/// In Authenticated and in Refused messages are ignored: published nodes repeat themselves there, and a refusal may
/// cross with what the peer sent before it arrived.
#[cfg_attr(test, derive(Clone))]
pub struct Handshake {
    config: Config,
    side: Side,
    entropy: Entropy,
    state: State,
    /// What we announce.
    own: Option<Own>,
    /// What the peer claims to be, once it has said so.
    peer: Option<NameMessage>,
    /// What both ends claim to speak.
    native: Option<Native>,
    /// Number of the status that the server sent.
    status: i32,
    /// Messages so far that belong to no handshake.
    skipped: u32,
    /// `None` if the timeout lies beyond what the clock can say.
    deadline: Option<Instant>,
    /// A status and a challenge, or an acknowledgement and a proof, at most.
    transmits: VecDeque<NetworkMessage>,
    /// One question, or one name and the end of the handshake, at most.
    events: VecDeque<Event>,
}

impl Handshake {
    /// The end that dialled. Has the Name to transmit.
    pub fn client(now: Instant, config: Config, entropy: Entropy) -> Self {
        let own = announced(&config, entropy);
        Self::client_with(now, config, entropy, own)
    }

    /// A client that announces `own`.
    pub(crate) fn client_with(
        now: Instant,
        config: Config,
        mut entropy: Entropy,
        own: Option<Own>,
    ) -> Self {
        if entropy.connection_id == 0 {
            entropy.connection_id = u64::MAX;
        }
        let name = NameMessage {
            name: config.local.name.clone(),
            flags: name::flags(own.as_ref()),
            connection_string: config.local.connection_string.clone(),
            connection_id: entropy.connection_id,
        };
        let mut client = Self::new(now, config, Side::Client, entropy, own);
        client.send(Msg::Name(name));
        client
    }

    /// The end that accepted. Waits for the Name.
    pub fn server(now: Instant, config: Config, entropy: Entropy) -> Self {
        let own = announced(&config, entropy);
        Self::server_with(now, config, entropy, own)
    }

    /// A server that announces `own`.
    pub(crate) fn server_with(
        now: Instant,
        config: Config,
        entropy: Entropy,
        own: Option<Own>,
    ) -> Self {
        Self::new(now, config, Side::Server, entropy, own)
    }

    fn new(now: Instant, config: Config, side: Side, entropy: Entropy, own: Option<Own>) -> Self {
        Self {
            deadline: now.checked_add(config.timeout),
            config,
            side,
            entropy,
            state: match side {
                Side::Client => State::AwaitStatus,
                Side::Server => State::AwaitName,
            },
            own,
            peer: None,
            native: None,
            status: 0,
            skipped: 0,
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

    /// Whether both ends have proven the cookie, and nodes of shiome that they have seen the same handshake.
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
        message: NetworkMessage,
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
        let kind = message.kind();
        let part = Part::from(message);
        if matches!(part, Part::Other) && !matches!(self.state, State::AwaitProof { .. }) {
            return self.skip();
        }
        let next = self.next_state(kind, part);
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

    /// Next message to send to the peer. Send all of them before acting on an event: the one that authenticates a
    /// server comes with the proof that the client waits for.
    #[must_use]
    pub fn poll_transmit(&mut self) -> Option<NetworkMessage> {
        self.transmits.pop_front()
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

    /// Strangers make this end decode as much as they like otherwise, until the deadline.
    fn skip(&mut self) -> Result<(), HandshakeError> {
        if self.skipped == MAX_SKIPPED {
            return self.enter(Err(HandshakeError::TooManySkipped));
        }
        self.skipped += 1;
        Ok(())
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
                if self.side == Side::Server && is_refusal(&error) {
                    self.send_status(Status::NotAllowed);
                }
                Err(error)
            }
        }
    }

    fn send(&mut self, message: impl Into<NetworkMessage>) {
        self.transmits.push_back(message.into());
    }

    fn send_status(&mut self, status: Status) {
        self.status = status.into();
        self.send(ServerStatus {
            status: self.status,
        });
    }

    fn digest(&self, challenge: u32) -> Digest {
        self.config.scheme.digest(&self.config.cookie, challenge)
    }
}

/// What a node with this configuration announces on one connection.
fn announced(config: &Config, entropy: Entropy) -> Option<Own> {
    let announce = config.native.as_ref()?;
    Some(Own::new(announce, entropy.nonce))
}

/// Whether the peer has done nothing wrong, and is told that it is not wanted.
fn is_refusal(error: &HandshakeError) -> bool {
    matches!(
        error,
        HandshakeError::NativeRequired | HandshakeError::IncompatibleVersion { .. }
    )
}

/// Queued messages hold digests and nonces, so only their number is shown.
impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("side", &self.side)
            .field("state", &self.state)
            .field("local", &self.config.local.name)
            .field("peer", &self.peer.as_ref().map(Shown))
            .field("native", &self.native)
            .field("transmits", &self.transmits.len())
            .field("events", &self.events)
            .finish_non_exhaustive()
    }
}
