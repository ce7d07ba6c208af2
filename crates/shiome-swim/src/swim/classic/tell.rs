//! What is said in the form of `ember-cluster`.

use core::net::SocketAddr;

use shiome_gossip::{ExtensionPacker, Field, Packer, Slots, SlotsAnnounce, Update};

use super::Accusers;
use crate::{
    key::{Key, KeyMap},
    member::State,
    rumors::Offer,
    suspicion::Suspicion,
    swim::{
        Swim,
        outgoing::{Outgoing, sent},
    },
    table::{Table, flag},
    transmit::Transmit,
};

/// Room behind a probe that is kept for what this family tells: its header, three numbers, and six accusers.
const EXTENSION_ROOM: usize = 160;

/// One probe in as many tells members of the common form what this node can do.
const TELL_EVERY: usize = 8;

/// Most members that are told of this node's slots at once; the others hear of them.
const MAX_ANNOUNCED: usize = 64;

impl Swim {
    pub(in crate::swim) fn write_classic_ping(
        &mut self,
        to: Key,
        addr: SocketAddr,
        seq: u64,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let packer = Packer::ping(kept_back(buf), seq, self.id()).ok()?;
        let (len, accusers, _) = self.tell_classic(packer, Some(to));
        let len = self.extend_probe(buf, len, &accusers);
        sent(addr, len)
    }

    pub(in crate::swim) fn write_classic_ack(
        &mut self,
        to: SocketAddr,
        key: Option<Key>,
        seq: u64,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let packer = Packer::ack(kept_back(buf), seq, self.id()).ok()?;
        let member = key.filter(|key| {
            let record = self.table.occupied(*key);
            record.is_some_and(|record| record.addr() == to)
        });
        if member.is_none() {
            return sent(to, packer.finish());
        }
        let (len, accusers, _) = self.tell_classic(packer, member);
        let len = self.extend_probe(buf, len, &accusers);
        sent(to, len)
    }

    /// News outside of probes: an Ack that nobody waits for, since that form has nothing else.
    pub(in crate::swim) fn write_classic_gossip(
        &mut self,
        to: Key,
        addr: SocketAddr,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let packer = Packer::ack(kept_back(buf), self.rng.u64(), self.id()).ok()?;
        let (len, accusers, items) = self.tell_classic(packer, Some(to));
        if items == 0 {
            return None;
        }
        let len = self.extend_probe(buf, len, &accusers);
        sent(addr, len)
    }

    /// Packs news. Returns the length of the datagram, who accuses whom in it, and the number of updates.
    fn tell_classic(
        &mut self,
        mut packer: Packer<'_, Update<'static>>,
        to: Option<Key>,
    ) -> (usize, Accusers, usize) {
        let limit = self.retransmit_limit();
        let Self {
            table,
            rumors,
            suspicions,
            ..
        } = self;
        let mut accusers = Accusers::new();
        let extended = to.is_some_and(|to| table.record(to).has(flag::EXTENDED));
        if let Some(to) = to.filter(|to| table.record(*to).state() != State::Alive) {
            let offer = Offer {
                key: to,
                sent: 0,
                full: false,
            };
            accuse(table, suspicions, offer, packer.items(), &mut accusers);
            // A datagram has room for one.
            let _ = packer.push(&news(table, offer));
        }
        if extended {
            rumors.tell_votes(limit, |vote| packer.push(&Update::from(*vote)).is_ok());
        }
        rumors.tell(limit, |offer| {
            if Some(offer.key) == to {
                return true;
            }
            if extended && offer.full {
                // Before the news itself: ember-cluster takes a role only with an incarnation that is new to it.
                push_meta(table, offer.key, &mut packer);
            }
            let at = packer.items();
            if packer.push(&news(table, offer)).is_err() {
                return false;
            }
            accuse(table, suspicions, offer, at, &mut accusers);
            true
        });
        let items = packer.items();
        (packer.finish(), accusers, items)
    }

    /// Writes who accuses whom behind a probe, and now and then what this node can do.
    fn extend_probe(&mut self, buf: &mut [u8], len: usize, accusers: &Accusers) -> usize {
        if accusers.is_empty() {
            let tell = self.config.compact && self.rng.below(TELL_EVERY) == 0;
            return if tell { self.extend(buf, len) } else { len };
        }
        let mut extension = ExtensionPacker::new(&mut buf[len..]);
        for (update, node) in accusers {
            let field = Field::Suspector {
                update: *update,
                node: *node,
            };
            if extension.push(&field).is_err() {
                break;
            }
        }
        len + extension.finish()
    }

