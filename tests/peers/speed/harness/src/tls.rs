//! TLS with one self-signed certificate for `localhost`.

use std::{fs, path::Path, sync::Arc};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, Error, RootCertStore, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// The name in the certificate.
pub const SERVER_NAME: &str = "localhost";

/// Both sides of it.
#[derive(Clone)]
pub struct Tls {
    pub acceptor: TlsAcceptor,
    pub connector: TlsConnector,
}

impl Tls {
    /// From the files that [`write`] made.
    pub(crate) fn load(dir: &Path) -> Result<Self, String> {
        let certificate = CertificateDer::from(read(&dir.join(CERTIFICATE))?);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(read(&dir.join(KEY))?));
        let acceptor = server(certificate.clone(), key).map_err(|error| error.to_string())?;
        let connector = client(certificate).map_err(|error| error.to_string())?;
        Ok(Self {
            acceptor,
            connector,
        })
    }
}

const CERTIFICATE: &str = "cert.der";
const KEY: &str = "key.der";

/// Makes a certificate and its key.
pub(crate) fn write(dir: &Path) -> Result<(), String> {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([SERVER_NAME.to_owned()]).map_err(|e| e.to_string())?;
    let save = |name: &str, bytes: &[u8]| {
        let file = dir.join(name);
        fs::write(&file, bytes).map_err(|error| format!("{}: {error}", file.display()))
    };
    save(CERTIFICATE, cert.der())?;
    save(KEY, &signing_key.serialize_der())
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    fs::read(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn server(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
) -> Result<TlsAcceptor, Error> {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn client(certificate: CertificateDer<'static>) -> Result<TlsConnector, Error> {
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
