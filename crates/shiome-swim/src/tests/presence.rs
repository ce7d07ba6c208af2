//! What the owner is told of members, and what it tells of itself.

use std::time::Duration;

use shiome_gossip::SlotRange;

use super::{
    Net,
    net::{addr, id},
};
use crate::{Config, DownReason, Event, State};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn who_leaves_says_so_and_is_not_taken_for_dead() {
    let mut net = Net::joined(12, &Config::default());
    let now = net.now;
    net.node(5).leave(now);
    net.drain(5);
    net.run(2 * SECOND);
    assert_eq!(net.events[5].last().unwrap().1, Event::Departed);
    assert_eq!(net.node(5).poll_timeout(), None, "it is silent");
    for n in (0..12).filter(|n| *n != 5) {
        let left = Event::MemberDown {
            id: id(5),
            addr: addr(5),
            reason: DownReason::Left,
        };
        assert_eq!(net.events[n].len(), 1, "{:?}", net.events[n]);
        assert_eq!(net.events[n][0].1, left);
    }
    net.run(5 * MINUTE);
    assert!((0..12).all(|n| n == 5 || net.events[n].len() == 1));
    assert_eq!(net.node(0).member(&id(5)).unwrap().state, State::Left);
}

#[test]
fn who_is_alone_leaves_at_once() {
    let mut net = Net::new(1, &Config::default());
    let now = net.now;
    net.node(0).leave(now);
    net.node(0).handle_timeout(now);
    net.drain(0);
    assert_eq!(net.events[0].last().unwrap().1, Event::Departed);
}

#[test]
fn role_and_slots_reach_all_and_those_who_come_later() {
    let config = Config::default();
    let mut net = Net::joined(8, &config);
    let slots = [(100, 200), (0, 5), (6, 9)].map(|(a, b)| SlotRange::new(a, b).unwrap());
    let now = net.now;
    net.node(2).set_slots(now, &slots).unwrap();
    net.node(2).set_role(now, false, Some(id(1)));
    net.drain(2);
    net.run(2 * SECOND);
    let late = net.add(&config);
    net.join(late, 0);
    net.run(3 * SECOND);
    let kept = [(0, 9), (100, 200)].map(|(a, b)| SlotRange::new(a, b).unwrap());
    for n in (0..9).filter(|n| *n != 2) {
        let member = net.node(n).member(&id(2)).unwrap();
        assert_eq!(member.slots, kept, "{n}");
        assert_eq!((member.is_primary, member.replicates), (false, Some(id(1))));
        if n != late {
            let changed = (net.events[n].iter())
                .any(|(_, event)| *event == Event::MemberChanged { id: id(2) });
            assert!(changed, "{:?}", net.events[n]);
        }
    }
}

#[test]
fn who_starts_again_is_rid_of_the_slots_of_its_earlier_life() {
    let config = Config::default();
    let mut net = Net::joined(6, &config);
    let now = net.now;
    let slots = [SlotRange::new(0, 5).unwrap()];
    net.node(2).set_slots(now, &slots).unwrap();
    net.drain(2);
    net.run(5 * SECOND);
    assert_eq!(net.node(0).member(&id(2)).unwrap().slots, slots);
    net.kill(2);
    net.start(2, 50, &config);
    net.join(2, 0);
    net.run(20 * SECOND);
    let digest = net.node(2).digest();
    for n in [0, 1, 3, 4, 5] {
        assert!(net.node(n).member(&id(2)).unwrap().slots.is_empty());
        assert_eq!(net.node(n).digest(), digest);
    }
}

#[test]
fn votes_reach_all_once() {
    let mut net = Net::joined(10, &Config::default());
    let now = net.now;
    net.node(3).request_vote(now, 7, 1_234);
    net.node(4).grant_vote(now, id(3), 7);
    net.drain(3);
    net.drain(4);
    net.run(3 * SECOND);
    let request = Event::VoteRequest {
        candidate: id(3),
        epoch: 7,
        offset: 1_234,
    };
    let grant = Event::VoteGranted {
        from: id(4),
        candidate: id(3),
        epoch: 7,
    };
    for n in 0..10 {
        let times = |wanted: &Event| {
            let same = |(_, event): &&(Duration, Event)| event == wanted;
            net.events[n].iter().filter(same).count()
        };
        assert_eq!(times(&request), usize::from(n != 3), "{n}");
        assert_eq!(times(&grant), usize::from(n != 4), "{n}");
    }
}

#[test]
fn many_who_join_at_once_are_announced_in_few_batches() {
    let config = Config::default();
    let mut net = Net::new(150, &config);
    for n in 1..150 {
        net.join(n, 0);
    }
    let whole = |net: &Net| net.nodes.iter().flatten().all(|node| node.len() == 149);
    let time = net.run_until(MINUTE, whole);
    assert!(whole(&net), "{:?}", net.sizes());
    assert!(time < 3 * SECOND, "{time:?}");
    for events in &net.events {
        let mut times: Vec<Duration> = events
            .iter()
            .filter(|(_, event)| matches!(event, Event::MemberUp { .. }))
            .map(|(at, _)| *at)
            .collect();
        times.dedup();
        assert!(times.len() <= 12, "{}", times.len());
    }
}

#[test]
fn up_and_down_take_turns() {
    let config = Config::fast();
    let mut net = Net::joined(12, &config);
    for round in 0..6 {
        let n = 1 + round % 3;
        net.kill(n);
        net.run(25 * SECOND);
        net.start(n, 100 + round as u64, &config);
        net.join(n, 0);
        net.run(5 * SECOND);
    }
    for (n, events) in net.events.iter().enumerate().skip(4) {
        let mut up = [true; 12];
        let index = |wanted| (0..12).find(|n| id(*n) == wanted).unwrap();
        for (_, event) in events {
            match event {
                Event::MemberUp { id, .. } => {
                    assert!(
                        !core::mem::replace(&mut up[index(*id)], true),
                        "{n} {event:?}"
                    );
                }
                Event::MemberDown { id, .. } => {
                    assert!(
                        core::mem::replace(&mut up[index(*id)], false),
                        "{n} {event:?}"
                    );
                }
                _ => {}
            }
        }
    }
}

#[test]
fn the_same_seeds_make_the_same_run() {
    let run = || {
        let mut net = Net::joined(12, &Config::default());
        net.loss = 0.1;
        net.kill(3);
        net.run(MINUTE);
        let node = |n: &mut crate::Swim| (n.stats().clone(), n.digest(), n.incarnation());
        let nodes: Vec<_> = net.nodes.iter_mut().flatten().map(node).collect();
        (nodes, net.events)
    };
    assert_eq!(run(), run());
}
