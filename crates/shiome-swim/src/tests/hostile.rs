//! What strangers, liars and broken nodes cannot do.

use std::time::Duration;

use proptest::prelude::*;
use shiome_gossip::{
    Field, Join, NodeId, Packer, PingReq, SlotRange, Update,
    compact::{self, Handle, Header},
};

use super::{
    Net,
    net::{addr, id},
};
use crate::{Config, Event, State};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn header(n: usize) -> Header {
    Header {
        cluster: 0,
        sender: Handle::of(&id(n)),
    }
}

/// What a node answers to a datagram, in bytes, to anybody.
pub(super) fn answers(net: &mut Net, to: usize, from: usize, bytes: &[u8]) -> usize {
    let now = net.now;
    net.node(to).handle_datagram(now, addr(from), bytes);
    let mut buf = [0; 1_400];
    let mut sent = 0;
    while let Some(transmit) = net.node(to).poll_transmit(&mut buf) {
        sent += transmit.len;
    }
    sent
}

#[test]
fn no_stranger_gets_more_than_it_sends() {
    let mut net = Net::joined(60, &Config::default());
    net.run(5 * SECOND);
    let stranger = 500;
    let mut buf = [0; 1_400];

    let ping = compact::Packer::ping(&mut buf, &header(stranger), 7, 1).unwrap();
    let len = ping.finish();
    let sent = answers(&mut net, 0, stranger, &buf[..len]);
    assert!(0 < sent && sent <= len, "{sent} to {len}");

    let len = Packer::ping(&mut buf, 7, id(stranger)).unwrap().finish();
    let sent = answers(&mut net, 0, stranger, &buf[..len]);
    assert!(0 < sent && sent <= len, "{sent} to {len}");

    for request in [id(3), id(stranger)] {
        let request = PingReq {
            seq: 1,
            sender: id(stranger),
            target: request,
            target_addr: addr(3),
        };
        let len = request.encode(&mut buf).unwrap();
        assert_eq!(answers(&mut net, 0, stranger, &buf[..len]), 0);
    }
    let request = compact::PingReq {
        seq: 1,
        target: Handle::of(&id(3)),
    };
    let len = request.encode(&header(stranger), &mut buf).unwrap();
    assert_eq!(answers(&mut net, 0, stranger, &buf[..len]), 0);

    let len =
        compact::Sync::encode(&header(stranger), &mut buf, false, 0, [9].into_iter()).unwrap();
    assert_eq!(answers(&mut net, 0, stranger, &buf[..len]), 0);

    let mut filled = [0; 600];
    let join = Join {
        sender: id(stranger),
        sender_addr: addr(stranger),
    };
    join.encode(&mut filled).unwrap();
    let sent = answers(&mut net, 0, stranger, &filled);
    assert!(0 < sent && sent <= 600, "{sent} to 600");
}

#[test]
fn the_answer_to_a_join_is_no_longer_for_many_slots() {
    let mut net = Net::joined(60, &Config::default());
    let ranges: Vec<SlotRange> = (0..256)
        .map(|n| SlotRange::new(n * 4, n * 4 + 1).unwrap())
        .collect();
    let now = net.now;
    net.node(0).set_slots(now, &ranges).unwrap();
    net.run(5 * SECOND);
    let joiner = net.add(&Config::default());
    let mut join = [0; 1_400];
    net.node(joiner).join(now, &[addr(0)]);
    let now = net.now;
    net.node(joiner).handle_timeout(now);
    let len = net.node(joiner).poll_transmit(&mut join).unwrap().len;
    let sent = answers(&mut net, 0, joiner, &join[..len]);
    assert!(0 < sent && sent <= len, "{sent} to {len}");
}

#[test]
fn short_joins_are_answered_so_many_times_a_second() {
    let mut net = Net::joined(60, &Config::default());
    let mut buf = [0; 64];
    let mut sent = 0;
    for n in 0..1_000 {
        let join = Join {
            sender: id(1_000 + n % 10),
            sender_addr: addr(1_000 + n % 10),
        };
        let len = join.encode(&mut buf).unwrap();
        sent += answers(&mut net, 0, 1_000, &buf[..len]);
    }
    assert!(sent <= 21 * 1_400, "{sent}");
    assert!(net.node(0).stats().refused >= 900);
}

