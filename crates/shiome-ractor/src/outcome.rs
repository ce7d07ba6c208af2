use std::io;

use shiome_handshake::{Fault, HandshakeError};
use shiome_transport::{
    AuthenticateError, ReadError, TransportError,
    tls::{self, NodeNameError, TlsError},
};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::events::SessionInfo;

/// A connection did not become a session.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// There is no link to that address: it is none, cannot be resolved or reached, or is not one for this node's policy.
    #[error("connection failed")]
    Dial(#[from] TransportError),
    /// The node at that address calls itself by a name that it has no certificate for. It was not sent a proof of the
    /// cookie.
    #[error("the node may not speak as {name:?}: {error}")]
    NodeName {
        /// What it calls itself.
        name: String,
        /// Why it may not.
        #[source]
        error: NodeNameError,
    },
    /// There is another connection with that node, which stays: from before, or because both dialled at the same time.
    /// With its session, if that has not ended since.
    #[error("another connection with that node stays")]
    Duplicate(Option<Box<SessionInfo>>),
    /// The handshake failed, for instance because the cookies differ.
    #[error("handshake failed: {0}")]
    Handshake(HandshakeFailure),
    /// This node has as many sessions as it [may](crate::Builder::max_sessions).
    #[error("as many sessions as there may be")]
    TooManySessions,
    /// The connection ended before the two nodes had told each other their actors and groups.
    #[error("connection lost: {0}")]
    Lost(String),
    /// The node has been stopped.
    #[error("the node is stopped")]
    Stopped,
}

impl ConnectError {
    /// Whether dialling again is of no use before somebody changes one of the two nodes, or where the address leads:
    /// the cookies differ, the node has reached itself, the peer does not speak the protocol, a certificate is wrong.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Dial(error) => !may_pass(error),
            Self::Handshake(failure) => failure.permanent,
            Self::NodeName { .. } | Self::Stopped => true,
            Self::Duplicate(_) | Self::TooManySessions | Self::Lost(_) => false,
        }
    }

    /// The connection was not there in time.
    pub(crate) fn timed_out() -> Self {
        io::Error::from(io::ErrorKind::TimedOut).into()
    }
}

/// Whether the same dial may succeed later, though nobody has changed anything.
fn may_pass(error: &TransportError) -> bool {
    match error {
        TransportError::Connect(error) | TransportError::Lost(error) => {
            error.kind() != io::ErrorKind::InvalidInput
        }
        TransportError::Timeout { .. } => true,
        TransportError::Tls(error) => matches!(error, TlsError::Io(_) | TlsError::TimedOut),
        // Another scheme knows best.
        TransportError::Other(_) => true,
        #[cfg(feature = "websocket")]
        TransportError::Upgrade(error) => may_open_later(error),
        _ => false,
    }
}

/// A proxy says so while the node behind it is away.
#[cfg(feature = "websocket")]
fn may_open_later(error: &shiome_transport::websocket::UpgradeError) -> bool {
    use shiome_transport::websocket::UpgradeError;
    match error {
        UpgradeError::Lost(_) => true,
        UpgradeError::Refused { status } => status.is_server_error(),
        _ => false,
    }
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        TransportError::Connect(error).into()
    }
}

impl From<HandshakeFailure> for ConnectError {
    fn from(failure: HandshakeFailure) -> Self {
        Self::Handshake(failure)
    }
}

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{reason}")]
pub struct HandshakeFailure {
    reason: String,
    fault: Option<Fault>,
    permanent: bool,
}

impl HandshakeFailure {
    /// From the error with its causes in words. `named` says that the peer had introduced itself, and was sent the proof
    /// of the cookie.
    pub(crate) fn new(error: &AuthenticateError, reason: String, named: bool) -> Self {
        let (fault, permanent) = match error {
            AuthenticateError::Handshake(error) => (Some(error.fault()), is_permanent(error)),
            // An acceptor that finds the proof wrong says nothing.
            AuthenticateError::Closed if named => (Some(Fault::NotAuthentic), true),
            AuthenticateError::Refused => (Some(Fault::Refused), false),
            // The peer does not believe this node's certificate, or wants one.
            AuthenticateError::Read(ReadError::Io(error)) if tls::refusal(error).is_some() => {
                (Some(Fault::Refused), true)
            }
            _ => (None, false),
        };
        Self {
            reason,
            fault,
            permanent,
        }
    }

    /// The node has dialled itself.
    pub(crate) fn self_connection() -> Self {
        let error = HandshakeError::SelfConnection;
        let reason = error.to_string();
        Self::new(&error.into(), reason, false)
    }

    /// Whose fault it is; `None` when the link broke. A peer that does not find this node authentic only closes the
    /// link, so [`NotAuthentic`](Fault::NotAuthentic) may be a guess.
    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }
}

/// Whether the same two nodes would come to the same end again.
fn is_permanent(error: &HandshakeError) -> bool {
    match error.fault() {
        // Other refusals are about another connection, which may end.
        Fault::Refused => matches!(error, HandshakeError::SelfConnection),
        Fault::Deadline | Fault::Caller => false,
        _ => true,
    }
}

/// Tells whoever dialled how it went, once.
#[derive(Debug)]
pub(crate) struct Outcome(Option<oneshot::Sender<Result<SessionInfo, ConnectError>>>);

impl Outcome {
    /// Nobody waits.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// With where it is heard.
    pub(crate) fn pair() -> (Self, oneshot::Receiver<Result<SessionInfo, ConnectError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Some(sender)), receiver)
    }

    pub(crate) fn settle(&mut self, result: Result<SessionInfo, ConnectError>) {
        if let Some(waiting) = self.0.take() {
            let _ = waiting.send(result);
        }
    }
}

/// An error with its causes.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use shiome_handshake::RefusedBy;

    use super::*;

    fn failure(error: AuthenticateError, named: bool) -> HandshakeFailure {
        let reason = error.to_string();
        HandshakeFailure::new(&error, reason, named)
    }

    #[test]
    fn what_no_dialling_cures_is_permanent() {
        let error = AuthenticateError::Handshake;
        for (error, named, fault) in [
            (
                error(HandshakeError::WrongDigest),
                true,
                Some(Fault::NotAuthentic),
            ),
            (
                error(HandshakeError::SelfConnection),
                true,
                Some(Fault::Refused),
            ),
            (
                error(HandshakeError::UnknownStatus(9)),
                false,
                Some(Fault::Protocol),
            ),
            (AuthenticateError::Closed, true, Some(Fault::NotAuthentic)),
        ] {
            let failure = failure(error, named);
            assert_eq!(failure.fault(), fault);
            assert!(ConnectError::Handshake(failure).is_permanent());
        }
    }

    #[test]
    fn what_may_pass_is_not_permanent() {
        let refused = HandshakeError::Refused(RefusedBy::NotOk);
        for error in [
            AuthenticateError::Handshake(refused),
            AuthenticateError::Handshake(HandshakeError::Deadline),
            AuthenticateError::Closed,
            AuthenticateError::Refused,
        ] {
            assert!(!ConnectError::Handshake(failure(error, false)).is_permanent());
        }
        for kind in [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut] {
            assert!(!ConnectError::from(io::Error::from(kind)).is_permanent());
        }
        assert!(!ConnectError::Duplicate(None).is_permanent());
    }

    #[test]
    fn the_text_is_that_of_the_handshake() {
        let failure = failure(HandshakeError::WrongDigest.into(), true);
        let error = ConnectError::Handshake(failure);
        assert_eq!(error.to_string(), "handshake failed: wrong digest");
    }
}
