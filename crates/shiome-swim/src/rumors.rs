use std::collections::VecDeque;

use crate::{
    key::{Key, KeyMap},
    vote::Vote,
};

/// Most rumors at a time. What falls out is found by comparing tables.
const MAX_RUMORS: usize = 8_192;

/// Most votes that wait to be passed on at a time. They are for the moment and few.
const MAX_VOTES: usize = 64;

/// Most votes that are known again.
const MAX_SEEN_VOTES: usize = 256;

/// What is still to be told, the least told first (SWIM §4.1).
///
/// A rumor is about a member and says what the table says when it is told, so it is never old.
#[derive(Default)]
pub(crate) struct Rumors {
    about: KeyMap<Rumor>,
    /// By how often they were told. An entry whose version is not that of the rumor is of an older one.
    levels: Vec<VecDeque<Entry>>,
    len_levels: usize,
    version: u32,
    told: Vec<Key>,
    votes: VecDeque<(Vote, u32)>,
    /// The latest votes, among them those that were told often enough and still come back.
    seen_votes: VecDeque<Vote>,
}

#[derive(Debug, Clone, Copy)]
struct Rumor {
    version: u32,
    sent: u32,
    full: bool,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: Key,
    version: u32,
}

/// A rumor that is offered to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) key: Key,
    /// How often it was told.
    pub(crate) sent: u32,
    /// Whether the others may not know the member, or not its address or role.
    pub(crate) full: bool,
}

impl Rumors {
    pub(crate) fn is_empty(&self) -> bool {
        self.about.is_empty() && self.votes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.about.len() + self.votes.len()
    }

    /// Starts to tell about a member, from the beginning if that was under way. A full rumor stays full until it is
    /// told.
    pub(crate) fn start(&mut self, key: Key, full: bool) {
        self.version = self.version.wrapping_add(1);
        let full = full || self.about.get(&key).is_some_and(|rumor| rumor.full);
        let rumor = Rumor {
            version: self.version,
            sent: 0,
            full,
        };
        if self.about.insert(key, rumor).is_none() && self.about.len() > MAX_RUMORS {
            self.drop_most_told();
        }
        self.enter(key, rumor);
    }

    /// Ends what is told about a member.
    pub(crate) fn stop(&mut self, key: Key) {
        self.about.remove(&key);
    }

    /// Whether a vote was seen lately.
    pub(crate) fn knows_vote(&self, vote: &Vote) -> bool {
        self.seen_votes.contains(vote)
    }

    /// Passes a vote on, once. Whether it was not under way already.
    pub(crate) fn vote(&mut self, vote: Vote) -> bool {
        if self.seen_votes.contains(&vote) {
            return false;
        }
        if self.seen_votes.len() >= MAX_SEEN_VOTES {
            self.seen_votes.pop_front();
        }
        self.seen_votes.push_back(vote);
        if self.votes.len() >= MAX_VOTES {
            self.votes.pop_front();
        }
        self.votes.push_back((vote, 0));
        true
    }

    fn enter(&mut self, key: Key, rumor: Rumor) {
        let level = rumor.sent as usize;
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, VecDeque::new);
        }
        self.levels[level].push_back(Entry {
            key,
            version: rumor.version,
        });
        self.len_levels += 1;
        // Entries of older versions are cleared away before they outnumber the rumors.
        if self.len_levels > 2 * self.about.len() + 64 {
            self.clear_old();
        }
    }

    fn clear_old(&mut self) {
        let about = &self.about;
        for level in &mut self.levels {
            level.retain(|entry| current(about, *entry).is_some());
        }
        self.len_levels = self.levels.iter().map(VecDeque::len).sum();
    }

    fn drop_most_told(&mut self) {
        let Self { about, levels, .. } = self;
        let mut told = levels.iter_mut().rev();
        let most = told.find_map(|level| {
            while let Some(entry) = level.pop_back() {
                if entry.key != Key::ME && current(about, entry).is_some() {
                    return Some(entry.key);
                }
            }
            None
        });
        if let Some(key) = most {
            self.stop(key);
        }
    }

    /// Offers votes, as long as `tell` takes them; each is dropped when it was told `limit` times.
    pub(crate) fn tell_votes(&mut self, limit: u32, mut tell: impl FnMut(&Vote) -> bool) {
        for (vote, sent) in &mut self.votes {
            if tell(vote) {
                *sent += 1;
            }
        }
        self.votes.retain(|(_, sent)| *sent < limit);
    }

    /// Offers rumors for one datagram: that about this node first, then the least told. `tell` says whether one went in;
    /// after the first that did not, no more are offered. A rumor that was told `limit` times ends.
    pub(crate) fn tell(&mut self, limit: u32, mut tell: impl FnMut(Offer) -> bool) {
        self.told.clear();
        if let Some(me) = self.about.get(&Key::ME) {
            if !tell(me.offer(Key::ME)) {
                return;
            }
            self.told.push(Key::ME);
        }
        'all: for level in &mut self.levels {
            for _ in 0..level.len() {
                let Some(entry) = level.pop_front() else {
                    break;
                };
                self.len_levels -= 1;
                let Some(rumor) = current(&self.about, entry) else {
                    continue;
                };
                if entry.key == Key::ME {
                    continue;
                }
                if !tell(rumor.offer(entry.key)) {
                    level.push_front(entry);
                    self.len_levels += 1;
                    break 'all;
                }
                self.told.push(entry.key);
            }
        }
        self.count_told(limit);
    }

    fn count_told(&mut self, limit: u32) {
        let told = core::mem::take(&mut self.told);
        for key in &told {
            let Some(rumor) = self.about.get_mut(key) else {
                continue;
            };
            rumor.sent += 1;
            if rumor.sent >= limit {
                self.about.remove(key);
            } else {
                // What is told ahead of its turn leaves an entry behind.
                self.version = self.version.wrapping_add(1);
                rumor.version = self.version;
                let rumor = *rumor;
                self.enter(*key, rumor);
            }
        }
        self.told = told;
    }
}