#[test]
fn an_ack_with_a_guessed_number_proves_nothing() {
    let mut net = Net::joined(4, &Config::default());
    net.kill(1);
    let mut buf = [0; 64];
    let mut n = 0_u32;
    while net.elapsed() < 40 * SECOND {
        net.run(Duration::from_millis(100));
        for to in [0, 2, 3] {
            n = n.wrapping_add(1);
            let len = compact::Packer::ack(&mut buf, &header(1), n, 0)
                .unwrap()
                .finish();
            net.deliver(1, to, &buf[..len]);
        }
    }
    assert!(net.node(0).stats().unexpected_ack > 100);
    for to in [0, 2, 3] {
        assert_eq!(net.node(to).member(&id(1)).unwrap().state, State::Dead);
    }
}

#[test]
fn requests_to_ping_are_bounded_for_each_member() {
    let mut net = Net::joined(5, &Config::default());
    let mut buf = [0; 64];
    for seq in 0..100 {
        let request = compact::PingReq {
            seq,
            target: Handle::of(&id(3)),
        };
        let len = request.encode(&header(1), &mut buf).unwrap();
        let now = net.now;
        net.node(0).handle_datagram(now, addr(1), &buf[..len]);
    }
    let mut pings = 0;
    let mut out = [0; 1_400];
    while let Some(transmit) = net.node(0).poll_transmit(&mut out) {
        pings += usize::from(transmit.to == addr(3));
    }
    assert_eq!(pings, 8);
}

#[test]
fn old_news_of_the_dead_does_not_bring_them_back() {
    let mut net = Net::joined(6, &Config::default());
    net.kill(5);
    net.run(MINUTE);
    let mut buf = [0; 256];
    let mut replayed = Packer::ping(&mut buf, 1, id(1)).unwrap();
    replayed
        .push(&Update::Alive {
            node: id(5),
            addr: addr(5),
            incarnation: 1,
        })
        .unwrap();
    let len = replayed.finish();
    let before = net.events[0].len();
    net.deliver(1, 0, &buf[..len]);
    let mut gossip = compact::Packer::gossip(&mut buf, &header(1)).unwrap();
    gossip
        .push(&compact::Update::Alive {
            node: Handle::of(&id(5)),
            incarnation: 1,
        })
        .unwrap();
    let len = gossip.finish();
    net.deliver(1, 0, &buf[..len]);
    net.run(MINUTE);
    assert_eq!(net.events[0].len(), before);
    assert_eq!(net.node(0).member(&id(5)).unwrap().state, State::Dead);
}

#[test]
fn a_replayed_farewell_is_objected_to() {
    let mut net = Net::joined(6, &Config::default());
    let mut buf = [0; 256];
    let mut replayed = Packer::ping(&mut buf, 1, id(1)).unwrap();
    replayed.push(&Update::Left { node: id(2) }).unwrap();
    let len = replayed.finish();
    net.deliver(1, 0, &buf[..len]);
    assert_eq!(net.node(0).member(&id(2)).unwrap().state, State::Suspect);
    net.run(10 * SECOND);
    let downs = net.events.iter().flatten();
    assert!(
        downs
            .clone()
            .all(|(_, event)| !matches!(event, Event::MemberDown { .. }))
    );
    assert_eq!(net.sizes(), [5; 6]);
    assert!(net.node(2).incarnation() > 1);
}

#[test]
fn an_incarnation_that_leaves_none_above_it_is_not_believed() {
    let mut net = Net::joined(6, &Config::default());
    let mut buf = [0; 256];
    for incarnation in [u64::MAX, u64::MAX / 2, 1 << 60] {
        let mut forged = Packer::ping(&mut buf, 1, id(1)).unwrap();
        for node in [id(2), id(0)] {
            forged.push(&Update::Dead { node, incarnation }).unwrap();
            forged.push(&Update::Suspect { node, incarnation }).unwrap();
            let alive = Update::Alive {
                node,
                addr: addr(2),
                incarnation,
            };
            forged.push(&alive).unwrap();
        }
        let len = forged.finish();
        net.deliver(1, 0, &buf[..len]);
    }
    net.run(30 * SECOND);
    assert_eq!(net.sizes(), [5; 6]);
    for node in net.nodes.iter().flatten() {
        assert!(node.incarnation() < 1 << 61, "{}", node.incarnation());
    }
    assert!(net.node(0).stats().impossible > 0);
}

#[test]
fn a_node_of_another_cluster_stays_out() {
    let mut net = Net::joined(3, &Config::default());
    let other = Config {
        cluster: 0x1234_5678_9abc_def1,
        ..Config::default()
    };
    let n = net.add(&other);
    net.join(n, 0);
    net.run(30 * SECOND);
    assert_eq!(net.sizes(), [2, 2, 2, 0]);
    assert!(net.node(0).stats().wrong_cluster > 3);
    let mut buf = [0; 64];
    let foreign = Header {
        cluster: 9,
        sender: Handle::of(&id(1)),
    };
    let len = compact::Packer::ping(&mut buf, &foreign, 1, 1)
        .unwrap()
        .finish();
    assert_eq!(answers(&mut net, 0, 1, &buf[..len]), 0);
}

