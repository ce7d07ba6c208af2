//! Links, and who is reached over which.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{Line, LinkOptions, recent::Recent};
use crate::{BusError, Incarnation, Link, LinkKind, PeerId, Remote, hash::HashMap};

/// Return routes that are remembered: a gateway may stand for that many peers who never told of themselves.
const MAX_LEARNED: usize = 65_536;

/// Lives of peers that are known to be over.
const MAX_ENDED: usize = 4096;

/// Peers that one link may tell of.
const MAX_TOLD: usize = 65_536;

/// Names whose ways changed since the bridge looked. Beyond it looks at all.
const MAX_CHANGED: usize = 65_536;

/// Names a link of a bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub(super) u64);

/// A link and what is known of it.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) link: Arc<Line>,
    options: LinkOptions,
    /// The other end, while the link is up.
    pub(super) remote: Option<Remote>,
    /// Which time of being up of any link it is, or was.
    since: u64,
    told: usize,
    /// Whether who is there and not told of may be nevertheless.
    tells_of_some: bool,
}

/// A way to a peer that its link told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    link: LinkId,
    incarnation: Incarnation,
}

/// A peer that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Here {
    /// Which life of its name it is.
    pub(crate) life: Incarnation,
    /// Another number when the link to it broke meanwhile, and what was sent may be lost.
    pub(crate) since: u64,
}

/// Where envelopes for other processes go.
#[derive(Debug)]
pub(super) struct Routes {
    links: BTreeMap<LinkId, Attached>,
    told: HashMap<PeerId, Vec<Told>>,
    /// From whom something came over a gateway that had not told of it: the way back.
    learned: Recent<PeerId, LinkId>,
    /// The last life that a link told of and then said to be gone: what it sent may come later than that.
    ended: Recent<(LinkId, PeerId), Incarnation>,
    next_id: u64,
    /// How often a link was up.
    ups: u64,
    /// For the bridge, if there is one.
    changed: Option<Changed>,
}

/// Names whose ways changed.
#[derive(Debug, Default)]
struct Changed {
    names: HashSet<PeerId>,
    /// So many that they are not counted.
    all: bool,
}

/// What is known of the way to a peer.
#[derive(Debug)]
pub(super) enum Way {
    Over(LinkId, Arc<Line>),
    /// There is one, and it is down.
    Down,
    Unknown,
}

impl Default for Routes {
    fn default() -> Self {
        Self {
            links: BTreeMap::new(),
            told: HashMap::default(),
            learned: Recent::new(MAX_LEARNED),
            ended: Recent::new(MAX_ENDED),
            next_id: 0,
            ups: 0,
            changed: None,
        }
    }
}

impl Routes {
    pub(super) fn attach(&mut self, link: Arc<dyn Link>, options: LinkOptions) -> LinkId {
        let id = LinkId(self.next_id);
        self.next_id += 1;
        let attached = Attached {
            link: Arc::new(Line::new(link)),
            options,
            remote: None,
            since: 0,
            told: 0,
            tells_of_some: false,
        };
        self.links.insert(id, attached);
        id
    }

    pub(super) fn detach(&mut self, id: LinkId) -> Option<Arc<Line>> {
        self.forget_told(id);
        self.forget_learned(id);
        self.ended.retain(|(link, _), _| *link != id);
        Some(self.links.remove(&id)?.link)
    }

    pub(super) fn links(&self) -> impl Iterator<Item = (LinkId, &Attached)> {
        self.links.iter().map(|(id, attached)| (*id, attached))
    }

    pub(super) fn link(&self, id: LinkId) -> Option<&Attached> {
        self.links.get(&id)
    }

    pub(super) fn up(&mut self, id: LinkId, remote: Remote) {
        if let Some(attached) = self.links.get_mut(&id) {
            attached.remote = Some(remote);
            self.ups += 1;
            attached.since = self.ups;
        }
    }

    /// The link is down. Who told of itself is still known to be behind it; return routes end with it.
    pub(super) fn down(&mut self, id: LinkId) {
        if let Some(attached) = self.links.get_mut(&id) {
            attached.remote = None;
        }
        self.forget_learned(id);
    }

