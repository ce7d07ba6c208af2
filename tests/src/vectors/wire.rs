//! Frames recorded at nodes: `{"name", "direction", "frame_hex", "decoded"}`, and for messages between actors the
//! `args` (with length prefixes) or the `payload` (without) that the frame carries.

use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::Value;
use shiome_wire::{
    FrameDecoder, LENGTH_PREFIX_LEN, MAX_FRAME_LEN, encode, meta::NetworkMessage,
    node::node_message::Msg,
};

use super::{FileReport, Format, convertable::Typed, projection, schema, unhex};

pub(super) const FORMAT: Format = Format {
    name: "wire",
    required: &["name", "direction", "frame_hex", "decoded"],
    optional: &["args", "payload", "note"],
    check,
};

#[derive(Deserialize)]
struct Entry {
    name: String,
    direction: Direction,
    frame_hex: String,
    /// Null: no node decodes this frame.
    decoded: Value,
    args: Option<Vec<Typed>>,
    payload: Option<Typed>,
}

/// Seen from the node at which the frame was recorded.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Direction {
    ToNode,
    FromNode,
}

/// The only key that files recorded at older nodes lack; its default is what such nodes mean.
const YOUNGER_KEY: (&str, u64) = ("connection_id", 0);

/// Sizes of the pieces in which bytes arrive, repeated: the cuts fall anywhere in a frame and in its length prefix.
const PIECES: [usize; 6] = [1, 7, 3, 11, 5, 13];

fn check(entries: &[Value], report: &mut FileReport) {
    let mut streams = [Vec::new(), Vec::new()];
    let (mut refused, mut rewritten, mut arguments) = (0, 0, 0);
    report.each(
        entries,
        |entry: &Entry| entry.name.clone(),
        |entry| {
            let frame = unhex("frame_hex", &entry.frame_hex)?;
            let received = receive(&frame);
            if entry.decoded.is_null() {
                refused += 1;
                return match received {
                    Ok(message) => Err(format!("decodes, as {}", projection::project(&message))),
                    Err(_) => Ok(()),
                };
            }
            let message = received?;
            same(&entry.decoded, &projection::project(&message), "")?;
            rewritten += usize::from(reencode(&message, &frame)?);
            arguments += usize::from(entry.check_values(message)?);
            streams[usize::from(entry.direction == Direction::FromNode)].push(frame);
            Ok(())
        },
    );
    for (stream, direction) in std::iter::zip(&streams, ["to_node", "from_node"]) {
        if let Err(problem) = check_stream(stream) {
            report.fail(format!("(all frames {direction} in one stream)"), problem);
        }
    }
    for (count, what) in [
        (
            rewritten,
            "with fields that are unknown or at their default, encoded without them",
        ),
        (refused, "recorded as undecodable, refused"),
        (arguments, "with arguments or a payload, checked by type"),
    ] {
        if count > 0 {
            report.notes.push(format!("{count} {what}"));
        }
    }
}

/// Receives a frame in odd pieces, at every one of which it must be incomplete but for the last.
fn receive(frame: &[u8]) -> Result<NetworkMessage, String> {
    let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
    let mut cut = Vec::new();
    let mut rest = frame;
    for piece in PIECES.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(piece.min(rest.len()));
        rest = after;
        decoder.extend(piece);
        while let Some(frame) = decoder.next_frame().map_err(|e| e.to_string())? {
            cut.push((frame, rest.len()));
        }
    }
    decoder.finish().map_err(|e| e.to_string())?;
    let [(cut, 0)] = &cut[..] else {
        return Err(format!("is {} frames, not one", cut.len()));
    };
    cut.clone().decode().map_err(|e| e.to_string())
}

