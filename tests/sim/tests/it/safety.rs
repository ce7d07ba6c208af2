//! One behaviour at a time.

use shiome_sim::{Conditions, Memory, Pause, Wake, World, time::SECOND};

use crate::support::{assert_converges, assert_safe, converged, engine, named};

#[test]
fn each_crash_is_seen_by_all() {
    let kind = engine();
    for seed in 0..10 {
        let mut world = converged(&kind, 60, Conditions::lossy(0.1), seed);
        for node in world.rng_mut().choose(5, 60) {
            world.crash(node);
        }
        assert_converges(&mut world, 30);
        assert_eq!(world.ledger().running(), 55);
        assert_eq!(world.ledger().counts.false_positives, 0);
    }
}

#[test]
fn nobody_is_accused_because_a_tenth_of_all_datagrams_is_lost() {
    for name in ["shiome", "shiome, classic form"] {
        let kind = named(name);
        let mut world = converged(&kind, 60, Conditions::lossy(0.1), 1);
        world.run_for(600 * SECOND);
        assert_eq!(world.ledger().counts.downs, 0, "{name}");
        assert_converges(&mut world, 10);
    }
}

#[test]
fn all_who_join_together_know_each_other_and_nobody_is_missed() {
    let kind = engine();
    for seed in 0..10 {
        let mut world = World::new(&kind, 80, Conditions::lossy(0.2), seed);
        world.start(0, Memory::Lost);
        for node in 1..80 {
            world.start_and_join(node, Memory::Lost, &[0]);
        }
        assert_converges(&mut world, 20);
        assert_eq!(world.ledger().counts.downs, 0);
    }
}

#[test]
fn who_leaves_is_gone_at_once_and_not_taken_for_dead() {
    let kind = engine();
    for seed in 0..10 {
        let mut world = converged(&kind, 40, Conditions::lossy(0.1), seed);
        world.leave(7);
        let end = world.now() + 2 * SECOND;
        let told = world.run_until_done(end, |ledger| ledger.known_by(7) <= 1);
        assert!(told.is_some(), "{}", world.ledger().known_by(7));
        world.run_until(end);
        world.crash(7);
        assert_eq!(world.ledger().counts.suspicions, 0);
        assert_converges(&mut world, 10);
    }
}

#[test]
fn who_starts_again_without_memory_ends_above_its_old_incarnation() {
    let kind = engine();
    for seed in 0..5 {
        let mut world = converged(&kind, 40, Conditions::LAN, seed);
        (0..10).for_each(|node| world.crash(node));
        world.run_for(30 * SECOND);
        for node in 0..10 {
            world.start_and_join(node, Memory::Lost, &[20, 21]);
        }
        assert_converges(&mut world, 40);
        for node in 0..10 {
            assert!(world.ledger().incarnations_above_past(node) > 0, "{node}");
        }
    }
}

#[test]
fn who_starts_again_before_anybody_noticed_is_not_missed() {
    let kind = engine();
    for seed in 0..5 {
        let mut world = converged(&kind, 40, Conditions::LAN, seed);
        for node in 0..10 {
            world.crash(node);
            world.start_and_join(node, Memory::Lost, &[20, 21]);
        }
        assert_converges(&mut world, 20);
        assert_eq!(world.ledger().counts.downs, 0);
    }
}

#[test]
fn a_newcomer_does_not_bring_back_the_dead() {
    let kind = engine();
    for seed in 0..10 {
        let mut world = World::new(&kind, 50, Conditions::lossy(0.1), seed);
        world.fill(40);
        world.run_for(5 * SECOND);
        // One newcomer before the crash is noticed, one while it is being told, one after.
        world.crash(11);
        world.start_and_join(40, Memory::Lost, &[12]);
        world.run_for(5 * SECOND);
        world.start_and_join(41, Memory::Lost, &[13]);
        world.run_for(20 * SECOND);
        world.start_and_join(42, Memory::Lost, &[14]);
        assert_converges(&mut world, 20);
        assert!(!world.ledger().believes(42, 11));
        assert_eq!(world.ledger().faults.ghosts, 0);
    }
}

#[test]
fn halves_find_each_other_again() {
    let kind = engine();
    for seed in 0..5 {
        let mut world = converged(&kind, 40, Conditions::LAN, seed);
        for node in 0..20 {
            world.network_mut().set_group(node, 1);
        }
        world.run_for(120 * SECOND);
        assert_eq!(world.ledger().known_by(0), 19);
        assert_eq!(world.ledger().known_by(39), 19);
        // One who dies while nobody of the other half can see it does not come back with the others.
        world.crash(5);
        world.run_for(30 * SECOND);
        for node in 0..20 {
            world.network_mut().set_group(node, 0);
        }
        assert_converges(&mut world, 20);
        let downs = world.ledger().counts.downs;
        world.run_for(60 * SECOND);
        assert_eq!(world.ledger().counts.downs, downs);
    }
}

#[test]
fn a_process_that_stood_still_accuses_nobody() {
    let kind = engine();
    for wake in [Wake::InOrder, Wake::TimersFirst, Wake::PacketsFirst] {
        let mut world = converged(&kind, 40, Conditions::LAN, 1);
        for node in 0..5 {
            world.ledger_mut().set_anomalous(node, true);
            world.pause(node, Pause::Process(wake));
        }
        world.run_for(60 * SECOND);
        (0..5).for_each(|node| world.resume(node));
        assert_converges(&mut world, 30);
        assert_eq!(world.ledger().counts.false_positives, 0, "{wake:?}");
    }
}

#[test]
fn a_member_that_only_a_reliable_channel_reaches_is_kept() {
    let kind = named("shiome, reliable pings");
    let mut world = converged(&kind, 20, Conditions::LAN, 1);
    // Just not everything, which would mean that no connection gets through either.
    world.network_mut().set_node_loss(3, 0.0, 0.999);
    world.run_for(300 * SECOND);
    assert_eq!(world.ledger().counts.downs, 0);
    assert!(world.traffic(4).reliable_pings > 0);
    assert_safe(&world);
}

#[test]
fn no_datagram_is_longer_than_the_configuration_allows() {
    let kind = engine();
    let mut world = World::new(&kind, 300, Conditions::LAN, 1);
    world.start(0, Memory::Lost);
    for node in 1..300 {
        world.start_and_join(node, Memory::Lost, &[0]);
    }
    assert_converges(&mut world, 20);
    let longest = world.total_traffic().longest;
    assert!((1_000..=1_400).contains(&longest), "{longest}");
}
