//! Addresses of nodes.
//!
//! | offset | bytes  | field                                     |
//! |--------|--------|-------------------------------------------|
//! | 0      | 1      | family: 4 or 6, nothing else              |
//! | 1      | 4 / 16 | octets, in the order they are printed in  |
//! | 5 / 17 | 2      | port, u16 little-endian                   |
//!
//! The scope and the flow of an IPv6 address are not on the wire. An IPv4 address mapped into IPv6 stays what it is:
//! the same host has two spellings, and it is for the reader to choose one.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::{
    error::{DecodeError, DecodeErrorKind, EncodeError},
    reader::Reader,
    writer::Writer,
};

const IPV4: u8 = 4;
const IPV6: u8 = 6;

const V4_LEN: usize = 7;
const V6_LEN: usize = 19;

/// Length of the shorter of the two, in bytes.
pub(crate) const MIN_LEN: usize = V4_LEN;

#[inline(always)]
pub(crate) fn read(reader: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    let start = reader.offset();
    match reader.u8()? {
        IPV4 => {
            let octets: [u8; 4] = *reader.array()?;
            Ok((Ipv4Addr::from(octets), reader.u16()?).into())
        }
        IPV6 => {
            let octets: [u8; 16] = *reader.array()?;
            Ok((Ipv6Addr::from(octets), reader.u16()?).into())
        }
        other => {
            let kind = DecodeErrorKind::UnknownAddressFamily(other);
            Err(DecodeError::new(start, kind))
        }
    }
}

#[inline(always)]
pub(crate) fn write(addr: &SocketAddr, out: &mut Writer<'_>) -> Result<(), EncodeError> {
    match addr {
        SocketAddr::V4(addr) => out.fixed::<V4_LEN>(|out| {
            out.u8(IPV4)?;
            out.array(addr.ip().octets())?;
            out.u16(addr.port())
        }),
        SocketAddr::V6(addr) => out.fixed::<V6_LEN>(|out| {
            out.u8(IPV6)?;
            out.array(addr.ip().octets())?;
            out.u16(addr.port())
        }),
    }
}

/// Length on the wire, in bytes.
pub(crate) fn encoded_len(addr: &SocketAddr) -> usize {
    match addr {
        SocketAddr::V4(_) => V4_LEN,
        SocketAddr::V6(_) => V6_LEN,
    }
}

#[cfg(test)]
mod tests {
    use core::net::SocketAddrV6;

    use super::*;

    fn written(addr: SocketAddr) -> ([u8; 19], usize) {
        let mut buf = [0; 19];
        let mut out = Writer::new(&mut buf);
        write(&addr, &mut out).unwrap();
        let len = out.len();
        assert_eq!(len, encoded_len(&addr));
        (buf, len)
    }

    #[test]
    fn the_port_is_little_endian_and_the_octets_are_not() {
        let (bytes, len) = written((Ipv4Addr::new(10, 0, 0, 1), 0x1234).into());
        assert_eq!(bytes[..len], [4, 10, 0, 0, 1, 0x34, 0x12]);
        let (bytes, len) = written((Ipv6Addr::LOCALHOST, 0x1234).into());
        assert_eq!((bytes[0], &bytes[16..len]), (6, &[1, 0x34, 0x12][..]));
    }

    #[test]
    fn scope_and_flow_are_lost_and_a_mapped_address_is_kept() {
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        let (bytes, len) = written(SocketAddrV6::new(mapped, 7, 1, 2).into());
        let mut reader = Reader::new(&bytes[..len]).unwrap();
        assert_eq!(read(&mut reader), Ok((mapped, 7).into()));
    }

    #[test]
    fn no_other_family_is_an_address() {
        for family in (0..=u8::MAX).filter(|family| ![IPV4, IPV6].contains(family)) {
            let mut bytes = [0; 19];
            bytes[0] = family;
            let error = read(&mut Reader::new(&bytes).unwrap()).unwrap_err();
            assert_eq!(error.kind(), DecodeErrorKind::UnknownAddressFamily(family));
            assert_eq!(error.offset(), 0);
        }
    }
}
