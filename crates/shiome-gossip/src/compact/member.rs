use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::varint;
use crate::{
    error::{DecodeError, DecodeErrorKind, EncodeError},
    limits::MAX_LIST_ITEMS,
    node_id::NodeId,
    reader::Reader,
    slots::{SlotRange, Slots},
    writer::Writer,
};

/// The bits that hold the state.
const STATE: u8 = 0b11;
const IPV6: u8 = 1 << 2;
const PRIMARY: u8 = 1 << 3;
const COMPACT: u8 = 1 << 4;
const META: u8 = 1 << 5;
const REPLICATES: u8 = 1 << 6;

const HEAD_LEN: usize = NodeId::LEN + 1;
const V4_LEN: usize = 4 + 2;
const V6_LEN: usize = 16 + 2;

/// What the cluster thinks of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "all that two bits can say")]
pub enum State {
    /// 0: it answers.
    Alive,
    /// 1: it does not answer, and is dead unless it objects.
    Suspect,
    /// 2: it is dead.
    Dead,
    /// 3: it has left.
    Left,
}

/// Update 5: all that is to be known of a member.
///
/// | offset  | bytes   | field                                                                     |
/// |---------|---------|---------------------------------------------------------------------------|
/// | 0       | 1       | kind, 5                                                                   |
/// | 1       | 16      | node                                                                      |
/// | 17      | 1       | flags                                                                     |
/// | 18      | 4 / 16  | octets of the address, in the order they are printed in                   |
/// | 22 / 34 | 2       | port, u16                                                                 |
/// | 24 / 36 | 1 to 10 | incarnation, varint                                                       |
/// |         | 1 to 10 | with META: the incarnation less that at which the metadata was set, varint |
/// |         | 16      | with REPLICATES: the node that it follows                                 |
/// |         | 1 or 2  | with META: number of slot ranges, varint, at most [`MAX_LIST_ITEMS`]      |
/// |         | 4 × n   | with META: slot ranges                                                    |
///
/// | bit of the flags | meaning                                                              |
/// |------------------|----------------------------------------------------------------------|
/// | 0, 1             | [`State`]                                                            |
/// | 2                | the address is of IPv6                                               |
/// | 3                | a primary, not a replica                                             |
/// | 4                | speaks compact datagrams itself                                      |
/// | 5                | META: metadata follows                                               |
/// | 6                | REPLICATES: it follows a primary. An error without META              |
/// | 7                | written 0, read as nothing                                           |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The node.
    pub id: NodeId,
    /// Where it listens for gossip. Scope and flow of an IPv6 address are not on the wire.
    pub addr: SocketAddr,
    /// Its incarnation.
    pub incarnation: u64,
    /// Whether it is thought to be alive in that incarnation.
    pub state: State,
    /// Whether it is a primary, not a replica.
    pub is_primary: bool,
    /// Whether compact datagrams may be sent to it.
    pub compact: bool,
    /// What it serves. `None`: not told.
    pub meta: Option<Meta<'a>>,
}

/// What a member serves: metadata that it set in one of its incarnations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta<'a> {
    /// The incarnation at which it was set; not above the member's.
    pub incarnation: u64,
    /// The primary that it follows.
    pub replicates: Option<NodeId>,
    /// All its slots.
    pub slots: Slots<'a>,
}

impl State {
    fn from_flags(flags: u8) -> Self {
        match flags & STATE {
            0 => Self::Alive,
            1 => Self::Suspect,
            2 => Self::Dead,
            _ => Self::Left,
        }
    }

    fn to_flags(self) -> u8 {
        match self {
            Self::Alive => 0,
            Self::Suspect => 1,
            Self::Dead => 2,
            Self::Left => 3,
        }
    }
}

impl<'a> Member<'a> {
    /// Length on the wire without the kind, in bytes.
    pub(super) fn encoded_len(&self) -> usize {
        let addr = match self.addr {
            SocketAddr::V4(_) => V4_LEN,
            SocketAddr::V6(_) => V6_LEN,
        };
        let incarnation = varint::encoded_len(self.incarnation);
        let meta = self
            .meta
            .map_or(0, |meta| meta.encoded_len(self.incarnation));
        HEAD_LEN + addr + incarnation + meta
    }

