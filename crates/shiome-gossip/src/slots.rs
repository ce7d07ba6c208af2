//! Hash slots: who owns which part of the key space.
//!
//! A list of ranges is a count (u16) and as many ranges:
//!
//! | offset | bytes | field of a range                                                           |
//! |--------|-------|----------------------------------------------------------------------------|
//! | 0      | 2     | first slot, u16                                                            |
//! | 2      | 2     | last slot, u16; not below the first and below [`SLOT_COUNT`] |

use core::{fmt, iter::Copied, slice};

use thiserror::Error;

use crate::{
    error::{DecodeError, DecodeErrorKind, EncodeError},
    limits::SLOT_COUNT,
    node_id::NodeId,
    reader::Reader,
    writer::Writer,
};

/// Slots from a first to a last one, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SlotRange {
    start: u16,
    end: u16,
}

/// The slots are not a range within [`SLOT_COUNT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("no slot range from {start} to {end}")]
pub struct SlotRangeError {
    start: u16,
    end: u16,
}

impl SlotRange {
    /// Length on the wire, in bytes.
    pub const LEN: usize = 4;

    /// The slots from `start` to `end`, both included.
    ///
    /// # Errors
    ///
    /// When `start` is above `end`, or `end` is not below [`SLOT_COUNT`].
    pub const fn new(start: u16, end: u16) -> Result<Self, SlotRangeError> {
        if start <= end && end < SLOT_COUNT {
            Ok(Self { start, end })
        } else {
            Err(SlotRangeError { start, end })
        }
    }

    /// The first slot.
    pub const fn start(self) -> u16 {
        self.start
    }

    /// The last slot.
    pub const fn end(self) -> u16 {
        self.end
    }

    /// Number of slots, from 1 to [`SLOT_COUNT`].
    pub const fn slots(self) -> u16 {
        self.end - self.start + 1
    }

    fn from_wire(bytes: &[u8; Self::LEN]) -> Self {
        let [a, b, c, d] = *bytes;
        Self {
            start: u16::from_le_bytes([a, b]),
            end: u16::from_le_bytes([c, d]),
        }
    }

    fn to_wire(self) -> [u8; Self::LEN] {
        let ([a, b], [c, d]) = (self.start.to_le_bytes(), self.end.to_le_bytes());
        [a, b, c, d]
    }
}

/// A list of slot ranges: a view of a datagram, or of the caller's ranges to be written.
///
/// Each range is valid. Overlapping, adjacent and unsorted ranges are legal on the wire and come out as they are.
#[derive(Clone, Copy)]
pub struct Slots<'a>(Source<'a>);

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Ranges of a datagram, found valid.
    Wire(&'a [[u8; SlotRange::LEN]]),
    Ranges(&'a [SlotRange]),
}

impl<'a> Slots<'a> {
    /// No slots.
    pub const EMPTY: Self = Self(Source::Ranges(&[]));

    /// Number of ranges.
    pub fn len(&self) -> usize {
        match self.0 {
            Source::Wire(bytes) => bytes.len(),
            Source::Ranges(ranges) => ranges.len(),
        }
    }

    /// Whether there is no range.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The ranges, in the order of the wire.
    pub fn iter(&self) -> SlotsIter<'a> {
        SlotsIter(match self.0 {
            Source::Wire(bytes) => SourceIter::Wire(bytes.iter()),
            Source::Ranges(ranges) => SourceIter::Ranges(ranges.iter().copied()),
        })
    }

    /// The ranges, to be kept.
    #[cfg(feature = "alloc")]
    pub fn to_vec(&self) -> alloc::vec::Vec<SlotRange> {
        self.iter().collect()
    }

    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let count = reader.count(SlotRange::LEN)?;
        Self::read_ranges(count, reader)
    }

    /// Reads the ranges that follow a count.
    #[inline(always)]
    pub(crate) fn read_ranges(count: u16, reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.offset();
        let list = reader.part(usize::from(count) * SlotRange::LEN)?;
        let (ranges, _) = list.rest().as_chunks();
        for (index, range) in ranges.iter().enumerate() {
            let SlotRange { start: first, end } = SlotRange::from_wire(range);
            if SlotRange::new(first, end).is_err() {
                let kind = DecodeErrorKind::InvalidSlotRange { start: first, end };
                let offset = start + index * SlotRange::LEN;
                return Err(DecodeError::new(offset, kind));
            }
        }
        Ok(Self(Source::Wire(ranges)))
    }

    #[inline(always)]
    pub(crate) fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.slot_count(self.len())?;
        self.write_ranges(out)
    }

    /// Writes the ranges without their count.
    #[inline(always)]
    pub(crate) fn write_ranges(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self.0 {
            Source::Wire(ranges) => out.arrays(ranges.iter().copied()),
            Source::Ranges(ranges) => out.arrays(ranges.iter().map(|range| range.to_wire())),
        }
    }

    /// Length on the wire with the count, in bytes.
    pub(crate) fn encoded_len(&self) -> usize {
        2 + self.len() * SlotRange::LEN
    }
}

impl<'a> From<&'a [SlotRange]> for Slots<'a> {
    fn from(ranges: &'a [SlotRange]) -> Self {
        Self(Source::Ranges(ranges))
    }
}

