use std::{fmt, path::Path, sync::Arc};

use tokio_rustls::rustls::{
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};

use super::load::{self, LoadError};

/// What a node shows of itself: its certificate, and the private key that proves it.
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// From a chain, the node's own certificate first, and its key in PKCS #8, PKCS #1 or SEC 1.
    ///
    /// # Errors
    ///
    /// [`LoadError::NoCertificate`] when the chain is empty. Whether the key fits is checked when it is put to use.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, LoadError> {
        if chain.is_empty() {
            return Err(LoadError::NoCertificate);
        }
        Ok(Self { chain, key })
    }

    /// From PEM text: `chain` with one certificate or more, `key` with a private key, which may be the same text.
    ///
    /// # Errors
    ///
    /// [`LoadError::Pem`], [`LoadError::NoCertificate`] and [`LoadError::NoKey`].
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, LoadError> {
        let chain = load::certificates(chain)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(LoadError::key)?;
        Self::from_der(chain, key)
    }

    /// From PEM files of at most [`MAX_PEM_LEN`](super::MAX_PEM_LEN) bytes each.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem), [`LoadError::Read`] and [`LoadError::TooLong`].
    pub fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, LoadError> {
        Self::from_pem(&load::read(chain)?, &load::read(key)?)
    }

    pub(super) fn certify(self, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, LoadError> {
        CertifiedKey::from_der(self.chain, self.key, provider)
            .map(Arc::new)
            .map_err(LoadError::Identity)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.chain.len())
            .finish_non_exhaustive()
    }
}
