//! Datagrams in the form of `ember-cluster`, which all nodes know.

use core::net::SocketAddr;
use std::time::Instant;

use shiome_gossip::{
    Datagram, ExtensionPacker, Field, List, Message, NodeId, Packer, Slots, SlotsAnnounce, Update,
    compact::Handle,
};

use super::{
    Swim,
    claims::{Claim, Source, kept_slots},
    joining::Told,
    outgoing::{Form, Outgoing, sent},
};
use crate::{
    key::{Key, KeyMap},
    member::State,
    rumors::{Offer, Vote},
    suspicion::Suspicion,
    table::{Meta, Table, flag},
    transmit::Transmit,
};

/// A Join of this length was filled up by its sender.
pub(super) const MIN_FILLED_JOIN: usize = 512;

/// Room behind a probe that is kept for what this family tells: its header, three numbers, and six accusers.
const EXTENSION_ROOM: usize = 160;

/// One probe in as many tells members of the common form what this node can do.
const TELL_EVERY: usize = 8;

/// The accusers of a datagram: which update, and who.
type Accusers = Vec<(u16, NodeId)>;

impl Swim {
    pub(super) fn handle_classic(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Ok(decoded) = Datagram::decode(datagram) else {
            self.stats.malformed += 1;
            return;
        };
        let extension = decoded.extension().unwrap_or_default();
        let told = Told::read(extension);
        if told.cluster.is_some_and(|id| id != self.config.cluster) {
            self.stats.wrong_cluster += 1;
            return;
        }
        let id = decoded.message.sender();
        if let Message::Join(join) = &decoded.message {
            self.handle_join(now, from, join, told, datagram.len());
            return;
        }
        if id == self.id() {
            self.stats.unknown_sender += 1;
            return;
        }
        let key = self.table.by_id(&id);
        let source = Source {
            key,
            handle: Handle::of(&id),
            news: true,
        };
        if let Some(key) = key {
            self.heard_at = now;
            self.note_compact(key, told);
            if let Some(incarnation) = told.incarnation {
                self.alive(now, key, incarnation, None, source);
            }
        }
        let accusers = || {
            let fields = extension.into_iter().flatten().map_while(Result::ok);
            fields.filter_map(|field| match field {
                Field::Suspector { update, node } => Some((update, node)),
                _ => None,
            })
        };
        match decoded.message {
            Message::Ping(ping) => {
                if key.is_none() {
                    self.stats.unknown_sender += 1;
                    self.note_stranger(from);
                }
                self.hear_list(now, &ping.updates, source, &accusers().collect());
                self.push(Outgoing::Ack {
                    to: from,
                    key,
                    seq: ping.seq,
                    form: Form::Classic,
                });
            }
            Message::Ack(ack) => {
                self.hear_list(now, &ack.updates, source, &accusers().collect());
                self.acked(now, source.handle, |ours| ours == ack.seq);
            }
            Message::PingReq(request) => match key {
                Some(key) => {
                    let target = self.table.by_id(&request.target);
                    self.relay(now, target, (key, from, request.seq), false);
                }
                None => self.stats.unknown_sender += 1,
            },
            Message::Welcome(welcome) => {
                self.handle_welcome(now, from, id, &welcome.members, told, source);
            }
            Message::SlotsAnnounce(announce) => {
                self.hear_slots(now, id, announce.incarnation, announce.slots, source);
            }
            _ => self.stats.malformed += 1,
        }
    }

    fn hear_list(
        &mut self,
        now: Instant,
        list: &List<'_, Update<'_>>,
        source: Source,
        accusers: &Accusers,
    ) {
        let Some(sender) = source.key else {
            // News is for members to tell.
            return;
        };
        for (index, update) in list.iter().enumerate() {
            let Ok(update) = update else {
                self.stats.partly_malformed += 1;
                return;
            };
            if !update.is_base() {
                self.table.mark(sender, flag::EXTENDED, true);
            }
            let by = accusers
                .iter()
                .filter(|(update, _)| usize::from(*update) == index)
                .map(|(_, node)| Handle::of(node));
            self.hear_classic(now, update, source, by);
        }
    }

    fn hear_classic(
        &mut self,
        now: Instant,
        update: Update<'_>,
        source: Source,
        by: impl Iterator<Item = Handle>,
    ) {
        match update {
            Update::Alive {
                node,
                addr,
                incarnation,
            } => self.hear(now, plain(node, addr, incarnation), source),
            Update::Suspect { node, incarnation } => match self.table.by_id(&node) {
                Some(Key::ME) => self.accused(now, incarnation, State::Suspect),
                Some(key) => {
                    let mut told = false;
                    for from in by {
                        told = true;
                        self.suspect(now, key, incarnation, from, source);
                    }
                    if !told {
                        self.suspect(now, key, incarnation, source.handle, source);
                    }
                }
                None => {}
            },
            Update::Dead { node, incarnation } => match self.table.by_id(&node) {
                Some(Key::ME) => self.accused(now, incarnation, State::Dead),
                Some(key) => self.dead(now, key, incarnation, source),
                None => {}
            },
            Update::Left { node } => match self.table.by_id(&node) {
                Some(Key::ME) => self.accused(now, self.incarnation(), State::Left),
                Some(key) => {
                    let record = self.table.record(key);
                    let incarnation = record.incarnation();
                    if !record.state().is_up() {
                    } else if source.key == Some(key) {
                        self.left(now, key, incarnation, source);
                    } else {
                        // It does not say which incarnation left, so it may be an old farewell.
                        self.dead(now, key, incarnation, source);
                    }
                }
                None => {}
            },
            Update::SlotsChanged {
                node,
                incarnation,
                slots,
            } => self.hear_slots(now, node, incarnation, slots, source),
            Update::RoleChanged {
                node,
                incarnation,
                is_primary,
                replicates,
            } => self.hear_role(now, node, incarnation, (is_primary, replicates), source),
            Update::VoteRequest {
                candidate,
                epoch,
                offset,
            } => self.hear_vote(
                now,
                Vote::Request {
                    candidate,
                    epoch,
                    offset,
                },
            ),
            Update::VoteGranted {
                from,
                candidate,
                epoch,
            } => self.hear_vote(
                now,
                Vote::Granted {
                    from,
                    candidate,
                    epoch,
                },
            ),
            _ => {}
        }
    }

