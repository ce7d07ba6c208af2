//! What the peer says.

use bytes::Bytes;
use prost_types::Timestamp;
use shiome_wire::{
    Frame,
    auth::NameMessage,
    control::{
        Actor, NodeSessions, PgJoin, PgLeave, Ping, Pong, Ready, Spawn, Terminate,
        control_message::Msg,
    },
    meta::NetworkMessage,
    native::{
        CallError, ChannelClose, ChannelCredit, ChannelData, ChannelOpen, Credit, Demonitor, Exit,
        Fragment, Goodbye, Monitor, Proof, Refused, Stop,
    },
    node::{Call, CallReply, Cast},
};

use crate::script::Script;

/// Longest payload that the script makes up, in bytes: more than what goes at once.
const MAX_PAYLOAD_LEN: usize = 100_000;

/// A message as the script says, or one without content when it says none.
pub(super) fn message(script: &mut Script<'_>) -> NetworkMessage {
    match script.below(21) {
        0 => Spawn {
            actors: actors(script),
        }
        .into(),
        1 => Terminate { ids: pids(script) }.into(),
        2 => PgJoin {
            group: group(script),
            actors: actors(script),
            scope: String::new(),
        }
        .into(),
        3 => PgLeave {
            group: group(script),
            actors: actors(script),
            scope: String::new(),
        }
        .into(),
        4 => Ping {
            timestamp: timestamp(script),
        }
        .into(),
        5 => Pong {
            timestamp: timestamp(script),
        }
        .into(),
        6 => Ready {}.into(),
        7 => Msg::EnumerateNodeSessions(NameMessage::default()).into(),
        8 => NodeSessions {
            sessions: vec![NameMessage::default(); script.below(4)],
        }
        .into(),
        op @ 9..12 => between_actors(op, script),
        12 => {
            let body = Bytes::copy_from_slice(script.bytes());
            Frame::from(body).decode().unwrap_or_default()
        }
        _ => native(script),
    }
}

fn between_actors(op: usize, script: &mut Script<'_>) -> NetworkMessage {
    let to = script.number();
    match op {
        9 => Cast {
            to,
            what: payload(script),
            ..Cast::default()
        }
        .into(),
        10 => Call {
            to,
            tag: script.number(),
            what: payload(script),
            timeout_ms: script.flag().then(|| script.number()),
            ..Call::default()
        }
        .into(),
        _ => CallReply {
            to,
            tag: script.number(),
            what: payload(script),
        }
        .into(),
    }
}

fn native(script: &mut Script<'_>) -> NetworkMessage {
    let op = script.below(12);
    let pid = script.number();
    match op {
        0 => Proof::default().into(),
        11 if script.flag() => channel(pid, script),
        1 | 2 | 11 => Fragment {
            id: pid,
            offset: script.number(),
            total: script.number(),
            data: payload(script),
        }
        .into(),
        3 => Credit { bytes: pid }.into(),
        4 => CallError {
            to: pid,
            tag: script.number(),
            code: word(script),
        }
        .into(),
        5 => Stop {
            pid,
            reason: reason(script),
            kill: script.flag(),
        }
        .into(),
        6 => Monitor { pid }.into(),
        7 => Demonitor { pid }.into(),
        8 => Refused {
            pid,
            verb: word(script),
        }
        .into(),
        9 => Exit {
            pid,
            kind: word(script),
            reason: reason(script),
        }
        .into(),
        _ => Goodbye {
            reason: word(script),
            detail: script.text(),
        }
        .into(),
    }
}

fn channel(number: u64, script: &mut Script<'_>) -> NetworkMessage {
    match script.below(6) {
        0 => ChannelOpen {
            number,
            name: format!("channel{}", script.below(3)),
            max_message_len: script.number(),
            window: script.number(),
        }
        .into(),
        1 => ChannelOpen {
            number,
            name: format!("channel{}", script.below(3)),
            max_message_len: 1000,
            window: 300_000,
        }
        .into(),
        2 => ChannelCredit {
            number,
            bytes: script.number(),
        }
        .into(),
        3 => ChannelClose { number }.into(),
        _ => ChannelData {
            number,
            data: payload(script),
            more: script.flag(),
        }
        .into(),
    }
}

/// A number of an enum, or of none.
fn word(script: &mut Script<'_>) -> i32 {
    i32::from(script.byte()) % 10 - 1
}

fn reason(script: &mut Script<'_>) -> Option<String> {
    script.flag().then(|| script.text())
}

fn pids(script: &mut Script<'_>) -> Vec<u64> {
    (0..script.below(5)).map(|_| script.number()).collect()
}

fn actors(script: &mut Script<'_>) -> Vec<Actor> {
    let actor = |pid| Actor {
        pid,
        name: name_of(pid),
    };
    pids(script).into_iter().map(actor).collect()
}

/// Names that meet, of pids that do.
fn name_of(pid: u64) -> Option<String> {
    (!pid.is_multiple_of(3)).then(|| format!("name{}", pid % 5))
}

fn group(script: &mut Script<'_>) -> String {
    format!("group{}", script.below(6))
}

fn timestamp(script: &mut Script<'_>) -> Option<Timestamp> {
    script.flag().then(|| Timestamp {
        seconds: script.number() as i64,
        nanos: script.number() as i32,
    })
}

/// Of the script, or as many zeros as it says.
pub(super) fn payload(script: &mut Script<'_>) -> Bytes {
    match script.flag() {
        false => Bytes::copy_from_slice(script.bytes()),
        true => {
            let len = usize::from(script.byte()) * MAX_PAYLOAD_LEN / 255;
            vec![0; len].into()
        }
    }
}
