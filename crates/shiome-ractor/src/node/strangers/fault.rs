//! Whose fault it is that a connection came to nothing. Sources pay for their own faults only: nodes that come, go and meet
//! each other twice must not be taken for attackers, nor must the health checks of a load balancer.

use shiome_handshake::{Fault, HandshakeError};
use shiome_transport::{
    AuthenticateError, ReadError, TransportError,
    tls::{self, TlsError},
};

/// Whether the peer is to blame that there was no link.
pub(super) fn of_transport(error: &TransportError) -> bool {
    match error {
        // It closed the connection, maybe without a word.
        TransportError::Lost(_) | TransportError::Tls(TlsError::Io(_)) => false,
        TransportError::Tls(_) | TransportError::Timeout { .. } => true,
        #[cfg(unix)]
        TransportError::NotAllowed { .. } => true,
        #[cfg(feature = "websocket")]
        TransportError::Upgrade(error) => of_upgrade(error),
        _ => false,
    }
}

/// Who asks for a page has been told that there is none: a health check may, through the proxy that nodes come through.
#[cfg(feature = "websocket")]
fn of_upgrade(error: &shiome_transport::websocket::UpgradeError) -> bool {
    use shiome_transport::websocket::UpgradeError;
    !matches!(
        error,
        UpgradeError::Lost(_) | UpgradeError::NotAnUpgrade { .. } | UpgradeError::Path
    )
}

/// Whether the peer is to blame that its link was not authenticated.
pub(super) fn of_handshake(error: &AuthenticateError) -> bool {
    match error {
        AuthenticateError::Handshake(error) => of_protocol(error),
        AuthenticateError::Read(ReadError::Frame(_) | ReadError::Decode(_)) => true,
        // It does not believe this node's certificate.
        AuthenticateError::Read(ReadError::Io(error)) => tls::refusal(error).is_some(),
        AuthenticateError::NodeName { .. } => true,
        // It closed the link, or this node has another one with it.
        _ => false,
    }
}

fn of_protocol(error: &HandshakeError) -> bool {
    matches!(
        error.fault(),
        Fault::Protocol | Fault::NotAuthentic | Fault::Deadline
    )
}

#[cfg(test)]
mod tests {
    use std::io;

    use shiome_handshake::RefusedBy;
    use shiome_transport::tls::NodeNameError;
    use shiome_wire::FrameError;

    use super::*;

    #[test]
    fn who_only_closes_the_connection_is_not_blamed() {
        let eof = || io::Error::from(io::ErrorKind::UnexpectedEof);
        for error in [
            TransportError::Lost(eof()),
            TransportError::Tls(TlsError::Io(eof())),
        ] {
            assert!(!of_transport(&error), "{error:?}");
        }
        for error in [
            AuthenticateError::Closed,
            AuthenticateError::Refused,
            AuthenticateError::Read(eof().into()),
            AuthenticateError::Write(eof()),
            HandshakeError::SelfConnection.into(),
            HandshakeError::Refused(RefusedBy::ClientStatus).into(),
            HandshakeError::NativeRequired.into(),
        ] {
            assert!(!of_handshake(&error), "{error:?}");
        }
    }

    #[test]
    fn who_lies_guesses_or_wastes_time_is_blamed() {
        let after = std::time::Duration::from_secs(1);
        for error in [
            TransportError::Timeout { after },
            TransportError::Tls(TlsError::NoCertificate),
            TransportError::Tls(TlsError::TimedOut),
        ] {
            assert!(of_transport(&error), "{error:?}");
        }
        let (name, error) = ("b@host".to_owned(), NodeNameError::OtherNode);
        for error in [
            AuthenticateError::NodeName { name, error },
            HandshakeError::WrongDigest.into(),
            HandshakeError::Reflected.into(),
            HandshakeError::Deadline.into(),
            HandshakeError::UnknownStatus(9).into(),
            AuthenticateError::Read(FrameError::Truncated { buffered: 3 }.into()),
        ] {
            assert!(of_handshake(&error), "{error:?}");
        }
    }
}
