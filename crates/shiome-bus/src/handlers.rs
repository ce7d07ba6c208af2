//! The handlers of a peer. Who runs them takes a snapshot; who changes them makes a new table.

mod outcome;
mod subscription;
mod table;

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use self::table::Table;
pub(crate) use self::{outcome::Failure, subscription::What};
pub use self::{outcome::Outcome, subscription::Subscription};
use crate::{BoxFuture, Delivery, Name, Pattern};

/// What a handler does with a delivery.
pub(crate) enum Call {
    Sync(Box<SyncHandler>),
    Async(Box<AsyncHandler>),
}

type SyncHandler = dyn Fn(&Delivery) -> Result<(), Failure> + Send + Sync;
type AsyncHandler = dyn Fn(Delivery) -> BoxFuture<'static, Result<(), Failure>> + Send + Sync;

/// A handler that is registered.
pub(crate) struct Entry {
    /// In the order of registration.
    id: u64,
    pattern: Pattern,
    pub(crate) call: Call,
    /// Of a handler that runs once: whether its run has begun.
    once: Option<AtomicBool>,
}

impl Entry {
    /// Whether it may run: one that runs once may do so for the first who asks.
    fn claim(&self) -> bool {
        let begun = |once: &AtomicBool| once.swap(true, Ordering::AcqRel);
        !self.once.as_ref().is_some_and(begun)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{} {}", self.id, self.pattern)
    }
}

/// How often a handler runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Times {
    Always,
    Once,
}

#[derive(Debug, Default)]
pub(crate) struct Handlers {
    table: Mutex<Arc<Table>>,
    /// Grows with each change of the table.
    version: AtomicU64,
    next_id: AtomicU64,
}

impl Handlers {
    pub(crate) fn add(&self, pattern: Pattern, times: Times, call: Call) -> u64 {
        let mut table = self.lock();
        // Under the lock, so that ids are in the order of the table.
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let entry = Arc::new(Entry {
            id,
            pattern,
            call,
            once: (times == Times::Once).then(AtomicBool::default),
        });
        let new = Arc::new(table.with(entry));
        let old = std::mem::replace(&mut *table, new);
        self.changed(table, old);
        id
    }

    /// Removes the handlers that `remove` chooses, and says how many those were.
    fn remove_where(&self, remove: impl Fn(&Entry) -> bool) -> usize {
        let table = self.lock();
        let (left, removed) = table.without(remove);
        if removed == 0 {
            return 0;
        }
        let mut table = table;
        let old = std::mem::replace(&mut *table, Arc::new(left));
        self.changed(table, old);
        removed
    }

    /// Handlers of the user are dropped here, when no lock is held.
    fn changed(&self, table: MutexGuard<'_, Arc<Table>>, old: Arc<Table>) {
        self.version.fetch_add(1, Ordering::Release);
        drop(table);
        drop(old);
    }

    pub(crate) fn remove(&self, id: u64) -> bool {
        self.remove_where(|entry| entry.id == id) > 0
    }

    /// Removes all that were registered for exactly that pattern.
    pub(crate) fn remove_pattern(&self, pattern: &Pattern) -> usize {
        self.remove_where(|entry| entry.pattern == *pattern)
    }

    pub(crate) fn clear(&self) {
        self.remove_where(|_| true);
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.lock().entries().any(|entry| entry.id == id)
    }

    /// Whether there is one for that name.
    pub(crate) fn hear(&self, name: &Name) -> bool {
        self.lock().matching(name).next().is_some()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().entries().count()
    }

    /// Whether `entry` may run now; one that runs once is removed, and never may again.
    pub(crate) fn claim(&self, entry: &Entry) -> bool {
        let claimed = entry.claim();
        if claimed && entry.once.is_some() {
            self.remove(entry.id);
        }
        claimed
    }

    /// Brings a snapshot up to date.
    pub(crate) fn refresh(&self, snapshot: &mut Snapshot) {
        let version = self.version.load(Ordering::Acquire);
        if snapshot.table.is_some() && version == snapshot.version {
            return;
        }
        let (table, version) = {
            let table = self.lock();
            (Arc::clone(&table), self.version.load(Ordering::Relaxed))
        };
        // The old one, maybe the last of its handlers, is dropped without the lock.
        let awaits = table.awaits();
        *snapshot = Snapshot {
            table: Some(table),
            version,
            awaits,
        };
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Table>> {
        // The table is replaced as a whole.
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handlers as they were at one time, or none.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    table: Option<Arc<Table>>,
    version: u64,
    /// Whether one of them is a future.
    awaits: bool,
}

impl Snapshot {
    /// Keeps no handler any longer: one that is removed while its peer has nothing to do is freed at once.
    pub(crate) fn release(&mut self) {
        self.table = None;
    }

    pub(crate) fn awaits(&self) -> bool {
        self.awaits
    }

    /// The handlers for `name`, in the order of registration.
    pub(crate) fn matching<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Arc<Entry>> {
        let table = self.table.iter();
        table.flat_map(|table| table.matching(name))
    }
}
