//! Every order in which the messages of several connections between two nodes can arrive.
//!
//! A [`World`] is two nodes and the wires between them. [`explore`] visits every world that any order of dialling,
//! delivering and, where a test allows it, running out of patience or cutting wires can lead to.

mod native;
mod published;
mod shiome;
mod world;

use std::cell::Cell;
use std::time::Instant;

use self::published::{Published, Version};
use self::shiome::Shiome;
use self::world::{Dial, Node, Weather, Wire, World, explore};

/// Our node is `m`; the other sorts before or after it.
const OTHERS: [(&str, &str); 2] = [("a", "a:4697"), ("z", "z:4697")];
const OURS: &str = "m:4697";
/// An address that the node behind it does not announce.
const ALIAS: &str = "alias:4697";

const CALM: Weather = Weather {
    slow: false,
    breaks: false,
};
const SLOW: Weather = Weather {
    slow: true,
    breaks: false,
};
const BREAKS: Weather = Weather {
    slow: true,
    breaks: true,
};

fn ours() -> Node {
    Node::Shiome(Shiome::new("m", Instant::now()))
}

fn published(version: Version, name: &'static str) -> Node {
    Node::Published(Published::new(version, name))
}

fn nonceless(name: &'static str) -> Node {
    published(Version::V0_15_12, name)
}

fn wire(dialler: usize, target: &'static str, nonce: u64) -> Wire {
    Wire {
        dialler,
        target,
        nonce,
        dial: Dial::Waiting,
        to: Default::default(),
        cut: false,
        silent: false,
    }
}

fn assert_never_two_at_nonceless(world: &World) {
    assert!(!world.published().lost_both, "{world:#?}");
    assert!(!world.published().overlapped, "{world:#?}");
}

fn assert_one_survives(world: &World) {
    assert!(world.sole_survivor().is_some(), "{world:#?}");
}

#[test]
fn nonceless_peer_keeps_one_session_and_never_has_two() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        let ends = explore(
            world,
            CALM,
            assert_never_two_at_nonceless,
            assert_one_survives,
        );
        assert!(ends >= 2, "either connection can be the one, {ends}");
    }
}

/// That the model bites.
#[test]
fn nonceless_peer_loses_both_when_the_rules_are_not_heeded() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let careless = Node::Shiome(Shiome::careless("m", Instant::now()));
        let lost = Cell::new(0);
        let overlapped = Cell::new(0);
        explore(
            World::new([careless, nonceless(name)], wires),
            CALM,
            |world| overlapped.set(overlapped.get() + usize::from(world.published().overlapped)),
            |world| lost.set(lost.get() + usize::from(world.sole_survivor().is_none())),
        );
        assert_eq!(
            lost.get() > 0,
            name == "z",
            "it evicts for one order of names"
        );
        assert!(overlapped.get() > 0);
    }
}

#[test]
fn nonceless_peer_that_dials_twice_keeps_one_session() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            CALM,
            |world| assert!(!world.published().lost_both, "{world:#?}"),
            assert_one_survives,
        );
    }
}

#[test]
fn nonceless_peer_dialled_twice_keeps_one_session() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(0, address, 4), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            CALM,
            assert_never_two_at_nonceless,
            assert_one_survives,
        );
    }
}

#[test]
fn holds_that_run_out_cost_both_sessions_only_if_a_dial_did_not_wait() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
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

#[test]
fn broken_connections_leave_one_session_at_most() {
    for (name, address) in OTHERS {
        let wires = vec![wire(0, address, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            BREAKS,
            |_| {},
            |world| {
                let [ours, theirs] = world.live();
                assert_eq!(ours, theirs, "{world:#?}");
                assert!(ours.len() <= 1, "{world:#?}");
                if !world.rushed && world.wires.iter().all(|wire| !wire.cut) {
                    assert_one_survives(world);
                }
            },
        );
    }
}

#[test]
fn a_dial_that_gets_no_answer_does_not_keep_a_nonceless_peer_out() {
    for (name, _) in OTHERS {
        let mut elsewhere = wire(0, "elsewhere:4697", 5);
        elsewhere.silent = true;
        let wires = vec![elsewhere, wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(world, SLOW, assert_never_two_at_nonceless, |world| {
            assert_eq!(world.sole_survivor(), Some(1), "{world:#?}");
        });
    }
}

/// Under the address that it announces, the verdict would be that there is a session.
#[test]
fn only_an_unknown_alias_of_a_connected_nonceless_peer_evicts() {
    for (name, _) in OTHERS {
        let wires = vec![wire(0, ALIAS, 5), wire(1, OURS, 0)];
        let world = World::new([ours(), nonceless(name)], wires);
        explore(
            world,
            CALM,
            |world| assert!(!world.published().lost_both || world.late, "{world:#?}"),
            |world| {
                if !world.published().lost_both {
                    assert_one_survives(world);
                }
            },
        );
    }
}

#[test]
fn nodes_of_ours_keep_one_session() {
    for (name, address) in OTHERS {
        for nonces in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [2, 2, 2]] {
            let wires = vec![
                wire(0, address, nonces[0]),
                wire(1, OURS, nonces[1]),
                // The same node twice, so that nonces decide.
                wire(1, ALIAS, nonces[2]),
            ];
            let other = Node::Shiome(Shiome::new(name, Instant::now()));
            explore(
                World::new([ours(), other], wires),
                CALM,
                |_| {},
                assert_one_survives,
            );
        }
    }
}

#[test]
fn a_peer_with_nonces_and_a_node_of_ours_keep_one_session() {
    for (name, address) in OTHERS {
        for nonces in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
            let wires = vec![
                wire(0, address, nonces[0]),
                wire(1, OURS, nonces[1]),
                wire(1, OURS, nonces[2]),
            ];
            let world = World::new([ours(), published(Version::V0_16_5, name)], wires);
            explore(world, CALM, |_| {}, assert_one_survives);
        }
    }
}

/// The elected connection survives whatever happens to the others.
#[test]
fn nodes_of_ours_keep_the_elected_connection_unless_it_breaks() {
    for ((name, address), elected) in OTHERS.into_iter().zip([0, 1]) {
        let wires = vec![wire(0, address, 7), wire(1, OURS, 8)];
        let other = Node::Shiome(Shiome::new(name, Instant::now()));
        explore(
            World::new([ours(), other], wires),
            BREAKS,
            |_| {},
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
