//! Links of shiome's own configurations, which know whose certificate they have seen.

use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{client, rustls::pki_types::CertificateDer, server};

use super::{
    accepted,
    config::{ClientConfig, ServerConfig},
    credentials::Credentials,
    dialled,
    name::NodeNameError,
};
use crate::link::{Link, PeerIdentity};

impl ServerConfig {
    /// A link over a connection that this configuration has accepted, with the labels of its ends. Its
    /// [identity](Link::identity) is the certificate that the client has shown; a client that has shown none, and need not,
    /// has no identity.
    pub fn link<S>(&self, stream: server::TlsStream<S>, peer: String, local: String) -> Link
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let chain = stream.get_ref().1.peer_certificates();
        let is_bound = chain.is_some() || self.demands_certificates();
        let shown = is_bound.then(|| Certificate::shown(self.credentials(), chain));
        let link = accepted(stream, peer, local);
        match shown {
            Some(shown) => link.with_identity(shown),
            None => link,
        }
    }
}

impl ClientConfig {
    /// A link over a connection that this configuration has dialled, with the labels of its ends. Its
    /// [identity](Link::identity) is the certificate that the server has shown.
    pub fn link<S>(&self, stream: client::TlsStream<S>, peer: String, local: String) -> Link
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let chain = stream.get_ref().1.peer_certificates();
        let shown = Certificate::shown(self.credentials(), chain);
        dialled(stream, peer, local).with_identity(shown)
    }
}

/// A certificate that the peer has proven to own, and whoever it is by the credentials in force.
struct Certificate {
    credentials: Arc<Credentials>,
    chain: Vec<CertificateDer<'static>>,
}

impl Certificate {
    /// On a resumed connection it is the one of the first.
    fn shown(
        credentials: &Arc<Credentials>,
        chain: Option<&[CertificateDer<'static>]>,
    ) -> Arc<Self> {
        Arc::new(Self {
            credentials: Arc::clone(credentials),
            chain: chain.unwrap_or_default().to_vec(),
        })
    }
}

impl PeerIdentity for Certificate {
    fn verify_node_name(&self, node_name: &str) -> Result<(), NodeNameError> {
        self.credentials.verify_node_name(&self.chain, node_name)
    }
}
