use std::io;

use shiome_handshake::HandshakeError;
use shiome_wire::{DecodeError, FrameError};
use thiserror::Error;

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
    /// This node refused the peer, by its [`Gate`](crate::Gate)'s verdict.
    #[error("refused by this node")]
    Refused,
    /// The peer closed the link before the handshake was over. Legacy acceptors refuse a connection so.
    #[error("peer closed the connection during the handshake")]
    Closed,
}
