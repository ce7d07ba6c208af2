use std::{
    collections::{HashMap, HashSet, hash_map},
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::Arc,
};

use shiome_wire::control::Actor;

use crate::{
    config::{Config, MAX_NAME_LEN},
    error::SessionError,
};

/// The peer's actors and their groups, as far as it has told, within limits.
#[derive(Debug)]
pub(crate) struct Directory {
    limits: Limits,
    hasher: RandomState,
    actors: HashMap<u64, Entry>,
    by_name: HashMap<Arc<str>, u64>,
    /// Actors that are in a group, or have been: each is represented by something larger for as long as it lives.
    grouped: usize,
    memberships: usize,
    /// Bytes of all names held, counted once for every actor or membership that needs them.
    name_bytes: usize,
}

#[derive(Debug, Clone, Copy)]
struct Limits {
    actors: usize,
    grouped: usize,
    memberships: usize,
    name_bytes: usize,
}

#[derive(Debug, Default)]
struct Entry {
    name: Option<Arc<str>>,
    groups: HashSet<Arc<Group>>,
    /// Whether it is in a group, or has been.
    grouped: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Group {
    /// Of the names, taken once for all actors that a message tells of.
    hash: u64,
    scope: String,
    name: String,
}

impl Hash for Group {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Group {
    fn len(&self) -> usize {
        self.scope.len() + self.name.len()
    }
}

impl Directory {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            limits: Limits {
                actors: config.max_announced_actors,
                grouped: config.max_grouped_actors,
                memberships: config.max_memberships,
                name_bytes: config.max_directory_bytes,
            },
            hasher: RandomState::new(),
            actors: HashMap::new(),
            by_name: HashMap::new(),
            grouped: 0,
            memberships: 0,
            name_bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.actors.len()
    }

    pub(crate) fn contains(&self, pid: u64) -> bool {
        self.actors.contains_key(&pid)
    }

    pub(crate) fn pid_of(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn name_of(&self, pid: u64) -> Option<&str> {
        self.actors.get(&pid)?.name.as_deref()
    }

    pub(crate) fn pids(&self) -> impl Iterator<Item = u64> {
        self.actors.keys().copied()
    }

    /// Adds an actor; `false` when it was known.
    pub(crate) fn add(&mut self, actor: &Actor) -> Result<bool, SessionError> {
        if let Some(name) = &actor.name {
            check_name(name)?;
        }
        let full = self.actors.len() >= self.limits.actors;
        let hash_map::Entry::Vacant(vacant) = self.actors.entry(actor.pid) else {
            return Ok(false);
        };
        if full {
            return Err(SessionError::TooManyActors {
                limit: self.limits.actors,
            });
        }
        let name: Option<Arc<str>> = actor.name.as_deref().map(Arc::from);
        vacant.insert(Entry {
            name: name.clone(),
            ..Entry::default()
        });
        if let Some(name) = name {
            self.charge(name.len())?;
            self.by_name.insert(name, actor.pid);
        }
        Ok(true)
    }

    /// Removes an actor from the directory and all groups; `false` when it was not known.
    pub(crate) fn remove(&mut self, pid: u64) -> bool {
        let Some(entry) = self.actors.remove(&pid) else {
            return false;
        };
        if let Some(name) = entry.name {
            self.name_bytes -= name.len();
            // A later actor may have taken the name over.
            if self.by_name.get(&name) == Some(&pid) {
                self.by_name.remove(&name);
            }
        }
        self.grouped -= usize::from(entry.grouped);
        self.memberships -= entry.groups.len();
        self.name_bytes -= entry.groups.iter().map(|g| g.len()).sum::<usize>();
        true
    }

    /// Adds actors to a group, and to the directory where they were not known; returns the new members.
    pub(crate) fn join(
        &mut self,
        scope: &str,
        group: &str,
        actors: Vec<Actor>,
    ) -> Result<Vec<Actor>, SessionError> {
        let group = self.group(scope, group)?;
        let mut joined = Vec::new();
        for actor in actors {
            self.add(&actor)?;
            if self.join_one(actor.pid, &group)? {
                joined.push(actor);
            }
        }
        Ok(joined)
    }

    fn join_one(&mut self, pid: u64, group: &Arc<Group>) -> Result<bool, SessionError> {
        let Some(entry) = self.actors.get_mut(&pid) else {
            return Ok(false);
        };
        if !entry.groups.insert(Arc::clone(group)) {
            return Ok(false);
        }
        self.grouped += usize::from(!std::mem::replace(&mut entry.grouped, true));
        self.memberships += 1;
        if self.grouped > self.limits.grouped {
            return Err(SessionError::TooManyGroupedActors {
                limit: self.limits.grouped,
            });
        }
        if self.memberships > self.limits.memberships {
            return Err(SessionError::TooManyMemberships {
                limit: self.limits.memberships,
            });
        }
        self.charge(group.len())?;
        Ok(true)
    }

    /// Removes actors from a group; returns those that were members.
    pub(crate) fn leave(
        &mut self,
        scope: &str,
        group: &str,
        actors: &[Actor],
    ) -> Result<Vec<u64>, SessionError> {
        let group = self.group(scope, group)?;
        let mut left = Vec::new();
        for actor in actors {
            let Some(entry) = self.actors.get_mut(&actor.pid) else {
                continue;
            };
            if entry.groups.remove(&group) {
                self.memberships -= 1;
                self.name_bytes -= group.len();
                left.push(actor.pid);
            }
        }
        Ok(left)
    }

    /// Recounts, and checks the limits.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        let entries = || self.actors.values();
        let groups = || entries().flat_map(|entry| &entry.groups);
        let grouped = entries().filter(|entry| entry.grouped).count();
        assert!(entries().all(|entry| entry.grouped || entry.groups.is_empty()));
        let names: usize = entries().flat_map(|e| &e.name).map(|n| n.len()).sum();
        let group_names: usize = groups().map(|group| group.len()).sum();
        assert_eq!(self.grouped, grouped);
        assert_eq!(self.memberships, groups().count());
        assert_eq!(self.name_bytes, names + group_names);
        for (name, pid) in &self.by_name {
            assert_eq!(self.name_of(*pid), Some(&**name));
        }
        assert!(self.actors.len() <= self.limits.actors);
        assert!(self.grouped <= self.limits.grouped);
        assert!(self.memberships <= self.limits.memberships);
        assert!(self.name_bytes <= self.limits.name_bytes);
    }

    fn group(&self, scope: &str, name: &str) -> Result<Arc<Group>, SessionError> {
        check_name(scope)?;
        check_name(name)?;
        Ok(Arc::new(Group {
            hash: self.hasher.hash_one((scope, name)),
            scope: scope.to_owned(),
            name: name.to_owned(),
        }))
    }

    fn charge(&mut self, bytes: usize) -> Result<(), SessionError> {
        self.name_bytes += bytes;
        if self.name_bytes > self.limits.name_bytes {
            return Err(SessionError::DirectoryTooLarge {
                limit: self.limits.name_bytes,
            });
        }
        Ok(())
    }
}

fn check_name(name: &str) -> Result<(), SessionError> {
    if name.len() > MAX_NAME_LEN {
        return Err(SessionError::NameTooLong {
            len: name.len(),
            limit: MAX_NAME_LEN,
        });
    }
    Ok(())
}
