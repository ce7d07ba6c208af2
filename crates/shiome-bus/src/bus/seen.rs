//! Which envelopes were there before.

use crate::{Envelope, Incarnation, PeerId, Priority, hash::HashMap};

/// Envelopes of one sender and lane that are told apart, counted back from the latest. Later ones that overtook so many are taken
/// for copies: links keep the order within a lane, so only a copy comes that late.
const WINDOW: u64 = 1024;

const WORDS: usize = (WINDOW / u64::BITS as u64) as usize;

/// Senders that are remembered, at least; twice as many at most.
const MAX_SENDERS: usize = 4096;

/// Lives of one sender that are remembered, 400 bytes each: its own, those of the bus and the relay that answer in its place, and the
/// one before. So a sender that tells of ever new lives makes only itself forgotten.
const MAX_LIVES: usize = 4;

/// The envelopes that came over links, so that each is taken once.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When these are too many they become the old ones, and the old ones are forgotten.
    recent: HashMap<PeerId, Lives>,
    old: HashMap<PeerId, Lives>,
}

/// Lives of one sender, the one that spoke last at the end.
type Lives = Vec<(Incarnation, Windows)>;

type Windows = [Window; Priority::ALL.len()];

impl Seen {
    /// Whether the envelope is new. It no longer is then.
    pub(crate) fn first(&mut self, envelope: &Envelope) -> bool {
        if let Some(lives) = self.recent.get_mut(&envelope.from) {
            return first(lives, envelope);
        }
        if self.recent.len() >= MAX_SENDERS {
            self.old = std::mem::take(&mut self.recent);
        }
        let mut lives = self.old.remove(&envelope.from).unwrap_or_default();
        let new = first(&mut lives, envelope);
        self.recent.insert(envelope.from.clone(), lives);
        new
    }
}

fn first(lives: &mut Lives, envelope: &Envelope) -> bool {
    let windows = windows(lives, envelope.id.incarnation);
    windows[envelope.priority.lane()].first(envelope.id.seq)
}

/// Those of one life, which then is the last.
fn windows(lives: &mut Lives, life: Incarnation) -> &mut Windows {
    match lives.iter().rposition(|(known, _)| *known == life) {
        Some(place) if place + 1 == lives.len() => {}
        Some(place) => lives[place..].rotate_left(1),
        None => {
            if lives.len() == MAX_LIVES {
                lives.remove(0);
            }
            lives.push((life, Windows::default()));
        }
    }
    let last = lives.last_mut();
    &mut last.expect("one was put there").1
}

/// A bit for each of the latest numbers.
#[derive(Debug, Default)]
pub(crate) struct Window {
    latest: u64,
    bits: [u64; WORDS],
}

impl Window {
    /// Whether a number was not there before. It was then.
    pub(crate) fn first(&mut self, seq: u64) -> bool {
        if seq > self.latest {
            self.advance(seq);
        } else if self.latest - seq >= WINDOW {
            return false;
        }
        let (word, bit) = place(seq);
        let new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        new
    }

    fn advance(&mut self, seq: u64) {
        if seq - self.latest >= WINDOW {
            self.bits = [0; WORDS];
        } else {
            for skipped in self.latest + 1..=seq {
                let (word, bit) = place(skipped);
                self.bits[word] &= !bit;
            }
        }
        self.latest = seq;
    }
}

fn place(seq: u64) -> (usize, u64) {
    let index = seq % WINDOW;
    (
        (index / u64::from(u64::BITS)) as usize,
        1 << (index % u64::from(u64::BITS)),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::{Intent, MessageId};

    fn envelope(from: &str, incarnation: u64, seq: u64) -> Envelope {
        let id = MessageId {
            incarnation: Incarnation::new(incarnation).unwrap(),
            seq,
        };
        let peer = |id| PeerId::new(id).unwrap();
        Envelope::new(id, peer(from), peer("to"), Intent::new("x", ()).unwrap())
    }

    #[test]
    fn what_was_there_is_known_by_sender_life_number_and_lane() {
        let mut seen = Seen::default();
        assert!(seen.first(&envelope("a", 1, 1)));
        assert!(!seen.first(&envelope("a", 1, 1)));
        assert!(seen.first(&envelope("b", 1, 1)));
        assert!(seen.first(&envelope("a", 2, 1)));
        let mut bulk = envelope("a", 1, 1);
        bulk.priority = Priority::Bulk;
        assert!(seen.first(&bulk));
    }

    #[test]
    fn senders_are_forgotten_in_the_order_of_their_last_word() {
        let mut seen = Seen::default();
        assert!(seen.first(&envelope("first", 1, 1)));
        for number in 0..MAX_SENDERS as u64 {
            assert!(seen.first(&envelope(&format!("other{number}"), 1, 1)));
            assert!(!seen.first(&envelope("first", 1, 1)));
        }
        for number in 0..4 * MAX_SENDERS as u64 {
            seen.first(&envelope(&format!("more{number}"), 1, 1));
            assert!(seen.recent.len() <= MAX_SENDERS);
            assert!(seen.old.len() <= MAX_SENDERS);
        }
        assert!(seen.first(&envelope("first", 1, 1)));
    }

    #[test]
    fn a_sender_with_many_lives_is_the_only_one_who_is_forgotten() {
        let mut seen = Seen::default();
        assert!(seen.first(&envelope("bob", 7, 1)));
        for life in 0..4 * MAX_SENDERS as u64 {
            assert!(seen.first(&envelope("eve", life, 1)));
            assert!(seen.recent[&PeerId::new("eve").unwrap()].len() <= MAX_LIVES);
        }
        assert!(!seen.first(&envelope("bob", 7, 1)));
        // The latest lives are told apart, however their words mix.
        for life in [3, 2, 1, 2, 3] {
            seen.first(&envelope("bob", life, 1));
        }
        for life in [1, 2, 3, 7] {
            assert!(!seen.first(&envelope("bob", life, 1)), "{life}");
        }
    }

    proptest! {
        #[test]
        fn each_number_is_new_once(seqs in prop::collection::vec(1_u64..4000, 0..500)) {
            let (mut window, mut taken) = (Window::default(), HashSet::new());
            for seq in seqs {
                let new = window.first(seq);
                if window.latest - seq < WINDOW {
                    prop_assert_eq!(new, taken.insert(seq));
                } else {
                    prop_assert!(!new);
                }
            }
        }
    }
}
