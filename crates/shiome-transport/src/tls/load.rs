use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use thiserror::Error;
use tokio_rustls::rustls::{
    self,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
    server::VerifierBuilderError,
};

/// Longest PEM file, in bytes. A chain of four certificates has some 8 KiB, a bundle of all public authorities 250.
pub const MAX_PEM_LEN: u64 = 1024 * 1024;

/// Credentials cannot be used. What was in use before stays in use.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file cannot be read.
    #[error("cannot read `{}`", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is longer than [`MAX_PEM_LEN`].
    #[error("`{}` is longer than {MAX_PEM_LEN} bytes", .0.display())]
    TooLong(PathBuf),
    /// The text is not PEM.
    #[error("not PEM: {0}")]
    Pem(pem::Error),
    /// There is no certificate where one must be.
    #[error("no certificate")]
    NoCertificate,
    /// There is no private key that is known as one.
    #[error("no private key")]
    NoKey,
    /// The key is of a kind that the provider does not know, or not the certificate's.
    #[error("unusable key or certificate")]
    Identity(#[source] rustls::Error),
    /// A certificate that was to be trusted, or pinned, is not well-formed.
    #[error("malformed certificate")]
    Malformed(#[source] rustls::Error),
    /// The authorities cannot be used to verify certificates.
    #[error("unusable authorities")]
    Authorities(#[source] VerifierBuilderError),
    /// There is neither an authority nor a pinned key: nobody would be trusted.
    #[error("nobody to trust")]
    NobodyTrusted,
    /// The text is not the SHA-256 digest of a key: 64 hexadecimal digits.
    #[error("not a digest of 64 hexadecimal digits")]
    Pin,
}

impl LoadError {
    pub(super) fn key(error: pem::Error) -> Self {
        match error {
            pem::Error::NoItemsFound => Self::NoKey,
            error => Self::Pem(error),
        }
    }
}

/// Reads a file that is no longer than [`MAX_PEM_LEN`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let failed = |source| LoadError::Read {
        path: path.to_owned(),
        source,
    };
    let mut content = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_PEM_LEN + 1).read_to_end(&mut content))
        .map_err(failed)?;
    if content.len() as u64 > MAX_PEM_LEN {
        return Err(LoadError::TooLong(path.to_owned()));
    }
    Ok(content)
}

/// All certificates of a PEM text.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let certificates = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let certificates = certificates.map_err(LoadError::Pem)?;
    if certificates.is_empty() {
        return Err(LoadError::NoCertificate);
    }
    Ok(certificates)
}
