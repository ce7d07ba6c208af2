//! Getting in, and letting others in.
//!
//! A Join is in the form that all nodes know. One of this family adds what that form lacks behind it, and fills the
//! datagram up: the answer is never longer than what was sent, so that a forged Join is of no use to flood somebody.

use core::net::SocketAddr;
use std::time::Instant;

use shiome_gossip::{
    Capabilities, Extension, ExtensionPacker, Field, Join, NodeId, compact::Handle,
};

use super::{
    Phase, Swim,
    claims::{Claim, Source},
    outgoing::{Outgoing, sent},
};
use crate::{event::Event, key::Key, member::State, table::flag, transmit::Transmit};

/// What this node can do.
const CAPABILITIES: Capabilities = Capabilities::COMPACT;

/// Most strangers that wait to be asked who they are.
const MAX_STRANGERS: usize = 8;

/// How many times the rejoin interval lies between two questions who is in. The answer is as long as a datagram gets.
const ASK_AROUND: u32 = 4;

/// Room in an answer that is kept for the short Welcome, when records follow it.
pub(super) const WELCOME_LEN: usize = 160;

/// What nodes of this family say behind a message of the common form.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    pub(super) capabilities: Capabilities,
    pub(super) cluster: Option<u64>,
    pub(super) incarnation: Option<u64>,
}

impl Told {
    pub(super) fn read(extension: Option<Extension<'_>>) -> Self {
        let mut told = Self::default();
        for field in extension.into_iter().flatten().map_while(Result::ok) {
            match field {
                Field::Capabilities(bits) => told.capabilities = bits,
                Field::ClusterId(cluster) => told.cluster = Some(cluster),
                Field::Incarnation(incarnation) => told.incarnation = Some(incarnation),
                _ => {}
            }
        }
        told
    }

    pub(super) fn speaks_compact(&self) -> bool {
        self.capabilities.contains(Capabilities::COMPACT)
    }
}

impl Swim {
    /// Asks some seeds.
    pub(super) fn ask_seeds(&mut self, now: Instant) {
        let table = &self.table;
        // With many members this is a walk through the table, but it happens once in `rejoin_interval`.
        let is_member = |addr: SocketAddr| table.up().any(|key| table.record(key).addr() == addr);
        let asked = self
            .seeds
            .attempt(now, self.config.rejoin_interval, &mut self.rng, is_member);
        for to in asked {
            self.push(Outgoing::Join { to, filled: true });
        }
    }

    pub(super) fn write_join(
        &mut self,
        to: SocketAddr,
        filled: bool,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let join = Join {
            sender: self.id(),
            sender_addr: self.addr(),
        };
        let len = join.encode(buf).ok()?;
        let len = self.extend(buf, len);
        if !filled {
            return sent(to, len);
        }
        buf[len..].fill(0);
        sent(to, buf.len())
    }

    /// A probe in the common form came from somebody who is no member. He may be one that this node has missed; he is
    /// asked, but not at his pace.
    pub(super) fn note_stranger(&mut self, from: SocketAddr) {
        if self.strangers.len() < MAX_STRANGERS && !self.strangers.contains(&from) {
            self.strangers.push(from);
        }
    }

    /// Asks a stranger who he is, if there was one.
    pub(super) fn ask_stranger(&mut self) -> bool {
        let stranger = self.strangers.pop();
        if let Some(to) = stranger {
            self.seeds.ask(to);
            self.push(Outgoing::Join { to, filled: false });
        }
        stranger.is_some()
    }

    /// Asks a stranger who he is, or a member of the common form who is in: nothing else finds what both have missed,
    /// since such members tell no fingerprints.
    pub(super) fn ask_around(&mut self, now: Instant, probed: Key) {
        if self.ask_stranger() {
            return;
        }
        let interval = self.config.rejoin_interval * ASK_AROUND;
        let recent = now.saturating_duration_since(self.asked_around_at) < interval;
        if !recent && !self.speaks_compact(probed) {
            self.asked_around_at = now;
            let to = self.table.record(probed).addr();
            self.push(Outgoing::Join { to, filled: false });
        }
    }

    /// Writes what this family tells behind a message.
    pub(super) fn extend(&self, buf: &mut [u8], len: usize) -> usize {
        let mut extension = ExtensionPacker::new(&mut buf[len..]);
        let capabilities = if self.config.compact {
            CAPABILITIES
        } else {
            Capabilities::NONE
        };
        for field in [
            Field::Capabilities(capabilities),
            Field::ClusterId(self.config.cluster),
            Field::Incarnation(self.incarnation()),
        ] {
            // It is an addition: where there is no room it is left out.
            let _ = extension.push(&field);
        }
        len + extension.finish()
    }

    /// Somebody wants to be let in.
    pub(super) fn handle_join(
        &mut self,
        now: Instant,
        from: SocketAddr,
        join: &Join,
        told: Told,
        len: usize,
    ) {
        if join.sender == self.id() {
            if join.sender_addr != self.addr() {
                self.complain(now, join.sender_addr);
            }
            return;
        }
        if self.phase != Phase::In {
            return;
        }
        let compact = told.speaks_compact() && self.config.compact;
        let Some(budget) = self.welcome_budget(now, len) else {
            self.stats.refused += 1;
            return;
        };
        let addr = join.sender_addr;
        let source = Source {
            key: None,
            handle: Handle::of(&join.sender),
            news: true,
        };
        let claim = Claim {
            id: join.sender,
            addr: SocketAddr::new(addr.ip().to_canonical(), addr.port()),
            incarnation: told.incarnation.unwrap_or(0),
            state: State::Alive,
            is_primary: true,
            compact,
            meta: None,
        };
        self.hear(now, claim, source);
        let Some(key) = self.table.by_id(&join.sender) else {
            return;
        };
        self.table.mark(key, flag::COMPACT, compact);
        if self
            .seeds
            .answered(now, self.config.rejoin_interval, &mut self.rng)
        {
            let record = self.table.record(key);
            let (via, addr) = (record.id, record.addr());
            self.event(Event::Joined { via, addr });
        }
        self.push(Outgoing::Welcome {
            to: from,
            budget,
            brief: compact,
        });
        if compact {
            let budget = budget.saturating_sub(WELCOME_LEN);
            self.push(Outgoing::WelcomeRecords {
                to: from,
                budget,
                joiner: key,
            });
        } else if !self.table.record(key).state().is_up() {
            // It is told that it is said to be gone.
            let seq = self.rng.u64();
            self.push(Outgoing::Ping { to: key, seq });
        }
    }

    /// How long the answer may be. A Join that was not filled up is of the installed base, which expects more than it
    /// sends: so many a second get it.
    fn welcome_budget(&mut self, now: Instant, len: usize) -> Option<usize> {
        if len >= super::classic::MIN_FILLED_JOIN {
            return Some(len);
        }
        self.short_joins
            .take(now)
            .then_some(self.config.max_datagram_len)
    }

    /// This node is in, by the answer of somebody.
    pub(super) fn welcomed(&mut self, now: Instant, via: NodeId, addr: SocketAddr) {
        if self
            .seeds
            .answered(now, self.config.rejoin_interval, &mut self.rng)
        {
            self.event(Event::Joined { via, addr });
            self.syncing.much(now, &self.config);
            self.sync_soon(now);
        }
    }

    /// The member that answered speaks compact.
    pub(super) fn note_compact(&mut self, key: Key, told: Told) {
        if told.speaks_compact() {
            self.table.mark(key, flag::COMPACT, true);
        }
    }
}