    /// The member whose role or slots are told, once it has that incarnation.
    fn told_of(
        &mut self,
        now: Instant,
        node: NodeId,
        incarnation: u64,
        source: Source,
    ) -> Option<Key> {
        let key = self.table.by_id(&node)?;
        if key == Key::ME {
            self.accused(now, incarnation, State::Alive);
            return None;
        }
        self.alive(now, key, incarnation, None, source);
        (self.table.record(key).incarnation() >= incarnation).then_some(key)
    }

    fn hear_slots(
        &mut self,
        now: Instant,
        node: NodeId,
        incarnation: u64,
        slots: Slots<'_>,
        source: Source,
    ) {
        if source.key.is_none() {
            self.stats.unknown_sender += 1;
            return;
        }
        if let Some(key) = self.told_of(now, node, incarnation, source) {
            let is_primary = self.table.record(key).has(flag::PRIMARY);
            let known = self.table.meta(key);
            let meta = Meta {
                incarnation,
                replicates: known.and_then(|meta| meta.replicates),
                slots: kept_slots(slots.iter()),
            };
            let differs = known
                .is_some_and(|known| known.incarnation == incarnation && known.slots != meta.slots);
            if differs && source.key == Some(key) && self.fits(&meta) {
                // ember-cluster changes its slots without a new incarnation, and tells them with each probe.
                self.table.set_meta(key, is_primary, meta);
                self.tell_changed(key);
                return;
            }
            self.hear_meta(now, key, is_primary, meta, source);
        }
    }

    fn hear_role(
        &mut self,
        now: Instant,
        node: NodeId,
        incarnation: u64,
        role: (bool, Option<NodeId>),
        source: Source,
    ) {
        if let Some(key) = self.told_of(now, node, incarnation, source) {
            let (is_primary, replicates) = role;
            let slots = self.table.meta(key).map(|meta| meta.slots.clone());
            let meta = Meta {
                incarnation,
                replicates,
                slots: slots.unwrap_or_default(),
            };
            self.hear_meta(now, key, is_primary, meta, source);
        }
    }

    fn handle_welcome(
        &mut self,
        now: Instant,
        from: SocketAddr,
        id: NodeId,
        members: &List<'_, shiome_gossip::Member<'_>>,
        told: Told,
        source: Source,
    ) {
        if source.key.is_none() && !self.seeds.asked(from) {
            self.stats.unknown_sender += 1;
            return;
        }
        let source = Source {
            news: false,
            ..source
        };
        for member in members.iter() {
            let Ok(member) = member else {
                self.stats.partly_malformed += 1;
                break;
            };
            let mut claim = plain(member.id, member.addr, member.incarnation);
            claim.is_primary = member.is_primary;
            let is_more = !member.slots.is_empty() || !member.is_primary;
            // Nodes of this family send records, which know since when.
            claim.meta = (is_more && !told.speaks_compact()).then(|| Meta {
                incarnation: member.incarnation,
                replicates: None,
                slots: kept_slots(member.slots.iter()),
            });
            self.hear(now, claim, source);
        }
        let incarnation = told.incarnation.unwrap_or(0);
        self.hear(now, plain(id, from, incarnation), source);
        if let Some(key) = self.table.by_id(&id) {
            self.note_compact(key, told);
            self.welcomed(now, id, from);
        }
    }

    pub(super) fn write_classic_ping(
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

    pub(super) fn write_classic_ack(
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
    pub(super) fn write_classic_gossip(
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
            rumors.tell_votes(limit, |vote| packer.push(&vote_update(vote)).is_ok());
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

    pub(super) fn write_welcome(
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
    pub(super) fn announce_slots(&mut self) {
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

    pub(super) fn write_slots(&mut self, to: Key, buf: &mut [u8]) -> Option<Transmit> {
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

/// Most members that are told of this node's slots at once; the others hear of them.
const MAX_ANNOUNCED: usize = 64;

/// The buffer without what is kept for the extension.
fn kept_back(buf: &mut [u8]) -> &mut [u8] {
    let room = buf.len().saturating_sub(EXTENSION_ROOM);
    &mut buf[..room]
}

/// A claim of the little that the common form says.
fn plain(id: NodeId, addr: SocketAddr, incarnation: u64) -> Claim {
    Claim {
        id,
        addr: SocketAddr::new(addr.ip().to_canonical(), addr.port()),
        incarnation,
        state: State::Alive,
        is_primary: true,
        compact: false,
        meta: None,
    }
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

fn vote_update(vote: &Vote) -> Update<'static> {
    match *vote {
        Vote::Request {
            candidate,
            epoch,
            offset,
        } => Update::VoteRequest {
            candidate,
            epoch,
            offset,
        },
        Vote::Granted {
            from,
            candidate,
            epoch,
        } => Update::VoteGranted {
            from,
            candidate,
            epoch,
        },
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
