//! Probes: Ping and its Ack, PingReq, which asks others to ping, and Nack, which says that it was in vain.

use super::{
    handle::Handle,
    header::Header,
    message::{NACK, PING_REQ},
    updates::Updates,
};
use crate::{
    error::{DecodeError, EncodeError},
    reader::Reader,
    writer::Writer,
};

/// Messages 0x40 and 0x41: a Ping, or the Ack that answers it. Written with [`Packer::ping`](super::Packer::ping) and
/// [`Packer::ack`](super::Packer::ack).
///
/// | offset | bytes | field                |
/// |--------|-------|----------------------|
/// | 0      | 7     | [`Header`]           |
/// | 7      | 4     | sequence number, u32 |
/// | 11     | 8     | digest, u64          |
/// | 19     |       | updates              |
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// The number of a Ping, which its Ack carries, too.
    pub seq: u32,
    /// Hash of what the sender knows of the cluster. Nodes that differ for long have something to tell each other.
    pub digest: u64,
    /// News that came along. The probe counts whether they decode or not.
    pub updates: Updates<'a>,
}

/// Message 0x42: the receiver is asked to ping another node and to hand on its Ack, or to answer with a [`Nack`].
///
/// | offset | bytes | field                |
/// |--------|-------|----------------------|
/// | 0      | 7     | [`Header`]           |
/// | 7      | 4     | sequence number, u32 |
/// | 11     | 4     | handle of the target |
///
/// It names no address, so no stranger can make the receiver send somewhere else than to members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingReq {
    /// The number that the Ack or the Nack has to carry.
    pub seq: u32,
    /// Whom to ping.
    pub target: Handle,
}

/// Message 0x43: the target of a [`PingReq`] did not answer, or is not known.
///
/// | offset | bytes | field                |
/// |--------|-------|----------------------|
/// | 0      | 7     | [`Header`]           |
/// | 7      | 4     | sequence number, u32 |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nack {
    /// The number of the PingReq.
    pub seq: u32,
}

impl<'a> Probe<'a> {
    /// Length without the header and the updates, in bytes.
    const HEAD_LEN: usize = 4 + 8;

    /// Length without the updates, in bytes.
    pub(super) const LEN: usize = Header::LEN + Self::HEAD_LEN;

    #[inline(always)]
    pub(super) fn read(mut reader: Reader<'a>) -> Result<Self, DecodeError> {
        let mut head = reader.fixed::<{ Probe::HEAD_LEN }>()?;
        Ok(Self {
            seq: head.u32()?,
            digest: head.u64()?,
            updates: Updates::new(reader),
        })
    }
}

impl PingReq {
    const LEN: usize = Header::LEN + 4 + Handle::LEN;

    /// Writes the message to the start of `buf` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when it does not fit.
    pub fn encode(&self, header: &Header, buf: &mut [u8]) -> Result<usize, EncodeError> {
        let mut out = Writer::new(buf);
        out.fixed::<{ Self::LEN }>(|out| {
            header.write(PING_REQ, out)?;
            out.u32(self.seq)?;
            self.target.write(out)
        })?;
        Ok(out.len())
    }

    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            seq: reader.u32()?,
            target: Handle::read(reader)?,
        })
    }
}

impl Nack {
    const LEN: usize = Header::LEN + 4;

    /// Writes the message to the start of `buf` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when it does not fit.
    pub fn encode(&self, header: &Header, buf: &mut [u8]) -> Result<usize, EncodeError> {
        let mut out = Writer::new(buf);
        out.fixed::<{ Self::LEN }>(|out| {
            header.write(NACK, out)?;
            out.u32(self.seq)
        })?;
        Ok(out.len())
    }

    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { seq: reader.u32()? })
    }
}
