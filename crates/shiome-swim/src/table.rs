//! All that is known of the members.

mod digest;
mod record;

use core::net::SocketAddr;

use hashbrown::HashTable;
use shiome_gossip::{NodeId, SlotRange, compact::Handle};

use crate::{
    key::{Key, KeyMap},
    member::{Member, State},
    rng::Rng,
};
use digest::fingerprint;
pub(crate) use digest::{Digest, MAX_BITS, bucket};
pub(crate) use record::{Record, flag};

/// Most members with the same handle. Handles are 32 bits of a hash that everybody can compute, so that somebody could
/// make many that collide; honest ids do so once in billions.
const MAX_SAME_HANDLE: usize = 4;

/// The members, found by id or handle, picked at random, each at the cost of a few memory accesses.
pub(crate) struct Table {
    records: Vec<Record>,
    vacant: Vec<Key>,
    /// By handle.
    index: HashTable<Key>,
    index_seed: u64,
    /// Who is up, in the order in which they are probed.
    up: Vec<Key>,
    /// How many of `up` have been probed in this round.
    probed: usize,
    /// Who is not, in no order.
    down: Vec<Key>,
    announced: usize,
    meta: KeyMap<Meta>,
    digest: Digest,
    max_members: usize,
}

/// Role and slots of a member that is more than a primary without slots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    /// The incarnation that set it. What is newer replaces it.
    pub(crate) incarnation: u64,
    pub(crate) replicates: Option<NodeId>,
    pub(crate) slots: Box<[SlotRange]>,
}

impl Table {
    /// A table of this node alone.
    pub(crate) fn new(
        me: NodeId,
        addr: SocketAddr,
        incarnation: u64,
        max_members: usize,
        seed: u64,
    ) -> Self {
        let mut table = Self {
            records: Vec::new(),
            vacant: Vec::new(),
            index: HashTable::new(),
            index_seed: seed | 1,
            up: Vec::new(),
            probed: 0,
            down: Vec::new(),
            announced: 0,
            meta: KeyMap::default(),
            digest: Digest::new(),
            max_members,
        };
        let record = Record::new(me, addr, incarnation, State::Alive);
        let key = table.place(record);
        debug_assert_eq!(key, Key::ME);
        table
    }

    /// Number of members that are up, without this node.
    pub(crate) fn up_len(&self) -> usize {
        self.up.len()
    }

    /// Number of members that are gone but remembered.
    pub(crate) fn down_len(&self) -> usize {
        self.down.len()
    }