impl Default for Slots<'_> {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl PartialEq for Slots<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Slots<'_> {}

impl fmt::Debug for Slots<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for Slots<'a> {
    type Item = SlotRange;
    type IntoIter = SlotsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over [`Slots`].
#[derive(Debug, Clone)]
pub struct SlotsIter<'a>(SourceIter<'a>);

#[derive(Debug, Clone)]
enum SourceIter<'a> {
    Wire(slice::Iter<'a, [u8; SlotRange::LEN]>),
    Ranges(Copied<slice::Iter<'a, SlotRange>>),
}

impl Iterator for SlotsIter<'_> {
    type Item = SlotRange;

    #[inline]
    fn next(&mut self) -> Option<SlotRange> {
        match &mut self.0 {
            SourceIter::Wire(bytes) => bytes.next().map(SlotRange::from_wire),
            SourceIter::Ranges(ranges) => ranges.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            SourceIter::Wire(bytes) => bytes.size_hint(),
            SourceIter::Ranges(ranges) => ranges.size_hint(),
        }
    }
}

impl ExactSizeIterator for SlotsIter<'_> {}

/// Message 6, of the extended set: the sender says which slots it owns.
///
/// | offset | bytes | field                     |
/// |--------|-------|---------------------------|
/// | 0      | 1     | tag, 6                    |
/// | 1      | 16    | sender                    |
/// | 17     | 8     | sender's incarnation, u64 |
/// | 25     | 2     | number of ranges, u16     |
/// | 27     | 4 × n | ranges                    |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotsAnnounce<'a> {
    /// The node that owns the slots.
    pub sender: NodeId,
    /// Its incarnation.
    pub incarnation: u64,
    /// All its slots.
    pub slots: Slots<'a>,
}

impl<'a> SlotsAnnounce<'a> {
    pub(crate) const TAG: u8 = 6;

    /// Writes the message to the start of `buf` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when it does not fit, or has too many ranges for any reader.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, EncodeError> {
        let mut out = Writer::new(buf);
        out.u8(Self::TAG)?;
        out.node_id(&self.sender)?;
        out.u64(self.incarnation)?;
        self.slots.write(&mut out)?;
        Ok(out.len())
    }

    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            sender: reader.node_id()?,
            incarnation: reader.u64()?,
            slots: Slots::read(reader)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_LIST_ITEMS;

    fn range(start: u16, end: u16) -> SlotRange {
        SlotRange::new(start, end).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Slots<'_>, DecodeError> {
        Slots::read(&mut Reader::new(bytes).unwrap())
    }

    #[test]
    fn a_range_stays_within_the_slots_and_has_at_least_one() {
        assert_eq!(range(0, SLOT_COUNT - 1).slots(), SLOT_COUNT);
        assert_eq!(range(7, 7).slots(), 1);
        assert!(SlotRange::new(8, 7).is_err());
        assert!(SlotRange::new(0, SLOT_COUNT).is_err());
        assert!(SlotRange::new(u16::MAX, u16::MAX).is_err());
    }

    #[test]
    fn any_order_and_overlap_is_legal() {
        let bytes = [3, 0, 9, 0, 9, 0, 0, 0, 5, 0, 4, 0, 6, 0];
        let slots = read(&bytes).unwrap();
        assert!(slots.iter().eq([range(9, 9), range(0, 5), range(4, 6)]));
        assert_eq!((slots.len(), slots.iter().len()), (3, 3));
    }

    #[test]
    fn a_range_that_is_none_is_told_with_its_place() {
        for (bytes, start, end) in [
            ([2, 0, 0, 0, 5, 0, 6, 0, 5, 0], 6, 5),
            ([2, 0, 0, 0, 5, 0, 0, 0, 0, 0x40], 0, SLOT_COUNT),
        ] {
            let error = read(&bytes).unwrap_err();
            let kind = DecodeErrorKind::InvalidSlotRange { start, end };
            assert_eq!((error.offset(), error.kind()), (6, kind));
        }
    }

    #[test]
    fn more_ranges_than_a_reader_takes_are_not_written() {
        let mut buf = [0; 8 * 1024];
        let ranges = [range(1, 2); MAX_LIST_ITEMS + 1];
        let announce = |ranges| {
            let slots = Slots::from(ranges);
            SlotsAnnounce {
                sender: NodeId::from([7; 16]),
                incarnation: 1,
                slots,
            }
        };
        let len = announce(&ranges[1..]).encode(&mut buf).unwrap();
        assert_eq!(len, 27 + 4 * MAX_LIST_ITEMS);
        assert_eq!(
            announce(&ranges).encode(&mut buf),
            Err(EncodeError::TooManySlotRanges)
        );
    }

    #[test]
    fn slots_are_equal_wherever_they_lie() {
        let ranges = [range(0, 5)];
        let bytes = [1, 0, 0, 0, 5, 0];
        assert_eq!(read(&bytes), Ok(Slots::from(&ranges[..])));
        assert_ne!(read(&bytes), Ok(Slots::EMPTY));
        #[cfg(feature = "alloc")]
        assert_eq!(read(&bytes).unwrap().to_vec(), ranges);
    }
}
