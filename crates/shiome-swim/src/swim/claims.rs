//! What somebody says about a member, and whether to believe it.
//!
//! Of two claims about a member the one of the higher incarnation holds, and of two about the same incarnation the one
//! of the later [`State`]. So claims may come in any order and any number of times, and in the end all nodes believe
//! the same. Only a member itself takes new incarnations, which is how it objects.

use core::net::SocketAddr;
use std::time::{Duration, Instant};

use shiome_gossip::{NodeId, SlotRange, compact::Handle};

use super::{Phase, Swim};
use crate::{
    event::{DownReason, Event},
    key::Key,
    member::{State, is_reachable},
    slots,
    suspicion::Suspicion,
    table::{Meta, flag},
    timers::Due,
};

/// Highest incarnation that a node takes. Claims are only believed below it, so that there is always room to object.
pub(super) const MAX_INCARNATION: u64 = u64::MAX / 4;

/// Most that an incarnation may grow at a time. A node takes one after the other, or the time of day at most; who
/// wants to use up all of them with forged claims needs days.
const MAX_INCARNATION_JUMP: u64 = 1 << 48;

/// Time in which this node follows claims about itself by no more than one such jump. What it took before has reached
/// all others by then, so that they never find it to jump.
const FOLLOW_WINDOW: Duration = Duration::from_secs(10);

/// Least time between two complaints about somebody with this node's id.
const CONFLICT_INTERVAL: Duration = Duration::from_secs(10);

/// How many periods a member may object after somebody said that it is dead.
const LAST_WORD: u32 = 1;

/// About how many of those who hear of a suspicion probe the suspect out of turn, for each confirmation that is
/// wanted. It makes the end of the time to object come sooner for the dead, and gives the living more chances to hear
/// of it.
const CONFIRMERS: f64 = 2.0;

/// Who says something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    /// The sender of the datagram, if it is a member.
    pub(super) key: Option<Key>,
    /// Who counts as the accuser where the claim does not tell.
    pub(super) handle: Handle,
    /// Whether it is news, which is passed on, and not part of a table.
    pub(super) news: bool,
}

/// All that is said of a member.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) id: NodeId,
    pub(super) addr: SocketAddr,
    pub(super) incarnation: u64,
    pub(super) state: State,
    pub(super) is_primary: bool,
    pub(super) compact: bool,
    pub(super) meta: Option<Meta>,
}

impl Swim {
    /// Takes all that is said of a member, who may be new.
    pub(super) fn hear(&mut self, now: Instant, claim: Claim, source: Source) {
        if !is_reachable(claim.addr) || claim.incarnation >= MAX_INCARNATION {
            self.stats.impossible += 1;
            return;
        }
        let Some(key) = self.table.by_id(&claim.id) else {
            self.meet(now, claim, source);
            return;
        };
        if key == Key::ME {
            self.hear_of_me(now, &claim);
            return;
        }
        if claim.compact {
            self.table.mark(key, flag::COMPACT, true);
        }
        match claim.state {
            State::Alive => self.alive(now, key, claim.incarnation, Some(claim.addr), source),
            State::Suspect => self.suspect(now, key, claim.incarnation, source.handle, source),
            State::Dead => self.dead(now, key, claim.incarnation, source),
            State::Left => self.left(now, key, claim.incarnation, source),
        }
        if let Some(meta) = claim.meta {
            self.hear_meta(now, key, claim.is_primary, meta, source);
        }
    }

    /// Takes a state that is said of somebody by name: of this node, of a member, or of nobody that is known.
    pub(super) fn hear_state(
        &mut self,
        now: Instant,
        of: Option<Key>,
        state: State,
        incarnation: u64,
        source: Source,
    ) {
        match (of, state) {
            (None, _) => {}
            (Some(Key::ME), _) => self.accused(now, incarnation, state),
            (Some(key), State::Alive) => self.alive(now, key, incarnation, None, source),
            (Some(key), State::Suspect) => {
                self.suspect(now, key, incarnation, source.handle, source);
            }
            (Some(key), State::Dead) => self.dead(now, key, incarnation, source),
            (Some(key), State::Left) => self.left(now, key, incarnation, source),
        }
    }

