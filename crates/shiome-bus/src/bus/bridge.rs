//! Peers behind links of one kind, told to the links of all others.
//!
//! Work is in proportion to what changed: names whose ways changed are looked at, and who has heard of the rest is told what is new of
//! these. Only who comes is told all.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem,
    sync::{Arc, Weak},
    time::Duration,
};

use tokio::{sync::watch, task::yield_now, time::sleep};

use super::{Core, LinkId, routes::Routes};
use crate::{Audience, Incarnation, Link, LinkKind, PeerId};

/// How long changes are gathered before they are told, at least.
const TELL_DELAY: Duration = Duration::from_millis(10);

/// Rest after each step: some ten times what one takes, so that the bridge leaves the processor to others under any load.
const REST_PER_STEP: Duration = Duration::from_micros(10);

/// How long changes are gathered at most: who comes is to be known within a second or two.
const MAX_TELL_DELAY: Duration = Duration::from_secs(1);

/// Names that are looked at, and told, before other tasks have their turn.
const BURST: usize = 256;

/// Names that the links of a kind are told of. As many as one link may tell of: the other end would not take more.
const MAX_BRIDGED: usize = 65_536;

/// Tells, until the bus is gone.
pub(super) async fn run(core: Weak<Core>, mut changed: watch::Receiver<()>) {
    let mut bridge = Bridge::new(MAX_BRIDGED);
    loop {
        changed.borrow_and_update();
        let mut pace = Pace::default();
        match core.upgrade() {
            Some(core) => bridge.round(&core, &mut pace).await,
            None => return,
        }
        if changed.changed().await.is_err() {
            return;
        }
        sleep(pace.rest()).await;
    }
}

/// Who was told what.
struct Bridge {
    kinds: HashMap<LinkKind, Told>,
    links: HashSet<LinkId>,
    /// By address, which is that of nothing else while it stands here.
    audiences: HashMap<usize, Shared>,
    limit: usize,
}

/// What links of a kind are told.
#[derive(Default)]
struct Told {
    peers: BTreeMap<PeerId, Incarnation>,
    /// For want of room.
    left_out: BTreeSet<PeerId>,
}

/// What several links know together. It goes on knowing it when none of them is there.
struct Shared {
    kind: LinkKind,
    audience: Weak<dyn Audience>,
    is_new: bool,
}

/// A life of a name that is told of no longer, and one that is now.
struct Change {
    peer: PeerId,
    before: Option<Incarnation>,
    after: Option<Incarnation>,
}

/// Who is told.
struct Ear {
    kind: LinkKind,
    is_new: bool,
    to: To,
}

enum To {
    Link(Arc<dyn Link>),
    Audience(Arc<dyn Audience>),
}

impl Bridge {
    fn new(limit: usize) -> Self {
        Self {
            kinds: HashMap::new(),
            links: HashSet::new(),
            audiences: HashMap::new(),
            limit,
        }
    }

    async fn round(&mut self, core: &Core, pace: &mut Pace) {
        let changed = core.routes_mut(Routes::take_changed);
        let ears = self.ears(core);
        let known = self.kinds.len();
        for ear in &ears {
            self.kinds.entry(ear.kind).or_default();
        }
        let names = match changed {
            Some(names) if self.kinds.len() == known => names,
            _ => self.all(core),
        };
        let changes = self.look(core, &names, pace).await;
        for ear in &ears {
            if ear.is_new {
                let told = self.kinds.get(&ear.kind).into_iter();
                for (peer, incarnation) in told.flat_map(|told| &told.peers) {
                    ear.hear(peer, *incarnation, true);
                    pace.step().await;
                }
                continue;
            }
            for change in changes.get(&ear.kind).into_iter().flatten() {
                ear.hear_change(change);
                pace.step().await;
            }
        }
    }

