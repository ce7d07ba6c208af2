//! Rooms that are full, lose a link, or are joined twice.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use shiome_bus::{
    Bus, BusOptions, DropReason, ErrorKind, Intent, LinkOptions, MAX_MEMBERS, MAX_PAYLOAD_DEPTH,
    Mesh, Name, Payload, Peer,
    memory::{Conditions, MemoryLink},
};
use tokio::sync::mpsc;

const SOON: Duration = Duration::from_secs(5);

/// Until it has so many members.
async fn members(room: &Mesh, count: usize) {
    let reached = async {
        while room.members().len() != count {
            tokio::task::yield_now().await;
        }
    };
    let waited = tokio::time::timeout(SOON, reached).await;
    assert!(
        waited.is_ok(),
        "{} members, not {count}",
        room.members().len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_room_says_what_a_peer_may_send_and_no_more() {
    let deep = |levels| (0..levels).fold(Value::Null, |inner, _| vec![inner].into());
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let (here, there) = (Mesh::join(&a, "r").unwrap(), Mesh::join(&b, "r").unwrap());
    let (told, mut tells) = mpsc::unbounded_channel();
    there
        .on("x", move |payload, _| told.send(payload.clone()).unwrap())
        .unwrap()
        .detach();
    here.wait_for(b.id()).await;
    // What says it is one level more.
    let most = Intent::new("x", deep(MAX_PAYLOAD_DEPTH - 1)).unwrap();
    assert_eq!(here.send(most.clone()).await.unwrap().accepted(), 1);
    assert_eq!(tells.recv().await.as_ref(), Some(most.payload()));
    let more = Intent::new("x", deep(MAX_PAYLOAD_DEPTH)).unwrap();
    let refused = here.send(more).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Serialization);
}

#[tokio::test(start_paused = true)]
async fn a_room_survives_a_link_that_breaks_for_a_moment() {
    let (here, there) = (Bus::new(), Bus::new());
    let (a, b) = (here.peer("a").unwrap(), there.peer("b").unwrap());
    let slow = Conditions::default().latency(Duration::from_millis(100));
    let link = MemoryLink::new().conditions(slow);
    let link = link.connect(&here, &there).unwrap();
    a.wait_for("b", SOON).await.unwrap();
    b.wait_for("a", SOON).await.unwrap();
    let (one, two) = (Mesh::join(&a, "r").unwrap(), Mesh::join(&b, "r").unwrap());
    // The greetings are under way.
    while a.stats().messages_sent + b.stats().messages_sent < 2 {
        tokio::task::yield_now().await;
    }
    link.cut();
    link.mend();
    let met = async {
        one.wait_for(b.id()).await;
        two.wait_for(a.id()).await;
    };
    let met = tokio::time::timeout(60 * SOON, met).await;
    met.expect("they meet");
    let lost = here.links()[0].1.errors + there.links()[0].1.errors;
    assert_eq!(lost, 2);
}

/// Says to `host` that it is in the room, as a member does, or that it is out.
fn says(peer: &Peer, host: &Mesh, verb: &str, payload: Value) {
    let name = Name::any(&format!("sys.mesh.{verb}.r")).unwrap();
    let sent = peer.try_send(host.peer().id(), Intent::of(name, payload.into()));
    sent.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_finds_a_room_full_is_told_and_gets_the_next_place() {
    let bus = Bus::new();
    let host = Mesh::join(&bus.peer("host").unwrap(), "r").unwrap();
    let others: Vec<_> = (0..MAX_MEMBERS)
        .map(|n| bus.peer(format!("p{n:03}")).unwrap())
        .collect();
    for peer in &others {
        says(peer, &host, "join", json!({ "answer": false, "seq": 1 }));
    }
    members(&host, MAX_MEMBERS).await;
    let (late, later) = (bus.peer("late").unwrap(), bus.peer("later").unwrap());
    let late = Mesh::join(&late, "r").unwrap();
    full(&late, true).await;
    let later = Mesh::join(&later, "r").unwrap();
    full(&later, true).await;
    late.wait_for(later.peer().id()).await;
    let report = late.send_text("hello").await.unwrap();
    let refused: Vec<_> = report
        .failed()
        .map(|(id, e)| (id.as_str(), e.kind()))
        .collect();
    assert_eq!(refused, [("host", ErrorKind::Refused)]);
    assert_eq!(report.accepted(), 1, "the two are a room of their own");
    // Who speaks gets no place by that.
    assert!(
        !host
            .members()
            .iter()
            .any(|member| member.id == *late.peer().id())
    );
    says(&others[0], &host, "leave", json!({ "seq": 2 }));
    late.wait_for(host.peer().id()).await;
    host.wait_for(late.peer().id()).await;
    assert!(!late.is_full() && later.is_full());
    assert_eq!(late.send_text("hello").await.unwrap().accepted(), 2);
    // Whoever is gone makes room, too.
    others[1].close(SOON).await.unwrap();
    host.wait_for(later.peer().id()).await;
    later.wait_for(host.peer().id()).await;
    assert!(!later.is_full());
    assert_eq!(host.members().len(), MAX_MEMBERS);
}

#[tokio::test(start_paused = true)]
async fn who_has_no_place_in_a_room_is_told_when_that_is_left() {
    let bus = Bus::new();
    let host = Mesh::join(&bus.peer("host").unwrap(), "r").unwrap();
    let mut peers = Vec::new();
    for number in 0..MAX_MEMBERS {
        let peer = bus.peer(format!("p{number:03}")).unwrap();
        says(&peer, &host, "join", json!({ "answer": false, "seq": 1 }));
        peers.push(peer);
    }
    members(&host, MAX_MEMBERS).await;
    let late = Mesh::join(&bus.peer("late").unwrap(), "r").unwrap();
    full(&late, true).await;
    host.leave();
    full(&late, false).await;
    assert_eq!(late.send_text("hello").await.unwrap().members.len(), 0);
}

async fn full(room: &Mesh, full: bool) {
    let told = async {
        while room.is_full() != full {
            tokio::task::yield_now().await;
        }
    };
    assert!(tokio::time::timeout(SOON, told).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn members_of_whom_no_link_tells_meet_by_name() {
    let (home, away) = (Bus::new(), Bus::new());
    let relay = Bus::with(BusOptions::default().relay());
    let (a, z) = (home.peer("a").unwrap(), away.peer("z").unwrap());
    let _links = [&home, &away].map(|bus| {
        let (up, down) = (LinkOptions::default().uplink(), LinkOptions::default());
        let link = MemoryLink::new().options(up, down);
        link.connect(bus, &relay).unwrap()
    });
    // The relay tells of its own peers only, which it has none of.
    relay
        .peer("sees")
        .unwrap()
        .wait_for("a", SOON)
        .await
        .unwrap();
    relay
        .peer("sees")
        .unwrap()
        .wait_for("z", SOON)
        .await
        .unwrap();
    let (here, there) = (Mesh::join(&a, "r").unwrap(), Mesh::join(&z, "r").unwrap());
    here.greet("z").unwrap();
    here.wait_for(z.id()).await;
    there.wait_for(a.id()).await;
    assert!(a.reachable("z") && !a.peers().contains(z.id()));
    assert_eq!(there.send_text("hello").await.unwrap().accepted(), 1);
}

#[test]
fn of_many_who_join_for_one_peer_at_once_one_does() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _within = runtime.enter();
    let peer = Bus::new().peer("a").unwrap();
    for _ in 0..50 {
        let (barrier, joined) = (Barrier::new(4), AtomicUsize::new(0));
        let rooms: Vec<_> = std::thread::scope(|threads| {
            let join = || {
                let _within = runtime.enter();
                barrier.wait();
                Mesh::join(&peer, "r").inspect(|_| {
                    joined.fetch_add(1, Ordering::Relaxed);
                })
            };
            let all: Vec<_> = (0..4).map(|_| threads.spawn(join)).collect();
            all.into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(joined.into_inner(), 1);
        let refused = rooms.iter().filter_map(|room| room.as_ref().err());
        assert!(refused.map(|e| e.kind()).eq([ErrorKind::Refused; 3]));
        drop(rooms);
    }
    drop(Mesh::join(&peer, "r").unwrap());
}

#[tokio::test]
async fn who_listens_for_who_joins_is_told_of_all_before_it_returns() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let (here, _there) = (Mesh::join(&a, "r").unwrap(), Mesh::join(&b, "r").unwrap());
    here.wait_for(b.id()).await;
    let (told, mut tells) = mpsc::unbounded_channel();
    here.on_join(move |member| told.send(member.id.clone()).unwrap())
        .detach();
    assert_eq!(tells.try_recv().as_ref(), Ok(b.id()));
}

#[tokio::test]
async fn handlers_of_rooms_that_panic_are_counted_and_stop_nobody() {
    let bus = Bus::new();
    let (a, b) = (bus.peer("a").unwrap(), bus.peer("b").unwrap());
    let (here, there) = (Mesh::join(&a, "r").unwrap(), Mesh::join(&b, "r").unwrap());
    there.wait_for(a.id()).await;
    here.wait_for(b.id()).await;
    there.on_join(|_| panic!("told")).detach();
    there.on("x", |_, _| panic!("told")).unwrap().detach();
    there
        .on_async("x", |_, _| async { panic!("told") })
        .unwrap()
        .detach();
    let (told, mut tells) = mpsc::unbounded_channel();
    let told = Arc::new(told);
    there
        .on("x", move |payload: &Payload, _| {
            told.send(payload.clone()).unwrap()
        })
        .unwrap()
        .detach();
    here.send(Intent::new("x", 1).unwrap()).await.unwrap();
    assert_eq!(tells.recv().await, Some(1.into()));
    assert_eq!(b.stats().handler_panics, 3);
    assert_eq!(bus.dropped(DropReason::NoHandler), 0);
}
