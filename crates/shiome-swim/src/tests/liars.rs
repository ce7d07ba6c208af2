//! What a member that lies, or that somebody speaks for, cannot make others believe.

use std::time::Duration;

use shiome_gossip::{
    SlotRange,
    compact::{self, Handle},
};

use super::{
    Net,
    hostile::{answers, header, member},
    net::{addr, id},
};
use crate::{Config, Event, State};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

fn tell(net: &mut Net, from: usize, to: usize, update: compact::Update<'_>) {
    let mut buf = [0; 1_400];
    let mut gossip = compact::Packer::gossip(&mut buf, &header(from)).unwrap();
    gossip.push(&update).unwrap();
    let len = gossip.finish();
    net.deliver(from, to, &buf[..len]);
}

fn claim(n: usize, at: usize, incarnation: u64) -> compact::Member<'static> {
    compact::Member {
        state: compact::State::Alive,
        is_primary: true,
        ..member(id(n), at, incarnation)
    }
}

fn whole(net: &Net) -> bool {
    let nodes = net.nodes.len();
    let digest = net.nodes[0].as_ref().unwrap().digest();
    let agrees = |node: &crate::Swim| node.len() == nodes - 1 && node.digest() == digest;
    net.nodes.iter().flatten().all(agrees)
}

#[test]
fn no_claim_about_a_member_takes_it_out_of_the_others_belief() {
    for incarnation in [
        1 << 49,
        (1 << 48) - 1,
        1 << 48,
        u64::MAX / 4,
        u64::MAX / 4 - 1,
    ] {
        let mut net = Net::joined(6, &Config::default());
        let node = Handle::of(&id(0));
        for _ in 0..5 {
            tell(&mut net, 1, 0, compact::Update::Alive { node, incarnation });
            let dead = compact::Update::Dead { node, incarnation };
            tell(&mut net, 1, 0, dead);
            tell(&mut net, 1, 2, dead);
        }
        net.run(30 * SECOND);
        // Somebody suspects it later, and it objects.
        let suspected = net.node(3).member(&id(0)).unwrap().incarnation;
        for to in [2, 3, 4, 5] {
            let suspect = compact::Update::Suspect {
                node,
                incarnation: suspected,
                from: header(1).sender,
            };
            tell(&mut net, 1, to, suspect);
        }
        net.run(2 * MINUTE);
        assert!(whole(&net), "{incarnation:x}: {:?}", net.sizes());
    }
}

#[test]
fn a_forged_address_is_taken_back() {
    let mut net = Net::joined(8, &Config::default());
    tell(&mut net, 1, 0, compact::Update::Member(claim(2, 3, 2)));
    net.run(MINUTE);
    assert!(whole(&net), "{:?}", net.sizes());
    for n in (0..8).filter(|n| *n != 2) {
        let seen = net.node(n).member(&id(2)).unwrap();
        assert_eq!((seen.addr, seen.state), (addr(2), State::Alive));
        let gone = |(_, event): &(Duration, Event)| matches!(event, Event::MemberDown { .. });
        assert!(!net.events[n].iter().any(gone), "{:?}", net.events[n]);
    }
}

#[test]
fn metadata_of_an_incarnation_that_is_not_there_is_not_taken() {
    let mut net = Net::joined(5, &Config::default());
    let mut forged = claim(2, 2, 1 << 60);
    forged.meta = Some(compact::Meta {
        incarnation: 1 << 60,
        replicates: None,
        slots: shiome_gossip::Slots::EMPTY,
    });
    tell(&mut net, 1, 0, compact::Update::Member(forged));
    let slots = [SlotRange::new(3, 4).unwrap()];
    let now = net.now;
    net.node(2).set_slots(now, &slots).unwrap();
    net.drain(2);
    net.run(20 * SECOND);
    assert_eq!(net.node(0).member(&id(2)).unwrap().slots, slots);
    assert!(whole(&net));
}

#[test]
fn suspicions_of_ever_higher_incarnations_take_no_memory() {
    let mut net = Net::joined(5, &Config::default());
    let now = net.now;
    for incarnation in 1..20_000 {
        let mut buf = [0; 64];
        let mut gossip = compact::Packer::gossip(&mut buf, &header(1)).unwrap();
        let suspect = compact::Update::Suspect {
            node: Handle::of(&id(2)),
            incarnation,
            from: header(1).sender,
        };
        gossip.push(&suspect).unwrap();
        let len = gossip.finish();
        net.node(0).handle_datagram(now, addr(1), &buf[..len]);
    }
    assert!(
        net.node(0).timers_len() < 50,
        "{}",
        net.node(0).timers_len()
    );
}

#[test]
fn accusers_that_nobody_knows_count_as_one() {
    let mut net = Net::joined(40, &Config::default());
    net.blocked = Box::new(|_, _| true);
    let mut buf = [0; 1_400];
    let mut gossip = compact::Packer::gossip(&mut buf, &header(1)).unwrap();
    for n in 0..9 {
        let suspect = compact::Update::Suspect {
            node: Handle::of(&id(2)),
            incarnation: 1,
            from: Handle::from_bits(n),
        };
        gossip.push(&suspect).unwrap();
    }
    let len = gossip.finish();
    net.deliver(1, 0, &buf[..len]);
    net.run(10 * SECOND);
    assert_eq!(net.node(0).member(&id(2)).unwrap().state, State::Suspect);
}

#[test]
fn tables_are_only_told_to_where_a_member_listens() {
    let mut net = Net::joined(60, &Config::default());
    let mut buf = [0; 64];
    let len = compact::Sync::encode(&header(3), &mut buf, false, 0, [9].into_iter()).unwrap();
    // Wherever it comes from, as behind a translated address.
    for from in [3, 7, 500] {
        let now = net.now;
        net.node(0).handle_datagram(now, addr(from), &buf[..len]);
        let mut out = [0; 1_400];
        let mut sent = 0;
        while let Some(transmit) = net.node(0).poll_transmit(&mut out) {
            assert_eq!(transmit.to, addr(3));
            sent += 1;
        }
        assert!(sent > 1);
    }
    net.kill(3);
    net.run(MINUTE);
    assert_eq!(answers(&mut net, 0, 3, &buf[..len]), 0, "the dead get none");
}