    /// Somebody new. Of those who are gone nobody needs to hear who has never known them: what everybody told to
    /// everybody new would never be forgotten.
    fn meet(&mut self, now: Instant, claim: Claim, source: Source) {
        if !claim.state.is_up() || self.jumps(0, claim.incarnation) {
            return;
        }
        let Some(key) = self.admit(now, &claim) else {
            self.stats.refused += 1;
            return;
        };
        self.table.mark(key, flag::PRIMARY, claim.is_primary);
        self.table.mark(key, flag::COMPACT, claim.compact);
        if let Some(meta) = claim.meta
            && self.fits(&meta)
            && meta.incarnation <= claim.incarnation
        {
            self.table.set_meta(key, claim.is_primary, meta);
        }
        self.changed(now);
        self.learned(now, source);
        self.await_announcement(now, key, Duration::ZERO);
        if source.news {
            self.start_rumor_unless_many(now, key);
        }
        if claim.state == State::Suspect {
            self.suspect(now, key, claim.incarnation, source.handle, source);
        }
    }

    /// Records were of use: there may be more in them.
    fn learned(&mut self, now: Instant, source: Source) {
        if !source.news {
            self.syncing.much(now, &self.config);
        }
    }

    /// Puts somebody new into the table, at the cost of whoever has been gone for longest.
    fn admit(&mut self, now: Instant, claim: &Claim) -> Option<Key> {
        let Claim {
            id,
            addr,
            incarnation,
            ..
        } = *claim;
        if self.table.is_full() {
            let oldest = self.graves.pop_oldest(now)?;
            self.erase(oldest);
        }
        self.table
            .insert(id, addr, incarnation, State::Alive, &mut self.rng)
    }

    /// Whether it can be told to others, in a datagram.
    pub(super) fn fits(&self, meta: &Meta) -> bool {
        meta.slots.len() <= slots::MAX_RANGES
    }

    /// Role and slots: those of the higher incarnation hold.
    pub(super) fn hear_meta(
        &mut self,
        now: Instant,
        key: Key,
        is_primary: bool,
        meta: Meta,
        source: Source,
    ) {
        let known = self.table.meta(key).map_or(0, |meta| meta.incarnation);
        if meta.incarnation <= known || meta.incarnation > self.table.record(key).incarnation() {
            return;
        }
        if !self.fits(&meta) {
            self.stats.refused += 1;
            return;
        }
        self.table.set_meta(key, is_primary, meta);
        self.changed(now);
        if source.news {
            self.start_rumor(now, key, true);
        }
        self.tell_changed(key);
    }

    pub(super) fn tell_changed(&mut self, key: Key) {
        let record = self.table.record(key);
        if record.has(flag::ANNOUNCED) {
            let id = record.id;
            self.event(Event::MemberChanged { id });
        }
    }

    /// It is alive in that incarnation.
    pub(super) fn alive(
        &mut self,
        now: Instant,
        key: Key,
        incarnation: u64,
        addr: Option<SocketAddr>,
        source: Source,
    ) {
        let record = self.table.record(key);
        let (was, known) = (record.state(), record.incarnation());
        let (id, announced) = (record.id, record.has(flag::ANNOUNCED));
        let moved = addr.filter(|addr| *addr != record.addr());
        if incarnation == known && was.is_up() {
            // All have to settle on one of two addresses. If it is the wrong one, the member hears of it and objects.
            if let Some(addr) = moved.filter(|addr| *addr > record.addr()) {
                self.moved(now, key, addr, source);
            }
            return;
        }
        if incarnation <= known || self.jumps(known, incarnation) {
            return;
        }
        self.table
            .assign(key, incarnation, State::Alive, &mut self.rng);
        if let Some(addr) = moved {
            self.table.set_addr(key, addr);
        }
        self.changed(now);
        match was {
            State::Alive => {}
            State::Suspect => {
                self.suspicions.remove(&key);
                if announced {
                    self.event(Event::MemberRecovered { id });
                }
            }
            State::Dead | State::Left => {
                self.learned(now, source);
                self.back(now, key);
            }
        }
        if moved.is_some() && announced {
            self.event(Event::MemberChanged { id });
        }
        if source.news {
            self.start_rumor(now, key, moved.is_some() || !was.is_up());
        }
    }

