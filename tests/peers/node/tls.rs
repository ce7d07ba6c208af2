//! TLS between nodes that share one self-signed certificate for `localhost`.

use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::args::TlsFiles;

pub const SERVER_NAME: &str = "localhost";

#[derive(Clone)]
pub struct Tls {
    pub acceptor: TlsAcceptor,
    pub connector: TlsConnector,
}

impl Tls {
    pub fn load(files: &TlsFiles) -> Result<Self, String> {
        let certificate = CertificateDer::from(read(&files.certificate)?);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(read(&files.key)?));
        let acceptor = server(certificate.clone(), key).map_err(|error| error.to_string())?;
        let connector = client(certificate).map_err(|error| error.to_string())?;
        Ok(Self {
            acceptor,
            connector,
        })
    }
}

/// Makes a certificate and its key.
pub fn write(files: &TlsFiles) -> Result<(), String> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([SERVER_NAME.to_owned()]).map_err(|e| e.to_string())?;
    let save = |path: &std::path::Path, bytes: &[u8]| {
        std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
    };
    save(&files.certificate, cert.der())?;
    save(&files.key, &signing_key.serialize_der())
}

fn read(path: &std::path::Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn server(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, tokio_rustls::rustls::Error> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn client(
    certificate: CertificateDer<'static>,
) -> Result<TlsConnector, tokio_rustls::rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate)?;
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
