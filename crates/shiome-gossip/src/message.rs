use crate::{
    error::{DecodeError, DecodeErrorKind},
    extension::Extension,
    join::{Join, Welcome},
    list::Trailing,
    node_id::NodeId,
    probe::{Ack, Ping, PingReq},
    reader::Reader,
    slots::SlotsAnnounce,
};

/// One message. Layouts stand at each type.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Message<'a> {
    /// Is the receiver alive?
    Ping(Ping<'a>),
    /// Ask another for me.
    PingReq(PingReq),
    /// The answer to a Ping.
    Ack(Ack<'a>),
    /// The sender wants to be a member.
    Join(Join),
    /// The members that the sender knows.
    Welcome(Welcome<'a>),
    /// The slots that the sender owns. Extended set.
    SlotsAnnounce(SlotsAnnounce<'a>),
}

impl<'a> Message<'a> {
    #[inline(always)]
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.offset();
        Ok(match reader.u8()? {
            Ping::TAG => Self::Ping(Ping::read(reader)?),
            PingReq::TAG => Self::PingReq(PingReq::read(reader)?),
            Ack::TAG => Self::Ack(Ack::read(reader)?),
            Join::TAG => Self::Join(Join::read(reader)?),
            Welcome::TAG => Self::Welcome(Welcome::read(reader)?),
            SlotsAnnounce::TAG => Self::SlotsAnnounce(SlotsAnnounce::read(reader)?),
            other => {
                let kind = DecodeErrorKind::UnknownMessage(other);
                return Err(DecodeError::new(start, kind));
            }
        })
    }

    /// Who says it sent the message.
    pub fn sender(&self) -> NodeId {
        match self {
            Self::Ping(ping) => ping.sender,
            Self::PingReq(request) => request.sender,
            Self::Ack(ack) => ack.sender,
            Self::Join(join) => join.sender,
            Self::Welcome(welcome) => welcome.sender,
            Self::SlotsAnnounce(announce) => announce.sender,
        }
    }
}

/// What arrived in one datagram: a message, and what follows it.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// The message.
    pub message: Message<'a>,
    /// What follows the message, or the list that ends it.
    rest: Reader<'a>,
}

impl<'a> Datagram<'a> {
    /// Decodes the message up to the list that ends it, if one does. Nothing is copied.
    ///
    /// The list is decoded when it is iterated over, so a datagram whose list is broken still gives its sender and
    /// its sequence number. What follows the message is ignored.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is not a known message, or is broken outside of that list.
    #[inline]
    pub fn decode(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(datagram)?;
        Ok(Self {
            message: Message::read(&mut reader)?,
            rest: reader,
        })
    }

    /// Decodes a datagram that has to be right to its last byte: a list that decodes, and nothing behind it.
    ///
    /// Made for tests and tools. Nodes that do so cut themselves off from all that the format may still become.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for what is wrong first.
    pub fn decode_strict(datagram: &'a [u8]) -> Result<Self, DecodeError> {
        let decoded = Self::decode(datagram)?;
        let Trailing(rest) = decoded.trailing()?;
        if rest.rest().is_empty() {
            Ok(decoded)
        } else {
            Err(rest.error(DecodeErrorKind::TrailingBytes))
        }
    }

    /// What follows the message. Decodes its list to find out; [`ListIter::trailing`](crate::ListIter::trailing) does
    /// not do so twice.
    ///
    /// # Errors
    ///
    /// The [`DecodeError`] that ends the list.
    pub fn trailing(&self) -> Result<Trailing<'a>, DecodeError> {
        match &self.message {
            Message::Ping(ping) => ping.updates.iter().trailing(),
            Message::Ack(ack) => ack.updates.iter().trailing(),
            Message::Welcome(welcome) => welcome.members.iter().trailing(),
            Message::PingReq(_) | Message::Join(_) | Message::SlotsAnnounce(_) => {
                Ok(Trailing(self.rest))
            }
        }
    }

    /// The extension that follows the message, if one does.
    ///
    /// # Errors
    ///
    /// As [`trailing`](Self::trailing) and [`Trailing::extension`].
    pub fn extension(&self) -> Result<Option<Extension<'a>>, DecodeError> {
        self.trailing()?.extension()
    }
}