    pub(in crate::swim) fn write_welcome(
        &mut self,
        to: SocketAddr,
        budget: usize,
        brief: bool,
        buf: &mut [u8],
    ) -> Option<Transmit> {
        let room = budget.min(buf.len());
        let buf = &mut buf[..room];
        let mut packer = Packer::welcome(kept_back(buf), self.id()).ok()?;
        let mut me = member(&self.table, Key::ME);
        if brief {
            // They are in the records.
            me.slots = Slots::EMPTY;
        }
        if packer.push(&me).is_err() {
            me.slots = Slots::EMPTY;
            packer.push(&me).ok()?;
        }
        if !brief {
            for key in self.table.some_up(&mut self.rng) {
                if packer.push(&member(&self.table, key)).is_err() {
                    break;
                }
            }
        }
        let len = packer.finish();
        let len = self.extend(buf, len);
        sent(to, len)
    }

    /// Tells some members that only know the common form of this node's slots at once.
    pub(in crate::swim) fn announce_slots(&mut self) {
        let classic = |key: &Key| !self.speaks_compact(*key);
        let some: Vec<Key> = self
            .table
            .up()
            .filter(classic)
            .take(MAX_ANNOUNCED)
            .collect();
        for to in some {
            self.push(Outgoing::SlotsAnnounce { to });
        }
    }

    pub(in crate::swim) fn write_slots(&mut self, to: Key, buf: &mut [u8]) -> Option<Transmit> {
        let addr = self.table.occupied(to)?.addr();
        let slots = self.table.meta(Key::ME).map_or(&[][..], |meta| &meta.slots);
        let announce = SlotsAnnounce {
            sender: self.id(),
            incarnation: self.incarnation(),
            slots: Slots::from(slots),
        };
        sent(addr, announce.encode(buf).ok()?)
    }
}

/// The buffer without what is kept for the extension.
fn kept_back(buf: &mut [u8]) -> &mut [u8] {
    let room = buf.len().saturating_sub(EXTENSION_ROOM);
    &mut buf[..room]
}

/// A rumor, as the table has it now.
fn news(table: &Table, offer: Offer) -> Update<'static> {
    let record = table.record(offer.key);
    let (node, incarnation) = (record.id, record.incarnation());
    match record.state() {
        State::Alive => Update::Alive {
            node,
            addr: record.addr(),
            incarnation,
        },
        State::Suspect => Update::Suspect { node, incarnation },
        State::Dead => Update::Dead { node, incarnation },
        State::Left => Update::Left { node },
    }
}

/// Notes who accuses the suspect of an update.
fn accuse(
    table: &Table,
    suspicions: &KeyMap<Suspicion>,
    offer: Offer,
    at: usize,
    accusers: &mut Accusers,
) {
    if table.record(offer.key).state() != State::Suspect {
        return;
    }
    let from = suspicions
        .get(&offer.key)
        .map(|suspicion| suspicion.from(offer.sent));
    if let Some(from) = from.and_then(|from| table.by_handle(from))
        && let Ok(at) = u16::try_from(at)
    {
        accusers.push((at, table.record(from).id));
    }
}

fn push_meta(table: &Table, key: Key, packer: &mut Packer<'_, Update<'static>>) {
    let record = table.record(key);
    let Some(meta) = table.meta(key) else { return };
    let role = Update::RoleChanged {
        node: record.id,
        incarnation: record.incarnation(),
        is_primary: record.has(flag::PRIMARY),
        replicates: meta.replicates,
    };
    let slots = Update::SlotsChanged {
        node: record.id,
        incarnation: record.incarnation(),
        slots: Slots::from(&*meta.slots),
    };
    for update in [role, slots] {
        // They are an addition to the news of the member itself, and told again with its next.
        let _ = packer.push(&update);
    }
}

fn member(table: &Table, key: Key) -> shiome_gossip::Member<'_> {
    let record = table.record(key);
    shiome_gossip::Member {
        id: record.id,
        addr: record.addr(),
        incarnation: record.incarnation(),
        is_primary: record.has(flag::PRIMARY),
        slots: Slots::from(table.meta(key).map_or(&[][..], |meta| &*meta.slots)),
    }
}
