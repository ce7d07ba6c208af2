//! What can happen to a session, drawn at random.

use proptest::{collection::vec, option, prelude::*};
use prost_types::Timestamp;
use shiome_wire::auth::NameMessage;

use super::*;

/// What happens to a session, from both sides.
#[derive(Debug, Clone)]
pub(super) enum Input {
    Peer(NetworkMessage),
    Announce(u64),
    Terminate(u64),
    Join(u64, usize),
    Leave(u64, usize),
    Cast(u64),
    Call(u64, Option<u64>),
    /// Answers the n-th inbound call that waits, or drops it.
    Answer(usize, bool),
    Synced,
    Wait(u64),
    Close,
}

pub(super) const GROUPS: [&str; 3] = ["one", "two", "three"];

/// Few values, so that they meet, and some odd ones.
fn pid() -> impl Strategy<Value = u64> {
    prop_oneof![20 => 0..6u64, 1 => Just(u64::MAX)]
}

fn some_actor() -> impl Strategy<Value = Actor> {
    (pid(), option::of("[a-c]{0,2}")).prop_map(|(pid, name)| Actor { pid, name })
}

fn timestamp() -> impl Strategy<Value = Option<Timestamp>> {
    let any = (any::<i64>(), any::<i32>());
    option::of(any.prop_map(|(seconds, nanos)| Timestamp { seconds, nanos }))
}

pub(super) fn from_peer() -> impl Strategy<Value = NetworkMessage> {
    let group = || (0..GROUPS.len()).prop_map(|i| GROUPS[i]);
    let actors = || vec(some_actor(), 0..4);
    let timeout = prop_oneof![Just(None), any::<u64>().prop_map(Some)];
    prop_oneof![
        8 => actors().prop_map(|actors| spawn(actors).into()),
        4 => vec(pid(), 0..4).prop_map(|ids| terminate(ids).into()),
        4 => (group(), actors()).prop_map(|(group, actors)| pg_join(group, actors).into()),
        4 => (group(), actors()).prop_map(|(group, actors)| pg_leave(group, actors).into()),
        4 => pid().prop_map(|pid| cast(pid).into()),
        8 => (pid(), 0..4u64, timeout)
            .prop_map(|(pid, tag, timeout_ms)| node::Call { tag, timeout_ms, ..call(pid) }.into()),
        8 => (pid(), 0..6u64).prop_map(|(pid, tag)| reply(pid, tag).into()),
        1 => timestamp().prop_map(|timestamp| control::Ping { timestamp }.into()),
        1 => timestamp().prop_map(|timestamp| control::Pong { timestamp }.into()),
        1 => Just(control::Ready {}.into()),
        1 => Just(control_message::Msg::EnumerateNodeSessions(NameMessage::default()).into()),
        1 => Just(control::NodeSessions::default().into()),
        1 => Just(NetworkMessage::default()),
    ]
}

pub(super) fn input() -> impl Strategy<Value = Input> {
    let group = || 0..GROUPS.len();
    let timeout = option::of(prop_oneof![0..3000u64, Just(u64::MAX)]);
    prop_oneof![
        30 => from_peer().prop_map(Input::Peer),
        6 => pid().prop_map(Input::Announce),
        4 => pid().prop_map(Input::Terminate),
        2 => (pid(), group()).prop_map(|(pid, group)| Input::Join(pid, group)),
        2 => (pid(), group()).prop_map(|(pid, group)| Input::Leave(pid, group)),
        2 => pid().prop_map(Input::Cast),
        10 => (pid(), timeout).prop_map(|(pid, timeout)| Input::Call(pid, timeout)),
        8 => (any::<usize>(), any::<bool>()).prop_map(|(n, drop)| Input::Answer(n, drop)),
        1 => Just(Input::Synced),
        8 => (0..1500u64).prop_map(Input::Wait),
    ]
}
