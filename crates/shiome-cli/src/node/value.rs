//! What settings can be set to. Each is read from text and from TOML by the same rule, and says it when it is broken.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, de};
use shiome::transport::Address;

/// A whole number from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Whole<const MIN: i64, const MAX: i64>(i64);

impl<const MIN: i64, const MAX: i64> Whole<MIN, MAX> {
    /// The number, in a type that has room for `MIN` to `MAX`.
    pub(super) fn get<T: TryFrom<i64>>(self) -> T {
        let number = T::try_from(self.0).ok();
        number.expect("the type has room for all numbers of the setting")
    }

    fn new(number: i64) -> Result<Self, String> {
        match number {
            number if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(format!("{number} is not a {}", Self::rule())),
        }
    }

    fn rule() -> String {
        format!("whole number from {MIN} to {MAX}")
    }
}

impl<const MIN: i64, const MAX: i64> FromStr for Whole<MIN, MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse::<i64>();
        Self::new(number.map_err(|_| format!("`{text}` is not a {}", Self::rule()))?)
    }
}

impl<'de, const MIN: i64, const MAX: i64> Deserialize<'de> for Whole<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<const MIN: i64, const MAX: i64>;

        impl<const MIN: i64, const MAX: i64> de::Visitor<'_> for Visitor<MIN, MAX> {
            type Value = Whole<MIN, MAX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a {}", Whole::<MIN, MAX>::rule())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
                Whole::new(number).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
                self.visit_i64(i64::try_from(number).unwrap_or(i64::MAX))
            }
        }

        deserializer.deserialize_i64(Visitor)
    }
}

macro_rules! text_value {
    ($($(#[$doc:meta])* $name:ident: $check:expr, $rule:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub(super) struct $name(String);

        impl $name {
            pub(super) fn as_str(&self) -> &str {
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
    NodeAddress: is_node_address, "name@host:port";
    /// Where peers of the bus are taken.
    BusAddress: is_bus_address, "ws://IP:PORT/PATH with an IP address of this host alone";
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

/// Where operators reach a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum AdminAddress {
    /// Nowhere.
    Off,
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl FromStr for AdminAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tcp = || text.strip_prefix("tcp://")?.parse().ok().map(Self::Tcp);
        let unix = || {
            let path = Path::new(text.strip_prefix("unix:")?);
            path.is_absolute().then(|| Self::Unix(path.to_owned()))
        };
        let off = (text == "off").then_some(Self::Off);
        off.or_else(tcp)
            .or_else(unix)
            .ok_or_else(|| format!("`{text}` is not of the form unix:/PATH, tcp://IP:PORT or off"))
    }
}

impl TryFrom<String> for AdminAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AdminAddress> for String {
    fn from(address: AdminAddress) -> Self {
        match address {
            AdminAddress::Off => "off".to_owned(),
            AdminAddress::Unix(path) => format!("unix:{}", path.display()),
            AdminAddress::Tcp(addr) => format!("tcp://{addr}"),
        }
    }
}

impl NodeAddress {
    pub(super) fn host_and_port(&self) -> Option<(&str, u16)> {
        split(self.as_str().split_once('@')?.1)
    }
}

fn is_node_address(text: &str) -> bool {
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
    fn numbers_keep_to_their_bounds() {
        type Small = Whole<1, 9>;
        assert_eq!("9".parse::<Small>().unwrap().get::<u8>(), 9);
        for (wrong, told) in [
            ("0", "0 is not a whole number from 1 to 9"),
            ("-1", "-1 is not a whole number from 1 to 9"),
            ("4294967297", "4294967297 is not a whole number from 1 to 9"),
            ("x", "`x` is not a whole number from 1 to 9"),
        ] {
            assert_eq!(wrong.parse::<Small>().unwrap_err(), told);
        }
        let negative = "-65536".parse::<Whole<-65_535, 0>>().unwrap_err();
        assert_eq!(negative, "-65536 is not a whole number from -65535 to 0");
    }

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
    fn operators_come_by_a_socket_or_by_tcp_or_not_at_all() {
        for right in [
            "off",
            "unix:/run/x.sock",
            "tcp://127.0.0.1:0",
            "tcp://[::1]:9",
        ] {
            let address: AdminAddress = right.parse().unwrap();
            assert_eq!(String::from(address), right);
        }
        for wrong in [
            "",
            "on",
            "unix:x",
            "unix:",
            "tcp://h:1",
            "127.0.0.1:1",
            "http://127.0.0.1:1",
        ] {
            assert!(wrong.parse::<AdminAddress>().is_err(), "{wrong}");
        }
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
        for wrong in ["", "a", "a@h", "a@h:", "a@:1", "@h:1", "a@h:65536", "h:1"] {
            let error = wrong.parse::<NodeAddress>().unwrap_err();
            assert_eq!(
                error,
                format!("`{wrong}` is not of the form name@host:port")
            );
        }
    }
}
