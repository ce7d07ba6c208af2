//! TLS between nodes whose certificates are of one authority.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::args::TlsFiles;

#[derive(Clone)]
pub struct Tls {
    pub acceptor: TlsAcceptor,
    pub connector: TlsConnector,
}

impl Tls {
    pub fn load(files: &TlsFiles) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for authority in certificates(&files.authority)? {
            roots.add(authority).map_err(|error| error.to_string())?;
        }
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key)
            .map_err(|error| format!("{}: {error}", files.key.display()))?;
        Ok(Self {
            acceptor: server(files, chain.clone(), key.clone_key(), roots.clone())?,
            connector: client(files, chain, key, roots)?,
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn server(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: RootCertStore,
) -> Result<TlsAcceptor, String> {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = if files.mutual {
        let roots = Arc::new(roots);
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider()).build();
        builder.with_client_cert_verifier(clients.map_err(|error| error.to_string())?)
    } else {
        builder.with_no_client_auth()
    };
    let config = builder.with_single_cert(chain, key);
    Ok(Arc::new(config.map_err(|error| error.to_string())?).into())
}

fn client(
    files: &TlsFiles,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    roots: RootCertStore,
) -> Result<TlsConnector, String> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = if files.mutual {
        let config = builder.with_client_auth_cert(chain, key);
        config.map_err(|error| error.to_string())?
    } else {
        builder.with_no_client_auth()
    };
    Ok(Arc::new(config).into())
}

pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
