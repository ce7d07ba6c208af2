//! Any datagrams at any times, in between commands: the books of a membership engine agree, and it stays bounded.
#![no_main]

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use libfuzzer_sys::fuzz_target;
use shiome_gossip::{
    NodeId,
    compact::{Handle, Header, Packer, Update},
};
use shiome_swim::{Config, Event, Identity, Swim};

const MAX_MEMBERS: usize = 32;

/// Longer ones find nothing that shorter ones do not, in more time.
const MAX_SCRIPT: usize = 600;

fuzz_target!(|script: &[u8]| {
    let mut config = Config::default();
    config.max_members = MAX_MEMBERS;
    config.compact = script.len() % 4 != 0;
    config.tombstone_ttl = Duration::from_secs(60);
    let me = Identity {
        id: id(0),
        addr: addr(0),
        incarnation: 1,
    };
    let mut now = Instant::now();
    let mut swim = Swim::new(now, me, config, [7; 32]).expect("the config is valid");
    swim.join(now, &[addr(1)]);
    let mut up = HashMap::new();
    let mut incarnation = 1;
    let mut script = &script[..script.len().min(MAX_SCRIPT)];
    while let Some((op, rest)) = script.split_first() {
        script = rest;
        match op % 8 {
            // A datagram of the script.
            0..=3 => {
                let len = usize::from(op >> 3) * 4;
                let (datagram, rest) = script.split_at(len.min(script.len()));
                script = rest;
                swim.handle_datagram(now, addr(usize::from(op % 4)), datagram);
            }
            // News of a member that is well formed.
            4 => {
                let (news, rest) = script.split_at(3.min(script.len()));
                script = rest;
                if let [node, kind, claimed] = *news {
                    let mut buf = [0; 64];
                    let len = well_formed(&mut buf, op >> 3, node, kind, claimed);
                    swim.handle_datagram(now, addr(usize::from(op >> 3)), &buf[..len]);
                }
            }
            5 => now += Duration::from_millis(u64::from(op >> 3) * 37),
            6 => now += Duration::from_secs(u64::from(op >> 3)),
            _ => match op >> 3 {
                0 => swim.leave(now),
                1 => swim.set_role(now, false, Some(id(3))),
                2 => swim.join(now, &[addr(2), addr(3)]),
                3 => swim.request_vote(now, 1, 2),
                4 => swim.grant_vote(now, id(2), 1),
                n => swim.handle_reliable_ack(now, n.into()),
            },
        }
        let mut turns = 0;
        while swim.poll_timeout().is_some_and(|at| at <= now) {
            swim.handle_timeout(now);
            turns += 1;
            assert!(turns < 100, "what is due gets done");
        }
        let mut buf = [0; 1_400];
        let mut sent = 0;
        while let Some(transmit) = swim.poll_transmit(&mut buf) {
            assert!(transmit.len <= buf.len());
            sent += 1;
            assert!(sent < 10_000, "what one step sends is bounded");
        }
        while let Some(event) = swim.poll_event() {
            match event {
                Event::MemberUp { id, .. } => assert_eq!(up.insert(id, ()), None),
                Event::MemberDown { id, .. } => assert_eq!(up.remove(&id), Some(())),
                Event::Incarnation { incarnation: told } => assert!(told > incarnation),
                _ => {}
            }
        }
        assert!(swim.incarnation() >= incarnation);
        incarnation = swim.incarnation();
        assert_eq!(swim.members().count(), swim.len());
        assert!(swim.members().all(|member| up.contains_key(&member.id)));
        assert_eq!(up.len(), swim.len());
        assert!(swim.len() < MAX_MEMBERS);
    }
});

fn well_formed(buf: &mut [u8], from: u8, node: u8, kind: u8, claimed: u8) -> usize {
    let header = Header {
        cluster: 0,
        sender: Handle::of(&id(from.into())),
    };
    let (node, incarnation) = (Handle::of(&id(node.into())), u64::from(claimed));
    let update = match kind % 4 {
        0 => Update::Alive { node, incarnation },
        1 => Update::Suspect {
            node,
            incarnation,
            from: header.sender,
        },
        2 => Update::Dead { node, incarnation },
        _ => Update::Left { node, incarnation },
    };
    let packer = if kind & 4 == 0 {
        Packer::gossip(buf, &header)
    } else {
        Packer::records(buf, &header)
    };
    let mut packer = packer.expect("there is room");
    packer.push(&update).expect("there is room");
    packer.finish()
}

fn id(n: usize) -> NodeId {
    NodeId::from([n as u8; 16])
}

fn addr(n: usize) -> SocketAddr {
    (Ipv4Addr::new(10, 0, 0, n as u8 + 1), 7_946).into()
}
