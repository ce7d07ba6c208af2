//! Messages of 0.2.1.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ember_0_2 as old;
use ember_0_4::{GossipMessage, MemberInfo, NodeId, NodeUpdate, SlotRange};

/// What 0.2.1 makes of a datagram.
#[derive(Debug)]
pub enum Decoded {
    Message(GossipMessage),
    Refused,
    /// It has no check for what is cut short.
    Panicked,
}

pub fn decode(datagram: &[u8]) -> Decoded {
    match catch_unwind(AssertUnwindSafe(|| old::GossipMessage::decode(datagram))) {
        Ok(Ok(message)) => Decoded::Message(from_old(message)),
        Ok(Err(_)) => Decoded::Refused,
        Err(_) => Decoded::Panicked,
    }
}

/// What 0.2.1 makes of a message that it knows.
pub fn encode(message: &GossipMessage) -> Option<bytes::Bytes> {
    Some(to_old(message)?.encode())
}

fn from_old(message: old::GossipMessage) -> GossipMessage {
    match message {
        old::GossipMessage::Ping {
            seq,
            sender,
            updates,
        } => GossipMessage::Ping {
            seq,
            sender: NodeId(sender.0),
            updates: updates.into_iter().map(update_from_old).collect(),
        },
        old::GossipMessage::PingReq {
            seq,
            sender,
            target,
            target_addr,
        } => GossipMessage::PingReq {
            seq,
            sender: NodeId(sender.0),
            target: NodeId(target.0),
            target_addr,
        },
        old::GossipMessage::Ack {
            seq,
            sender,
            updates,
        } => GossipMessage::Ack {
            seq,
            sender: NodeId(sender.0),
            updates: updates.into_iter().map(update_from_old).collect(),
        },
        old::GossipMessage::Join {
            sender,
            sender_addr,
        } => GossipMessage::Join {
            sender: NodeId(sender.0),
            sender_addr,
        },
        old::GossipMessage::Welcome { sender, members } => GossipMessage::Welcome {
            sender: NodeId(sender.0),
            members: members.into_iter().map(member_from_old).collect(),
        },
    }
}

fn update_from_old(update: old::NodeUpdate) -> NodeUpdate {
    match update {
        old::NodeUpdate::Alive {
            node,
            addr,
            incarnation,
        } => NodeUpdate::Alive {
            node: NodeId(node.0),
            addr,
            incarnation,
        },
        old::NodeUpdate::Suspect { node, incarnation } => NodeUpdate::Suspect {
            node: NodeId(node.0),
            incarnation,
        },
        old::NodeUpdate::Dead { node, incarnation } => NodeUpdate::Dead {
            node: NodeId(node.0),
            incarnation,
        },
        old::NodeUpdate::Left { node } => NodeUpdate::Left {
            node: NodeId(node.0),
        },
    }
}

fn member_from_old(member: old::MemberInfo) -> MemberInfo {
    let slots = member.slots.into_iter();
    MemberInfo {
        id: NodeId(member.id.0),
        addr: member.addr,
        incarnation: member.incarnation,
        is_primary: member.is_primary,
        slots: slots
            .map(|range| SlotRange::new(range.start, range.end))
            .collect(),
    }
}

fn to_old(message: &GossipMessage) -> Option<old::GossipMessage> {
    Some(match message {
        GossipMessage::Ping {
            seq,
            sender,
            updates,
        } => old::GossipMessage::Ping {
            seq: *seq,
            sender: old::NodeId(sender.0),
            updates: updates.iter().map(update_to_old).collect::<Option<_>>()?,
        },
        GossipMessage::PingReq {
            seq,
            sender,
            target,
            target_addr,
        } => old::GossipMessage::PingReq {
            seq: *seq,
            sender: old::NodeId(sender.0),
            target: old::NodeId(target.0),
            target_addr: *target_addr,
        },
        GossipMessage::Ack {
            seq,
            sender,
            updates,
        } => old::GossipMessage::Ack {
            seq: *seq,
            sender: old::NodeId(sender.0),
            updates: updates.iter().map(update_to_old).collect::<Option<_>>()?,
        },
        GossipMessage::Join {
            sender,
            sender_addr,
        } => old::GossipMessage::Join {
            sender: old::NodeId(sender.0),
            sender_addr: *sender_addr,
        },
        GossipMessage::Welcome { sender, members } => old::GossipMessage::Welcome {
            sender: old::NodeId(sender.0),
            members: members.iter().map(member_to_old).collect(),
        },
        GossipMessage::SlotsAnnounce { .. } => return None,
    })
}

fn update_to_old(update: &NodeUpdate) -> Option<old::NodeUpdate> {
    Some(match update {
        NodeUpdate::Alive {
            node,
            addr,
            incarnation,
        } => old::NodeUpdate::Alive {
            node: old::NodeId(node.0),
            addr: *addr,
            incarnation: *incarnation,
        },
        NodeUpdate::Suspect { node, incarnation } => old::NodeUpdate::Suspect {
            node: old::NodeId(node.0),
            incarnation: *incarnation,
        },
        NodeUpdate::Dead { node, incarnation } => old::NodeUpdate::Dead {
            node: old::NodeId(node.0),
            incarnation: *incarnation,
        },
        NodeUpdate::Left { node } => old::NodeUpdate::Left {
            node: old::NodeId(node.0),
        },
        _ => return None,
    })
}

fn member_to_old(member: &MemberInfo) -> old::MemberInfo {
    let slots = member.slots.iter();
    old::MemberInfo {
        id: old::NodeId(member.id.0),
        addr: member.addr,
        incarnation: member.incarnation,
        is_primary: member.is_primary,
        slots: slots
            .map(|range| old::SlotRange::new(range.start, range.end))
            .collect(),
    }
}
