//! Names and addresses that stay text.

use std::{net::SocketAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use shiome::{handshake::MAX_NAME_LEN, transport::Address};

macro_rules! text_value {
    ($($(#[$doc:meta])* $name:ident: $check:expr, $rule:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub(crate) struct $name(String);

        impl $name {
            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                text.to_owned().try_into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(format!("`{text}` is not of the form {}", $rule))
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )*};
}

text_value! {
    /// What a node is called, and where it is dialled. Port 0 takes any free port.
    NodeAddress: is_node_address, "name@host:port, without white space and of 255 bytes at most";
    /// Where peers of the bus are taken.
    BusAddress: is_bus_address, "ws://IP:PORT/PATH with an IP address of this host alone";
    /// A site whose pages are taken: an origin as browsers write it.
    Site: is_site, "https://HOST or https://HOST:PORT, in small letters and with nothing behind it";
    /// Where spans go.
    Collector: is_collector, "http://HOST:PORT or http://HOST:PORT/PATH";
    /// Where gossip is asked for.
    HostPort: is_host_port, "HOST:PORT";
    /// Where a node is dialled, over any kind of link.
    Dialled: |text| is_address(text, is_dialled),
        "HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or unix:/PATH";
    /// Where a node listens, over any kind of link. Port 0 takes any free port.
    Listened: |text| is_address(text, |_| true),
        "HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or unix:/PATH";
}

impl NodeAddress {
    pub(in crate::node) fn host_and_port(&self) -> Option<(&str, u16)> {
        split(self.as_str().split_once('@')?.1)
    }
}

/// What others print in lines and tables, and take in the handshake.
fn is_node_address(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c.is_whitespace();
    if text.len() > MAX_NAME_LEN || text.contains(odd) {
        return false;
    }
    text.split_once('@').is_some_and(|(name, host_port)| {
        !name.is_empty() && split(host_port).is_some_and(|(host, _)| !host.is_empty())
    })
}

/// Beyond this host, `ws` would show the network what passes.
fn is_bus_address(text: &str) -> bool {
    let rest = text.strip_prefix("ws://");
    let addr = rest.and_then(|rest| rest.split_once('/')?.0.parse::<SocketAddr>().ok());
    addr.is_some_and(|addr| addr.ip().is_loopback())
}

/// Accepts what the header `Origin` of a request can be (RFC 6454 §6.2).
fn is_site(text: &str) -> bool {
    let host = text
        .split_once("://")
        .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
        .map(|(_, host)| host);
    let odd = |c: char| c.is_ascii_uppercase() || !c.is_ascii_graphic() || "/?#@*".contains(c);
    host.is_some_and(|host| !host.is_empty() && !host.contains(odd))
}

/// A collector that is reached over TLS is behind one on this host.
fn is_collector(text: &str) -> bool {
    text.parse::<hyper::Uri>().is_ok_and(|url| {
        url.scheme_str() == Some("http") && url.host().is_some_and(|host| !host.is_empty())
    })
}

/// Accepts what can be asked, if somebody is there.
fn is_host_port(text: &str) -> bool {
    split(text).is_some_and(|(host, port)| !host.is_empty() && port != 0)
}

fn split(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    Some((host, port.parse().ok()?))
}

/// Schemes that the binary has links of.
const SCHEMES: [&str; 5] = ["tcp", "tls", "ws", "wss", "unix"];

fn is_address(text: &str, check: fn(&Address) -> bool) -> bool {
    let address = text.parse::<Address>();
    address.is_ok_and(|address| SCHEMES.contains(&address.scheme()) && check(&address))
}

fn is_dialled(address: &Address) -> bool {
    address.port() != Some(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_host_and_port() {
        for right in ["h:1", "127.0.0.1:4697", "[::1]:65535"] {
            assert_eq!(right.parse::<HostPort>().unwrap().as_str(), right);
        }
        for wrong in ["", "h", "h:", ":1", "h:0", "h:65536", "h:x"] {
            assert!(wrong.parse::<HostPort>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_peer_is_dialled_over_any_link_and_a_port_of_0_only_listened_at() {
        for right in [
            "h:1",
            "tcp://h:1",
            "tls://h:1",
            "wss://h:1/x",
            "unix:/run/x",
        ] {
            assert!(right.parse::<Dialled>().is_ok(), "{right}");
            assert!(right.parse::<Listened>().is_ok(), "{right}");
        }
        for wrong in ["", "nowhere", "mem:x", "smoke://h:1", "unix:x", "tcp://h"] {
            assert!(wrong.parse::<Dialled>().is_err(), "{wrong}");
            assert!(wrong.parse::<Listened>().is_err(), "{wrong}");
        }
        assert!("tcp://h:0".parse::<Dialled>().is_err());
        assert!("tcp://h:0".parse::<Listened>().is_ok());
    }

    #[test]
    fn peers_of_the_bus_come_from_this_host() {
        for right in ["ws://127.0.0.1:0/bus", "ws://[::1]:8480/"] {
            assert!(right.parse::<BusAddress>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            "ws://127.0.0.1:1",
            "wss://127.0.0.1:1/",
            "ws://10.0.0.1:1/",
            "ws://h:1/",
        ] {
            assert!(wrong.parse::<BusAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_collector_is_reached_over_http() {
        for right in ["http://127.0.0.1:4318", "http://h", "http://[::1]:1/otlp"] {
            assert!(right.parse::<Collector>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            "h:4318",
            "https://h:4318",
            "grpc://h:4317",
            "http://",
            "/v1",
        ] {
            assert!(wrong.parse::<Collector>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_node_has_a_name_a_host_and_a_port() {
        for right in ["a@h:1", "a@[::1]:0"] {
            assert!(right.parse::<NodeAddress>().is_ok(), "{right}");
        }
        let longest = format!("{}@h:1", "x".repeat(MAX_NAME_LEN - 4));
        assert!(longest.parse::<NodeAddress>().is_ok());
        for wrong in [
            "",
            "a",
            "a@h",
            "a@h:",
            "a@:1",
            "@h:1",
            "a@h:65536",
            "h:1",
            "a b@h:1",
            "a\n@h:1",
            "a\u{1b}[2J@h:1",
            &format!("x{longest}"),
        ] {
            let error = wrong.parse::<NodeAddress>().unwrap_err();
            let told = format!("`{wrong}` is not of the form name@host:port, ");
            assert!(error.starts_with(&told), "{error}");
        }
    }

    #[test]
    fn a_site_is_written_as_browsers_write_it() {
        for right in [
            "https://example.org",
            "http://localhost:8080",
            "https://[::1]:1",
        ] {
            assert!(right.parse::<Site>().is_ok(), "{right}");
        }
        for wrong in [
            "",
            "example.org",
            "https://",
            "https://example.org/",
            "https://Example.org",
            "HTTPS://example.org",
            "https://*.example.org",
            "null",
        ] {
            assert!(wrong.parse::<Site>().is_err(), "{wrong}");
        }
    }
}
