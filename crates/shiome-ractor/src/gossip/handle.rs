use std::sync::{Arc, Mutex};

use shiome_membership::Membership;
use tokio::{
    sync::Notify,
    task::{JoinHandle, JoinSet},
};

use super::{
    Gossip, Member, Roster,
    driver::{Driver, lock},
    member::node_address,
};
use crate::Node;

/// Membership of a running node.
#[derive(Debug)]
pub(crate) struct Handle {
    membership: Arc<Membership>,
    roster: Arc<Mutex<Roster>>,
    offset: i32,
    stop: Arc<Notify>,
    driver: JoinHandle<()>,
}

impl Handle {
    /// Keeps a session with each member, as long as the node server runs. When it has ended, the node leaves.
    pub(crate) fn start(membership: Membership, gossip: &Gossip, node: &Node) -> Self {
        let membership = Arc::new(membership);
        let offset = gossip.port_offset;
        let own = node_address(membership.advertised_addr(), offset);
        let verdict_age = gossip.verdict_age();
        let roster = Roster::new(membership.id(), own, verdict_age, rand::random());
        let roster = Arc::new(Mutex::new(roster));
        let stop = Arc::new(Notify::new());
        let driver = Driver {
            members: membership.events(),
            membership: Arc::clone(&membership),
            roster: Arc::clone(&roster),
            offset,
            connector: node.connector.clone(),
            events: node.events.upgrade(),
            tasks: JoinSet::new(),
            stop: Arc::clone(&stop),
        };
        Self {
            membership,
            roster,
            offset,
            stop,
            driver: tokio::spawn(driver.run()),
        }
    }

    pub(crate) fn membership(&self) -> &Membership {
        &self.membership
    }

    /// What knows the members, and how their ports differ from those of gossip.
    pub(crate) fn parts(&self) -> (&Arc<Membership>, &Arc<Mutex<Roster>>, i32) {
        (&self.membership, &self.roster, self.offset)
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        let members = self.membership.members();
        let roster = lock(&self.roster);
        let members = members.into_iter().map(|info| Member {
            id: info.id,
            address: node_address(info.addr, self.offset),
            name: roster.name(info.id),
            state: info.state,
        });
        let mut members: Vec<_> = members.collect();
        members.sort_by_key(|member| member.address);
        members
    }

    /// Dials nobody any more.
    pub(crate) fn quiesce(&self) {
        self.stop.notify_one();
    }

    /// Waits until the node has left, which is when its server has ended.
    pub(crate) async fn ended(self) {
        let _ = self.driver.await;
    }
}
