use std::{
    io,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use shiome_transport::{tcp, tls};
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, rustls::pki_types::ServerName};

use super::client;
use crate::{IncomingEncryptionMode, NetworkStream};

/// Time for a connection that the node dials by itself, name resolution included.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes the connections that the node dials by itself, all under the node's one policy.
///
/// A node that accepts TLS only dials TLS only: what peers tell of other nodes must not lead it onto a plain link.
#[derive(Debug)]
pub(crate) struct Dialer(Mutex<Policy>);

enum Policy {
    Plain,
    Tls(TlsConnector),
    /// TLS is demanded, but nobody has said yet how to verify a server.
    TlsUnconfigured,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Plain => "Plain",
            Self::Tls(_) => "Tls",
            Self::TlsUnconfigured => "TlsUnconfigured",
        })
    }
}

impl Dialer {
    /// The policy that fits what the node accepts.
    pub(crate) fn new(incoming: &IncomingEncryptionMode) -> Self {
        Self(Mutex::new(match incoming {
            IncomingEncryptionMode::Raw => Policy::Plain,
            IncomingEncryptionMode::Tls(_) => Policy::TlsUnconfigured,
        }))
    }

    /// Dials with this connector from now on, and never without TLS again.
    pub(crate) fn use_connector(&self, connector: TlsConnector) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Policy::Tls(connector);
    }

    /// Connects to `address`, `host:port`.
    pub(crate) async fn dial(&self, address: &str) -> io::Result<NetworkStream> {
        let connector = match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Policy::Plain => None,
            Policy::Tls(connector) => Some(connector.clone()),
            Policy::TlsUnconfigured => {
                return Err(io::Error::other(
                    "this node demands TLS and has no connector to dial with",
                ));
            }
        };
        timeout(DIAL_TIMEOUT, dial(address, connector))
            .await
            .map_err(io::Error::from)?
    }
}

async fn dial(address: &str, connector: Option<TlsConnector>) -> io::Result<NetworkStream> {
    let stream = tcp::dial(address).await?;
    let Some(connector) = connector else {
        return client::raw(stream);
    };
    let (peer_addr, local_addr) = (stream.peer_addr()?, stream.local_addr()?);
    let stream = tls::connect(&connector, server_name(address)?, stream).await?;
    Ok(NetworkStream::TlsClient {
        peer_addr,
        local_addr,
        stream,
    })
}

/// The host of `host:port`, without the brackets of an IPv6 address.
fn server_name(address: &str) -> io::Result<ServerName<'static>> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(host.to_owned()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_name_is_the_host_of_the_address() {
        for (address, host) in [
            ("node.example:4697", "node.example"),
            ("127.0.0.1:4697", "127.0.0.1"),
            ("[::1]:4697", "::1"),
        ] {
            assert_eq!(
                server_name(address).unwrap(),
                ServerName::try_from(host).unwrap()
            );
        }
        assert!(server_name("not a host:1").is_err());
    }
}
