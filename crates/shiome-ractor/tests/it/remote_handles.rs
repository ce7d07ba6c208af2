//! Handles of remote actors, opposite a peer that speaks the protocol between nodes of shiome by hand.

use std::time::Duration;

use ractor::{ActorCell, ActorRef, ActorStatus};
use shiome_ractor::{
    CallError, CastError, Down, Node, NodeDown, NodeEvent, Overflow, RemoteRef, RunEnd, StopError,
};
use shiome_transport::session;
use shiome_wire::{
    control,
    native::{self, CallError as WireError, Exit, Refused, call_error::Code, exit, native_message},
    node::{self, node_message},
};
use tokio::time::{Instant, timeout};

use super::support::{COOKIE, ProbeMessage, RawPeer, arguments, eventually, probe, remote_members};

type Handle = RemoteRef<ProbeMessage>;

async fn start(name: &str) -> Node {
    let address = format!("{name}@127.0.0.1:0");
    Node::builder(address).cookie(COOKIE).start().await.unwrap()
}

/// A handle of the actor `worker`, number 17, which the peer announces.
async fn worker(node: &Node, peer: &mut RawPeer) -> Handle {
    peer.announce([(17, "worker")]).await;
    peer.ping(1).await;
    let session = node.sessions().await.unwrap().pop().unwrap();
    node.remote(&session, "worker").expect("it was announced")
}

/// A node, a native peer in its run 1, and a handle of its worker.
async fn linked(name: &str) -> (Node, RawPeer, Handle) {
    let node = start(name).await;
    let mut peer = RawPeer::join_native(node.server(), &format!("{name}-peer"), 1).await;
    let worker = worker(&node, &mut peer).await;
    (node, peer, worker)
}

fn echo(worker: &Handle) -> tokio::task::JoinHandle<Result<String, CallError>> {
    let worker = worker.clone();
    tokio::spawn(async move {
        let ask = |port| ProbeMessage::Echo("x".into(), port);
        worker.call(ask, Some(Duration::from_secs(60))).await
    })
}

fn note(text: &str) -> ProbeMessage {
    ProbeMessage::Note(text.into())
}

#[tokio::test(start_paused = true)]
async fn what_handles_send_arrives_in_order_and_calls_come_back() {
    let (_node, mut peer, worker) = linked("handles").await;
    worker.try_cast(note("1")).unwrap();
    worker.cast(note("2")).await.unwrap();
    let reply = echo(&worker);
    for text in ["1", "2"] {
        let cast = peer.expect_cast().await;
        assert_eq!((cast.to, cast.variant.as_str()), (17, "Note"));
        assert_eq!(cast.what, arguments(&[text.as_bytes()]));
    }
    let call = peer.expect_call().await;
    assert_eq!(call.timeout_ms, Some(60_000));
    let (to, tag) = (call.to, call.tag);
    let what = "answer".into();
    peer.send(node::CallReply { to, tag, what }).await;
    assert_eq!(reply.await.unwrap().unwrap(), "answer");
}

