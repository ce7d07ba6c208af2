//! Equal seeds give equal simulations.

use shiome_sim::{Conditions, Memory, Pause, Wake, World, ours, time::SECOND};

use crate::support;

/// A life with some of everything, and its fingerprint.
fn fingerprint(seed: u64) -> (u64, u64) {
    let kind = &ours::all()[0];
    let mut world = World::new(kind, 40, Conditions::lossy(0.1), seed);
    world.fill(30);
    world.run_for(5 * SECOND);
    world.crash(3);
    world.pause(4, Pause::Io);
    world.pause(5, Pause::Process(Wake::TimersFirst));
    for node in 30..40 {
        world.start_and_join(node, Memory::Lost, &[0, 1]);
    }
    world.run_for(20 * SECOND);
    world.resume(4);
    world.resume(5);
    world.start_and_join(3, Memory::Kept, &[0]);
    world.run_for(20 * SECOND);
    support::assert_safe(&world);
    (world.fingerprint(), world.events())
}

#[test]
fn the_same_seed_gives_the_same_simulation() {
    assert_eq!(fingerprint(11), fingerprint(11));
}

#[test]
fn another_seed_gives_another() {
    assert_ne!(fingerprint(11).0, fingerprint(12).0);
}
