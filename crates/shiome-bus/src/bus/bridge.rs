//! Peers behind links of one kind, told to the links of all others.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Weak,
    time::Duration,
};

use tokio::{sync::watch, time::sleep};

use super::{Core, LinkId, routes::Routes};
use crate::{Incarnation, Link, LinkKind, PeerId};

/// How long changes are gathered before they are told.
const TELL_DELAY: Duration = Duration::from_millis(10);

type Peers = BTreeMap<PeerId, Incarnation>;

/// Tells, until the bus is gone.
pub(super) async fn run(core: Weak<Core>, mut changed: watch::Receiver<()>) {
    let mut bridge = Bridge::default();
    loop {
        changed.borrow_and_update();
        match core.upgrade() {
            Some(core) => bridge.tell(&core),
            None => return,
        }
        if changed.changed().await.is_err() {
            return;
        }
        sleep(TELL_DELAY).await;
    }
}

/// What was told.
#[derive(Default)]
struct Bridge {
    links: HashMap<LinkId, Peers>,
    /// What the links of a kind were told last: those of a server share it, and one that comes later ends what it left.
    kinds: HashMap<LinkKind, Peers>,
}

impl Bridge {
    fn tell(&mut self, core: &Core) {
        let behind = core.routes(Routes::told);
        let links = core.links();
        let mut told = HashMap::new();
        let mut wanted = HashMap::new();
        for (id, link) in &links {
            let kind = link.kind();
            let wanted = wanted.entry(kind).or_insert_with(|| others(&behind, kind));
            let before = match self.links.remove(id) {
                Some(before) => before,
                None => self.first(&**link, kind, wanted),
            };
            tell(&**link, &before, wanted);
            told.insert(*id, wanted.clone());
        }
        self.links = told;
        self.kinds.extend(wanted);
    }

    /// Ends what another of its kind left behind; what a new link knows then.
    fn first(&self, link: &dyn Link, kind: LinkKind, wanted: &Peers) -> Peers {
        for (peer, incarnation) in self.kinds.get(&kind).into_iter().flatten() {
            if wanted.get(peer) != Some(incarnation) {
                link.local_peer(peer, *incarnation, false);
            }
        }
        Peers::new()
    }
}

/// Peers behind links of other kinds.
fn others(behind: &[(PeerId, Incarnation, LinkKind)], kind: LinkKind) -> Peers {
    let others = behind.iter().filter(|(.., other)| *other != kind);
    others
        .map(|(peer, incarnation, _)| (peer.clone(), *incarnation))
        .collect()
}

fn tell(link: &dyn Link, before: &Peers, wanted: &Peers) {
    for (peer, incarnation) in before {
        if wanted.get(peer) != Some(incarnation) {
            link.local_peer(peer, *incarnation, false);
        }
    }
    for (peer, incarnation) in wanted {
        if before.get(peer) != Some(incarnation) {
            link.local_peer(peer, *incarnation, true);
        }
    }
}
