//! Whose fault it is that a connection came to nothing. Sources pay for their own faults only: nodes that come, go and meet
//! each other twice must not be taken for attackers, nor must the health checks of a load balancer.

use shiome_handshake::{self as handshake, HandshakeError};
use shiome_transport::{
    AuthenticateError, ReadError, TransportError,
    tls::{self, TlsError},
};

/// What a peer is to blame for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has claimed to know the cookie, or to be a node, and does not or is not.
    Lie,
    /// It took up a place. A health check does so that speaks HTTP or TLS, and any web page can make its reader's browser.
    Waste,
}

/// What the peer is to blame for when there was no link.
pub(super) fn of_transport(error: &TransportError) -> Option<Fault> {
    match error {
        // It closed the connection, maybe without a word.
        TransportError::Lost(_) | TransportError::Tls(TlsError::Io(_)) => None,
        TransportError::Tls(_) | TransportError::Timeout { .. } => Some(Fault::Waste),
        #[cfg(unix)]
        TransportError::NotAllowed { .. } => Some(Fault::Waste),
        #[cfg(feature = "websocket")]
        TransportError::Upgrade(error) => of_upgrade(error),
        _ => None,
    }
}

/// Who asks for a page has been told that there is none: a health check may, through the proxy that nodes come through.
/// Nor can a reader help what the page of a site tries, which the browser says.
#[cfg(feature = "websocket")]
fn of_upgrade(error: &shiome_transport::websocket::UpgradeError) -> Option<Fault> {
    use shiome_transport::websocket::UpgradeError;
    match error {
        UpgradeError::Lost(_)
        | UpgradeError::NotAnUpgrade { .. }
        | UpgradeError::Path
        | UpgradeError::Origin => None,
        _ => Some(Fault::Waste),
    }
}

/// What the peer is to blame for when its link was not authenticated.
pub(super) fn of_handshake(error: &AuthenticateError) -> Option<Fault> {
    match error {
        AuthenticateError::Handshake(error) => of_protocol(error),
        AuthenticateError::NodeName { .. } => Some(Fault::Lie),
        AuthenticateError::Read(ReadError::Frame(_) | ReadError::Decode(_)) => Some(Fault::Waste),
        // It does not believe this node's certificate.
        AuthenticateError::Read(ReadError::Io(error)) => tls::refusal(error).map(|_| Fault::Waste),
        // It closed the link, or this node has another one with it.
        _ => None,
    }
}

fn of_protocol(error: &HandshakeError) -> Option<Fault> {
    match error.fault() {
        handshake::Fault::NotAuthentic => Some(Fault::Lie),
        handshake::Fault::Protocol | handshake::Fault::Deadline => Some(Fault::Waste),
        _ => None,
    }
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
            assert_eq!(of_transport(&error), None, "{error:?}");
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
            assert_eq!(of_handshake(&error), None, "{error:?}");
        }
    }

    #[test]
    fn who_wastes_time_is_blamed_for_that_only() {
        let after = std::time::Duration::from_secs(1);
        for error in [
            TransportError::Timeout { after },
            TransportError::Tls(TlsError::NoCertificate),
            TransportError::Tls(TlsError::TimedOut),
        ] {
            assert_eq!(of_transport(&error), Some(Fault::Waste), "{error:?}");
        }
        for error in [
            HandshakeError::Deadline.into(),
            HandshakeError::UnknownStatus(9).into(),
            AuthenticateError::Read(FrameError::Truncated { buffered: 3 }.into()),
        ] {
            assert_eq!(of_handshake(&error), Some(Fault::Waste), "{error:?}");
        }
    }

    #[test]
    fn who_guesses_or_is_another_has_lied() {
        let (name, error) = ("b@host".to_owned(), NodeNameError::OtherNode);
        for error in [
            AuthenticateError::NodeName { name, error },
            HandshakeError::WrongDigest.into(),
            HandshakeError::WrongProof.into(),
            HandshakeError::Reflected.into(),
        ] {
            assert_eq!(of_handshake(&error), Some(Fault::Lie), "{error:?}");
        }
    }

    #[cfg(feature = "websocket")]
    #[test]
    fn a_page_that_tries_does_not_shut_its_reader_out() {
        use shiome_transport::websocket::UpgradeError;
        let of = |error: UpgradeError| of_transport(&TransportError::Upgrade(error));
        assert_eq!(of(UpgradeError::Origin), None);
        assert_eq!(of(UpgradeError::Path), None);
        assert_eq!(of(UpgradeError::Malformed), Some(Fault::Waste));
    }
}
