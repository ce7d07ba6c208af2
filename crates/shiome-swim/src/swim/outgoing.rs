//! What waits to be sent, and how it becomes bytes. It is decided on when it is handed out, so it is never old.

use core::net::SocketAddr;

use shiome_gossip::{
    Slots,
    compact::{self, Nack, Packer, PingReq, Sync, Update},
};

use super::{Swim, syncing::Parts};
use crate::{
    key::{Key, KeyMap},
    member::State,
    rumors::{Offer, Rumors},
    suspicion::Suspicion,
    table::{Table, flag},
    transmit::Transmit,
};

/// Most datagrams that wait to be handed out. An owner that polls after each call never gets near it.
const MAX_OUTGOING: usize = 16_384;

/// Share of a datagram that is kept for votes, if there are any: membership must not starve them.
const VOTES_SHARE: usize = 4;

/// How something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As `ember-cluster` does.
    Classic,
    /// As nodes of this family do among each other.
    Compact,
}

impl Form {
    pub(super) fn of(compact: bool) -> Self {
        if compact {
            Self::Compact
        } else {
            Self::Classic
        }
    }
}

/// A datagram to be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outgoing {
    /// Is it alive?
    Ping { to: Key, seq: u64 },
    /// This node is, or the member is that it was to ping. News is for members only, and where they are known to
    /// listen.
    Ack {
        to: SocketAddr,
        key: Option<Key>,
        seq: u64,
        form: Form,
    },
    /// Ping it for this node.
    PingReq { to: Key, target: Key, seq: u64 },
    /// It does not answer, or: who are you?
    Nack { to: SocketAddr, seq: u64 },
    /// News.
    Gossip { to: Key },
    /// Fingerprints of this node's table.
    Sync { to: Key, is_answer: bool },
    /// Records of some parts of the table, `left` places from `next` on, in up to `burst` datagrams.
    Records {
        to: Key,
        parts: Parts,
        bits: u8,
        next: u32,
        left: u32,
        burst: u8,
    },
    /// Let this node in, in a datagram that is filled up, or: tell me who is in.
    Join { to: SocketAddr, filled: bool },
    /// Here is who is in, in at most `budget` bytes.
    Welcome {
        to: SocketAddr,
        budget: usize,
        /// Without the others, who follow in records.
        brief: bool,
    },
    /// More of who is in, for somebody who speaks compact.
    WelcomeRecords {
        to: SocketAddr,
        budget: usize,
        /// Who joins: what is known of him comes first, so that he can object.
        joiner: Key,
    },
    /// This node's slots.
    SlotsAnnounce { to: Key },
}

impl Swim {
    pub(super) fn push(&mut self, outgoing: Outgoing) {
        if self.outgoing.len() < MAX_OUTGOING {
            self.outgoing.push_back(outgoing);
        } else {
            self.stats.refused += 1;
        }
    }

    /// Writes a datagram. `None` when it is pointless by now, or does not fit.
    pub(super) fn encode(&mut self, outgoing: Outgoing, buf: &mut [u8]) -> Option<Transmit> {
        let room = buf.len().min(self.config.max_datagram_len);
        let buf = &mut buf[..room];
        match outgoing {
            Outgoing::Ping { to, seq } => self.write_ping(to, seq, buf),
            Outgoing::Ack {
                to,
                key,
                seq,
                form: Form::Compact,
            } => self.write_ack(to, key, seq, buf),
            Outgoing::Ack {
                to,
                key,
                seq,
                form: Form::Classic,
            } => self.write_classic_ack(to, key, seq, buf),
            Outgoing::PingReq { to, target, seq } => self.write_ping_req(to, target, seq, buf),
            Outgoing::Nack { to, seq } => {
                let nack = Nack { seq: seq as u32 };
                sent(to, nack.encode(&self.header, buf).ok()?)
            }
            Outgoing::Gossip { to } => self.write_gossip(to, buf),
            Outgoing::Sync { to, is_answer } => self.write_sync(to, is_answer, buf),
            Outgoing::Records { .. } => self.write_records(outgoing, buf),
            Outgoing::Join { to, filled } => self.write_join(to, filled, buf),
            Outgoing::Welcome { to, budget, brief } => self.write_welcome(to, budget, brief, buf),
            Outgoing::WelcomeRecords { to, budget, joiner } => {
                self.write_welcome_records(to, budget, joiner, buf)
            }
            Outgoing::SlotsAnnounce { to } => self.write_slots(to, buf),
        }
    }

