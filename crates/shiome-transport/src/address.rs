use std::{
    fmt,
    net::{Ipv6Addr, SocketAddr},
    str::FromStr,
};

pub use self::error::AddressError;

mod error;
#[cfg(test)]
mod tests;

/// Bytes of an address as text: what the connection string of a node may have on the wire.
pub const MAX_ADDRESS_LEN: usize = 255;

/// Bytes of the name of a scheme.
pub const MAX_SCHEME_LEN: usize = 32;

/// Where a node can be reached, and over what kind of link.
///
/// | text | |
/// |---|---|
/// | `tcp://host:port`, `tls://host:port` | TCP, plain or under TLS |
/// | `ws://host:port/path`, `wss://host:port/path` | WebSocket, plain or under TLS; the path is `/` when left out |
/// | `unix:/path` | Unix socket; the path is absolute |
/// | `mem:name` | within the process |
/// | `scheme://host:port/path`, `scheme:text` | whatever a third party registered under that name |
/// | `host:port` | what [`parse_with`](Self::parse_with) says |
///
/// The port is never left out; 0 stands for any free one and can only be listened on. An IPv6 address is in brackets and
/// has no zone. Scheme and host are kept in lower case, so that equal addresses are equal; paths and names are kept as
/// they are. An address is printed as it is read.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: String,
    scheme_len: usize,
    target: Target,
}

/// Positions in the text of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Target {
    /// `scheme://host:port/path`
    Socket {
        host_end: usize,
        port: u16,
        path_start: usize,
    },
    /// `scheme:rest`
    Name,
}

/// What a scheme has after its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `//host:port`
    Socket,
    /// `//host:port/path`
    Web,
    /// `/path`
    File,
    /// `name`
    Name,
}

impl Form {
    /// `None` for schemes of third parties, which have what they please.
    fn of(scheme: &str) -> Option<Self> {
        match scheme {
            "tcp" | "tls" => Some(Self::Socket),
            "ws" | "wss" => Some(Self::Web),
            "unix" => Some(Self::File),
            "mem" => Some(Self::Name),
            _ => None,
        }
    }
}

impl Address {
    /// Reads an address, where `host:port` without a scheme stands for `scheme://host:port`.
    ///
    /// The text of a third party's scheme is not taken for a host and a port unless it is one: `foo:bar` is a scheme,
    /// `foo:1` is not.
    ///
    /// # Errors
    ///
    /// [`AddressError`]
    pub fn parse_with(scheme: &str, text: &str) -> Result<Self, AddressError> {
        if text.len() > MAX_ADDRESS_LEN {
            return Err(AddressError::TooLong { len: text.len() });
        }
        if is_bare(text) {
            return Self::with_scheme(scheme, &format!("//{text}"));
        }
        let (scheme, rest) = text.split_once(':').ok_or_else(|| AddressError::Port {
            port: String::new(),
        })?;
        Self::with_scheme(scheme, rest)
    }

    /// The address of a host's port over TCP or what runs on it. An IPv6 address needs no brackets.
    ///
    /// # Errors
    ///
    /// [`AddressError`]
    pub fn socket(scheme: &str, host: &str, port: u16) -> Result<Self, AddressError> {
        match host.parse::<Ipv6Addr>() {
            Ok(host) => Self::with_scheme(scheme, &format!("//[{host}]:{port}")),
            Err(_) => Self::with_scheme(scheme, &format!("//{host}:{port}")),
        }
    }

    /// The name of the scheme, in lower case.
    pub fn scheme(&self) -> &str {
        &self.text[..self.scheme_len]
    }

    /// What follows the name of the scheme and its `:`.
    pub fn rest(&self) -> &str {
        &self.text[self.scheme_len + 1..]
    }

    /// The host, an IPv6 address without its brackets; `None` where there is none.
    pub fn host(&self) -> Option<&str> {
        let Target::Socket { host_end, .. } = self.target else {
            return None;
        };
        let host = &self.text[self.scheme_len + 3..host_end];
        Some(host.trim_start_matches('[').trim_end_matches(']'))
    }

    /// The port; `None` where there is none.
    pub fn port(&self) -> Option<u16> {
        match self.target {
            Target::Socket { port, .. } => Some(port),
            Target::Name => None,
        }
    }

