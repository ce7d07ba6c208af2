//! Handlers by name, and those with wildcards.

use std::{collections::BTreeMap, sync::Arc};

use super::{Call, Entry};
use crate::Name;

/// Both lists are in the order of registration. Never changed, only replaced.
#[derive(Debug, Default)]
pub(super) struct Table {
    exact: BTreeMap<Name, Vec<Arc<Entry>>>,
    wild: Vec<Arc<Entry>>,
}

impl Table {
    pub(super) fn with(&self, entry: Arc<Entry>) -> Self {
        let (mut exact, mut wild) = (self.exact.clone(), self.wild.clone());
        match entry.pattern.exact() {
            Some(name) => exact.entry(name.clone()).or_default().push(entry),
            None => wild.push(entry),
        }
        Self { exact, wild }
    }

    /// A table without those that `remove` chooses, and their number.
    pub(super) fn without(&self, remove: impl Fn(&Entry) -> bool) -> (Self, usize) {
        let keep = |entries: &Vec<Arc<Entry>>| -> Vec<_> {
            let kept = entries.iter().filter(|entry| !remove(entry));
            kept.cloned().collect()
        };
        let exact = self.exact.iter();
        let exact = exact.map(|(name, entries)| (name.clone(), keep(entries)));
        let left = Self {
            exact: exact.filter(|(_, entries)| !entries.is_empty()).collect(),
            wild: keep(&self.wild),
        };
        let removed = self.entries().count() - left.entries().count();
        (left, removed)
    }

    /// Whether one of them is a future.
    pub(super) fn awaits(&self) -> bool {
        let mut entries = self.entries();
        entries.any(|entry| matches!(entry.call, Call::Async(_)))
    }

    /// All, in no order.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.exact.values().flatten().chain(&self.wild)
    }

    /// Those for `name`, in the order of registration.
    pub(super) fn matching<'a>(&'a self, name: &'a Name) -> impl Iterator<Item = &'a Arc<Entry>> {
        let exact = self.exact.get(name);
        let mut exact = exact.into_iter().flatten().peekable();
        let wild = self.wild.iter();
        let mut wild = wild.filter(|entry| entry.pattern.matches(name)).peekable();
        std::iter::from_fn(move || match (exact.peek(), wild.peek()) {
            (Some(first), Some(second)) if second.id < first.id => wild.next(),
            (Some(_), _) => exact.next(),
            (None, _) => wild.next(),
        })
    }
}
