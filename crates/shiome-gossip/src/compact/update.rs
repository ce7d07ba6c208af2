use super::{handle::Handle, member::Member, varint};
use crate::{
    error::{DecodeError, DecodeErrorKind, EncodeError},
    node_id::NodeId,
    reader::Reader,
    writer::Writer,
};

const ALIVE: u8 = 1;
const SUSPECT: u8 = 2;
const DEAD: u8 = 3;
const LEFT: u8 = 4;
const MEMBER: u8 = 5;
const VOTE_REQUEST: u8 = 6;
const VOTE_GRANTED: u8 = 7;
/// From here on, an update tells its length and may be skipped.
const FIRST_SKIPPABLE: u8 = 0x80;

/// News about a node.
///
/// It serves to read and to write: slots are a view of a datagram, or of the caller's ranges. Layouts stand in the
/// documentation of the [module](super).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update<'a> {
    /// 1: the node is alive.
    Alive {
        /// The node.
        node: Handle,
        /// Its incarnation.
        incarnation: u64,
    },
    /// 2: the node does not answer and is dead unless it objects.
    Suspect {
        /// The node.
        node: Handle,
        /// The incarnation that is suspected.
        incarnation: u64,
        /// Who suspects it: what independent confirmations are counted by.
        from: Handle,
    },
    /// 3: the node is dead.
    Dead {
        /// The node.
        node: Handle,
        /// The incarnation that died.
        incarnation: u64,
    },
    /// 4: the node has left.
    Left {
        /// The node.
        node: Handle,
        /// The incarnation that left.
        incarnation: u64,
    },
    /// 5: all that is to be known of a node.
    Member(Member<'a>),
    /// 6: a replica asks for votes to replace its primary.
    VoteRequest {
        /// The replica.
        candidate: NodeId,
        /// The epoch that it wants to lead.
        epoch: u64,
        /// How far it has replicated, in bytes of the stream.
        offset: u64,
    },
    /// 7: a primary votes for a candidate.
    VoteGranted {
        /// The voter.
        from: NodeId,
        /// Whom it votes for.
        candidate: NodeId,
        /// The epoch of the vote.
        epoch: u64,
    },
}

impl<'a> Update<'a> {
    /// Length on the wire, in bytes.
    pub fn encoded_len(&self) -> usize {
        1 + match self {
            Self::Alive { incarnation, .. }
            | Self::Dead { incarnation, .. }
            | Self::Left { incarnation, .. } => Handle::LEN + varint::encoded_len(*incarnation),
            Self::Suspect { incarnation, .. } => {
                2 * Handle::LEN + varint::encoded_len(*incarnation)
            }
            Self::Member(member) => member.encoded_len(),
            Self::VoteRequest { epoch, offset, .. } => {
                NodeId::LEN + varint::encoded_len(*epoch) + varint::encoded_len(*offset)
            }
            Self::VoteGranted { epoch, .. } => 2 * NodeId::LEN + varint::encoded_len(*epoch),
        }
    }

    /// Reads one update; `None` when it was one to be skipped.
    #[inline(always)]
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let start = *reader;
        Ok(Some(match reader.u8()? {
            ALIVE => Self::Alive {
                node: Handle::read(reader)?,
                incarnation: varint::read(reader)?,
            },
            SUSPECT => Self::Suspect {
                node: Handle::read(reader)?,
                incarnation: varint::read(reader)?,
                from: Handle::read(reader)?,
            },
            DEAD => Self::Dead {
                node: Handle::read(reader)?,
                incarnation: varint::read(reader)?,
            },
            LEFT => Self::Left {
                node: Handle::read(reader)?,
                incarnation: varint::read(reader)?,
            },
            MEMBER => Self::Member(Member::read(reader)?),
            VOTE_REQUEST => Self::VoteRequest {
                candidate: reader.node_id()?,
                epoch: varint::read(reader)?,
                offset: varint::read(reader)?,
            },
            VOTE_GRANTED => Self::VoteGranted {
                from: reader.node_id()?,
                candidate: reader.node_id()?,
                epoch: varint::read(reader)?,
            },
            FIRST_SKIPPABLE.. => {
                let len = reader.u8()?;
                reader.part(len.into())?;
                return Ok(None);
            }
            other => return Err(start.error(DecodeErrorKind::UnknownUpdate(other))),
        }))
    }

    #[inline(always)]
    pub(super) fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Alive { node, incarnation } => write_node_at(ALIVE, *node, *incarnation, out),
            Self::Suspect {
                node,
                incarnation,
                from,
            } => {
                write_node_at(SUSPECT, *node, *incarnation, out)?;
                from.write(out)
            }
            Self::Dead { node, incarnation } => write_node_at(DEAD, *node, *incarnation, out),
            Self::Left { node, incarnation } => write_node_at(LEFT, *node, *incarnation, out),
            Self::Member(member) => member.write(MEMBER, out),
            Self::VoteRequest {
                candidate,
                epoch,
                offset,
            } => {
                out.u8(VOTE_REQUEST)?;
                out.node_id(candidate)?;
                varint::write(*epoch, out)?;
                varint::write(*offset, out)
            }
            Self::VoteGranted {
                from,
                candidate,
                epoch,
            } => {
                out.u8(VOTE_GRANTED)?;
                out.node_id(from)?;
                out.node_id(candidate)?;
                varint::write(*epoch, out)
            }
        }
    }
}

#[inline(always)]
fn write_node_at(
    kind: u8,
    node: Handle,
    incarnation: u64,
    out: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    out.fixed::<{ 1 + Handle::LEN }>(|out| {
        out.u8(kind)?;
        node.write(out)
    })?;
    varint::write(incarnation, out)
}