#[test]
fn addresses_that_are_no_node_s_are_refused() {
    let mut net = Net::joined(3, &Config::default());
    let mut buf = [0; 1_400];
    for (n, wrong) in [
        "0.0.0.0:1",
        "255.255.255.255:7",
        "224.0.0.1:7",
        "[::]:7",
        "10.0.0.9:0",
    ]
    .into_iter()
    .enumerate()
    {
        let mut forged = Packer::ping(&mut buf, 1, id(1)).unwrap();
        let alive = Update::Alive {
            node: id(100 + n),
            addr: wrong.parse().unwrap(),
            incarnation: 1,
        };
        forged.push(&alive).unwrap();
        let len = forged.finish();
        net.deliver(1, 0, &buf[..len]);
    }
    assert_eq!(net.node(0).stats().impossible, 5);
    assert_eq!(net.node(0).len(), 2);
}

#[test]
fn there_are_never_more_members_than_allowed() {
    let config = Config {
        max_members: 50,
        ..Config::default()
    };
    let mut net = Net::joined(3, &config);
    let mut buf = [0; 1_400];
    for n in 0..500 {
        let mut forged = Packer::ping(&mut buf, 1, id(1)).unwrap();
        let alive = Update::Alive {
            node: id(1_000 + n),
            addr: addr(1_000 + n),
            incarnation: 1,
        };
        forged.push(&alive).unwrap();
        let len = forged.finish();
        net.deliver(1, 0, &buf[..len]);
    }
    assert!(net.node(0).len() <= 49);
    assert!(net.node(0).stats().refused >= 450);
    net.run(5 * MINUTE);
    let late = net.add(&config);
    net.join(late, 0);
    net.run(10 * SECOND);
    let up = Event::MemberUp {
        id: id(late),
        addr: addr(late),
    };
    assert!(
        net.events[0].iter().any(|(_, event)| *event == up),
        "the dead make room"
    );
}

#[test]
fn somebody_with_the_same_id_is_told_of() {
    let mut net = Net::joined(4, &Config::default());
    let mut buf = [0; 1_400];
    let mut forged = Packer::ping(&mut buf, 1, id(1)).unwrap();
    let alive = Update::Alive {
        node: id(0),
        addr: addr(9),
        incarnation: 5,
    };
    forged.push(&alive).unwrap();
    let len = forged.finish();
    for _ in 0..20 {
        net.deliver(1, 0, &buf[..len]);
    }
    let conflicts: Vec<Event> = net.events[0]
        .iter()
        .map(|(_, event)| *event)
        .filter(|event| matches!(event, Event::Conflict { .. }))
        .collect();
    assert_eq!(conflicts, [Event::Conflict { addr: addr(9) }]);
    assert!(net.node(0).incarnation() > 5);
}

#[test]
fn an_update_of_a_later_version_loses_only_what_follows_it() {
    let mut net = Net::joined(4, &Config::default());
    let mut buf = [0; 1_400];
    let mut ping = Packer::ping(&mut buf, 77, id(1)).unwrap();
    let alive = Update::Alive {
        node: id(50),
        addr: addr(50),
        incarnation: 1,
    };
    ping.push(&alive).unwrap();
    ping.push(&Update::Left { node: id(2) }).unwrap();
    let len = ping.finish();
    buf[len - 17] = 99;
    let sent = answers(&mut net, 0, 1, &buf[..len]);
    assert!(sent > 0, "it is answered");
    assert!(net.node(0).member(&id(50)).is_some());
    assert_eq!(net.node(0).member(&id(2)).unwrap().state, State::Alive);
    assert_eq!(net.node(0).stats().partly_malformed, 1);
}

#[test]
fn slots_that_do_not_fit_a_datagram_are_not_kept() {
    let mut net = Net::joined(3, &Config::default());
    let ranges: Vec<SlotRange> = (0..1_000)
        .map(|n| SlotRange::new(n * 4, n * 4 + 1).unwrap())
        .collect();
    let now = net.now;
    assert!(net.node(0).set_slots(now, &ranges).is_err());
    let announce = shiome_gossip::SlotsAnnounce {
        sender: id(1),
        incarnation: 5,
        slots: ranges.as_slice().into(),
    };
    let mut buf = [0; 8_000];
    let len = announce.encode(&mut buf).unwrap();
    net.deliver(1, 0, &buf[..len]);
    assert!(net.node(0).member(&id(1)).unwrap().slots.is_empty());
    assert_eq!(net.node(0).stats().refused, 1);
    net.run(MINUTE);
    assert_eq!(net.sizes(), [2; 3]);
}

