//! Who is in a room, as one of its members knows it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::watch::LeaveReason;
use crate::{
    Incarnation, PeerId,
    bus::{Here, Window},
};

/// Members of a room at most, as each of them counts. All that is said goes to each: more take a server.
pub const MAX_MEMBERS: usize = 256;

/// A member of a room.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Member {
    /// Its name.
    pub id: PeerId,
    /// Which life of that name it is.
    pub incarnation: Incarnation,
}

/// What happened in a room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    Joined(Member),
    Left(Member, LeaveReason),
}

#[derive(Debug, Default)]
pub(super) struct Roster {
    members: BTreeMap<PeerId, Place>,
    /// Whom we told that we are here, in which of their lives.
    greeted: HashMap<PeerId, Here>,
    /// Members that have no place for us, at most [`MAX_MEMBERS`].
    closed: BTreeSet<PeerId>,
    /// For whom we have no place, the first first, at most [`MAX_MEMBERS`].
    waiting: VecDeque<PeerId>,
    /// Whether one of them is to be greeted, as there is a place again.
    invites: bool,
}

/// What came of somebody's being here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joined {
    In,
    /// It is another life of a member, and over or earlier.
    Earlier,
    /// That life is over, and no other is in.
    Over,
    /// There is no place for it.
    Full,
}

#[derive(Debug)]
struct Place {
    incarnation: Incarnation,
    /// Whether that life was told of, not only heard.
    told: bool,
    /// The number under which it last said that it is in.
    since: u64,
    /// What was heard of it.
    heard: Window,
}

impl Roster {
    pub(super) fn members(&self) -> impl Iterator<Item = Member> {
        self.members.iter().map(|(id, place)| Member {
            id: id.clone(),
            incarnation: place.incarnation,
        })
    }

    pub(super) fn contains(&self, id: &PeerId) -> bool {
        self.members.contains_key(id)
    }

    /// `member` is here. Of two lives the one is that the bus knows `here`, else the later one.
    pub(super) fn join(
        &mut self,
        member: &Member,
        here: Option<Here>,
        events: &mut Vec<Event>,
    ) -> Joined {
        let life = member.incarnation;
        let told = here.is_some_and(|here| here.life == life);
        match self.members.get(&member.id) {
            Some(known) if known.incarnation == life => return Joined::In,
            Some(known) if known.incarnation > life && !told => return Joined::Earlier,
            Some(_) => {
                self.leave(&member.id, LeaveReason::Replaced, events);
            }
            None if self.members.len() >= MAX_MEMBERS => {
                self.wait(&member.id);
                return Joined::Full;
            }
            None => {}
        }
        self.closed.remove(&member.id);
        self.waiting.retain(|id| *id != member.id);
        let place = Place {
            incarnation: life,
            told,
            since: 0,
            heard: Window::default(),
        };
        self.members.insert(member.id.clone(), place);
        events.push(Event::Joined(member.clone()));
        Joined::In
    }

    /// What comes of a life that is over, which is not in.
    pub(super) fn over(&mut self, member: &Member) -> Joined {
        // Should that life come back before anybody has looked, it is greeted anew.
        let greeted = self.greeted.get(&member.id);
        if greeted.is_some_and(|here| here.life == member.incarnation) {
            self.greeted.remove(&member.id);
        }
        match self.contains(&member.id) {
            true => Joined::Earlier,
            false => Joined::Over,
        }
    }

    fn wait(&mut self, id: &PeerId) {
        if self.waiting.len() < MAX_MEMBERS && !self.waiting.contains(id) {
            self.waiting.push_back(id.clone());
        }
    }

    /// Lets the next of those who wait know if there is a place.
    fn invite(&mut self) {
        if self.members.len() < MAX_MEMBERS
            && let Some(next) = self.waiting.pop_front()
        {
            self.greeted.remove(&next);
            self.invites = true;
        }
    }

    /// Whether somebody is to be greeted whom [`look`](Self::look) has not told of yet.
    pub(super) fn invites(&mut self) -> bool {
        std::mem::take(&mut self.invites)
    }