    fn flags(&self) -> u8 {
        let replicates = self.meta.is_some_and(|meta| meta.replicates.is_some());
        let set = |flag: u8, is: bool| if is { flag } else { 0 };
        self.state.to_flags()
            | set(IPV6, self.addr.is_ipv6())
            | set(PRIMARY, self.is_primary)
            | set(COMPACT, self.compact)
            | set(META, self.meta.is_some())
            | set(REPLICATES, replicates)
    }

    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut head = reader.fixed::<HEAD_LEN>()?;
        let id = head.node_id()?;
        let at_flags = head;
        let flags = head.u8()?;
        if flags & (META | REPLICATES) == REPLICATES {
            return Err(at_flags.error(DecodeErrorKind::InvalidMemberFlags(flags)));
        }
        let addr = read_addr(flags, reader)?;
        let incarnation = varint::read(reader)?;
        let meta = match flags & META {
            0 => None,
            _ => Some(Meta::read(flags, incarnation, reader)?),
        };
        Ok(Self {
            id,
            addr,
            incarnation,
            state: State::from_flags(flags),
            is_primary: flags & PRIMARY != 0,
            compact: flags & COMPACT != 0,
            meta,
        })
    }

    #[inline(always)]
    pub(super) fn write(&self, kind: u8, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.fixed::<{ 1 + HEAD_LEN }>(|out| {
            out.u8(kind)?;
            out.node_id(&self.id)?;
            out.u8(self.flags())
        })?;
        write_addr(&self.addr, out)?;
        varint::write(self.incarnation, out)?;
        match &self.meta {
            Some(meta) => meta.write(self.incarnation, out),
            None => Ok(()),
        }
    }
}

impl<'a> Meta<'a> {
    /// How many incarnations of the member are younger; `None` when it would be of the future.
    fn age(&self, incarnation: u64) -> Option<u64> {
        incarnation.checked_sub(self.incarnation)
    }

    fn encoded_len(&self, incarnation: u64) -> usize {
        let age = self.age(incarnation).unwrap_or_default();
        let count = self.slots.len();
        varint::encoded_len(age)
            + self.replicates.map_or(0, |_| NodeId::LEN)
            + varint::encoded_len(count as u64)
            + count * SlotRange::LEN
    }

    #[inline(always)]
    fn read(flags: u8, incarnation: u64, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = *reader;
        let age = varint::read(reader)?;
        let Some(set_at) = incarnation.checked_sub(age) else {
            return Err(start.error(DecodeErrorKind::InvalidMetaAge));
        };
        let replicates = match flags & REPLICATES {
            0 => None,
            _ => Some(reader.node_id()?),
        };
        Ok(Self {
            incarnation: set_at,
            replicates,
            slots: read_slots(reader)?,
        })
    }

    fn write(&self, incarnation: u64, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        let age = self
            .age(incarnation)
            .ok_or(EncodeError::MetaAheadOfMember)?;
        varint::write(age, out)?;
        self.replicates
            .iter()
            .try_for_each(|node| out.node_id(node))?;
        if self.slots.len() > MAX_LIST_ITEMS {
            return Err(EncodeError::TooManySlotRanges);
        }
        varint::write(self.slots.len() as u64, out)?;
        self.slots.write_ranges(out)
    }
}

#[inline(always)]
fn read_addr(flags: u8, reader: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    if flags & IPV6 == 0 {
        let mut addr = reader.fixed::<V4_LEN>()?;
        let octets: [u8; 4] = *addr.array()?;
        Ok((Ipv4Addr::from(octets), addr.u16()?).into())
    } else {
        let mut addr = reader.fixed::<V6_LEN>()?;
        let octets: [u8; 16] = *addr.array()?;
        Ok((Ipv6Addr::from(octets), addr.u16()?).into())
    }
}

#[inline(always)]
fn write_addr(addr: &SocketAddr, out: &mut Writer<'_>) -> Result<(), EncodeError> {
    match addr {
        SocketAddr::V4(addr) => out.fixed::<V4_LEN>(|out| {
            out.array(addr.ip().octets())?;
            out.u16(addr.port())
        }),
        SocketAddr::V6(addr) => out.fixed::<V6_LEN>(|out| {
            out.array(addr.ip().octets())?;
            out.u16(addr.port())
        }),
    }
}

#[inline(always)]
fn read_slots<'a>(reader: &mut Reader<'a>) -> Result<Slots<'a>, DecodeError> {
    let start = *reader;
    let count = varint::read(reader)?;
    if count > MAX_LIST_ITEMS as u64 {
        return Err(start.error(DecodeErrorKind::TooManySlotRanges));
    }
    let count = count as u16;
    if usize::from(count) * SlotRange::LEN > reader.rest().len() {
        return Err(start.error(DecodeErrorKind::CountTooLarge(count)));
    }
    Slots::read_ranges(count, reader)
}
