//! Probes: Ping, its Ack, and PingReq, which asks others to ping.

use core::net::SocketAddr;

use crate::{
    address,
    error::{DecodeError, EncodeError},
    list::List,
    node_id::NodeId,
    packer::Packer,
    reader::Reader,
    update::Update,
    writer::Writer,
};

/// Length of what is always known of a probe, its tag not included, in bytes.
const HEAD_LEN: usize = 8 + NodeId::LEN;

/// Message 1: is the receiver alive? Written with [`Packer::ping`].
///
/// | offset | bytes | field                  |
/// |--------|-------|------------------------|
/// | 0      | 1     | tag, 1                 |
/// | 1      | 8     | sequence number, u64   |
/// | 9      | 16    | sender                 |
/// | 25     | 2     | number of updates, u16 |
/// | 27     |       | updates                |
#[derive(Debug, Clone, Copy)]
pub struct Ping<'a> {
    /// The number that the Ack has to carry.
    pub seq: u64,
    /// Who asks.
    pub sender: NodeId,
    /// News that came along. Answer whether they decode or not.
    pub updates: List<'a, Update<'a>>,
}

/// Message 3: the answer to a [`Ping`], direct or on behalf of a [`PingReq`]. Written with [`Packer::ack`].
///
/// | offset | bytes | field                       |
/// |--------|-------|-----------------------------|
/// | 0      | 1     | tag, 3                      |
/// | 1      | 8     | the Ping's sequence number  |
/// | 9      | 16    | sender                      |
/// | 25     | 2     | number of updates, u16      |
/// | 27     |       | updates                     |
#[derive(Debug, Clone, Copy)]
pub struct Ack<'a> {
    /// The number of what is answered.
    pub seq: u64,
    /// Who answers.
    pub sender: NodeId,
    /// News that came along. It is an Ack whether they decode or not.
    pub updates: List<'a, Update<'a>>,
}

/// Message 2: the receiver is asked to ping another node and to hand on its Ack.
///
/// | offset | bytes  | field                |
/// |--------|--------|----------------------|
/// | 0      | 1      | tag, 2               |
/// | 1      | 8      | sequence number, u64 |
/// | 9      | 16     | sender               |
/// | 25     | 16     | target               |
/// | 41     | 7 / 19 | target's address     |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PingReq {
    /// The number that the Ack has to carry.
    pub seq: u64,
    /// Who asks.
    pub sender: NodeId,
    /// Whom to ping.
    pub target: NodeId,
    /// Where the asker thinks the target is. Pinging any address that a stranger names makes a reflector.
    pub target_addr: SocketAddr,
}

impl<'a> Ping<'a> {
    pub(crate) const TAG: u8 = 1;

    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut head = reader.fixed::<HEAD_LEN>()?;
        Ok(Self {
            seq: head.u64()?,
            sender: head.node_id()?,
            updates: List::new(*reader),
        })
    }
}

impl<'a> Ack<'a> {
    pub(crate) const TAG: u8 = 3;

    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let mut head = reader.fixed::<HEAD_LEN>()?;
        Ok(Self {
            seq: head.u64()?,
            sender: head.node_id()?,
            updates: List::new(*reader),
        })
    }
}

impl<'b> Packer<'b, Update<'static>> {
    /// Starts a [`Ping`] at the start of `buf`, which is the budget of the datagram.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when not even a Ping without updates fits.
    #[inline]
    pub fn ping(buf: &'b mut [u8], seq: u64, sender: NodeId) -> Result<Self, EncodeError> {
        Self::probe(buf, Ping::TAG, seq, sender)
    }

    /// Starts an [`Ack`] at the start of `buf`, which is the budget of the datagram.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when not even an Ack without updates fits.
    #[inline]
    pub fn ack(buf: &'b mut [u8], seq: u64, sender: NodeId) -> Result<Self, EncodeError> {
        Self::probe(buf, Ack::TAG, seq, sender)
    }

    #[inline]
    fn probe(buf: &'b mut [u8], tag: u8, seq: u64, sender: NodeId) -> Result<Self, EncodeError> {
        let mut out = Writer::new(buf);
        out.fixed::<{ 1 + HEAD_LEN }>(|out| {
            out.u8(tag)?;
            out.u64(seq)?;
            out.node_id(&sender)
        })?;
        Self::new(out)
    }
}

impl PingReq {
    pub(crate) const TAG: u8 = 2;

    /// Writes the message to the start of `buf` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when it does not fit.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, EncodeError> {
        let mut out = Writer::new(buf);
        out.u8(Self::TAG)?;
        out.u64(self.seq)?;
        out.node_id(&self.sender)?;
        out.node_id(&self.target)?;
        address::write(&self.target_addr, &mut out)?;
        Ok(out.len())
    }

    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            seq: reader.u64()?,
            sender: reader.node_id()?,
            target: reader.node_id()?,
            target_addr: address::read(reader)?,
        })
    }
}