/// Some datagram that a member might have sent.
fn datagram() -> impl Strategy<Value = Vec<u8>> {
    let node = || (0..9_usize).prop_map(id);
    let incarnation = || prop_oneof![0..4_u64, any::<u64>()];
    let update = (0..5_u8, node(), incarnation(), 0..9_usize);
    let classic = (
        0..3_u8,
        0..9_usize,
        any::<u64>(),
        prop::collection::vec(update, 0..6),
    );
    let well_formed = classic.prop_map(|(kind, sender, seq, updates)| {
        let mut buf = [0; 1_400];
        let len = if kind == 0 {
            let mut ping = Packer::ping(&mut buf, seq, id(sender)).unwrap();
            for (kind, node, incarnation, at) in updates {
                let update = match kind {
                    0 => Update::Alive {
                        node,
                        addr: addr(at),
                        incarnation,
                    },
                    1 => Update::Suspect { node, incarnation },
                    2 => Update::Dead { node, incarnation },
                    _ => Update::Left { node },
                };
                ping.push(&update).unwrap();
            }
            ping.finish()
        } else {
            let mut gossip = if kind == 1 {
                compact::Packer::ping(&mut buf, &header(sender), seq as u32, seq).unwrap()
            } else {
                compact::Packer::records(&mut buf, &header(sender)).unwrap()
            };
            for (kind, node, incarnation, at) in updates {
                let handle = Handle::of(&node);
                let update = match kind {
                    0 => compact::Update::Alive {
                        node: handle,
                        incarnation,
                    },
                    1 => compact::Update::Suspect {
                        node: handle,
                        incarnation,
                        from: Handle::of(&id(at)),
                    },
                    2 => compact::Update::Dead {
                        node: handle,
                        incarnation,
                    },
                    3 => compact::Update::Left {
                        node: handle,
                        incarnation,
                    },
                    _ => compact::Update::Member(member(node, at, incarnation)),
                };
                gossip.push(&update).unwrap();
            }
            gossip.finish()
        };
        buf[..len].to_vec()
    });
    prop_oneof![3 => well_formed, 1 => prop::collection::vec(any::<u8>(), 0..200)]
}

pub(super) fn member(id: NodeId, at: usize, incarnation: u64) -> compact::Member<'static> {
    compact::Member {
        id,
        addr: addr(at),
        incarnation,
        state: [
            compact::State::Alive,
            compact::State::Suspect,
            compact::State::Dead,
        ][at % 3],
        is_primary: at.is_multiple_of(2),
        compact: true,
        meta: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_arrives_the_books_agree(
        datagrams in prop::collection::vec((0..9_usize, datagram(), 0..2_000_u64), 0..60),
    ) {
        let mut net = Net::new(4, &Config::default());
        net.join(1, 0);
        net.join(2, 0);
        let mut highest = 0;
        for (from, bytes, wait) in datagrams {
            net.deliver(from, 0, &bytes);
            net.run(Duration::from_millis(wait));
            let node = net.node(0);
            prop_assert!(node.incarnation() >= highest, "an incarnation only grows");
            highest = node.incarnation();
            prop_assert_eq!(node.members().count(), node.len());
            prop_assert!(node.members().all(|member| member.state.is_up()));
            let suspects = node.members().filter(|member| member.state == State::Suspect).count();
            prop_assert!(suspects <= node.suspects());
            prop_assert_eq!(node.digest(), node.fingerprint_of_all());
        }
    }
}

#[test]
fn extension_fields_are_those_of_the_codec() {
    // What a Join tells stands behind it, and the rest is filled up.
    let mut net = Net::new(1, &Config::default());
    let now = net.now;
    net.node(0).join(now, &[addr(5)]);
    net.node(0).handle_timeout(now);
    let mut buf = [7; 1_400];
    let transmit = net.node(0).poll_transmit(&mut buf).unwrap();
    assert_eq!((transmit.to, transmit.len), (addr(5), 1_400));
    let decoded = shiome_gossip::Datagram::decode(&buf).unwrap();
    let fields: Vec<Field> = decoded
        .extension()
        .unwrap()
        .unwrap()
        .iter()
        .map(Result::unwrap)
        .collect();
    assert!(fields.contains(&Field::ClusterId(0)));
    assert!(fields.contains(&Field::Incarnation(1)));
    assert!(buf[100..].iter().all(|byte| *byte == 0));
}
