use std::array;

/// Numbers that are remembered.
const PLACES: usize = 32;

/// What was looked up last, by pid, so that messages in a row to few actors need not be hashed one by one.
///
/// The peer chooses pids. Those that share a place drive each other out, and that is all: what is not here is looked up
/// in a map that is hashed with a secret.
#[derive(Debug)]
pub(crate) struct Recent<T>([Option<(u64, T)>; PLACES]);

impl<T: Copy> Recent<T> {
    pub(crate) fn get(&self, pid: u64) -> Option<T> {
        let (known, value) = self.0[Self::place(pid)]?;
        (known == pid).then_some(value)
    }

    pub(crate) fn put(&mut self, pid: u64, value: T) {
        self.0[Self::place(pid)] = Some((pid, value));
    }

    /// Forgets what is remembered of `pid`, which is not so any more.
    pub(crate) fn remove(&mut self, pid: u64) {
        if self.get(pid).is_some() {
            self.0[Self::place(pid)] = None;
        }
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, T)> {
        self.0.iter().copied().flatten()
    }

    fn place(pid: u64) -> usize {
        (pid % PLACES as u64) as usize
    }
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self(array::from_fn(|_| None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pids_that_share_a_place_are_told_apart() {
        let mut recent = Recent::default();
        recent.put(1, 'a');
        let other = 1 + PLACES as u64;
        assert_eq!((recent.get(1), recent.get(other)), (Some('a'), None));
        recent.remove(other);
        assert_eq!(recent.get(1), Some('a'));
        recent.put(other, 'b');
        assert_eq!((recent.get(1), recent.get(other)), (None, Some('b')));
        recent.remove(other);
        assert_eq!(recent.iter().count(), 0);
    }
}
