//! Who is here, told to many without a queue for each.

use std::collections::{BTreeMap, VecDeque};

use crate::{
    Incarnation, PeerId,
    wire::{MAX_PRESENCE, Presence},
};

/// Changes that are kept for those who have not heard of them. Who is further behind is told all anew.
const KEPT_CHANGES: usize = 1024;

/// Entries of a snapshot, in all of its frames.
const MAX_SNAPSHOT: usize = 65_536;

/// Who is here, and the last changes.
#[derive(Debug)]
pub(crate) struct Present {
    here: BTreeMap<PeerId, Incarnation>,
    changes: VecDeque<PeerId>,
    /// How many changes there ever were.
    version: u64,
    /// Above it nobody is told who is here.
    limit: usize,
    partial: bool,
}

/// How much somebody has heard.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Told {
    version: Option<u64>,
    partial: bool,
}

impl Present {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            here: BTreeMap::new(),
            changes: VecDeque::new(),
            version: 0,
            limit,
            partial: false,
        }
    }

    /// Somebody is here. Whether that is news.
    pub(crate) fn insert(&mut self, id: &PeerId, incarnation: Incarnation) -> bool {
        let before = self.here.insert(id.clone(), incarnation);
        before != Some(incarnation) && self.change(id)
    }

    /// Somebody is no longer here. Whether that is news.
    pub(crate) fn remove(&mut self, id: &PeerId) -> bool {
        self.here.remove(id).is_some() && self.change(id)
    }

    fn change(&mut self, id: &PeerId) -> bool {
        let was_partial = self.partial;
        // Not at the limit itself: at one more and one less in turn all would be told anew each time.
        self.partial = self.here.len()
            > if was_partial {
                self.limit * 3 / 4
            } else {
                self.limit
            };
        self.version += 1;
        if self.changes.len() == KEPT_CHANGES {
            self.changes.pop_front();
        }
        self.changes.push_back(id.clone());
        !(was_partial && self.partial)
    }

    /// What `told` has not heard, for somebody whom its own coming and going is not told.
    pub(crate) fn news(&self, told: &mut Told, own: &PeerId) -> Vec<Presence> {
        let before = std::mem::replace(
            told,
            Told {
                version: Some(self.version),
                partial: self.partial,
            },
        );
        if self.partial {
            let silence = Presence {
                all: true,
                partial: true,
                ..Presence::default()
            };
            let heard = before.partial && before.version.is_some();
            return if heard { Vec::new() } else { vec![silence] };
        }
        let missed = before.version.map(|version| self.version - version);
        let missed = missed.and_then(|missed| usize::try_from(missed).ok());
        match missed {
            Some(missed) if missed <= self.changes.len() && !before.partial => {
                self.changes_since(missed, own)
            }
            _ => self.all(own),
        }
    }

    fn all(&self, own: &PeerId) -> Vec<Presence> {
        let mut frames = vec![Presence {
            all: true,
            ..Presence::default()
        }];
        for (id, incarnation) in self.here.iter().filter(|(id, _)| *id != own) {
            room(&mut frames).present.push((id.clone(), *incarnation));
        }
        all_of_one(&mut frames);
        frames
    }

    /// How many changes there ever were.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    fn changes_since(&self, missed: usize, own: &PeerId) -> Vec<Presence> {
        let mut changed: Vec<_> = self.changes.range(self.changes.len() - missed..).collect();
        changed.sort_unstable();
        changed.dedup();
        let mut frames = Vec::new();
        for id in changed.into_iter().filter(|id| *id != own) {
            let frame = room(&mut frames);
            match self.here.get(id) {
                Some(incarnation) => frame.present.push((id.clone(), *incarnation)),
                None => frame.absent.push(id.clone()),
            }
        }
        frames
    }
}

impl Told {
    /// Whether there were changes since.
    pub(crate) fn is_behind(&self, version: u64) -> bool {
        self.version != Some(version)
    }
}

/// Marks frames as those of one snapshot.
pub(crate) fn all_of_one(frames: &mut [Presence]) {
    if let [before @ .., _] = frames {
        before.iter_mut().for_each(|frame| frame.more = true);
    }
    if let [first, ..] = frames {
        first.all = true;
    }
}

/// Puts the frames of a snapshot together, so that nobody is gone in between who is in a later one.
#[derive(Debug, Default)]
pub(crate) struct Gather(Option<Presence>);

/// There are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl Gather {
    /// What is to be taken in after a frame, if there is not more of it to come.
    pub(crate) fn add(&mut self, frame: Presence) -> Result<Option<Presence>, TooMany> {
        let more = frame.more;
        let mut all = match self.0.take() {
            Some(mut all) if !frame.all => {
                all.present.retain(|(id, _)| !frame.absent.contains(id));
                all.present.extend(frame.present);
                all.partial |= frame.partial;
                all
            }
            _ => frame,
        };
        if all.present.len() > MAX_SNAPSHOT {
            return Err(TooMany);
        }
        if more && all.all {
            self.0 = Some(all);
            return Ok(None);
        }
        all.more = false;
        Ok(Some(all))
    }
}

