use std::io::{self, ErrorKind};

/// What it means that a datagram could not be sent or received.
#[derive(Debug)]
pub(crate) enum Fault {
    /// There is no room, or nothing to receive. Wait.
    WouldBlock,
    /// It is longer than the path or the host takes.
    TooLong,
    /// There is no way to the address.
    Unreachable,
    /// ICMP says that an earlier datagram did not arrive.
    Earlier,
    /// Anything else.
    Other(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::WouldBlock => Self::WouldBlock,
            ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable => Self::Unreachable,
            ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset => Self::Earlier,
            _ if error.raw_os_error() == Some(EMSGSIZE) => Self::TooLong,
            _ => Self::Other(error),
        }
    }
}

/// It has no `ErrorKind` of its own.
const EMSGSIZE: i32 = if cfg!(windows) {
    10040
} else if cfg!(any(target_os = "linux", target_os = "android")) {
    90
} else {
    // BSD and macOS.
    40
};
