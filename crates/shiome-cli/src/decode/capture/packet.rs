//! From the link to TCP and UDP.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TransportSlice};
use pcap_parser::Linktype;

use super::Flow;

/// What a packet is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    Tcp {
        flow: Flow,
        segment: Segment<'a>,
    },
    Udp {
        flow: Flow,
        payload: &'a [u8],
        /// Whether less was captured than there was.
        is_cut: bool,
    },
    /// A part of an IP packet.
    Fragment,
    /// Neither TCP nor UDP.
    Other,
    Unreadable,
}

/// A piece of one direction of a TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment<'a> {
    pub(super) seq: u32,
    /// SYN: the first byte follows the one of this number.
    pub(super) opens: bool,
    /// What was captured of it. What was not leaves a gap, as a segment that is missing does.
    pub(super) payload: &'a [u8],
}

/// Takes a packet apart that was captured on a link of this type.
pub(super) fn parse(link: Linktype, packet: &[u8]) -> Packet<'_> {
    let parsed = match link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(packet).ok(),
        // The protocol's number in the byte order of the host; it is IP, or not looked at.
        Linktype::NULL | Linktype::LOOP => packet.get(4..).and_then(ip),
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | RAW_OF_BSD | RAW_OF_OPENBSD => ip(packet),
        Linktype::LINUX_SLL => cooked(packet, 14, 16),
        LINUX_SLL2 => cooked(packet, 0, 20),
        _ => None,
    };
    parsed.map_or(Packet::Unreadable, |parsed| transport(&parsed))
}

const RAW_OF_BSD: Linktype = Linktype(12);
const RAW_OF_OPENBSD: Linktype = Linktype(14);
const LINUX_SLL2: Linktype = Linktype(276);

fn ip(packet: &[u8]) -> Option<LaxSlicedPacket<'_>> {
    LaxSlicedPacket::from_ip(packet).ok()
}

/// The packet behind a header of `len` bytes, with the type at `at`.
fn cooked(packet: &[u8], at: usize, len: usize) -> Option<LaxSlicedPacket<'_>> {
    let [a, b] = *packet.get(at..at + 2)?.first_chunk()?;
    let kind = EtherType(u16::from_be_bytes([a, b]));
    Some(LaxSlicedPacket::from_ether_type(kind, packet.get(len..)?))
}

fn transport<'a>(packet: &LaxSlicedPacket<'a>) -> Packet<'a> {
    let Some(net) = &packet.net else {
        return Packet::Other;
    };
    let Some((from, to)) = hosts(net) else {
        return Packet::Other;
    };
    if net.ip_payload_ref().is_some_and(|ip| ip.fragmented) {
        return Packet::Fragment;
    }
    match &packet.transport {
        Some(TransportSlice::Tcp(tcp)) => Packet::Tcp {
            flow: (
                SocketAddr::new(from, tcp.source_port()),
                SocketAddr::new(to, tcp.destination_port()),
            ),
            segment: Segment {
                seq: tcp.sequence_number(),
                opens: tcp.syn(),
                payload: tcp.payload(),
            },
        },
        Some(TransportSlice::Udp(udp)) => Packet::Udp {
            flow: (
                SocketAddr::new(from, udp.source_port()),
                SocketAddr::new(to, udp.destination_port()),
            ),
            payload: udp.payload(),
            is_cut: usize::from(udp.length()) > udp.slice().len(),
        },
        Some(_) => Packet::Other,
        None if packet.stop_err.is_some() => Packet::Unreadable,
        None => Packet::Other,
    }
}

fn hosts(net: &LaxNetSlice<'_>) -> Option<(IpAddr, IpAddr)> {
    match net {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            Some((
                header.source_addr().into(),
                header.destination_addr().into(),
            ))
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            Some((
                header.source_addr().into(),
                header.destination_addr().into(),
            ))
        }
        _ => None,
    }
}
