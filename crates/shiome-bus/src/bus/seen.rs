//! Which envelopes were there before.

use crate::{Envelope, Incarnation, PeerId, Priority, hash::HashMap};

/// Envelopes of one sender and lane that are told apart, counted back from the latest. Later ones that overtook so many are taken
/// for copies: links keep the order within a lane, so only a copy comes that late.
const WINDOW: u64 = 1024;

const WORDS: usize = (WINDOW / u64::BITS as u64) as usize;

/// Senders that are remembered, at least; twice as many at most. 800 bytes each.
const MAX_SENDERS: usize = 4096;

type Sender = (PeerId, Incarnation);

/// The envelopes that came over links, so that each is taken once.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// When these are too many they become the old ones, and the old ones are forgotten.
    recent: HashMap<Sender, Windows>,
    old: HashMap<Sender, Windows>,
}

type Windows = [Window; Priority::ALL.len()];

impl Seen {
    /// Whether the envelope is new. It no longer is then.
    pub(crate) fn first(&mut self, envelope: &Envelope) -> bool {
        let sender = (envelope.from.clone(), envelope.id.incarnation);
        let lane = envelope.priority.lane();
        if let Some(windows) = self.recent.get_mut(&sender) {
            return windows[lane].first(envelope.id.seq);
        }
        if self.recent.len() >= MAX_SENDERS {
            self.old = std::mem::take(&mut self.recent);
        }
        let old = &mut self.old;
        let windows = self.recent.entry(sender);
        let windows = windows.or_insert_with_key(|sender| old.remove(sender).unwrap_or_default());
        windows[lane].first(envelope.id.seq)
    }
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
            assert!(seen.first(&envelope("other", number, 1)));
            assert!(!seen.first(&envelope("first", 1, 1)));
        }
        for number in 0..4 * MAX_SENDERS as u64 {
            seen.first(&envelope("more", number, 1));
            assert!(seen.recent.len() <= MAX_SENDERS);
            assert!(seen.old.len() <= MAX_SENDERS);
        }
        assert!(seen.first(&envelope("first", 1, 1)));
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
