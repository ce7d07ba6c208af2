//! `shiome-gossip`, in messages of 0.4.9.

use ember_0_4::{GossipMessage, MemberInfo, NodeId, NodeUpdate, SlotRange};
use shiome_gossip as ours;
use uuid::Uuid;

/// All of a datagram; what follows the message is ignored, as by the others.
pub fn decode(datagram: &[u8]) -> Result<GossipMessage, ours::DecodeError> {
    Ok(match ours::Datagram::decode(datagram)?.message {
        ours::Message::Ping(ping) => GossipMessage::Ping {
            seq: ping.seq,
            sender: from_id(ping.sender),
            updates: collect(&ping.updates, from_update)?,
        },
        ours::Message::Ack(ack) => GossipMessage::Ack {
            seq: ack.seq,
            sender: from_id(ack.sender),
            updates: collect(&ack.updates, from_update)?,
        },
        ours::Message::PingReq(request) => GossipMessage::PingReq {
            seq: request.seq,
            sender: from_id(request.sender),
            target: from_id(request.target),
            target_addr: request.target_addr,
        },
        ours::Message::Join(join) => GossipMessage::Join {
            sender: from_id(join.sender),
            sender_addr: join.sender_addr,
        },
        ours::Message::Welcome(welcome) => GossipMessage::Welcome {
            sender: from_id(welcome.sender),
            members: collect(&welcome.members, from_member)?,
        },
        ours::Message::SlotsAnnounce(announce) => GossipMessage::SlotsAnnounce {
            sender: from_id(announce.sender),
            incarnation: announce.incarnation,
            slots: from_slots(announce.slots),
        },
        other => panic!("{other:?} is not of the installed base"),
    })
}

/// Writes `message` to the start of `buf` and returns its length.
///
/// # Errors
///
/// When it does not go in as a whole.
pub fn encode(message: &GossipMessage, buf: &mut [u8]) -> Result<usize, ours::EncodeError> {
    match message {
        GossipMessage::Ping {
            seq,
            sender,
            updates,
        } => pack_updates(ours::Packer::ping(buf, *seq, to_id(*sender))?, updates),
        GossipMessage::Ack {
            seq,
            sender,
            updates,
        } => pack_updates(ours::Packer::ack(buf, *seq, to_id(*sender))?, updates),
        GossipMessage::PingReq {
            seq,
            sender,
            target,
            target_addr,
        } => ours::PingReq {
            seq: *seq,
            sender: to_id(*sender),
            target: to_id(*target),
            target_addr: *target_addr,
        }
        .encode(buf),
        GossipMessage::Join {
            sender,
            sender_addr,
        } => ours::Join {
            sender: to_id(*sender),
            sender_addr: *sender_addr,
        }
        .encode(buf),
        GossipMessage::Welcome { sender, members } => {
            let mut packer = ours::Packer::welcome(buf, to_id(*sender))?;
            for member in members {
                packer.push(&ours::Member {
                    id: to_id(member.id),
                    addr: member.addr,
                    incarnation: member.incarnation,
                    is_primary: member.is_primary,
                    slots: to_slots(&member.slots)[..].into(),
                })?;
            }
            Ok(packer.finish())
        }
        GossipMessage::SlotsAnnounce {
            sender,
            incarnation,
            slots,
        } => ours::SlotsAnnounce {
            sender: to_id(*sender),
            incarnation: *incarnation,
            slots: to_slots(slots)[..].into(),
        }
        .encode(buf),
    }
}

fn collect<'a, T: ours::ListItem<'a>, U>(
    list: &ours::List<'a, T>,
    convert: impl Fn(T) -> U,
) -> Result<Vec<U>, ours::DecodeError> {
    list.iter().map(|item| item.map(&convert)).collect()
}

fn from_id(id: ours::NodeId) -> NodeId {
    NodeId(Uuid::from_bytes(id.into()))
}

fn to_id(id: NodeId) -> ours::NodeId {
    id.0.into_bytes().into()
}

fn from_slots(slots: ours::Slots<'_>) -> Vec<SlotRange> {
    let range = |range: ours::SlotRange| SlotRange::new(range.start(), range.end());
    slots.iter().map(range).collect()
}

