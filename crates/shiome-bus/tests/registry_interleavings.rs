//! The registry of names under every interleaving of a few threads.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

/// The locks that the registry takes, watched.
mod sync {
    pub(crate) use loom::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
}

/// The registry itself, with those locks.
#[path = "../src/bus/registry.rs"]
#[allow(dead_code, reason = "not all of it is asked for here")]
mod registry;

pub use shiome_bus::PeerId;

use loom::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};
use registry::{Registry, Seat};

/// An owner that can go, and how it is known to the registry.
#[derive(Clone)]
struct Owner {
    number: u32,
    there: Arc<AtomicBool>,
}

impl Owner {
    fn new(number: u32) -> Self {
        Self {
            number,
            there: Arc::new(AtomicBool::new(true)),
        }
    }
}

impl Seat for Owner {
    type Owner = u32;

    fn owner(&self) -> Option<u32> {
        self.there.load(Ordering::Acquire).then_some(self.number)
    }

    fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

fn name() -> PeerId {
    PeerId::new("bob").unwrap()
}

fn model(test: impl Fn(Arc<Registry<Owner>>) + Send + Sync + 'static) {
    loom::model(move || test(Arc::new(Registry::new())));
}

#[test]
fn of_two_who_take_a_name_one_gets_it() {
    model(|registry| {
        let other = registry.clone();
        let taken = thread::spawn(move || other.take(name(), Owner::new(1)).is_ok());
        let first = registry.take(name(), Owner::new(2)).is_ok();
        let second = taken.join().unwrap();
        assert!(first != second);
        assert_eq!(registry.get(&name()), Some(if second { 1 } else { 2 }));
    });
}

#[test]
fn who_goes_does_not_take_a_later_owner_along() {
    model(|registry| {
        let old = Owner::new(1);
        assert!(registry.take(name(), old.clone()).is_ok());
        let (other, leaver) = (registry.clone(), old.clone());
        let left = thread::spawn(move || {
            leaver.there.store(false, Ordering::Release);
            other.free(&name(), &leaver);
        });
        let mut new = Owner::new(2);
        while let Err(refused) = registry.take(name(), new) {
            new = refused;
            thread::yield_now();
        }
        left.join().unwrap();
        assert_eq!(registry.get(&name()), Some(2));
        assert!(!registry.free(&name(), &old));
    });
}

#[test]
fn who_looks_sees_an_owner_that_is_there_or_none() {
    model(|registry| {
        let owner = Owner::new(1);
        assert!(registry.take(name(), owner.clone()).is_ok());
        let (other, leaver) = (registry.clone(), owner);
        let left = thread::spawn(move || {
            assert!(other.free(&name(), &leaver));
            leaver.there.store(false, Ordering::Release);
        });
        let seen = registry.get(&name());
        assert!(seen.is_none_or(|number| number == 1));
        left.join().unwrap();
        assert_eq!(registry.get(&name()), None);
        assert!(registry.owners().is_empty());
    });
}
