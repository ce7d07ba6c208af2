//! What the two sides tell each other of actors and groups.

use ractor::{ActorCell, pg};
use shiome_wire::{
    control::{self, control_message::Msg},
    meta::NetworkMessage,
};

use super::support::{RawPeer, eventually, node, probe, remote_members};

fn control(message: NetworkMessage) -> Option<Msg> {
    message.into_control()
}

#[tokio::test(start_paused = true)]
async fn local_actors_and_groups_are_told_before_ready_and_as_they_change() {
    let server = node("sync").await;
    let (early, _early) = probe(Some("sync-early")).await;
    let early_pid = early.get_id().pid();
    pg::join_scoped("cave".into(), "sync".into(), vec![early.get_cell()]);

    let mut peer = RawPeer::dial(&server);
    peer.authenticate("syncpeer").await;
    let (mut spawned, mut joined) = (None, None);
    loop {
        match peer.expect(control).await {
            Msg::Spawn(spawn) => {
                let found = spawn.actors.into_iter().find(|a| a.pid == early_pid);
                spawned = spawned.or(found);
            }
            Msg::PgJoin(join) if join.group == "sync" => joined = Some(join),
            Msg::Ready(_) => break,
            _ => {}
        }
    }
    assert_eq!(spawned.unwrap().name.as_deref(), Some("sync-early"));
    let joined = joined.unwrap();
    assert_eq!(joined.scope, "cave");
    assert_eq!(joined.actors[0].pid, early_pid);

    let (late, _late) = probe(None).await;
    let late_pid = late.get_id().pid();
    pg::join("sync late".into(), vec![late.get_cell()]);
    pg::leave("sync late".into(), vec![late.get_cell()]);
    late.stop(None);
    let mut story = Vec::new();
    loop {
        match peer.expect(control).await {
            Msg::Spawn(spawn) if spawn.actors.iter().any(|a| a.pid == late_pid) => {
                story.push("spawn");
            }
            Msg::PgJoin(join) if join.group == "sync late" => story.push("join"),
            Msg::PgLeave(leave) if leave.group == "sync late" => story.push("leave"),
            Msg::Terminate(gone) if gone.ids == [late_pid] => break,
            _ => {}
        }
    }
    assert_eq!(story, ["spawn", "join", "leave"]);
}

#[tokio::test(start_paused = true)]
async fn remote_members_of_all_scopes_come_and_go() {
    let server = node("scopes").await;
    let mut peer = RawPeer::join(&server, "scopespeer").await;
    let members = |scope: &str, group: &str| -> Vec<ActorCell> {
        let mut members = pg::get_scoped_members(&scope.into(), &group.into());
        members.retain(|m| !m.get_id().is_local());
        members
    };
    let actors = vec![control::Actor { pid: 3, name: None }];
    let (group, scope) = ("scopes".to_owned(), "cave".to_owned());
    // A join may come before the actor is announced.
    peer.send(control::PgJoin {
        group: group.clone(),
        actors: actors.clone(),
        scope: scope.clone(),
    })
    .await;
    peer.announce([(3, "late")]).await;
    eventually(|| (members("cave", "scopes").len() == 1).then_some(())).await;
    assert!(members(pg::DEFAULT_SCOPE, "scopes").is_empty());
    peer.send(control::PgLeave {
        group,
        actors,
        scope,
    })
    .await;
    eventually(|| members("cave", "scopes").is_empty().then_some(())).await;
}

#[tokio::test(start_paused = true)]
async fn what_one_peer_has_is_never_passed_on_to_another() {
    let server = node("nothird").await;
    let mut first = RawPeer::join(&server, "nothird1").await;
    first.announce([(1_000_001, "theirs")]).await;
    first.join_group("nothird", [1_000_001]).await;
    remote_members("nothird", 1).await;

    let mut second = RawPeer::dial(&server);
    second.authenticate("nothird2").await;
    loop {
        match second.expect(control).await {
            Msg::Spawn(spawn) => assert!(spawn.actors.iter().all(|a| a.pid < 1_000_000)),
            Msg::PgJoin(join) => assert_ne!(join.group, "nothird"),
            Msg::Ready(_) => break,
            _ => {}
        }
    }
}
