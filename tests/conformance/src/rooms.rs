//! Rooms, over every path.

use std::time::Duration;

use shiome_bus::{BusError, DropReason, ErrorKind, Intent, Mesh, Peer};

use crate::{inbox::Log, table::each};

const SOON: Duration = Duration::from_secs(30);

/// Waits until both are members for each other.
async fn meet(first: &Mesh, second: &Mesh) {
    let both = async {
        first.wait_for(second.peer().id()).await;
        second.wait_for(first.peer().id()).await;
    };
    tokio::time::timeout(SOON, both).await.unwrap();
}

/// Logs what a room says to one member.
fn heard(room: &Mesh) -> Log {
    let log = Log::new();
    let written = log.clone();
    let all = room.on(">", move |payload, from| {
        written.write(format!("{from} {payload}"))
    });
    all.unwrap().detach();
    log
}

fn join(peer: &Peer) -> Mesh {
    Mesh::join(peer, "lobby").unwrap()
}

each! {
    async fn what_is_said_to_a_room_goes_to_all_others_once(world) {
        let (a, b, c) = (world.peer("a").await, world.peer("b").await, world.peer("c").await);
        let (a, b, c) = (join(&a), join(&b), join(&c));
        meet(&a, &b).await;
        meet(&a, &c).await;
        meet(&b, &c).await;
        let logs = [heard(&a), heard(&b), heard(&c)];
        let report = a.send_text("hello").await.unwrap();
        assert_eq!((report.accepted(), report.failed().count()), (2, 0));
        c.send_text("bye").await.unwrap();
        assert_eq!(logs[0].wait(1).await, [r#"c "bye""#]);
        let mut heard_by_b = logs[1].wait(2).await;
        heard_by_b.sort();
        assert_eq!(heard_by_b, [r#"a "hello""#, r#"c "bye""#]);
        assert_eq!(logs[2].wait(1).await, [r#"a "hello""#]);
    }

    async fn rooms_are_apart(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let (here, there) = (join(&a), join(&b));
        let (other, elsewhere) = (Mesh::join(&a, "attic").unwrap(), Mesh::join(&b, "attic").unwrap());
        meet(&here, &there).await;
        meet(&other, &elsewhere).await;
        let (lobby, attic) = (heard(&there), heard(&elsewhere));
        other.send_text("up").await.unwrap();
        here.send_text("down").await.unwrap();
        assert_eq!(lobby.wait(1).await, [r#"a "down""#]);
        assert_eq!(attic.wait(1).await, [r#"a "up""#]);
        assert!(matches!(Mesh::join(&a, "lobby"), Err(BusError::Refused(_))));
        assert_eq!(Mesh::join(&a, "no room").unwrap_err().kind(), ErrorKind::InvalidName);
    }

    async fn members_are_told_first_and_then_who_comes_and_goes(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let (room_a, room_b) = (join(&a), join(&b));
        meet(&room_a, &room_b).await;
        let log = Log::new();
        let (joins, leaves) = (log.clone(), log.clone());
        room_a.on_join(move |member| joins.write(format!("+{}", member.id))).detach();
        room_a.on_leave(move |member, reason| leaves.write(format!("-{} {reason:?}", member.id))).detach();
        assert_eq!(log.lines(), ["+b"]);
        let c = world.peer("c").await;
        let room_c = join(&c);
        meet(&room_a, &room_c).await;
        room_b.leave();
        assert_eq!(log.wait(3).await, ["+b", "+c", "-b Left"]);
        drop((c, room_c));
        // Leaving and going are told once.
        assert_eq!(log.wait(4).await[3], "-c Left");
        let again = join(&b);
        meet(&room_a, &again).await;
        assert_eq!(log.wait(5).await[4], "+b");
        assert_eq!(room_a.members().len(), 1);
    }

    async fn a_peer_that_is_gone_is_no_member_and_a_new_life_is_no_second_one(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let (room_a, room_b) = (join(&a), join(&b));
        meet(&room_a, &room_b).await;
        let log = Log::new();
        let leaves = log.clone();
        room_a.on_leave(move |member, reason| leaves.write(format!("{} {reason:?}", member.id))).detach();
        let life = b.incarnation();
        // As when a page is left: no goodbye.
        b.close(SOON).await.unwrap();
        assert_eq!(log.wait(1).await, ["b Gone"]);
        drop((b, room_b));
        let b = world.peer("b").await;
        let room_b = join(&b);
        meet(&room_a, &room_b).await;
        let members = room_a.members();
        assert_eq!((members.len(), members[0].id.as_str()), (1, "b"));
        assert!(members[0].incarnation > life);
        assert_eq!(log.lines().len(), 1);
    }

    async fn a_room_that_answers_itself_falls_silent(world) {
        const MEMBERS: usize = 4;
        let (mut rooms, log) = (Vec::new(), Log::new());
        for number in 0..MEMBERS {
            let peer = world.peer(&format!("m{number}")).await;
            rooms.push(std::sync::Arc::new(join(&peer)));
        }
        for first in 0..MEMBERS {
            for second in first + 1..MEMBERS {
                meet(&rooms[first], &rooms[second]).await;
            }
        }
        for room in &rooms {
            let (speaker, written) = (std::sync::Arc::downgrade(room), log.clone());
            room.on(">", move |payload, _| {
                let intent = Intent::new("message", payload.clone()).unwrap();
                let said = speaker.upgrade().unwrap().try_send(&intent);
                written.write(said.map_or_else(|error| error.kind().as_str().to_owned(), |_| "said".to_owned()));
            }).unwrap().detach();
        }
        rooms[0].send_text("storm").await.unwrap();
        // 3 hear it, 9 their answers, 27 the answers to those, which are the last.
        let lines = log.wait(3 + 9 + 27).await;
        let refused = lines.iter().filter(|line| *line == "too_many_hops").count();
        assert_eq!((lines.len(), refused), (39, 27));
        for room in &rooms {
            room.peer().ping("m0", SOON).await.unwrap();
        }
        assert_eq!(log.lines().len(), 39);
    }

    async fn who_waits_before_it_answers_still_answers(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let (a, b) = (std::sync::Arc::new(join(&a)), std::sync::Arc::new(join(&b)));
        meet(&a, &b).await;
        let log = Log::new();
        for room in [&a, &b] {
            let (speaker, written) = (std::sync::Arc::downgrade(room), log.clone());
            room.on_async(">", move |payload, _| {
                let (room, log) = (speaker.upgrade().unwrap(), written.clone());
                async move {
                    tokio::task::yield_now().await;
                    let said = room.send(Intent::new("message", payload).unwrap()).await;
                    log.write(said.map_or_else(|error| error.kind().as_str().to_owned(), |_| "said".to_owned()));
                }
            }).unwrap().detach();
        }
        a.send_text("storm").await.unwrap();
        assert_eq!(log.wait(3).await, ["said", "said", "too_many_hops"]);
        a.peer().ping("b", SOON).await.unwrap();
        assert_eq!(log.lines().len(), 3);
    }

    async fn greetings_take_no_places_and_leaving_is_no_late_news(world) {
        let a = world.peer("a").await;
        let b = world.peer_with("b", shiome_bus::PeerOptions::default().capacity(1)).await;
        let log = crate::inbox::inbox(&b);
        for room in ["attic", "cellar", "lobby"] {
            Mesh::join(&a, room).unwrap().leave();
        }
        let (room_a, room_b) = (join(&a), join(&b));
        meet(&room_a, &room_b).await;
        room_a.leave();
        let room_a = join(&a);
        let back = async {
            while room_b.members().len() != 1 || room_a.members().len() != 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(SOON, back).await.unwrap();
        a.send("b", Intent::new("last", ()).unwrap()).await.unwrap();
        assert_eq!(log.wait(1).await, ["a last null"]);
        let drops: Vec<_> = world.buses().iter().flat_map(|bus| bus.stats().drops).collect();
        assert_eq!(drops, []);
    }

    async fn who_is_in_no_room_hears_nothing_of_it(world) {
        let (a, b) = (world.peer("a").await, world.peer("b").await);
        let log = crate::inbox::inbox(&b);
        let room = join(&a);
        assert_eq!(room.send_text("anybody?").await.unwrap().members.len(), 0);
        a.send("b", Intent::new("last", ()).unwrap()).await.unwrap();
        assert_eq!(log.wait(1).await, ["a last null"]);
        assert_eq!(world.dropped(DropReason::NoHandler), 0);
    }
}
