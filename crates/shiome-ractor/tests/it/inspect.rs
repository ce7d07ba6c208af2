//! What can be seen of a node that runs.

use std::time::Duration;

use ractor::{pg, registry::where_is};
use shiome_ractor::{
    Expose, Node,
    inspect::{
        AskError, EventView, EventViews, LaneView, Page, PageError, Request, SessionView, Target,
    },
};
use shiome_wire::{control, node};

use super::support::{COOKIE, RawPeer, arguments, eventually, probe, remote_members};

async fn start(name: &str) -> Node {
    let address = format!("{name}@127.0.0.1:0");
    Node::builder(address).cookie(COOKIE).start().await.unwrap()
}

fn only_session(node: &Node) -> SessionView {
    let mut sessions = node.inspect().sessions();
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.remove(0)
}

fn lane<'a>(lanes: &'a [LaneView], name: &str) -> &'a LaneView {
    lanes.iter().find(|lane| lane.name == name).unwrap()
}

async fn event(events: &mut EventViews, kind: &str) -> EventView {
    loop {
        let event = events.next().await.expect("the node runs");
        if event.kind == kind {
            return event;
        }
    }
}

fn request(node: &str, actor: &str, variant: &str, fields: &[&[u8]]) -> Request {
    Request {
        node: node.to_owned(),
        actor: Target::from(actor),
        variant: variant.to_owned(),
        arguments: arguments(fields),
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_is_told_with_its_tier_and_what_has_passed() {
    let node = start("look-session").await;
    let (actor, mut heard) = probe(None).await;
    let look = node.inspect();
    assert_eq!(look.sessions(), []);
    let mut legacy = RawPeer::join(node.server(), "look-legacy").await;
    let before = only_session(&node);
    assert_eq!(
        (before.peer.as_str(), before.tier.as_str()),
        ("look-legacy@raw", "legacy")
    );
    assert_eq!((before.credit_bytes, before.protocol), (None, 0));
    assert!(before.inbound && before.security == "unknown" && !before.bound);
    eventually(|| (only_session(&node).state == "ready").then_some(())).await;

    let cast = node::Cast {
        to: actor.get_id().pid(),
        variant: "Note".to_owned(),
        what: arguments(&[b"hello"]),
        ..node::Cast::default()
    };
    legacy.send(cast).await;
    assert_eq!(heard.recv().await.unwrap(), "hello");
    legacy.ping(3).await;
    let after = only_session(&node);
    let (was, is) = (lane(&before.lanes, "bulk"), lane(&after.lanes, "bulk"));
    assert_eq!(is.received - was.received, 1);
    assert_eq!(is.received_bytes - was.received_bytes, 13 + 4);
    assert!(after.bytes_in > before.bytes_in && after.bytes_out > before.bytes_out);

    let mut native = RawPeer::join_native(node.server(), "look-native", 5).await;
    native.ping(1).await;
    let sessions = look.sessions();
    let session = sessions
        .iter()
        .find(|s| s.peer == "look-native@raw")
        .unwrap();
    assert_eq!((session.tier.as_str(), session.incarnation), ("native", 5));
    assert!(session.credit_bytes.is_some() && session.capabilities.contains(&"credit".to_owned()));
    assert_eq!(look.session(session.node_id).unwrap().peer, session.peer);
    node.stop().await;
    assert_eq!(look.sessions(), []);
    assert!(look.node().stopping && !look.is_running());
}

#[tokio::test(start_paused = true)]
async fn strangers_are_told_without_the_names_that_they_claim() {
    let node = start("look-stranger").await;
    let mut stranger = RawPeer::dial(node.server());
    stranger.send_name("look-liar").await;
    stranger.status().await;
    let session = only_session(&node);
    assert_eq!(
        (session.peer.as_str(), session.state.as_str()),
        ("", "handshake")
    );
    assert_eq!(
        (session.tier.as_str(), session.dialled_at.as_str()),
        ("unknown", "")
    );
    assert_eq!(node.inspect().peers(), []);
}

#[tokio::test(start_paused = true)]
async fn what_was_dropped_is_told_by_reason() {
    let node = start("look-drops").await;
    let mut peer = RawPeer::join_native(node.server(), "look-drops-peer", 1).await;
    let cast = |to| node::Cast {
        to,
        ..node::Cast::default()
    };
    peer.send(cast(u64::MAX)).await;
    peer.send(cast(u64::MAX)).await;
    let reply = node::CallReply {
        to: 1,
        tag: 1,
        what: "late".into(),
    };
    peer.send(reply).await;
    peer.ping(1).await;
    let drops = only_session(&node).drops;
    assert_eq!(drops["not_announced"], 2, "{drops:?}");
    assert_eq!(drops["late_reply"], 1, "{drops:?}");
    assert!(!drops.contains_key("denied"), "{drops:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_peer_has_done_outlives_its_sessions_and_counts_once() {
    let node = start("look-peers").await;
    let look = node.inspect();
    let mut events = look.events();
    for round in 1..=3 {
        let mut peer = RawPeer::join_native(node.server(), "look-again", round).await;
        peer.ping(1).await;
        let while_up = look.peers().remove(0);
        assert_eq!((while_up.sessions, while_up.reconnects), (round, round - 1));
        assert!(while_up.connected);
        drop(peer);
        let down = event(&mut events, "down").await;
        assert_eq!(down.node.as_deref(), Some("look-again@raw"));
        eventually(|| look.sessions().is_empty().then_some(())).await;
        let after = look.peers().remove(0);
        assert!(!after.connected && after.last_down.is_some());
        assert_eq!(after.bytes_in, while_up.bytes_in, "counted once");
        assert_eq!(
            lane(&after.lanes, "control").received,
            lane(&while_up.lanes, "control").received
        );
    }
}

#[tokio::test(start_paused = true)]
async fn calls_are_counted_with_how_they_ended_and_how_long_they_took() {
    let node = start("look-calls").await;
    let look = node.inspect();
    let mut peer = RawPeer::join_native(node.server(), "look-calls-peer", 1).await;
    peer.announce([(17, "worker")]).await;
    peer.ping(1).await;
    let ask = |limit| {
        let (look, call) = (
            look.clone(),
            request("look-calls-peer@raw", "worker", "Echo", &[]),
        );
        tokio::spawn(async move { look.call(call, limit).await })
    };
    let answered = ask(Duration::from_secs(1));
    let call = peer.expect_call().await;
    assert_eq!(
        (call.to, call.variant.as_str(), call.timeout_ms),
        (17, "Echo", Some(1000))
    );
    assert_eq!(only_session(&node).calls_out, 1);
    tokio::time::advance(Duration::from_millis(3)).await;
    let (to, tag) = (call.to, call.tag);
    peer.send(node::CallReply {
        to,
        tag,
        what: "yes".into(),
    })
    .await;
    assert_eq!(answered.await.unwrap().unwrap(), "yes");

    let late = ask(Duration::from_millis(50));
    peer.expect_call().await;
    assert_eq!(late.await.unwrap(), Err(AskError::TimedOut));
    eventually(|| (only_session(&node).calls_ended["timed_out"] == 1).then_some(())).await;
    let session = only_session(&node);
    assert_eq!(session.calls_ended["answered"], 1);
    assert_eq!(session.latency.count, 1);
    assert_eq!(session.latency.p99_us, Some(5_000));
    assert_eq!(session.calls_out, 0);

    let nobody = look.call(
        request("look-calls-peer@raw", "nobody", "Echo", &[]),
        Duration::from_secs(1),
    );
    assert_eq!(nobody.await, Err(AskError::NoActor));
    let nowhere = look.call(
        request("nowhere@raw", "worker", "Echo", &[]),
        Duration::from_secs(1),
    );
    assert_eq!(
        nowhere.await,
        Err(AskError::NoNode("nowhere@raw".to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn actors_of_the_node_itself_can_be_asked() {
    let node = start("look-own").await;
    let (_actor, mut heard) = probe(Some("look-own-actor")).await;
    let look = node.inspect();
    let limit = Duration::from_secs(1);
    let own = |variant, fields: &[&[u8]]| {
        request("look-own@127.0.0.1", "look-own-actor", variant, fields)
    };
    look.cast(own("Note", &[b"by hand"])).unwrap();
    assert_eq!(heard.recv().await.unwrap(), "by hand");
    assert_eq!(
        look.call(own("Echo", &[b"echo"]), limit).await.unwrap(),
        "echo"
    );
    let dropped = look.call(own("Drop", &[]), limit).await.unwrap_err();
    assert!(matches!(dropped, AskError::NoAnswer(_)), "{dropped}");
    let server = node.server().get_id().pid().to_string();
    let server = request(node.name(), &server, "x", &[]);
    assert_eq!(look.cast(server), Err(AskError::NotRemotable));
}

#[tokio::test(start_paused = true)]
async fn a_ping_tells_how_far_a_peer_is_and_a_silent_one_is_not_waited_for() {
    let node = start("look-ping").await;
    let look = node.inspect();
    let mut peer = RawPeer::join(node.server(), "look-ping-peer").await;
    let limit = Duration::from_secs(2);
    let (took, _) = tokio::join!(look.ping("look-ping-peer@raw", limit), async {
        tokio::time::timeout(Duration::from_secs(1), peer.answer_pings()).await
    });
    assert!(took.unwrap() < limit);
    assert!(only_session(&node).round_trip_us.is_some());
    assert_eq!(
        look.ping("look-ping-peer@raw", limit).await,
        Err(AskError::TimedOut)
    );
    let nowhere = look.ping("nowhere@raw", limit).await;
    assert_eq!(nowhere, Err(AskError::NoNode("nowhere@raw".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn actors_and_groups_are_told_page_by_page() {
    let node = Node::builder("look-pages@127.0.0.1:0").cookie(COOKIE);
    let node = node.expose(Expose::Explicit).start().await.unwrap();
    let look = node.inspect();
    let mut actors = Vec::new();
    for n in 0..5 {
        actors.push(probe(Some(&format!("look-pages-{n}"))).await.0);
    }
    node.export(&actors[0]).unwrap();
    let mut page = Page::new(None, 2).search("look-pages-");
    let mut seen = Vec::new();
    loop {
        let part = look.actors(&page).unwrap();
        assert_eq!(part.total, 5);
        seen.extend(part.items);
        match part.next {
            Some(next) => page.after = Some(next),
            None => break,
        }
    }
    let expected: Vec<_> = actors.iter().map(|actor| actor.get_id().pid()).collect();
    assert_eq!(
        seen.iter().map(|actor| actor.pid).collect::<Vec<_>>(),
        expected
    );
    let exposed: Vec<_> = seen.iter().map(|actor| actor.exposed).collect();
    assert_eq!(exposed, [true, false, false, false, false]);
    assert!(
        seen.iter()
            .all(|actor| actor.remotable && actor.status != "stopped")
    );
    assert!(where_is("look-pages-4").is_some());

    pg::join("look-pages-group".to_owned(), vec![actors[1].get_cell()]);
    let mut peer = RawPeer::join(node.server(), "look-pages-peer").await;
    peer.announce((20..25).map(|pid| (pid, if pid == 22 { "named" } else { "" })))
        .await;
    peer.join_group("look-pages-group", [20, 21]).await;
    remote_members("look-pages-group", 2).await;
    let groups = look
        .groups(&Page::default().search("look-pages-group"))
        .unwrap();
    let [group] = groups.items.as_slice() else {
        panic!("{groups:?}");
    };
    assert_eq!((group.local, group.remote, group.members.len()), (1, 2, 3));
    assert_eq!(group.members[0].name.as_deref(), Some("look-pages-1"));

    let session = only_session(&node).node_id;
    let remote = look
        .remote_actors(session, &Page::new(Some("21".to_owned()), 2))
        .unwrap();
    let pids: Vec<_> = remote.items.iter().map(|actor| actor.pid).collect();
    assert_eq!(
        (pids, remote.total, remote.next.as_deref()),
        (vec![22, 23], 5, Some("23"))
    );
    let named = look
        .remote_actors(session, &Page::default().search("nam"))
        .unwrap();
    assert_eq!(named.items[0].name.as_deref(), Some("named"));
    let nowhere = look.remote_actors(u64::MAX, &Page::default());
    assert_eq!(nowhere, Err(PageError::NoSession));
    peer.send(control::Ready {}).await;
}

#[tokio::test]
async fn kept_addresses_are_told_with_how_far_they_are() {
    let (a, b) = (start("look-kept-a").await, start("look-kept-b").await);
    let kept = a.keep_connected(b.local_addr()).unwrap();
    kept.connected().await.unwrap();
    let view = a.inspect().node();
    let [kept] = view.kept.as_slice() else {
        panic!("{view:?}");
    };
    assert_eq!(
        (kept.state.as_str(), kept.peer.as_deref()),
        ("connected", Some(b.name()))
    );
    assert_eq!(view.listening, [format!("tcp://{}", a.local_addr())]);
    let session = only_session(&a);
    assert_eq!(
        (session.security.as_str(), session.inbound),
        ("plain", false)
    );
    a.stop().await;
    b.stop().await;
}

#[cfg(feature = "serde")]
#[tokio::test(start_paused = true)]
async fn a_snapshot_can_be_written_and_read_by_another_version() {
    use shiome_ractor::inspect::Snapshot;

    let node = start("look-serde").await;
    let _peer = RawPeer::join_native(node.server(), "look-serde-peer", 1).await;
    let snapshot = node.inspect().snapshot();
    let mut json = serde_json::to_value(&snapshot).unwrap();
    assert_eq!(
        serde_json::from_value::<Snapshot>(json.clone()).unwrap(),
        snapshot
    );
    json["node"]["later"] = 1.into();
    json["sessions"][0].as_object_mut().unwrap().remove("lanes");
    let read: Snapshot = serde_json::from_value(json).unwrap();
    assert_eq!(read.node, snapshot.node);
    assert_eq!(read.sessions[0].lanes, []);
}

#[cfg(feature = "metrics")]
#[test]
fn a_node_publishes_the_metrics_that_are_documented_and_no_other() {
    use std::collections::BTreeSet;

    use metrics_util::debugging::DebuggingRecorder;
    use shiome_ractor::inspect::metrics::METRICS;

    let recorder = DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let seen = metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let node = start("look-metrics").await;
            let (actor, mut heard) = probe(None).await;
            let mut peer = RawPeer::join_native(node.server(), "look-metrics-peer", 1).await;
            peer.send(node::Cast {
                to: actor.get_id().pid(),
                variant: "Note".to_owned(),
                what: arguments(&[b"x"]),
                ..node::Cast::default()
            })
            .await;
            heard.recv().await.unwrap();
            let _ = tokio::time::timeout(Duration::from_secs(3), peer.answer_pings()).await;
        });
        recorder.snapshotter().snapshot().into_vec()
    });
    let of_node =
        |name: &str| name.starts_with("shiome_") && !name.starts_with("shiome_membership_");
    let published: BTreeSet<_> = seen
        .iter()
        .map(|(key, ..)| {
            let key = key.key();
            let labels: Vec<_> = key.labels().map(|label| label.key().to_owned()).collect();
            (key.name().to_owned(), labels)
        })
        .filter(|(name, _)| of_node(name))
        .collect();
    let documented: BTreeSet<_> = METRICS
        .iter()
        .map(|metric| {
            let labels = metric.labels.iter().map(|label| (*label).to_owned());
            (metric.name.to_owned(), labels.collect::<Vec<_>>())
        })
        .collect();
    assert_eq!(published, documented);
}