    /// Where a member listens, as long as it is remembered.
    fn addr_of(&self, key: Key) -> Option<SocketAddr> {
        self.table.occupied(key).map(|record| record.addr())
    }

    fn write_ping(&mut self, to: Key, seq: u64, buf: &mut [u8]) -> Option<Transmit> {
        let addr = self.addr_of(to)?;
        if !self.speaks_compact(to) {
            return self.write_classic_ping(to, addr, seq, buf);
        }
        let digest = self.digest();
        let mut packer = Packer::ping(buf, &self.header, seq as u32, digest).ok()?;
        self.tell(&mut packer, Some(to));
        sent(addr, packer.finish())
    }

    fn write_ack(
        &mut self,
        to: SocketAddr,
        key: Option<Key>,
        seq: u64,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let digest = self.digest();
        let mut packer = Packer::ack(buf, &self.header, seq as u32, digest).ok()?;
        if key.is_some_and(|key| self.addr_of(key) == Some(to)) {
            self.tell(&mut packer, key);
        }
        sent(to, packer.finish())
    }

    fn write_ping_req(
        &mut self,
        to: Key,
        target: Key,
        seq: u64,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let addr = self.addr_of(to)?;
        let record = self.table.occupied(target)?;
        let len = if self.speaks_compact(to) {
            let request = PingReq {
                seq: seq as u32,
                target: record.handle(),
            };
            request.encode(&self.header, buf)
        } else {
            let request = shiome_gossip::PingReq {
                seq,
                sender: self.id(),
                target: record.id,
                target_addr: record.addr(),
            };
            request.encode(buf)
        };
        sent(addr, len.ok()?)
    }

    fn write_gossip(&mut self, to: Key, buf: &mut [u8]) -> Option<Transmit> {
        let addr = self.addr_of(to)?;
        if !self.speaks_compact(to) {
            return self.write_classic_gossip(to, addr, buf);
        }
        let mut packer = Packer::gossip(buf, &self.header).ok()?;
        self.tell(&mut packer, Some(to));
        (packer.items() > 0).then(|| sent(addr, packer.finish()))?
    }

    fn write_sync(&mut self, to: Key, is_answer: bool, buf: &mut [u8]) -> Option<Transmit> {
        let addr = self.addr_of(to)?;
        let bits = self.sync_bits();
        let parts = self.table.digest().buckets(bits);
        let len = Sync::encode(&self.header, buf, is_answer, bits, parts).ok()?;
        sent(addr, len)
    }

    /// One datagram of records; the rest goes back to the head of the queue.
    fn write_records(&mut self, outgoing: Outgoing, buf: &mut [u8]) -> Option<Transmit> {
        let Outgoing::Records {
            to,
            parts,
            bits,
            mut next,
            mut left,
            burst,
        } = outgoing
        else {
            return None;
        };
        let addr = self.addr_of(to)?;
        let mut packer = Packer::records(buf, &self.header).ok()?;
        let places = self.table.places();
        while left > 0 {
            let key = Key(next % places);
            if self.is_in(key, &parts, bits)
                && packer
                    .push(&Update::Member(member(&self.table, key)))
                    .is_err()
                && packer.items() > 0
            {
                break;
            }
            next = (next + 1) % places;
            left -= 1;
        }
        if packer.items() == 0 {
            return None;
        }
        let len = packer.finish();
        self.syncing.answered();
        if left > 0 && burst > 1 {
            self.outgoing.push_front(Outgoing::Records {
                to,
                parts,
                bits,
                next,
                left,
                burst: burst - 1,
            });
        }
        sent(addr, len)
    }