    /// Number of members that are up and announced.
    pub(crate) fn announced(&self) -> usize {
        self.announced
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Places in the table, vacant ones included: keys are below it.
    pub(crate) fn places(&self) -> u32 {
        self.records.len() as u32
    }

    #[inline]
    pub(crate) fn record(&self, key: Key) -> &Record {
        &self.records[key.index()]
    }

    /// The record at a place, if somebody is there.
    pub(crate) fn occupied(&self, key: Key) -> Option<&Record> {
        let record = self.records.get(key.index())?;
        (!record.has(flag::VACANT)).then_some(record)
    }

    /// Changes a flag that has no part in the digest and the lists.
    pub(crate) fn mark(&mut self, key: Key, flag: u16, on: bool) {
        let record = &mut self.records[key.index()];
        if flag == flag::ANNOUNCED && record.has(flag) != on {
            if on {
                self.announced += 1;
            } else {
                self.announced -= 1;
            }
        }
        record.set(flag, on);
    }

    pub(crate) fn set_addr(&mut self, key: Key, addr: SocketAddr) {
        self.toggle(key);
        self.records[key.index()].set_addr(addr);
        self.toggle(key);
    }

    /// Whether there is no room for anybody.
    pub(crate) fn is_full(&self) -> bool {
        self.index.len() >= self.max_members
    }

    /// The member of that handle, unless there are several.
    #[inline]
    pub(crate) fn by_handle(&self, handle: Handle) -> Option<Key> {
        let records = &self.records;
        let same = |key: &Key| records[key.index()].handle() == handle;
        let key = *self.index.find(self.hash(handle), same)?;
        (!self.record(key).has(flag::AMBIGUOUS)).then_some(key)
    }

    /// The member of that handle which listens there.
    pub(crate) fn by_handle_at(&self, handle: Handle, addr: SocketAddr) -> Option<Key> {
        let there = |key: &Key| *key != Key::ME && self.record(*key).addr() == addr;
        self.same_handle(handle).find(there)
    }

    #[inline]
    pub(crate) fn by_id(&self, id: &NodeId) -> Option<Key> {
        let records = &self.records;
        let same = |key: &Key| records[key.index()].id == *id;
        self.index.find(self.hash(Handle::of(id)), same).copied()
    }

    #[inline]
    fn hash(&self, handle: Handle) -> u64 {
        let mixed = u64::from(handle.bits()).wrapping_mul(self.index_seed);
        mixed ^ mixed.rotate_left(32)
    }

    /// Adds somebody new; `None` when there is no room.
    pub(crate) fn insert(
        &mut self,
        id: NodeId,
        addr: SocketAddr,
        incarnation: u64,
        state: State,
        rng: &mut Rng,
    ) -> Option<Key> {
        debug_assert!(self.by_id(&id).is_none(), "{id} is new");
        if self.is_full() {
            return None;
        }
        let handle = Handle::of(&id);
        let same: Vec<Key> = self.same_handle(handle).collect();
        if same.len() >= MAX_SAME_HANDLE {
            return None;
        }
        let key = self.place(Record::new(id, addr, incarnation, state));
        if !same.is_empty() {
            for key in same.into_iter().chain([key]) {
                self.records[key.index()].set(flag::AMBIGUOUS, true);
            }
        }
        self.enlist(key, rng);
        Some(key)
    }

    fn same_handle(&self, handle: Handle) -> impl Iterator<Item = Key> {
        let same = move |key: &Key| self.record(*key).handle() == handle;
        self.index
            .iter_hash(self.hash(handle))
            .copied()
            .filter(same)
    }

    /// Puts a record into a vacant place, the index and the digest.
    fn place(&mut self, record: Record) -> Key {
        let hash = self.hash(record.handle());
        let key = match self.vacant.pop() {
            Some(key) => {
                self.records[key.index()] = record;
                key
            }
            None => {
                grow(&mut self.records);
                self.records.push(record);
                Key(self.records.len() as u32 - 1)
            }
        };
        let (records, seed) = (&self.records, self.index_seed);
        self.index.insert_unique(hash, key, |key| {
            let handle = records[key.index()].handle();
            let mixed = u64::from(handle.bits()).wrapping_mul(seed);
            mixed ^ mixed.rotate_left(32)
        });
        self.toggle(key);
        key
    }

    /// Forgets a member that is down.
    pub(crate) fn remove(&mut self, key: Key) {
        debug_assert!(
            !self.record(key).state().is_up(),
            "only the gone are forgotten"
        );
        self.delist(key);
        self.toggle(key);
        self.meta.remove(&key);
        let hash = self.hash(self.record(key).handle());
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == key) {
            entry.remove();
        }
        let handle = self.record(key).handle();
        let left: Vec<Key> = self.same_handle(handle).collect();
        if let [alone] = left[..] {
            self.records[alone.index()].set(flag::AMBIGUOUS, false);
        }
        let record = &mut self.records[key.index()];
        record.set(flag::META, false);
        record.set(flag::VACANT, true);
        self.vacant.push(key);
    }

    /// Sets what is believed of a member.
    pub(crate) fn assign(&mut self, key: Key, incarnation: u64, state: State, rng: &mut Rng) {
        self.toggle(key);
        let record = &mut self.records[key.index()];
        let moves = key != Key::ME && record.state().is_up() != state.is_up();
        record.incarnation = incarnation;
        if state.is_up() {
            record.set(flag::AGED, false);
        }
        if moves {
            self.delist(key);
        }
        self.records[key.index()].set_state(state);
        if moves {
            self.enlist(key, rng);
        }
        self.toggle(key);
    }

    /// Takes a member that is long gone out of what is told.
    pub(crate) fn age(&mut self, key: Key) {
        self.records[key.index()].set(flag::AGED, true);
    }

    /// Adds the fingerprint of a member to the digest, or takes it away.
    fn toggle(&mut self, key: Key) {
        let record = &self.records[key.index()];
        if !record.state().is_up() && key != Key::ME {
            // Nodes forget the gone at different times.
            return;
        }
        let print = self.fingerprint(key);
        self.digest.toggle(&record.id, print);
    }

    fn fingerprint(&self, key: Key) -> u64 {
        let record = &self.records[key.index()];
        let meta = self.meta_incarnation(key);
        fingerprint(&record.id, record.incarnation, record.place(), meta)
    }

    #[cfg(test)]
    pub(crate) fn fingerprint_of_all(&self) -> u64 {
        let keys = (0..self.places()).map(Key);
        keys.filter_map(|key| Some((key, self.occupied(key)?)))
            .filter(|(key, record)| record.state().is_up() || *key == Key::ME)
            .map(|(key, _)| self.fingerprint(key))
            .fold(0, |sum, print| sum ^ print)
    }

