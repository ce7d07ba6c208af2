//! What `rustls` asks during a handshake, answered by the credentials in force.

use std::sync::Arc;

use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
    client::{
        ResolvesClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_cert_signed_by_trust_anchor,
    },
    crypto::{
        CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::{
        ClientHello, ParsedCertificate, ResolvesServerCert, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

use super::{
    credentials::Credentials,
    load::LoadError,
    name::names_nodes,
    trust::{Kind, Pin, Trust, digest},
};

/// Verifies certificates. That their owners have the keys is verified apart, by the same signature checks for all.
pub(super) enum Verifier {
    Authorities {
        roots: Arc<RootCertStore>,
        algorithms: WebPkiSupportedAlgorithms,
        servers: Arc<WebPkiServerVerifier>,
        clients: Arc<dyn ClientCertVerifier>,
    },
    Pins(Vec<Pin>),
}

/// What the certificate of a dialled node must be for, if an authority vouches for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialled {
    /// The host that was dialled.
    Host,
    /// Nodes, which are known by their names later; or the host.
    Node,
}

impl Verifier {
    pub(super) fn new(trust: &Trust, provider: &Arc<CryptoProvider>) -> Result<Self, LoadError> {
        let authorities = match &trust.0 {
            Kind::Authorities(authorities) => authorities,
            Kind::Pins(pins) => return Ok(Self::Pins(pins.clone())),
        };
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority.clone()).map_err(LoadError::Malformed)?;
        }
        let algorithms = provider.signature_verification_algorithms;
        let (roots, provider) = (Arc::new(roots), || Arc::clone(provider));
        let shared = || Arc::clone(&roots);
        let servers = WebPkiServerVerifier::builder_with_provider(shared(), provider()).build();
        let clients = WebPkiClientVerifier::builder_with_provider(shared(), provider()).build();
        Ok(Self::Authorities {
            algorithms,
            servers: servers.map_err(LoadError::Authorities)?,
            clients: clients.map_err(LoadError::Authorities)?,
            roots,
        })
    }

    /// Whether the certificate of a dialled node holds, for the host that was dialled or for what else it may be.
    pub(super) fn verify_server(
        &self,
        dialled: Dialled,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Error> {
        match self {
            Self::Authorities {
                roots, algorithms, ..
            } if dialled == Dialled::Node && names_nodes(end_entity) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                verify_server_cert_signed_by_trust_anchor(
                    &certificate,
                    roots,
                    intermediates,
                    now,
                    algorithms.all,
                )
            }
            Self::Authorities { servers, .. } => servers
                .verify_server_cert(end_entity, intermediates, server, &[], now)
                .map(|_| ()),
            Self::Pins(pins) => verify_pinned(pins, end_entity),
        }
    }

    /// Whether the certificate of an accepted node holds.
    pub(super) fn verify_client(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), Error> {
        match self {
            Self::Authorities { clients, .. } => clients
                .verify_client_cert(end_entity, intermediates, now)
                .map(|_| ()),
            Self::Pins(pins) => verify_pinned(pins, end_entity),
        }
    }
}

fn verify_pinned(pins: &[Pin], end_entity: &CertificateDer<'_>) -> Result<(), Error> {
    let key = digest(end_entity)?;
    if pins.iter().any(|pin| pin.key() == key) {
        Ok(())
    } else {
        Err(CertificateError::ApplicationVerificationFailure.into())
    }
}

/// Shows the identity in force, whatever the peer hints at: a node has one.
#[derive(Debug)]
pub(super) struct Shown(pub(super) Arc<Credentials>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.current().identity.clone()
    }
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.0.current().identity.clone()
    }

    fn has_certs(&self) -> bool {
        self.0.current().identity.is_some()
    }
}

/// Believes whom the credentials in force believe.
#[derive(Debug)]
pub(super) struct Believed {
    pub(super) credentials: Arc<Credentials>,
    /// Whether a client must show a certificate. Servers always do.
    pub(super) mandatory: bool,
    /// What servers must be.
    pub(super) dialled: Dialled,
}

impl ServerCertVerifier for Believed {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let current = self.credentials.current();
        current
            .verifier
            .verify_server(self.dialled, end_entity, intermediates, server, now)
            .map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self
            .credentials
            .provider()
            .signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self
            .credentials
            .provider()
            .signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = &self
            .credentials
            .provider()
            .signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Believed {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    /// None: strangers need not learn which authorities there are.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let current = self.credentials.current();
        current
            .verifier
            .verify_client(end_entity, intermediates, now)
            .map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}
