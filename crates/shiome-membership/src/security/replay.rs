/// How far a datagram may come behind the newest of its sender. Senders count what they send to all nodes, so a burst
/// to many of them widens the gap between two that go to this one.
pub(crate) const WINDOW_LEN: u64 = 1024;

/// One more than the window needs, so that whole words are cleared when it moves (RFC 6479).
const WORDS: usize = (WINDOW_LEN / 64) as usize + 1;

/// Which of the latest datagrams of a sender were seen.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    newest: u64,
    /// One bit for each counter, in a ring.
    seen: [u64; WORDS],
}

impl Window {
    /// Starts with the datagram `counter`, seen. What came before it counts as seen: it cannot be told from a replay.
    pub(crate) fn starting_with(counter: u64) -> Self {
        let mut seen = [u64::MAX; WORDS];
        seen[word(counter)] = u64::MAX >> (63 - counter % 64);
        Self {
            newest: counter,
            seen,
        }
    }

    /// Whether `counter` is new: not seen, and not too old to know.
    pub(crate) fn is_new(&self, counter: u64) -> bool {
        match self.newest.checked_sub(counter) {
            None => true,
            Some(age) => age < WINDOW_LEN && self.seen[word(counter)] & bit(counter) == 0,
        }
    }

    /// Marks `counter`, which is new, as seen.
    pub(crate) fn mark(&mut self, counter: u64) {
        if counter > self.newest {
            let (from, to) = (self.newest / 64, counter / 64);
            for entered in from..to.min(from + WORDS as u64) {
                self.seen[((entered + 1) % WORDS as u64) as usize] = 0;
            }
            self.newest = counter;
        }
        self.seen[word(counter)] |= bit(counter);
    }
}

fn word(counter: u64) -> usize {
    (counter / 64 % WORDS as u64) as usize
}

fn bit(counter: u64) -> u64 {
    1 << (counter % 64)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_counter_is_new_once_in_any_order() {
        let mut window = Window::starting_with(10);
        for counter in [10, 9, 0] {
            assert!(!window.is_new(counter), "{counter}");
        }
        for counter in [12, 11, 1030, 14, 13, 200] {
            assert!(window.is_new(counter), "{counter}");
            window.mark(counter);
            assert!(!window.is_new(counter), "{counter}");
        }
    }

    #[test]
    fn what_is_behind_the_window_is_old() {
        let mut window = Window::starting_with(0);
        window.mark(5000);
        assert!(window.is_new(5000 - WINDOW_LEN + 1));
        assert!(!window.is_new(5000 - WINDOW_LEN));
        assert!(!window.is_new(1));
    }

    #[test]
    fn the_last_counters_are_counters_too() {
        let mut window = Window::starting_with(0);
        window.mark(u64::MAX);
        assert!(!window.is_new(u64::MAX));
        assert!(window.is_new(u64::MAX - 1));
        window.mark(u64::MAX - 1);
        assert!(!window.is_new(u64::MAX - 1));
    }

    proptest! {
        /// Against a model that remembers everything.
        #[test]
        fn it_agrees_with_a_perfect_memory(
            start in 0..5000u64,
            steps in prop::collection::vec((any::<bool>(), 0..1500u64), 1..300),
        ) {
            let mut window = Window::starting_with(start);
            let mut newest = start;
            let mut seen = HashSet::new();
            for (ahead, distance) in steps {
                let counter = if ahead { newest + distance } else { newest.saturating_sub(distance) };
                let is_new = counter > start && newest < counter + WINDOW_LEN && !seen.contains(&counter);
                prop_assert_eq!(window.is_new(counter), is_new, "{} of {}", counter, newest);
                if is_new {
                    window.mark(counter);
                    seen.insert(counter);
                    newest = newest.max(counter);
                }
            }
        }
    }
}
