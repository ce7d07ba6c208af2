//! Gossip datagrams: `{"name", "kind", "hex", "fields"}`.
//!
//! Numbers of 64 bits are decimal strings, node ids are hex. With an `hmac_password`, the datagram ends in the tag of an
//! authenticated cluster.

use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::{Value, json};
use shiome_gossip::{
    Datagram, DecodeError, EncodeError, List, ListItem, MAX_DATAGRAM_LEN, Member, Message, NodeId,
    Packer, Secret, Slots, TAG_LEN, Update,
};

use super::{FileReport, Format, unhex, wire::same};

pub(super) const FORMAT: Format = Format {
    name: "gossip",
    required: &["name", "kind", "hex", "fields"],
    optional: &["hmac_password", "note"],
    check,
};

/// Where a password stands when it stands among the fields.
const PASSWORD: &str = "hmac_password";

#[derive(Deserialize)]
struct Entry {
    name: String,
    kind: String,
    hex: String,
    fields: serde_json::Map<String, Value>,
    hmac_password: Option<String>,
}

fn check(entries: &[Value], report: &mut FileReport) {
    let mut signed = 0;
    report.each(
        entries,
        |entry: &Entry| entry.name.clone(),
        |entry| {
            let datagram = unhex("hex", &entry.hex)?;
            let mut fields = entry.fields.clone();
            let password = match fields.remove(PASSWORD) {
                Some(Value::String(password)) => Some(password),
                Some(other) => return Err(format!("{PASSWORD}: {other} is no password")),
                None => entry.hmac_password.clone(),
            };
            let message = match &password {
                Some(password) => {
                    signed += 1;
                    open(password, &datagram)?
                }
                None => &datagram,
            };
            check_message(message, &entry.kind, &Value::Object(fields))
        },
    );
    if signed > 0 {
        report
            .notes
            .push(format!("{signed} with the tag of a password, checked"));
    }
}

/// Checks the tag, and that ours is the same. Returns what it signs.
fn open<'a>(password: &str, datagram: &'a [u8]) -> Result<&'a [u8], String> {
    let secret = Secret::new(password).map_err(|e| e.to_string())?;
    let signed = secret.open(datagram).map_err(|e| e.to_string())?;
    let mut sealed = datagram.to_vec();
    sealed[signed.len()..].fill(0);
    let len = secret
        .seal(&mut sealed, signed.len())
        .map_err(|e| e.to_string())?;
    if len != signed.len() + TAG_LEN || sealed != datagram {
        return Err(format!("is sealed to {}", hex::encode(sealed)));
    }
    Ok(signed)
}

fn check_message(bytes: &[u8], kind: &str, fields: &Value) -> Result<(), String> {
    let datagram = Datagram::decode_strict(bytes).map_err(|e| e.to_string())?;
    let (decoded_kind, decoded) = project(&datagram.message).map_err(|e| e.to_string())?;
    if decoded_kind != kind {
        return Err(format!("is a {decoded_kind}, recorded as {kind}"));
    }
    same(fields, &decoded, "")?;
    let encoded = encode(&datagram.message).map_err(|e| e.to_string())?;
    if encoded != bytes {
        return Err(format!("encodes to {}", hex::encode(encoded)));
    }
    Ok(())
}

/// The kind and the fields of a message.
fn project(message: &Message<'_>) -> Result<(&'static str, Value), DecodeError> {
    Ok(match message {
        Message::Ping(ping) => ("ping", probe(ping.seq, ping.sender, &ping.updates)?),
        Message::Ack(ack) => ("ack", probe(ack.seq, ack.sender, &ack.updates)?),
        Message::PingReq(request) => (
            "ping_req",
            json!({
                "seq": number(request.seq), "sender": id(request.sender), "target": id(request.target),
                "target_addr": addr(request.target_addr),
            }),
        ),
        Message::Join(join) => (
            "join",
            json!({ "sender": id(join.sender), "sender_addr": addr(join.sender_addr) }),
        ),
        Message::Welcome(welcome) => (
            "welcome",
            json!({ "sender": id(welcome.sender), "members": list(&welcome.members, member)? }),
        ),
        Message::SlotsAnnounce(announce) => (
            "slots_announce",
            json!({
                "sender": id(announce.sender), "incarnation": number(announce.incarnation),
                "slots": slots(announce.slots),
            }),
        ),
        _ => ("unknown here", Value::Null),
    })
}

