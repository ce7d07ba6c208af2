//! Who is on the bus, by name. Tested with every interleaving by `tests/registry_interleavings.rs`, which brings its own `sync`.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::PoisonError,
};

use super::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::PeerId;

/// Locks that the names are spread over, so that senders to different peers seldom meet.
const SHARDS: usize = 16;

/// A place on the bus, which does not keep its owner.
pub(crate) trait Seat {
    type Owner;

    /// The owner, if it is still there.
    fn owner(&self) -> Option<Self::Owner>;

    /// Whether both are of the same owner.
    fn is(&self, other: &Self) -> bool;
}

type Seats<S> = HashMap<PeerId, S, foldhash::quality::RandomState>;

/// Names and seats. A name has one seat at a time.
#[derive(Debug)]
pub(crate) struct Registry<S> {
    shards: [RwLock<Seats<S>>; SHARDS],
}

impl<S: Seat> Registry<S> {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| RwLock::new(Seats::default())),
        }
    }

    /// Takes a name. One whose owner is gone counts as free.
    ///
    /// # Errors
    ///
    /// The seat, when the name is taken.
    pub(crate) fn take(&self, name: PeerId, seat: S) -> Result<(), S> {
        // An owner that turns out to be the last reference is dropped without the lock.
        let _owner;
        let mut shard = self.write(&name);
        match shard.entry(name) {
            Entry::Vacant(free) => {
                free.insert(seat);
                Ok(())
            }
            Entry::Occupied(mut taken) => {
                _owner = taken.get().owner();
                if _owner.is_some() {
                    drop(shard);
                    return Err(seat);
                }
                taken.insert(seat);
                Ok(())
            }
        }
    }

    /// Frees a name if `seat` has it: a later owner of the name keeps it.
    pub(crate) fn free(&self, name: &PeerId, seat: &S) -> bool {
        let mut shard = self.write(name);
        let same = shard.get(name).is_some_and(|taken| taken.is(seat));
        if same {
            shard.remove(name);
        }
        same
    }

    pub(crate) fn get(&self, name: &PeerId) -> Option<S::Owner> {
        self.read(shard_of(name)).get(name)?.owner()
    }

    /// All that are there.
    pub(crate) fn owners(&self) -> Vec<S::Owner> {
        let mut owners = Vec::new();
        for shard in 0..SHARDS {
            let shard = self.read(shard);
            owners.extend(shard.values().filter_map(Seat::owner));
        }
        owners
    }

    fn read(&self, shard: usize) -> RwLockReadGuard<'_, Seats<S>> {
        // Maps are whole after any panic.
        self.shards[shard]
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, name: &PeerId) -> RwLockWriteGuard<'_, Seats<S>> {
        self.shards[shard_of(name)]
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sum is enough: names that meet in a shard only share a lock.
fn shard_of(name: &PeerId) -> usize {
    let bytes = name.as_str().bytes();
    let sum = bytes.fold(0_usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    sum % SHARDS
}