fn to_slots(slots: &[SlotRange]) -> Vec<ours::SlotRange> {
    let range = |range: &SlotRange| ours::SlotRange::new(range.start, range.end);
    let slots: Result<_, _> = slots.iter().map(range).collect();
    slots.expect("both have the same ranges")
}

fn from_member(member: ours::Member<'_>) -> MemberInfo {
    MemberInfo {
        id: from_id(member.id),
        addr: member.addr,
        incarnation: member.incarnation,
        is_primary: member.is_primary,
        slots: from_slots(member.slots),
    }
}

fn from_update(update: ours::Update<'_>) -> NodeUpdate {
    match update {
        ours::Update::Alive {
            node,
            addr,
            incarnation,
        } => NodeUpdate::Alive {
            node: from_id(node),
            addr,
            incarnation,
        },
        ours::Update::Suspect { node, incarnation } => NodeUpdate::Suspect {
            node: from_id(node),
            incarnation,
        },
        ours::Update::Dead { node, incarnation } => NodeUpdate::Dead {
            node: from_id(node),
            incarnation,
        },
        ours::Update::Left { node } => NodeUpdate::Left {
            node: from_id(node),
        },
        ours::Update::SlotsChanged {
            node,
            incarnation,
            slots,
        } => NodeUpdate::SlotsChanged {
            node: from_id(node),
            incarnation,
            slots: from_slots(slots),
        },
        ours::Update::RoleChanged {
            node,
            incarnation,
            is_primary,
            replicates,
        } => NodeUpdate::RoleChanged {
            node: from_id(node),
            incarnation,
            is_primary,
            replicates: replicates.map(from_id),
        },
        ours::Update::VoteRequest {
            candidate,
            epoch,
            offset,
        } => NodeUpdate::VoteRequest {
            candidate: from_id(candidate),
            epoch,
            offset,
        },
        ours::Update::VoteGranted {
            from,
            candidate,
            epoch,
        } => NodeUpdate::VoteGranted {
            from: from_id(from),
            candidate: from_id(candidate),
            epoch,
        },
        other => panic!("{other:?} is not of the installed base"),
    }
}

fn pack_updates(
    mut packer: ours::Packer<'_, ours::Update<'static>>,
    updates: &[NodeUpdate],
) -> Result<usize, ours::EncodeError> {
    for update in updates {
        packer.push(&to_update(update, slots_of(update)[..].into()))?;
    }
    Ok(packer.finish())
}

fn slots_of(update: &NodeUpdate) -> Vec<ours::SlotRange> {
    match update {
        NodeUpdate::SlotsChanged { slots, .. } => to_slots(slots),
        _ => Vec::new(),
    }
}

fn to_update<'a>(update: &NodeUpdate, slots: ours::Slots<'a>) -> ours::Update<'a> {
    match *update {
        NodeUpdate::Alive {
            node,
            addr,
            incarnation,
        } => ours::Update::Alive {
            node: to_id(node),
            addr,
            incarnation,
        },
        NodeUpdate::Suspect { node, incarnation } => ours::Update::Suspect {
            node: to_id(node),
            incarnation,
        },
        NodeUpdate::Dead { node, incarnation } => ours::Update::Dead {
            node: to_id(node),
            incarnation,
        },
        NodeUpdate::Left { node } => ours::Update::Left { node: to_id(node) },
        NodeUpdate::SlotsChanged {
            node, incarnation, ..
        } => ours::Update::SlotsChanged {
            node: to_id(node),
            incarnation,
            slots,
        },
        NodeUpdate::RoleChanged {
            node,
            incarnation,
            is_primary,
            replicates,
        } => ours::Update::RoleChanged {
            node: to_id(node),
            incarnation,
            is_primary,
            replicates: replicates.map(to_id),
        },
        NodeUpdate::VoteRequest {
            candidate,
            epoch,
            offset,
        } => ours::Update::VoteRequest {
            candidate: to_id(candidate),
            epoch,
            offset,
        },
        NodeUpdate::VoteGranted {
            from,
            candidate,
            epoch,
        } => ours::Update::VoteGranted {
            from: to_id(from),
            candidate: to_id(candidate),
            epoch,
        },
    }
}
