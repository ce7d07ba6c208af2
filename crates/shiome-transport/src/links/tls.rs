//! `tls://host:port`

use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::pki_types::ServerName};

use super::{Links, Scheme, tcp};
use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::{Link, Security, SocketAddrs},
    listener::{Accepted, Bind, Listener},
    tls::{self, Alpn, ClientConfig, ServerConfig, TlsError},
};

impl Links {
    /// Listens on `tls` as `server` says, and dials as `client` does: a node must prove to be the host of its address, and
    /// may speak only as a node that its certificate is for (see [`Link::identity`]). What is `None` cannot be done. `wss`
    /// is protected in the same way.
    pub fn with_tls(self, server: Option<ServerConfig>, client: Option<ClientConfig>) -> Self {
        let of = |alpn| {
            let acceptor = server.as_ref().map(|server| server.with_alpn(alpn));
            let connector = client.as_ref().map(|client| client.with_alpn(alpn));
            scheme(connector.map(Dials::Node), acceptor.map(Listens::Node))
        };
        let (cluster, web) = (of(Alpn::Cluster), of(Alpn::Http));
        self.with_scheme("tls", cluster).with_web_tls(web)
    }

    /// Listens on `tls` with any acceptor, and dials with any connector: a server must prove to be the host of its address.
    /// What node speaks there nobody asks, as in `ractor_cluster`. What is `None` cannot be done. `wss` is protected in the
    /// same way.
    pub fn with_tls_streams(
        self,
        connector: Option<TlsConnector>,
        acceptor: Option<TlsAcceptor>,
    ) -> Self {
        let scheme = scheme(connector.map(Dials::Any), acceptor.map(Listens::Any));
        self.with_scheme("tls", scheme.clone()).with_web_tls(scheme)
    }
}

fn scheme(dials: Option<Dials>, listens: Option<Listens>) -> Scheme {
    let mut scheme = Scheme::new(Security::Tls);
    if let Some(dials) = dials {
        scheme = scheme.with_connector(dials);
    }
    if let Some(listens) = listens {
        scheme = scheme.with_bind(listens);
    }
    scheme
}

/// How servers are dialled.
enum Dials {
    Node(ClientConfig),
    Any(TlsConnector),
}

impl Connector for Dials {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let server = server_name(address)?;
            let stream = tcp::dial(address).await?;
            let addrs = addrs(&stream)?;
            let (peer, local) = (addrs.peer.to_string(), addrs.local.to_string());
            let link = match self {
                Self::Node(config) => {
                    let stream = config.connect(server, stream).await?;
                    config.link(stream, peer, local)
                }
                Self::Any(connector) => {
                    let stream = tls::connect(connector, server, stream).await;
                    tls::dialled(stream.map_err(TlsError::from)?, peer, local)
                }
            };
            Ok(link.between(Some(addrs)))
        })
    }
}

/// How clients are accepted.
#[derive(Clone)]
enum Listens {
    Node(ServerConfig),
    Any(TlsAcceptor),
}

impl Listens {
    async fn accept(&self, stream: tokio::net::TcpStream) -> Result<Link, TransportError> {
        stream.set_nodelay(true).map_err(TransportError::Lost)?;
        let addrs = addrs(&stream)?;
        let (peer, local) = (addrs.peer.to_string(), addrs.local.to_string());
        let link = match self {
            Self::Node(config) => config.link(config.accept(stream).await?, peer, local),
            Self::Any(acceptor) => {
                let stream = tls::accept(acceptor, stream).await;
                tls::accepted(stream.map_err(TlsError::from)?, peer, local)
            }
        };
        Ok(link.between(Some(addrs)))
    }
}

impl Bind for Listens {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let listener: Box<dyn Listener> = Box::new(TlsListener {
                sockets: tcp::Sockets::listen(address).await?,
                listens: self.clone(),
            });
            Ok(listener)
        })
    }
}

struct TlsListener {
    sockets: tcp::Sockets,
    listens: Listens,
}

impl Listener for TlsListener {
    fn local(&self) -> &Address {
        &self.sockets.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let (stream, peer) = self.sockets.accept().await?;
            let listens = self.listens.clone();
            Ok(Accepted::new(peer.into(), async move {
                listens.accept(stream).await
            }))
        })
    }
}

fn addrs(stream: &tokio::net::TcpStream) -> Result<SocketAddrs, TransportError> {
    SocketAddrs::of(stream)
        .ok_or_else(|| TransportError::Lost(std::io::ErrorKind::NotConnected.into()))
}

/// What the server has to prove to be.
fn server_name(address: &Address) -> Result<ServerName<'static>, TransportError> {
    let host = address.host().unwrap_or_default().to_owned();
    ServerName::try_from(host).map_err(|error| {
        let error = std::io::Error::new(std::io::ErrorKind::InvalidInput, error);
        TransportError::Connect(error)
    })
}
