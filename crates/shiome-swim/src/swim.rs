//! The machine.

mod claims;
mod classic;
mod compact;
mod gossip;
mod joining;
mod outgoing;
mod presence;
mod probing;
mod syncing;

use core::net::SocketAddr;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use shiome_gossip::{
    NodeId, SlotRange,
    compact::{Handle, Header, is_compact},
};
use thiserror::Error;

use crate::{
    allowance::Allowance,
    config::{Config, ConfigError},
    event::Event,
    graves::Graves,
    health::LocalHealth,
    key::{Key, KeyMap},
    member::{Identity, Member, State},
    probe::{Probe, Relay, Span},
    rng::Rng,
    rumors::Rumors,
    seeds::Seeds,
    slots,
    stats::Stats,
    suspicion::Suspicion,
    table::{Meta, Table, flag},
    timers::{Due, Timer, Timers},
    transmit::{ReliablePing, Transmit},
    vote::Vote,
};
use outgoing::Outgoing;
use syncing::Syncing;

/// New votes that are passed on per second, and at a time.
const VOTES: f64 = 64.0;

/// How late a timer is, at least, when this node takes it that it stood still.
const MIN_STALL: Duration = Duration::from_millis(100);

/// Joins of the installed base that are let in per second, and at a time.
const SHORT_JOINS: f64 = 20.0;

/// Most events that wait to be polled. An owner that polls after each call never gets there.
const MAX_EVENTS: usize = 1 << 20;

/// One node of a cluster: who else is there, as far as it can tell.
///
/// It does nothing by itself. Its owner gives it datagrams and time, and takes from it datagrams to send, events, and
/// the time at which it wants to be called again; the crate's documentation has the loop.
pub struct Swim {
    config: Config,
    rng: Rng,
    table: Table,
    header: Header,
    rumors: Rumors,
    health: LocalHealth,
    suspicions: KeyMap<Suspicion>,
    probes: Vec<Probe>,
    relays: Vec<Relay>,
    reliable: VecDeque<ReliablePing>,
    graves: Graves,
    seeds: Seeds,
    syncing: Syncing,
    timers: Timers,
    /// New members that wait to be announced.
    pending: Vec<Key>,
    announced_at: Option<Instant>,
    gossiped_at: Instant,
    /// When a member was last heard.
    heard_at: Instant,
    /// When somebody else was last found to use this node's id.
    conflict_at: Option<Instant>,
    /// The latest of the dead that was called, and the number that it answers with.
    called: Option<(Key, u64)>,
    /// Joins of the installed base, which are answered with more than they bring.
    short_joins: Allowance,
    /// Who sent a probe without being a member, as far as this node knows.
    strangers: Vec<SocketAddr>,
    /// When a member that tells no fingerprint was last asked who is in.
    asked_around_at: Instant,
    /// Since when, and from which incarnation on, this node follows claims about itself.
    followed: (Instant, u64),
    /// Pings from elsewhere than where their sender listens that are answered with the question who it is.
    questions: Allowance,
    /// When this node last introduced itself to a member that did not know it.
    introduced_at: Option<Instant>,
    /// Votes that are passed on.
    votes: Allowance,
    phase: Phase,
    outgoing: VecDeque<Outgoing>,
    events: VecDeque<Event>,
    stats: Stats,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A member, or about to be one.
    In,
    /// It has told that it leaves, and tells so again to who asks.
    Leaving,
    /// It says and hears no more.
    Gone,
}

/// The slots that were given cannot be a node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SlotsError {
    /// There are more ranges than fit into a datagram with room for anything else. Nothing was changed.
    #[error("more than {max} ranges of slots")]
    TooMany {
        /// How many there may be.
        max: usize,
    },
}

