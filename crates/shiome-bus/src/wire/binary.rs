//! Frames in their binary form. Numbers are varints: LEB128, in the shortest form.
//!
//! ```text
//! message   frame*
//! frame     tag u8 · length varint · body
//! str       length varint · UTF-8
//!
//! 0x01 envelope   flags u8 · incarnation · seq · from str · to str · name str · sent_at · hops u8
//!                 · if flags bit 0: incarnation · seq of reply_to · payload, to the end
//! 0x02 ack        received
//! 0x03 ping       nonce
//! 0x04 pong       nonce
//! 0x05 presence   flags u8 · count · (id str · incarnation)* · count · (id str)*
//! 0x06 goodbye    reason u8 · detail, to the end
//! 0x07 refused    reason u8 · id str · retry_ms + 1 · detail, to the end
//! ```

use self::reader::{Reader, put_str, put_varint, varint_len};
use super::{
    Apart, CloseReason, Frame, Goodbye, MAX_FRAMES, MAX_PRESENCE, Presence, Refused, WireError,
    parts::{self, Before},
};
use crate::{Envelope, Intent, Payload};

mod reader;

const ENVELOPE: u8 = 0x01;
const ACK: u8 = 0x02;
const PING: u8 = 0x03;
const PONG: u8 = 0x04;
const PRESENCE: u8 = 0x05;
const GOODBYE: u8 = 0x06;
const REFUSED: u8 = 0x07;

/// Of an envelope: it answers another.
const HAS_REPLY_TO: u8 = 0b1;
const LEVEL_SHIFT: u8 = 1;
const PRIORITY_SHIFT: u8 = 3;
const ENVELOPE_FLAGS: u8 = 0b1_1111;

/// Of presence.
const ALL: u8 = 0b001;
const PARTIAL: u8 = 0b010;
const MORE: u8 = 0b100;

pub(super) fn decode(bytes: &[u8]) -> Result<Apart, WireError> {
    let mut apart = Apart::with_capacity(count(bytes)?);
    let mut before = Before::default();
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        match reader.u8()? {
            ENVELOPE => read_envelope(reader.counted()?, &mut before, &mut apart.envelopes)?,
            tag => {
                if let Some(frame) = frame(tag, reader.counted()?)? {
                    apart.push(frame);
                }
            }
        }
    }
    Ok(apart)
}

/// How many frames there are, not looked into.
fn count(bytes: &[u8]) -> Result<usize, WireError> {
    let (mut reader, mut count) = (Reader::new(bytes), 0);
    while !reader.is_empty() {
        reader.u8()?;
        reader.counted()?;
        count += 1;
        if count > MAX_FRAMES {
            return Err(WireError::TooManyFrames);
        }
    }
    Ok(count)
}

/// The frame, which is no envelope, unless its tag is not known.
fn frame(tag: u8, body: &[u8]) -> Result<Option<Frame>, WireError> {
    let mut body = Reader::new(body);
    let frame = match tag {
        ACK => Frame::Ack {
            received: parts::number(body.varint()?)?,
        },
        PING => Frame::Ping {
            nonce: parts::number(body.varint()?)?,
        },
        PONG => Frame::Pong {
            nonce: parts::number(body.varint()?)?,
        },
        PRESENCE => Frame::Presence(read_presence(&mut body)?),
        GOODBYE => Frame::Goodbye(Goodbye {
            reason: CloseReason::of_number(body.u8()?),
            detail: parts::detail(body.rest_str()?)?,
        }),
        REFUSED => Frame::Refused(read_refused(&mut body)?),
        _ => return Ok(None),
    };
    if !body.is_empty() {
        return Err(WireError::Trailing(frame.kind()));
    }
    Ok(Some(frame))
}

/// Reads an envelope to where it stays: it is too large to be handed from one to the next.
fn read_envelope(
    body: &[u8],
    before: &mut Before,
    envelopes: &mut Vec<Envelope>,
) -> Result<(), WireError> {
    let mut body = Reader::new(body);
    let flags = body.u8()?;
    if flags & !ENVELOPE_FLAGS != 0 {
        return Err(WireError::Value("flags"));
    }
    let id = parts::message_id(body.varint()?, body.varint()?)?;
    let from = before.from(body.counted()?)?;
    let to = before.to(body.counted()?)?;
    let name = before.name(body.counted()?)?;
    let sent_at = parts::number(body.varint()?)?;
    let hops = parts::hops(body.u8()?.into())?;
    let reply_to = match flags & HAS_REPLY_TO {
        0 => None,
        _ => Some(parts::message_id(body.varint()?, body.varint()?)?),
    };
    let payload = match body.rest_str()? {
        "" => Payload::null(),
        text => parts::payload(text)?,
    };
    let priority = parts::priority_of_number(flags >> PRIORITY_SHIFT)?;
    envelopes.push(Envelope {
        id,
        from,
        to,
        intent: Intent::of(name, payload),
        sent_at,
        reply_to,
        hops,
        level: parts::level_of_number(flags >> LEVEL_SHIFT),
        priority,
    });
    Ok(())
}

