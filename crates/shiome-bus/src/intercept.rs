//! What sees envelopes before they leave and before handlers get them.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use crate::{BusError, Envelope, Intent, listed::Listed};

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

/// Interceptors of one direction, run in the order of registration.
#[derive(Default)]
pub(crate) struct Interceptors(Listed<Arc<Interceptor>>);

impl Interceptors {
    pub(crate) fn add(&self, interceptor: Arc<Interceptor>) -> u64 {
        self.0.add(interceptor)
    }

    pub(crate) fn remove(&self, id: u64) -> bool {
        self.0.remove(id)
    }

    pub(crate) fn clear(&self) {
        self.0.clear();
    }

    pub(crate) fn contains(&self, id: u64) -> bool {
        self.0.contains(id)
    }

    /// Lets all see the envelope.
    ///
    /// # Errors
    ///
    /// [`BusError::Refused`] when one refuses it, or panics.
    #[inline]
    pub(crate) fn run(&self, envelope: &mut Envelope) -> Result<(), BusError> {
        match self.0.snapshot() {
            Some(list) => run(&list, envelope),
            None => Ok(()),
        }
    }
}

fn run(list: &[(u64, Arc<Interceptor>)], envelope: &mut Envelope) -> Result<(), BusError> {
    for (_, interceptor) in list {
        let verdict = catch_unwind(AssertUnwindSafe(|| interceptor(envelope)));
        match verdict.unwrap_or_else(|_| Verdict::Refuse("an interceptor panicked".into())) {
            Verdict::Pass => {}
            Verdict::Replace(intent) => {
                let hops = envelope.intent.hops();
                envelope.intent = intent.with_hops(hops);
            }
            Verdict::Refuse(why) => return Err(BusError::Refused(why)),
        }
    }
    Ok(())
}

impl fmt::Debug for Interceptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.snapshot().map_or(0, |list| list.len());
        write!(f, "{count} interceptors")
    }
}