    fn moved(&mut self, now: Instant, key: Key, addr: SocketAddr, source: Source) {
        self.table.set_addr(key, addr);
        self.changed(now);
        self.tell_changed(key);
        if source.news {
            self.start_rumor(now, key, true);
        }
    }

    /// Somebody suspects it.
    pub(super) fn suspect(
        &mut self,
        now: Instant,
        key: Key,
        incarnation: u64,
        from: Handle,
        source: Source,
    ) {
        let record = self.table.record(key);
        let (was, known, id) = (record.state(), record.incarnation(), record.id);
        if self.jumps(known, incarnation) || incarnation < known {
            return;
        }
        if self.is_void(from, source) {
            self.stats.void += 1;
            return;
        }
        // Accusers that nobody knows could be made up. Who names them counts.
        let from = match self.table.by_handle(from) {
            Some(_) => from,
            None => source.handle,
        };
        if incarnation == known {
            match was {
                State::Alive => {}
                State::Suspect => {
                    self.confirmed(now, key, from, source);
                    return;
                }
                State::Dead | State::Left => return,
            }
        }
        self.table
            .assign(key, incarnation, State::Suspect, &mut self.rng);
        let suspicion = Suspicion::new(
            now,
            from,
            self.size(),
            self.config.probe_period,
            &self.config.suspicion,
        );
        self.timers.add(suspicion.deadline(), Due::Suspicion(key));
        self.suspicions.insert(key, suspicion);
        if incarnation != known {
            self.changed(now);
        }
        if !was.is_up() {
            self.back(now, key);
        }
        if self.table.record(key).has(flag::ANNOUNCED) && was == State::Alive {
            self.event(Event::MemberSuspected { id });
        }
        if source.news {
            self.start_rumor(now, key, false);
        }
        if from != self.header.sender {
            self.maybe_confirm(now, key);
        }
    }

    fn confirmed(&mut self, now: Instant, key: Key, from: Handle, source: Source) {
        let Some(suspicion) = self.suspicions.get_mut(&key) else {
            return;
        };
        if suspicion.confirm(from) {
            self.timers.add(suspicion.deadline(), Due::Suspicion(key));
            if source.news {
                self.start_rumor(now, key, false);
            }
        }
    }

    /// Has the suspect probed out of turn by some of those who hear of it.
    fn maybe_confirm(&mut self, now: Instant, key: Key) {
        let wanted = self.config.suspicion.confirmations as f64 * CONFIRMERS;
        if self.rng.chance(wanted / self.size() as f64) {
            let wait = self.rng.part_of(self.config.probe_period / 2);
            self.timers.add(now + wait, Due::Confirm(key));
        }
    }

    /// It is dead.
    pub(super) fn dead(&mut self, now: Instant, key: Key, incarnation: u64, source: Source) {
        let record = self.table.record(key);
        let (was, known) = (record.state(), record.incarnation());
        let old = incarnation < known || (incarnation == known && was >= State::Dead);
        if old || self.jumps(known, incarnation) {
            return;
        }
        if !source.news && was.is_up() {
            // The other's table may be of the far side of a partition: let the member object.
            self.suspect(now, key, incarnation, source.handle, source);
            return;
        }
        if self.is_void(source.handle, source) {
            self.stats.void += 1;
            return;
        }
        if was.is_up() {
            // Who says so may have been cut off when the member objected. It gets one more chance, which costs the
            // dead nothing: about everybody's time for them is over at the same moment.
            self.suspect(now, key, incarnation, source.handle, source);
            if let Some(suspicion) = self.suspicions.get_mut(&key) {
                suspicion.hasten(now + self.config.probe_period * LAST_WORD);
                self.timers.add(suspicion.deadline(), Due::Suspicion(key));
            }
            return;
        }
        self.down(now, key, incarnation, DownReason::Failed);
        if source.news {
            self.start_rumor(now, key, false);
        }
    }