impl Rumor {
    fn offer(&self, key: Key) -> Offer {
        Offer {
            key,
            sent: self.sent,
            full: self.full,
        }
    }
}

fn current(about: &KeyMap<Rumor>, entry: Entry) -> Option<&Rumor> {
    about
        .get(&entry.key)
        .filter(|rumor| rumor.version == entry.version)
}

#[cfg(test)]
mod tests {
    use shiome_gossip::NodeId;

    use super::*;

    fn told(rumors: &mut Rumors, limit: u32, room: usize) -> Vec<u32> {
        let mut told = Vec::new();
        rumors.tell(limit, |offer| {
            let fits = told.len() < room;
            if fits {
                told.push(offer.key.0);
            }
            fits
        });
        told
    }

    #[test]
    fn the_least_told_come_first_and_each_is_told_as_often_as_the_limit_says() {
        let mut rumors = Rumors::default();
        for n in 1..=3 {
            rumors.start(Key(n), false);
        }
        assert_eq!(told(&mut rumors, 2, 2), [1, 2]);
        assert_eq!(told(&mut rumors, 2, 2), [3, 1]);
        rumors.start(Key(4), false);
        assert_eq!(told(&mut rumors, 2, 9), [4, 2, 3]);
        assert_eq!(told(&mut rumors, 2, 9), [4]);
        assert!(rumors.is_empty());
        assert!(told(&mut rumors, 2, 9).is_empty());
    }

    #[test]
    fn this_node_comes_before_all_others() {
        let mut rumors = Rumors::default();
        for n in [5, 6, 0, 7] {
            rumors.start(Key(n), false);
        }
        assert_eq!(told(&mut rumors, 9, 1), [0]);
        assert_eq!(told(&mut rumors, 9, 3), [0, 5, 6]);
        assert_eq!(told(&mut rumors, 4, 9), [0, 7, 5, 6]);
        assert_eq!(told(&mut rumors, 4, 9), [0, 7, 5, 6]);
        assert_eq!(told(&mut rumors, 4, 9), [7, 5, 6]);
    }

    #[test]
    fn news_starts_from_the_beginning() {
        let mut rumors = Rumors::default();
        rumors.start(Key(1), false);
        assert_eq!(told(&mut rumors, 2, 9), [1]);
        rumors.start(Key(1), false);
        assert_eq!(told(&mut rumors, 2, 9), [1]);
        assert_eq!(told(&mut rumors, 2, 9), [1]);
        assert!(rumors.is_empty());
    }

    #[test]
    fn what_is_stopped_is_not_told() {
        let mut rumors = Rumors::default();
        rumors.start(Key(1), false);
        rumors.start(Key(2), false);
        rumors.stop(Key(1));
        assert_eq!(told(&mut rumors, 9, 9), [2]);
    }

    #[test]
    fn there_is_a_bound_and_what_was_told_most_falls_out() {
        let mut rumors = Rumors::default();
        rumors.start(Key(1), false);
        assert_eq!(told(&mut rumors, 9, 9), [1]);
        for n in 0..2 * MAX_RUMORS as u32 {
            rumors.start(Key(n + 2), false);
        }
        assert_eq!(rumors.len(), MAX_RUMORS);
        assert!(!rumors.about.contains_key(&Key(1)));
        for _ in 0..10 * MAX_RUMORS {
            rumors.start(Key(2 * MAX_RUMORS as u32), true);
        }
        assert!(rumors.len_levels <= 2 * MAX_RUMORS + 65);
    }

    #[test]
    fn a_vote_passes_once() {
        let mut rumors = Rumors::default();
        let vote = Vote::Request {
            candidate: NodeId::from([1; 16]),
            epoch: 1,
            offset: 2,
        };
        assert!(rumors.vote(vote));
        assert!(!rumors.vote(vote));
        let mut times = 0;
        for _ in 0..5 {
            rumors.tell_votes(3, |_| {
                times += 1;
                true
            });
        }
        assert_eq!(times, 3);
        assert!(rumors.is_empty());
        assert!(!rumors.vote(vote), "it is not new when it comes back");
    }
}
