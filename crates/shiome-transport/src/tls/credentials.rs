use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use tokio_rustls::rustls::{crypto::CryptoProvider, pki_types::CertificateDer, sign::CertifiedKey};

use super::{
    identity::Identity, load::LoadError, name::NodeNameError, trust::Trust, verify::Verifier,
};

/// What a node shows of itself and whom it believes, for all its TLS connections, accepted and dialled.
///
/// Both can be [replaced](Self::replace) at any time. Connections that are open stay as they are, each new one goes by what
/// is in force when it begins.
pub struct Credentials {
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<Current>>,
}

/// What is in force.
pub(super) struct Current {
    /// Counts the replacements. What was agreed on with earlier ones is not to be resumed.
    pub(super) generation: u64,
    pub(super) identity: Option<Arc<CertifiedKey>>,
    pub(super) verifier: Verifier,
    trust: Trust,
}

impl Credentials {
    /// Cryptography comes from `provider`, such as `ring`'s; the default one of the process is not asked for. A node without
    /// an identity can dial nodes that do not ask for one, and cannot accept connections.
    ///
    /// # Errors
    ///
    /// [`LoadError::Identity`], [`LoadError::Malformed`] and [`LoadError::Authorities`].
    pub fn new(
        identity: Option<Identity>,
        trust: Trust,
        provider: Arc<CryptoProvider>,
    ) -> Result<Arc<Self>, LoadError> {
        let current = Current::new(0, identity, trust, &provider)?;
        Ok(Arc::new(Self {
            provider,
            current: RwLock::new(Arc::new(current)),
        }))
    }

    /// Replaces both at once, and forgets all TLS sessions that could be resumed.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new). Then nothing is replaced.
    pub fn replace(&self, identity: Option<Identity>, trust: Trust) -> Result<(), LoadError> {
        let mut next = Current::new(0, identity, trust, &self.provider)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        next.generation = current.generation + 1;
        *current = Arc::new(next);
        Ok(())
    }

    /// [`Trust::verify_node_name`] by what is in force.
    ///
    /// # Errors
    ///
    /// [`NodeNameError`]; the connection is to be closed.
    pub fn verify_node_name(
        &self,
        chain: &[CertificateDer<'_>],
        node_name: &str,
    ) -> Result<(), NodeNameError> {
        self.current().trust.verify_node_name(chain, node_name)
    }

    pub(super) fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }
}

impl Current {
    fn new(
        generation: u64,
        identity: Option<Identity>,
        trust: Trust,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, LoadError> {
        let identity = identity.map(|identity| identity.certify(provider));
        Ok(Self {
            generation,
            identity: identity.transpose()?,
            verifier: Verifier::new(&trust, provider)?,
            trust,
        })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let current = self.current();
        f.debug_struct("Credentials")
            .field("generation", &current.generation)
            .field("identity", &current.identity.is_some())
            .finish_non_exhaustive()
    }
}
