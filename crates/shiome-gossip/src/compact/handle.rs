use core::fmt;

use crate::{
    error::{DecodeError, EncodeError},
    node_id::NodeId,
    reader::Reader,
    writer::Writer,
};

/// Short name of a node: 32 bits that every node computes alike from its [`NodeId`].
///
/// It is no identity. Among n members two have the same handle with a chance of n² / 2^33, which is 0.01 % at 1 000
/// members and 1.2 % at 10 000, and whoever chooses ids can make it happen. A table has to notice, and to keep to
/// classic datagrams for both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(u32);

impl Handle {
    /// Length on the wire, in bytes.
    pub const LEN: usize = 4;

    /// The handle of a node.
    ///
    /// With `a` and `b` for the two halves of the id, each a little-endian u64, and all arithmetic modulo 2^64, it is
    /// the upper half of `mix(mix(a + 0x9e3779b97f4a7c15) + b)`. `mix` is the finalizer of SplitMix64, in which every
    /// bit of the input flips every bit of the output with a chance of about one half:
    ///
    /// ```text
    /// x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9
    /// x = (x ^ x >> 27) * 0x94d049bb133111eb
    /// x ^ x >> 31
    /// ```
    #[inline]
    pub const fn of(id: &NodeId) -> Self {
        let id = u128::from_le_bytes(*id.as_bytes());
        let (a, b) = (id as u64, (id >> 64) as u64);
        let mixed = mix(mix(a.wrapping_add(0x9e37_79b9_7f4a_7c15)).wrapping_add(b));
        Self((mixed >> 32) as u32)
    }

    /// The bits as they stand on the wire.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits as they stand on the wire.
    pub const fn bits(self) -> u32 {
        self.0
    }

    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u32().map(Self)
    }

    #[inline(always)]
    pub(super) fn write(self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u32(self.0)
    }
}

const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// 8 hex digits.
impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
