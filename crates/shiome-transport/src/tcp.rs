//! Plain TCP.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Listens on `port` of `addr`; without `addr` on all addresses of both IP versions, or of IPv4 where the host has no
/// IPv6. Port 0 takes any free port.
///
/// # Errors
///
/// The operating system's, for instance when the port is taken.
pub fn listen(addr: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    match addr {
        Some(addr) => bind(SocketAddr::new(addr, port)),
        None => match bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Err(error) if is_unsupported(&error) => {
                bind(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))
            }
            result => result,
        },
    }
}

/// Bytes that wait in the kernel to be sent. What is there already nothing more urgent can overtake.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MAX_NOT_SENT: u32 = 128 * 1024;

/// Connects to `addr`. Small messages are sent at once (`TCP_NODELAY`), and the kernel is given little more than it can
/// send (`TCP_NOTSENT_LOWAT`, on Linux; accepted connections have it from their listener).
///
/// # Errors
///
/// The operating system's, of the last address that `addr` stands for.
pub async fn dial(addr: impl ToSocketAddrs) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    limit_not_sent(SockRef::from(&stream))?;
    Ok(stream)
}

#[cfg(any(target_os = "android", target_os = "linux"))]
fn limit_not_sent(socket: SockRef<'_>) -> io::Result<()> {
    socket.set_tcp_notsent_lowat(MAX_NOT_SENT)
}

#[cfg(not(any(target_os = "android", target_os = "linux")))]
fn limit_not_sent(_socket: SockRef<'_>) -> io::Result<()> {
    Ok(())
}

fn bind(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    // A node that comes back must not wait for its old connections to time out. On Windows the option means something
    // else: two processes could share the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    limit_not_sent(SockRef::from(&socket))?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn is_unsupported(error: &io::Error) -> bool {
    // EAFNOSUPPORT has no kind of its own, EADDRNOTAVAIL is what a host with IPv6 switched off says.
    matches!(
        error.kind(),
        io::ErrorKind::Unsupported | io::ErrorKind::AddrNotAvailable
    ) || matches!(error.raw_os_error(), Some(97 | 47 | 10047))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn accepts_from(listener: &TcpListener, target: IpAddr) {
        let port = listener.local_addr().unwrap().port();
        let (dialled, accepted) =
            tokio::join!(dial(SocketAddr::new(target, port)), listener.accept());
        let (dialled, (accepted, from)) = (dialled.unwrap(), accepted.unwrap());
        assert!(dialled.nodelay().unwrap());
        assert_eq!(from.ip().to_canonical(), target);
        #[cfg(any(target_os = "android", target_os = "linux"))]
        for stream in [&dialled, &accepted] {
            let not_sent = SockRef::from(stream).tcp_notsent_lowat().unwrap();
            assert_eq!(not_sent, MAX_NOT_SENT);
        }
        drop(accepted);
    }

    #[tokio::test]
    async fn listens_on_both_ip_versions_unless_told_otherwise() {
        let listener = listen(None, 0).unwrap();
        accepts_from(&listener, Ipv4Addr::LOCALHOST.into()).await;
        if listener.local_addr().unwrap().is_ipv6() {
            accepts_from(&listener, Ipv6Addr::LOCALHOST.into()).await;
        }
    }

    #[tokio::test]
    async fn listens_on_one_address_when_told_so() {
        let listener = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        accepts_from(&listener, Ipv4Addr::LOCALHOST.into()).await;
        let port = listener.local_addr().unwrap().port();
        assert!(dial((Ipv6Addr::LOCALHOST, port)).await.is_err());
        assert!(dial(("127.0.0.2", port)).await.is_err());
    }

    #[tokio::test]
    async fn a_taken_port_is_an_error() {
        let first = listen(Some(Ipv4Addr::LOCALHOST.into()), 0).unwrap();
        let port = first.local_addr().unwrap().port();
        let second = listen(Some(Ipv4Addr::LOCALHOST.into()), port);
        assert_eq!(second.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}
