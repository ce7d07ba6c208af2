use thiserror::Error;

use super::MAX_ADDRESS_LEN;

/// A text is not an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// It has more than [`MAX_ADDRESS_LEN`] bytes.
    #[error("address of {len} bytes; at most {MAX_ADDRESS_LEN}")]
    TooLong {
        /// Its bytes.
        len: usize,
    },
    /// What stands before the `:` is not the name of a scheme: a letter, then letters, digits, `+`, `-`, `.`, at most
    /// [`MAX_SCHEME_LEN`](crate::MAX_SCHEME_LEN) bytes.
    #[error("not a scheme: {scheme:?}")]
    Scheme {
        /// What stands there.
        scheme: String,
    },
    /// The host is missing, or is no name and no IP address.
    #[error("not a host: {host:?}")]
    Host {
        /// What stands there.
        host: String,
    },
    /// The port is missing, or is no number up to 65535.
    #[error("not a port: {port:?}")]
    Port {
        /// What stands there.
        port: String,
    },
    /// The scheme wants no path, or an absolute one, or it has characters that do not belong into one.
    #[error("not a path for {scheme}: {path:?}")]
    Path {
        /// The scheme.
        scheme: String,
        /// What stands there.
        path: String,
    },
    /// The name is missing, or has control characters.
    #[error("not a name for {scheme}: {name:?}")]
    Name {
        /// The scheme.
        scheme: String,
        /// What stands there.
        name: String,
    },
    /// The scheme wants another form, such as `unix:/path` or `tcp://host:port`.
    #[error("wrong form of address for {scheme}")]
    Form {
        /// The scheme.
        scheme: String,
    },
}
