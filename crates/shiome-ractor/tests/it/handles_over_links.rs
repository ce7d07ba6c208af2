//! Handles of remote actors while links come, go and stand still.

use std::time::Duration;

use ractor::{ActorRef, rpc::CallResult};
use shiome_ractor::{
    CallError, CastError, Down, Node, NodeDown, NodeEvent, Overflow, RemoteRef, RunEnd,
};
use shiome_transport::session;
use shiome_wire::{
    control,
    native::{self, native_message},
    node,
};
use tokio::time::{Instant, timeout};

use super::support::{COOKIE, ProbeMessage, RawPeer, arguments, eventually, remote_members};

type Handle = RemoteRef<ProbeMessage>;

/// A node, a native peer in its run 1, and a handle of its actor `worker`, number 17.
async fn linked(name: &str, limits: session::Config) -> (Node, RawPeer, Handle) {
    let node = Node::builder(format!("{name}@127.0.0.1:0"));
    let node = node.cookie(COOKIE).session(limits).start().await.unwrap();
    let mut peer = RawPeer::join_native(node.server(), &format!("{name}-peer"), 1).await;
    peer.announce([(17, "worker")]).await;
    peer.ping(1).await;
    let session = node.sessions().await.unwrap().pop().unwrap();
    let worker = node.remote(&session, "worker").unwrap();
    (node, peer, worker)
}

/// The outbox holds 64 KiB.
fn tight() -> session::Config {
    let mut limits = session::Config::default();
    limits.max_outbox = 64 * 1024;
    limits
}

fn note(text: &str) -> ProbeMessage {
    ProbeMessage::Note(text.into())
}

fn echo(port: ractor::RpcReplyPort<String>) -> ProbeMessage {
    ProbeMessage::Echo("x".into(), port)
}

/// Casts until the link takes no more; how many.
async fn fill(worker: &Handle) -> usize {
    let text = "x".repeat(32 * 1024);
    let mut sent = 0;
    let mut refused = 0;
    // The link takes what it can.
    while refused < 100 {
        match worker.try_cast(note(&text)) {
            Ok(()) => (sent, refused) = (sent + 1, 0),
            Err(_) => refused += 1,
        }
        tokio::task::yield_now().await;
    }
    sent
}

