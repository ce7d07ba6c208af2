use std::fmt;

use shiome_wire::auth::{NameMessage, server_status::Status};

use crate::hello::Native;
use crate::name::Shown;

/// Which end of a connection this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a connection has two ends")]
pub enum Side {
    /// The end that dialled; "initiator" in the protocol.
    Client,
    /// The end that accepted; "acceptor" in the protocol.
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What a [`Handshake`](crate::Handshake) tells its owner.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Server: a peer introduced itself. Decide with [`Handshake::admit`](crate::Handshake::admit); until then
    /// nothing is sent. The name is a claim.
    NameReceived(NameMessage),
    /// Client: the peer introduced itself in its challenge. The name is a claim. `connection_id` is the nonce of
    /// this end, as it is at the peer.
    PeerNamed(NameMessage),
    /// Client: the peer has a connection to a node of our name. Say with
    /// [`Handshake::answer_alive`](crate::Handshake::answer_alive) whether to go on.
    PeerAlive,
    /// Both ends know the cookie, and nodes of shiome have seen the same handshake. The last event.
    Authenticated(Peer),
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameReceived(name) => write!(f, "NameReceived({:?})", Shown(name)),
            Self::PeerNamed(name) => write!(f, "PeerNamed({:?})", Shown(name)),
            Self::PeerAlive => f.write_str("PeerAlive"),
            Self::Authenticated(peer) => write!(f, "Authenticated({peer:?})"),
        }
    }
}

/// The other end of an authenticated connection.
#[derive(Clone, PartialEq, Eq)]
pub struct Peer {
    /// What it said about itself. `connection_id` is the nonce of the end that dialled, zero if it drew none.
    pub name: NameMessage,
    /// Our side, not the peer's.
    pub side: Side,
    /// What both ends speak beyond what every node does; `None` for a peer that announced nothing, or when this end
    /// did not. When this end has announced something and a [`Proof`](shiome_wire::native::Proof) arrives in a session
    /// without, somebody has taken the announcement away: close it.
    pub native: Option<Native>,
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("name", &Shown(&self.name))
            .field("side", &self.side)
            .field("native", &self.native)
            .finish()
    }
}

/// Verdict of an acceptor on a connection, from the name that the initiator claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these five")]
pub enum Admission {
    /// No other connection with that node is known: go on.
    Ok,
    /// Another connection exists and gives way to this one: go on.
    OkSimultaneous,
    /// Another connection stays: this one ends.
    NotOk,
    /// Refused for a reason that is not told.
    NotAllowed,
    /// A connection with a node of that name is up: ask whether to go on.
    Alive,
}

impl From<Admission> for Status {
    fn from(admission: Admission) -> Self {
        match admission {
            Admission::Ok => Self::Ok,
            Admission::OkSimultaneous => Self::OkSimultaneous,
            Admission::NotOk => Self::NotOk,
            Admission::NotAllowed => Self::NotAllowed,
            Admission::Alive => Self::Alive,
        }
    }
}
