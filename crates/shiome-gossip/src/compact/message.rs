use super::{
    header::Header,
    probe::{Nack, PingReq, Probe},
    sync::Sync,
    updates::Updates,
};
use crate::{
    error::{DecodeError, DecodeErrorKind},
    reader::Reader,
};

pub(super) const PING: u8 = 0x40;
pub(super) const ACK: u8 = 0x41;
pub(super) const PING_REQ: u8 = 0x42;
pub(super) const NACK: u8 = 0x43;
pub(super) const GOSSIP: u8 = 0x44;
pub(super) const SYNC: u8 = 0x45;
pub(super) const RECORDS: u8 = 0x46;

/// One message. Layouts stand at each type.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Message<'a> {
    /// 0x40: is the receiver alive?
    Ping(Probe<'a>),
    /// 0x41: the answer to a Ping, direct or on behalf of a PingReq.
    Ack(Probe<'a>),
    /// 0x42: ask another for me.
    PingReq(PingReq),
    /// 0x43: the other did not answer.
    Nack(Nack),
    /// 0x44: news, to which there is no answer.
    Gossip(Updates<'a>),
    /// 0x45: what the sender knows of the cluster, in parts that can be compared.
    Sync(Sync<'a>),
    /// 0x46: what a table says, as the answer to a Sync. It is no news and is not passed on.
    Records(Updates<'a>),
}

impl<'a> Message<'a> {
    #[inline(always)]
    fn read(tag: u8, mut reader: Reader<'a>) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match tag {
            PING => Self::Ping(Probe::read(reader)?),
            ACK => Self::Ack(Probe::read(reader)?),
            PING_REQ => Self::PingReq(PingReq::read(&mut reader)?),
            NACK => Self::Nack(Nack::read(&mut reader)?),
            GOSSIP => Self::Gossip(Updates::new(reader)),
            SYNC => Self::Sync(Sync::read(&mut reader)?),
            RECORDS => Self::Records(Updates::new(reader)),
            _ => return Ok(None),
        }))
    }
}

/// What arrived in one compact datagram.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// Which cluster, and who of it.
    pub header: Header,
    /// The message.
    pub message: Message<'a>,
}

impl<'a> Datagram<'a> {
    /// Decodes the message up to the updates that end it, if it has any. Nothing is copied.
    ///
    /// Updates are decoded when they are iterated over, so a probe is known and can be answered whatever they are.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it has no header, is not a known message, or is broken outside of its updates.
    #[inline]
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let start = Reader::new(datagram)?;
        let mut reader = start;
        let (tag, header) = Header::read(&mut reader)?;
        match Message::read(tag, reader)? {
            Some(message) => Ok(Self { header, message }),
            None => Err(start.error(DecodeErrorKind::UnknownMessage(tag))),
        }
    }
}
