use super::{
    header::Header,
    message::{ACK, GOSSIP, PING, RECORDS},
    probe::Probe,
    update::Update,
};
use crate::{error::EncodeError, writer::Writer};

/// Writes a message that ends in updates, with as many as there is room for. The length of the buffer is the budget.
#[derive(Debug)]
pub struct Packer<'b> {
    out: Writer<'b>,
    items: usize,
}

impl<'b> Packer<'b> {
    /// Starts a Ping at the start of `buf`, which is the budget of the datagram.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when not even a Ping without updates fits.
    #[inline]
    pub fn ping(
        buf: &'b mut [u8],
        header: &Header,
        seq: u32,
        digest: u64,
    ) -> Result<Self, EncodeError> {
        Self::probe(PING, buf, header, seq, digest)
    }

    /// Starts an Ack at the start of `buf`, which is the budget of the datagram.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when not even an Ack without updates fits.
    #[inline]
    pub fn ack(
        buf: &'b mut [u8],
        header: &Header,
        seq: u32,
        digest: u64,
    ) -> Result<Self, EncodeError> {
        Self::probe(ACK, buf, header, seq, digest)
    }

    /// Starts a Gossip at the start of `buf`, which is the budget of the datagram.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when not even the header fits.
    #[inline]
    pub fn gossip(buf: &'b mut [u8], header: &Header) -> Result<Self, EncodeError> {
        Self::plain(GOSSIP, buf, header)
    }

    /// Starts Records at the start of `buf`, which is the budget of the datagram.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when not even the header fits.
    #[inline]
    pub fn records(buf: &'b mut [u8], header: &Header) -> Result<Self, EncodeError> {
        Self::plain(RECORDS, buf, header)
    }

    #[inline]
    fn plain(tag: u8, buf: &'b mut [u8], header: &Header) -> Result<Self, EncodeError> {
        let mut out = Writer::new(buf);
        out.fixed::<{ Header::LEN }>(|out| header.write(tag, out))?;
        Ok(Self { out, items: 0 })
    }

    #[inline]
    fn probe(
        tag: u8,
        buf: &'b mut [u8],
        header: &Header,
        seq: u32,
        digest: u64,
    ) -> Result<Self, EncodeError> {
        let mut out = Writer::new(buf);
        out.fixed::<{ Probe::LEN }>(|out| {
            header.write(tag, out)?;
            out.u32(seq)?;
            out.u64(digest)
        })?;
        Ok(Self { out, items: 0 })
    }

    /// Packs one update.
    ///
    /// # Errors
    ///
    /// [`EncodeError`] when it does not go in. The datagram is as it was before, and another update may still fit.
    #[inline]
    pub fn push(&mut self, update: &Update<'_>) -> Result<(), EncodeError> {
        self.out.whole(|out| update.write(out))?;
        self.items += 1;
        Ok(())
    }

    /// Number of updates packed so far.
    #[inline]
    pub fn items(&self) -> usize {
        self.items
    }

    /// Length of the datagram so far, in bytes.
    #[inline]
    pub fn datagram_len(&self) -> usize {
        self.out.len()
    }

    /// Bytes that are left for updates.
    #[inline]
    pub fn room(&self) -> usize {
        self.out.room()
    }

    /// Ends the message and returns its length, in bytes.
    #[inline]
    pub fn finish(self) -> usize {
        self.out.len()
    }
}
