//! Casts and calls of the peer to local actors.

use ractor::ActorStatus;
use shiome_wire::{
    control::control_message,
    meta::{NetworkMessage, network_message::Message},
    node::{self, node_message},
};

use super::support::{RawPeer, arguments, node, probe};

fn call(to: u64, tag: u64, variant: &str, fields: &[&[u8]]) -> node::Call {
    node::Call {
        to,
        what: arguments(fields),
        tag,
        timeout_ms: None,
        variant: variant.to_owned(),
        metadata: None,
    }
}

fn cast(to: u64, variant: &str, fields: &[&[u8]]) -> node::Cast {
    node::Cast {
        to,
        what: arguments(fields),
        variant: variant.to_owned(),
        metadata: None,
    }
}

fn reply_of(message: NetworkMessage) -> Option<node::CallReply> {
    match message.into_node()? {
        node_message::Msg::Reply(reply) => Some(reply),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn casts_arrive_in_order() {
    let server = node("order").await;
    let (probe, mut heard) = probe(None).await;
    let mut peer = RawPeer::join(&server, "orderpeer").await;
    let pid = probe.get_id().pid();
    for n in 0..100 {
        let text = n.to_string();
        peer.send(cast(pid, "Note", &[text.as_bytes()])).await;
    }
    for n in 0..100 {
        assert_eq!(heard.recv().await.unwrap(), n.to_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_is_answered_with_its_tag() {
    let server = node("call").await;
    let (probe, _heard) = probe(None).await;
    let mut peer = RawPeer::join(&server, "callpeer").await;
    let pid = probe.get_id().pid();
    peer.send(call(pid, 99, "Echo", &[b"hello"])).await;
    let reply = peer.expect(reply_of).await;
    assert_eq!(
        (reply.to, reply.tag, &reply.what[..]),
        (pid, 99, &b"hello"[..])
    );
}

#[tokio::test(start_paused = true)]
async fn the_reply_of_an_actor_that_stops_comes_before_the_news_of_its_end() {
    let server = node("e2out").await;
    for round in 0..40 {
        let (probe, _heard) = probe(None).await;
        let pid = probe.get_id().pid();
        let mut peer = RawPeer::join(&server, &format!("e2out{round}")).await;
        peer.send(call(pid, 1, "EchoAndStop", &[b"last words"]))
            .await;
        let first = peer
            .expect(|message| match message.message.clone()? {
                Message::Node(_) => reply_of(message).map(|_| "reply"),
                _ => match message.into_control()? {
                    control_message::Msg::Terminate(gone) if gone.ids == [pid] => Some("terminate"),
                    _ => None,
                },
            })
            .await;
        assert_eq!(first, "reply", "round {round}");
        peer.expect(|message| match message.into_control()? {
            control_message::Msg::Terminate(gone) => (gone.ids == [pid]).then_some(()),
            _ => None,
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn undecodable_messages_are_dropped_and_the_actor_lives() {
    let server = node("undecodable").await;
    let (probe, mut heard) = probe(None).await;
    let mut peer = RawPeer::join(&server, "undecodablepeer").await;
    let pid = probe.get_id().pid();
    peer.send(cast(pid, "NoSuchVariant", &[])).await;
    peer.send(cast(pid, "Note", &[b"\xff\xfe not utf-8"])).await;
    peer.send(cast(pid, "Note", &[])).await;
    peer.send(cast(pid, "Note", &[b"one", b"two"])).await;
    peer.send(cast(pid, "Echo", &[b"a cast to a call"])).await;
    let lying = node::Cast {
        what: u64::MAX.to_be_bytes().to_vec().into(),
        ..cast(pid, "Note", &[])
    };
    peer.send(lying).await;
    peer.send(call(pid, 1, "Note", &[b"a call to a cast"]))
        .await;
    peer.send(call(pid, 2, "NoSuchVariant", &[])).await;
    peer.send(cast(pid, "Note", &[b"fine"])).await;
    assert_eq!(heard.recv().await.unwrap(), "fine", "and nothing else");
    assert_eq!(probe.get_status(), ActorStatus::Running);
    peer.ping(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_whose_port_is_dropped_does_not_hold_back_the_news_of_the_actors_end() {
    let server = node("dropped").await;
    let (probe, _heard) = probe(None).await;
    let mut peer = RawPeer::join(&server, "droppedpeer").await;
    let pid = probe.get_id().pid();
    peer.send(call(pid, 1, "Drop", &[])).await;
    peer.ping(1).await;
    probe.stop(None);
    let began = tokio::time::Instant::now();
    peer.expect(|message| match message.into_control()? {
        control_message::Msg::Terminate(gone) => (gone.ids == [pid]).then_some(()),
        _ => None,
    })
    .await;
    assert!(began.elapsed().as_millis() < 500, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn only_announced_actors_can_be_addressed() {
    let server = node("private").await;
    let (probe, mut heard) = probe(None).await;
    let mut peer = RawPeer::join(&server, "privatepeer").await;
    // The node server is an actor too, but its messages never leave the process.
    let private = server.get_id().pid();
    peer.send(cast(private, "ConnectionReady", &[])).await;
    peer.send(call(private, 1, "GetSessions", &[])).await;
    peer.send(cast(u64::MAX, "Note", &[b"nobody"])).await;
    peer.send(cast(probe.get_id().pid(), "Note", &[b"somebody"]))
        .await;
    assert_eq!(heard.recv().await.unwrap(), "somebody");
    assert_eq!(server.get_status(), ActorStatus::Running);
}
