use std::{io, time::Duration};

use shiome_handshake::HandshakeError;
use shiome_wire::{DecodeError, FrameError};
use thiserror::Error;

use crate::{
    address::AddressError,
    tls::{NodeNameError, TlsError},
};

/// No further frame can be read from a link.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The peer sent what is not an acceptable sequence of frames.
    #[error("unacceptable frame")]
    Frame(#[from] FrameError),
    /// The peer sent a frame that holds no acceptable message.
    #[error("unacceptable message")]
    Decode(#[from] DecodeError),
    /// The link failed.
    #[error("read failed")]
    Io(#[from] io::Error),
}

/// A link was not authenticated. It is to be closed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AuthenticateError {
    /// The handshake ended without success.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// The link cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The link cannot be written.
    #[error("write failed")]
    Write(#[source] io::Error),
    /// The peer calls itself by the name of another node than what it has proven to be. It has been sent no proof of the
    /// cookie.
    #[error("the peer may not speak as {name:?}: {error}")]
    NodeName {
        /// What the peer calls itself.
        name: String,
        /// Why it may not.
        #[source]
        error: NodeNameError,
    },
    /// This node refused the peer, by its [`Gate`](crate::Gate)'s verdict.
    #[error("refused by this node")]
    Refused,
    /// The peer closed the link before the handshake was over. Legacy acceptors refuse a connection so.
    #[error("peer closed the connection during the handshake")]
    Closed,
}

/// No link was opened or accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The address is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nobody registered the scheme, or it is a feature that is not built in.
    #[error("unknown scheme: {scheme}")]
    UnknownScheme {
        /// The scheme.
        scheme: String,
    },
    /// The scheme is known, and lacks what it takes: `tls` for instance a connector to dial with, and an acceptor to
    /// listen with.
    #[error("{scheme} is not set up for this")]
    NotSetUp {
        /// The scheme.
        scheme: String,
    },
    /// The [policy](crate::Policy) of this node allows no such link. Nothing was dialled or listened on, or it was closed
    /// before it was used.
    #[error("links of {scheme} are not protected, and this node demands that they are")]
    Unprotected {
        /// The scheme.
        scheme: String,
    },
    /// The address cannot be resolved or reached.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// The address cannot be listened on.
    #[error("cannot listen")]
    Listen(#[source] io::Error),
    /// No connection could be accepted. See [`Listener::accept`](crate::Listener::accept).
    #[error("cannot accept")]
    Accept(#[source] io::Error),
    /// The connection was lost before there was a link.
    #[error("connection lost")]
    Lost(#[source] io::Error),
    /// It took too long. The connection is closed.
    #[error("no link within {after:?}")]
    Timeout {
        /// The time it had.
        after: Duration,
    },
    /// The TLS handshake failed.
    #[error("TLS handshake failed")]
    Tls(#[from] TlsError),
    /// The process at the other end of a Unix socket runs as a user that [may not speak](crate::unix::Users).
    #[cfg(unix)]
    #[error("the peer's process runs as user {uid}")]
    NotAllowed {
        /// Number of the user.
        uid: u32,
    },
    /// There is a file where a Unix socket was to be, and it is none. It is left alone.
    #[cfg(unix)]
    #[error("not a socket: {}", path.display())]
    NotASocket {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The connection did not become a WebSocket.
    #[cfg(feature = "websocket")]
    #[error(transparent)]
    Upgrade(#[from] crate::websocket::UpgradeError),
    /// A fault of a third party's scheme.
    #[error(transparent)]
    Other(#[from] Box<dyn std::error::Error + Send + Sync>),
}
