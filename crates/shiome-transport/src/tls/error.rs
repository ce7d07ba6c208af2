use std::io;

use thiserror::Error;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

/// A TLS handshake did not succeed. The connection is closed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TlsError {
    /// It took longer than [`TLS_HANDSHAKE_TIMEOUT`](super::TLS_HANDSHAKE_TIMEOUT).
    #[error("no TLS handshake in time")]
    TimedOut,
    /// The connection failed, or the peer closed it.
    #[error("connection failed during the TLS handshake")]
    Io(#[source] io::Error),
    /// This node does not believe the peer's certificate: it is of an unknown authority, expired, for another host, or its
    /// key is not among the pinned ones ([`CertificateError::ApplicationVerificationFailure`]).
    #[error("unacceptable certificate: {0}")]
    Certificate(CertificateError),
    /// The peer has shown no certificate, and must.
    #[error("the peer has shown no certificate")]
    NoCertificate,
    /// The peer refused, for instance this node's certificate. See also [`refusal`].
    #[error("refused by the peer: {0:?}")]
    Refused(AlertDescription),
    /// The peer does not speak TLS, or nothing that this node speaks too.
    #[error("no TLS with the peer")]
    Protocol(#[source] rustls::Error),
}

impl From<io::Error> for TlsError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<rustls::Error>() {
            Ok(error) => error.into(),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Self::TimedOut,
            Err(error) => Self::Io(error),
        }
    }
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(error) => Self::Certificate(error),
            rustls::Error::NoCertificatesPresented => Self::NoCertificate,
            rustls::Error::AlertReceived(alert) => Self::Refused(alert),
            error => Self::Protocol(error),
        }
    }
}

/// With what words a TLS peer refused, when that is what failed a read of a link.
///
/// With TLS 1.3 a client is done before the server has seen its certificate (RFC 8446 §2): a refusal of the certificate is
/// not an error of the dial, but of the first read, and thus of the cluster's handshake.
pub fn refusal(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref() {
        Some(rustls::Error::AlertReceived(alert)) => Some(*alert),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_by_fault() {
        let told = |error: rustls::Error| TlsError::from(io::Error::other(error));
        let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
        assert_eq!(
            refusal(&io::Error::other(alert.clone())),
            Some(AlertDescription::CertificateRequired)
        );
        assert!(matches!(
            told(alert),
            TlsError::Refused(AlertDescription::CertificateRequired)
        ));
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(refusal(&io::Error::other(expired.clone())), None);
        assert!(matches!(
            told(expired),
            TlsError::Certificate(CertificateError::Expired)
        ));
        let none = rustls::Error::NoCertificatesPresented;
        assert!(matches!(told(none), TlsError::NoCertificate));
        let odd = rustls::Error::DecryptError;
        assert!(matches!(told(odd), TlsError::Protocol(_)));
        let late = io::Error::from(io::ErrorKind::TimedOut);
        assert!(matches!(late.into(), TlsError::TimedOut));
        let reset = io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(refusal(&reset), None);
        assert!(matches!(reset.into(), TlsError::Io(_)));
    }
}
