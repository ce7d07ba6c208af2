//! Who does not answer (SWIM §3.1, §4.2; Lifeguard §IV).

use core::net::SocketAddr;
use std::time::Instant;

use super::{
    Phase, Swim,
    claims::Source,
    outgoing::{Form, Outgoing},
};
use shiome_gossip::compact::Handle;

use crate::{
    key::Key,
    member::State,
    probe::{MAX_PROBES, MAX_RELAYS, MAX_RELAYS_EACH, Probe, Purpose, Relay, Step},
    table::flag,
    timers::{Due, Timer},
    transmit::ReliablePing,
};

/// After as many periods in which nobody was heard, a node takes it that it is cut off. While all is well, the answer
/// to its own probe comes in each.
const SILENCE: u32 = 2;

impl Swim {
    /// The turn of the next member.
    pub(super) fn probe(&mut self, now: Instant) {
        self.timers
            .set(Timer::Probe, now + self.config.probe_period);
        if self.phase != Phase::In {
            return;
        }
        self.call_the_dead();
        let busy = |probe: &Probe| probe.purpose == Purpose::Turn;
        if self.probes.iter().any(busy) {
            // Its times are long because this node may be the slow one: it does not pile up more.
            return;
        }
        let Some(target) = self.table.next_to_probe(&mut self.rng) else {
            self.ask_stranger();
            return;
        };
        self.start_probe(now, target, Purpose::Turn);
        self.ask_around(now, target);
    }

    /// Another opinion about a suspect.
    pub(super) fn confirm(&mut self, now: Instant, key: Key) {
        let suspected = self
            .suspicions
            .get(&key)
            .is_some_and(|suspicion| !suspicion.is_confirmed());
        if suspected && self.phase == Phase::In {
            self.start_probe(now, key, Purpose::Confirm);
        }
    }

    fn start_probe(&mut self, now: Instant, target: Key, purpose: Purpose) {
        let known = |probe: &Probe| probe.target == target;
        if self.probes.iter().any(known) || self.probes.len() >= MAX_PROBES {
            return;
        }
        let seqs = [self.rng.u64(), self.rng.u64()];
        let scale = u32::from(self.health.multiplier()) + 1;
        self.probes
            .push(Probe::new(now, target, seqs, scale, purpose));
        self.stats.probes += 1;
        self.push(Outgoing::Ping {
            to: target,
            seq: seqs[0],
        });
    }

    /// Pings one of the dead now and then: it may not be dead but have been cut off, and that may be over.
    fn call_the_dead(&mut self) {
        let (up, down) = (self.table.up_len(), self.table.down_len());
        if down == 0 || self.rng.below(up + down) < up {
            return;
        }
        let Some(key) = self.table.any_down(&mut self.rng) else {
            return;
        };
        if self.table.record(key).state() == State::Dead {
            let seq = self.rng.u64();
            self.called = Some((key, seq));
            self.push(Outgoing::Ping { to: key, seq });
        }
    }

    pub(super) fn step_probes(&mut self, now: Instant) {
        let span = self.span();
        let mut at = 0;
        while let Some(probe) = self.probes.get_mut(at) {
            let (to, seq) = (probe.target, probe.seq);
            match probe.step(now, &span) {
                None => at += 1,
                Some(Step::Again | Step::OnceMore | Step::Last) => {
                    self.push(Outgoing::Ping { to, seq });
                }
                Some(Step::Indirect) => {
                    self.push(Outgoing::Ping { to, seq });
                    self.ask_others(at);
                }
                Some(Step::Fail) => {
                    let probe = self.probes.swap_remove(at);
                    self.failed(now, &probe);
                }
            }
        }
    }

