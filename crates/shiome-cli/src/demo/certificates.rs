//! Certificates of a demo with TLS, of authorities that are gone with it.

use rcgen::{Issuer, KeyPair};

use super::protocol::{Secrets, Tls};
use crate::cert::{
    CertError,
    authority::{Authority, issue},
};

/// For longer than any demo.
const DAYS: u16 = 1;

/// An authority of the demo.
pub(super) struct Certificates {
    authority: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Certificates {
    pub(super) fn new() -> Result<Self, CertError> {
        let authority = Authority::new(DAYS).map_err(CertError::Make)?;
        let issuer = authority.issuer().map_err(CertError::Make)?;
        Ok(Self {
            authority: authority.certificate,
            issuer,
        })
    }

    /// The secrets of a node with a certificate for the node of this label, which believes this authority.
    pub(super) fn secrets(&self, label: char, cookie: &str) -> Result<Secrets, CertError> {
        self.secrets_believing(self, label, cookie)
    }

    /// As [`secrets`](Self::secrets), of a node that believes another authority.
    pub(super) fn secrets_believing(
        &self,
        other: &Self,
        label: char,
        cookie: &str,
    ) -> Result<Secrets, CertError> {
        let issued = issue(&self.issuer, &format!("{label}@127.0.0.1"), &[], DAYS)?;
        Ok(Secrets {
            cookie: cookie.to_owned(),
            tls: Some(Tls {
                certificate: issued.certificate,
                key: issued.key,
                authority: other.authority.clone(),
            }),
        })
    }
}
