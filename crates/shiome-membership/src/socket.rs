mod fault;

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::net::{TcpListener, UdpSocket};

pub(crate) use fault::Fault;

/// Buffer for datagrams that come in while the node is busy, in bytes: those of some hundred members that answer a
/// newcomer at once. The operating system may give less.
const RECEIVE_BUFFER_LEN: usize = 2 << 20;

/// Buffer for datagrams that go out, in bytes: a round of gossip and answers to as many.
const SEND_BUFFER_LEN: usize = 1 << 20;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// How often both sockets are bound to a port that nobody asked for, until one is free for both.
const PORT_ATTEMPTS: usize = 16;

/// Which addresses a socket can send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    V4,
    V6,
    Both,
}

impl Reach {
    /// Of a socket that is bound to `addr`.
    fn of(addr: SocketAddr) -> Self {
        match addr.ip() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Self::Both,
            IpAddr::V6(_) => Self::V6,
        }
    }

    pub(crate) fn reaches(self, addr: SocketAddr) -> bool {
        match (self, canonical(addr)) {
            (Self::Both, _) => true,
            (Self::V4, addr) => addr.is_ipv4(),
            (Self::V6, addr) => addr.is_ipv6(),
        }
    }
}

/// An address in the one spelling that the engine knows: IPv4 is IPv4, and scope and flow are left out, as they are on
/// the wire.
pub(crate) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// The UDP socket of a node.
#[derive(Debug)]
pub(crate) struct Socket {
    udp: UdpSocket,
    reach: Reach,
}

/// Which socket could not be bound.
#[derive(Debug)]
pub(crate) enum BindError {
    Udp(io::Error),
    Tcp(io::Error),
}

impl Socket {
    /// Binds to `addr`, on TCP too if asked to. Port 0 takes any port that is free.
    pub(crate) fn bind(
        addr: SocketAddr,
        tcp: bool,
    ) -> Result<(Self, Option<TcpListener>), BindError> {
        let mut attempts = 1..=PORT_ATTEMPTS;
        loop {
            attempts.next();
            let socket = Self::bind_udp(addr).map_err(BindError::Udp)?;
            if !tcp {
                return Ok((socket, None));
            }
            let port = socket.local_addr().map_err(BindError::Udp)?.port();
            match bind_tcp(SocketAddr::new(addr.ip(), port)) {
                Ok(listener) => return Ok((socket, Some(listener))),
                Err(_) if addr.port() == 0 && !attempts.is_empty() => {}
                Err(error) => return Err(BindError::Tcp(error)),
            }
        }
    }

    fn bind_udp(addr: SocketAddr) -> io::Result<Self> {
        let reach = Reach::of(addr);
        let socket = open(addr, Type::DGRAM, Protocol::UDP)?;
        // What the operating system gives is what there is.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_LEN);
        let _ = socket.set_send_buffer_size(SEND_BUFFER_LEN);
        socket.bind(&addr.into())?;
        Ok(Self {
            udp: UdpSocket::from_std(socket.into())?,
            reach,
        })
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.udp.local_addr().map(canonical)
    }

    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// Waits until there may be something to receive. Cancel-safe.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.udp.readable().await
    }

    /// Waits until there may be room to send. Cancel-safe.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.udp.writable().await
    }

    pub(crate) fn try_receive(&self, buf: &mut [u8]) -> Result<(usize, SocketAddr), Fault> {
        let (len, from) = self.udp.try_recv_from(buf)?;
        Ok((len, canonical(from)))
    }

    pub(crate) fn try_send(&self, datagram: &[u8], to: SocketAddr) -> Result<(), Fault> {
        if !self.reach.reaches(to) {
            return Err(Fault::Unreachable);
        }
        let to = match (self.reach, to) {
            (Reach::Both, SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => to,
        };
        self.udp.try_send_to(datagram, to)?;
        Ok(())
    }
}

