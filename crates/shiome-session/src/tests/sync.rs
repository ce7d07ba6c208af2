use super::*;

use shiome_wire::auth::NameMessage;

#[test]
fn both_sides_become_ready_once() {
    let mut pair = Pair::new();
    pair.a.session.synced();
    pair.settle();
    assert!(!pair.a.session.is_ready() && !pair.b.session.is_ready());
    assert!(pair.a.events().is_empty() && pair.b.events().is_empty());

    pair.b.session.synced();
    pair.b.session.synced();
    pair.settle();
    assert!(matches!(pair.a.event(), Event::Ready));
    assert!(matches!(pair.b.event(), Event::Ready));
    assert_eq!(kinds(&pair.b.sent), ["ready"]);

    pair.inject(control::Ready {}).unwrap();
    assert!(pair.b.events().is_empty());
}

#[test]
fn actors_are_announced_before_their_groups_and_ready() {
    let mut pair = Pair::new();
    pair.a.session.announce([named(1, "one")]);
    pair.a
        .session
        .join("scope", "group", vec![named(1, "one"), actor(2)]);
    pair.a.session.synced();
    pair.settle();
    assert_eq!(
        kinds(&pair.a.sent),
        ["spawn", "spawn", "group join", "ready"]
    );
    assert!(pair.a.session.is_announced(2));

    let events = pair.b.events();
    let [
        Event::Spawned(first),
        Event::Spawned(second),
        Event::Joined {
            scope,
            group,
            actors,
            left_out,
        },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert!(left_out.is_empty());
    assert_eq!(
        (&first[..], &second[..]),
        (&[named(1, "one")][..], &[actor(2)][..])
    );
    assert_eq!((&scope[..], &group[..]), ("scope", "group"));
    assert_eq!(actors[..], [named(1, "one"), actor(2)]);
}

#[test]
fn names_find_pids_and_back() {
    let mut pair = Pair::new();
    pair.a.session.announce([named(1, "one"), actor(2)]);
    pair.settle();
    let session = &pair.b.session;
    assert_eq!(
        (session.remote_pid("one"), session.remote_pid("two")),
        (Some(1), None)
    );
    assert_eq!(
        (session.remote_name(1), session.remote_name(2)),
        (Some("one"), None)
    );
    let mut pids: Vec<_> = session.remote_pids().collect();
    pids.sort_unstable();
    assert_eq!(pids, [1, 2]);

    let now = pair.now;
    pair.a.session.terminate(now, 1);
    pair.settle();
    assert_eq!(pair.b.session.remote_pid("one"), None);
    assert_eq!(pair.b.session.remote_name(1), None);
}

#[test]
fn a_name_that_was_taken_over_survives_its_first_owner() {
    let mut pair = Pair::new();
    pair.inject(spawn([named(1, "one")])).unwrap();
    pair.inject(spawn([named(2, "one")])).unwrap();
    pair.inject(terminate([1])).unwrap();
    assert_eq!(pair.b.session.remote_pid("one"), Some(2));
    pair.inject(terminate([2])).unwrap();
    assert_eq!(pair.b.session.remote_pid("one"), None);
}

#[test]
fn what_the_peer_knows_is_not_told_again() {
    let mut pair = Pair::new();
    pair.a.session.announce([actor(1), actor(1)]);
    pair.a.session.announce([actor(1)]);
    pair.settle();
    assert_eq!(kinds(&pair.a.sent), ["spawn"]);
    assert!(matches!(&pair.b.event(), Event::Spawned(actors) if actors[..] == [actor(1)]));

    pair.inject(spawn([actor(1), actor(2), actor(2)])).unwrap();
    assert!(matches!(&pair.b.event(), Event::Spawned(actors) if actors[..] == [actor(2)]));
    pair.inject(spawn([actor(1)])).unwrap();
    assert!(pair.b.events().is_empty());
}

#[test]
fn a_group_message_makes_actors_known_and_repeats_say_nothing() {
    let mut pair = Pair::new();
    pair.inject(pg_join("group", [actor(1), actor(1)])).unwrap();
    assert!(matches!(&pair.b.event(), Event::Joined { actors, .. } if actors[..] == [actor(1)]));
    assert_eq!(pair.b.session.cast(cast(1)), Ok(()));

    pair.inject(pg_join("group", [actor(1)])).unwrap();
    pair.inject(pg_leave("group", [actor(2)])).unwrap();
    pair.inject(pg_leave("other", [actor(1)])).unwrap();
    assert!(pair.b.events().is_empty());

    pair.inject(pg_leave("group", [actor(1), actor(1), actor(2)]))
        .unwrap();
    assert!(matches!(&pair.b.event(), Event::Left { pids, .. } if pids[..] == [1]));
    // Out of its last group, still there.
    assert_eq!(pair.b.session.cast(cast(1)), Ok(()));
}

#[test]
fn the_end_of_an_actor_is_its_leaving_of_all_groups() {
    let mut pair = Pair::new();
    pair.inject(pg_join("one", [actor(1)])).unwrap();
    pair.inject(pg_join("two", [actor(1)])).unwrap();
    pair.b.events();
    pair.inject(terminate([1])).unwrap();
    pair.inject(pg_leave("one", [actor(1)])).unwrap();
    pair.inject(pg_leave("two", [actor(1)])).unwrap();
    assert!(matches!(&pair.b.event(), Event::Terminated(pids) if pids[..] == [1]));
}

#[test]
fn a_large_snapshot_is_split_and_arrives_whole() {
    let mut pair = Pair::new();
    let actors: Vec<_> = (1..=5000).map(actor).collect();
    pair.a.session.join("scope", "group", actors.clone());
    pair.settle();
    assert_eq!(
        kinds(&pair.a.sent),
        [["spawn"; 5], ["group join"; 5]].concat()
    );

    let (mut spawned, mut joined) = (Vec::new(), Vec::new());
    for event in pair.b.events() {
        match event {
            Event::Spawned(actors) => spawned.extend(actors),
            Event::Joined { actors, .. } => joined.extend(actors),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((&spawned, &joined), (&actors, &actors));
}

#[test]
fn lists_stay_below_the_peers_frame_limit() {
    let config = Config {
        max_frame_len: 16 * 1024,
        ..Config::default()
    };
    let limit = config.max_frame_len;
    let mut pair = Pair::with(config, Config::default());
    let name = "n".repeat(MAX_NAME_LEN);
    let actors: Vec<_> = (1..=20).map(|pid| named(pid, &name)).collect();
    pair.a.session.join(&name, &name, actors.clone());
    pair.a.session.leave(&name, &name, actors);
    pair.settle();
    for message in &pair.a.sent {
        assert!(prost::Message::encoded_len(message) as u64 <= limit);
    }
    assert_eq!(pair.b.session.remote_pids().count(), 20);
}

#[test]
fn a_name_that_would_cost_the_link_is_not_told() {
    let mut pair = Pair::new();
    let long = "n".repeat(MAX_NAME_LEN + 1);
    pair.a.session.announce([named(1, &long)]);
    pair.a.session.join("scope", &long, vec![actor(2)]);
    pair.a.session.leave(&long, "group", vec![actor(2)]);
    pair.settle();
    let untold = pair.a.events();
    let is_untold = |event| matches!(event, &Event::NameUntold { len } if len == long.len());
    assert!(
        untold.len() == 3 && untold.iter().all(is_untold),
        "{untold:?}"
    );

    assert_eq!(kinds(&pair.a.sent), ["spawn", "spawn"]);
    assert_eq!(pair.b.session.remote_name(1), None);
    assert_eq!(pair.b.session.cast(cast(1)), Ok(()));
    assert_eq!(pair.b.session.cast(cast(2)), Ok(()));
}

#[test]
fn peers_are_asked_for_and_listed() {
    let name = |name: &str| NameMessage {
        name: name.to_owned(),
        ..NameMessage::default()
    };
    let now = Instant::now();
    let mut asker = Session::<Handle>::new(now, Config::default(), 1);
    asker.start(now, Some(name("a@h")));
    let mut pair = Pair::new();
    while let Some(message) = asker.poll_transmit() {
        if !is_probe(&message) {
            pair.inject(message).unwrap();
        }
    }
    assert!(matches!(pair.b.event(), Event::SessionsRequested(asker) if asker == name("a@h")));

    let peers: Vec<_> = (0..3000).map(|i| name(&format!("n{i}@h"))).collect();
    pair.b.session.list_sessions(peers.clone());
    pair.b.session.list_sessions(Vec::new());
    pair.settle();
    assert_eq!(kinds(&pair.b.sent), ["sessions"; 4]);
    let lists = pair.a.events().into_iter().map(|event| match event {
        Event::SessionsListed(list) => list,
        other => panic!("{other:?}"),
    });
    assert_eq!(lists.collect::<Vec<_>>().concat(), peers);
}
