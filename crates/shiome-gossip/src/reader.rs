use crate::{
    error::{DecodeError, DecodeErrorKind},
    limits::MAX_DATAGRAM_LEN,
    node_id::NodeId,
};

/// Takes fields off the front of a datagram. Every read is checked against what is left.
///
/// All of it is inlined by force: a call that is left takes the reader by address and so keeps it out of registers,
/// which makes decoding some times slower.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// Offset at which `rest` ends, in bytes from the start of the datagram.
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads a datagram from its first byte.
    #[inline(always)]
    pub(crate) fn new(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        if datagram.len() > MAX_DATAGRAM_LEN {
            return Err(DecodeError::new(
                MAX_DATAGRAM_LEN,
                DecodeErrorKind::DatagramTooLong,
            ));
        }
        Ok(Self {
            rest: datagram,
            end: datagram.len(),
        })
    }

    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Bytes taken so far, from the start of the datagram.
    #[inline(always)]
    pub(crate) fn offset(&self) -> usize {
        self.end - self.rest.len()
    }

    /// An error about what comes next.
    #[inline(always)]
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        DecodeError::new(self.offset(), kind)
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], DecodeError> {
        match self.rest.split_first_chunk() {
            Some((field, rest)) => {
                self.rest = rest;
                Ok(field)
            }
            None => Err(self.error(DecodeErrorKind::Truncated)),
        }
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| *byte)
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().copied().map(u16::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().copied().map(u32::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().copied().map(u64::from_le_bytes)
    }

    #[inline(always)]
    pub(crate) fn node_id(&mut self) -> Result<NodeId, DecodeError> {
        self.array().copied().map(NodeId::from)
    }

    /// Takes the next `LEN` bytes as a reader of their own. The compiler sees that reading no more than these from it
    /// cannot fail, which makes one check of many.
    #[inline(always)]
    pub(crate) fn fixed<const LEN: usize>(&mut self) -> Result<Self, DecodeError> {
        let end = self.offset() + LEN;
        let rest = self.array::<LEN>()?;
        Ok(Self { rest, end })
    }

    /// Takes the next `len` bytes as a reader of their own.
    #[inline(always)]
    pub(crate) fn part(&mut self, len: usize) -> Result<Self, DecodeError> {
        let Some((part, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.error(DecodeErrorKind::Truncated));
        };
        let end = self.offset() + len;
        self.rest = rest;
        Ok(Self { rest: part, end })
    }

    /// The count of a list whose items have `min_item_len` bytes or more. What it announces fits into the rest.
    #[inline(always)]
    pub(crate) fn count(&mut self, min_item_len: usize) -> Result<u16, DecodeError> {
        let start = self.offset();
        let count = self.u16()?;
        if usize::from(count) * min_item_len > self.rest.len() {
            let kind = DecodeErrorKind::CountTooLarge(count);
            return Err(DecodeError::new(start, kind));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_does_not_fit_is_told_where_it_starts_and_takes_nothing() {
        let mut reader = Reader::new(&[1, 2, 3, 4]).unwrap();
        assert_eq!(reader.u8(), Ok(1));
        let error = reader.u64().unwrap_err();
        assert_eq!(
            (error.offset(), error.kind()),
            (1, DecodeErrorKind::Truncated)
        );
        assert_eq!(reader.u16(), Ok(0x0302));
        assert_eq!(reader.rest(), [4]);
    }

    #[test]
    fn a_part_counts_its_offsets_from_the_start_of_the_datagram() {
        let mut reader = Reader::new(&[1, 2, 3, 4]).unwrap();
        reader.u8().unwrap();
        let mut part = reader.part(2).unwrap();
        assert_eq!(part.u8(), Ok(2));
        assert_eq!(part.u16().unwrap_err().offset(), 2);
        assert_eq!((reader.offset(), reader.rest()), (3, &[4][..]));
        assert_eq!(reader.part(2).unwrap_err().offset(), 3);
    }

    #[test]
    fn a_count_is_held_against_the_bytes_that_follow() {
        let count = |rest: usize| {
            let datagram = [&[3, 0], &[0; 12][..rest]].concat();
            Reader::new(&datagram).unwrap().count(4)
        };
        assert_eq!(count(12), Ok(3));
        let error = count(11).unwrap_err();
        assert_eq!(
            (error.offset(), error.kind()),
            (0, DecodeErrorKind::CountTooLarge(3))
        );
    }

    #[test]
    fn no_more_than_a_datagram_is_read() {
        let bytes = [0; MAX_DATAGRAM_LEN + 1];
        assert!(Reader::new(&bytes[1..]).is_ok());
        let error = Reader::new(&bytes).unwrap_err();
        assert_eq!(error.kind(), DecodeErrorKind::DatagramTooLong);
    }
}