    fn meta_incarnation(&self, key: Key) -> u64 {
        self.meta(key).map_or(0, |meta| meta.incarnation)
    }

    pub(crate) fn meta(&self, key: Key) -> Option<&Meta> {
        if self.record(key).has(flag::META) {
            self.meta.get(&key)
        } else {
            None
        }
    }

    /// Sets role and slots of a member.
    pub(crate) fn set_meta(&mut self, key: Key, is_primary: bool, meta: Meta) {
        self.toggle(key);
        let record = &mut self.records[key.index()];
        record.set(flag::PRIMARY, is_primary);
        record.set(flag::META, true);
        self.meta.insert(key, meta);
        self.toggle(key);
    }

    pub(crate) fn member(&self, key: Key) -> Member<'_> {
        let record = self.record(key);
        let meta = self.meta(key);
        Member {
            id: record.id,
            addr: record.addr(),
            incarnation: record.incarnation,
            state: record.state(),
            is_primary: record.has(flag::PRIMARY),
            replicates: meta.and_then(|meta| meta.replicates),
            slots: meta.map_or(&[], |meta| &meta.slots),
            speaks_compact: record.has(flag::COMPACT),
        }
    }

    /// Those who are up.
    pub(crate) fn up(&self) -> impl Iterator<Item = Key> {
        self.up.iter().copied()
    }

    /// All who are up, from somebody at random on.
    pub(crate) fn some_up(&self, rng: &mut Rng) -> impl Iterator<Item = Key> {
        let (before, after) = self.up.split_at(rng.below(self.up.len()));
        after.iter().chain(before).copied()
    }

    /// Any of those who are up.
    pub(crate) fn any_up(&self, rng: &mut Rng) -> Option<Key> {
        self.up.get(rng.below(self.up.len())).copied()
    }

    /// Any of those who are gone.
    pub(crate) fn any_down(&self, rng: &mut Rng) -> Option<Key> {
        self.down.get(rng.below(self.down.len())).copied()
    }

    /// The next to probe. Everybody who is up has a turn before anybody has another, in an order that changes from
    /// round to round (SWIM §4.3).
    pub(crate) fn next_to_probe(&mut self, rng: &mut Rng) -> Option<Key> {
        if self.probed >= self.up.len() {
            self.shuffle(rng);
        }
        let key = *self.up.get(self.probed)?;
        self.probed += 1;
        Some(key)
    }

    fn shuffle(&mut self, rng: &mut Rng) {
        self.probed = 0;
        for at in (1..self.up.len()).rev() {
            self.up.swap(at, rng.below(at + 1));
        }
        for (at, key) in self.up.iter().enumerate() {
            self.records[key.index()].position = at as u32;
        }
    }

    /// Puts a member into the list that its state says, the newly up anywhere among those not yet probed in this round.
    fn enlist(&mut self, key: Key, rng: &mut Rng) {
        if self.record(key).state().is_up() {
            let last = self.up.len();
            grow(&mut self.up);
            self.up.push(key);
            let at = self.probed + rng.below(last + 1 - self.probed);
            self.swap_up(at, last);
        } else {
            self.records[key.index()].position = self.down.len() as u32;
            self.down.push(key);
        }
    }

    fn delist(&mut self, key: Key) {
        let at = self.record(key).position as usize;
        if self.record(key).state().is_up() {
            // The gap moves to the end, past the border between the probed and the others.
            let mut gap = at;
            if gap < self.probed {
                self.probed -= 1;
                self.swap_up(gap, self.probed);
                gap = self.probed;
            }
            self.swap_up(gap, self.up.len() - 1);
            self.up.pop();
        } else {
            self.down.swap_remove(at);
            if let Some(moved) = self.down.get(at) {
                self.records[moved.index()].position = at as u32;
            }
        }
    }

    fn swap_up(&mut self, a: usize, b: usize) {
        self.up.swap(a, b);
        for at in [a, b] {
            self.records[self.up[at].index()].position = at as u32;
        }
    }

    /// Bytes held.
    pub(crate) fn memory(&self) -> usize {
        let ranges = |meta: &Meta| meta.slots.len() * size_of::<SlotRange>();
        self.records.capacity() * size_of::<Record>()
            + (self.vacant.capacity() + self.up.capacity() + self.down.capacity())
                * size_of::<Key>()
            + self.index.allocation_size()
            + self.meta.allocation_size()
            + self.meta.values().map(ranges).sum::<usize>()
            + size_of::<[u32; 1 << MAX_BITS]>()
    }
}

/// Makes room for some more, a thirty-second: doubling would leave half of a big table empty.
fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 32 + 8);
    }
}

#[cfg(test)]
mod tests;
