//! What a remote actor looks like from here, and what its end does and does not touch.

use ractor::{
    Actor, ActorProcessingErr, ActorRef, ActorStatus, MessagingErr, SupervisionEvent,
    registry::where_is, rpc::CallResult,
};
use shiome_wire::{control, node};
use tokio::sync::mpsc;

use super::support::{
    ProbeMessage, RawPeer, arguments, eventually, node, probe, remote_members, sessions,
};

#[tokio::test(start_paused = true)]
async fn a_remote_actor_never_looks_local() {
    let server = node("e7").await;
    let mut peer = RawPeer::join(&server, "e7peer").await;
    peer.announce([(17, "")]).await;
    peer.join_group("e7", [17]).await;
    let remote = remote_members("e7", 1).await.remove(0);
    assert!(remote.get_id().node() >= 1, "0 stands for this node");
    assert_eq!(remote.get_id().pid(), 17);
    assert!(!remote.get_id().to_string().starts_with("0."));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_remote_actor_leaves_the_local_name_alone() {
    let server = node("e1").await;
    let (local, _) = probe(Some("e1-worker")).await;
    let mut peer = RawPeer::join(&server, "e1peer").await;
    peer.announce([(5, "e1-worker")]).await;
    peer.join_group("e1", [5]).await;
    let remote = remote_members("e1", 1).await.remove(0);

    peer.send(control::Terminate { ids: vec![5] }).await;
    remote_members("e1", 0).await;
    eventually(|| (remote.get_status() == ActorStatus::Stopped).then_some(())).await;
    let found = where_is("e1-worker").expect("the local actor keeps its name");
    assert_eq!(found.get_id(), local.get_id());
}

#[tokio::test(start_paused = true)]
async fn stopping_one_remote_ref_ends_neither_the_session_nor_other_refs() {
    let server = node("e15").await;
    let mut peer = RawPeer::join(&server, "e15peer").await;
    peer.join_group("e15", 1..=40).await;
    let mut members = remote_members("e15", 40).await;

    let stopped = members.remove(0);
    stopped.stop(None);
    remote_members("e15", 39).await;
    peer.ping(1).await;
    assert_eq!(sessions(&server).await.len(), 1);
    for member in members {
        assert_eq!(member.get_status(), ActorStatus::Running);
        let actor = ActorRef::<ProbeMessage>::from(member);
        actor.cast(ProbeMessage::Note("still here".into())).unwrap();
    }
    for _ in 0..39 {
        assert_eq!(peer.expect_cast().await.variant, "Note");
    }
}

#[tokio::test(start_paused = true)]
async fn a_killed_remote_ref_ends_neither_the_session_nor_other_refs() {
    let server = node("killed").await;
    let mut peer = RawPeer::join(&server, "killedpeer").await;
    peer.join_group("killed", 1..=3).await;
    remote_members("killed", 3).await.remove(0).kill();
    remote_members("killed", 2).await;
    peer.ping(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_detached_actor_comes_back_with_its_next_group() {
    let server = node("detached").await;
    let mut peer = RawPeer::join(&server, "detachedpeer").await;
    peer.join_group("detached", [1]).await;
    remote_members("detached", 1).await.remove(0).stop(None);
    remote_members("detached", 0).await;
    peer.join_group("detached again", [1]).await;
    let back = remote_members("detached again", 1).await.remove(0);
    let back = ActorRef::<ProbeMessage>::from(back);
    back.cast(ProbeMessage::Note("hello".into())).unwrap();
    assert_eq!(peer.expect_cast().await.what, arguments(&[b"hello"]));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_session_ends_its_refs_and_open_calls() {
    let server = node("gone").await;
    let mut peer = RawPeer::join(&server, "gonepeer").await;
    peer.join_group("gone", [1, 2]).await;
    let remote = ActorRef::<ProbeMessage>::from(remote_members("gone", 2).await.remove(0));
    let caller = remote.clone();
    let call = tokio::spawn(async move {
        let echo = |port| ProbeMessage::Echo("never".into(), port);
        caller.call(echo, None).await
    });
    peer.expect_call().await;
    drop(peer);
    let ended = call.await.unwrap().unwrap();
    assert!(matches!(ended, CallResult::SenderError), "the call ends");
    remote_members("gone", 0).await;
    eventually(|| (remote.get_status() == ActorStatus::Stopped).then_some(())).await;
    let refused = remote.cast(ProbeMessage::Note("late".into()));
    assert!(matches!(refused, Err(MessagingErr::SendErr(_))));
    assert!(sessions(&server).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_its_callees_end_overtakes_still_arrives() {
    let server = node("e2in").await;
    let mut peer = RawPeer::join(&server, "e2inpeer").await;
    peer.join_group("e2in", [1]).await;
    let remote = ActorRef::<ProbeMessage>::from(remote_members("e2in", 1).await.remove(0));
    let call = tokio::spawn(async move {
        let echo = |port| ProbeMessage::Echo("hello".into(), port);
        remote.call(echo, None).await
    });
    let tag = peer.expect_call().await.tag;
    peer.send(control::Terminate { ids: vec![1] }).await;
    remote_members("e2in", 0).await;
    peer.send(node::CallReply {
        to: 1,
        tag,
        what: "hello".into(),
    })
    .await;
    assert_eq!(call.await.unwrap().unwrap().unwrap(), "hello");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_timeout_to_a_silent_actor_ends() {
    let server = node("silent").await;
    let mut peer = RawPeer::join(&server, "silentpeer").await;
    peer.join_group("silent", [1]).await;
    let remote = ActorRef::<ProbeMessage>::from(remote_members("silent", 1).await.remove(0));
    let call = tokio::spawn(async move { remote.call(ProbeMessage::Drop, None).await });
    let timeout_ms = peer.expect_call().await.timeout_ms;
    assert_eq!(timeout_ms, Some(60_000), "the peer is told when to give up");
    let began = tokio::time::Instant::now();
    let ended = tokio::select! {
        ended = call => ended.unwrap().unwrap(),
        never = peer.answer_pings() => match never {},
    };
    assert!(matches!(ended, CallResult::SenderError));
    assert_eq!(began.elapsed().as_secs(), 60);
    peer.ping(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_would_cost_the_link_is_not_sent() {
    let server = node("toolong").await;
    let mut peer = RawPeer::join(&server, "toolongpeer").await;
    peer.join_group("toolong", [1]).await;
    let remote = ActorRef::<ProbeMessage>::from(remote_members("toolong", 1).await.remove(0));
    let huge = "x".repeat(17 * 1024 * 1024);
    remote.cast(ProbeMessage::Note(huge.clone())).unwrap();
    let ended = remote
        .call(|port| ProbeMessage::Echo(huge, port), None)
        .await;
    assert!(
        matches!(ended, Ok(CallResult::SenderError)),
        "at once, not at the timeout"
    );
    remote.cast(ProbeMessage::Note("small".into())).unwrap();
    assert_eq!(peer.expect_cast().await.what, arguments(&[b"small"]));
}

/// Tells why what it supervises has ended.
struct Watcher(mpsc::UnboundedSender<Option<String>>);

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Watcher {
    type Msg = ProbeMessage;
    type State = ();
    type Arguments = ();

    async fn pre_start(
        &self,
        _myself: ActorRef<ProbeMessage>,
        (): (),
    ) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<ProbeMessage>,
        event: SupervisionEvent,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorTerminated(_, _, reason) = event {
            self.0.send(reason)?;
        }
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn who_supervises_a_remote_actor_is_told_which_node_ended_and_why() {
    let server = node("watched").await;
    let (told, mut reasons) = mpsc::unbounded_channel();
    let (watcher, _) = Actor::spawn(None, Watcher(told), ()).await.unwrap();
    for (group, reason) in [
        ("why-lost", "it has closed the link"),
        ("why-stopped", "this node has closed the link"),
    ] {
        let mut peer = RawPeer::join(&server, group).await;
        peer.announce([(9, "remote")]).await;
        peer.join_group(group, [9]).await;
        let remote = remote_members(group, 1).await.remove(0);
        remote.link(watcher.get_cell());
        let session = sessions(&server).await.remove(0);
        if group == "why-lost" {
            drop(peer);
        } else {
            session.actor.stop(None);
        }
        let expected = format!("session with {group}@raw ended: {reason}");
        assert_eq!(reasons.recv().await.unwrap(), Some(expected));
        session.actor.wait(None).await.unwrap();
    }
}