    fn write_welcome_records(
        &mut self,
        to: SocketAddr,
        budget: usize,
        joiner: Key,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let room = budget.min(buf.len());
        let mut packer = Packer::records(&mut buf[..room], &self.header).ok()?;
        let first = [joiner, Key::ME];
        let others = self.table.some_up(&mut self.rng);
        let others = others.filter(|key| *key != joiner);
        for key in first.into_iter().chain(others) {
            if self.table.occupied(key).is_none() {
                continue;
            }
            if packer
                .push(&Update::Member(member(&self.table, key)))
                .is_err()
            {
                break;
            }
        }
        sent(to, packer.finish())
    }

    /// Packs what the receiver has to know, votes, and news, in this order.
    fn tell(&mut self, packer: &mut Packer<'_>, to: Option<Key>) {
        let limit = self.retransmit_limit();
        let Self {
            table,
            rumors,
            suspicions,
            ..
        } = self;
        if let Some(record) = to.and_then(|key| table.occupied(key)) {
            // Buddy (Lifeguard §IV-C): who is suspected or thought dead is told first of all.
            let (handle, incarnation) = (record.handle(), record.incarnation());
            let told = match record.state() {
                State::Alive => None,
                State::Suspect => Some(Update::Suspect {
                    node: handle,
                    incarnation,
                    from: to
                        .and_then(|key| suspicions.get(&key))
                        .map_or(handle, |suspicion| suspicion.from(0)),
                }),
                State::Dead => Some(Update::Dead {
                    node: handle,
                    incarnation,
                }),
                State::Left => Some(Update::Left {
                    node: handle,
                    incarnation,
                }),
            };
            if let Some(told) = told {
                // A datagram has room for one.
                let _ = packer.push(&told);
            }
        }
        tell_votes(rumors, limit, packer);
        rumors.tell(limit, |offer| {
            if Some(offer.key) == to {
                return true;
            }
            let update = news(table, suspicions, offer);
            // What does not fit into a datagram of its own would be in the way for ever.
            packer.push(&update).is_ok() || packer.items() == 0
        });
    }
}

fn tell_votes(rumors: &mut Rumors, limit: u32, packer: &mut Packer<'_>) {
    let keep = packer.room() - packer.room() / VOTES_SHARE;
    rumors.tell_votes(limit, |vote| {
        let update = Update::from(*vote);
        packer.room() >= keep + update.encoded_len() && packer.push(&update).is_ok()
    });
}

/// A rumor, as the table has it now.
fn news<'a>(table: &'a Table, suspicions: &KeyMap<Suspicion>, offer: Offer) -> Update<'a> {
    let record = table.record(offer.key);
    if offer.full || record.has(flag::AMBIGUOUS) {
        let mut member = member(table, offer.key);
        member.state = record.state().into();
        return Update::Member(member);
    }
    let (node, incarnation) = (record.handle(), record.incarnation());
    match record.state() {
        State::Alive => Update::Alive { node, incarnation },
        State::Suspect => Update::Suspect {
            node,
            incarnation,
            from: suspicions
                .get(&offer.key)
                .map_or(node, |suspicion| suspicion.from(offer.sent)),
        },
        State::Dead => Update::Dead { node, incarnation },
        State::Left => Update::Left { node, incarnation },
    }
}

/// A record, as it is told: suspicion is news and not part of it.
pub(super) fn member(table: &Table, key: Key) -> compact::Member<'_> {
    let record = table.record(key);
    let state = match record.state() {
        State::Suspect => State::Alive,
        other => other,
    };
    compact::Member {
        id: record.id,
        addr: record.addr(),
        incarnation: record.incarnation(),
        state: state.into(),
        is_primary: record.has(flag::PRIMARY),
        compact: record.has(flag::COMPACT),
        meta: table.meta(key).map(|meta| compact::Meta {
            incarnation: meta.incarnation.min(record.incarnation()),
            replicates: meta.replicates,
            slots: Slots::from(&*meta.slots),
        }),
    }
}

pub(super) fn sent(to: SocketAddr, len: usize) -> Option<Transmit> {
    Some(Transmit { to, len })
}
