//! Looks at every field, so that none can be left out of what is executed.

use std::net::{IpAddr, SocketAddr};

use shiome_gossip::{
    Datagram, DecodeError, Extension, Field, Message, NodeId, Slots, Update, compact,
};

/// What was seen of one datagram.
#[derive(Default)]
pub(crate) struct Visited {
    /// Something of every field.
    pub(crate) sum: u64,
    /// Updates, members and fields of extensions.
    pub(crate) items: u64,
}

impl Visited {
    /// Decodes what a node would decode it as. Items that do not decode are seen up to the first of them; an error is
    /// one of the message.
    pub(crate) fn datagram(&mut self, bytes: &[u8]) -> Result<(), DecodeError> {
        if compact::is_compact(bytes) {
            let datagram = compact::Datagram::decode(bytes)?;
            self.number(datagram.header.cluster);
            self.number(datagram.header.sender.bits());
            self.compact(&datagram.message);
            return Ok(());
        }
        let datagram = Datagram::decode(bytes)?;
        self.classic(&datagram.message);
        if let Ok(Some(extension)) = datagram.extension() {
            self.extension(extension);
        }
        Ok(())
    }

    fn classic(&mut self, message: &Message<'_>) {
        self.node(message.sender());
        match message {
            Message::Ping(ping) => {
                self.number(ping.seq);
                self.updates(ping.updates);
            }
            Message::Ack(ack) => {
                self.number(ack.seq);
                self.updates(ack.updates);
            }
            Message::PingReq(request) => {
                self.number(request.seq);
                self.node(request.target);
                self.addr(request.target_addr);
            }
            Message::Join(join) => self.addr(join.sender_addr),
            Message::Welcome(welcome) => {
                for member in welcome.members.into_iter().map_while(Result::ok) {
                    self.items += 1;
                    self.node(member.id);
                    self.addr(member.addr);
                    self.number(member.incarnation);
                    self.number(member.is_primary);
                    self.slots(member.slots);
                }
            }
            Message::SlotsAnnounce(announce) => {
                self.number(announce.incarnation);
                self.slots(announce.slots);
            }
            other => panic!("{other:?} is not visited"),
        }
    }

    fn updates<'a>(&mut self, updates: impl IntoIterator<Item = Result<Update<'a>, DecodeError>>) {
        for update in updates.into_iter().map_while(Result::ok) {
            self.items += 1;
            match update {
                Update::Alive {
                    node,
                    addr,
                    incarnation,
                } => {
                    self.node(node);
                    self.addr(addr);
                    self.number(incarnation);
                }
                Update::Suspect { node, incarnation } | Update::Dead { node, incarnation } => {
                    self.node(node);
                    self.number(incarnation);
                }
                Update::Left { node } => self.node(node),
                Update::SlotsChanged {
                    node,
                    incarnation,
                    slots,
                } => {
                    self.node(node);
                    self.number(incarnation);
                    self.slots(slots);
                }
                Update::RoleChanged {
                    node,
                    incarnation,
                    is_primary,
                    replicates,
                } => {
                    self.node(node);
                    self.number(incarnation);
                    self.number(is_primary);
                    replicates.into_iter().for_each(|node| self.node(node));
                }
                Update::VoteRequest {
                    candidate,
                    epoch,
                    offset,
                } => {
                    self.node(candidate);
                    self.number(epoch);
                    self.number(offset);
                }
                Update::VoteGranted {
                    from,
                    candidate,
                    epoch,
                } => {
                    self.node(from);
                    self.node(candidate);
                    self.number(epoch);
                }
                other => panic!("{other:?} is not visited"),
            }
        }
    }

    fn extension(&mut self, extension: Extension<'_>) {
        for field in extension.into_iter().map_while(Result::ok) {
            self.items += 1;
            match field {
                Field::Capabilities(capabilities) => self.number(capabilities.bits()),
                Field::ClusterId(number) | Field::Incarnation(number) => self.number(number),
                Field::Suspector { update, node } => {
                    self.number(update);
                    self.node(node);
                }
                Field::LocalHealth(multiplier) => self.number(multiplier),
                Field::Nack => {}
                Field::Digest { members, hash } => {
                    self.number(members);
                    self.number(hash);
                }
                Field::Address(addr) => self.addr(addr),
                other => panic!("{other:?} is not visited"),
            }
        }
    }

    fn compact(&mut self, message: &compact::Message<'_>) {
        use compact::Message;
        match message {
            Message::Ping(probe) | Message::Ack(probe) => {
                self.number(probe.seq);
                self.number(probe.digest);
                self.compact_updates(probe.updates);
            }
            Message::Gossip(updates) | Message::Records(updates) => self.compact_updates(*updates),
            Message::PingReq(request) => {
                self.number(request.seq);
                self.number(request.target.bits());
            }
            Message::Nack(nack) => self.number(nack.seq),
            Message::Sync(sync) => {
                self.number(sync.is_answer());
                self.number(sync.bits());
                sync.buckets().for_each(|hash| self.number(hash));
            }
            other => panic!("{other:?} is not visited"),
        }
    }

    fn compact_updates(&mut self, updates: compact::Updates<'_>) {
        use compact::Update;
        for update in updates.into_iter().map_while(Result::ok) {
            self.items += 1;
            match update {
                Update::Alive { node, incarnation }
                | Update::Dead { node, incarnation }
                | Update::Left { node, incarnation } => {
                    self.number(node.bits());
                    self.number(incarnation);
                }
                Update::Suspect {
                    node,
                    incarnation,
                    from,
                } => {
                    self.number(node.bits());
                    self.number(incarnation);
                    self.number(from.bits());
                }
                Update::Member(member) => self.member(&member),
                Update::VoteRequest {
                    candidate,
                    epoch,
                    offset,
                } => {
                    self.node(candidate);
                    self.number(epoch);
                    self.number(offset);
                }
                Update::VoteGranted {
                    from,
                    candidate,
                    epoch,
                } => {
                    self.node(from);
                    self.node(candidate);
                    self.number(epoch);
                }
                other => panic!("{other:?} is not visited"),
            }
        }
    }

    fn member(&mut self, member: &compact::Member<'_>) {
        self.node(member.id);
        self.addr(member.addr);
        self.number(member.incarnation);
        self.number(member.state as u8);
        self.number(member.is_primary);
        self.number(member.compact);
        if let Some(meta) = member.meta {
            self.number(meta.incarnation);
            meta.replicates.into_iter().for_each(|node| self.node(node));
            self.slots(meta.slots);
        }
    }

    fn number(&mut self, number: impl Into<u64>) {
        self.sum = self.sum.rotate_left(5) ^ number.into();
    }

    fn node(&mut self, node: NodeId) {
        let id = u128::from_le_bytes(node.into());
        self.number(id as u64);
        self.number((id >> 64) as u64);
    }

    fn addr(&mut self, addr: SocketAddr) {
        self.number(match addr.ip() {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => ip.to_bits() as u64,
        });
        self.number(addr.port());
    }

    fn slots(&mut self, slots: Slots<'_>) {
        for range in slots {
            self.number(range.start());
            self.number(range.slots());
        }
    }
}
