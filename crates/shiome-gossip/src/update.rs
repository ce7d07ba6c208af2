//! What a node tells about another, on top of a Ping or an Ack.
//!
//! | tag | update        | after the tag                                            | bytes   | set      |
//! |-----|---------------|----------------------------------------------------------|---------|----------|
//! | 1   | Alive         | node · address · incarnation u64                         | 32 / 44 | base     |
//! | 2   | Suspect       | node · incarnation u64                                   | 25      | base     |
//! | 3   | Dead          | node · incarnation u64                                   | 25      | base     |
//! | 4   | Left          | node                                                     | 17      | base     |
//! | 5   | SlotsChanged  | node · incarnation u64 · count u16 · ranges              | 27 + 4n | extended |
//! | 6   | RoleChanged   | node · incarnation u64 · primary u8 · has u8 · \[node\]  | 27 / 43 | extended |
//! | 7   | VoteRequest   | candidate · epoch u64 · offset u64                       | 33      | extended |
//! | 8   | VoteGranted   | voter · candidate · epoch u64                            | 41      | extended |
//!
//! A flag is written as 0 or 1, and everything but 0 is read as true. Updates carry no length, so a reader cannot step
//! over one that it does not know: send a node only what it knows.

use core::net::SocketAddr;

use crate::{
    address,
    error::{DecodeError, DecodeErrorKind, EncodeError},
    list::{ListItem, Wire},
    node_id::NodeId,
    reader::Reader,
    slots::Slots,
    writer::Writer,
};

const ALIVE: u8 = 1;
const SUSPECT: u8 = 2;
const DEAD: u8 = 3;
const LEFT: u8 = 4;
const SLOTS_CHANGED: u8 = 5;
const ROLE_CHANGED: u8 = 6;
const VOTE_REQUEST: u8 = 7;
const VOTE_GRANTED: u8 = 8;

/// News about a node.
///
/// It serves to read and to write: slots are a view of a datagram, or of the caller's ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update<'a> {
    /// The node is alive.
    Alive {
        /// The node.
        node: NodeId,
        /// Where it listens for gossip.
        addr: SocketAddr,
        /// Its incarnation.
        incarnation: u64,
    },
    /// The node does not answer and is dead unless it objects. Who suspects it is not told; see
    /// [`Field::Suspector`](crate::Field::Suspector).
    Suspect {
        /// The node.
        node: NodeId,
        /// The incarnation that is suspected.
        incarnation: u64,
    },
    /// The node is dead.
    Dead {
        /// The node.
        node: NodeId,
        /// The incarnation that died.
        incarnation: u64,
    },
    /// The node has left. Without an incarnation, this does not tell an old farewell from a new one.
    Left {
        /// The node.
        node: NodeId,
    },
    /// The node owns other slots than before. Extended set.
    SlotsChanged {
        /// The node.
        node: NodeId,
        /// Its incarnation.
        incarnation: u64,
        /// All its slots.
        slots: Slots<'a>,
    },
    /// The node became a primary or a replica. Extended set.
    RoleChanged {
        /// The node.
        node: NodeId,
        /// Its incarnation.
        incarnation: u64,
        /// Whether it is a primary now.
        is_primary: bool,
        /// The primary that it follows.
        replicates: Option<NodeId>,
    },
    /// A replica asks for votes to replace its primary. Extended set.
    VoteRequest {
        /// The replica.
        candidate: NodeId,
        /// The epoch that it wants to lead.
        epoch: u64,
        /// How far it has replicated, in bytes of the stream.
        offset: u64,
    },
    /// A primary votes for a candidate. Extended set.
    VoteGranted {
        /// The voter.
        from: NodeId,
        /// Whom it votes for.
        candidate: NodeId,
        /// The epoch of the vote.
        epoch: u64,
    },
}

impl Update<'_> {
    /// Whether every node of the installed base knows this update. One that does not drops the whole datagram, and
    /// then suspects its sender.
    pub fn is_base(&self) -> bool {
        matches!(
            self,
            Self::Alive { .. } | Self::Suspect { .. } | Self::Dead { .. } | Self::Left { .. }
        )
    }
}

impl<'a> ListItem<'a> for Update<'a> {
    type At<'b> = Update<'b>;

    fn encoded_len(&self) -> usize {
        let after_node = match self {
            Self::Alive { addr, .. } => address::encoded_len(addr) + 8,
            Self::Suspect { .. } | Self::Dead { .. } => 8,
            Self::Left { .. } => 0,
            Self::SlotsChanged { slots, .. } => 8 + slots.encoded_len(),
            Self::RoleChanged { replicates, .. } => 10 + replicates.map_or(0, |_| NodeId::LEN),
            Self::VoteRequest { .. } => 16,
            Self::VoteGranted { .. } => NodeId::LEN + 8,
        };
        Self::MIN_LEN + after_node
    }
}

