//! Certificates, made when a test runs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType, date_time_ymd,
};
use shiome_transport::tls::{Identity, Trust, node_uri};

/// What is wrong with a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Expired,
    NotYetValid,
    /// It expires in [`SOON`].
    ExpiresSoon,
}

/// Long enough for one handshake on a busy machine. Certificates count in seconds.
const SOON: Duration = Duration::from_secs(3);

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, in PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// A certificate for the node `name` on `localhost`.
    pub(crate) fn issue(&self, name: &str) -> Issued {
        self.issue_with(params(name))
    }

    /// A certificate for all nodes on `localhost`.
    pub(crate) fn issue_for_host(&self) -> Issued {
        let mut params = params("any");
        let is_uri = |name: &SanType| matches!(name, SanType::URI(_));
        params.subject_alt_names.retain(|name| !is_uri(name));
        self.issue_with(params)
    }

    pub(crate) fn issue_flawed(&self, name: &str, flaw: Flaw) -> Issued {
        let mut params = params(name);
        match flaw {
            Flaw::Expired => params.not_after = date_time_ymd(2001, 1, 1),
            Flaw::NotYetValid => params.not_before = date_time_ymd(3001, 1, 1),
            Flaw::ExpiresSoon => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
                params.not_after = date_time_ymd(1970, 1, 1) + now + SOON;
            }
        }
        self.issue_with(params)
    }

    fn issue_with(&self, params: CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        Issued {
            certificate: params.signed_by(&key, &self.0).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::authorities_pem(self.pem().as_bytes()).unwrap()
    }
}

impl Issued {
    /// A certificate that nobody but its owner has signed.
    pub(crate) fn self_signed(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params(name).self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(self.certificate.as_bytes(), self.key.as_bytes()).unwrap()
    }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let uri = node_uri(&format!("{name}@localhost"));
    params
        .subject_alt_names
        .push(SanType::URI(uri.try_into().unwrap()));
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params
}