impl Swim {
    /// A node that is alone. `seed` decides all that is random, among it sequence numbers that nobody else may guess:
    /// draw it from the system's source.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when `config` or `me` is not valid.
    pub fn new(
        now: Instant,
        me: Identity,
        config: Config,
        seed: [u8; 32],
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        me.validate()?;
        let mut rng = Rng::new(seed);
        let Identity {
            id,
            addr,
            incarnation,
        } = me;
        let mut table = Table::new(id, addr, incarnation, config.max_members, rng.u64());
        table.mark(Key::ME, flag::COMPACT, config.compact);
        table.mark(Key::ME, flag::PRIMARY, true);
        let mut swim = Self {
            header: Header {
                cluster: config.cluster as u16,
                sender: Handle::of(&id),
            },
            rng,
            table,
            rumors: Rumors::default(),
            health: LocalHealth::new(config.max_local_health),
            suspicions: KeyMap::default(),
            probes: Vec::new(),
            relays: Vec::new(),
            reliable: VecDeque::new(),
            graves: Graves::default(),
            seeds: Seeds::default(),
            syncing: Syncing::new(now),
            timers: Timers::default(),
            pending: Vec::new(),
            announced_at: None,
            gossiped_at: now,
            heard_at: now,
            conflict_at: None,
            called: None,
            short_joins: Allowance::new(now, SHORT_JOINS, SHORT_JOINS),
            strangers: Vec::new(),
            asked_around_at: now,
            followed: (now, incarnation),
            questions: Allowance::new(now, 1.0, 1.0),
            introduced_at: None,
            votes: Allowance::new(now, VOTES, VOTES),
            phase: Phase::In,
            outgoing: VecDeque::new(),
            events: VecDeque::new(),
            stats: Stats::default(),
            config,
        };
        // Nodes that start together do not probe together.
        let first = swim.rng.part_of(swim.config.probe_period);
        swim.timers.set(Timer::Probe, now + first);
        Ok(swim)
    }

    /// Takes a datagram that came from `from`. What it cannot take is counted in [`Stats`] and leaves no other trace.
    pub fn handle_datagram(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        self.stats.datagrams_received += 1;
        self.stats.bytes_received += datagram.len() as u64;
        if self.phase == Phase::Gone {
            return;
        }
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if is_compact(datagram) {
            self.handle_compact(now, from, datagram);
        } else {
            self.handle_classic(now, from, datagram);
        }
        self.announce_if_due(now);
    }

