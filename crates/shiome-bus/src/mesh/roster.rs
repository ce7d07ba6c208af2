//! Who is in a room, as one of its members knows it.

use std::collections::{BTreeMap, HashMap};

use super::watch::LeaveReason;
use crate::{Incarnation, PeerId, bus::Window};

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
    greeted: HashMap<PeerId, Option<Incarnation>>,
}

#[derive(Debug)]
struct Place {
    incarnation: Incarnation,
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

    /// `member` is here. Of two lives the later one is. `false` when the room is full, or it is an earlier life.
    pub(super) fn join(&mut self, member: &Member, events: &mut Vec<Event>) -> bool {
        match self.members.get(&member.id) {
            Some(known) if known.incarnation == member.incarnation => return true,
            Some(known) if known.incarnation > member.incarnation => return false,
            Some(_) => {
                self.leave(&member.id, LeaveReason::Replaced, events);
            }
            None if self.members.len() >= MAX_MEMBERS => return false,
            None => {}
        }
        let place = Place {
            incarnation: member.incarnation,
            since: 0,
            heard: Window::default(),
        };
        self.members.insert(member.id.clone(), place);
        events.push(Event::Joined(member.clone()));
        true
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
    pub(super) fn left(&mut self, member: &Member, seq: u64, events: &mut Vec<Event>) {
        let known = self.members.get(&member.id);
        let same = |known: &Place| known.incarnation == member.incarnation && known.since <= seq;
        if known.is_some_and(same) {
            self.leave(&member.id, LeaveReason::Left, events);
            // It knows us, and need not be told again.
            self.greeted
                .insert(member.id.clone(), Some(member.incarnation));
        }
    }

    /// Whether what a member says under that number is new.
    pub(super) fn hears(&mut self, id: &PeerId, seq: u64) -> bool {
        let place = self.members.get_mut(id);
        place.is_some_and(|place| place.heard.first(seq))
    }

    /// Takes out those who are no longer there, and says who is to be told of us.
    pub(super) fn look(
        &mut self,
        present: &BTreeMap<PeerId, Option<Incarnation>>,
        reaches: impl Fn(&PeerId) -> bool,
        events: &mut Vec<Event>,
    ) -> Vec<PeerId> {
        let is_gone = |(id, place): (&PeerId, &Place)| match present.get(id) {
            Some(incarnation) => incarnation.is_some_and(|life| life > place.incarnation),
            None => !reaches(id),
        };
        let gone = self
            .members
            .iter()
            .filter(|(id, place)| is_gone((id, place)));
        let gone: Vec<_> = gone.map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.leave(&id, LeaveReason::Gone, events);
        }
        let greeted = &mut self.greeted;
        greeted.retain(|id, life| present.get(id).is_some_and(|now| now == life));
        let strangers = present.keys().filter(|id| !greeted.contains_key(*id));
        strangers.cloned().collect()
    }

    pub(super) fn greeted(&mut self, id: PeerId, life: Option<Incarnation>) {
        self.greeted.insert(id, life);
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

    #[test]
    fn a_later_life_takes_the_place_of_an_earlier_one_and_never_the_reverse() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        assert!(roster.join(&member("a", 2), &mut events));
        assert!(roster.join(&member("a", 2), &mut events));
        assert!(!roster.join(&member("a", 1), &mut events));
        roster.left(&member("a", 1), 9, &mut events);
        assert!(roster.join(&member("a", 3), &mut events));
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
    fn who_came_back_is_not_out_for_having_left_before() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let a = member("a", 1);
        roster.join(&a, &mut events);
        roster.joined_as(&a, 1);
        // Its greeting is faster than its goodbye.
        assert!(roster.join(&a, &mut events));
        roster.joined_as(&a, 5);
        roster.left(&a, 4, &mut events);
        assert!(roster.contains(&a.id));
        roster.left(&a, 6, &mut events);
        assert!(!roster.contains(&a.id));
    }

    #[test]
    fn a_room_is_full_some_day() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        for number in 0..MAX_MEMBERS {
            assert!(roster.join(&member(&format!("m{number}"), 1), &mut events));
        }
        assert!(!roster.join(&member("late", 1), &mut events));
        assert_eq!(roster.members().count(), MAX_MEMBERS);
        roster.left(&member("m0", 1), 9, &mut events);
        assert!(roster.join(&member("late", 1), &mut events));
    }

    #[test]
    fn who_is_gone_is_out_and_who_comes_is_greeted_once_in_a_life() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let of = |lives: &[(&str, u64)]| -> BTreeMap<_, _> {
            let lives = lives.iter().map(|(id, life)| member(id, *life));
            lives.map(|m| (m.id, Some(m.incarnation))).collect()
        };
        let greets = |roster: &mut Roster, present: &BTreeMap<PeerId, _>, events: &mut _| {
            let strangers = roster.look(present, |_| false, events);
            for id in &strangers {
                roster.greeted(id.clone(), present[id]);
            }
            let strangers = strangers.iter().map(|id| id.as_str().to_owned());
            strangers.collect::<Vec<_>>()
        };
        roster.join(&member("a", 1), &mut events);
        let present = of(&[("a", 1), ("b", 1)]);
        assert_eq!(greets(&mut roster, &present, &mut events), ["a", "b"]);
        assert!(greets(&mut roster, &present, &mut events).is_empty());
        // Another life of a is not the member.
        let present = of(&[("a", 2), ("b", 1)]);
        assert_eq!(greets(&mut roster, &present, &mut events), ["a"]);
        roster.join(&member("b", 1), &mut events);
        assert!(greets(&mut roster, &of(&[("a", 2)]), &mut events).is_empty());
        assert_eq!(greets(&mut roster, &of(&[("b", 1)]), &mut events), ["b"]);
        let gone = |id, life| Event::Left(member(id, life), LeaveReason::Gone);
        assert_eq!(
            events[1..],
            [gone("a", 1), Event::Joined(member("b", 1)), gone("b", 1)]
        );
    }

    #[test]
    fn what_a_member_says_is_heard_once() {
        let (mut roster, mut events) = (Roster::default(), Vec::new());
        let a = member("a", 1);
        assert!(!roster.hears(&a.id, 1));
        roster.join(&a, &mut events);
        assert!(roster.hears(&a.id, 1) && !roster.hears(&a.id, 1));
        // A new life counts anew.
        roster.join(&member("a", 2), &mut events);
        assert!(roster.hears(&a.id, 1));
    }
}