    /// The link is down, and who was behind it is reached over others, if at all.
    pub(super) fn diverted(&mut self, id: LinkId) {
        self.down(id);
        self.forget_told(id);
        if let Some(attached) = self.links.get_mut(&id) {
            attached.told = 0;
        }
    }

    pub(super) fn peer_up(
        &mut self,
        id: LinkId,
        peer: &PeerId,
        incarnation: Incarnation,
        bridged: bool,
    ) -> Result<(), BusError> {
        // What a link says last of its own side holds, however its clocks go; of two links the later life does. Who comes over a
        // bridge does not take the place of who is there: nobody at its other end has the secret of that name.
        let ways = self.told.get(peer).map_or(&[][..], Vec::as_slice);
        let kind = |id: LinkId| Some(self.links.get(&id)?.link.kind());
        let later = |way: &Told| {
            way.link != id
                && (way.incarnation > incarnation || bridged && kind(way.link) != kind(id))
        };
        if ways.iter().any(later) {
            self.forget(peer, |way| way.link == id);
            return Err(BusError::NameTaken(peer.clone()));
        }
        let Some(attached) = self.links.get_mut(&id) else {
            return Err(BusError::Closed(peer.clone()));
        };
        let before = ways.iter().find(|way| way.link == id).copied();
        let known = before.is_some();
        if !known && attached.told >= MAX_TOLD {
            return Err(BusError::QueueFull(peer.clone()));
        }
        attached.told += usize::from(!known);
        let ways = self.told.entry(peer.clone()).or_default();
        let (stale, mut kept): (Vec<_>, Vec<_>) = ways
            .drain(..)
            .filter(|way| way.link != id)
            .partition(|way| way.incarnation < incarnation);
        kept.push(Told {
            link: id,
            incarnation,
        });
        *ways = kept;
        for way in stale {
            self.told_less(way.link);
        }
        self.learned.remove(peer);
        self.ended.remove(&(id, peer.clone()));
        if let Some(before) = before.filter(|before| before.incarnation != incarnation) {
            self.end(id, peer, before.incarnation);
        }
        self.touch(peer);
        Ok(())
    }

    fn end(&mut self, id: LinkId, peer: &PeerId, incarnation: Incarnation) {
        self.ended.insert((id, peer.clone()), incarnation);
    }

    /// Whether the link says that life to be over. One that does not tell of all does not tell either when it is back.
    fn has_ended(&self, id: LinkId, peer: &PeerId, life: Incarnation) -> bool {
        let tells_of_all = self.link(id).is_some_and(|link| !link.tells_of_some);
        let ended = self.ended.get(&(id, peer.clone()));
        tells_of_all && ended.is_some_and(|ended| *ended >= life)
    }

    /// Whether that life of a peer is over, as far as is told: what comes of it was said before.
    pub(super) fn is_over(&self, peer: &PeerId, life: Incarnation) -> bool {
        match self.here(peer).map(|here| here.life) {
            Some(here) if here == life => false,
            Some(here) if here > life => true,
            _ if !self.reaches(peer) => true,
            _ => self.links_of(peer).any(|id| self.has_ended(id, peer, life)),
        }
    }

    /// Whether the link tells of all who are at its other end.
    pub(super) fn tells_of_all(&mut self, id: LinkId, all: bool) {
        if let Some(attached) = self.links.get_mut(&id) {
            attached.tells_of_some = !all;
        }
    }

    pub(super) fn peer_down(
        &mut self,
        id: LinkId,
        peer: &PeerId,
        incarnation: Incarnation,
    ) -> bool {
        let gone = self.forget_life(id, peer, incarnation);
        if gone {
            self.end(id, peer, incarnation);
        }
        gone
    }

    fn forget_life(&mut self, id: LinkId, peer: &PeerId, incarnation: Incarnation) -> bool {
        self.forget(peer, |way| way.link == id && way.incarnation == incarnation)
    }

    /// The link tells of that life no longer: what is left is the way back.
    pub(super) fn untold(&mut self, id: LinkId, peer: &PeerId, incarnation: Incarnation) {
        if self.forget_life(id, peer, incarnation) {
            self.learn(peer, incarnation, id);
        }
    }

