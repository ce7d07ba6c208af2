//! Who is suspected, who is not, and who gets over it.

use std::time::Duration;

use super::{
    Net,
    net::{addr, id},
};
use crate::{Config, Event, State};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn downs(net: &Net) -> usize {
    let down = |event: &&(Duration, Event)| matches!(event.1, Event::MemberDown { .. });
    net.events.iter().flatten().filter(down).count()
}

#[test]
fn a_fifth_of_all_datagrams_may_get_lost() {
    let mut net = Net::joined(30, &Config::default());
    net.loss = 0.2;
    net.run(10 * MINUTE);
    assert_eq!(downs(&net), 0);
    assert!(net.nodes.iter().flatten().all(|node| node.len() == 29));
}

#[test]
fn others_answer_for_a_member_that_cannot_be_reached_directly() {
    let mut net = Net::joined(10, &Config::default());
    net.blocked = Box::new(|from, to| (from, to) == (1, 2) || (from, to) == (2, 1));
    net.run(5 * MINUTE);
    assert!(net.events.iter().all(Vec::is_empty), "{:?}", net.events);
    assert!(net.node(1).stats().probes_indirect > 10);
}

#[test]
fn a_member_that_only_a_reliable_channel_reaches_is_there() {
    let config = Config {
        reliable_pings: true,
        ..Config::default()
    };
    let mut net = Net::joined(5, &config);
    net.reliable = true;
    net.blocked = Box::new(|from, to| from == 2 || to == 2);
    net.run(2 * MINUTE);
    let of_two = |event: &&(Duration, Event)| matches!(event.1, Event::MemberDown { id: gone, .. } if gone == id(2));
    for n in [0, 1, 3, 4] {
        assert_eq!(net.events[n].iter().find(of_two), None);
    }
    net.kill(2);
    net.run(2 * MINUTE);
    for n in [0, 1, 3, 4] {
        assert!(net.events[n].iter().any(|event| of_two(&event)));
    }
}

#[test]
fn of_two_the_one_that_is_left_knows_soon() {
    for nodes in [2, 3] {
        let mut net = Net::joined(nodes, &Config::default());
        net.kill(1);
        let time = net.run_until(MINUTE, |net| {
            net.nodes[0].as_ref().unwrap().len() == nodes - 2
        });
        assert!(time < 7 * SECOND, "{nodes}: {time:?}");
    }
}

#[test]
fn who_stood_still_blames_nobody() {
    let mut net = Net::joined(10, &Config::default());
    net.run(MINUTE);
    // Time passes for node 3 alone: its timers and all that arrived wait for it.
    let now = net.now + 20 * SECOND;
    net.node(3).handle_timeout(now);
    net.now = now;
    net.drain(3);
    assert_eq!(net.node(3).stats().stalls, 1);
    net.run(MINUTE);
    let by_three = |event: &&(Duration, Event)| matches!(event.1, Event::MemberDown { .. });
    assert_eq!(net.events[3].iter().find(by_three), None);
    assert_eq!(downs(&net), 0);
}

#[test]
fn both_sides_of_a_partition_find_each_other_again() {
    let mut net = Net::joined(20, &Config::default());
    net.blocked = Box::new(|from, to| (from < 8) != (to < 8));
    net.run(5 * MINUTE);
    assert_eq!(net.node(0).len(), 7);
    assert_eq!(net.node(19).len(), 11);
    let before: Vec<usize> = net.events.iter().map(Vec::len).collect();
    net.blocked = Box::new(|_, _| false);
    let whole = |net: &Net| net.nodes.iter().flatten().all(|node| node.len() == 19);
    let time = net.run_until(MINUTE, whole);
    assert!(whole(&net), "{:?}", net.sizes());
    assert!(time < 10 * SECOND, "{time:?}");
    net.run(2 * MINUTE);
    assert!(whole(&net), "{:?}", net.sizes());
    for (n, before) in before.into_iter().enumerate() {
        let later = net.events[n][before..].iter();
        let down = later
            .clone()
            .any(|(_, event)| matches!(event, Event::MemberDown { .. }));
        assert!(!down, "{n}: {:?}", later.collect::<Vec<_>>());
    }
}

#[test]
fn who_starts_again_without_memory_is_up_again_with_a_higher_incarnation() {
    let config = Config::default();
    let mut net = Net::joined(10, &config);
    net.kill(4);
    net.run(MINUTE);
    assert_eq!(net.node(0).member(&id(4)).unwrap().state, State::Dead);
    net.start(4, 1, &config);
    net.join(4, 0);
    let whole = |net: &Net| net.nodes.iter().flatten().all(|node| node.len() == 9);
    let time = net.run_until(MINUTE, whole);
    assert!(whole(&net), "{:?}", net.sizes());
    assert!(time < 3 * SECOND, "{time:?}");
    let incarnation = net.node(4).incarnation();
    assert!(incarnation > 1);
    net.run(MINUTE);
    for node in net.nodes.iter().flatten() {
        assert_eq!(node.member(&id(4)).unwrap().incarnation, incarnation);
    }
}

#[test]
fn who_starts_again_before_anybody_noticed_is_not_missed() {
    let config = Config::default();
    let mut net = Net::joined(10, &config);
    net.kill(4);
    net.start(4, 2, &config);
    net.join(4, 0);
    net.run(MINUTE);
    assert_eq!(downs(&net), 0);
    assert!(net.nodes.iter().flatten().all(|node| node.len() == 9));
    assert_eq!(net.node(0).member(&id(4)).unwrap().incarnation, 2);
}

