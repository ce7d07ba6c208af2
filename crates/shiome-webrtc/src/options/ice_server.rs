//! Servers that tell and lend addresses.

use std::fmt;

/// A STUN or TURN server.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) credentials: Option<(String, String)>,
}

/// How a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Udp,
    Tcp,
    Tls,
}

/// What is no ICE server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IceServerError {
    /// It is no `stun:` over UDP, `turn:` over UDP or TCP, or `turns:` over TCP.
    #[error("not a server that can be asked: {0}")]
    Scheme(String),
    /// No host, or no port where one is said.
    #[error("not host or host:port: {0}")]
    Address(String),
    /// A TURN server without a name and password.
    #[error("a TURN server wants a name and a password")]
    Credentials,
}

/// Ports of STUN and TURN (RFC 8489 §18.6), and of those over TLS.
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

impl IceServer {
    /// A server that tells us our address: `stun:host`, `stun:host:port`.
    ///
    /// # Errors
    ///
    /// When it is no such address.
    pub fn stun(url: &str) -> Result<Self, IceServerError> {
        let rest = url.strip_prefix("stun:");
        let rest = rest.ok_or_else(|| IceServerError::Scheme(url.to_owned()))?;
        let (place, transport) = split_transport(rest);
        if !matches!(transport, None | Some("udp")) {
            return Err(IceServerError::Scheme(url.to_owned()));
        }
        Self::at(url, place, Protocol::Udp)
    }

    /// A server that lends us an address: `turn:host`, `turn:host:port`, with what it asks for. With `?transport=tcp` it is reached
    /// over TCP, and as `turns:host` over TLS, for networks that let nothing else out; see
    /// [`RtcOptions::turn_links`](crate::RtcOptions::turn_links).
    ///
    /// # Errors
    ///
    /// When it is no such address (RFC 7065).
    pub fn turn(url: &str, name: &str, password: &str) -> Result<Self, IceServerError> {
        let scheme = || IceServerError::Scheme(url.to_owned());
        let (kind, rest) = url.split_once(':').ok_or_else(scheme)?;
        let (place, transport) = split_transport(rest);
        let protocol = match (kind, transport) {
            ("turn", None | Some("udp")) => Protocol::Udp,
            ("turn", Some("tcp")) => Protocol::Tcp,
            ("turns", None | Some("tcp")) => Protocol::Tls,
            _ => return Err(scheme()),
        };
        if name.is_empty() {
            return Err(IceServerError::Credentials);
        }
        let server = Self::at(url, place, protocol)?;
        Ok(Self {
            credentials: Some((name.to_owned(), password.to_owned())),
            ..server
        })
    }

    fn at(url: &str, place: &str, protocol: Protocol) -> Result<Self, IceServerError> {
        let port = match protocol {
            Protocol::Udp | Protocol::Tcp => PORT,
            Protocol::Tls => TLS_PORT,
        };
        let wrong = || IceServerError::Address(url.to_owned());
        let (host, port) = split_port(place, port).ok_or_else(wrong)?;
        Ok(Self {
            protocol,
            host: host.to_owned(),
            port,
            credentials: None,
        })
    }

    /// What is dialled when it is reached by a stream.
    pub(crate) fn stream_address(&self) -> String {
        let scheme = match self.protocol {
            Protocol::Udp | Protocol::Tcp => "tcp",
            Protocol::Tls => "tls",
        };
        let Self { host, port, .. } = self;
        match host.contains(':') {
            true => format!("{scheme}://[{host}]:{port}"),
            false => format!("{scheme}://{host}:{port}"),
        }
    }
}

/// Where it is, and by what it is reached, if that is said.
fn split_transport(rest: &str) -> (&str, Option<&str>) {
    match rest.split_once('?') {
        None => (rest, None),
        Some((place, query)) => {
            // What is said otherwise is none that we know.
            (place, Some(query.strip_prefix("transport=").unwrap_or("?")))
        }
    }
}

/// Host and port, the latter that of the scheme unless it is said.
fn split_port(place: &str, default: u16) -> Option<(&str, u16)> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => match rest.split_once(']')? {
            (host, "") => (host, None),
            (host, port) => (host, Some(port.strip_prefix(':')?)),
        },
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = match port {
        None => default,
        Some(port) => port.parse().ok()?,
    };
    (!host.is_empty() && port != 0).then_some((host, port))
}

impl fmt::Debug for IceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match (self.protocol, &self.credentials) {
            (Protocol::Tls, _) => "turns",
            (_, Some(_)) => "turn",
            (_, None) => "stun",
        };
        write!(f, "{kind}:{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_by_url() {
        for (url, debug) in [
            ("stun:example.org", "stun:example.org:3478"),
            ("stun:192.0.2.1:19302", "stun:192.0.2.1:19302"),
            ("stun:[2001:db8::1]:5", "stun:2001:db8::1:5"),
            ("stun:[2001:db8::1]", "stun:2001:db8::1:3478"),
        ] {
            assert_eq!(format!("{:?}", IceServer::stun(url).unwrap()), debug);
        }
        let turn = IceServer::turn("turn:example.org?transport=udp", "me", "hunter2").unwrap();
        assert_eq!(format!("{turn:?}"), "turn:example.org:3478");
        for (url, dials) in [
            ("turn:example.org?transport=tcp", "tcp://example.org:3478"),
            ("turns:example.org", "tls://example.org:5349"),
            (
                "turns:[2001:db8::1]:443?transport=tcp",
                "tls://[2001:db8::1]:443",
            ),
        ] {
            let turn = IceServer::turn(url, "me", "hunter2").unwrap();
            assert_eq!(turn.stream_address(), dials);
        }
        for url in [
            "turn:a?transport=sctp",
            "turns:a?transport=udp",
            "turn:a?tcp",
            "stun:a",
            "a",
        ] {
            assert!(matches!(
                IceServer::turn(url, "me", "hunter2"),
                Err(IceServerError::Scheme(_))
            ));
        }
        for url in ["stun:", "stun:a:b", "stun:a:0", "stun:[::1", "stun:[::1]5"] {
            assert!(matches!(
                IceServer::stun(url),
                Err(IceServerError::Address(_))
            ));
        }
        for url in ["example.org", "stuns:a", "turn:a", "stun:a?transport=tcp"] {
            assert!(matches!(
                IceServer::stun(url),
                Err(IceServerError::Scheme(_))
            ));
        }
        assert_eq!(
            IceServer::turn("turn:a", "", "x"),
            Err(IceServerError::Credentials)
        );
    }
}
