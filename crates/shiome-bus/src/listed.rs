//! A list that is read far more often than it changes, and never while user code runs.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// Things with ids, in the order of addition.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    list: Mutex<Arc<[(u64, T)]>>,
    /// Whether there is any: most lists are empty, and then nobody looks further.
    any: AtomicBool,
    next_id: AtomicU64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self {
            list: Mutex::new(Arc::new([])),
            any: AtomicBool::new(false),
            next_id: AtomicU64::new(0),
        }
    }
}

impl<T: Clone> Listed<T> {
    pub(crate) fn add(&self, thing: T) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.change(|list| list.push((id, thing)));
        id
    }

    pub(crate) fn remove(&self, id: u64) -> bool {
        self.change(|list| list.retain(|(other, _)| *other != id))
    }

    pub(crate) fn clear(&self) {
        self.change(Vec::clear);
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.lock().iter().any(|(other, _)| *other == id)
    }

    /// All there are now, if any.
    pub(crate) fn snapshot(&self) -> Option<Arc<[(u64, T)]>> {
        let any = self.any.load(Ordering::Acquire);
        any.then(|| Arc::clone(&self.lock()))
    }

    /// Whether the length of the list changed. What is removed is dropped without the lock.
    fn change(&self, change: impl FnOnce(&mut Vec<(u64, T)>)) -> bool {
        let mut list = self.lock();
        let mut new = list.to_vec();
        change(&mut new);
        self.any.store(!new.is_empty(), Ordering::Release);
        let changed = new.len() != list.len();
        let old = std::mem::replace(&mut *list, new.into());
        drop(list);
        drop(old);
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Arc<[(u64, T)]>> {
        // The list is replaced as a whole.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