    fn forget(&mut self, peer: &PeerId, gone: impl Fn(&Told) -> bool) -> bool {
        let Some(ways) = self.told.get_mut(peer) else {
            return false;
        };
        let forgotten: Vec<_> = ways.extract_if(.., |way| gone(way)).collect();
        if ways.is_empty() {
            self.told.remove(peer);
        }
        forgotten.iter().for_each(|way| self.told_less(way.link));
        if !forgotten.is_empty() {
            self.touch(peer);
        }
        !forgotten.is_empty()
    }

    fn told_less(&mut self, id: LinkId) {
        if let Some(attached) = self.links.get_mut(&id) {
            attached.told -= 1;
        }
    }

    fn forget_told(&mut self, id: LinkId) {
        let mut changed = Vec::new();
        self.told.retain(|peer, ways| {
            let before = ways.len();
            ways.retain(|way| way.link != id);
            if ways.len() < before {
                changed.push(peer.clone());
            }
            !ways.is_empty()
        });
        changed.iter().for_each(|peer| self.touch(peer));
    }

    /// From now on it is known which names changed: at first, all.
    pub(super) fn watch(&mut self) {
        self.changed = Some(Changed {
            all: true,
            ..Changed::default()
        });
    }

    /// The ways to a peer changed, or it came or went on this bus itself.
    pub(super) fn touch(&mut self, peer: &PeerId) {
        let Some(changed) = &mut self.changed else {
            return;
        };
        changed.all |= changed.names.len() >= MAX_CHANGED;
        if changed.all {
            changed.names.clear();
        } else {
            changed.names.insert(peer.clone());
        }
    }

    /// Names that changed since the last time, or `None`: any may have.
    pub(super) fn take_changed(&mut self) -> Option<HashSet<PeerId>> {
        let changed = std::mem::take(self.changed.as_mut()?);
        (!changed.all).then_some(changed.names)
    }

    fn forget_learned(&mut self, id: LinkId) {
        self.learned.retain(|_, link| *link != id);
    }

    /// Something of that life of `peer` came over a link that is up. A peer that some link told of is not learned, and no life that is
    /// over. Whether it is news.
    pub(super) fn learn(&mut self, peer: &PeerId, life: Incarnation, id: LinkId) -> bool {
        let news = !self.knows(peer, id) && self.is_up(id) && !self.has_ended(id, peer, life);
        if news {
            self.learned.insert(peer.clone(), id);
        }
        news
    }

    /// Whether [`learn`](Self::learn) would change nothing.
    pub(super) fn knows(&self, peer: &PeerId, id: LinkId) -> bool {
        self.learned.get(peer) == Some(&id) || self.told.contains_key(peer)
    }

    pub(super) fn is_direct(&self, id: LinkId) -> bool {
        self.link(id).is_some_and(|link| link.options.direct)
    }

    /// The way to `peer` of what `from` sends, not back over `not`.
    pub(super) fn way(&self, from: &PeerId, peer: &PeerId, not: Option<LinkId>) -> Way {
        if let Some((id, attached)) = self.only_way(peer)
            && Some(id) != not
            && attached.remote.is_some()
            && attached.options.serves(from)
        {
            return Way::Over(id, Arc::clone(&attached.link));
        }
        let known = self.best(from, self.links_of(peer), not);
        let uplink = |(id, attached): (LinkId, &Attached)| attached.options.uplink.then_some(id);
        match known {
            Way::Over(..) => known,
            Way::Down | Way::Unknown => {
                match self.best(from, self.links().filter_map(uplink), not) {
                    Way::Unknown => known,
                    uplink => uplink,
                }
            }
        }
    }

    /// The way to `peer` of what goes over a link, when that is down.
    pub(super) fn detour(&self, id: LinkId, peer: &PeerId) -> Way {
        let owner = self.link(id).and_then(|link| link.options.owner.as_ref());
        // Links that only others may use are no way round.
        self.way(owner.unwrap_or(peer), peer, Some(id))
    }