/// The last frame if there is room in it, else a new one.
fn room(frames: &mut Vec<Presence>) -> &mut Presence {
    let full = frames
        .last()
        .is_none_or(|frame| frame.present.len() + frame.absent.len() == MAX_PRESENCE);
    if full {
        frames.push(Presence::default());
    }
    frames.last_mut().expect("one was added if there was none")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn id(number: usize) -> PeerId {
        PeerId::new(&format!("peer-{number}")).unwrap()
    }

    fn run(number: u64) -> Incarnation {
        Incarnation::new(number).unwrap()
    }

    /// What somebody knows who hears the frames.
    fn hear(known: &mut BTreeMap<PeerId, Incarnation>, frames: Vec<Presence>) {
        for frame in frames {
            assert!(frame.present.len() + frame.absent.len() <= MAX_PRESENCE);
            if frame.all {
                known.clear();
            }
            known.extend(frame.present);
            known.retain(|id, _| !frame.absent.contains(id));
        }
    }

    #[test]
    fn first_all_and_then_the_changes_without_oneself() {
        let mut present = Present::new(10);
        let (own, mut told) = (id(0), Told::default());
        present.insert(&own, run(1));
        present.insert(&id(1), run(1));
        let frames = present.news(&mut told, &own);
        assert!(frames[0].all);
        assert_eq!(frames[0].present, [(id(1), run(1))]);
        assert!(present.news(&mut told, &own).is_empty());
        assert!(!present.insert(&id(1), run(1)), "known");
        assert!(present.insert(&id(1), run(2)), "another run");
        assert!(present.insert(&id(2), run(1)));
        assert!(present.remove(&id(2)));
        assert!(!present.remove(&id(2)), "gone");
        let frames = present.news(&mut told, &own);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].present, [(id(1), run(2))]);
        assert_eq!(
            frames[0].absent,
            [id(2)],
            "come and gone: a peer that is told twice is told once"
        );
    }

    #[test]
    fn a_snapshot_of_many_frames_is_one() {
        let mut present = Present::new(1000);
        for number in 0..600 {
            present.insert(&id(number), run(1));
        }
        let frames = present.news(&mut Told::default(), &id(0));
        let marks: Vec<_> = frames.iter().map(|frame| (frame.all, frame.more)).collect();
        assert_eq!(marks, [(true, true), (false, true), (false, false)]);
        let (mut gather, mut last) = (Gather::default(), None);
        for frame in frames {
            assert_eq!(last, None, "not before all is there");
            last = gather.add(frame).unwrap();
        }
        let last = last.unwrap();
        assert!(last.all && !last.more);
        assert_eq!(last.present.len(), 599);
        // Changes are taken as they come.
        let change = Presence {
            absent: vec![id(1)],
            ..Presence::default()
        };
        assert_eq!(gather.add(change.clone()), Ok(Some(change)));
    }

    #[test]
    fn a_snapshot_without_end_is_not_kept() {
        let mut gather = Gather::default();
        let frame = |number: usize| Presence {
            all: number == 0,
            more: true,
            present: (0..MAX_PRESENCE)
                .map(|entry| (id(number * MAX_PRESENCE + entry), run(1)))
                .collect(),
            ..Presence::default()
        };
        let frames = MAX_SNAPSHOT / MAX_PRESENCE;
        for number in 0..frames {
            assert_eq!(gather.add(frame(number)), Ok(None));
        }
        assert_eq!(gather.add(frame(frames)), Err(TooMany));
    }

    #[test]
    fn nobody_is_there_is_told_too() {
        let present = Present::new(10);
        let frames = present.news(&mut Told::default(), &id(0));
        assert_eq!(frames.len(), 1);
        assert!(frames[0].all && !frames[0].partial);
    }

    #[test]
    fn too_many_are_not_told() {
        let mut present = Present::new(8);
        let mut told = Told::default();
        for number in 0..9 {
            present.insert(&id(number), run(1));
        }
        let frames = present.news(&mut told, &id(0));
        assert_eq!(frames.len(), 1);
        assert!(frames[0].all && frames[0].partial && frames[0].present.is_empty());
        assert!(!present.insert(&id(9), run(1)), "wakes nobody");
        assert!(present.news(&mut told, &id(0)).is_empty());
        for number in 6..10 {
            present.remove(&id(number));
        }
        let frames = present.news(&mut told, &id(0));
        assert!(frames[0].all && !frames[0].partial);
        assert_eq!(frames[0].present.len(), 5);
    }

    proptest! {
        #[test]
        fn who_hears_now_and_then_knows_all(
            steps in proptest::collection::vec((0..400_usize, 0..3_u64, 0..40_u8), 1..3000),
        ) {
            let mut present = Present::new(300);
            let (own, mut told) = (id(0), Told::default());
            let mut known = BTreeMap::new();
            for (number, incarnation, listen) in steps {
                match incarnation {
                    0 => present.remove(&id(number)),
                    incarnation => present.insert(&id(number), run(incarnation)),
                };
                if listen == 0 {
                    hear(&mut known, present.news(&mut told, &own));
                }
            }
            hear(&mut known, present.news(&mut told, &own));
            let mut here = present.here.clone();
            here.remove(&own);
            if present.partial {
                prop_assert!(known.keys().collect::<BTreeSet<_>>().is_empty());
            } else {
                prop_assert_eq!(known, here);
            }
        }
    }
}