    /// The socket address, where the host is an IP address.
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        let ip = self.host()?.parse().ok()?;
        Some(SocketAddr::new(ip, self.port()?))
    }

    /// The path on the host, or in the file system; empty where there is none.
    pub fn path(&self) -> &str {
        match self.target {
            Target::Socket { path_start, .. } => &self.text[path_start..],
            Target::Name if self.scheme() == "unix" => self.rest(),
            Target::Name => "",
        }
    }

    /// `host:port`; empty where there is none.
    #[cfg(feature = "websocket")]
    pub(crate) fn authority(&self) -> &str {
        match self.target {
            Target::Socket { path_start, .. } => &self.text[self.scheme_len + 3..path_start],
            Target::Name => "",
        }
    }

    /// The address of this socket under the same scheme, which has no path.
    pub(crate) fn at(&self, socket: SocketAddr) -> Self {
        let text = format!("{}://{socket}", self.scheme());
        let end = text.len();
        let port_len = socket.port().to_string().len();
        Self {
            scheme_len: self.scheme_len,
            target: Target::Socket {
                host_end: end - port_len - 1,
                port: socket.port(),
                path_start: end,
            },
            text,
        }
    }

    /// The same host, path and form with another scheme and port. Both schemes have hosts.
    pub(crate) fn moved(&self, scheme: &str, port: u16) -> Self {
        let host = self.host().unwrap_or_default();
        let path = match Form::of(scheme) {
            Some(Form::Socket) => "",
            _ => self.path(),
        };
        let bracketed = host.contains(':');
        let (open, close) = if bracketed { ("[", "]") } else { ("", "") };
        let host_end = scheme.len() + 3 + open.len() + host.len() + close.len();
        let text = format!("{scheme}://{open}{host}{close}:{port}{path}");
        Self {
            scheme_len: scheme.len(),
            target: Target::Socket {
                host_end,
                port,
                path_start: text.len() - path.len(),
            },
            text,
        }
    }

    fn with_scheme(scheme: &str, rest: &str) -> Result<Self, AddressError> {
        let scheme = scheme.to_ascii_lowercase();
        if !is_scheme(&scheme) {
            return Err(AddressError::Scheme { scheme });
        }
        let form = Form::of(&scheme);
        let address = match (rest.strip_prefix("//"), form) {
            (Some(rest), None | Some(Form::Socket | Form::Web)) => {
                Self::with_authority(scheme, form, rest)?
            }
            (None, None | Some(Form::File | Form::Name)) => Self::with_name(scheme, form, rest)?,
            // A file whose path begins with two slashes is the same as one with one.
            (Some(_), Some(Form::File)) => Self::with_name(scheme, form, rest)?,
            _ => return Err(AddressError::Form { scheme }),
        };
        match address.text.len() {
            len if len > MAX_ADDRESS_LEN => Err(AddressError::TooLong { len }),
            _ => Ok(address),
        }
    }

    fn with_authority(
        scheme: String,
        form: Option<Form>,
        rest: &str,
    ) -> Result<Self, AddressError> {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = split_authority(authority)?;
        let path = match form {
            Some(Form::Web) if path.is_empty() => "/",
            Some(Form::Socket) if !path.is_empty() => return Err(bad_path(scheme, path)),
            _ if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains('#') => {
                return Err(bad_path(scheme, path));
            }
            _ => path,
        };
        let text = format!("{scheme}://{host}:{port}{path}");
        Ok(Self {
            scheme_len: scheme.len(),
            target: Target::Socket {
                host_end: scheme.len() + 3 + host.len(),
                port,
                path_start: text.len() - path.len(),
            },
            text,
        })
    }

    fn with_name(scheme: String, form: Option<Form>, name: &str) -> Result<Self, AddressError> {
        if form == Some(Form::File) && (!name.starts_with('/') || name.contains('\0')) {
            return Err(bad_path(scheme, name));
        }
        if form != Some(Form::File) && (name.is_empty() || name.contains(char::is_control)) {
            let name = name.to_owned();
            return Err(AddressError::Name { scheme, name });
        }
        Ok(Self {
            text: format!("{scheme}:{name}"),
            scheme_len: scheme.len(),
            target: Target::Name,
        })
    }
}

/// Reads an address that has its scheme; `host:port` is `tcp://host:port`.
impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse_with("tcp", text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn bad_path(scheme: String, path: &str) -> AddressError {
    let path = path.to_owned();
    AddressError::Path { scheme, path }
}

/// Whether this is `host:port` without a scheme.
fn is_bare(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return true;
    };
    text.starts_with('[')
        || (!host.contains([':', '/'])
            && !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
            // These are schemes whatever follows.
            && !matches!(Form::of(&host.to_ascii_lowercase()), Some(Form::File | Form::Name)))
}

fn is_scheme(scheme: &str) -> bool {
    scheme.len() <= MAX_SCHEME_LEN
        && scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// The host as it is printed, and the port.
fn split_authority(authority: &str) -> Result<(String, u16), AddressError> {
    let (host, port) = match authority.rsplit_once(':') {
        // The last colon of an IPv6 address is not before a port.
        Some((host, port)) if !port.ends_with(']') => (host, port),
        _ => (authority, ""),
    };
    let invalid = || AddressError::Host {
        host: host.to_owned(),
    };
    let host = match host.strip_prefix('[') {
        Some(host) => {
            let host = host.strip_suffix(']').ok_or_else(invalid)?;
            let host: Ipv6Addr = host.parse().map_err(|_| invalid())?;
            format!("[{host}]")
        }
        None if is_host(host) => host.to_ascii_lowercase(),
        None => return Err(invalid()),
    };
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if is_number => Ok((host, port)),
        _ => Err(AddressError::Port {
            port: port.to_owned(),
        }),
    }
}

/// A name of the DNS or an IPv4 address. Underscores are no part of host names, yet many hosts have them.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && !host.starts_with(['-', '.'])
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
}