fn read_presence(body: &mut Reader<'_>) -> Result<Presence, WireError> {
    let flags = body.u8()?;
    if flags & !(ALL | PARTIAL | MORE) != 0 {
        return Err(WireError::Value("flags"));
    }
    let mut presence = Presence {
        all: flags & ALL != 0,
        partial: flags & PARTIAL != 0,
        more: flags & MORE != 0,
        ..Presence::default()
    };
    for _ in 0..entries(body.varint()?, 0)? {
        let id = parts::peer_id(body.str()?)?;
        let incarnation = parts::incarnation(body.varint()?)?;
        presence.present.push((id, incarnation));
    }
    for _ in 0..entries(body.varint()?, presence.present.len())? {
        presence.absent.push(parts::peer_id(body.str()?)?);
    }
    Ok(presence)
}

/// A number of entries that may be, beside so many others.
fn entries(count: u64, others: usize) -> Result<usize, WireError> {
    let count = usize::try_from(count).ok();
    let count = count.filter(|count| *count <= MAX_PRESENCE - others);
    count.ok_or(WireError::TooLong("presence"))
}

fn read_refused(body: &mut Reader<'_>) -> Result<Refused, WireError> {
    let reason = CloseReason::of_number(body.u8()?);
    let id = match body.str()? {
        "" => None,
        id => Some(parts::peer_id(id)?),
    };
    Ok(Refused {
        reason,
        id,
        retry_ms: parts::number(body.varint()?)?.checked_sub(1),
        detail: parts::detail(body.rest_str()?)?,
    })
}

/// Adds a frame. Hello and welcome have no binary form.
pub(super) fn encode(frame: &Frame, out: &mut Vec<u8>) {
    match frame {
        Frame::Envelope(envelope) => encode_envelope(envelope, out),
        Frame::Ack { received } => write_number(out, ACK, *received),
        Frame::Ping { nonce } => write_number(out, PING, *nonce),
        Frame::Pong { nonce } => write_number(out, PONG, *nonce),
        Frame::Presence(presence) => write_presence(out, presence),
        Frame::Goodbye(goodbye) => {
            let mut body = vec![goodbye.reason.number()];
            body.extend_from_slice(goodbye.detail.as_bytes());
            write_frame(out, GOODBYE, &body);
        }
        Frame::Refused(refused) => write_refused(out, refused),
        Frame::Hello(_) | Frame::Welcome(_) => {}
    }
}

fn write_frame(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    put_varint(out, body.len() as u64);
    out.extend_from_slice(body);
}

fn write_number(out: &mut Vec<u8>, tag: u8, number: u64) {
    out.push(tag);
    put_varint(out, varint_len(number) as u64);
    put_varint(out, number);
}

pub(super) fn encode_envelope(envelope: &Envelope, out: &mut Vec<u8>) {
    // `null` is the commonest payload, and needs no byte.
    let payload = match envelope.intent.payload().text() {
        "null" => "",
        text => text,
    };
    let level = parts::level_number(envelope.level) << LEVEL_SHIFT;
    let priority = parts::priority_number(envelope.priority) << PRIORITY_SHIFT;
    out.push(ENVELOPE);
    put_varint(out, envelope_len(envelope, payload) as u64);
    out.push(level | priority | u8::from(envelope.reply_to.is_some()));
    put_varint(out, envelope.id.incarnation.get());
    put_varint(out, envelope.id.seq);
    put_str(out, envelope.from.as_str());
    put_str(out, envelope.to.as_str());
    put_str(out, envelope.intent.name().as_str());
    put_varint(out, envelope.sent_at);
    out.push(envelope.hops);
    if let Some(id) = envelope.reply_to {
        put_varint(out, id.incarnation.get());
        put_varint(out, id.seq);
    }
    out.extend_from_slice(payload.as_bytes());
}

fn envelope_len(envelope: &Envelope, payload: &str) -> usize {
    let str_len = |text: &str| varint_len(text.len() as u64) + text.len();
    let id_len = |id: crate::MessageId| varint_len(id.incarnation.get()) + varint_len(id.seq);
    let flags_and_hops = 2;
    flags_and_hops
        + id_len(envelope.id)
        + str_len(envelope.from.as_str())
        + str_len(envelope.to.as_str())
        + str_len(envelope.intent.name().as_str())
        + varint_len(envelope.sent_at)
        + envelope.reply_to.map_or(0, id_len)
        + payload.len()
}

fn write_presence(out: &mut Vec<u8>, presence: &Presence) {
    let all = if presence.all { ALL } else { 0 };
    let partial = if presence.partial { PARTIAL } else { 0 };
    let more = if presence.more { MORE } else { 0 };
    let mut body = vec![all | partial | more];
    put_varint(&mut body, presence.present.len() as u64);
    for (id, incarnation) in &presence.present {
        put_str(&mut body, id.as_str());
        put_varint(&mut body, incarnation.get());
    }
    put_varint(&mut body, presence.absent.len() as u64);
    for id in &presence.absent {
        put_str(&mut body, id.as_str());
    }
    write_frame(out, PRESENCE, &body);
}

fn write_refused(out: &mut Vec<u8>, refused: &Refused) {
    let mut body = vec![refused.reason.number()];
    put_str(&mut body, refused.id.as_ref().map_or("", |id| id.as_str()));
    put_varint(&mut body, refused.retry_ms.map_or(0, |ms| ms + 1));
    body.extend_from_slice(refused.detail.as_bytes());
    write_frame(out, REFUSED, &body);
}
