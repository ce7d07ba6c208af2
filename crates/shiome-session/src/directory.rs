use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::{BuildHasher, Hash, Hasher, RandomState},
    sync::Arc,
};

use shiome_wire::control::Actor;

use crate::{
    config::{Config, MAX_NAME_LEN},
    error::SessionError,
    numbers::{NumberMap, NumberSet},
};

/// The peer's actors and their groups, as far as it has told, within limits.
#[derive(Debug)]
pub(crate) struct Directory {
    limits: Limits,
    hasher: RandomState,
    /// Most are only announced, so that what few have is kept apart.
    actors: NumberSet,
    names: NumberMap<Arc<str>>,
    by_name: HashMap<Arc<str>, u64>,
    /// Groups of the actors that are in one, or have been: each of these is represented by something larger for as long
    /// as it lives.
    grouped: NumberMap<HashSet<Arc<Group>>>,
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

/// What became of actors that the peer says have joined a group.
#[derive(Debug, Default)]
pub(crate) struct Joined {
    /// The new members.
    pub(crate) actors: Vec<Actor>,
    /// Those that there was no room for.
    pub(crate) left_out: Vec<Actor>,
}

enum Membership {
    New,
    Known,
    NoRoom,
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
            actors: NumberSet::default(),
            names: NumberMap::default(),
            by_name: HashMap::new(),
            grouped: NumberMap::default(),
            memberships: 0,
            name_bytes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.actors.len()
    }

    pub(crate) fn contains(&self, pid: u64) -> bool {
        self.actors.contains(&pid)
    }

    pub(crate) fn pid_of(&self, name: &str) -> Option<u64> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn name_of(&self, pid: u64) -> Option<&str> {
        self.names.get(&pid).map(|name| &**name)
    }

    pub(crate) fn pids(&self) -> impl Iterator<Item = u64> {
        self.actors.iter().copied()
    }

    /// Adds an actor; `false` when it was known.
    pub(crate) fn add(&mut self, actor: &Actor) -> Result<bool, SessionError> {
        if let Some(name) = &actor.name {
            check_name(name)?;
        }
        if self.contains(actor.pid) {
            return Ok(false);
        }
        if self.actors.len() >= self.limits.actors {
            return Err(SessionError::TooManyActors {
                limit: self.limits.actors,
            });
        }
        self.actors.insert(actor.pid);
        if let Some(name) = actor.name.as_deref() {
            self.charge(name.len())?;
            let name: Arc<str> = Arc::from(name);
            self.names.insert(actor.pid, Arc::clone(&name));
            self.by_name.insert(name, actor.pid);
        }
        Ok(true)
    }

    /// Removes an actor from the directory and all groups; `false` when it was not known.
    pub(crate) fn remove(&mut self, pid: u64) -> bool {
        if !self.actors.remove(&pid) {
            return false;
        }
        if let Some(name) = self.names.remove(&pid) {
            self.name_bytes -= name.len();
            // A later actor may have taken the name over.
            if self.by_name.get(&name) == Some(&pid) {
                self.by_name.remove(&name);
            }
        }
        if let Some(groups) = self.grouped.remove(&pid) {
            self.memberships -= groups.len();
            self.name_bytes -= groups.iter().map(|group| group.len()).sum::<usize>();
        }
        true
    }

    /// Adds actors to a group, and to the directory where they were not known. Those beyond the limit on actors in groups
    /// are left out of the group; one that joins again later may find room.
    pub(crate) fn join(
        &mut self,
        scope: &str,
        group: &str,
        actors: Vec<Actor>,
    ) -> Result<Joined, SessionError> {
        let group = self.group(scope, group)?;
        let mut joined = Joined::default();
        for actor in actors {
            self.add(&actor)?;
            match self.join_one(actor.pid, &group)? {
                Membership::New => joined.actors.push(actor),
                Membership::Known => {}
                Membership::NoRoom => joined.left_out.push(actor),
            }
        }
        Ok(joined)
    }

    fn join_one(&mut self, pid: u64, group: &Arc<Group>) -> Result<Membership, SessionError> {
        let full = self.grouped.len() >= self.limits.grouped;
        let groups = match self.grouped.entry(pid) {
            Entry::Occupied(groups) => groups.into_mut(),
            Entry::Vacant(_) if full => return Ok(Membership::NoRoom),
            Entry::Vacant(none) => none.insert(HashSet::new()),
        };
        if !groups.insert(Arc::clone(group)) {
            return Ok(Membership::Known);
        }
        self.memberships += 1;
        if self.memberships > self.limits.memberships {
            return Err(SessionError::TooManyMemberships {
                limit: self.limits.memberships,
            });
        }
        self.charge(group.len())?;
        Ok(Membership::New)
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
            let Some(groups) = self.grouped.get_mut(&actor.pid) else {
                continue;
            };
            if groups.remove(&group) {
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
        let groups = || self.grouped.values().flatten();
        assert!(self.grouped.keys().all(|pid| self.contains(*pid)));
        assert!(self.names.keys().all(|pid| self.contains(*pid)));
        let names: usize = self.names.values().map(|name| name.len()).sum();
        let group_names: usize = groups().map(|group| group.len()).sum();
        assert_eq!(self.memberships, groups().count());
        assert_eq!(self.name_bytes, names + group_names);
        for (name, pid) in &self.by_name {
            assert_eq!(self.name_of(*pid), Some(&**name));
        }
        assert!(self.actors.len() <= self.limits.actors);
        assert!(self.grouped.len() <= self.limits.grouped);
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
