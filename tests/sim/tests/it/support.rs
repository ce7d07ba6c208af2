use shiome_sim::{
    Conditions, Engine, Faults, World,
    ours::{self, Ours},
    time::SECOND,
};

/// Our engine with its defaults.
pub(crate) fn engine() -> Ours {
    ours::all().swap_remove(0)
}

/// Our engine under that name.
pub(crate) fn named(name: &str) -> Ours {
    let mut all = ours::all().into_iter();
    let found = all.find(|kind| shiome_sim::Kind::name(kind) == name);
    found.expect("there is a setting of that name")
}

/// A cluster that has converged some time ago.
pub(crate) fn converged(
    kind: &Ours,
    size: u32,
    conditions: Conditions,
    seed: u64,
) -> World<'_, Ours> {
    let mut world = World::new(kind, size, conditions, seed);
    world.fill(size);
    world.run_for(5 * SECOND);
    world
}

/// Checks what holds at any time: the dead stay dead, up and down take turns, incarnations grow, and the tables are what
/// the events said.
pub(crate) fn assert_safe(world: &World<'_, Ours>) {
    let mut faults = world.ledger().faults;
    // A node that was cut off when all others heard of an end is right to tell of a life it knows nothing else of.
    faults.ghosts = 0;
    assert_eq!(faults, Faults::default());
    assert_eq!(world.check_views(), Ok(()));
}

/// Checks what holds in the end, after `seconds` at most: all know all who run and nobody else, all tables are equal, and
/// nobody knows of an incarnation that its node is not in yet.
pub(crate) fn assert_converges(world: &mut World<'_, Ours>, seconds: u64) {
    let end = world.now() + seconds * SECOND;
    assert_agrees(world, seconds);
    // The tables may still differ: in who was suspected and objected, and in the dead.
    while !world.digests_agree() && world.now() < end {
        world.run_for(SECOND);
    }
    assert!(world.digests_agree());
    assert!(world.ledger().is_complete(), "{:?}", holes(world));
}

/// The same for nodes that do not compare their tables: of the dead, each may know others.
pub(crate) fn assert_agrees(world: &mut World<'_, Ours>, seconds: u64) {
    let end = world.now() + seconds * SECOND;
    let complete = world.run_until_done(end, |ledger| ledger.is_complete());
    assert!(complete.is_some(), "{:?}", holes(world));
    assert_safe(world);
    let running =
        Vec::from_iter((0..world.size()).filter_map(|node| Some((node, world.engine(node)?))));
    for (subject, engine) in &running {
        let own = Engine::incarnation(*engine);
        for (observer, other) in &running {
            let known = other.incarnation_of(*subject);
            assert!(
                known <= own,
                "{observer} knows {known:?} of {subject}: {own:?}"
            );
        }
    }
}

/// Who is wrong about whom: observer, subject.
fn holes(world: &World<'_, Ours>) -> Vec<(u32, u32)> {
    let ledger = world.ledger();
    let nodes = || 0..world.size();
    let pairs = nodes().flat_map(|observer| nodes().map(move |subject| (observer, subject)));
    let observed = pairs.filter(|(observer, subject)| {
        observer != subject
            && ledger.is_running(*observer)
            && ledger.believes(*observer, *subject) != ledger.is_running(*subject)
    });
    observed.take(20).collect()
}
