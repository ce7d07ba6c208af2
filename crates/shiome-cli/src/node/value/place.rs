//! Where a node is reached by those who are no nodes.

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

macro_rules! number_value {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $rule:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub(in crate::node) struct $name(pub(in crate::node) $type);

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let read = text.parse().map(Self);
                read.map_err(|_| format!("`{text}` is not of the form {}", $rule))
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0.to_string()
            }
        }
    )*};
}

number_value! {
    /// An address of this host, without a port.
    Ip: IpAddr, "IP, such as 10.0.0.1 or ::1";
    /// An address of this host with a port. Port 0 takes any free one.
    Socket: SocketAddr, "IP:PORT, such as 127.0.0.1:9464 or [::1]:9464";
}

/// Where operators reach a node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::node) enum AdminAddress {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn an_address_is_told_with_what_is_accepted() {
        assert_eq!(
            String::from("[::1]:9".parse::<Socket>().unwrap()),
            "[::1]:9"
        );
        let error = "here:9".parse::<Socket>().unwrap_err();
        assert!(error.starts_with("`here:9` is not of the form IP:PORT"));
        assert!("10.0.0.1".parse::<Ip>().is_ok());
        let error = "10.0.0.1:9".parse::<Ip>().unwrap_err();
        assert!(error.starts_with("`10.0.0.1:9` is not of the form IP,"));
    }
}
