//! What sees envelopes before they leave and before handlers get them.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::{BusError, Envelope, Intent};

/// What an interceptor decides.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The envelope goes on as it is.
    Pass,
    /// It goes on with another intent.
    Replace(Intent),
    /// It goes no further; the sender is told why, if it waits for that.
    Refuse(Arc<str>),
}

type Interceptor = dyn Fn(&Envelope) -> Verdict + Send + Sync;
/// With their ids.
type List = [(u64, Arc<Interceptor>)];

/// Interceptors of one direction, run in the order of registration.
#[derive(Default)]
pub(crate) struct Interceptors {
    list: Mutex<Arc<List>>,
    /// Whether there is any: most have none, and then look no further.
    any: AtomicBool,
    next_id: AtomicU64,
}

impl Interceptors {
    pub(crate) fn add(&self, interceptor: Arc<Interceptor>) -> u64 {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.change(|list| list.push((id, interceptor)));
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

    /// Whether the length of the list changed. What is removed is dropped without the lock.
    fn change(&self, change: impl FnOnce(&mut Vec<(u64, Arc<Interceptor>)>)) -> bool {
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

    /// Lets all see the envelope.
    ///
    /// # Errors
    ///
    /// [`BusError::Refused`] when one refuses it, or panics.
    pub(crate) fn run(&self, envelope: &mut Envelope) -> Result<(), BusError> {
        if !self.any.load(Ordering::Acquire) {
            return Ok(());
        }
        let list = Arc::clone(&self.lock());
        for (_, interceptor) in list.iter() {
            let verdict = catch_unwind(AssertUnwindSafe(|| interceptor(envelope)));
            match verdict.unwrap_or_else(|_| Verdict::Refuse("an interceptor panicked".into())) {
                Verdict::Pass => {}
                Verdict::Replace(intent) => envelope.intent = intent.with_hops(envelope.hops),
                Verdict::Refuse(why) => return Err(BusError::Refused(why)),
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<List>> {
        // The list is replaced as a whole.
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interceptors", self.lock().len())
    }
}
