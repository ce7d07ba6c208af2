use crate::{
    error::EncodeError,
    limits::{MAX_DATAGRAM_LEN, MAX_LIST_ITEMS},
    node_id::NodeId,
};

/// Appends fields to a buffer of fixed length. Inlined by force, as the reader is.
#[derive(Debug)]
pub(crate) struct Writer<'b> {
    buf: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    /// Writes to the start of `buf`, and no more than a datagram can hold.
    #[inline(always)]
    pub(crate) fn new(buf: &'b mut [u8]) -> Self {
        let room = buf.len().min(MAX_DATAGRAM_LEN);
        Self {
            buf: &mut buf[..room],
            len: 0,
        }
    }

    /// Bytes written.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that are left.
    pub(crate) fn room(&self) -> usize {
        self.buf.len() - self.len
    }

    /// Writes all of something, or nothing of it.
    #[inline(always)]
    pub(crate) fn whole(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let start = self.len;
        let written = write(self);
        if written.is_err() {
            self.len = start;
        }
        written
    }

    /// Writes `LEN` bytes with one check: the compiler sees that writing no more than these cannot fail.
    #[inline(always)]
    pub(crate) fn fixed<const LEN: usize>(
        &mut self,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let rest = self.buf.get_mut(self.len..).unwrap_or_default();
        let buf = rest.first_chunk_mut::<LEN>().ok_or(EncodeError::NoRoom)?;
        write(&mut Writer { buf, len: 0 })?;
        self.len += LEN;
        Ok(())
    }

    /// Writes as many fields as there are, each of `LEN` bytes, with one check.
    #[inline(always)]
    pub(crate) fn arrays<const LEN: usize>(
        &mut self,
        fields: impl ExactSizeIterator<Item = [u8; LEN]>,
    ) -> Result<(), EncodeError> {
        let len = fields.len() * LEN;
        let rest = self.buf.get_mut(self.len..).unwrap_or_default();
        let room = rest.get_mut(..len).ok_or(EncodeError::NoRoom)?;
        let (room, _) = room.as_chunks_mut();
        room.iter_mut()
            .zip(fields)
            .for_each(|(room, field)| *room = field);
        self.len += len;
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self, field: [u8; N]) -> Result<(), EncodeError> {
        let rest = self.buf.get_mut(self.len..).unwrap_or_default();
        *rest.first_chunk_mut().ok_or(EncodeError::NoRoom)? = field;
        self.len += N;
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self, value: u8) -> Result<(), EncodeError> {
        self.array([value])
    }

    #[inline(always)]
    pub(crate) fn u16(&mut self, value: u16) -> Result<(), EncodeError> {
        self.array(value.to_le_bytes())
    }

    #[inline(always)]
    pub(crate) fn u32(&mut self, value: u32) -> Result<(), EncodeError> {
        self.array(value.to_le_bytes())
    }

    #[inline(always)]
    pub(crate) fn u64(&mut self, value: u64) -> Result<(), EncodeError> {
        self.array(value.to_le_bytes())
    }

    #[inline(always)]
    pub(crate) fn node_id(&mut self, id: &NodeId) -> Result<(), EncodeError> {
        self.array(*id.as_bytes())
    }

    /// Writes `value` over two bytes that were written before.
    #[inline(always)]
    pub(crate) fn patch_u16(&mut self, at: usize, value: u16) {
        debug_assert!(at + 2 <= self.len, "only what was written is patched");
        if let Some(field) = self
            .buf
            .get_mut(at..)
            .and_then(|rest| rest.first_chunk_mut())
        {
            *field = value.to_le_bytes();
        }
    }

    /// Writes the count of a list of slot ranges.
    #[inline(always)]
    pub(crate) fn slot_count(&mut self, count: usize) -> Result<(), EncodeError> {
        match u16::try_from(count) {
            Ok(wire) if count <= MAX_LIST_ITEMS => self.u16(wire),
            _ => Err(EncodeError::TooManySlotRanges),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_without_room_leaves_no_trace() {
        let mut buf = [0xff; 5];
        let mut writer = Writer::new(&mut buf);
        writer.u16(0x0201).unwrap();
        let written = writer.whole(|out| {
            out.u16(0x0403)?;
            out.u16(0x0605)
        });
        assert_eq!(written, Err(EncodeError::NoRoom));
        assert_eq!((writer.len(), writer.room()), (2, 3));
        writer.patch_u16(0, 0x0807);
        writer.u8(9).unwrap();
        assert_eq!(buf[..3], [7, 8, 9]);
    }

    #[test]
    fn no_more_than_a_datagram_is_written() {
        let mut buf = [0; MAX_DATAGRAM_LEN + 1];
        assert_eq!(Writer::new(&mut buf).room(), MAX_DATAGRAM_LEN);
    }
}
