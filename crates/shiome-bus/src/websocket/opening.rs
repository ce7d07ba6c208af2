//! Connections that have not said hello yet.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::sync::Notify;

/// Connections that have not said hello yet. For each that is more the oldest goes, so that those who say nothing keep nobody out.
const MAX_OPENING: usize = 1024;

/// The same of one address, or of one network where networks are what a user has. A proxy has many users, who say hello at once.
const MAX_OF_SOURCE: usize = 256;

/// What is counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Address(IpAddr),
    /// Connections without an address, such as those of a web server.
    Unknown,
}

impl Source {
    fn of(ip: Option<IpAddr>) -> Self {
        match ip {
            // One user has 2^64 of them.
            Some(IpAddr::V6(ip)) => {
                let network = ip.to_bits() >> 64 << 64;
                Self::Address(Ipv6Addr::from_bits(network).into())
            }
            Some(ip) => Self::Address(ip),
            None => Self::Unknown,
        }
    }
}

/// Connections of which nothing is known yet. All are let in; the one that has been there longest is sent away where there are
/// too many.
#[derive(Debug, Default)]
pub(crate) struct Openings {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// Those who have said hello after all those who have not, and each in the order of coming.
    all: BTreeMap<Key, Entry>,
    of_source: HashMap<Source, usize>,
}

type Key = (bool, u64);

#[derive(Debug)]
struct Entry {
    source: Source,
    sent_away: Arc<Notify>,
}

/// A connection that has not been let in, until this is dropped.
#[derive(Debug)]
pub(crate) struct Opening {
    openings: Arc<Openings>,
    number: u64,
    has_spoken: AtomicBool,
    sent_away: Arc<Notify>,
}

impl Openings {
    fn open(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it changes.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection from `ip` has come.
    pub(crate) fn enter(self: &Arc<Self>, ip: Option<IpAddr>) -> Opening {
        let source = Source::of(ip);
        let mut open = self.open();
        let of_source = open.of_source.get(&source).copied().unwrap_or_default();
        if source != Source::Unknown && of_source >= MAX_OF_SOURCE {
            open.send_away(|entry| entry.source == source);
        }
        if open.all.len() >= MAX_OPENING {
            open.send_away(|_| true);
        }
        let key = (false, open.next);
        open.next += 1;
        let sent_away = Arc::new(Notify::new());
        let entry = Entry {
            source,
            sent_away: Arc::clone(&sent_away),
        };
        open.all.insert(key, entry);
        *open.of_source.entry(source).or_default() += 1;
        Opening {
            openings: Arc::clone(self),
            number: key.1,
            has_spoken: AtomicBool::new(false),
            sent_away,
        }
    }
}

impl Open {
    /// Sends the first away for which `one` is true.
    fn send_away(&mut self, one: impl Fn(&Entry) -> bool) {
        let first = self.all.iter().find(|(_, entry)| one(entry));
        let key = first.map(|(key, _)| *key);
        if let Some(entry) = key.and_then(|key| self.remove(key)) {
            entry.sent_away.notify_one();
        }
    }

    fn remove(&mut self, key: Key) -> Option<Entry> {
        let entry = self.all.remove(&key)?;
        if let Some(count) = self.of_source.get_mut(&entry.source) {
            *count -= 1;
            if *count == 0 {
                self.of_source.remove(&entry.source);
            }
        }
        Some(entry)
    }
}

impl Opening {
    /// It has said hello: it goes after those who have not.
    pub(crate) fn has_spoken(&self) {
        let mut open = self.openings.open();
        if let Some(entry) = open.all.remove(&self.key()) {
            self.has_spoken.store(true, Ordering::Relaxed);
            open.all.insert(self.key(), entry);
        }
    }

    /// Changes under the lock only.
    fn key(&self) -> Key {
        (self.has_spoken.load(Ordering::Relaxed), self.number)
    }

    /// Ends when the connection is to go. Cancel-safe.
    pub(crate) async fn sent_away(&self) {
        self.sent_away.notified().await;
        // Told again to whoever asks again.
        self.sent_away.notify_one();
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let mut open = self.openings.open();
        open.remove(self.key());
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn is_sent_away(opening: &Opening) -> bool {
        opening.sent_away().now_or_never().is_some()
    }

    #[test]
    fn the_oldest_goes_and_first_the_oldest_of_who_has_many() {
        let openings = Arc::new(Openings::default());
        let ip = |last: usize| Some(IpAddr::from([10, 0, (last >> 8) as u8, last as u8]));
        let other = openings.enter(ip(0));
        let flood: Vec<_> = (0..=MAX_OF_SOURCE).map(|_| openings.enter(ip(1))).collect();
        assert!(is_sent_away(&flood[0]));
        assert!(!is_sent_away(&flood[1]) && !is_sent_away(&other));
        let others: Vec<_> = (0..MAX_OPENING - MAX_OF_SOURCE)
            .map(|number| openings.enter(ip(2 + number)))
            .collect();
        assert!(is_sent_away(&other), "the oldest of all");
        assert!(!is_sent_away(&flood[1]));
        assert_eq!(openings.open().all.len(), MAX_OPENING);
        drop((other, flood, others));
        let open = openings.open();
        assert!(open.all.is_empty() && open.of_source.is_empty());
    }

    #[test]
    fn who_has_said_hello_goes_last() {
        let openings = Arc::new(Openings::default());
        let spoke = openings.enter(None);
        spoke.has_spoken();
        let silent: Vec<_> = (0..MAX_OPENING).map(|_| openings.enter(None)).collect();
        assert!(!is_sent_away(&spoke));
        assert!(is_sent_away(&silent[0]));
        assert!(!is_sent_away(&silent[1]));
    }

    #[test]
    fn a_network_of_a_user_is_one_source() {
        let source = |text: &str| Source::of(Some(text.parse().unwrap()));
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_ne!(source("10.0.0.1"), source("10.0.0.2"));
    }
}
