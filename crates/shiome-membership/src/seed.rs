use std::{convert::Infallible, fmt, net::SocketAddr, str::FromStr};

use thiserror::Error;

/// A node to ask for admission: `host:port`, where the host is an address or a name.
///
/// A name stands for all addresses that it resolves to, and is resolved again and again.
///
/// ```
/// use shiome_membership::Seed;
///
/// for seed in ["10.0.0.1:7946", "[2001:db8::1]:7946", "gossip.example.org:7946"] {
///     assert_eq!(seed.parse::<Seed>()?.to_string(), seed);
/// }
/// # Ok::<(), shiome_membership::SeedError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seed(pub(crate) Host);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Addr(SocketAddr),
    Name(String, u16),
}

/// The text is no `host:port`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is no host:port")]
pub struct SeedError(String);

/// Longest name of a host, in bytes (RFC 1035 §2.3.4).
const MAX_NAME_LEN: usize = 255;

impl FromStr for Seed {
    type Err = SeedError;

    fn from_str(text: &str) -> Result<Self, SeedError> {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            return Ok(addr.into());
        }
        let split = || {
            let (name, port) = text.rsplit_once(':')?;
            // What has a colon is an address without brackets.
            let is_name =
                !name.is_empty() && name.len() <= MAX_NAME_LEN && !name.contains([':', '[', ' ']);
            let port = port.parse().ok().filter(|port| *port != 0)?;
            is_name.then(|| Host::Name(name.to_owned(), port))
        };
        split().map(Self).ok_or_else(|| SeedError(text.to_owned()))
    }
}

impl TryFrom<&str> for Seed {
    type Error = SeedError;

    fn try_from(text: &str) -> Result<Self, SeedError> {
        text.parse()
    }
}

impl TryFrom<String> for Seed {
    type Error = SeedError;

    fn try_from(text: String) -> Result<Self, SeedError> {
        text.parse()
    }
}

impl From<SocketAddr> for Seed {
    fn from(addr: SocketAddr) -> Self {
        Self(Host::Addr(addr))
    }
}

impl From<Infallible> for SeedError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Host::Addr(addr) => addr.fmt(f),
            Host::Name(name, port) => write!(f, "{name}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_told_apart() {
        let addr: SocketAddr = "[::1]:7946".parse().unwrap();
        assert_eq!("[::1]:7946".parse(), Ok(Seed::from(addr)));
        let name = Seed(Host::Name("seeds.example.org".to_owned(), 7946));
        assert_eq!("seeds.example.org:7946".parse(), Ok(name));
    }

    #[test]
    fn what_is_no_seed_is_named() {
        let long = format!("{}:1", "x".repeat(256));
        for wrong in [
            "",
            "host",
            "host:",
            ":1",
            "host:0",
            "host:70000",
            "::1:7946",
            "a b:1",
            &long,
        ] {
            assert_eq!(wrong.parse::<Seed>(), Err(SeedError(wrong.to_owned())));
        }
    }
}