/// Encodes `message` again, which must give `frame`, or what a canonical encoder makes of the same message. Says
/// whether these differ.
fn reencode(message: &NetworkMessage, frame: &[u8]) -> Result<bool, String> {
    let mut encoded = BytesMut::new();
    encode(message, MAX_FRAME_LEN, &mut encoded).map_err(|e| e.to_string())?;
    if encoded == frame {
        return Ok(false);
    }
    let told = || Err(format!("encodes to {}", hex::encode(&encoded)));
    let Some(canonical) = schema::canonical(&frame[LENGTH_PREFIX_LEN..]) else {
        return told();
    };
    let len = u64::from_be_bytes(
        *encoded
            .first_chunk()
            .expect("encode writes a length prefix"),
    );
    if encoded[LENGTH_PREFIX_LEN..] != canonical || len != canonical.len() as u64 {
        return told();
    }
    if receive(&encoded)? != *message {
        return Err("encodes to another message".to_owned());
    }
    Ok(true)
}

impl Entry {
    /// Checks what the message carries for the actor; says whether the entry tells what that is.
    fn check_values(&self, message: NetworkMessage) -> Result<bool, String> {
        if self.args.is_none() && self.payload.is_none() {
            return Ok(false);
        }
        let what = match message.into_node() {
            Some(Msg::Cast(cast)) => cast.what,
            Some(Msg::Call(call)) => call.what,
            Some(Msg::Reply(reply)) => reply.what,
            None => return Err("has arguments, but is no message between actors".to_owned()),
        };
        if let Some(payload) = &self.payload {
            payload.check(&what).map_err(|e| format!("payload: {e}"))?;
        }
        if let Some(args) = &self.args {
            check_args(args, what)?;
        }
        Ok(true)
    }
}

/// Arguments stand one after the other, each behind its length as a big-endian u64.
fn check_args(args: &[Typed], mut what: Bytes) -> Result<(), String> {
    for (index, arg) in args.iter().enumerate() {
        let bytes = take_arg(&mut what).ok_or_else(|| format!("argument {index}: cut short"))?;
        arg.check(&bytes)
            .map_err(|e| format!("argument {index}: {e}"))?;
    }
    if what.has_remaining() {
        return Err(format!("{} bytes after the last argument", what.len()));
    }
    Ok(())
}

fn take_arg(what: &mut Bytes) -> Option<Bytes> {
    let len = usize::try_from(what.try_get_u64().ok()?).ok()?;
    (len <= what.len()).then(|| what.split_to(len))
}

/// Cuts all frames out of one stream that arrives in odd pieces.
fn check_stream(frames: &[Vec<u8>]) -> Result<(), String> {
    let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
    let mut expected = frames.iter();
    let stream = frames.concat();
    let mut rest = stream.as_slice();
    for piece in PIECES.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(piece.min(rest.len()));
        rest = after;
        decoder.extend(piece);
        while let Some(frame) = decoder.next_frame().map_err(|e| e.to_string())? {
            let body = expected.next().map(|frame| &frame[LENGTH_PREFIX_LEN..]);
            if body != Some(frame.body()) {
                return Err("a frame is not the one that was put in".to_owned());
            }
        }
    }
    match expected.len() {
        0 => decoder.finish().map_err(|e| e.to_string()),
        missing => Err(format!("{missing} frames do not come out")),
    }
}

/// Compares field by field, so that a difference can be told by its path.
pub(super) fn same(recorded: &Value, ours: &Value, path: &str) -> Result<(), String> {
    match (recorded, ours) {
        (Value::Object(recorded), Value::Object(ours)) => {
            for (key, value) in ours {
                let path = join(path, key);
                match recorded.get(key) {
                    Some(recorded) => same(recorded, value, &path)?,
                    None if (key.as_str(), value.as_u64())
                        == (YOUNGER_KEY.0, Some(YOUNGER_KEY.1)) => {}
                    None => return Err(format!("{path}: is {value}, not recorded")),
                }
            }
            match recorded.keys().find(|key| !ours.contains_key(*key)) {
                Some(key) => Err(format!("{}: recorded, not decoded", join(path, key))),
                None => Ok(()),
            }
        }
        (Value::Array(recorded), Value::Array(ours)) if recorded.len() == ours.len() => {
            std::iter::zip(recorded, ours)
                .enumerate()
                .try_for_each(|(i, (recorded, ours))| {
                    same(recorded, ours, &join(path, &i.to_string()))
                })
        }
        _ if recorded == ours => Ok(()),
        _ => Err(format!("{path}: is {ours}, recorded as {recorded}")),
    }
}

fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        _ => format!("{path}.{key}"),
    }
}