    /// Asks others to ping the target of a probe (SWIM §3.1).
    fn ask_others(&mut self, at: usize) {
        let (target, seq) = (self.probes[at].target, self.probes[at].indirect_seq);
        let wanted = self.config.indirect_probes;
        let mut relays = Vec::with_capacity(wanted);
        // Some draws hit the target, suspects, or the same again; a small cluster has no others.
        for _ in 0..wanted * 4 {
            let drawn = self.table.any_up(&mut self.rng);
            let fit = |key: &Key| {
                let state = self.table.record(*key).state();
                *key != target && state == State::Alive && !relays.contains(key)
            };
            relays.extend(drawn.filter(fit));
            if relays.len() >= wanted {
                break;
            }
        }
        for relay in &relays {
            self.push(Outgoing::PingReq {
                to: *relay,
                target,
                seq,
            });
        }
        let compact = |key: &&Key| self.speaks_compact(**key);
        self.probes[at].nacks_expected = relays.iter().filter(compact).count();
        self.probes[at].relays = relays;
        if self.config.reliable_pings {
            let record = self.table.record(target);
            self.reliable.push_back(ReliablePing {
                member: record.id,
                addr: record.addr(),
                token: self.probes[at].seq,
            });
        }
    }

    fn fail_hopeless(&mut self, now: Instant) {
        if let Some(at) = self.probes.iter().position(Probe::is_hopeless) {
            let probe = self.probes.swap_remove(at);
            self.failed(now, &probe);
        }
    }

    /// Nobody had an answer.
    fn failed(&mut self, now: Instant, probe: &Probe) {
        self.stats.probes_failed += 1;
        // Relays that say nothing either hint at this node's own link.
        match probe.nacks_expected {
            0 => self.health.worsen(1),
            expected => self
                .health
                .worsen(expected.saturating_sub(probe.nackers.len())),
        }
        let record = self.table.record(probe.target);
        if !record.state().is_up() {
            return;
        }
        self.stats.suspicions += 1;
        let incarnation = record.incarnation();
        let me = self.myself();
        self.suspect(now, probe.target, incarnation, me.handle, me);
    }

    /// What this node says itself.
    pub(super) fn myself(&self) -> Source {
        Source {
            key: Some(Key::ME),
            handle: self.header.sender,
            news: true,
        }
    }

    /// The time to object may be over.
    pub(super) fn judge(&mut self, now: Instant, key: Key) {
        let Some(suspicion) = self.suspicions.get(&key) else {
            return;
        };
        let deadline = suspicion.deadline();
        if deadline > now {
            self.timers.add(deadline, Due::Suspicion(key));
            return;
        }
        // A node that hears nobody, though there are others, is the one that is cut off; but not for ever.
        let others = self.table.up_len() > 1;
        let silence = now.saturating_duration_since(self.heard_at);
        let alone = others && silence > self.config.probe_period * SILENCE;
        let latest = suspicion.latest();
        if alone && now < latest {
            self.timers.add(
                latest.min(now + self.config.probe_period),
                Due::Suspicion(key),
            );
            return;
        }
        self.stats.deaths += 1;
        let reason = suspicion.reason();
        let incarnation = self.table.record(key).incarnation();
        self.down(now, key, incarnation, reason);
        self.start_rumor(now, key, false);
    }

    /// Somebody answered, or answered for somebody.
    pub(super) fn acked(&mut self, now: Instant, sender: Handle, matches: impl Fn(u64) -> bool) {
        let is = |key: Key| self.table.record(key).handle() == sender;
        if let Some(at) = self.probes.iter().position(|probe| matches(probe.seq)) {
            let target = self.probes[at].target;
            let expected = is(target);
            self.probes.swap_remove(at);
            if expected {
                self.health.improve();
            } else {
                self.replaced(now, target);
            }
            return;
        }
        let indirect = |probe: &Probe| {
            probe.is_indirect()
                && matches(probe.indirect_seq)
                && (is(probe.target) || probe.relays.iter().any(|relay| is(*relay)))
        };
        if let Some(at) = self.probes.iter().position(indirect) {
            self.probes.swap_remove(at);
            self.stats.probes_indirect += 1;
            self.health.improve();
            return;
        }
        let asked = |relay: &Relay| matches(relay.seq) && is(relay.target);
        if let Some(at) = self.relays.iter().position(asked) {
            let relay = self.relays.swap_remove(at);
            self.push(Outgoing::Ack {
                to: relay.origin_addr,
                key: Some(relay.origin),
                seq: relay.origin_seq,
                form: Form::of(relay.compact),
            });
            return;
        }
        self.stats.unexpected_ack += 1;
    }