#[tokio::test(start_paused = true)]
async fn an_actor_of_a_node_that_is_back_is_not_gone_before_the_node_has_told_its_actors() {
    let (node, mut peer, worker) = linked("retold", session::Config::default()).await;
    // Another one, which does not come back.
    peer.announce([(18, "lost")]).await;
    peer.ping(2).await;
    let session = node.sessions().await.unwrap().pop().unwrap();
    let lost = node.remote::<ProbeMessage>(&session, "lost").unwrap();
    drop(peer);
    eventually(|| (!worker.is_connected()).then_some(())).await;

    let mut peer = RawPeer::dial(node.server());
    peer.authenticate_native("retold-peer", 1).await;
    eventually(|| worker.is_connected().then_some(())).await;
    let now = worker.try_cast(note("now"));
    assert_eq!(now, Err(CastError::NotReady));
    assert_eq!(worker.stop(None), Err(CastError::NotReady.into()));
    let (alive, gone) = (worker.monitor(), lost.monitor());
    let later = tokio::spawn({
        let worker = worker.clone();
        async move { worker.cast(note("later")).await }
    });
    let called = tokio::spawn({
        let lost = lost.clone();
        async move { lost.call(echo, None).await }
    });
    peer.announce([(17, "worker")]).await;
    peer.synchronise().await;
    let unknown = CallError::NotSent(CastError::UnknownActor);
    assert_eq!(called.await.unwrap(), Err(unknown));
    assert_eq!(gone.await, Down::UnknownActor);
    assert_eq!(later.await.unwrap(), Ok(()));
    assert_eq!(peer.expect_cast().await.what, arguments(&[b"later"]));
    worker.stop(None).unwrap();
    peer.send(native::Exit {
        pid: 17,
        kind: native::exit::Kind::Killed.into(),
        reason: None,
    })
    .await;
    assert_eq!(alive.await, Down::Killed);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_waits_for_a_node_to_tell_its_actors_ends_with_the_link() {
    let (node, peer, worker) = linked("deferred", session::Config::default()).await;
    drop(peer);
    eventually(|| (!worker.is_connected()).then_some(())).await;
    let mut peer = RawPeer::dial(node.server());
    peer.authenticate_native("deferred-peer", 1).await;
    eventually(|| worker.is_connected().then_some(())).await;
    let (monitor, dropped) = (worker.monitor(), worker.monitor());
    let waiting = tokio::spawn({
        let worker = worker.clone();
        async move { worker.cast(note("x")).await }
    });
    tokio::task::yield_now().await;
    drop(dropped);
    drop(peer);
    let down = NodeDown::ClosedByPeer;
    assert_eq!(monitor.await, Down::NodeDown(down.clone()));
    let lost = waiting.await.unwrap();
    assert_eq!(lost, Err(CastError::NotConnected(down)));
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_call_runs_while_it_waits_for_room() {
    let (_node, mut peer, worker) = linked("call-room", tight()).await;
    let sent = fill(&worker).await;
    let began = Instant::now();
    let called = timeout(
        Duration::from_secs(3),
        worker.call(echo, Some(Duration::from_secs(1))),
    );
    assert_eq!(called.await.unwrap(), Err(CallError::TimedOut));
    assert_eq!(began.elapsed().as_secs(), 1);
    // Nothing of it was sent.
    for _ in 0..sent {
        peer.expect_cast().await;
        peer.send(native::Credit { bytes: 33 * 1024 }).await;
    }
    worker.cast(note("next")).await.unwrap();
    assert_eq!(peer.expect_cast().await.what, arguments(&[b"next"]));

    let sent = fill(&worker).await;
    let began = Instant::now();
    let called = tokio::spawn({
        let worker = worker.clone();
        async move { worker.call(echo, Some(Duration::from_secs(1))).await }
    });
    tokio::time::sleep(Duration::from_millis(900)).await;
    for _ in 0..sent {
        peer.expect_cast().await;
        peer.send(native::Credit { bytes: 33 * 1024 }).await;
    }
    let node::Call {
        to,
        tag,
        timeout_ms,
        ..
    } = peer.expect_call().await;
    assert!(timeout_ms.unwrap() <= 100, "{timeout_ms:?}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let what = "late".into();
    peer.send(node::CallReply { to, tag, what }).await;
    assert_eq!(called.await.unwrap(), Err(CallError::TimedOut));
    assert!(began.elapsed() <= Duration::from_millis(1200));
}

#[tokio::test(start_paused = true)]
async fn a_session_that_is_killed_is_told_down_once_with_what_was_not_sent() {
    let (node, peer, worker) = linked("killed", tight()).await;
    let mut events = node.events();
    let monitor = worker.monitor();
    let sent = fill(&worker).await as u64;
    let session = node.sessions().await.unwrap().pop().unwrap();
    session.actor().kill();
    assert_eq!(monitor.await, Down::NodeDown(NodeDown::Closed));
    let (mut downs, mut casts) = (0, 0);
    loop {
        match events.next().await.unwrap() {
            NodeEvent::NodeDown { reason, .. } => {
                assert_eq!(reason, NodeDown::Closed);
                downs += 1;
            }
            NodeEvent::Unsent { unsent, .. } => {
                assert_eq!(downs, 0, "what is lost is told first");
                casts += unsent.casts;
            }
            NodeEvent::Disconnected(_) => break,
            _ => {}
        }
    }
    assert_eq!(downs, 1);
    // What the link had taken counts as sent.
    assert!(casts > 0 && casts <= sent, "{casts} of {sent}");
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_node_that_was_started_anew_is_told_unsent() {
    let (node, mut frozen, worker) = linked("unsent-anew", tight()).await;
    let mut events = node.events();
    let sent = fill(&worker).await as u64;
    let called = tokio::spawn({
        let worker = worker.clone();
        // It goes ahead of what waits for others, but not for the same actor.
        async move { worker.call(echo, None).await }
    });
    tokio::task::yield_now().await;
    let _peer = RawPeer::join_native(node.server(), "unsent-anew-peer", 2).await;
    let restarted = CastError::Ended(RunEnd::Restarted);
    assert_eq!(called.await.unwrap(), Err(restarted.into()));
    let mut told = 0;
    loop {
        match events.next().await.unwrap() {
            NodeEvent::Unsent { unsent, .. } => told += unsent.casts,
            NodeEvent::NodeDown { reason, .. } => {
                assert_eq!(reason, NodeDown::Restarted);
                break;
            }
            _ => {}
        }
    }
    let words = frozen.until_closed().await;
    let casts = words.iter().filter(|word| word.kind() == "cast").count() as u64;
    assert!(told > 0 && told + casts >= sent, "{told}, {casts}, {sent}");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_not_written_when_its_session_was_killed_says_so() {
    let (node, _peer, worker) = linked("unwritten", session::Config::default()).await;
    // The link takes some 64 KiB, so the last of these waits.
    for _ in 0..8 {
        worker.try_cast(note(&"x".repeat(64 * 1024))).unwrap();
    }
    let called = tokio::spawn({
        let worker = worker.clone();
        async move { worker.call(echo, None).await }
    });
    tokio::time::sleep(Duration::from_millis(1)).await;
    let session = node.sessions().await.unwrap().pop().unwrap();
    session.actor().kill();
    let lost = CallError::LinkLost { written: false };
    assert_eq!(called.await.unwrap(), Err(lost));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_link_is_told_again_to_whoever_asks_again() {
    let (node, peer, _worker) = linked("ask-again", session::Config::default()).await;
    let session = node.sessions().await.unwrap().pop().unwrap();
    let link = node.monitor(&session).unwrap();
    let early = timeout(Duration::from_secs(1), link.down()).await;
    assert!(early.is_err(), "the link is there");
    drop(peer);
    assert_eq!(link.down().await, NodeDown::ClosedByPeer);
    assert_eq!(link.down().await, NodeDown::ClosedByPeer);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_begins_while_the_link_ends_tells_the_reason_of_the_end() {
    let (_node, mut peer, worker) = linked("ending", session::Config::default()).await;
    // Not even a length: the node says goodbye, and lingers.
    peer.send(control::PgJoin {
        group: "x".repeat(1024 * 1024),
        scope: "s".into(),
        actors: Vec::new(),
    })
    .await;
    peer.expect_native(|message| match message {
        native_message::Msg::Goodbye(goodbye) => Some(goodbye),
        _ => None,
    })
    .await;
    assert!(worker.is_connected(), "the end has not been told yet");
    let (cast, down) = (worker.try_cast(note("x")), worker.monitor().await);
    assert!(
        matches!(down, Down::NodeDown(NodeDown::Protocol(_))),
        "{down:?}"
    );
    assert!(matches!(cast, Err(CastError::NotConnected(_))), "{cast:?}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_in_the_mailbox_of_a_stand_in_when_the_link_ends_is_told_unsent() {
    let node = Node::builder("mailbox@127.0.0.1:0").cookie(COOKIE);
    let node = node.session(tight()).overflow(Overflow::Wait);
    let node = node.start().await.unwrap();
    let mut events = node.events();
    let mut peer = RawPeer::join_native(node.server(), "mailbox-peer", 1).await;
    peer.join_group("mailbox", [17]).await;
    let member = remote_members("mailbox", 1).await.remove(0);
    let stand_in = ActorRef::<ProbeMessage>::from(member.clone());
    let sent = 1000;
    for _ in 0..sent {
        stand_in.cast(note(&"x".repeat(1024))).unwrap();
    }
    let called = tokio::spawn(async move { stand_in.call(echo, None).await });
    tokio::task::yield_now().await;
    peer.send(native::Goodbye::default()).await;
    let (mut casts, mut calls) = (0, 0);
    loop {
        match events.next().await.unwrap() {
            NodeEvent::Unsent { unsent, .. } => {
                casts += unsent.casts;
                calls += unsent.calls;
            }
            NodeEvent::NodeDown { .. } => break,
            _ => {}
        }
    }
    assert_eq!(calls, 1);
    let answer = called.await.unwrap().unwrap();
    assert!(matches!(answer, CallResult::SenderError));
    let words = peer.until_closed().await;
    let arrived = words.iter().filter(|word| word.kind() == "cast").count() as u64;
    // What was being written may be both: a batch at most.
    assert!(casts + arrived >= sent, "{casts} and {arrived} of {sent}");
    assert!(casts > sent / 2 && casts <= sent, "{casts} of {sent}");
    member.wait(None).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_to_a_link_that_has_stalled_are_dropped_as_fast_as_they_come() {
    let node = Node::builder("drop-fast@127.0.0.1:0").cookie(COOKIE);
    let node = node.session(tight()).start().await.unwrap();
    let mut events = node.events();
    let mut peer = RawPeer::join_native(node.server(), "drop-fast-peer", 1).await;
    peer.join_group("drop-fast", [17]).await;
    let member = remote_members("drop-fast", 1).await.remove(0);
    let stand_in = ActorRef::<ProbeMessage>::from(member);
    for _ in 0..10_000 {
        stand_in.cast(note(&"x".repeat(1024))).unwrap();
    }
    let mut told = 0;
    let telling = async {
        while told < 9_000 {
            if let Some(NodeEvent::Unsent { unsent, .. }) = events.next().await {
                told += unsent.casts;
            }
        }
    };
    // It has stalled after a second; the first are told at once, the others a second later.
    let in_time = timeout(Duration::from_millis(2500), telling).await;
    assert!(in_time.is_ok(), "{told} were told");
    drop(peer);
}
