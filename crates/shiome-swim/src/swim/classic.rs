//! Datagrams in the form of `ember-cluster`, which all nodes know.

mod tell;

use core::net::SocketAddr;
use std::time::Instant;

use shiome_gossip::{Datagram, Field, List, Message, NodeId, Slots, Update, compact::Handle};

use super::{
    Swim,
    claims::{Claim, Source, kept_slots},
    joining::Told,
    outgoing::{Form, Outgoing},
};
use crate::{
    key::Key,
    member::State,
    table::{Meta, flag},
    vote::Vote,
};

/// A Join of this length was filled up by its sender.
pub(super) const MIN_FILLED_JOIN: usize = 512;

/// The accusers of a datagram: which update, and who.
pub(super) type Accusers = Vec<(u16, NodeId)>;

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
            Update::Dead { node, incarnation } => {
                let of = self.table.by_id(&node);
                self.hear_state(now, of, State::Dead, incarnation, source);
            }
            Update::Left { node } => match self.table.by_id(&node) {
                Some(Key::ME) => self.accused(now, self.incarnation(), State::Left),
                Some(key) => {
                    let record = self.table.record(key);
                    let incarnation = record.incarnation();
                    if record.state().is_up() {
                        // It does not say which incarnation left: by another than the member it may be an old farewell.
                        let own = source.key == Some(key);
                        let state = if own { State::Left } else { State::Dead };
                        self.hear_state(now, Some(key), state, incarnation, source);
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