fn bind_tcp(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = open(addr, Type::STREAM, Protocol::TCP)?;
    // A node that comes back must not wait for its old connections to time out. On Windows the option means something
    // else: two processes could share the port.
    #[cfg(not(windows))]
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn open(addr: SocketAddr, kind: Type, protocol: Protocol) -> io::Result<RawSocket> {
    let socket = RawSocket::new(Domain::for_address(addr), kind, Some(protocol))?;
    if addr.is_ipv6() {
        socket.set_only_v6(Reach::of(addr) != Reach::Both)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use shiome_gossip::MAX_DATAGRAM_LEN;

    use super::*;

    /// As soon as there is room.
    async fn send(from: &Socket, datagram: &[u8], to: SocketAddr) -> Result<(), Fault> {
        loop {
            match from.try_send(datagram, to) {
                Err(Fault::WouldBlock) => from.writable().await.unwrap(),
                sent => return sent,
            }
        }
    }

    async fn receive(to: &Socket) -> SocketAddr {
        let mut buf = [0; 16];
        loop {
            to.readable().await.unwrap();
            match to.try_receive(&mut buf) {
                Err(Fault::WouldBlock) => {}
                received => {
                    let (len, from) = received.unwrap();
                    assert_eq!(&buf[..len], b"datagram");
                    return from;
                }
            }
        }
    }

    fn bind(ip: impl Into<IpAddr>) -> Socket {
        Socket::bind(SocketAddr::new(ip.into(), 0), false)
            .unwrap()
            .0
    }

    fn at(ip: impl Into<IpAddr>, socket: &Socket) -> SocketAddr {
        SocketAddr::new(ip.into(), socket.local_addr().unwrap().port())
    }

    #[tokio::test]
    async fn a_socket_of_both_versions_knows_ipv4_as_ipv4() {
        let both = bind(Ipv6Addr::UNSPECIFIED);
        let (v4, v6) = (bind(Ipv4Addr::LOCALHOST), bind(Ipv6Addr::LOCALHOST));
        for other in [&v4, &v6] {
            let addr = other.local_addr().unwrap();
            send(&both, b"datagram", addr).await.unwrap();
            receive(other).await;
            send(other, b"datagram", at(addr.ip(), &both))
                .await
                .unwrap();
            assert_eq!(receive(&both).await, addr);
        }
        assert_eq!(both.reach(), Reach::Both);
    }

    #[tokio::test]
    async fn the_other_version_is_unreachable() {
        let (v4, v6) = (bind(Ipv4Addr::LOCALHOST), bind(Ipv6Addr::LOCALHOST));
        for (from, to) in [(&v4, &v6), (&v6, &v4)] {
            let to = to.local_addr().unwrap();
            assert!(!from.reach().reaches(to));
            let fault = send(from, b"datagram", to).await.unwrap_err();
            assert!(matches!(fault, Fault::Unreachable), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn what_no_datagram_can_carry_is_too_long() {
        let socket = bind(Ipv4Addr::LOCALHOST);
        let to = socket.local_addr().unwrap();
        let long = vec![0; MAX_DATAGRAM_LEN + 1];
        let fault = send(&socket, &long, to).await.unwrap_err();
        assert!(matches!(fault, Fault::TooLong), "{fault:?}");
        send(&socket, &long[1..], to).await.unwrap();
    }

    #[tokio::test]
    async fn both_sockets_have_one_port_and_a_taken_one_is_an_error() {
        let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let (udp, tcp) = Socket::bind(loopback, true).unwrap();
        let (udp, tcp) = (udp.local_addr().unwrap(), tcp.unwrap());
        assert_eq!(tcp.local_addr().unwrap(), udp);
        assert!(matches!(Socket::bind(udp, false), Err(BindError::Udp(_))));

        let tcp = bind_tcp(loopback).unwrap();
        let taken = tcp.local_addr().unwrap();
        match Socket::bind(taken, true) {
            Err(BindError::Tcp(error)) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse),
            // Somebody else has the UDP port of that number.
            other => assert!(matches!(other, Err(BindError::Udp(_))), "{other:?}"),
        }
    }
}
