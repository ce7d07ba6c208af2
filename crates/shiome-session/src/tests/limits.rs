use super::*;

fn limited(set: impl FnOnce(&mut Config)) -> Pair {
    let mut config = Config::default();
    set(&mut config);
    Pair::with(Config::default(), config)
}

/// The message goes beyond a limit: `b` says so and is closed, and its open call ends.
fn breaks(pair: &mut Pair, message: impl Into<NetworkMessage>, expected: SessionError) {
    pair.inject(spawn([actor(1)])).unwrap();
    let now = pair.now;
    pair.b.session.call(now, call(1), None, 1).unwrap();
    pair.drain();
    pair.b.events();

    assert_eq!(pair.inject(message), Err(expected));
    assert!(matches!(
        pair.b.event(),
        Event::CallEnded {
            call: 1,
            why: CallEnd::Closed { written: true }
        }
    ));
    assert_eq!(pair.b.session.cast(cast(1)), Err(SendError::Closed));
    assert_eq!(pair.inject(spawn([actor(2)])), Ok(()));
    assert!(pair.b.events().is_empty());
}

#[test]
fn as_many_actors_as_allowed() {
    let mut pair = limited(|config| config.max_announced_actors = 3);
    pair.inject(spawn((1..=3).map(actor))).unwrap();
    pair.inject(spawn((1..=3).map(actor))).unwrap();
    pair.inject(terminate([2])).unwrap();
    pair.inject(pg_join("group", [actor(1), actor(4)])).unwrap();
    breaks(
        &mut pair,
        spawn([actor(5)]),
        SessionError::TooManyActors { limit: 3 },
    );
}

#[test]
fn group_messages_count_as_announcements() {
    let mut pair = limited(|config| config.max_announced_actors = 3);
    let error = SessionError::TooManyActors { limit: 3 };
    breaks(&mut pair, pg_join("group", (1..=4).map(actor)), error);
}

/// Who joined, and how many were left out, by the last message.
fn joined(pair: &mut Pair) -> (Vec<u64>, usize) {
    let told = pair.b.events().pop();
    let Some(Event::Joined {
        actors, left_out, ..
    }) = told
    else {
        panic!("nobody joined: {told:?}");
    };
    (
        actors.iter().map(|actor| actor.pid).collect(),
        left_out.len(),
    )
}

#[test]
fn actors_in_groups_beyond_the_limit_are_left_out_and_counted() {
    let mut pair = limited(|config| config.max_grouped_actors = 2);
    pair.inject(spawn((1..=9).map(actor))).unwrap();
    pair.inject(pg_join("one", (1..=5).map(actor))).unwrap();
    assert_eq!(joined(&mut pair), (vec![1, 2], 3));
    // Those in groups join others, and those left out can be addressed.
    pair.inject(pg_join("two", (1..=3).map(actor))).unwrap();
    assert_eq!(joined(&mut pair), (vec![1, 2], 1));
    assert!(pair.b.session.knows(3));
    pair.inject(pg_leave("one", [actor(3)])).unwrap();
    assert!(pair.b.events().is_empty(), "it was no member");
    // One ends, and there is room for who joins next.
    pair.inject(terminate([2])).unwrap();
    pair.inject(pg_join("one", [actor(3), actor(4)])).unwrap();
    assert_eq!(joined(&mut pair), (vec![3], 1));
}

/// Who has been in a group is represented for as long as it lives.
#[test]
fn leaving_a_group_makes_no_room_for_another_actor_in_groups() {
    let mut pair = limited(|config| config.max_grouped_actors = 2);
    for pid in 1..=2 {
        pair.inject(pg_join("one", [actor(pid)])).unwrap();
        pair.inject(pg_leave("one", [actor(pid)])).unwrap();
    }
    pair.inject(pg_join("one", [actor(3)])).unwrap();
    assert_eq!(joined(&mut pair), (vec![], 1));
    pair.inject(pg_join("two", [actor(1)])).unwrap();
    assert_eq!(joined(&mut pair), (vec![1], 0));
}

#[test]
fn as_many_memberships_as_allowed() {
    let mut pair = limited(|config| config.max_memberships = 2);
    pair.inject(pg_join("one", [actor(1)])).unwrap();
    pair.inject(pg_join("two", [actor(1)])).unwrap();
    pair.inject(pg_leave("one", [actor(1)])).unwrap();
    pair.inject(pg_join("three", [actor(1)])).unwrap();
    let error = SessionError::TooManyMemberships { limit: 2 };
    breaks(&mut pair, pg_join("four", [actor(1)]), error);
}

