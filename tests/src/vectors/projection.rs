//! A decoded message in the JSON shape of the vector files: members by name, bytes in hex, absent fields null.

use serde_json::{Value, json};
use shiome_wire::{
    auth::{AuthenticationMessage, NameMessage, NodeFlags, authentication_message, server_status},
    control::{Actor, ControlMessage, control_message},
    meta::{NetworkMessage, network_message::Message},
    node::{NodeMessage, node_message},
};

pub(super) fn project(message: &NetworkMessage) -> Value {
    match &message.message {
        // Published nodes read what they do not know as a message without content.
        None | Some(Message::Native(_)) => json!({}),
        Some(Message::Auth(message)) => json!({ "auth": auth(message) }),
        Some(Message::Node(message)) => json!({ "node": node(message) }),
        Some(Message::Control(message)) => json!({ "control": control(message) }),
    }
}

fn auth(message: &AuthenticationMessage) -> Value {
    use authentication_message::Msg;
    match &message.msg {
        None => json!({}),
        Some(Msg::Name(m)) => json!({ "name": name(m) }),
        Some(Msg::ServerStatus(m)) => json!({ "server_status": { "status": status(m.status) } }),
        Some(Msg::ClientStatus(m)) => json!({ "client_status": { "status": m.status } }),
        Some(Msg::ServerChallenge(m)) => json!({ "server_challenge": {
            "name": m.name,
            "flags": flags(m.flags.as_ref()),
            "challenge": m.challenge,
            "connection_string": m.connection_string,
        } }),
        Some(Msg::ClientChallenge(m)) => json!({ "client_challenge": {
            "challenge": m.challenge,
            "digest": hex::encode(&m.digest),
        } }),
        Some(Msg::ServerAck(m)) => json!({ "server_ack": { "digest": hex::encode(&m.digest) } }),
    }
}

fn node(message: &NodeMessage) -> Value {
    use node_message::Msg;
    match &message.msg {
        None => json!({}),
        Some(Msg::Cast(m)) => json!({ "cast": {
            "to": m.to,
            "what": hex::encode(&m.what),
            "variant": m.variant,
            "metadata": m.metadata.as_ref().map(hex::encode),
        } }),
        Some(Msg::Call(m)) => json!({ "call": {
            "to": m.to,
            "what": hex::encode(&m.what),
            "tag": m.tag,
            "timeout_ms": m.timeout_ms,
            "variant": m.variant,
            "metadata": m.metadata.as_ref().map(hex::encode),
        } }),
        Some(Msg::Reply(m)) => json!({ "reply": {
            "to": m.to,
            "tag": m.tag,
            "what": hex::encode(&m.what),
        } }),
    }
}

fn control(message: &ControlMessage) -> Value {
    use control_message::Msg;
    match &message.msg {
        None => json!({}),
        Some(Msg::Spawn(m)) => json!({ "spawn": { "actors": actors(&m.actors) } }),
        Some(Msg::Terminate(m)) => json!({ "terminate": { "ids": m.ids } }),
        Some(Msg::Ping(m)) => json!({ "ping": { "timestamp": timestamp(m.timestamp.as_ref()) } }),
        Some(Msg::Pong(m)) => json!({ "pong": { "timestamp": timestamp(m.timestamp.as_ref()) } }),
        Some(Msg::PgJoin(m)) => json!({ "pg_join": group(&m.group, &m.actors, &m.scope) }),
        Some(Msg::PgLeave(m)) => json!({ "pg_leave": group(&m.group, &m.actors, &m.scope) }),
        Some(Msg::EnumerateNodeSessions(m)) => json!({ "enumerate_node_sessions": name(m) }),
        Some(Msg::NodeSessions(m)) => {
            let sessions: Vec<_> = m.sessions.iter().map(name).collect();
            json!({ "node_sessions": { "sessions": sessions } })
        }
        Some(Msg::Ready(_)) => json!({ "ready": {} }),
    }
}

fn name(message: &NameMessage) -> Value {
    json!({
        "name": message.name,
        "flags": flags(message.flags.as_ref()),
        "connection_string": message.connection_string,
        "connection_id": message.connection_id,
    })
}

fn flags(flags: Option<&NodeFlags>) -> Value {
    flags.map_or(Value::Null, |flags| json!({ "version": flags.version }))
}

/// The name of a status, or the number that has none.
fn status(number: i32) -> Value {
    server_status::Status::try_from(number)
        .map_or_else(|_| json!(number), |status| json!(status.as_str_name()))
}

/// A timestamp, told as it was sent: a Pong has to carry the Ping's bit for bit.
fn timestamp(timestamp: Option<&prost_types::Timestamp>) -> Value {
    timestamp.map_or(
        Value::Null,
        |t| json!({ "seconds": t.seconds, "nanos": t.nanos }),
    )
}

fn actors(actors: &[Actor]) -> Value {
    actors
        .iter()
        .map(|actor| json!({ "pid": actor.pid, "name": actor.name }))
        .collect()
}

fn group(group: &str, members: &[Actor], scope: &str) -> Value {
    json!({ "group": group, "actors": actors(members), "scope": scope })
}