fn probe(seq: u64, sender: NodeId, updates: &List<'_, Update<'_>>) -> Result<Value, DecodeError> {
    let updates = list(updates, update)?;
    Ok(json!({ "seq": number(seq), "sender": id(sender), "updates": updates }))
}

fn list<'a, T: ListItem<'a>>(
    list: &List<'a, T>,
    project: impl Fn(T) -> Value,
) -> Result<Value, DecodeError> {
    list.iter().map(|item| item.map(&project)).collect()
}

fn update(update: Update<'_>) -> Value {
    match update {
        Update::Alive {
            node,
            addr: at,
            incarnation,
        } => json!({
            "kind": "alive", "node": id(node), "addr": addr(at), "incarnation": number(incarnation),
        }),
        Update::Suspect { node, incarnation } => {
            json!({ "kind": "suspect", "node": id(node), "incarnation": number(incarnation) })
        }
        Update::Dead { node, incarnation } => {
            json!({ "kind": "dead", "node": id(node), "incarnation": number(incarnation) })
        }
        Update::Left { node } => json!({ "kind": "left", "node": id(node) }),
        Update::SlotsChanged {
            node,
            incarnation,
            slots: owned,
        } => json!({
            "kind": "slots_changed", "node": id(node), "incarnation": number(incarnation), "slots": slots(owned),
        }),
        Update::RoleChanged {
            node,
            incarnation,
            is_primary,
            replicates,
        } => json!({
            "kind": "role_changed", "node": id(node), "incarnation": number(incarnation),
            "is_primary": is_primary, "replicates": replicates.map(id),
        }),
        Update::VoteRequest {
            candidate,
            epoch,
            offset,
        } => json!({
            "kind": "vote_request", "candidate": id(candidate), "epoch": number(epoch), "offset": number(offset),
        }),
        Update::VoteGranted {
            from,
            candidate,
            epoch,
        } => json!({
            "kind": "vote_granted", "from": id(from), "candidate": id(candidate), "epoch": number(epoch),
        }),
        _ => Value::Null,
    }
}

fn member(member: Member<'_>) -> Value {
    json!({
        "id": id(member.id), "addr": addr(member.addr), "incarnation": number(member.incarnation),
        "is_primary": member.is_primary, "slots": slots(member.slots),
    })
}

fn slots(slots: Slots<'_>) -> Value {
    slots
        .iter()
        .map(|range| json!([range.start(), range.end()]))
        .collect()
}

fn id(node: NodeId) -> Value {
    hex::encode(node.as_bytes()).into()
}

fn number(number: u64) -> Value {
    number.to_string().into()
}

fn addr(addr: SocketAddr) -> Value {
    addr.to_string().into()
}

/// The message as these crates write it.
fn encode(message: &Message<'_>) -> Result<Vec<u8>, EncodeError> {
    let mut buf = vec![0; MAX_DATAGRAM_LEN];
    let len = match message {
        Message::Ping(ping) => relay(
            Packer::ping(&mut buf, ping.seq, ping.sender)?,
            &ping.updates,
        )?,
        Message::Ack(ack) => relay(Packer::ack(&mut buf, ack.seq, ack.sender)?, &ack.updates)?,
        Message::Welcome(welcome) => {
            relay(Packer::welcome(&mut buf, welcome.sender)?, &welcome.members)?
        }
        Message::PingReq(request) => request.encode(&mut buf)?,
        Message::Join(join) => join.encode(&mut buf)?,
        Message::SlotsAnnounce(announce) => announce.encode(&mut buf)?,
        _ => 0,
    };
    buf.truncate(len);
    Ok(buf)
}

fn relay<'a, T: ListItem<'static>>(
    mut packer: Packer<'_, T>,
    items: &List<'a, T::At<'a>>,
) -> Result<usize, EncodeError> {
    match packer.relay(items).refused {
        Some((_, error)) => Err(error),
        None => Ok(packer.finish()),
    }
}
