//! The common form: messages 1 to 6, updates 1 to 8.

use shiome_gossip::{DecodeErrorKind, NodeId, SlotRange};

use super::{Cursor, Part, Told, slots};
use crate::decode::field::{Field, Problem};

/// Length of the shortest update: its tag and a node.
const MIN_UPDATE_LEN: usize = 1 + NodeId::LEN;

/// Length of the shortest member: node, address, incarnation, primary, count.
const MIN_MEMBER_LEN: usize = NodeId::LEN + 7 + 8 + 1 + 2;

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    told: &mut Option<Told>,
    out: &mut Vec<Field>,
) -> Result<(), Problem> {
    let start = *cursor;
    let mut part = Part { cursor, out };
    let tag = part.u8("message")?;
    let kind = match tag {
        1 => "ping",
        2 => "ping request",
        3 => "ack",
        4 => "join",
        5 => "welcome",
        6 => "slots announce",
        other => {
            part.out.clear();
            return Err(start.problem(DecodeErrorKind::UnknownMessage(other)));
        }
    };
    part.word(kind);
    *told = Some(Told {
        format: "gossip",
        kind,
    });
    match tag {
        1 | 3 => probe(&mut part),
        2 => ping_request(&mut part),
        4 => join(&mut part),
        5 => welcome(&mut part),
        _ => announce(&mut part),
    }
}

fn probe(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    part.u64("seq")?;
    part.meaning("number of a ping, which its ack carries too");
    part.node("sender")?;
    let count = part.count("count", MIN_UPDATE_LEN)?;
    part.meaning("updates that follow");
    (0..count).try_for_each(|_| part.group("update", "update", update))
}

fn ping_request(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    part.u64("seq")?;
    part.node("sender")?;
    part.node("target")?;
    part.meaning("whom to ping");
    part.address("address")?;
    part.meaning("where the target is");
    Ok(())
}

fn join(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    part.node("sender")?;
    part.meaning("who joins");
    part.address("address")?;
    part.meaning("where it listens for gossip");
    Ok(())
}

fn welcome(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    part.node("sender")?;
    let count = part.count("count", MIN_MEMBER_LEN)?;
    part.meaning("members that follow");
    (0..count).try_for_each(|_| part.group("member", "member", member))
}

fn announce(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    part.node("sender")?;
    part.u64("incarnation")?;
    counted_slots(part)
}

fn member(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    part.node("node")?;
    part.address("address")?;
    part.u64("incarnation")?;
    part.bool("primary")?;
    counted_slots(part)
}

fn counted_slots(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    let count = part.count("count", SlotRange::LEN)?;
    part.meaning("slot ranges that follow");
    slots(part.cursor, count, part.out)
}

fn update(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    let start = *part.cursor;
    let tag = part.u8("kind")?;
    let kind = match tag {
        1 => "alive",
        2 => "suspect",
        3 => "dead",
        4 => "left",
        5 => "slots changed",
        6 => "role changed",
        7 => "vote request",
        8 => "vote granted",
        other => {
            part.out.clear();
            return Err(start.problem(DecodeErrorKind::UnknownUpdate(other)));
        }
    };
    part.word(kind);
    match tag {
        1 => {
            part.node("node")?;
            part.address("address")?;
            part.u64("incarnation")?;
        }
        2 | 3 => {
            part.node("node")?;
            part.u64("incarnation")?;
        }
        4 => drop(part.node("node")?),
        5 => {
            part.node("node")?;
            part.u64("incarnation")?;
            counted_slots(part)?;
        }
        6 => role(part)?,
        7 => {
            part.node("candidate")?;
            part.u64("epoch")?;
            part.u64("offset")?;
        }
        _ => {
            part.node("voter")?;
            part.node("candidate")?;
            part.u64("epoch")?;
        }
    }
    Ok(())
}

fn role(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    part.node("node")?;
    part.u64("incarnation")?;
    part.bool("primary")?;
    if part.bool("follows")? {
        part.node("replicates")?;
    }
    Ok(())
}
