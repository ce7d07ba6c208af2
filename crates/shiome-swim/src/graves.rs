use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::key::{Key, KeyMap};

/// How long a death counts against a member.
const FORGIVEN_AFTER: Duration = Duration::from_secs(10 * 60);

/// How long a member waits that was gone twice; it doubles with each further time.
const FIRST_DAMPING: Duration = Duration::from_secs(60);

/// Who is gone and since when, so that the dead stay dead, and those who come and go do not make everybody run.
#[derive(Debug, Default)]
pub(crate) struct Graves {
    /// In the order of the deaths: those that are still told, and those that are only remembered.
    told: VecDeque<Grave>,
    kept: VecDeque<Grave>,
    /// The latest death of each, which tells a grave from one that was left.
    number: u64,
    latest: KeyMap<u64>,
    flaps: KeyMap<Flaps>,
}

#[derive(Debug, Clone, Copy)]
struct Grave {
    since: Instant,
    key: Key,
    number: u64,
}

/// How often a member died lately.
#[derive(Debug, Clone, Copy)]
struct Flaps {
    deaths: u32,
    last: Instant,
    /// Until when it is not announced.
    held_until: Instant,
}

impl Graves {
    /// A member is gone. Only a failure counts against it.
    pub(crate) fn bury(&mut self, now: Instant, key: Key, failed: bool) {
        self.number += 1;
        self.latest.insert(key, self.number);
        self.told.push_back(Grave {
            since: now,
            key,
            number: self.number,
        });
        if self.told.len() > 2 * self.latest.len() + 64 {
            let latest = &self.latest;
            let holds = |grave: &Grave| latest.get(&grave.key) == Some(&grave.number);
            self.told.retain(holds);
            self.kept.retain(holds);
        }
        if failed {
            let flaps = self.flaps.entry(key).or_insert(Flaps {
                deaths: 0,
                last: now,
                held_until: now,
            });
            if now.saturating_duration_since(flaps.last) > FORGIVEN_AFTER {
                flaps.deaths = 0;
            }
            flaps.deaths = flaps.deaths.saturating_add(1);
            flaps.last = now;
        }
    }

    /// A member is back. How long to wait until it is announced.
    pub(crate) fn leave(&mut self, now: Instant, key: Key, max_damping: Duration) -> Duration {
        self.latest.remove(&key);
        let Some(flaps) = self.flaps.get_mut(&key) else {
            return Duration::ZERO;
        };
        let forgiven = now.saturating_duration_since(flaps.last) > FORGIVEN_AFTER;
        let wait = match flaps.deaths.checked_sub(2) {
            Some(more) if !forgiven => (FIRST_DAMPING * (1 << more.min(6))).min(max_damping),
            _ => Duration::ZERO,
        };
        flaps.held_until = now + wait;
        wait
    }

    /// Until when a member that is back is still to wait.
    pub(crate) fn held_until(&self, now: Instant, key: Key) -> Option<Instant> {
        let until = self.flaps.get(&key)?.held_until;
        (now < until).then_some(until)
    }

    /// Takes out a member that has been gone for `age`, so that it is told no more.
    pub(crate) fn pop_told(&mut self, now: Instant, age: Duration) -> Option<Key> {
        let grave = pop(&mut self.told, &self.latest, now, age)?;
        self.kept.push_back(grave);
        Some(grave.key)
    }

    /// Takes out a member that has been gone for `age`, so that it is forgotten.
    pub(crate) fn pop_kept(&mut self, now: Instant, age: Duration) -> Option<Key> {
        let grave = pop(&mut self.kept, &self.latest, now, age)?;
        Some(self.forget(grave.key))
    }

    /// Takes out the member that has been gone for the longest time.
    pub(crate) fn pop_oldest(&mut self, now: Instant) -> Option<Key> {
        let kept = pop(&mut self.kept, &self.latest, now, Duration::ZERO);
        let grave = kept.or_else(|| pop(&mut self.told, &self.latest, now, Duration::ZERO))?;
        Some(self.forget(grave.key))
    }

    fn forget(&mut self, key: Key) -> Key {
        self.latest.remove(&key);
        self.flaps.remove(&key);
        key
    }

    /// Whether anybody is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty() && self.kept.is_empty()
    }
}

fn pop(
    graves: &mut VecDeque<Grave>,
    latest: &KeyMap<u64>,
    now: Instant,
    age: Duration,
) -> Option<Grave> {
    while let Some(grave) = graves.front().copied() {
        let holds = latest.get(&grave.key) == Some(&grave.number);
        if holds && now.saturating_duration_since(grave.since) < age {
            return None;
        }
        graves.pop_front();
        if holds {
            return Some(grave);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn the_dead_are_told_then_kept_then_forgotten() {
        let now = Instant::now();
        let mut graves = Graves::default();
        graves.bury(now, Key(1), true);
        graves.bury(now + MINUTE, Key(2), true);
        graves.leave(now, Key(1), MINUTE);
        assert_eq!(graves.pop_told(now + MINUTE, MINUTE), None);
        assert_eq!(graves.pop_kept(now + 3 * MINUTE, MINUTE), None);
        assert_eq!(graves.pop_told(now + 2 * MINUTE, MINUTE), Some(Key(2)));
        assert_eq!(graves.pop_kept(now + 3 * MINUTE, 3 * MINUTE), None);
        assert_eq!(graves.pop_kept(now + 4 * MINUTE, 3 * MINUTE), Some(Key(2)));
        assert!(graves.is_empty());
    }

    #[test]
    fn who_died_again_has_the_later_grave() {
        let now = Instant::now();
        let mut graves = Graves::default();
        graves.bury(now, Key(1), true);
        graves.leave(now, Key(1), MINUTE);
        graves.bury(now + MINUTE, Key(1), true);
        assert_eq!(graves.pop_told(now + MINUTE, MINUTE), None);
        assert_eq!(graves.pop_told(now + 2 * MINUTE, MINUTE), Some(Key(1)));
    }

    #[test]
    fn graves_that_were_left_do_not_pile_up() {
        let now = Instant::now();
        let mut graves = Graves::default();
        for _ in 0..10_000 {
            graves.bury(now, Key(1), true);
            graves.leave(now, Key(1), MINUTE);
        }
        assert!(graves.told.len() <= 70, "{}", graves.told.len());
    }

    #[test]
    fn the_second_return_within_ten_minutes_waits_and_each_further_one_longer() {
        let (mut now, max) = (Instant::now(), 10 * MINUTE);
        let mut graves = Graves::default();
        let mut waits = Vec::new();
        for _ in 0..7 {
            graves.bury(now, Key(1), true);
            waits.push(graves.leave(now, Key(1), max).as_secs() / 60);
            now += MINUTE;
        }
        assert_eq!(waits, [0, 1, 2, 4, 8, 10, 10]);
        assert_eq!(graves.leave(now + 11 * MINUTE, Key(1), max), Duration::ZERO);
        graves.bury(now + 11 * MINUTE, Key(1), true);
        let wait = graves.leave(now + 11 * MINUTE, Key(1), max);
        assert_eq!(wait, Duration::ZERO, "the earlier ones are forgiven");
        graves.bury(now, Key(2), false);
        graves.bury(now, Key(2), false);
        assert_eq!(graves.leave(now, Key(2), max), Duration::ZERO, "it said so");
    }
}
