//! Nodes that speak compact and nodes that do not, in one cluster.

use std::time::Duration;

use super::{
    Net,
    net::{addr, id},
};
use crate::{Config, Event, State};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn classic() -> Config {
    Config {
        compact: false,
        ..Config::default()
    }
}

/// Half of the nodes speak compact.
fn mixed(nodes: usize) -> Net {
    let mut net = Net::new(0, &classic());
    for n in 0..nodes {
        let config = if n % 2 == 0 {
            Config::default()
        } else {
            classic()
        };
        net.add(&config);
        if n > 0 {
            net.join(n, n % 3 % n.max(1));
        }
    }
    net.run(10 * SECOND);
    net
}

#[test]
fn a_cluster_in_the_common_form_works_alike() {
    let mut net = Net::joined(15, &classic());
    net.kill(4);
    let gone = |net: &Net| net.nodes.iter().flatten().all(|node| node.len() == 13);
    let time = net.run_until(MINUTE, gone);
    assert!(gone(&net), "{:?}", net.sizes());
    assert!(time < 20 * SECOND, "{time:?}");
    net.run(MINUTE);
    assert!(gone(&net));
}

#[test]
fn a_mixed_cluster_finds_its_dead_and_its_living() {
    let mut net = mixed(12);
    assert_eq!(net.sizes(), [11; 12]);
    for n in 0..12 {
        for other in (0..12).filter(|other| *other != n) {
            let member = net.node(n).member(&id(other)).unwrap();
            if other % 2 == 1 {
                assert!(!member.speaks_compact, "{other} does not");
            }
        }
    }
    assert!(net.node(0).member(&id(2)).unwrap().speaks_compact);
    net.loss = 0.05;
    net.kill(5);
    net.kill(6);
    net.run(MINUTE);
    assert_eq!(net.sizes(), [9; 10]);
    for (n, events) in net.events.iter().enumerate() {
        let wrong = events.iter().find(|(_, event)| {
            matches!(event, Event::MemberDown { id: gone, .. } if ![id(5), id(6)].contains(gone))
        });
        assert_eq!(wrong, None, "{n}");
    }
    net.loss = 0.0;
    net.start(5, 1, &classic());
    let now = net.now;
    net.node(5).join(now, &[addr(1), addr(2)]);
    net.drain(5);
    net.run(10 * SECOND);
    assert_eq!(net.node(0).member(&id(5)).unwrap().state, State::Alive);
}