    /// All that are to be told, and who of them is new.
    fn ears(&mut self, core: &Core) -> Vec<Ear> {
        let (mut ears, mut links) = (Vec::new(), HashSet::new());
        for (id, link) in core.links() {
            let kind = link.kind();
            if let Some(audience) = link.audience() {
                let address = Arc::as_ptr(&audience).cast::<()>().addr();
                self.audiences.entry(address).or_insert_with(|| Shared {
                    kind,
                    audience: Arc::downgrade(&audience),
                    is_new: true,
                });
                continue;
            }
            links.insert(id);
            ears.push(Ear {
                kind,
                is_new: !self.links.contains(&id),
                to: To::Link(link),
            });
        }
        self.links = links;
        self.audiences.retain(|_, shared| {
            let audience = shared.audience.upgrade();
            let is_there = audience.is_some();
            ears.extend(audience.map(|audience| Ear {
                kind: shared.kind,
                is_new: mem::take(&mut shared.is_new),
                to: To::Audience(audience),
            }));
            is_there
        });
        let kinds: HashSet<_> = ears.iter().map(|ear| ear.kind).collect();
        self.kinds.retain(|kind, _| kinds.contains(kind));
        ears
    }

    /// All names that are told of, or were.
    fn all(&self, core: &Core) -> HashSet<PeerId> {
        let mut names: HashSet<_> = core.routes(|routes| routes.told_names().cloned().collect());
        for told in self.kinds.values() {
            names.extend(told.peers.keys().cloned());
        }
        names
    }

    /// Finds out what is new of these names.
    async fn look(
        &mut self,
        core: &Core,
        names: &HashSet<PeerId>,
        pace: &mut Pace,
    ) -> HashMap<LinkKind, Vec<Change>> {
        let mut changes = HashMap::new();
        for (kind, told) in &mut self.kinds {
            let mut new = Vec::new();
            for name in names {
                new.extend(told.look(core, name, *kind, self.limit));
                pace.step().await;
            }
            while told.peers.len() < self.limit
                && let Some(name) = told.left_out.pop_first()
            {
                new.extend(told.look(core, &name, *kind, self.limit));
                pace.step().await;
            }
            changes.insert(*kind, new);
        }
        changes
    }
}

impl Told {
    /// What is new of a name, for links of that kind.
    fn look(&mut self, core: &Core, name: &PeerId, kind: LinkKind, limit: usize) -> Option<Change> {
        let before = self.peers.get(name).copied();
        // A peer of the bus goes before all others of its name. Its links know of it, but those that were told of another may have
        // taken that for the later life.
        let after = match core.local(name) {
            Some(node) => before.map(|_| node.incarnation),
            None => core.routes(|routes| routes.told_beyond(name, kind)),
        };
        match after {
            None => {
                self.left_out.remove(name);
                self.peers.remove(name);
            }
            Some(_) if before.is_none() && self.peers.len() >= limit => {
                self.left_out.insert(name.clone());
                return None;
            }
            Some(incarnation) => {
                self.left_out.remove(name);
                self.peers.insert(name.clone(), incarnation);
            }
        }
        (before != after).then(|| Change {
            peer: name.clone(),
            before,
            after,
        })
    }
}

impl Ear {
    fn hear_change(&self, change: &Change) {
        if let Some(before) = change.before {
            self.hear(&change.peer, before, false);
        }
        if let Some(after) = change.after {
            self.hear(&change.peer, after, true);
        }
    }

    fn hear(&self, peer: &PeerId, incarnation: Incarnation, present: bool) {
        match &self.to {
            To::Link(link) => link.local_peer(peer, incarnation, present),
            To::Audience(audience) => Arc::clone(audience).hear(peer, incarnation, present),
        }
    }
}

/// How much a round has done.
#[derive(Debug, Default)]
struct Pace(u32);

impl Pace {
    async fn step(&mut self) {
        self.0 = self.0.saturating_add(1);
        if (self.0 as usize).is_multiple_of(BURST) {
            yield_now().await;
        }
    }

    fn rest(&self) -> Duration {
        let rest = REST_PER_STEP.saturating_mul(self.0);
        MAX_TELL_DELAY.min(TELL_DELAY + rest)
    }
}

#[cfg(test)]
mod tests;
