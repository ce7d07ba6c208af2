use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use crate::{address::Address, connector::BoxFuture, error::TransportError, link::Link};

/// Begins to listen at the addresses of one scheme.
pub trait Bind: Send + Sync {
    /// Listens at `address`, until the listener is dropped.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; those of the operating system are [`TransportError::Listen`].
    fn listen<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<Box<dyn Listener>, TransportError>>;
}

/// Where links to one address arrive.
pub trait Listener: Send {
    /// Where it listens, with the port that was given for port 0.
    fn local(&self) -> &Address;

    /// The next connection. It waits for no peer: what a peer has to say before there is a link is heard in
    /// [`Accepted::establish`]. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`TransportError::Accept`]. Where it is for want of files or memory the next call may succeed, after a pause.
    fn accept(&mut self) -> BoxFuture<'_, Result<Accepted, TransportError>>;
}

/// Who has connected, not proven.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remote {
    /// For logs and events.
    pub label: String,
    /// Its IP address, to count connections by; `None` where there is none.
    pub ip: Option<IpAddr>,
}

impl Remote {
    /// A remote without an IP address.
    pub fn labelled(label: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            ip: None,
        }
    }
}

impl From<SocketAddr> for Remote {
    fn from(addr: SocketAddr) -> Self {
        Self {
            label: addr.to_string(),
            ip: Some(addr.ip().to_canonical()),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label)
    }
}

/// A connection on which there is no link yet.
pub struct Accepted {
    remote: Remote,
    establish: BoxFuture<'static, Result<Link, TransportError>>,
}

impl Accepted {
    /// A connection from `remote` that will be a link when the future says so.
    pub fn new(
        remote: Remote,
        establish: impl Future<Output = Result<Link, TransportError>> + Send + 'static,
    ) -> Self {
        Self {
            remote,
            establish: Box::pin(establish),
        }
    }

    /// Who has connected.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Makes it a link, which takes a TLS handshake or the like: for a task of its own, within
    /// [`ESTABLISH_TIMEOUT`](crate::ESTABLISH_TIMEOUT), or as its scheme
    /// [says](crate::Scheme::with_establish_timeout). Dropped, it closes the connection.
    ///
    /// # Errors
    ///
    /// [`TransportError`]; the connection is closed.
    pub async fn establish(self) -> Result<Link, TransportError> {
        self.establish.await
    }

    /// Goes on with the link once it is there.
    #[cfg(feature = "websocket")]
    pub(crate) fn and_then<F>(self, next: impl FnOnce(Link) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<Link, TransportError>> + Send + 'static,
    {
        Self::new(self.remote, async { next(self.establish.await?).await })
    }
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted")
            .field("remote", &self.remote)
            .finish_non_exhaustive()
    }
}
