use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use shiome_transport::{Address, Link, Links, Policy, TransportError};
use tokio_rustls::TlsConnector;
use tracing::{Instrument, debug, warn};

use super::{
    reach::Reach,
    strangers::{self, Warnings},
};
use crate::{outcome::Chain, stream::with_websocket, trace};

/// Schemes that a peer may lead this node to, under its policy. Sockets of the own host, and whatever the program has
/// registered, are not for others to open.
const SCHEMES_OF_PEERS: [&str; 4] = ["tcp", "tls", "ws", "wss"];

/// Makes the connections that the node dials by itself, all under the node's one policy.
///
/// A node that accepts TLS only dials TLS only: what peers tell of other nodes must not lead it onto a plain link.
#[derive(Debug)]
pub(crate) struct Dialer {
    links: RwLock<Arc<Links>>,
    /// Whether the links are as they are: nobody may take the binding of names away.
    is_fixed: bool,
    not_reached: Mutex<Warnings>,
}

impl Dialer {
    /// Dials by these links, whatever [`use_connector`](Self::use_connector) is told.
    pub(crate) fn fixed(links: Links) -> Self {
        Self {
            links: RwLock::new(Arc::new(links)),
            is_fixed: true,
            not_reached: Mutex::default(),
        }
    }

    /// Dials by these links until [`use_connector`](Self::use_connector) is told others.
    pub(crate) fn new(links: Links) -> Self {
        Self {
            is_fixed: false,
            ..Self::fixed(links)
        }
    }

    /// Dials with this connector from now on, and never without TLS again.
    pub(crate) fn use_connector(&self, connector: TlsConnector) {
        if self.is_fixed {
            return;
        }
        let mut links = self.links.write().unwrap_or_else(PoisonError::into_inner);
        *links = Arc::new(encrypted(Links::clone(&links), connector));
    }

    /// Reads an address; one without a scheme has the one that the policy says.
    pub(crate) fn address(&self, text: &str) -> Result<Address, TransportError> {
        self.links().address(text)
    }

    /// Reads an address to be dialled again and again; `None` when no dial of it can ever succeed.
    pub(crate) fn address_to_keep(&self, text: &str) -> Option<Address> {
        let links = self.links();
        let address = links.address(text).ok()?;
        (address.port() != Some(0) && links.has_scheme(address.scheme())).then_some(address)
    }

    /// Reads an address that a peer of this reach has told; `None` when that is not to be dialled.
    pub(crate) fn address_of_peer(&self, text: &str, reach: Reach) -> Option<Address> {
        let address = self.address(text).ok()?;
        let leads_to_a_node = SCHEMES_OF_PEERS.contains(&address.scheme())
            && reach.may_include(&address)
            // What a web server does with it is not for a peer to say.
            && !address.path().contains('?');
        leads_to_a_node.then_some(address)
    }

    /// Tells of a node that a peer has told of and that cannot be reached. Peers can tell of as many as they like.
    pub(crate) fn not_reached(&self, name: &str, address: &str, error: &dyn Error) {
        let error = Chain(error);
        debug!(name, address, %error, "peer of a peer cannot be reached");
        if let Some(count) = strangers::count(&self.not_reached) {
            warn!(name, address, %error, count, "peers of peers cannot be reached, the last of them this one");
        }
    }

    /// Whether two texts are addresses of one place.
    pub(crate) fn is_same(&self, one: &str, other: &str) -> bool {
        if one == other {
            return true;
        }
        let (Ok(one), Ok(other)) = (self.address(one), self.address(other)) else {
            return false;
        };
        one == other || is_socket(&one) && is_socket(&other) && socket(&one) == socket(&other)
    }

    /// How long a dial may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.links().dial_timeout()
    }

    /// Opens a link.
    pub(crate) async fn dial(&self, address: &Address) -> Result<Link, TransportError> {
        let span = trace::dial(address);
        let dialled = self.links().dial(address).instrument(span.clone()).await;
        dialled.inspect_err(|error| trace::failed(&span, "no_link", &Chain(error)))
    }

    fn links(&self) -> Arc<Links> {
        Arc::clone(&self.links.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The same links, but that TLS is dialled with this connector and nothing else is.
pub(crate) fn encrypted(links: Links, connector: TlsConnector) -> Links {
    let links = links.with_policy(Policy::Encrypted);
    with_websocket(links.with_tls_streams(Some(connector), None))
}

/// Whether a node is reached there at its socket.
pub(crate) fn is_socket(address: &Address) -> bool {
    matches!(address.scheme(), "tcp" | "tls")
}

fn socket(address: &Address) -> (Option<&str>, Option<u16>) {
    (address.host(), address.port())
}

#[cfg(test)]
mod tests {
    use shiome_transport::Security;

    use super::*;

    #[test]
    fn a_peer_leads_to_the_network_only() {
        let dialer = Dialer::new(Links::new(Policy::Any));
        let link = Link::from_stream(tokio::io::empty(), "", "", Security::Plain);
        let of_peer = |text| dialer.address_of_peer(text, Reach::of(&link));
        for text in ["h:1", "tls://h:1", "ws://h:1/path", "wss://h:1"] {
            assert!(of_peer(text).is_some(), "{text}");
        }
        for text in ["unix:/run/docker.sock", "mem:a", "pipe:a", "h", "h:x", ""] {
            assert!(of_peer(text).is_none(), "{text}");
        }
        for text in [
            "169.254.169.254:80",
            "ws://127.0.0.1:80/",
            "ws://h:1/stop?now",
        ] {
            assert!(of_peer(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_kept_can_be_dialled() {
        let dialer = Dialer::new(Links::new(Policy::Any));
        for right in ["h:1", "127.0.0.1:4697", "[::1]:65535", "tcp://h:1"] {
            assert!(dialer.address_to_keep(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "h",
            "h:",
            ":1",
            "h:0",
            "h:65536",
            "h:x",
            "tcp://h:0",
            "unix:a",
            "pipe:a",
        ] {
            assert!(dialer.address_to_keep(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_scheme_of_an_address_is_that_of_the_policy() {
        let of = |policy| {
            let dialer = Dialer::new(Links::new(policy));
            dialer.address("h:1").unwrap().scheme().to_owned()
        };
        assert_eq!(of(Policy::Any), "tcp");
        assert_eq!(of(Policy::Encrypted), "tls");
    }

    #[test]
    fn one_place_has_many_spellings() {
        let dialer = Dialer::new(Links::new(Policy::Any));
        for (one, other, same) in [
            ("h:1", "H:1", true),
            ("h:1", "tcp://h:1", true),
            ("h:1", "tls://h:1", true),
            ("h:1", "h:2", false),
            ("h:1", "ws://h:1", false),
            ("ws://h:1", "ws://h:1/", true),
            ("ws://h:1/a", "ws://h:1/b", false),
            ("no address", "no address", true),
            ("no address", "another", false),
        ] {
            assert_eq!(dialer.is_same(one, other), same, "{one} {other}");
        }
    }
}
