use super::handle::Handle;
use crate::{
    error::{DecodeError, EncodeError},
    reader::Reader,
    writer::Writer,
};

/// What every compact datagram starts with, behind its tag.
///
/// | offset | bytes | field                             |
/// |--------|-------|-----------------------------------|
/// | 0      | 1     | tag                               |
/// | 1      | 2     | low bits of the cluster's id, u16 |
/// | 3      | 4     | handle of the sender              |
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header {
    /// The low bits of what [`Field::ClusterId`](crate::Field::ClusterId) tells in full.
    pub cluster: u16,
    /// Who sends.
    pub sender: Handle,
}

impl Header {
    /// Length on the wire with the tag, in bytes.
    pub(super) const LEN: usize = 1 + 2 + Handle::LEN;

    /// Reads the tag, too.
    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<(u8, Self), DecodeError> {
        let mut head = reader.fixed::<{ Self::LEN }>()?;
        let tag = head.u8()?;
        let cluster = head.u16()?;
        let sender = Handle::read(&mut head)?;
        Ok((tag, Self { cluster, sender }))
    }

    #[inline(always)]
    pub(super) fn write(&self, tag: u8, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.u8(tag)?;
        out.u16(self.cluster)?;
        self.sender.write(out)
    }
}
