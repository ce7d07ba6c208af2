//! Fills a table through the front door: with what a seed answers to a node that joins.

use std::time::Instant;

use shiome_gossip::{
    NodeId, Packer as WelcomePacker,
    compact::{Handle, Header, Member, Packer, State, Update},
};
use shiome_swim::Swim;

use super::{addr, id, node_at};
use crate::pool::MAX_DATAGRAM_LEN;

/// Makes a new node a member of the cluster of `members`.
pub(super) fn fill(swim: &mut Swim, now: Instant, members: &[u32], compact: bool) {
    let me = node_at(swim.addr());
    let Some(&seed) = members.iter().find(|member| **member != me) else {
        return;
    };
    let mut buf = [0; MAX_DATAGRAM_LEN];
    swim.join(now, &[addr(seed)]);
    swim.handle_timeout(now);
    // The question, which the following answers.
    while swim.poll_transmit(&mut buf).is_some() {}

    let welcome = WelcomePacker::welcome(&mut buf, id(seed)).expect("there is room for it");
    let len = welcome.finish();
    swim.handle_datagram(now, addr(seed), &buf[..len]);
    let mut others = members.iter().copied().filter(|member| *member != me);
    let mut next = others.next();
    while next.is_some() {
        let header = Header {
            cluster: 0,
            sender: Handle::of(&id(seed)),
        };
        let mut records = Packer::records(&mut buf, &header).expect("there is room for it");
        while let Some(member) = next {
            if records.push(&record(id(member), member, compact)).is_err() {
                break;
            }
            next = others.next();
        }
        let len = records.finish();
        swim.handle_datagram(now, addr(seed), &buf[..len]);
    }
}

fn record(id: NodeId, member: u32, compact: bool) -> Update<'static> {
    Update::Member(Member {
        id,
        addr: addr(member),
        incarnation: 1,
        state: State::Alive,
        is_primary: true,
        compact,
        meta: None,
    })
}
