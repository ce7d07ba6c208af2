//! Joining: Join, and Welcome, which answers it with the members.

use core::net::SocketAddr;

use crate::{
    address,
    error::{DecodeError, EncodeError},
    list::{List, ListItem, Wire},
    node_id::NodeId,
    packer::Packer,
    reader::Reader,
    slots::Slots,
    writer::Writer,
};

/// Message 4: the sender wants to be a member. It does not tell its incarnation; see
/// [`Field::Incarnation`](crate::Field::Incarnation).
///
/// | offset | bytes  | field            |
/// |--------|--------|------------------|
/// | 0      | 1      | tag, 4           |
/// | 1      | 16     | sender           |
/// | 17     | 7 / 19 | sender's address |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    /// Who joins.
    pub sender: NodeId,
    /// Where it listens for gossip.
    pub sender_addr: SocketAddr,
}

/// Message 5: the members that the sender knows, in answer to a [`Join`]. Written with [`Packer::welcome`].
///
/// | offset | bytes | field                  |
/// |--------|-------|------------------------|
/// | 0      | 1     | tag, 5                 |
/// | 1      | 16    | sender                 |
/// | 17     | 2     | number of members, u16 |
/// | 19     |       | members                |
#[derive(Debug, Clone, Copy)]
pub struct Welcome<'a> {
    /// Who answers.
    pub sender: NodeId,
    /// Members, not necessarily all that there are.
    pub members: List<'a, Member<'a>>,
}

/// A member in a [`Welcome`].
///
/// | offset  | bytes  | field                                                 |
/// |---------|--------|-------------------------------------------------------|
/// | 0       | 16     | node                                                  |
/// | 16      | 7 / 19 | address                                               |
/// | 23 / 35 | 8      | incarnation, u64                                      |
/// | 31 / 43 | 1      | whether it is a primary: written 0 or 1, read as not 0 |
/// | 32 / 44 | 2      | number of slot ranges, u16                            |
/// | 34 / 46 | 4 × n  | slot ranges                                           |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The node.
    pub id: NodeId,
    /// Where it listens for gossip.
    pub addr: SocketAddr,
    /// Its incarnation.
    pub incarnation: u64,
    /// Whether it is a primary, not a replica.
    pub is_primary: bool,
    /// The slots it owns.
    pub slots: Slots<'a>,
}

impl Join {
    pub(crate) const TAG: u8 = 4;

    /// Writes the message to the start of `buf` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when it does not fit.
    pub fn encode(&self, buf: &mut [u8]) -> Result<usize, EncodeError> {
        let mut out = Writer::new(buf);
        out.u8(Self::TAG)?;
        out.node_id(&self.sender)?;
        address::write(&self.sender_addr, &mut out)?;
        Ok(out.len())
    }

    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            sender: reader.node_id()?,
            sender_addr: address::read(reader)?,
        })
    }
}

impl<'a> Welcome<'a> {
    pub(crate) const TAG: u8 = 5;

    #[inline(always)]
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            sender: reader.node_id()?,
            members: List::new(*reader),
        })
    }
}

impl<'b> Packer<'b, Member<'static>> {
    /// Starts a [`Welcome`] at the start of `buf`, which is the budget of the datagram.
    ///
    /// # Errors
    ///
    /// [`EncodeError::NoRoom`] when not even a Welcome without members fits.
    pub fn welcome(buf: &'b mut [u8], sender: NodeId) -> Result<Self, EncodeError> {
        let mut out = Writer::new(buf);
        out.u8(Welcome::TAG)?;
        out.node_id(&sender)?;
        Self::new(out)
    }
}

impl<'a> ListItem<'a> for Member<'a> {
    type At<'b> = Member<'b>;

    fn encoded_len(&self) -> usize {
        NodeId::LEN + address::encoded_len(&self.addr) + 8 + 1 + self.slots.encoded_len()
    }
}

impl<'a> Wire<'a> for Member<'a> {
    const MIN_LEN: usize = NodeId::LEN + address::MIN_LEN + 8 + 1 + 2;

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let (id, addr) = (reader.node_id()?, address::read(reader)?);
        let mut fixed = reader.fixed::<9>()?;
        Ok(Self {
            id,
            addr,
            incarnation: fixed.u64()?,
            is_primary: fixed.u8()? != 0,
            slots: Slots::read(reader)?,
        })
    }

    #[inline]
    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        out.node_id(&self.id)?;
        address::write(&self.addr, out)?;
        out.fixed::<9>(|out| {
            out.u64(self.incarnation)?;
            out.u8(self.is_primary.into())
        })?;
        self.slots.write(out)
    }
}
