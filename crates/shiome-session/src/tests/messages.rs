//! Messages, and what is told about them.

use super::*;

pub(super) fn actor(pid: u64) -> Actor {
    Actor { pid, name: None }
}

pub(super) fn named(pid: u64, name: &str) -> Actor {
    Actor {
        pid,
        name: Some(name.to_owned()),
    }
}

pub(super) fn cast(to: u64) -> node::Cast {
    node::Cast {
        to,
        what: Bytes::from_static(b"argument"),
        variant: "Note".to_owned(),
        metadata: None,
    }
}

/// A cast with so many bytes of argument, the first of which tell its number.
pub(super) fn numbered(to: u64, number: u32, len: usize) -> node::Cast {
    let mut what = vec![0xa5; len.max(4)];
    what[..4].copy_from_slice(&number.to_be_bytes());
    node::Cast {
        what: what.into(),
        ..cast(to)
    }
}

/// What [`numbered`] has told.
pub(super) fn number(what: &[u8]) -> u32 {
    u32::from_be_bytes(*what.first_chunk().expect("a number"))
}

pub(super) fn call(to: u64) -> node::Call {
    node::Call {
        to,
        what: Bytes::from_static(b"argument"),
        tag: 0,
        timeout_ms: None,
        variant: "Ask".to_owned(),
        metadata: None,
    }
}

pub(super) fn reply(to: u64, tag: u64) -> node::CallReply {
    let what = Bytes::from_static(b"reply");
    node::CallReply { to, tag, what }
}

pub(super) fn spawn(actors: impl IntoIterator<Item = Actor>) -> control::Spawn {
    let actors = actors.into_iter().collect();
    control::Spawn { actors }
}

pub(super) fn terminate(ids: impl IntoIterator<Item = u64>) -> control::Terminate {
    let ids = ids.into_iter().collect();
    control::Terminate { ids }
}

pub(super) fn pg_join(group: &str, actors: impl IntoIterator<Item = Actor>) -> control::PgJoin {
    control::PgJoin {
        group: group.to_owned(),
        actors: actors.into_iter().collect(),
        scope: "scope".to_owned(),
    }
}

pub(super) fn pg_leave(group: &str, actors: impl IntoIterator<Item = Actor>) -> control::PgLeave {
    control::PgLeave {
        group: group.to_owned(),
        actors: actors.into_iter().collect(),
        scope: "scope".to_owned(),
    }
}

pub(super) fn is_probe(message: &NetworkMessage) -> bool {
    use control_message::Msg;
    matches!(
        message.clone().into_control(),
        Some(Msg::Ping(_) | Msg::Pong(_))
    )
}

pub(super) fn fragment(id: u64, offset: u64, total: u64, data: &[u8]) -> native::Fragment {
    let data = Bytes::copy_from_slice(data);
    native::Fragment {
        id,
        offset,
        total,
        data,
    }
}

/// Everything that a session has to send now.
pub(super) fn polled(session: &mut Session<Handle>) -> Vec<NetworkMessage> {
    std::iter::from_fn(|| session.poll_transmit()).collect()
}

/// The messages' kinds, in order.
pub(super) fn kinds(messages: &[NetworkMessage]) -> Vec<&'static str> {
    messages.iter().map(NetworkMessage::kind).collect()
}

/// Callee and tag of the calls among messages.
pub(super) fn tags(messages: &[NetworkMessage]) -> Vec<(u64, u64)> {
    calls(messages).map(|call| (call.to, call.tag)).collect()
}

/// The timeouts of the calls among messages, in milliseconds.
pub(super) fn timeouts(messages: &[NetworkMessage]) -> Vec<Option<u64>> {
    calls(messages).map(|call| call.timeout_ms).collect()
}

fn calls(messages: &[NetworkMessage]) -> impl Iterator<Item = node::Call> {
    let messages = messages.iter().cloned();
    messages.filter_map(|message| match message.into_node() {
        Some(node_message::Msg::Call(call)) => Some(call),
        _ => None,
    })
}
