//! Everything at once, at random.

use shiome_sim::{Conditions, Memory, Pause, Wake, World, ours::Ours, time::SECOND};

use crate::support::{assert_agrees, assert_converges, assert_safe, converged, engine, named};

const SIZE: u32 = 24;
/// Things that happen, each followed by up to some seconds in which nothing does.
const TURNS: u32 = 150;
/// Who came and went is kept waiting for ten minutes at most. In seconds, with some to spare.
const DAMPING: u64 = 15 * 60;

#[test]
fn whatever_happens_the_dead_stay_dead_and_in_the_end_all_know_all() {
    let kind = engine();
    for seed in 0..40 {
        assert_converges(&mut run(&kind, seed), DAMPING);
    }
}

#[test]
fn the_same_holds_for_the_classic_form() {
    let kind = named("shiome, classic form");
    for seed in 0..20 {
        assert_agrees(&mut run(&kind, seed), DAMPING);
    }
}

/// A cluster in which a lot has happened, and no more does.
fn run(kind: &Ours, seed: u64) -> World<'_, Ours> {
    let mut world = converged(kind, SIZE, Conditions::lossy(0.05), seed);
    let mut paused = Vec::new();
    for _ in 0..TURNS {
        let node = pick(&mut world, SIZE);
        let other = pick(&mut world, SIZE);
        match pick(&mut world, 10) {
            0..=2 => toggle(&mut world, &mut paused, node),
            3 => pause(&mut world, &mut paused, node),
            4 => resume(&mut world, &mut paused),
            5 => world.network_mut().set_group(node, 1),
            6 => (0..SIZE).for_each(|node| world.network_mut().set_group(node, 0)),
            7 => world.network_mut().set_node_loss(node, 0.5, 0.0),
            8 => world.network_mut().set_node_loss(node, 0.0, 0.0),
            _ => world.network_mut().set_link_loss(node, other, 0.9),
        }
        let span = world.rng_mut().below(4 * SECOND);
        world.run_for(span);
        assert_safe(&world);
    }
    heal(&mut world, &mut paused);
    world
}

fn pick(world: &mut World<'_, Ours>, bound: u32) -> u32 {
    world.rng_mut().below(u64::from(bound)) as u32
}

/// Ends a node that runs; starts one that does not.
fn toggle(world: &mut World<'_, Ours>, paused: &mut Vec<u32>, node: u32) {
    if world.ledger().is_running(node) {
        paused.retain(|other| *other != node);
        world.crash(node);
        return;
    }
    let memory = match pick(world, 2) {
        0 => Memory::Kept,
        _ => Memory::Lost,
    };
    world.start_and_join(node, memory, &[0, 1, 2, 3]);
}

fn pause(world: &mut World<'_, Ours>, paused: &mut Vec<u32>, node: u32) {
    if !world.ledger().is_running(node) || paused.contains(&node) {
        return;
    }
    let how = match pick(world, 4) {
        0 => Pause::Io,
        1 => Pause::Process(Wake::InOrder),
        2 => Pause::Process(Wake::TimersFirst),
        _ => Pause::Process(Wake::PacketsFirst),
    };
    world.pause(node, how);
    paused.push(node);
}

fn resume(world: &mut World<'_, Ours>, paused: &mut Vec<u32>) {
    paused.drain(..).for_each(|node| world.resume(node));
}

fn heal(world: &mut World<'_, Ours>, paused: &mut Vec<u32>) {
    resume(world, paused);
    // A seed: those who started when no seed ran have nowhere else to turn to.
    if !world.ledger().is_running(0) {
        toggle(world, paused, 0);
    }
    for node in 0..SIZE {
        world.network_mut().set_group(node, 0);
        world.network_mut().set_node_loss(node, 0.0, 0.0);
        for other in 0..SIZE {
            world.network_mut().set_link_loss(node, other, 0.0);
        }
    }
}
