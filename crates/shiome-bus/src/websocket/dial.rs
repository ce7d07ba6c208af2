//! Addresses of WebSockets, and connections to them.

use shiome_transport::{
    Address, Link as Stream, Links, TransportError, websocket::request_upgrade,
};

use super::SUBPROTOCOL;

/// An address such as `wss://host:port/path`, and what the WebSocket runs on there.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    below: Address,
    authority: String,
    path: String,
    scheme: &'static str,
}

impl Target {
    /// Reads an address. `ws` runs on `tcp`, `wss` on `tls`.
    pub(crate) fn new(links: &Links, text: &str) -> Result<Self, TransportError> {
        let address = links.address(text)?;
        let (scheme, below) = match address.scheme() {
            "ws" => ("ws", "tcp"),
            "wss" => ("wss", "tls"),
            other => {
                return Err(TransportError::UnknownScheme {
                    scheme: other.to_owned(),
                });
            }
        };
        let (host, port) = (address.host().unwrap_or_default(), address.port());
        let below = Address::socket(below, host, port.unwrap_or_default())?;
        Ok(Self {
            authority: authority(&below),
            below,
            path: address.path().to_owned(),
            scheme,
        })
    }

    pub(crate) fn below(&self) -> &Address {
        &self.below
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The same address, where what runs below is at `below`.
    pub(crate) fn at(&self, below: &Address) -> String {
        format!("{}://{}{}", self.scheme, authority(below), self.path)
    }

    /// Opens a connection and a WebSocket on it, whose frames are still to be read.
    pub(crate) async fn dial(&self, links: &Links) -> Result<Stream, TransportError> {
        let stream = links.dial(&self.below).await?;
        Ok(request_upgrade(stream, &self.authority, &self.path, SUBPROTOCOL).await?)
    }
}

/// `host:port`.
fn authority(address: &Address) -> String {
    let text = address.to_string();
    let (_, authority) = text.split_once("://").unwrap_or(("", &text));
    authority.to_owned()
}
