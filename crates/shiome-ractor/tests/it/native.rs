//! What a peer that runs shiome may ask beyond the common protocol, and what it is told.

use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, ActorStatus};
use shiome_ractor::Node;
use shiome_wire::{
    control::control_message,
    meta::NetworkMessage,
    native::{
        CallError, Demonitor, Fragment, Goodbye, Monitor, Stop, call_error::Code, exit::Kind,
        goodbye, native_message,
    },
    node,
};

use tokio::{sync::mpsc, time::timeout};

use super::support::{
    COOKIE, ProbeMessage, RawPeer, arguments, eventually, node, node_server, probe, sessions, spawn,
};

fn call(to: u64, tag: u64, variant: &str, fields: &[&[u8]]) -> node::Call {
    node::Call {
        to,
        tag,
        variant: variant.to_owned(),
        what: arguments(fields),
        ..node::Call::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_answered_says_why_at_once() {
    let server = node("say-why").await;
    let (actor, _hears) = probe(None).await;
    let mut peer = RawPeer::join_native(&server, "say-why-peer", 1).await;
    let pid = actor.get_id().pid();
    let began = tokio::time::Instant::now();
    for (call, code) in [
        (call(u64::MAX, 1, "Echo", &[b"x"]), Code::UnknownActor),
        (call(pid, 2, "Drop", &[]), Code::NoReply),
        // It was not exported, so only the actor knows its messages, and drops this one.
        (call(pid, 3, "NoSuch", &[]), Code::NoReply),
    ] {
        let (to, tag) = (call.to, call.tag);
        peer.send(call).await;
        let code = code.into();
        assert_eq!(peer.expect_call_error().await, CallError { to, tag, code });
    }
    assert_eq!(began.elapsed().as_secs(), 0, "nobody waited for a timeout");
    peer.send(call(pid, 4, "Echo", &[b"hello"])).await;
    let reply = peer.expect(|message| match message.into_node()? {
        node::node_message::Msg::Reply(reply) => Some(reply),
        _ => None,
    });
    assert_eq!(reply.await.what, "hello");
}

/// Takes one message for each time that it may.
struct Busy;

#[cfg_attr(feature = "async-trait", ractor::async_trait)]
impl Actor for Busy {
    type Msg = ProbeMessage;
    type State = mpsc::UnboundedReceiver<()>;
    type Arguments = mpsc::UnboundedReceiver<()>;

    async fn pre_start(
        &self,
        _myself: ActorRef<ProbeMessage>,
        may: mpsc::UnboundedReceiver<()>,
    ) -> Result<mpsc::UnboundedReceiver<()>, ActorProcessingErr> {
        Ok(may)
    }

    async fn handle(
        &self,
        _myself: ActorRef<ProbeMessage>,
        _message: ProbeMessage,
        may: &mut mpsc::UnboundedReceiver<()>,
    ) -> Result<(), ActorProcessingErr> {
        may.recv().await.ok_or_else(|| "the test is over".into())
    }
}

/// Casts more than is granted at a time to an actor that takes nothing, on a node that lets little wait for it.
async fn flood(name: &str) -> (RawPeer, mpsc::UnboundedSender<()>) {
    let server = spawn(node_server(name).with_max_untaken(256 * 1024)).await;
    let (lets, may) = mpsc::unbounded_channel();
    let (actor, _) = Actor::spawn(None, Busy, may).await.unwrap();
    let mut peer = RawPeer::join_native(&server, &format!("{name}-peer"), 1).await;
    for _ in 0..FLOOD {
        let cast = node::Cast {
            to: actor.get_id().pid(),
            variant: "Note".to_owned(),
            what: arguments(&[&[b'x'; 60 * 1024]]),
            ..node::Cast::default()
        };
        peer.send(cast).await;
    }
    (peer, lets)
}

const FLOOD: usize = 20;

async fn granted(peer: &mut RawPeer, within: Duration) -> bool {
    let credit = peer.expect_native(|message| match message {
        native_message::Msg::Credit(credit) => Some(credit),
        _ => None,
    });
    timeout(within, credit).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn credit_comes_when_the_actor_has_taken_what_came() {
    let (mut peer, lets) = flood("slow-actor").await;
    assert!(!granted(&mut peer, Duration::from_millis(900)).await);
    for _ in 0..FLOOD {
        lets.send(()).unwrap();
    }
    assert!(granted(&mut peer, Duration::from_millis(50)).await);
}

#[tokio::test(start_paused = true)]
async fn an_actor_that_hangs_does_not_keep_the_link_from_others() {
    let (mut peer, _lets) = flood("hanging-actor").await;
    assert!(!granted(&mut peer, Duration::from_millis(900)).await);
    assert!(granted(&mut peer, Duration::from_millis(200)).await);
}

#[tokio::test(start_paused = true)]
async fn a_stop_stops_the_actor_and_nothing_else() {
    let server = node("stop-one").await;
    let ((one, _), (two, _)) = (probe(None).await, probe(None).await);
    let mut peer = RawPeer::join_native(&server, "stop-one-peer", 1).await;
    for kill in [false, true] {
        let target = if kill { &two } else { &one };
        let pid = target.get_id().pid();
        let reason = Some("enough".to_owned());
        peer.send(Stop { pid, reason, kill }).await;
        let gone = peer.expect(|message| match message.into_control()? {
            // Actors of other tests in this process end, too.
            control_message::Msg::Terminate(ended) => ended.ids.contains(&pid).then_some(ended.ids),
            _ => None,
        });
        assert_eq!(gone.await, [pid]);
        eventually(|| (target.get_status() == ActorStatus::Stopped).then_some(())).await;
    }
    // There is none of that number.
    peer.send(Stop {
        pid: u64::MAX,
        reason: None,
        kill: true,
    })
    .await;
    peer.ping(1).await;
    assert_eq!(sessions(&server).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_monitor_tells_once_how_the_actor_ended_and_before_its_end_is_told() {
    let server = node("tell-end").await;
    let mut peer = RawPeer::join_native(&server, "tell-end-peer", 1).await;
    for (kind, reason) in [
        (Kind::Stopped, Some("done")),
        (Kind::Killed, Some("killed")),
        (Kind::Failed, Some("told to fail")),
    ] {
        let (actor, _hears) = probe(None).await;
        let pid = actor.get_id().pid();
        // Twice is once.
        peer.send(Monitor { pid }).await;
        peer.send(Monitor { pid }).await;
        peer.ping(1).await;
        match kind {
            Kind::Killed => actor.kill(),
            Kind::Failed => actor
                .cast(ProbeMessage::Fail("told to fail".into()))
                .unwrap(),
            _ => actor.stop(Some("done".into())),
        }
        let mut told = Vec::new();
        while told.last() != Some(&"terminate") {
            let message = peer.receive().await.expect("the session stays");
            // Actors of other tests in this process end, too.
            if let Some(control_message::Msg::Terminate(ended)) = message.clone().into_control()
                && !ended.ids.contains(&pid)
            {
                continue;
            }
            told.push(message.kind());
            if let Some(native_message::Msg::Exit(exit)) = message.into_native() {
                assert_eq!((exit.pid, exit.kind()), (pid, kind));
                assert_eq!(exit.reason.as_deref(), reason);
            }
        }
        told.retain(|kind| ["exit", "terminate"].contains(kind));
        assert_eq!(told, ["exit", "terminate"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_monitor_of_nobody_and_one_taken_back() {
    let server = node("nobody").await;
    let (actor, _hears) = probe(None).await;
    let pid = actor.get_id().pid();
    let mut peer = RawPeer::join_native(&server, "nobody-peer", 1).await;
    peer.send(Monitor { pid: u64::MAX }).await;
    let exit = peer.expect_exit().await;
    assert_eq!((exit.pid, exit.kind()), (u64::MAX, Kind::UnknownActor));

    peer.send(Monitor { pid }).await;
    peer.send(Demonitor { pid }).await;
    peer.ping(1).await;
    actor.stop(None);
    let told = peer.expect(|message| {
        let kind = message.kind();
        // Actors of other tests in this process end, too.
        let own = match message.into_control() {
            Some(control_message::Msg::Terminate(ended)) => ended.ids.contains(&pid),
            _ => kind == "exit",
        };
        own.then_some(kind)
    });
    assert_eq!(told.await, "terminate");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_stops_says_goodbye_last() {
    let server = node("goodbye").await;
    let mut peer = RawPeer::join_native(&server, "goodbye-peer", 1).await;
    server.stop(None);
    let last = peer
        .until_closed()
        .await
        .pop()
        .and_then(NetworkMessage::into_native);
    let Some(native_message::Msg::Goodbye(Goodbye { reason, .. })) = last else {
        panic!("{last:?}");
    };
    assert_eq!(reason, i32::from(goodbye::Reason::Shutdown));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_breaks_a_rule_is_told_so_and_others_do_not_notice() {
    let server = node("rule").await;
    let mut bystander = RawPeer::join_native(&server, "rule-bystander", 1).await;
    let mut peer = RawPeer::join_native(&server, "rule-peer", 1).await;
    peer.send(Fragment {
        id: 1,
        offset: 7,
        total: 0,
        data: "x".into(),
    })
    .await;
    let last = peer
        .until_closed()
        .await
        .pop()
        .and_then(NetworkMessage::into_native);
    let Some(native_message::Msg::Goodbye(goodbye)) = last else {
        panic!("{last:?}");
    };
    assert_eq!(goodbye.reason(), goodbye::Reason::Protocol);
    assert!(!goodbye.detail.is_empty());
    bystander.ping(1).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_hello_was_taken_out_on_the_way_is_not_taken_for_a_legacy_one() {
    let server = node("stripped").await;
    let mut peer = RawPeer::join(&server, "stripped-peer").await;
    peer.send(shiome_wire::native::Proof {
        mac: vec![0; 32].into(),
    })
    .await;
    peer.until_closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_announces_nothing_skips_the_proof_of_one_that_does() {
    let node = Node::builder("plain@127.0.0.1:0").cookie(COOKIE);
    let node = node.legacy_only().start().await.unwrap();
    let mut peer = RawPeer::join(node.server(), "plain-peer").await;
    peer.send(shiome_wire::native::Proof {
        mac: vec![0; 32].into(),
    })
    .await;
    peer.ping(1).await;
    assert_eq!(sessions(node.server()).await.len(), 1);
}

#[tokio::test]
async fn nodes_that_speak_the_common_protocol_only_join_those_that_speak_more() {
    let start = |name: &str| Node::builder(format!("{name}@127.0.0.1:0")).cookie(COOKIE);
    let more = start("more").start().await.unwrap();
    let less = start("less").legacy_only().start().await.unwrap();
    let session = less.connect(more.local_addr()).await.unwrap().actor();
    // Long enough for what is under way when the session is ready.
    let ended = session.wait(Some(Duration::from_millis(200))).await;
    assert!(ended.is_err(), "the session stays");
    assert_eq!(more.sessions().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_node_has_announced_that_it_takes_it_takes() {
    let long = 100 << 20;
    let server = node_server("takes-long").with_max_inbound_frame_size(2 * long);
    let server = spawn(server).await;
    let mut peer = RawPeer::join_native(&server, "takes-long-peer", 1).await;
    peer.send(Fragment {
        id: 1,
        offset: 0,
        total: long,
        data: "x".into(),
    })
    .await;
    peer.ping(1).await;

    let (actor, mut hears) = probe(None).await;
    let server = spawn(node_server("takes-least").with_max_inbound_frame_size(1024)).await;
    let mut peer = RawPeer::join_native(&server, "takes-least-peer", 1).await;
    let text = "x".repeat(60 << 10);
    peer.send(node::Cast {
        to: actor.get_id().pid(),
        variant: "Note".to_owned(),
        what: arguments(&[text.as_bytes()]),
        ..node::Cast::default()
    })
    .await;
    peer.ping(1).await;
    assert_eq!(hears.recv().await, Some(text));
}
