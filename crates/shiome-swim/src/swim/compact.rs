//! Datagrams of nodes of this family.

use core::net::SocketAddr;
use std::time::Instant;

use shiome_gossip::compact::{Datagram, Handle, Message, Probe, Update, Updates};

use super::{
    Swim,
    claims::{Claim, Source, kept_slots},
    outgoing::{Form, Outgoing},
};
use crate::{
    key::Key,
    member::State,
    table::{Meta, flag},
    vote::Vote,
};

impl Swim {
    pub(super) fn handle_compact(&mut self, now: Instant, from: SocketAddr, datagram: &[u8]) {
        let Ok(Datagram { header, message }) = Datagram::decode(datagram) else {
            self.stats.malformed += 1;
            return;
        };
        if header.cluster != self.header.cluster {
            self.stats.wrong_cluster += 1;
            return;
        }
        if from == self.addr() {
            // Its own, come back.
            self.stats.unknown_sender += 1;
            return;
        }
        let sender = self.table.by_handle(header.sender);
        // Members of the same handle are told apart by where they listen.
        let sender = sender
            .filter(|key| *key != Key::ME)
            .or_else(|| self.table.by_handle_at(header.sender, from));
        let Some(key) = sender else {
            self.handle_stranger(now, from, header.sender, message);
            return;
        };
        self.heard_at = now;
        let record = self.table.record(key);
        let (state, at_home) = (record.state(), record.addr() == from);
        if at_home {
            self.table.mark(key, flag::COMPACT, true);
        }
        let source = Source {
            key: Some(key),
            handle: header.sender,
            news: true,
        };
        match message {
            Message::Ping(ping) => {
                self.hear_all(now, ping.updates, source);
                if !at_home && self.questions.take(now) {
                    // It may not know that it is thought to be elsewhere.
                    self.push(Outgoing::Nack {
                        to: from,
                        seq: ping.seq.into(),
                    });
                    return;
                }
                self.push(Outgoing::Ack {
                    to: from,
                    key: Some(key),
                    seq: ping.seq.into(),
                    form: Form::Compact,
                });
            }
            Message::Ack(ack) => self.handle_ack(now, &ack, source),
            Message::PingReq(request) => {
                let target = self.table.by_handle(request.target);
                self.relay(now, target, (key, from, request.seq.into()), true);
            }
            Message::Nack(nack) => self.nacked(now, key, nack.seq),
            Message::Gossip(updates) => self.hear_all(now, updates, source),
            Message::Records(updates) => {
                self.hear_all(
                    now,
                    updates,
                    Source {
                        news: false,
                        ..source
                    },
                );
                self.sync_soon(now);
            }
            Message::Sync(sync) if state.is_up() => self.handle_sync(now, key, &sync),
            Message::Sync(_) => self.stats.unknown_sender += 1,
            _ => self.stats.malformed += 1,
        }
    }

    fn handle_ack(&mut self, now: Instant, ack: &Probe<'_>, source: Source) {
        self.hear_all(now, ack.updates, source);
        let seq = ack.seq;
        self.acked(now, source.handle, |ours| ours as u32 == seq);
        if let Some(key) = source.key {
            self.compare(now, key, ack.digest);
        }
    }

    /// Somebody who is no member, or whose handle is another's too. He is told so, and gets no news.
    fn handle_stranger(
        &mut self,
        now: Instant,
        from: SocketAddr,
        handle: Handle,
        message: Message<'_>,
    ) {
        self.stats.unknown_sender += 1;
        match message {
            Message::Ping(ping) => {
                if self.seeds.asked(from) {
                    // It overtook the welcome.
                    let source = Source {
                        key: None,
                        handle,
                        news: false,
                    };
                    self.hear_all(now, ping.updates, source);
                }
                self.push(Outgoing::Nack {
                    to: from,
                    seq: ping.seq.into(),
                });
            }
            Message::Ack(ack) => self.acked(now, handle, |ours| ours as u32 == ack.seq),
            Message::Records(updates) if self.seeds.asked(from) => {
                let source = Source {
                    key: None,
                    handle,
                    news: false,
                };
                self.hear_all(now, updates, source);
            }
            _ => {}
        }
    }

    fn hear_all(&mut self, now: Instant, updates: Updates<'_>, source: Source) {
        for update in updates {
            match update {
                Ok(update) => self.hear_update(now, update, source),
                Err(_) => self.stats.partly_malformed += 1,
            }
        }
    }

    fn hear_update(&mut self, now: Instant, update: Update<'_>, source: Source) {
        match update {
            Update::Alive { node, incarnation } => {
                let of = self.table.by_handle(node);
                self.hear_state(now, of, State::Alive, incarnation, source);
            }
            Update::Suspect {
                node,
                incarnation,
                from,
            } => match self.table.by_handle(node) {
                Some(key) if key != Key::ME => self.suspect(now, key, incarnation, from, source),
                of => self.hear_state(now, of, State::Suspect, incarnation, source),
            },
            Update::Dead { node, incarnation } => {
                let of = self.table.by_handle(node);
                self.hear_state(now, of, State::Dead, incarnation, source);
            }
            Update::Left { node, incarnation } => {
                let of = self.table.by_handle(node);
                self.hear_state(now, of, State::Left, incarnation, source);
            }
            Update::Member(member) => self.hear_member(now, &member, source),
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

    fn hear_member(
        &mut self,
        now: Instant,
        member: &shiome_gossip::compact::Member<'_>,
        source: Source,
    ) {
        let addr = member.addr;
        let claim = Claim {
            id: member.id,
            addr: SocketAddr::new(addr.ip().to_canonical(), addr.port()),
            incarnation: member.incarnation,
            state: member.state.into(),
            is_primary: member.is_primary,
            compact: member.compact,
            meta: member.meta.map(|meta| Meta {
                incarnation: meta.incarnation,
                replicates: meta.replicates,
                slots: kept_slots(meta.slots.iter()),
            }),
        };
        self.hear(now, claim, source);
    }

    /// A vote is passed on once, and an event once.
    pub(super) fn hear_vote(&mut self, now: Instant, vote: Vote) {
        if self.rumors.knows_vote(&vote) {
            return;
        }
        if !self.votes.take(now) {
            self.stats.refused += 1;
            return;
        }
        self.pass_vote_on(now, vote);
        self.event(vote.into());
    }
}
