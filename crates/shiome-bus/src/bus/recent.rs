//! A map that forgets what was put into it first.

use std::{borrow::Borrow, collections::VecDeque, hash::Hash};

use crate::hash::HashMap;

/// At most so many entries, those that were put into it last.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// In the order of putting. What was taken out or replaced since is skipped.
    order: VecDeque<(K, u64)>,
    limit: usize,
    puts: u64,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    put: u64,
}

impl<K: Eq + Hash + Clone, V> Recent<K, V> {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            entries: HashMap::default(),
            order: VecDeque::new(),
            limit,
            puts: 0,
        }
    }

    pub(super) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key).map(|entry| &entry.value)
    }

    pub(super) fn contains<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.contains_key(key)
    }

    /// Puts a value in, or another in its place, as the last.
    pub(super) fn insert(&mut self, key: K, value: V) {
        self.puts += 1;
        let put = self.puts;
        self.entries.insert(key.clone(), Entry { value, put });
        self.order.push_back((key, put));
        while self.order.len() > self.limit {
            if let Some((key, put)) = self.order.pop_front()
                && self.is_put(&key, put)
            {
                self.entries.remove(&key);
            }
        }
    }

    pub(super) fn remove<Q>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.remove(key);
    }

    /// Keeps only those for which `keep` holds.
    pub(super) fn retain(&mut self, keep: impl Fn(&K, &V) -> bool) {
        self.entries.retain(|key, entry| keep(key, &entry.value));
        let mut order = std::mem::take(&mut self.order);
        order.retain(|(key, put)| self.is_put(key, *put));
        self.order = order;
    }

    fn is_put(&self, key: &K, put: u64) -> bool {
        self.entries.get(key).is_some_and(|entry| entry.put == put)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(recent: &Recent<u32, char>) -> Vec<u32> {
        (0..10).filter(|key| recent.contains(key)).collect()
    }

    #[test]
    fn what_was_put_first_is_forgotten_first() {
        let mut recent = Recent::new(3);
        (0..4).for_each(|key| recent.insert(key, 'a'));
        assert_eq!(keys(&recent), [1, 2, 3]);
        recent.insert(1, 'b');
        assert_eq!(recent.get(&1), Some(&'b'));
        recent.insert(4, 'c');
        assert_eq!(keys(&recent), [1, 3, 4], "that was put anew");
    }

    #[test]
    fn what_is_taken_out_makes_room_and_does_not_take_another_with_it() {
        let mut recent = Recent::new(3);
        (0..3).for_each(|key| recent.insert(key, 'a'));
        recent.remove(&0);
        recent.insert(3, 'a');
        assert_eq!(keys(&recent), [1, 2, 3]);
        recent.retain(|key, _| *key != 1);
        recent.insert(4, 'a');
        assert_eq!(keys(&recent), [2, 3, 4]);
        assert_eq!(recent.order.len(), 3);
    }
}
