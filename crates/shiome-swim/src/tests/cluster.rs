use std::time::Duration;

use super::{
    Net,
    net::{addr, id},
};
use crate::{Config, DownReason, Event};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn all_find_each_other_through_one_seed() {
    let net = Net::joined(20, &Config::default());
    let digest = net.nodes[0].as_ref().unwrap().digest();
    for node in net.nodes.iter().flatten() {
        assert_eq!(node.len(), 19);
        assert_eq!(node.digest(), digest);
        assert_eq!(node.stats().malformed, 0);
    }
    assert!(
        net.elapsed() < Duration::from_secs(3),
        "{:?}",
        net.elapsed()
    );
}

#[test]
fn who_stops_is_found_by_all() {
    for config in [Config::default(), Config::fast()] {
        let mut net = Net::joined(20, &config);
        net.kill(7);
        let gone = |net: &Net| net.nodes.iter().flatten().all(|node| node.len() == 18);
        let time = net.run_until(MINUTE, gone);
        assert!(gone(&net), "{:?}", net.sizes());
        assert!(time < Duration::from_secs(20), "{time:?}");
        for n in (0..20).filter(|n| *n != 7) {
            let downs: Vec<Event> = net.events[n]
                .iter()
                .map(|(_, event)| *event)
                .filter(|event| matches!(event, Event::MemberDown { .. }))
                .collect();
            let down = Event::MemberDown {
                id: id(7),
                addr: addr(7),
                reason: DownReason::Failed,
            };
            assert_eq!(downs, [down]);
        }
    }
}

#[test]
fn nobody_is_lost_while_all_is_well() {
    let mut net = Net::joined(30, &Config::default());
    net.run(10 * MINUTE);
    assert!(net.events.iter().all(Vec::is_empty), "{:?}", net.events);
    let digest = net.nodes[0].as_ref().unwrap().digest();
    assert!(
        net.nodes
            .iter()
            .flatten()
            .all(|node| node.digest() == digest)
    );
}