    /// Somebody else answers at the address of a member, with a number that only who is there can know.
    fn replaced(&mut self, now: Instant, key: Key) {
        let record = self.table.record(key);
        if !record.state().is_up() {
            return;
        }
        let incarnation = record.incarnation();
        let me = self.myself();
        self.suspect(now, key, incarnation, me.handle, me);
        // It may have been told to be there by mistake, and listen elsewhere.
        if let Some(suspicion) = self.suspicions.get_mut(&key) {
            suspicion.replaced(now + self.config.probe_period);
            self.timers.add(suspicion.deadline(), Due::Suspicion(key));
        }
    }

    /// A relay got no answer. The target itself says so when it does not know this node.
    pub(super) fn nacked(&mut self, now: Instant, sender: Key, seq: u32) {
        let known =
            |probe: &&mut Probe| probe.indirect_seq as u32 == seq && probe.relays.contains(&sender);
        if let Some(probe) = self.probes.iter_mut().find(known) {
            if !probe.nackers.contains(&sender) {
                probe.nackers.push(sender);
            }
            if probe.is_hopeless() {
                self.fail_hopeless(now);
            }
            return;
        }
        let stranger = |probe: &Probe| probe.seq as u32 == seq && probe.target == sender;
        let probed = self.probes.iter().position(stranger);
        if let Some(at) = probed {
            self.probes.swap_remove(at);
            self.health.improve();
        }
        let called = self
            .called
            .take_if(|(key, called)| (*key, *called as u32) == (sender, seq));
        if probed.is_some() || called.is_some() {
            self.introduce(now, sender);
            return;
        }
        self.stats.unexpected_ack += 1;
    }

    /// Tells a member who this node is. One that listens elsewhere than it sends from is asked again and again.
    fn introduce(&mut self, now: Instant, to: Key) {
        let pause = self.config.rejoin_interval / 3;
        let recent = |at: Instant| now.saturating_duration_since(at) < pause;
        if self.introduced_at.is_some_and(recent) {
            return;
        }
        self.introduced_at = Some(now);
        let to = self.table.record(to).addr();
        self.seeds.ask(to);
        self.push(Outgoing::Join { to, filled: true });
    }

    /// The reliable ping of that token was answered: the member is there, and only datagrams do not get through.
    pub fn handle_reliable_ack(&mut self, now: Instant, token: u64) {
        if let Some(at) = self.probes.iter().position(|probe| probe.seq == token) {
            self.heard_at = now;
            self.probes.swap_remove(at);
            self.stats.probes_indirect += 1;
        }
    }

    /// A member asks to ping another.
    pub(super) fn relay(
        &mut self,
        now: Instant,
        target: Option<Key>,
        origin: (Key, SocketAddr, u64),
        compact: bool,
    ) {
        let (from, addr, seq) = origin;
        let target =
            target.filter(|key| *key != Key::ME && self.table.record(*key).state() != State::Left);
        let Some(target) = target else {
            self.nack(addr, seq, compact);
            return;
        };
        let same = self.relays.iter().filter(|relay| relay.origin == from);
        if self.relays.len() >= MAX_RELAYS || same.count() >= MAX_RELAYS_EACH {
            self.stats.refused += 1;
            self.nack(addr, seq, compact);
            return;
        }
        let ping = self.rng.u64();
        self.relays
            .push(Relay::new(now, target, ping, origin, compact));
        self.push(Outgoing::Ping {
            to: target,
            seq: ping,
        });
    }

    fn nack(&mut self, to: SocketAddr, seq: u64, compact: bool) {
        if compact {
            self.push(Outgoing::Nack { to, seq });
        }
    }

    pub(super) fn step_relays(&mut self, now: Instant) {
        let span = self.span();
        let mut at = 0;
        while let Some(relay) = self.relays.get_mut(at) {
            if relay.due(&span) > now {
                at += 1;
            } else if relay.repeat() {
                let (to, seq) = (relay.target, relay.seq);
                self.push(Outgoing::Ping { to, seq });
            } else {
                let relay = self.relays.swap_remove(at);
                self.nack(relay.origin_addr, relay.origin_seq, relay.compact);
            }
        }
    }

    /// Whether to speak compact with a member.
    pub(super) fn speaks_compact(&self, key: Key) -> bool {
        self.config.compact && self.table.record(key).has(flag::COMPACT)
    }
}