    /// That life of a member says that it has no place for us.
    pub(super) fn closed_by(&mut self, member: &Member, events: &mut Vec<Event>) {
        if self.is(member) {
            self.leave(&member.id, LeaveReason::Left, events);
            self.invite();
        }
        if self.closed.len() < MAX_MEMBERS {
            self.closed.insert(member.id.clone());
        }
    }

    /// Who has no place for us, in the order of names.
    pub(super) fn closed(&self) -> impl Iterator<Item = &PeerId> {
        self.closed.iter()
    }

    /// For whom we have none.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &PeerId> {
        self.waiting.iter()
    }

    /// Whether that life is in.
    pub(super) fn is(&self, member: &Member) -> bool {
        let known = self.members.get(&member.id);
        known.is_some_and(|known| known.incarnation == member.incarnation)
    }

    pub(super) fn leave(&mut self, id: &PeerId, reason: LeaveReason, events: &mut Vec<Event>) {
        self.greeted.remove(id);
        if let Some(place) = self.members.remove(id) {
            let member = Member {
                id: id.clone(),
                incarnation: place.incarnation,
            };
            events.push(Event::Left(member, reason));
        }
    }

    /// `member`, which is here, said so under that number.
    pub(super) fn joined_as(&mut self, member: &Member, seq: u64) {
        if let Some(place) = self.members.get_mut(&member.id) {
            place.since = place.since.max(seq);
        }
    }

    /// That life of a member says that it is out, under that number. That it came back may have overtaken it.
    pub(super) fn left(
        &mut self,
        member: &Member,
        here: Option<Here>,
        seq: u64,
        events: &mut Vec<Event>,
    ) {
        self.closed.remove(&member.id);
        self.waiting.retain(|id| *id != member.id);
        let known = self.members.get(&member.id);
        if self.is(member) && known.is_some_and(|known| known.since <= seq) {
            self.leave(&member.id, LeaveReason::Left, events);
            // It knows us, and need not be told again.
            if let Some(here) = here.filter(|here| here.life == member.incarnation) {
                self.greeted.insert(member.id.clone(), here);
            }
            self.invite();
        }
    }

    /// Whether what a member says under that number is new.
    pub(super) fn hears(&mut self, id: &PeerId, seq: u64) -> bool {
        let place = self.members.get_mut(id);
        place.is_some_and(|place| place.heard.first(seq))
    }

    /// Takes out those who are no longer there, and says who is to be told of us: nobody while there is no place.
    pub(super) fn look(
        &mut self,
        present: &BTreeMap<PeerId, Here>,
        reaches: impl Fn(&PeerId) -> bool,
        events: &mut Vec<Event>,
    ) -> Vec<PeerId> {
        for id in self.gone(present, &reaches) {
            self.leave(&id, LeaveReason::Gone, events);
            self.invite();
        }
        let is_there = |id: &PeerId| present.contains_key(id) || reaches(id);
        self.closed.retain(is_there);
        self.waiting.retain(is_there);
        self.invites = false;
        let greeted = &mut self.greeted;
        greeted.retain(|id, here| present.get(id) == Some(here));
        if self.members.len() >= MAX_MEMBERS {
            return Vec::new();
        }
        let strangers = present.keys().filter(|id| !greeted.contains_key(*id));
        strangers.cloned().collect()
    }

    /// Members of whom another life is there, or none. One that was only heard of may be later than what was told.
    fn gone(
        &mut self,
        present: &BTreeMap<PeerId, Here>,
        reaches: impl Fn(&PeerId) -> bool,
    ) -> Vec<PeerId> {
        let mut gone = Vec::new();
        for (id, place) in &mut self.members {
            let is_gone = match present.get(id) {
                Some(here) if here.life == place.incarnation => {
                    place.told = true;
                    false
                }
                Some(here) => place.told || here.life > place.incarnation,
                None => !reaches(id),
            };
            if is_gone {
                gone.push(id.clone());
            }
        }
        gone
    }

    pub(super) fn greeted(&mut self, id: PeerId, here: Here) {
        self.greeted.insert(id, here);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, life: u64) -> Member {
        Member {
            id: PeerId::new(id).unwrap(),
            incarnation: Incarnation::new(life).unwrap(),
        }
    }

    fn here(life: u64, since: u64) -> Here {
        let life = Incarnation::new(life).unwrap();
        Here { life, since }
    }

    fn present(lives: &[(&str, u64)]) -> BTreeMap<PeerId, Here> {
        let lives = lives
            .iter()
            .map(|(id, life)| (member(id, 0).id, here(*life, 1)));
        lives.collect()
    }

    /// Looks, and greets all strangers, who are told.
    fn greets(
        roster: &mut Roster,
        present: &BTreeMap<PeerId, Here>,
        events: &mut Vec<Event>,
    ) -> Vec<String> {
        let strangers = roster.look(present, |_| false, events);
        for id in &strangers {
            roster.greeted(id.clone(), present[id]);
        }
        strangers.iter().map(|id| id.as_str().to_owned()).collect()
    }

    #[test]
    fn a_later_life_takes_the_place_of_an_earlier_one_and_never_the_reverse() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        assert_eq!(roster.join(&member("a", 2), None, &mut events), Joined::In);
        assert_eq!(roster.join(&member("a", 2), None, &mut events), Joined::In);
        let earlier = roster.join(&member("a", 1), Some(here(2, 1)), &mut events);
        assert_eq!(earlier, Joined::Earlier);
        roster.left(&member("a", 1), None, 9, &mut events);
        assert_eq!(roster.join(&member("a", 3), None, &mut events), Joined::In);
        assert_eq!(roster.members().collect::<Vec<_>>(), [member("a", 3)]);
        assert_eq!(
            events,
            [
                Event::Joined(member("a", 2)),
                Event::Left(member("a", 2), LeaveReason::Replaced),
                Event::Joined(member("a", 3)),
            ]
        );
    }

    #[test]
    fn the_life_that_is_told_of_is_in_though_its_clock_is_behind() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        roster.join(&member("a", 2000), Some(here(2000, 1)), &mut events);
        let told = Some(here(1000, 1));
        assert_eq!(
            roster.join(&member("a", 1000), told, &mut events),
            Joined::In
        );
        assert_eq!(
            greets(&mut roster, &present(&[("a", 1000)]), &mut events),
            ["a"]
        );
        assert_eq!(roster.members().collect::<Vec<_>>(), [member("a", 1000)]);
        // And the same when it is told of before it says so.
        assert_eq!(
            greets(&mut roster, &present(&[("a", 500)]), &mut events),
            ["a"]
        );
        assert_eq!(roster.members().count(), 0);
        // One that is heard of before it is told of stays.
        roster.join(&member("a", 700), Some(here(500, 1)), &mut events);
        roster.look(&present(&[("a", 500)]), |_| false, &mut events);
        assert!(roster.contains(&member("a", 0).id));
    }

    #[test]
    fn who_came_back_is_not_out_for_having_left_before() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let a = member("a", 1);
        roster.join(&a, None, &mut events);
        roster.joined_as(&a, 1);
        // Its greeting is faster than its goodbye.
        assert_eq!(roster.join(&a, None, &mut events), Joined::In);
        roster.joined_as(&a, 5);
        roster.left(&a, None, 4, &mut events);
        assert!(roster.contains(&a.id));
        roster.left(&a, None, 6, &mut events);
        assert!(!roster.contains(&a.id));
    }

    #[test]
    fn who_was_over_and_is_back_before_anybody_looks_is_greeted_anew() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let there = present(&[("a", 5)]);
        assert_eq!(greets(&mut roster, &there, &mut events), ["a"]);
        assert_eq!(roster.over(&member("a", 4)), Joined::Over);
        assert!(
            greets(&mut roster, &there, &mut events).is_empty(),
            "it was another life that was over"
        );
        assert_eq!(roster.over(&member("a", 5)), Joined::Over);
        assert_eq!(greets(&mut roster, &there, &mut events), ["a"]);
        assert!(events.is_empty() && roster.members().count() == 0);
    }

    #[test]
    fn who_finds_it_full_is_greeted_when_there_is_a_place() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let names: Vec<_> = (0..MAX_MEMBERS).map(|n| format!("m{n}")).collect();
        let mut lives: Vec<_> = names.iter().map(|name| (&**name, 1)).collect();
        lives.extend([("late", 1), ("later", 1)]);
        let all = present(&lives);
        assert_eq!(greets(&mut roster, &all, &mut events).len(), lives.len());
        for name in &names {
            assert_eq!(roster.join(&member(name, 1), None, &mut events), Joined::In);
        }
        for late in ["late", "later", "late"] {
            assert_eq!(
                roster.join(&member(late, 1), None, &mut events),
                Joined::Full
            );
        }
        assert_eq!(roster.members().count(), MAX_MEMBERS);
        assert_eq!(roster.waiting().count(), 2);
        assert!(!roster.invites() && greets(&mut roster, &all, &mut events).is_empty());
        roster.left(
            &member("m0", 1),
            Some(all[&member("m0", 1).id]),
            9,
            &mut events,
        );
        assert!(roster.invites());
        assert_eq!(greets(&mut roster, &all, &mut events), ["late"]);
        assert_eq!(
            roster.join(&member("late", 1), None, &mut events),
            Joined::In
        );
        // Nobody new is greeted while there is no place.
        lives.push(("new", 1));
        assert!(greets(&mut roster, &present(&lives), &mut events).is_empty());
        lives.retain(|(name, _)| *name != "m1");
        assert_eq!(
            greets(&mut roster, &present(&lives), &mut events),
            ["later", "new"]
        );
    }

    #[test]
    fn who_has_no_place_for_us_is_no_member_until_it_has() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let a = member("a", 1);
        roster.join(&a, None, &mut events);
        roster.closed_by(&a, &mut events);
        assert_eq!((roster.members().count(), roster.closed().count()), (0, 1));
        roster.join(&a, None, &mut events);
        assert_eq!((roster.members().count(), roster.closed().count()), (1, 0));
        roster.closed_by(&member("a", 0), &mut events);
        assert!(roster.contains(&a.id), "an earlier life said that");
        roster.look(&BTreeMap::new(), |_| false, &mut events);
        assert_eq!((roster.members().count(), roster.closed().count()), (0, 0));
    }

    #[test]
    fn who_is_gone_is_out_and_who_comes_is_greeted_once_in_a_life() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        roster.join(&member("a", 1), None, &mut events);
        let both = present(&[("a", 1), ("b", 1)]);
        assert_eq!(greets(&mut roster, &both, &mut events), ["a", "b"]);
        assert!(greets(&mut roster, &both, &mut events).is_empty());
        // Another life of a is not the member.
        let other = present(&[("a", 2), ("b", 1)]);
        assert_eq!(greets(&mut roster, &other, &mut events), ["a"]);
        roster.join(&member("b", 1), None, &mut events);
        assert!(greets(&mut roster, &present(&[("a", 2)]), &mut events).is_empty());
        assert_eq!(
            greets(&mut roster, &present(&[("b", 1)]), &mut events),
            ["b"]
        );
        let gone = |id, life| Event::Left(member(id, life), LeaveReason::Gone);
        assert_eq!(
            events[1..],
            [gone("a", 1), Event::Joined(member("b", 1)), gone("b", 1)]
        );
        // What was said to it may be lost with the link.
        let again = BTreeMap::from([(member("b", 1).id, here(1, 2))]);
        assert_eq!(greets(&mut roster, &again, &mut events), ["b"]);
    }

    #[test]
    fn what_a_member_says_is_heard_once() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let a = member("a", 1);
        assert!(!roster.hears(&a.id, 1));
        roster.join(&a, None, &mut events);
        assert!(roster.hears(&a.id, 1) && !roster.hears(&a.id, 1));
        // A new life counts anew.
        roster.join(&member("a", 2), None, &mut events);
        assert!(roster.hears(&a.id, 1));
    }
}
