//! Sockets, and the addresses of this machine.

mod streamed;

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    task::{Context, Poll},
};

use shiome_bus::BoxFuture;
use tokio::{io::ReadBuf, net::UdpSocket};

pub(crate) use self::streamed::Streamed;

/// Addresses of this machine that are tried, at most.
const MAX_ADDRESSES: usize = 8;

/// Where datagrams come from and go to.
pub(crate) trait Net: fmt::Debug + Send + Sync + 'static {
    /// Addresses of this machine that others may reach.
    fn addresses(&self) -> Vec<IpAddr>;

    /// A socket at an address, of any port.
    fn bind(&self, address: IpAddr) -> io::Result<Box<dyn Socket>>;

    /// Addresses of a host.
    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;
}

/// One socket.
pub(crate) trait Socket: fmt::Debug + Send + Sync {
    fn local_addr(&self) -> SocketAddr;

    /// The next datagram, as soon as there is one.
    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>>;

    /// The next datagram, if there is one.
    fn try_recv(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)>;

    /// Sends a datagram, or loses it.
    fn send(&self, to: SocketAddr, bytes: &[u8]);
}

/// The sockets of the system.
#[derive(Debug)]
pub(crate) struct System;

impl Net for System {
    fn addresses(&self) -> Vec<IpAddr> {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let usable = |address: &IpAddr| match address {
            IpAddr::V4(v4) => !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        };
        let addresses = interfaces.iter().map(if_addrs::Interface::ip);
        let mut addresses: Vec<_> = addresses
            .filter(usable)
            .filter(|address| !address.is_loopback())
            .collect();
        addresses.dedup();
        addresses.truncate(MAX_ADDRESSES);
        if addresses.is_empty() {
            addresses.push(Ipv4Addr::LOCALHOST.into());
        }
        addresses
    }

    fn bind(&self, address: IpAddr) -> io::Result<Box<dyn Socket>> {
        let socket = std::net::UdpSocket::bind((address, 0))?;
        socket.set_nonblocking(true)?;
        Ok(Box::new(Udp {
            local: socket.local_addr()?,
            sender: socket.try_clone()?,
            receiver: UdpSocket::from_std(socket)?,
        }))
    }

    fn resolve(&self, host: String, port: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, port)).await?;
            Ok(found.collect())
        })
    }
}

/// A UDP socket.
#[derive(Debug)]
struct Udp {
    local: SocketAddr,
    receiver: UdpSocket,
    /// The same socket: what it has no room for now is lost, so nobody waits for it.
    sender: std::net::UdpSocket,
}

impl Socket for Udp {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<SocketAddr>> {
        self.receiver.poll_recv_from(cx, buf)
    }

    fn try_recv(&self, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.receiver.try_recv_from(buf).ok()
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        // As the network loses, so does a full queue on the way to it.
        let _ = self.sender.send_to(bytes, to);
    }
}