impl<'a> Wire<'a> for Update<'a> {
    const MIN_LEN: usize = 1 + NodeId::LEN;

    #[inline]
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let start = reader.offset();
        Ok(match reader.u8()? {
            ALIVE => Self::Alive {
                node: reader.node_id()?,
                addr: address::read(reader)?,
                incarnation: reader.u64()?,
            },
            SUSPECT => {
                let (node, incarnation) = read_node_at(reader)?;
                Self::Suspect { node, incarnation }
            }
            DEAD => {
                let (node, incarnation) = read_node_at(reader)?;
                Self::Dead { node, incarnation }
            }
            LEFT => Self::Left {
                node: reader.node_id()?,
            },
            SLOTS_CHANGED => Self::SlotsChanged {
                node: reader.node_id()?,
                incarnation: reader.u64()?,
                slots: Slots::read(reader)?,
            },
            ROLE_CHANGED => Self::RoleChanged {
                node: reader.node_id()?,
                incarnation: reader.u64()?,
                is_primary: reader.u8()? != 0,
                replicates: match reader.u8()? {
                    0 => None,
                    _ => Some(reader.node_id()?),
                },
            },
            VOTE_REQUEST => Self::VoteRequest {
                candidate: reader.node_id()?,
                epoch: reader.u64()?,
                offset: reader.u64()?,
            },
            VOTE_GRANTED => Self::VoteGranted {
                from: reader.node_id()?,
                candidate: reader.node_id()?,
                epoch: reader.u64()?,
            },
            other => {
                let kind = DecodeErrorKind::UnknownUpdate(other);
                return Err(DecodeError::new(start, kind));
            }
        })
    }

    #[inline]
    fn write(&self, out: &mut Writer<'_>) -> Result<(), EncodeError> {
        match self {
            Self::Alive {
                node,
                addr,
                incarnation,
            } => {
                out.fixed::<{ 1 + NodeId::LEN }>(|out| {
                    out.u8(ALIVE)?;
                    out.node_id(node)
                })?;
                address::write(addr, out)?;
                out.u64(*incarnation)
            }
            Self::Suspect { node, incarnation } => write_node_at(SUSPECT, node, *incarnation, out),
            Self::Dead { node, incarnation } => write_node_at(DEAD, node, *incarnation, out),
            Self::Left { node } => {
                out.u8(LEFT)?;
                out.node_id(node)
            }
            Self::SlotsChanged {
                node,
                incarnation,
                slots,
            } => {
                out.u8(SLOTS_CHANGED)?;
                out.node_id(node)?;
                out.u64(*incarnation)?;
                slots.write(out)
            }
            Self::RoleChanged {
                node,
                incarnation,
                is_primary,
                replicates,
            } => {
                out.u8(ROLE_CHANGED)?;
                out.node_id(node)?;
                out.u64(*incarnation)?;
                out.u8((*is_primary).into())?;
                out.u8(replicates.is_some().into())?;
                replicates.iter().try_for_each(|node| out.node_id(node))
            }
            Self::VoteRequest {
                candidate,
                epoch,
                offset,
            } => {
                out.u8(VOTE_REQUEST)?;
                out.node_id(candidate)?;
                out.u64(*epoch)?;
                out.u64(*offset)
            }
            Self::VoteGranted {
                from,
                candidate,
                epoch,
            } => {
                out.u8(VOTE_GRANTED)?;
                out.node_id(from)?;
                out.node_id(candidate)?;
                out.u64(*epoch)
            }
        }
    }
}

/// Length of a node and its incarnation, in bytes.
const NODE_AT_LEN: usize = NodeId::LEN + 8;

#[inline(always)]
fn read_node_at(reader: &mut Reader<'_>) -> Result<(NodeId, u64), DecodeError> {
    let mut fixed = reader.fixed::<NODE_AT_LEN>()?;
    Ok((fixed.node_id()?, fixed.u64()?))
}

#[inline(always)]
fn write_node_at(
    tag: u8,
    node: &NodeId,
    incarnation: u64,
    out: &mut Writer<'_>,
) -> Result<(), EncodeError> {
    out.fixed::<{ 1 + NODE_AT_LEN }>(|out| {
        out.u8(tag)?;
        out.node_id(node)?;
        out.u64(incarnation)
    })
}
