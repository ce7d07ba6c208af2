//! Members, and how gossip is.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, Weak},
};

use super::{GossipView, Inspector, MemberView, event::gossip::Suspicions};
use crate::{
    gossip::{Handle, Roster, node_address, roster},
    membership::{Membership, State, Stats},
};

/// Gossip of a node, which does not go on for whoever looks at it.
#[derive(Clone)]
pub(super) struct Gossiping {
    membership: Weak<Membership>,
    roster: Arc<Mutex<Roster>>,
    offset: i32,
}

impl Gossiping {
    pub(super) fn of(handle: &Handle) -> Self {
        let (membership, roster, offset) = handle.parts();
        Self {
            membership: Arc::downgrade(membership),
            roster: Arc::clone(roster),
            offset,
        }
    }

    pub(super) fn suspicions(&self) -> Option<Suspicions> {
        Some(Suspicions {
            events: self.membership.upgrade()?.events(),
            roster: Arc::clone(&self.roster),
            offset: self.offset,
        })
    }
}

impl Inspector {
    pub(super) fn gossiping_members(&self) -> Vec<MemberView> {
        let gossiping = self.gossip.as_ref();
        let membership = gossiping.and_then(|gossip| gossip.membership.upgrade());
        let Some((gossip, membership)) = gossiping.zip(membership) else {
            return Vec::new();
        };
        let sessions = self.connector.registry.authenticated();
        let linked: HashMap<_, _> = (sessions.iter())
            .map(|record| (record.peer(), record.node_id))
            .collect();
        let infos = membership.members();
        let roster = roster(&gossip.roster);
        let members = infos.into_iter().map(|info| {
            let name = roster.name(info.id);
            (
                node_address(info.addr, gossip.offset),
                MemberView {
                    id: info.id.to_string(),
                    address: node_address(info.addr, gossip.offset).to_string(),
                    node_id: name.as_deref().and_then(|name| linked.get(name)).copied(),
                    name,
                    state: word(info.state).to_owned(),
                    incarnation: info.incarnation,
                    own: false,
                    compact: info.speaks_compact,
                },
            )
        });
        let own_address = node_address(membership.advertised_addr(), gossip.offset);
        let own = MemberView {
            id: membership.id().to_string(),
            address: own_address.to_string(),
            name: Some(self.name().to_owned()),
            state: word(State::Alive).to_owned(),
            incarnation: membership.incarnation(),
            own: true,
            compact: true,
            node_id: None,
        };
        let mut members: Vec<_> = members.chain([(own_address, own)]).collect();
        members.sort_by_key(|(address, _)| *address);
        members.into_iter().map(|(_, member)| member).collect()
    }

    pub(super) fn gossip_view(&self) -> Option<GossipView> {
        let membership = self.gossip.as_ref()?.membership.upgrade()?;
        let stats = membership.stats();
        Some(GossipView {
            cluster: membership.cluster().to_owned(),
            id: membership.id().to_string(),
            incarnation: membership.incarnation(),
            address: membership.advertised_addr().to_string(),
            encrypted: membership.keyring().is_some(),
            members: stats.members,
            suspects: stats.suspects,
            backlog: stats.backlog,
            local_health: stats.local_health,
            counts: counts(&stats),
        })
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Alive => "alive",
        State::Suspect => "suspect",
        State::Dead => "dead",
        State::Left => "left",
    }
}

/// What a reader of gossip's health asks for first; all of it is in the metrics.
fn counts(stats: &Stats) -> BTreeMap<String, u64> {
    let (engine, driver) = (&stats.engine, &stats.driver);
    let rejected = [
        driver.rejected_truncated,
        driver.rejected_oversized,
        driver.rejected_plaintext,
        driver.rejected_encrypted,
        driver.rejected_unknown_version,
        driver.rejected_wrong_cluster,
        driver.rejected_unknown_key,
        driver.rejected_forged,
        driver.rejected_replayed,
        driver.rejected_old_epoch,
        driver.rejected_not_fresh,
        driver.rejected_reflected,
    ];
    let counts = [
        ("sent", driver.sent),
        ("sent_bytes", driver.sent_bytes),
        ("received", driver.received),
        ("received_bytes", driver.received_bytes),
        ("rejected", rejected.iter().sum()),
        ("malformed", engine.malformed),
        ("network_errors", driver.network_errors),
        ("probes", engine.probes),
        ("probes_failed", engine.probes_failed),
        ("probes_indirect", engine.probes_indirect),
        ("suspicions", engine.suspicions),
        ("deaths", engine.deaths),
        ("refutations", engine.refutations),
        ("syncs", engine.syncs),
        ("stalls", engine.stalls),
    ];
    counts
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}
