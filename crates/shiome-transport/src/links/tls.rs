//! `tls://host:port`

use tokio_rustls::{TlsAcceptor, TlsConnector, rustls::pki_types::ServerName};

use super::{Links, Scheme, tcp};
use crate::{
    address::Address,
    connector::{BoxFuture, Connector},
    error::TransportError,
    link::{Link, Security},
    listener::{Accepted, Bind, Listener},
    tls,
};

impl Links {
    /// Dials `tls` with `connector`: a server must prove to be the host of its address. Listens on `tls` with `acceptor`.
    /// What is `None` cannot be done.
    pub fn with_tls(self, connector: Option<TlsConnector>, acceptor: Option<TlsAcceptor>) -> Self {
        let mut scheme = Scheme::new(Security::Tls);
        if let Some(connector) = connector {
            scheme = scheme.with_connector(Dials(connector));
        }
        if let Some(acceptor) = acceptor {
            scheme = scheme.with_bind(Listens(acceptor));
        }
        self.with_scheme("tls", scheme)
    }
}

struct Dials(TlsConnector);

impl Connector for Dials {
    fn dial<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, Result<Link, TransportError>> {
        Box::pin(async {
            let host = address.host().unwrap_or_default().to_owned();
            let server = ServerName::try_from(host)
                .map_err(|error| TransportError::Tls(std::io::Error::other(error)))?;
            let stream = tcp::dial(address).await?;
            let labels = labels(&stream).map_err(TransportError::Lost)?;
            let stream = tls::connect(&self.0, server, stream)
                .await
                .map_err(TransportError::Tls)?;
            let (peer, local) = labels;
            Ok(tls::dialled(stream, peer, local))
        })
    }
}

struct Listens(TlsAcceptor);

impl Bind for Listens {
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>> {
        Box::pin(async {
            let listener: Box<dyn Listener> = Box::new(TlsListener {
                sockets: tcp::Sockets::listen(address).await?,
                acceptor: self.0.clone(),
            });
            Ok(listener)
        })
    }
}

struct TlsListener {
    sockets: tcp::Sockets,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    fn local(&self) -> &Address {
        &self.sockets.local
    }

    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>> {
        Box::pin(async {
            let (stream, peer) = self.sockets.accept().await?;
            let acceptor = self.acceptor.clone();
            Ok(Accepted::new(peer.into(), async move {
                stream.set_nodelay(true).map_err(TransportError::Lost)?;
                let (peer, local) = labels(&stream).map_err(TransportError::Lost)?;
                let stream = tls::accept(&acceptor, stream)
                    .await
                    .map_err(TransportError::Tls)?;
                Ok(tls::accepted(stream, peer, local))
            }))
        })
    }
}

fn labels(stream: &tokio::net::TcpStream) -> std::io::Result<(String, String)> {
    Ok((
        stream.peer_addr()?.to_string(),
        stream.local_addr()?.to_string(),
    ))
}