#[test]
fn another_node_at_the_address_of_a_member_takes_its_place_at_once() {
    let config = Config::default();
    let mut net = Net::joined(6, &config);
    let me = crate::Identity {
        id: id(77),
        addr: addr(3),
        incarnation: 1,
    };
    let now = net.now;
    net.nodes[3] = Some(crate::Swim::new(now, me, config, [5; 32]).unwrap());
    net.join(3, 0);
    let replaced = |net: &Net| {
        let node = net.nodes[0].as_ref().unwrap();
        node.member(&id(3)).unwrap().state == State::Dead && node.len() == 5
    };
    let time = net.run_until(MINUTE, replaced);
    assert!(time < 6 * SECOND, "{time:?}");
    assert!(net.node(0).member(&id(77)).is_some());
}

#[test]
fn a_member_that_comes_and_goes_is_announced_less_and_less() {
    let mut net = Net::joined(10, &Config::default());
    for _ in 0..30 {
        net.blocked = Box::new(|_, to| to == 9);
        net.run(20 * SECOND);
        net.blocked = Box::new(|_, _| false);
        net.run(20 * SECOND);
    }
    let minutes = 20;
    for n in 0..9 {
        let changes = net.events[n]
            .iter()
            .filter(|(_, event)| matches!(event, Event::MemberUp { .. } | Event::MemberDown { .. }))
            .count();
        assert!(changes <= minutes, "{n}: {:?}", net.events[n]);
        let others = net.events[n].iter().find(
            |(_, event)| matches!(event, Event::MemberDown { id: gone, .. } if *gone != id(9)),
        );
        assert_eq!(others, None, "the healthy stay");
    }
}

#[test]
fn two_clusters_with_the_same_seeds_become_one() {
    let config = Config::default();
    let mut net = Net::new(8, &config);
    net.blocked = Box::new(|from, to| (from < 4) != (to < 4));
    for n in 0..8 {
        let now = net.now;
        net.node(n).join(now, &[addr(0), addr(4)]);
        net.drain(n);
    }
    net.run(MINUTE);
    assert_eq!(net.sizes(), [3; 8]);
    net.blocked = Box::new(|_, _| false);
    net.run(MINUTE);
    assert_eq!(net.sizes(), [7; 8]);
}

#[test]
fn a_node_that_lost_all_others_finds_them_by_its_seeds() {
    let config = Config::default();
    let mut net = Net::joined(5, &config);
    for n in 1..5 {
        net.kill(n);
    }
    net.run(MINUTE);
    assert_eq!(net.node(0).len(), 0);
    net.start(1, 9, &config);
    let now = net.now;
    net.node(0).join(now, &[addr(1)]);
    net.drain(0);
    net.run(10 * SECOND);
    assert_eq!(net.node(0).len(), 1);
    assert_eq!(net.node(1).len(), 1);
}

#[test]
fn who_comes_back_at_another_address_with_the_same_incarnation_is_found_there() {
    for pause in [Duration::ZERO, MINUTE] {
        let config = Config::default();
        let mut net = Net::joined(8, &config);
        net.kill(4);
        net.run(pause);
        // Its place is taken by nobody, and it comes back in another.
        net.nodes.push(None);
        net.events.push(Vec::new());
        let me = crate::Identity {
            id: id(4),
            addr: addr(8),
            incarnation: 1,
        };
        let now = net.now;
        net.nodes[8] = Some(crate::Swim::new(now, me, config.clone(), [5; 32]).unwrap());
        net.join(8, 0);
        net.run(MINUTE);
        for n in [0, 1, 2, 3, 5, 6, 7] {
            let member = net.node(n).member(&id(4)).unwrap();
            assert_eq!((member.addr, member.state), (addr(8), State::Alive), "{n}");
            assert_eq!(net.node(n).len(), 7);
        }
    }
}

#[test]
fn who_left_long_ago_comes_back_with_the_same_incarnation() {
    let config = Config::default();
    let mut net = Net::joined(6, &config);
    let now = net.now;
    net.node(4).leave(now);
    net.drain(4);
    net.run(120 * MINUTE);
    net.start(4, 1, &config);
    net.join(4, 0);
    net.run(30 * SECOND);
    assert_eq!(net.sizes(), [5; 6]);
}

#[test]
fn the_dead_are_forgotten_though_others_come() {
    let config = Config {
        tombstone_ttl: 5 * MINUTE,
        ..Config::default()
    };
    let mut net = Net::joined(5, &config);
    net.kill(4);
    for _ in 0..20 {
        net.run(MINUTE);
        let late = net.add(&config);
        net.join(late, 0);
    }
    net.run(MINUTE);
    for node in net.nodes.iter().flatten() {
        assert_eq!(node.member(&id(4)), None);
        assert_eq!(node.len(), 23);
    }
}

#[test]
fn seeds_that_are_known_late_join_two_clusters() {
    let config = Config::default();
    let mut net = Net::new(6, &config);
    for (n, seed) in [(1, 0), (2, 0), (4, 3), (5, 3)] {
        net.join(n, seed);
    }
    net.run(10 * SECOND);
    assert_eq!(net.sizes(), [2; 6]);
    net.join(0, 3);
    net.run(10 * SECOND);
    assert_eq!(net.sizes(), [5; 6]);
}

#[test]
fn timers_that_are_a_little_late_do_not_stop_detection() {
    let config = Config {
        probe_timeout: Duration::from_millis(5),
        ..Config::default()
    };
    let mut net = Net::joined(5, &config);
    net.late = Duration::from_millis(20);
    net.kill(2);
    let gone = |net: &Net| net.nodes.iter().flatten().all(|node| node.len() == 3);
    net.run_until(MINUTE, gone);
    assert!(gone(&net), "{:?}", net.sizes());
}