    /// The link that told of a peer, if it is the only one that is known to lead there.
    fn only_way(&self, peer: &PeerId) -> Option<(LinkId, &Attached)> {
        let [told] = self.told.get(peer)?.as_slice() else {
            return None;
        };
        let attached = self.links.get(&told.link)?;
        (!self.learned.contains(peer)).then_some((told.link, attached))
    }

    /// The cheapest of the links that is up and takes what `from` sends.
    fn best(&self, from: &PeerId, links: impl Iterator<Item = LinkId>, not: Option<LinkId>) -> Way {
        let (mut best, mut any) = (None::<(LinkId, &Attached)>, false);
        for id in links.filter(|id| Some(*id) != not) {
            let Some(attached) = self.links.get(&id) else {
                continue;
            };
            if !attached.options.serves(from) {
                continue;
            }
            any = true;
            let rank = (attached.options.rank(), id);
            if attached.remote.is_some() && best.is_none_or(|(id, a)| rank < (a.options.rank(), id))
            {
                best = Some((id, attached));
            }
        }
        match best {
            Some((id, attached)) => Way::Over(id, Arc::clone(&attached.link)),
            None if any => Way::Down,
            None => Way::Unknown,
        }
    }

    /// Links that told of `peer`, and the one that brought something of it.
    fn links_of(&self, peer: &PeerId) -> impl Iterator<Item = LinkId> {
        let told = self.told.get(peer).into_iter().flatten();
        let told = told.map(|way| way.link);
        told.chain(self.learned.get(peer).copied())
    }

    fn is_up(&self, id: LinkId) -> bool {
        let attached = self.links.get(&id);
        attached.is_some_and(|attached| attached.remote.is_some())
    }

    /// Those that links that are up told of.
    pub(super) fn reached(&self) -> impl Iterator<Item = &PeerId> {
        let up = |ways: &[Told]| ways.iter().any(|way| self.is_up(way.link));
        let told = self.told.iter().filter(move |(_, ways)| up(ways));
        told.map(|(peer, _)| peer)
    }

    /// The same with the latest of their lives.
    pub(super) fn present(&self) -> BTreeMap<PeerId, Here> {
        let told = self.told.keys();
        told.filter_map(|peer| Some((peer.clone(), self.here(peer)?)))
            .collect()
    }

    /// Those that links told of, whether they are up or may come back.
    pub(super) fn told_names(&self) -> impl Iterator<Item = &PeerId> {
        self.told.keys()
    }

    /// The latest life of `peer` that links of other kinds told of, whether they are up or may come back.
    pub(super) fn told_beyond(&self, peer: &PeerId, kind: LinkKind) -> Option<Incarnation> {
        let ways = self.told.get(peer)?.iter();
        let beyond = ways.filter(|way| {
            let attached = self.links.get(&way.link);
            attached.is_some_and(|attached| attached.link.kind() != kind)
        });
        beyond.map(|way| way.incarnation).max()
    }

    /// The latest life of `peer` that links that are up told of.
    pub(super) fn here(&self, peer: &PeerId) -> Option<Here> {
        let ways = self.told.get(peer)?.iter();
        let up = ways.filter(|way| self.is_up(way.link));
        let here = up.map(|way| Here {
            life: way.incarnation,
            since: self.links.get(&way.link).map_or(0, |link| link.since),
        });
        here.max_by_key(|here| (here.life, here.since))
    }

    /// Whether that link told of `peer`.
    pub(super) fn is_told_by(&self, peer: &PeerId, id: LinkId) -> bool {
        let mut told = self.told.get(peer).into_iter().flatten();
        told.any(|way| way.link == id)
    }

    /// Whether a link that is up told of `peer`.
    pub(super) fn is_told(&self, peer: &PeerId) -> bool {
        let mut told = self.told.get(peer).into_iter().flatten();
        told.any(|way| self.is_up(way.link))
    }

    /// Whether a link that is up told of `peer`, or brought something of it.
    pub(super) fn reaches(&self, peer: &PeerId) -> bool {
        self.links_of(peer).any(|id| self.is_up(id))
    }
}
