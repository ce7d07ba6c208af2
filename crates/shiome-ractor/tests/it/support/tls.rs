//! Certificates of nodes, made when a test runs.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType,
};
use shiome_ractor::{Builder, Node};
use shiome_transport::tls::{ClientConfig, Credentials, Identity, Trust, node_uri, ring};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{client::TlsStream, rustls::pki_types::ServerName};

use super::{COOKIE, PATIENCE};

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Credentials for the node of this full name, on loopback.
    pub(crate) fn credentials(&self, node: &str) -> Arc<Credentials> {
        self.credentials_at("127.0.0.1", node)
    }

    /// Credentials for the node of this full name, on this host.
    pub(crate) fn credentials_at(&self, host: &str, node: &str) -> Arc<Credentials> {
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        let uri = node_uri(node).try_into().unwrap();
        params.subject_alt_names.push(SanType::URI(uri));
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        let identity = Identity::from_pem(certificate.as_bytes(), key.serialize_pem().as_bytes());
        Credentials::new(Some(identity.unwrap()), self.trust(), ring()).unwrap()
    }

    /// Credentials of one who has no certificate.
    pub(crate) fn nobody(&self) -> Arc<Credentials> {
        Credentials::new(None, self.trust(), ring()).unwrap()
    }

    fn trust(&self) -> Trust {
        Trust::authorities_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// A node that is called `name@127.0.0.1`, with the credentials of the node `shown`.
    pub(crate) fn builder(&self, name: &str, shown: &str) -> Builder {
        Node::builder(format!("{name}@127.0.0.1:0"))
            .cookie(COOKIE)
            .tls(&self.credentials(shown))
    }

    /// A node with its own credentials.
    pub(crate) async fn node(&self, name: &str) -> Node {
        let builder = self.builder(name, &format!("{name}@127.0.0.1"));
        builder.start().await.unwrap()
    }
}

/// Dials a node over TLS.
pub(crate) async fn dial(config: &ClientConfig, node: &Node) -> TlsStream<TcpStream> {
    let server = ServerName::try_from("127.0.0.1").unwrap();
    let stream = TcpStream::connect(node.local_addr()).await.unwrap();
    config.connect(server, stream).await.unwrap()
}

/// Waits until the node counts so many connections that could not be authenticated.
pub(crate) async fn failures(node: &Node, count: u64) {
    let counted = async {
        while node.admission().failed < count {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, counted).await.expect("it is counted");
    assert_eq!(node.admission().failed, count);
}
