//! Configurations of both sides.

use std::{fmt, sync::Arc};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsAcceptor, TlsConnector, client,
    rustls::{
        self, HandshakeKind,
        client::Resumption,
        pki_types::{ServerName, UnixTime},
        server::NoServerSessionStorage,
        version::TLS13,
    },
    server,
};

use super::{
    accept, connect,
    credentials::Credentials,
    error::TlsError,
    sessions::Sessions,
    verify::{Believed, Dialled, Shown},
};

/// The application protocol that nodes agree on (ALPN, RFC 7301).
pub const ALPN_PROTOCOL: &[u8] = b"shiome/1";

/// What a node says of the protocol inside TLS (ALPN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Alpn {
    /// [`ALPN_PROTOCOL`]. A peer that says nothing, as published nodes do, is welcome; one that wants only something else is
    /// not.
    #[default]
    Cluster,
    /// `http/1.1`, for WebSockets.
    Http,
    /// Nothing.
    Silent,
}

impl Alpn {
    fn protocols(self) -> Vec<Vec<u8>> {
        match self {
            Self::Cluster => vec![ALPN_PROTOCOL.to_vec()],
            Self::Http => vec![b"http/1.1".to_vec()],
            Self::Silent => Vec::new(),
        }
    }
}

/// Which clients a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ClientAuth {
    /// All; it asks for no certificate. The cluster's cookie alone protects it.
    None,
    /// Those that show an acceptable certificate, or none.
    Optional,
    /// Those that show an acceptable certificate (mutual TLS).
    #[default]
    Required,
}

/// TLS cannot be configured.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A server needs an identity.
    #[error("a server needs a certificate and its key")]
    NoIdentity,
    /// The provider of the credentials has no TLS 1.3.
    #[error("the cryptography provider does not do")]
    Provider(#[source] rustls::Error),
}

/// How connections are accepted: TLS 1.3, with the [`Credentials`] in force at each. Cheap to clone.
#[derive(Clone)]
pub struct ServerConfig {
    credentials: Arc<Credentials>,
    config: Arc<rustls::ServerConfig>,
    client_auth: ClientAuth,
}

/// Builds a [`ServerConfig`].
#[derive(Debug)]
#[must_use]
pub struct ServerConfigBuilder {
    credentials: Arc<Credentials>,
    client_auth: ClientAuth,
    resumption: bool,
}