#[test]
fn as_many_bytes_of_names_as_allowed() {
    // "scope" and the group's name count once a member.
    let mut pair = limited(|config| config.max_directory_bytes = 20);
    pair.inject(spawn([named(2, "12345678")])).unwrap();
    pair.inject(pg_join("g", [actor(1), actor(2)])).unwrap();
    pair.inject(terminate([2])).unwrap();
    pair.inject(spawn([named(3, "12345678901234")])).unwrap();
    let error = SessionError::DirectoryTooLarge { limit: 20 };
    breaks(&mut pair, spawn([named(4, "1")]), error);
}

#[test]
fn names_as_long_as_allowed() {
    let (fits, long) = ("n".repeat(MAX_NAME_LEN), "n".repeat(MAX_NAME_LEN + 1));
    let join = |scope: &str, group: &str, name: &str| control::PgJoin {
        scope: scope.to_owned(),
        group: group.to_owned(),
        actors: vec![named(9, name)],
    };
    let leave = |scope: &str, group: &str| control::PgLeave {
        scope: scope.to_owned(),
        group: group.to_owned(),
        actors: Vec::new(),
    };
    let refused: [NetworkMessage; 6] = [
        spawn([named(9, &long)]).into(),
        join("scope", "group", &long).into(),
        join(&long, "group", "name").into(),
        join("scope", &long, "name").into(),
        leave(&long, "group").into(),
        leave("scope", &long).into(),
    ];
    for message in refused {
        let mut pair = Pair::new();
        pair.inject(spawn([named(8, &fits)])).unwrap();
        pair.inject(join(&fits, &fits, &fits)).unwrap();
        pair.inject(leave(&fits, &fits)).unwrap();
        let (len, limit) = (long.len(), MAX_NAME_LEN);
        breaks(&mut pair, message, SessionError::NameTooLong { len, limit });
    }
}

#[test]
fn a_million_actors_are_refused_in_one_message_and_in_many() {
    let limit = Config::default().max_announced_actors;
    let error = Err(SessionError::TooManyActors { limit });
    let all = || (1..=1_000_000).map(actor);
    let mut pair = Pair::new();
    let message = spawn(all());
    assert_eq!(
        pair.b.session.handle_message(pair.now, message.into()),
        error
    );
    assert_eq!(pair.b.session.remote_pids().count(), limit);

    let mut pair = Pair::new();
    let mut accepted = 0;
    let result = all().try_for_each(|actor| {
        accepted += 1;
        pair.b
            .session
            .handle_message(pair.now, spawn([actor]).into())
    });
    assert_eq!((result, accepted), (error, limit + 1));
}

#[test]
fn joining_and_leaving_for_ever_holds_nothing() {
    let mut pair = limited(|config| {
        config.max_announced_actors = 1;
        config.max_memberships = 1;
        config.max_directory_bytes = 64;
    });
    for round in 0..1000 {
        let group = format!("group {round}");
        pair.inject(pg_join(&group, [named(round, "name")]))
            .unwrap();
        pair.inject(pg_leave(&group, [actor(round)])).unwrap();
        pair.inject(pg_join(&group, [actor(round)])).unwrap();
        pair.inject(terminate([round])).unwrap();
    }
    assert_eq!(pair.b.session.remote_pids().count(), 0);
}

#[test]
fn as_many_outgoing_calls_as_allowed() {
    let config = Config {
        max_open_calls: 2,
        ..Config::default()
    };
    let mut pair = Pair::with(config, Config::default()).served(&[7]);
    pair.call(7, None, 1);
    pair.call(7, Some(Duration::from_secs(1)), 2);
    let now = pair.now;
    let refused = pair.a.session.call(now, call(7), None, 3);
    assert_eq!(refused, Err(SendError::TooManyCalls { limit: 2 }));
    pair.drive(Duration::from_secs(1));
    pair.call(7, None, 4);
    pair.settle();
    assert_eq!(tags(&pair.a.sent), [(7, 1), (7, 2), (7, 3)]);
    assert_eq!(pair.a.ended(), [(2, Some(CallEnd::TimedOut))]);
}

#[test]
fn inbound_calls_above_the_limit_are_skipped() {
    let mut pair = limited(|config| config.max_open_calls = 2);
    pair.b.session.announce([actor(7), actor(8)]);
    for pid in [7, 8, 8] {
        pair.inject(call(pid)).unwrap();
    }
    let events = pair.b.events();
    assert!(
        matches!(
            &events[..],
            [
                Event::Call(_),
                Event::Call(_),
                Event::Skipped(Skipped::Overloaded { pid: 8 })
            ]
        ),
        "{events:?}"
    );
    pair.b
        .session
        .drop_call(pair.now, 7, 0, CallErrorCode::NoReply);
    pair.inject(call(8)).unwrap();
    assert!(matches!(pair.b.event(), Event::Call(_)));
}
