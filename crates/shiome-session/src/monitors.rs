use shiome_wire::native;

use crate::{
    config::Config,
    event::ExitKind,
    numbers::{NumberMap, NumberSet},
    terms::cut,
};

/// Who wants to know of whose end.
#[derive(Debug)]
pub(crate) struct Monitors {
    limit: usize,
    /// Actors of the peer that this side monitors.
    remote: NumberSet,
    /// Local actors that the peer monitors, with what is told of their end once it is known.
    local: NumberMap<Option<native::Exit>>,
}

/// As many actors are monitored as may be.
#[derive(Debug)]
pub(crate) struct TooMany {
    pub(crate) limit: usize,
}

impl Monitors {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limit: config.max_monitors,
            remote: NumberSet::default(),
            local: NumberMap::default(),
        }
    }

    /// Begins to monitor an actor of the peer; `false` when it was.
    pub(crate) fn add_remote(&mut self, pid: u64) -> Result<bool, TooMany> {
        if self.remote.contains(&pid) {
            return Ok(false);
        }
        self.check(self.remote.len())?;
        Ok(self.remote.insert(pid))
    }

    /// An actor of the peer is monitored no more; `false` when it was not.
    pub(crate) fn remove_remote(&mut self, pid: u64) -> bool {
        self.remote.remove(&pid)
    }

    /// The peer begins to monitor a local actor; `false` when it did.
    pub(crate) fn add_local(&mut self, pid: u64) -> Result<bool, TooMany> {
        if self.local.contains_key(&pid) {
            return Ok(false);
        }
        self.check(self.local.len())?;
        Ok(self.local.insert(pid, None).is_none())
    }

    /// The peer monitors a local actor no more; `false` when it did not.
    pub(crate) fn remove_local(&mut self, pid: u64) -> bool {
        self.local.remove(&pid).is_some()
    }

    /// Notes how a local actor ended, if the peer wants to know. The first word counts.
    pub(crate) fn exited(&mut self, pid: u64, kind: ExitKind, reason: Option<String>) {
        if let Some(exit) = self.local.get_mut(&pid) {
            exit.get_or_insert_with(|| native::Exit {
                pid,
                kind: kind.to_wire(),
                reason: reason.map(cut),
            });
        }
    }

    /// What the peer is told of the end of a local actor, right before it is told that it is gone.
    pub(crate) fn last_words(&mut self, pid: u64) -> Option<native::Exit> {
        self.local.remove(&pid)?
    }

    pub(crate) fn clear(&mut self) {
        self.remote = NumberSet::default();
        self.local = NumberMap::default();
    }

    fn check(&self, len: usize) -> Result<(), TooMany> {
        let limit = self.limit;
        if len >= limit {
            return Err(TooMany { limit });
        }
        Ok(())
    }

    /// Checks the limits, and that those who are monitored are known.
    #[cfg(test)]
    pub(crate) fn check_invariants(
        &self,
        is_remote: impl Fn(u64) -> bool,
        is_local: impl Fn(u64) -> bool,
    ) {
        assert!(self.remote.len() <= self.limit && self.local.len() <= self.limit);
        assert!(self.remote.iter().all(|pid| is_remote(*pid)));
        assert!(self.local.keys().all(|pid| is_local(*pid)));
    }
}
