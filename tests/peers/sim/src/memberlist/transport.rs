use std::{borrow::Cow, fmt, io, net::SocketAddr};

use agnostic_lite::tokio::TokioRuntime;
use memberlist_core::{
    proto::Payload,
    transport::{
        PacketSubscriber, StreamSubscriber, Transport, TransportError, packet_stream,
        promised_stream,
    },
};
use nodecraft::resolver::socket_addr::SocketAddrResolver;
use smol_str::SmolStr;
use tokio::time::{Instant, sleep_until};

use super::{
    connection::Wire,
    hub::{Door, Hub, address},
};

/// A node's way into the simulated network.
pub(crate) struct HubTransport {
    hub: Hub,
    node: u32,
    id: SmolStr,
    address: SocketAddr,
    packets: PacketSubscriber<SocketAddr, Instant>,
    streams: StreamSubscriber<SocketAddr, Wire>,
}

/// Why something did not work.
#[derive(Debug)]
pub(crate) struct HubError(io::Error);

/// Datagrams that wait to be handled: about as many small ones as a socket's buffer holds.
const QUEUE: usize = 1_024;
const MAX_DATAGRAM_LEN: usize = 1_400;

impl Transport for HubTransport {
    type Error = HubError;
    type Id = SmolStr;
    type Address = SocketAddr;
    type ResolvedAddress = SocketAddr;
    type Resolver = SocketAddrResolver<TokioRuntime>;
    type Connection = Wire;
    type Runtime = TokioRuntime;
    type Options = (Hub, u32);

    async fn new((hub, node): Self::Options) -> Result<Self, HubError> {
        let (to_packets, packets) = packet_stream::<Self>(QUEUE);
        let (to_streams, streams) = promised_stream::<Self>();
        let door = Door {
            packets: to_packets,
            streams: to_streams,
        };
        hub.open(node, door);
        Ok(Self {
            hub,
            node,
            id: name(node),
            address: address(node),
            packets,
            streams,
        })
    }

    async fn resolve(&self, addr: &SocketAddr) -> Result<SocketAddr, HubError> {
        Ok(*addr)
    }

    fn local_id(&self) -> &SmolStr {
        &self.id
    }

    fn local_address(&self) -> &SocketAddr {
        &self.address
    }

    fn advertise_address(&self) -> &SocketAddr {
        &self.address
    }

    fn max_packet_size(&self) -> usize {
        MAX_DATAGRAM_LEN
    }

    fn header_overhead(&self) -> usize {
        0
    }

    fn blocked_address(&self, _: &SocketAddr) -> Result<(), HubError> {
        Ok(())
    }

    async fn send_to(
        &self,
        addr: &SocketAddr,
        packet: Payload,
    ) -> Result<(usize, Instant), HubError> {
        let len = packet.as_slice().len();
        self.hub.send(self.node, *addr, packet.into_bytes());
        Ok((len, Instant::now()))
    }

    async fn open(&self, addr: &SocketAddr, deadline: Instant) -> Result<Wire, HubError> {
        match self.hub.connect(self.node, *addr).await {
            Some(wire) => Ok(wire),
            None => {
                // Nobody is there to refuse.
                sleep_until(deadline).await;
                Err(io::Error::from(io::ErrorKind::TimedOut).into())
            }
        }
    }

    fn packet(&self) -> PacketSubscriber<SocketAddr, Instant> {
        self.packets.clone()
    }

    fn stream(&self) -> StreamSubscriber<SocketAddr, Wire> {
        self.streams.clone()
    }

    fn packet_reliable(&self) -> bool {
        false
    }

    fn packet_secure(&self) -> bool {
        false
    }

    fn stream_secure(&self) -> bool {
        false
    }

    async fn shutdown(&self) -> Result<(), HubError> {
        self.packets.close();
        self.streams.close();
        Ok(())
    }
}

/// A name as short as people give.
pub(super) fn name(node: u32) -> SmolStr {
    SmolStr::new(format!("node-{node}"))
}

impl TransportError for HubError {
    fn is_remote_failure(&self) -> bool {
        true
    }

    fn custom(problem: Cow<'static, str>) -> Self {
        Self(io::Error::other(problem.into_owned()))
    }
}

impl From<io::Error> for HubError {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl fmt::Display for HubError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for HubError {}
