//! The compact form: messages 0x40 to 0x46.

use shiome_gossip::{DecodeErrorKind, MAX_LIST_ITEMS, SlotRange, compact::MAX_BUCKET_BITS};

use super::{Cursor, Part, Told, slots};
use crate::decode::{
    field::{Field, Problem},
    protobuf::bits,
};

/// Updates from here on tell their length.
const FIRST_SKIPPABLE: u8 = 0x80;

pub(super) fn read(
    cursor: &mut Cursor<'_>,
    told: &mut Option<Told>,
    out: &mut Vec<Field>,
) -> Result<(), Problem> {
    let start = *cursor;
    let mut part = Part { cursor, out };
    let tag = part.u8("message")?;
    let kind = match tag {
        0x40 => "ping",
        0x41 => "ack",
        0x42 => "ping request",
        0x43 => "nack",
        0x44 => "gossip",
        0x45 => "sync",
        0x46 => "records",
        other => {
            part.out.clear();
            return Err(start.problem(DecodeErrorKind::UnknownMessage(other)));
        }
    };
    part.word(kind);
    part.u16("cluster")?;
    part.meaning("low 16 bits of the cluster id");
    part.handle("sender")?;
    *told = Some(Told {
        format: "gossip-compact",
        kind,
    });
    match tag {
        0x40 | 0x41 => {
            part.u32("seq")?;
            part.meaning("number of a ping, which its ack carries too");
            part.u64("digest")?;
            part.meaning("hash of what the sender knows of the cluster");
            updates(&mut part)
        }
        0x42 => {
            part.u32("seq")?;
            part.handle("target")?;
            part.meaning("whom to ping");
            Ok(())
        }
        0x43 => part.u32("seq").map(drop),
        0x45 => sync(&mut part),
        _ => updates(&mut part),
    }
}

fn sync(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    let flags = part.u8("flags")?;
    part.word(bits(flags.into(), &["answer"]));
    let before = *part.cursor;
    let count = part.u8("bits")?;
    if count > MAX_BUCKET_BITS {
        part.out.pop();
        return Err(before.problem(DecodeErrorKind::TooManyBuckets(count)));
    }
    part.word(format!("{} buckets", 1 << count));
    for _ in 0..1 << count {
        part.u32("bucket")?;
    }
    part.meaning("hash of the members in it");
    Ok(())
}

fn updates(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    while !part.cursor.rest().is_empty() {
        part.group("update", "update", update)?;
    }
    Ok(())
}

fn update(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    let start = *part.cursor;
    let tag = part.u8("kind")?;
    let kind = match tag {
        1 => "alive",
        2 => "suspect",
        3 => "dead",
        4 => "left",
        5 => "member",
        6 => "vote request",
        7 => "vote granted",
        FIRST_SKIPPABLE.. => "unknown, skipped by nodes",
        other => {
            part.out.clear();
            return Err(start.problem(DecodeErrorKind::UnknownUpdate(other)));
        }
    };
    part.word(kind);
    match tag {
        1 | 3 | 4 => {
            part.handle("node")?;
            part.varint("incarnation")?;
        }
        2 => {
            part.handle("node")?;
            part.varint("incarnation")?;
            part.handle("accuser")?;
        }
        5 => member(part)?,
        6 => {
            part.node("candidate")?;
            part.varint("epoch")?;
            part.varint("offset")?;
        }
        7 => {
            part.node("voter")?;
            part.node("candidate")?;
            part.varint("epoch")?;
        }
        _ => {
            let len = part.u8("length")?;
            part.raw("content", len.into())?;
        }
    }
    Ok(())
}

fn member(part: &mut Part<'_, '_, '_>) -> Result<(), Problem> {
    const IPV6: u8 = 1 << 2;
    const META: u8 = 1 << 5;
    const REPLICATES: u8 = 1 << 6;

    part.node("node")?;
    let before = *part.cursor;
    let flags = part.u8("flags")?;
    part.word(flag_words(flags));
    if flags & (META | REPLICATES) == REPLICATES {
        return Err(before.problem(DecodeErrorKind::InvalidMemberFlags(flags)));
    }
    part.bare_address("address", flags & IPV6 != 0)?;
    let incarnation = part.varint("incarnation")?;
    if flags & META == 0 {
        return Ok(());
    }
    let before = *part.cursor;
    let age = part.varint("age of metadata")?;
    let Some(set_at) = incarnation.checked_sub(age) else {
        return Err(before.problem(DecodeErrorKind::InvalidMetaAge));
    };
    part.word(format!("set at incarnation {set_at}"));
    if flags & REPLICATES != 0 {
        part.node("replicates")?;
    }
    let before = *part.cursor;
    let count = part.varint("count")?;
    part.meaning("slot ranges that follow");
    if count > MAX_LIST_ITEMS as u64 {
        return Err(before.problem(DecodeErrorKind::TooManySlotRanges));
    }
    // It is 1024 at most.
    let count = count as u16;
    if usize::from(count) * SlotRange::LEN > part.cursor.rest().len() {
        return Err(before.problem(DecodeErrorKind::CountTooLarge(count)));
    }
    slots(part.cursor, count, part.out)
}

fn flag_words(flags: u8) -> String {
    let state = ["alive", "suspect", "dead", "left"][usize::from(flags & 0b11)];
    let names = [
        "IPv6",
        "primary",
        "compact",
        "metadata",
        "replicates",
        "unknown bit 7",
    ];
    match flags >> 2 {
        0 => state.to_owned(),
        others => format!("{state}, {}", bits(others.into(), &names)),
    }
}