#[tokio::test(start_paused = true)]
async fn a_link_tells_what_was_agreed_on_and_what_waits() {
    let (node, mut peer, worker) = linked("agreed").await;
    let session = node.sessions().await.unwrap().remove(0);
    let link = node.link(&session).unwrap();
    let native = link.native.unwrap();
    assert_eq!((native.version, native.incarnation), (1, 1));
    assert_eq!(link.queued, 0);
    let before = link.silence;
    tokio::time::advance(Duration::from_millis(300)).await;
    assert!(node.link(&session).unwrap().silence >= before + Duration::from_millis(300));
    peer.ping(2).await;
    assert_eq!(node.link(&session).unwrap().silence, Duration::ZERO);
    for _ in 0..40 {
        worker.try_cast(note(&"x".repeat(60 * 1024))).unwrap();
    }
    assert!(node.link(&session).unwrap().queued > 1024 * 1024);
    let legacy = RawPeer::join(node.server(), "agreed-legacy").await;
    let sessions = node.sessions().await.unwrap();
    assert!(node.link(&sessions[1]).unwrap().native.is_none());
    drop((peer, legacy));
    eventually(|| node.link(&session).is_none().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_refused_ends_at_once_with_the_reason() {
    let (_node, mut peer, worker) = linked("refused").await;
    let began = Instant::now();
    for (code, expected) in [
        (Code::UnknownActor, CallError::UnknownActor),
        (Code::Undecodable, CallError::Undecodable),
        (Code::NoReply, CallError::NoReply),
        (Code::Overloaded, CallError::Overloaded),
        (Code::NotAllowed, CallError::NotAllowed),
        (Code::TooLong, CallError::ReplyTooLong),
    ] {
        let reply = echo(&worker);
        let node::Call { to, tag, .. } = peer.expect_call().await;
        let code = code.into();
        peer.send(WireError { to, tag, code }).await;
        assert_eq!(reply.await.unwrap(), Err(expected));
    }
    let reply = echo(&worker);
    let node::Call { to, tag, .. } = peer.expect_call().await;
    // No UTF-8.
    let what = vec![0xff].into();
    peer.send(node::CallReply { to, tag, what }).await;
    assert_eq!(reply.await.unwrap(), Err(CallError::UndecodableReply));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_with_its_time_or_with_the_link() {
    let (_node, mut peer, worker) = linked("ends").await;
    let short = worker.call(ProbeMessage::Drop, Some(Duration::from_millis(10)));
    assert_eq!(short.await, Err(CallError::TimedOut));
    peer.expect_call().await;
    let open = echo(&worker);
    peer.expect_call().await;
    drop(peer);
    assert_eq!(
        open.await.unwrap(),
        Err(CallError::LinkLost { written: true })
    );
    let after = worker.call(ProbeMessage::Drop, None).await;
    assert!(matches!(
        after,
        Err(CallError::NotSent(CastError::NotConnected(_)))
    ));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_call_cannot_be_called_and_what_is_one_not_cast() {
    let (_node, _peer, worker) = linked("kinds").await;
    let cast = worker
        .call(|_port: ractor::RpcReplyPort<()>| note("x"), None)
        .await;
    assert_eq!(cast, Err(CastError::Unserializable.into()));
    let (port, _reply) = ractor::concurrency::oneshot();
    let call = ProbeMessage::Drop(port.into());
    assert_eq!(worker.try_cast(call), Err(CastError::Unserializable));
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_has_ended_or_never_was_is_told() {
    let (node, mut peer, worker) = linked("unknown").await;
    peer.send(control::Terminate { ids: vec![17] }).await;
    peer.ping(2).await;
    assert_eq!(worker.try_cast(note("x")), Err(CastError::UnknownActor));
    let session = node.sessions().await.unwrap().remove(0);
    assert!(node.remote::<ProbeMessage>(&session, "worker").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_fills_the_link_and_senders_are_told_or_have_room_of_their_own() {
    let (_node, mut peer, worker) = linked("full").await;
    let text = "x".repeat(60 * 1024);
    let mut sent = 0;
    let full = loop {
        match worker.try_cast(note(&text)) {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
        // The link takes what it can.
        tokio::task::yield_now().await;
    };
    let limit = session::MAX_OUTBOX_LEN;
    let CastError::Full {
        queued,
        limit: told,
    } = full
    else {
        panic!("{full:?}");
    };
    assert!(queued >= limit && queued <= limit + 64 * 1024, "{queued}");
    assert_eq!(told, limit);
    assert!(sent * text.len() <= limit + 4 * 1024 * 1024, "{sent} casts");

    let mut in_turn = 0;
    let waiting = loop {
        let mut cast = Box::pin(worker.cast(note(&text)));
        match timeout(Duration::from_millis(10), &mut cast).await {
            Ok(sent) => sent.unwrap(),
            Err(_) => break cast,
        }
        in_turn += 1;
    };
    let mark = session::HIGH_WATER;
    assert!((mark / 10 * 9..mark + text.len()).contains(&(in_turn * text.len())));
    assert!(matches!(
        worker.try_cast(note(&text)),
        Err(CastError::Full { .. })
    ));
    let mut read = async || {
        for _ in 0..sent + in_turn + 1 {
            peer.expect_cast().await;
            let data_len = 61 * 1024;
            peer.send(native::Credit { bytes: data_len }).await;
        }
    };
    let (sent, ()) = tokio::join!(waiting, read());
    assert_eq!(sent, Ok(()));
    assert_eq!(worker.cast(note("the last")).await, Ok(()));
    assert_eq!(peer.expect_cast().await.what, arguments(&[b"the last"]));
}

#[tokio::test(start_paused = true)]
async fn casts_go_on_beside_a_long_one() {
    let (node, mut peer, worker) = linked("long").await;
    peer.announce([(18, "other")]).await;
    peer.ping(2).await;
    let session = node.sessions().await.unwrap().remove(0);
    let other: Handle = node.remote(&session, "other").unwrap();
    let text = "x".repeat(12 << 20);
    worker.cast(note(&text)).await.unwrap();
    let second = worker.cast(note(&text));
    tokio::pin!(second);
    // Nothing is read, so the long one is where it was.
    let waits = Duration::from_millis(10);
    assert!(timeout(waits, &mut second).await.is_err());
    for number in 0..100 {
        let cast = other.cast(note(&number.to_string()));
        assert_eq!(timeout(waits, cast).await, Ok(Ok(())));
    }
    let (mut pieces, mut casts) = (0, 0);
    while casts < 100 {
        let message = peer.receive().await.unwrap();
        pieces += usize::from(message.kind() == "fragment");
        if let Some(node_message::Msg::Cast(cast)) = message.into_node() {
            assert_eq!(cast.to, 18);
            assert_eq!(cast.what, arguments(&[casts.to_string().as_bytes()]));
            casts += 1;
        }
    }
    // Of some 190.
    assert!(pieces < 100, "{pieces} pieces");
}

#[tokio::test(start_paused = true)]
async fn casts_get_through_while_actor_refs_keep_the_outbox_full() {
    let (node, mut peer, worker) = linked("flood").await;
    peer.announce([(18, "flooded")]).await;
    peer.join_group("flood", [18]).await;
    let flooded: ActorRef<ProbeMessage> = remote_members("flood", 1).await.remove(0).into();
    let session = node.sessions().await.unwrap().remove(0);
    // Long ones, and more of them than the outbox takes: as soon as there is room it is full again.
    let text = "x".repeat(1 << 20);
    for _ in 0..200 {
        flooded.cast(note(&text)).unwrap();
    }
    eventually(|| worker.try_cast(note("x")).is_err().then_some(())).await;
    let mut sent = Vec::new();
    let casts = async {
        for number in 0..2000 {
            worker
                .cast(note(&format!("{number:0>1000}")))
                .await
                .unwrap();
            sent.push(node.link(&session).unwrap().queued);
        }
    };
    let read = async {
        let mut casts = 0;
        while casts < 2000 {
            let message = peer.receive().await.unwrap();
            casts += usize::from(message.kind() == "cast");
        }
    };
    tokio::join!(casts, read);
    assert_eq!(sent.len(), 2000);
    let least = sent.into_iter().min().unwrap();
    assert!(least > session::MAX_OUTBOX_LEN / 2, "{least} were left");
}

#[tokio::test(start_paused = true)]
async fn casts_wait_from_the_high_water_mark_on_and_attempts_do_not() {
    let (_node, mut peer, worker) = linked("high").await;
    let text = "x".repeat(60 * 1024);
    let mut sent = 0;
    while timeout(Duration::from_millis(10), worker.cast(note(&text)))
        .await
        .is_ok()
    {
        sent += 1;
    }
    // The link takes some.
    let mark = session::HIGH_WATER;
    let waits = mark / 10 * 9..mark + 512 * 1024;
    assert!(waits.contains(&(sent * text.len())), "{sent} casts");
    assert_eq!(worker.try_cast(note("tried")), Ok(()));
    let waiting = worker.cast(note("the last"));
    tokio::pin!(waiting);
    assert!(timeout(Duration::from_secs(1), &mut waiting).await.is_err());
    let mut read = async || {
        let mut last = Vec::new();
        for _ in 0..sent + 2 {
            last.push(peer.expect_cast().await.what);
            let data_len = 61 * 1024;
            peer.send(native::Credit { bytes: data_len }).await;
        }
        last.split_off(sent)
    };
    let (last_sent, last) = tokio::join!(waiting, read());
    assert_eq!(last_sent, Ok(()));
    assert_eq!(last, [arguments(&[b"tried"]), arguments(&[b"the last"])]);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_resolves_once_with_the_reason_of_the_end() {
    for (kind, reason, down) in [
        (
            exit::Kind::Stopped,
            Some("done"),
            Down::Stopped(Some("done".into())),
        ),
        (
            exit::Kind::Failed,
            Some("oops"),
            Down::Failed("oops".into()),
        ),
        (exit::Kind::Killed, None, Down::Killed),
        (exit::Kind::UnknownActor, None, Down::UnknownActor),
    ] {
        let (_node, mut peer, worker) = linked(&format!("monitor-{}", kind as i32)).await;
        let (one, two) = (worker.monitor(), worker.monitor());
        let asked = peer.expect_native(|message| match message {
            native_message::Msg::Monitor(monitor) => Some(monitor.pid),
            _ => None,
        });
        assert_eq!(asked.await, 17);
        peer.send(Exit {
            pid: 17,
            kind: kind.into(),
            reason: reason.map(str::to_owned),
        })
        .await;
        peer.send(control::Terminate { ids: vec![17] }).await;
        assert_eq!(one.await, down);
        assert_eq!(two.await, down);
    }
}

#[tokio::test(start_paused = true)]
async fn a_monitor_resolves_with_the_loss_of_the_link_and_its_reason() {
    let (node, mut peer, worker) = linked("lose-link").await;
    let session = node.sessions().await.unwrap().remove(0);
    let (monitor, link) = (worker.monitor(), node.monitor(&session).unwrap());
    peer.send(native::Goodbye {
        reason: native::goodbye::Reason::Shutdown.into(),
        detail: String::new(),
    })
    .await;
    assert_eq!(link.down().await, NodeDown::Stopped);
    assert_eq!(monitor.await, Down::NodeDown(NodeDown::Stopped));
    assert_eq!(worker.monitor().await, Down::NodeDown(NodeDown::Stopped));
    assert_eq!(worker.ended().await, RunEnd::Stopped);
    while node.monitor(&session).is_some() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_is_dropped_is_taken_back() {
    let (_node, mut peer, worker) = linked("take-back").await;
    drop(worker.monitor());
    let asked = peer.expect_native(|message| match message {
        native_message::Msg::Demonitor(demonitor) => Some(demonitor.pid),
        _ => None,
    });
    assert_eq!(asked.await, 17);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_asked_for_and_waited_for_or_refused() {
    let (_node, mut peer, worker) = linked("ask-stop").await;
    let stopping = worker.stop_and_wait(Some("enough".into()), None);
    let answer = async {
        let stop = peer.expect_native(|message| match message {
            native_message::Msg::Stop(stop) => Some(stop),
            _ => None,
        });
        let stop = stop.await;
        assert_eq!((stop.pid, stop.reason.as_deref()), (17, Some("enough")));
        assert!(!stop.kill);
        let verb = native::refused::Verb::Stop.into();
        peer.send(Refused { pid: 17, verb }).await;
    };
    let (stopped, ()) = tokio::join!(stopping, answer);
    assert_eq!(stopped, Err(StopError::NotAllowed));

    let stopping = worker.stop_and_wait(None, Some(Duration::from_secs(1)));
    assert_eq!(stopping.await, Err(StopError::TimedOut));

    let answer = async {
        peer.expect_native(|message| matches!(message, native_message::Msg::Stop(_)).then_some(()))
            .await;
        let kind = exit::Kind::Stopped.into();
        let reason = None;
        peer.send(Exit {
            pid: 17,
            kind,
            reason,
        })
        .await;
    };
    let (stopped, ()) = tokio::join!(worker.stop_and_wait(None, None), answer);
    assert_eq!(stopped, Ok(Down::Stopped(None)));
}

#[tokio::test(start_paused = true)]
async fn linked_actors_end_together_unless_unlinked() {
    let (node, mut peer, worker) = linked("tied").await;
    let (local, _) = probe(None).await;
    worker.link(&local.get_cell());
    peer.expect_native(|message| matches!(message, native_message::Msg::Monitor(_)).then_some(()))
        .await;
    local.stop(None);
    peer.expect_native(|message| matches!(message, native_message::Msg::Stop(_)).then_some(()))
        .await;

    let ((local, _), (free, _)) = (probe(None).await, probe(None).await);
    worker.link(&local.get_cell());
    worker.link(&free.get_cell()).unlink();
    peer.expect_native(|message| matches!(message, native_message::Msg::Monitor(_)).then_some(()))
        .await;
    drop(peer);
    eventually(|| (local.get_status() == ActorStatus::Stopped).then_some(())).await;
    assert_eq!(free.get_status(), ActorStatus::Running);
    drop(node);
}

#[tokio::test(start_paused = true)]
async fn a_handle_is_good_again_when_the_node_comes_back_in_the_same_run() {
    let (node, peer, worker) = linked("come-back").await;
    drop(peer);
    eventually(|| (!worker.is_connected()).then_some(())).await;
    let away = worker.try_cast(note("away"));
    assert_eq!(away, Err(CastError::NotConnected(NodeDown::ClosedByPeer)));

    let mut peer = RawPeer::join_native(node.server(), "come-back-peer", 1).await;
    peer.announce([(17, "worker")]).await;
    peer.ping(1).await;
    worker.try_cast(note("back")).unwrap();
    assert_eq!(peer.expect_cast().await.what, arguments(&[b"back"]));
    let still = timeout(Duration::from_secs(1), worker.ended()).await;
    assert!(still.is_err(), "the run goes on");
}

#[tokio::test(start_paused = true)]
async fn a_handle_ends_when_the_node_was_started_anew() {
    let (node, peer, worker) = linked("anew").await;
    let ended = tokio::spawn({
        let worker = worker.clone();
        async move { worker.ended().await }
    });
    drop(peer);
    let mut peer = RawPeer::join_native(node.server(), "anew-peer", 2).await;
    // The actor of that number is another one.
    peer.announce([(17, "worker")]).await;
    peer.ping(1).await;
    assert_eq!(ended.await.unwrap(), RunEnd::Restarted);
    assert_eq!(
        worker.try_cast(note("x")),
        Err(CastError::Ended(RunEnd::Restarted))
    );
    assert_eq!(worker.monitor().await, Down::NodeDown(NodeDown::Restarted));
}

#[tokio::test(start_paused = true)]
async fn a_handle_of_a_legacy_node_ends_with_the_session_and_stops_nobody() {
    let node = start("legacy").await;
    let mut peer = RawPeer::join(node.server(), "legacy-peer").await;
    let worker = worker(&node, &mut peer).await;
    assert_eq!(worker.incarnation(), 0);
    assert_eq!(worker.stop(None), Err(StopError::NotSupported));
    let monitor = worker.monitor();
    peer.send(control::Terminate { ids: vec![17] }).await;
    assert_eq!(monitor.await, Down::Ended);
    drop(peer);
    let gone = RunEnd::SessionEnded(NodeDown::ClosedByPeer);
    assert_eq!(worker.ended().await, gone);
}

#[tokio::test(start_paused = true)]
async fn stopping_a_stand_in_stops_the_actor_and_its_handle_is_found() {
    let (_node, mut peer, worker) = linked("stand-in").await;
    peer.join_group("stand-in", [17, 18]).await;
    let members = remote_members("stand-in", 2).await;
    let stand_in = ActorRef::<ProbeMessage>::from(members[0].clone());
    let handle = RemoteRef::of(&stand_in).expect("it is of another node");
    assert_eq!((handle.pid(), handle.node()), (17, worker.node()));
    let (local, _) = probe(None).await;
    assert!(RemoteRef::of(&local).is_none());

    for (member, kill) in members.iter().zip([false, true]) {
        if kill {
            member.kill();
        } else {
            member.stop(Some("enough".into()));
        }
        let stop = peer.expect_native(|message| match message {
            native_message::Msg::Stop(stop) => Some(stop),
            _ => None,
        });
        let stop = stop.await;
        assert_eq!((stop.pid, stop.kill), (member.get_id().pid(), kill));
        assert_eq!(stop.reason.as_deref(), (!kill).then_some("enough"));
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_actor_or_session_asks_nobody_to_stop() {
    let (_node, mut peer, _worker) = linked("ask-nobody").await;
    peer.join_group("ask-nobody", [17, 18]).await;
    let members: Vec<ActorCell> = remote_members("ask-nobody", 2).await;
    peer.send(control::Terminate { ids: vec![17] }).await;
    eventually(|| (members[0].get_status() == ActorStatus::Stopped).then_some(())).await;
    peer.ping(2).await;
    peer.send(native::Goodbye::default()).await;
    let words = peer.until_closed().await;
    assert!(words.iter().all(|message| message.kind() != "stop"));
    eventually(|| (members[1].get_status() == ActorStatus::Stopped).then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn messages_to_a_stalled_peer_are_dropped_and_counted_every_one() {
    let address = "stalled@127.0.0.1:0";
    let mut limits = session::Config::default();
    limits.max_outbox = 1024 * 1024;
    let node = Node::builder(address)
        .cookie(COOKIE)
        .session(limits)
        .overflow(Overflow::DropWhenStalled);
    let node = node.start().await.unwrap();
    let mut events = node.events();
    let mut peer = RawPeer::join_native(node.server(), "stalled-peer", 1).await;
    peer.join_group("stalled", [17]).await;
    let member = remote_members("stalled", 1).await.remove(0);
    let member = ActorRef::<ProbeMessage>::from(member);
    let sent = 4000;
    for _ in 0..sent {
        member.cast(note(&"x".repeat(1024))).unwrap();
    }
    // It reads nothing until it is down, and then what the link had taken.
    let mut told = 0;
    loop {
        match events.next().await.unwrap() {
            NodeEvent::Unsent { unsent, .. } => told += unsent.casts,
            NodeEvent::NodeDown { reason, .. } => {
                assert_eq!(reason, NodeDown::Unresponsive);
                break;
            }
            _ => {}
        }
    }
    let words = peer.until_closed().await;
    let arrived = words
        .iter()
        .filter(|message| message.kind() == "cast")
        .count();
    assert!(told > 2000, "{told}");
    // What was being written when the link ended counts as unsent, though it may have arrived: a batch at most.
    let twice = told + arrived as u64 - sent;
    assert!(twice <= 256, "{told} and {arrived}");
}

#[tokio::test(start_paused = true)]
async fn with_patience_messages_wait_for_a_stalled_peer() {
    let mut limits = session::Config::default();
    limits.max_outbox = 256 * 1024;
    let node = Node::builder("patience@127.0.0.1:0")
        .cookie(COOKIE)
        .session(limits)
        .overflow(Overflow::Wait);
    let node = node.start().await.unwrap();
    let mut peer = RawPeer::join_native(node.server(), "patience-peer", 1).await;
    peer.join_group("patience", [17]).await;
    let member = remote_members("patience", 1).await.remove(0);
    let member = ActorRef::<ProbeMessage>::from(member);
    for n in 0..2000 {
        member.cast(note(&format!("{n:01024}"))).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for n in 0..2000 {
        let cast = peer.expect_cast().await;
        assert_eq!(cast.what, arguments(&[format!("{n:01024}").as_bytes()]));
    }
}

/// A node's only session and a handle of `name` at the other end, once that is announced.
async fn handle_of(node: &Node, name: &str) -> Option<Handle> {
    let mut sessions = node.sessions().await.unwrap();
    let session = sessions.pop()?;
    let handle = node.remote(&session, name)?;
    sessions.is_empty().then_some(handle)
}

/// Many times what is expected on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// In real time and on several threads: what happens at once is the point.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn handles_stand_by_the_session_that_stays_of_two_nodes_that_dial_each_other() {
    let (_worker, _hears) = probe(Some("crossing-worker")).await;
    for round in 0..200 {
        let a = start(&format!("crossing-a{round}")).await;
        let b = start(&format!("crossing-b{round}")).await;
        let _ = tokio::join!(a.connect(b.local_addr()), b.connect(a.local_addr()));
        for node in [&a, &b] {
            let sent = async {
                loop {
                    let handle = handle_of(node, "crossing-worker").await;
                    if handle.is_some_and(|handle| handle.try_cast(note("x")).is_ok()) {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            };
            let sent = timeout(PATIENCE, sent).await;
            assert!(sent.is_ok(), "round {round}, {}", node.name());
        }
        tokio::join!(a.stop(), b.stop());
    }
}