impl ServerConfigBuilder {
    /// Which clients are taken. Default: [`ClientAuth::Required`].
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self
    }

    /// Whether a client may resume a session, which saves it and this node the signatures. Default: true. The last
    /// [`MAX_ACCEPTED_SESSIONS`](super::MAX_ACCEPTED_SESSIONS) are remembered, for a day at most, and none across a
    /// replacement of the credentials.
    pub fn resumption(mut self, resumption: bool) -> Self {
        self.resumption = resumption;
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`].
    pub fn build(self) -> Result<ServerConfig, ConfigError> {
        let credentials = self.credentials;
        if credentials.current().identity.is_none() {
            return Err(ConfigError::NoIdentity);
        }
        let provider = Arc::clone(credentials.provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(ConfigError::Provider)?;
        let believed = |mandatory| {
            Arc::new(Believed {
                credentials: Arc::clone(&credentials),
                mandatory,
                dialled: Dialled::Host,
            })
        };
        let builder = match self.client_auth {
            ClientAuth::None => builder.with_no_client_auth(),
            ClientAuth::Optional => builder.with_client_cert_verifier(believed(false)),
            ClientAuth::Required => builder.with_client_cert_verifier(believed(true)),
        };
        let mut config = builder.with_cert_resolver(Arc::new(Shown(Arc::clone(&credentials))));
        config.alpn_protocols = Alpn::default().protocols();
        config.session_storage = if self.resumption {
            Arc::new(Sessions::accepted(Arc::clone(&credentials)))
        } else {
            Arc::new(NoServerSessionStorage {})
        };
        Ok(ServerConfig {
            credentials,
            config: Arc::new(config),
            client_auth: self.client_auth,
        })
    }
}

impl ServerConfig {
    /// With all defaults.
    pub fn builder(credentials: &Arc<Credentials>) -> ServerConfigBuilder {
        ServerConfigBuilder {
            credentials: Arc::clone(credentials),
            client_auth: ClientAuth::default(),
            resumption: true,
        }
    }

    /// The same, with another application protocol. Default: [`Alpn::Cluster`].
    #[must_use]
    pub fn with_alpn(&self, alpn: Alpn) -> Self {
        let mut config = rustls::ServerConfig::clone(&self.config);
        config.alpn_protocols = alpn.protocols();
        Self {
            credentials: Arc::clone(&self.credentials),
            config: Arc::new(config),
            client_auth: self.client_auth,
        }
    }

    /// The credentials.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Whether a client must show a certificate.
    pub(super) fn demands_certificates(&self) -> bool {
        self.client_auth == ClientAuth::Required
    }

    /// For those that run the handshake themselves. It follows the credentials; that the certificate of a resumed session
    /// still holds only [`accept`](Self::accept) checks.
    pub fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.config).into()
    }

    /// Runs the server's side of the handshake on an accepted connection, of TCP or anything else, within
    /// [`TLS_HANDSHAKE_TIMEOUT`](super::TLS_HANDSHAKE_TIMEOUT). Dropping the future closes the connection.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub async fn accept<S>(&self, stream: S) -> Result<server::TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = accept(&self.acceptor(), stream).await?;
        let connection = stream.get_ref().1;
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        // A resumed session brings the certificate of its first connection along, and that was verified then.
        if let (true, Some([end_entity, rest @ ..])) = (resumed, connection.peer_certificates()) {
            let current = self.credentials.current();
            let now = UnixTime::now();
            current.verifier.verify_client(end_entity, rest, now)?;
        }
        Ok(stream)
    }
}

/// How nodes are dialled: TLS 1.3, with the [`Credentials`] in force at each. Cheap to clone.
#[derive(Clone)]
pub struct ClientConfig {
    credentials: Arc<Credentials>,
    config: Arc<rustls::ClientConfig>,
    dialled: Dialled,
    resumes: bool,
}

impl ClientConfig {
    /// A dialled node must prove to be the host of its address, see [`for_nodes`](Self::for_nodes).
    ///
    /// Shows the identity of the credentials, if there is one and the server asks for it.
    ///
    /// Sessions to the last [`MAX_DIALLED_SESSIONS`](super::MAX_DIALLED_SESSIONS) nodes are resumed, and none from before
    /// the credentials were replaced.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Provider`].
    pub fn new(credentials: &Arc<Credentials>) -> Result<Self, ConfigError> {
        let provider = Arc::clone(credentials.provider());
        let dialled = Dialled::Host;
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])
            .map_err(ConfigError::Provider)?
            .dangerous()
            .with_custom_certificate_verifier(believed(credentials, dialled))
            .with_client_cert_resolver(Arc::new(Shown(Arc::clone(credentials))));
        config.alpn_protocols = Alpn::default().protocols();
        config.resumption = resumption(credentials);
        Ok(Self {
            credentials: Arc::clone(credentials),
            config: Arc::new(config),
            dialled,
            resumes: true,
        })
    }

    /// The same, for nodes that are dialled where they can be reached and not where they are called, as those that gossip has
    /// found: a certificate that names its nodes by [URI](super::node_uri) is believed from any address. The node is to be
    /// held against it as soon as it says its name, as [`link`](Self::link) lets [`authenticate()`](crate::authenticate())
    /// do. A certificate without such a URI must be for the host, as it must otherwise.
    ///
    /// Who can bend addresses or routes, and has the certificate of a node, can so be that node at any address. It can be no
    /// other.
    #[must_use]
    pub fn for_nodes(&self) -> Self {
        let dialled = Dialled::Node;
        let config = self.changed(|config| {
            let verifier = believed(&self.credentials, dialled);
            config.dangerous().set_certificate_verifier(verifier);
            if self.resumes {
                // Nobody resumes here what began there.
                config.resumption = resumption(&self.credentials);
            }
        });
        Self { dialled, ..config }
    }

    /// The same, with another application protocol. Default: [`Alpn::Cluster`].
    #[must_use]
    pub fn with_alpn(&self, alpn: Alpn) -> Self {
        self.changed(|config| config.alpn_protocols = alpn.protocols())
    }

    /// The same, that never resumes a session.
    #[must_use]
    pub fn without_resumption(&self) -> Self {
        let config = self.changed(|config| config.resumption = Resumption::disabled());
        Self {
            resumes: false,
            ..config
        }
    }

    fn changed(&self, change: impl FnOnce(&mut rustls::ClientConfig)) -> Self {
        let mut config = rustls::ClientConfig::clone(&self.config);
        change(&mut config);
        Self {
            credentials: Arc::clone(&self.credentials),
            config: Arc::new(config),
            dialled: self.dialled,
            resumes: self.resumes,
        }
    }

    /// The credentials.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// For those that run the handshake themselves. It follows the credentials; that the certificate of a resumed session
    /// still holds only [`connect`](Self::connect) checks.
    pub fn connector(&self) -> TlsConnector {
        Arc::clone(&self.config).into()
    }

    /// Runs the client's side of the handshake on a dialled connection, of TCP or anything else, where the server must prove
    /// to be `server`, within [`TLS_HANDSHAKE_TIMEOUT`](super::TLS_HANDSHAKE_TIMEOUT). Dropping the future closes the
    /// connection.
    ///
    /// # Errors
    ///
    /// [`TlsError`]. That the server refuses this node's certificate only shows at the first read: see
    /// [`refusal`](super::refusal).
    pub async fn connect<S>(
        &self,
        server: ServerName<'static>,
        stream: S,
    ) -> Result<client::TlsStream<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let stream = connect(&self.connector(), server.clone(), stream).await?;
        let connection = stream.get_ref().1;
        let resumed = connection.handshake_kind() == Some(HandshakeKind::Resumed);
        if let (true, Some([end_entity, rest @ ..])) = (resumed, connection.peer_certificates()) {
            let current = self.credentials.current();
            let now = UnixTime::now();
            let verifier = &current.verifier;
            verifier.verify_server(self.dialled, end_entity, rest, &server, now)?;
        }
        Ok(stream)
    }
}

fn believed(credentials: &Arc<Credentials>, dialled: Dialled) -> Arc<Believed> {
    Arc::new(Believed {
        credentials: Arc::clone(credentials),
        mandatory: true,
        dialled,
    })
}

fn resumption(credentials: &Arc<Credentials>) -> Resumption {
    Resumption::store(Arc::new(Sessions::dialled(Arc::clone(credentials))))
}

impl fmt::Debug for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerConfig")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}
