//! Nodes that announce what they can take, among themselves and with nodes that do not.

use std::time::Instant;

use super::published::Version;
use super::shiome::Shiome;
use super::world::{Node, World, explore};
use super::{
    ALIAS, BREAKS, CALM, OTHERS, OURS, SLOW, assert_never_two_at_nonceless, assert_one_survives,
    published, wire,
};

fn native(name: &'static str, incarnation: u64) -> Node {
    Node::Shiome(Shiome::native(name, Instant::now(), incarnation))
}

fn ours() -> Node {
    native("m", 3)
}

fn assert_all_native(world: &World) {
    assert!(natives(world).all(|native| native), "{world:#?}");
}

fn assert_none_native(world: &World) {
    for (native, live) in natives(world).zip(world.live()) {
        assert!(!native || live.is_empty(), "{world:#?}");
    }
}

/// For each node of ours, whether all its sessions are native.
fn natives(world: &World) -> impl Iterator<Item = bool> {
    world.nodes.iter().filter_map(|node| match node {
        Node::Shiome(node) => Some(node.is_native()),
        Node::Published(_) => None,
    })
}

#[test]
fn native_nodes_never_end_up_without_or_with_two_sessions_or_a_legacy_one() {
    for (name, address) in OTHERS {
        for (nonces, incarnation) in [([1, 2, 3], 9), ([3, 2, 1], 1), ([2, 2, 2], 3)] {
            let wires = vec![
                wire(0, address, nonces[0]),
                wire(1, OURS, nonces[1]),
                // The same node twice, so that nonces decide.
                wire(1, ALIAS, nonces[2]),
            ];
            let world = World::new([ours(), native(name, incarnation)], wires);
            explore(world, CALM, assert_all_native, assert_one_survives);
        }
    }
}

#[test]
fn native_nodes_never_lose_the_elected_connection_unless_it_breaks() {
    for ((name, address), elected) in OTHERS.into_iter().zip([0, 1]) {
        let wires = vec![wire(0, address, 7), wire(1, OURS, 8)];
        explore(
            World::new([ours(), native(name, 5)], wires),
            BREAKS,
            assert_all_native,
            |world| {
                let [ours, theirs] = world.live();
                assert_eq!(ours, theirs, "{world:#?}");
                if world.wires[elected].is_up() {
                    assert_eq!(world.sole_survivor(), Some(elected), "{world:#?}");
                }
            },
        );
    }
}

#[test]
fn a_native_node_never_harms_its_session_with_a_node_that_announces_nothing() {
    for (name, address) in OTHERS {
        let wires = || vec![wire(0, address, 5), wire(1, OURS, 6), wire(1, ALIAS, 4)];
        let others = [
            Node::Shiome(Shiome::new(name, Instant::now())),
            published(Version::V0_16_5, name),
        ];
        for other in others {
            let world = World::new([ours(), other], wires());
            explore(world, CALM, assert_none_native, assert_one_survives);
        }
    }
}

#[test]
fn a_native_node_never_gives_a_nonceless_peer_two_sessions() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), published(Version::V0_15_12, name)], wires);
        let always = |world: &World| {
            assert_none_native(world);
            assert_never_two_at_nonceless(world);
        };
        explore(world, CALM, always, assert_one_survives);
    }
}

#[test]
fn a_native_node_never_costs_a_nonceless_peer_both_sessions_unless_a_dial_did_not_wait() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), published(Version::V0_15_12, name)], wires);
        explore(
            world,
            SLOW,
            |world| assert!(!world.published().lost_both || world.rushed, "{world:#?}"),
            |world| {
                if !world.published().lost_both {
                    assert_one_survives(world);
                }
            },
        );
    }
}