    /// It has left.
    pub(super) fn left(&mut self, now: Instant, key: Key, incarnation: u64, source: Source) {
        let record = self.table.record(key);
        let known = record.incarnation();
        let old = incarnation < known || (incarnation == known && record.state() == State::Left);
        if old || self.jumps(known, incarnation) {
            return;
        }
        self.down(now, key, incarnation, DownReason::Left);
        if source.news {
            self.start_rumor(now, key, false);
        }
    }

    /// Whether a claim leaves no room to object for long.
    fn jumps(&mut self, known: u64, incarnation: u64) -> bool {
        let jumps = incarnation > MAX_INCARNATION
            || incarnation.saturating_sub(known) > MAX_INCARNATION_JUMP;
        if jumps {
            self.stats.impossible += 1;
        }
        jumps
    }

    /// Whether an accuser is gone himself. A node that is cut off in one direction accuses everybody.
    fn is_void(&self, from: Handle, source: Source) -> bool {
        let gone = |key: Key| key != Key::ME && !self.table.record(key).state().is_up();
        source.key.is_some_and(gone) || self.table.by_handle(from).is_some_and(gone)
    }

    /// Somebody says all there is about this node.
    fn hear_of_me(&mut self, now: Instant, claim: &Claim) {
        let (mine, me) = (self.incarnation(), self.addr());
        if claim.addr != me && claim.incarnation >= mine {
            if self.complain(now, claim.addr) {
                self.object(now, claim.incarnation);
            }
            return;
        }
        let own_meta = self.table.meta(Key::ME).map_or(0, |meta| meta.incarnation);
        if claim
            .meta
            .as_ref()
            .is_some_and(|meta| meta.incarnation > own_meta)
        {
            // Of an earlier life, in which this node had another role or other slots.
            self.object(now, claim.incarnation);
            let is_primary = self.table.record(Key::ME).has(flag::PRIMARY);
            let meta = self.own_meta();
            self.set_own_meta(now, is_primary, meta.replicates, meta.slots);
            return;
        }
        self.accused(now, claim.incarnation, claim.state);
    }

    /// Tells the owner of somebody with this node's id, unless it was told lately.
    pub(super) fn complain(&mut self, now: Instant, addr: SocketAddr) -> bool {
        let lately = |at: Instant| now.saturating_duration_since(at) < CONFLICT_INTERVAL;
        if self.conflict_at.is_some_and(lately) {
            return false;
        }
        self.conflict_at = Some(now);
        self.event(Event::Conflict { addr });
        true
    }

    /// Somebody says that this node is in some state in some incarnation.
    pub(super) fn accused(&mut self, now: Instant, incarnation: u64, state: State) {
        let mine = self.incarnation();
        let holds = match state {
            State::Alive => incarnation > mine,
            _ => incarnation >= mine,
        };
        if !holds || self.phase != Phase::In {
            return;
        }
        if state == State::Suspect {
            self.health.worsen(1);
        }
        self.object(now, incarnation);
    }

    /// Takes an incarnation above the claimed one, and tells so before anything else.
    fn object(&mut self, now: Instant, claimed: u64) {
        let mine = self.incarnation();
        let incarnation = claimed.saturating_add(1).max(mine + 1);
        if !self.may_follow(now, incarnation) {
            self.stats.impossible += 1;
            return;
        }
        let state = self.table.record(Key::ME).state();
        self.table
            .assign(Key::ME, incarnation, state, &mut self.rng);
        self.stats.refutations += 1;
        self.changed(now);
        self.start_rumor(now, Key::ME, true);
        self.event(Event::Incarnation { incarnation });
    }

    /// Whether a new incarnation is one that all others will believe.
    fn may_follow(&mut self, now: Instant, incarnation: u64) -> bool {
        let (since, base) = self.followed;
        let over = now.saturating_duration_since(since) >= FOLLOW_WINDOW;
        let base = if over { self.incarnation() } else { base };
        let may = incarnation <= MAX_INCARNATION && incarnation - base <= MAX_INCARNATION_JUMP;
        if may && over {
            self.followed = (now, base);
        }
        may
    }
}

/// Slots in order, as a record keeps them.
pub(super) fn kept_slots(ranges: impl IntoIterator<Item = SlotRange>) -> Box<[SlotRange]> {
    slots::normalised(ranges).into()
}