    /// Does what is due. Call it when [`poll_timeout`](Self::poll_timeout) says so; later does no harm, and a node
    /// that is called much later takes it that it stood still and blames nobody.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(due) = self.poll_timeout() else {
            return;
        };
        let late = now.saturating_duration_since(due);
        if late >= MIN_STALL.max(self.config.probe_period / 2) {
            self.stood_still(now, late);
        }
        while let Some(due) = self.timers.pop_member(now) {
            match due {
                Due::Suspicion(key) => self.judge(now, key),
                Due::Damped(key) => self.damped(now, key),
                Due::Confirm(key) => self.confirm(now, key),
            }
        }
        self.step_probes(now);
        self.step_relays(now);
        if self.seeds.due.is_some_and(|due| due <= now) {
            self.ask_seeds(now);
        }
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Probe => self.probe(now),
                Timer::Gossip => self.gossip(now),
                Timer::Sync => self.sync_again(now),
                Timer::Announce => self.announce(now),
                Timer::Forget => self.forget(now),
                Timer::Leave => self.depart(),
            }
        }
    }

    /// Time stood still for this process, or it had none: what did not come in the meantime is nobody's fault.
    fn stood_still(&mut self, now: Instant, late: Duration) {
        self.stats.stalls += 1;
        self.health.worsen(1);
        self.probes.clear();
        self.relays.clear();
        self.reliable.clear();
        for suspicion in self.suspicions.values_mut() {
            suspicion.put_off(late);
        }
        self.timers.put_off_members(late);
        self.heard_at = now;
    }

    /// The next datagram to send, written to the start of `buf`, which must not be shorter than
    /// [`Config::max_datagram_len`].
    #[must_use]
    pub fn poll_transmit(&mut self, buf: &mut [u8]) -> Option<Transmit> {
        while let Some(outgoing) = self.outgoing.pop_front() {
            if let Some(transmit) = self.encode(outgoing, buf) {
                self.stats.datagrams_sent += 1;
                self.stats.bytes_sent += transmit.len as u64;
                return Some(transmit);
            }
        }
        None
    }

    /// The next member to ask over a reliable channel, if [`Config::reliable_pings`] says that there is one.
    #[must_use]
    pub fn poll_reliable_ping(&mut self) -> Option<ReliablePing> {
        self.reliable.pop_front()
    }

    /// The next event.
    #[must_use]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called. It changes with each call of anything else.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let span = self.span();
        let probes = self.probes.iter().map(|probe| probe.due(&span));
        let relays = self.relays.iter().map(|relay| relay.due(&span));
        let others = [self.timers.next(), self.seeds.due];
        others
            .into_iter()
            .flatten()
            .chain(probes)
            .chain(relays)
            .min()
    }

    /// Replaces the seeds: addresses at which members of the cluster may be found. They are asked until one answers,
    /// and again when this node is alone; one that is no member is asked now and then, so that clusters that should be
    /// one find each other. This node's own address is left out.
    pub fn join(&mut self, now: Instant, seeds: &[SocketAddr]) {
        if self.phase == Phase::In {
            let me = self.addr();
            self.seeds.set(now, me, seeds);
        }
    }

    /// Tells the others that this node leaves. [`Event::Departed`] follows, at the latest after
    /// [`Config::leave_timeout`], and after it this node is silent.
    pub fn leave(&mut self, now: Instant) {
        if self.phase != Phase::In {
            return;
        }
        self.phase = Phase::Leaving;
        self.probes.clear();
        self.seeds.due = None;
        self.timers.stop(Timer::Probe);
        self.timers.stop(Timer::Sync);
        let incarnation = self.incarnation();
        self.table
            .assign(Key::ME, incarnation, State::Left, &mut self.rng);
        self.rumors.start(Key::ME, false);
        let farewell = if self.table.up_len() == 0 {
            Duration::ZERO
        } else {
            self.config.leave_timeout
        };
        self.timers.set(Timer::Leave, now + farewell);
        self.timers.set(Timer::Gossip, now);
    }

    fn depart(&mut self) {
        self.phase = Phase::Gone;
        self.timers.clear();
        self.seeds.due = None;
        self.relays.clear();
        self.outgoing.clear();
        self.event(Event::Departed);
    }

    /// Sets whether this node is a primary or a replica, and of whom. It is a primary at first.
    pub fn set_role(&mut self, now: Instant, is_primary: bool, replicates: Option<NodeId>) {
        let slots = self.own_meta().slots;
        self.set_own_meta(now, is_primary, replicates, slots);
    }

    /// Sets the slots that this node owns. They are told in order and without overlap, whatever the order here.
    ///
    /// # Errors
    ///
    /// [`SlotsError`] when there are too many ranges even so.
    pub fn set_slots(&mut self, now: Instant, slots: &[SlotRange]) -> Result<(), SlotsError> {
        let slots = slots::normalised(slots.iter().copied());
        if slots.len() > slots::MAX_RANGES {
            return Err(SlotsError::TooMany {
                max: slots::MAX_RANGES,
            });
        }
        let record = self.table.record(Key::ME);
        let is_primary = record.has(flag::PRIMARY);
        let replicates = self.own_meta().replicates;
        self.set_own_meta(now, is_primary, replicates, slots.into());
        self.announce_slots();
        Ok(())
    }

    fn own_meta(&self) -> Meta {
        self.table.meta(Key::ME).cloned().unwrap_or_default()
    }

    /// Each change has an incarnation of its own, so that the later holds everywhere.
    fn set_own_meta(
        &mut self,
        now: Instant,
        is_primary: bool,
        replicates: Option<NodeId>,
        slots: Box<[SlotRange]>,
    ) {
        let incarnation = self.incarnation() + 1;
        let state = self.table.record(Key::ME).state();
        self.table
            .assign(Key::ME, incarnation, state, &mut self.rng);
        let meta = Meta {
            incarnation,
            replicates,
            slots,
        };
        self.table.set_meta(Key::ME, is_primary, meta);
        self.start_rumor(now, Key::ME, true);
        self.changed(now);
        self.event(Event::Incarnation { incarnation });
    }

    /// Asks for votes to replace this node's primary, as the protocol of `ember-cluster` has it.
    pub fn request_vote(&mut self, now: Instant, epoch: u64, offset: u64) {
        let vote = Vote::Request {
            candidate: self.id(),
            epoch,
            offset,
        };
        self.pass_vote_on(now, vote);
    }

    /// Gives this node's vote.
    pub fn grant_vote(&mut self, now: Instant, candidate: NodeId, epoch: u64) {
        let vote = Vote::Granted {
            from: self.id(),
            candidate,
            epoch,
        };
        self.pass_vote_on(now, vote);
    }

    /// This node's id.
    pub fn id(&self) -> NodeId {
        self.table.record(Key::ME).id
    }

    /// Where this node says that it listens.
    pub fn addr(&self) -> SocketAddr {
        self.table.record(Key::ME).addr()
    }

    /// This node's incarnation. It only grows.
    pub fn incarnation(&self) -> u64 {
        self.table.record(Key::ME).incarnation()
    }

    /// The members that are up and announced, without this node, in no order.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.table
            .up()
            .filter(|key| self.table.record(*key).has(flag::ANNOUNCED))
            .map(|key| self.table.member(key))
    }

    /// What is known of a member, or of this node. The dead are remembered for [`Config::tombstone_ttl`].
    pub fn member(&self, id: &NodeId) -> Option<Member<'_>> {
        self.table.by_id(id).map(|key| self.table.member(key))
    }

    /// Number of [`members`](Self::members).
    pub fn len(&self) -> usize {
        self.table.announced()
    }

    /// Whether this node is alone.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of members that are suspected at the moment.
    pub fn suspects(&self) -> usize {
        self.suspicions.len()
    }

    /// Number of news that are being told at the moment.
    pub fn backlog(&self) -> usize {
        self.rumors.len()
    }

    /// The local health multiplier (Lifeguard §IV-A): 0 is well.
    pub fn local_health(&self) -> u8 {
        self.health.multiplier()
    }

    /// Fingerprint of the table. Nodes that agree on all members, their incarnations and metadata have the same.
    pub fn digest(&self) -> u64 {
        self.table.digest().total()
    }

    /// What was done and dropped so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Bytes that the table of members holds.
    pub fn memory(&self) -> usize {
        self.table.memory()
    }

    /// The digest, computed anew.
    #[cfg(test)]
    pub(crate) fn fingerprint_of_all(&self) -> u64 {
        self.table.fingerprint_of_all()
    }

    #[cfg(test)]
    pub(crate) fn timers_len(&self) -> usize {
        self.timers.members_len()
    }

    fn span(&self) -> Span {
        Span {
            timeout: self.config.probe_timeout,
            period: self.config.probe_period,
        }
    }

    /// Number of members that are up, this node among them.
    fn size(&self) -> usize {
        self.table.up_len() + 1
    }

    fn event(&mut self, event: Event) {
        if self.events.len() < MAX_EVENTS {
            self.events.push_back(event);
        }
    }

    /// The table is another than before.
    fn changed(&mut self, now: Instant) {
        self.syncing.changed_at = now;
    }
}

impl core::fmt::Debug for Swim {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Swim")
            .field("id", &self.id())
            .field("incarnation", &self.incarnation())
            .field("members", &self.len())
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
