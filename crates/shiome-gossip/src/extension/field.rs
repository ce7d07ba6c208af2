use core::{net::SocketAddr, ops::BitOr};

use crate::{
    address,
    error::{DecodeError, DecodeErrorKind, EncodeError},
    node_id::NodeId,
    reader::Reader,
    writer::Writer,
};

const CAPABILITIES: u8 = 1;
const CLUSTER_ID: u8 = 2;
const INCARNATION: u8 = 3;
const SUSPECTOR: u8 = 4;
const LOCAL_HEALTH: u8 = 5;
const NACK: u8 = 6;
const DIGEST: u8 = 7;
const ADDRESS: u8 = 8;

/// One field of an [`Extension`](crate::Extension).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// What the sender can do beyond the installed base.
    Capabilities(Capabilities),
    /// A hash of the name of the sender's cluster. It keeps clusters apart that share a network by mistake; it is no
    /// secret and proves nothing.
    ClusterId(u64),
    /// The sender's incarnation, which Join, Ping and Ack do not tell.
    Incarnation(u64),
    /// Who it is that suspects the node of a Suspect, or declares that of a Dead: what independent confirmations are
    /// counted by. Any number for the same update.
    Suspector {
        /// Which update of this datagram is meant, from 0. One that is not there means nothing.
        update: u16,
        /// Who says so.
        node: NodeId,
    },
    /// The sender's local health multiplier, from 0 (well). High: it doubts itself rather than others.
    LocalHealth(u8),
    /// On a PingReq: say so if the target does not answer. On an Ack, as which it is sent to nobody who has not asked
    /// for it: the target did not answer.
    Nack,
    /// What the sender knows of the cluster. Nodes that differ have something to tell each other.
    Digest {
        /// Number of members in the table.
        members: u32,
        /// Hash of the table.
        hash: u64,
    },
    /// Where the sender listens for gossip, for what does not tell it.
    Address(SocketAddr),
}

impl Field {
    /// Length on the wire, in bytes.
    pub fn encoded_len(&self) -> usize {
        2 + self.value_len()
    }

    fn value_len(&self) -> usize {
        match self {
            Self::Capabilities(_) | Self::ClusterId(_) | Self::Incarnation(_) => 8,
            Self::Suspector { .. } => 2 + NodeId::LEN,
            Self::LocalHealth(_) => 1,
            Self::Nack => 0,
            Self::Digest { .. } => 12,
            Self::Address(addr) => address::encoded_len(addr),
        }
    }

    fn tag(&self) -> u8 {
        match self {
            Self::Capabilities(_) => CAPABILITIES,
            Self::ClusterId(_) => CLUSTER_ID,
            Self::Incarnation(_) => INCARNATION,
            Self::Suspector { .. } => SUSPECTOR,
            Self::LocalHealth(_) => LOCAL_HEALTH,
            Self::Nack => NACK,
            Self::Digest { .. } => DIGEST,
            Self::Address(_) => ADDRESS,
        }
    }

    /// Reads one field; `None` when its tag is not known.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let start = *reader;
        let (tag, len) = (reader.u8()?, reader.u8()?);
        let mut value = reader.part(len.into())?;
        let field = Self::read_value(tag, &mut value);
        let fits = match field {
            Ok(None) => true,
            Ok(Some(_)) => value.rest().is_empty(),
            Err(error) => error.kind() != DecodeErrorKind::Truncated,
        };
        if fits {
            field
        } else {
            Err(start.error(DecodeErrorKind::InvalidFieldLen { tag, len }))
        }
    }

    fn read_value(tag: u8, value: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match tag {
            CAPABILITIES => Self::Capabilities(Capabilities(value.u64()?)),
            CLUSTER_ID => Self::ClusterId(value.u64()?),
            INCARNATION => Self::Incarnation(value.u64()?),
            SUSPECTOR => Self::Suspector {
                update: value.u16()?,
                node: value.node_id()?,
            },
            LOCAL_HEALTH => Self::LocalHealth(value.u8()?),
            NACK => Self::Nack,
            DIGEST => Self::Digest {
                members: value.u32()?,
                hash: value.u64()?,
            },
            ADDRESS => Self::Address(address::read(value)?),
            _ => return Ok(None),
        }))
    }

    pub(super) fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(self.tag())?;
        // No value is longer than a suspector or an address.
        out.u8(self.value_len() as u8)?;
        match self {
            Self::Capabilities(capabilities) => out.u64(capabilities.0),
            Self::ClusterId(value) | Self::Incarnation(value) => out.u64(*value),
            Self::Suspector { update, node } => {
                out.u16(*update)?;
                out.node_id(node)
            }
            Self::LocalHealth(multiplier) => out.u8(*multiplier),
            Self::Nack => Ok(()),
            Self::Digest { members, hash } => {
                out.u32(*members)?;
                out.u64(*hash)
            }
            Self::Address(addr) => address::write(addr, out),
        }
    }
}

/// What a node can do beyond the installed base, a bit each. Bits that are not known are kept and mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Bit 0: answers a PingReq that asks for it with a [`Field::Nack`].
    pub const NACK: Self = Self(1 << 0);
    /// Bit 1: tells and counts [`Field::Suspector`]s.
    pub const SUSPECTORS: Self = Self(1 << 1);
    /// Bit 2: sends [`Field::Digest`]s and acts on those that differ.
    pub const DIGEST: Self = Self(1 << 2);
    /// Bit 3: understands [compact](crate::compact) datagrams. Nobody sends them to a node that has not said so.
    pub const COMPACT: Self = Self(1 << 3);

    /// The bits as they stand on the wire.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits as they stand on the wire.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether all of `other` is in this.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
