use super::{Links, Traffic};
use crate::{
    ledger::{Belief, Ledger},
    network::HEADER_LEN,
    pool::{Label, MAX_DATAGRAM_LEN},
    queue::{Entry, Kind},
};

/// Where an engine's output goes.
#[derive(Debug)]
pub struct Out<'a> {
    pub(super) links: &'a mut Links,
    pub(super) ledger: &'a mut Ledger,
    pub(super) me: u32,
    /// Which of its lives the node is in.
    pub(super) life: u32,
    /// Whether nothing that is sent gets anywhere.
    pub(super) is_mute: bool,
}

impl Out<'_> {
    /// Sends a datagram.
    pub fn send(&mut self, to: u32, datagram: &[u8]) {
        self.send_with(|room| {
            room[..datagram.len()].copy_from_slice(datagram);
            Some((to, datagram.len()))
        });
    }

    /// Sends a datagram that `write` puts into the room it is given, telling to whom and how long it is. Returns whether
    /// there was one.
    #[inline]
    pub fn send_with(&mut self, write: impl FnOnce(&mut [u8]) -> Option<(u32, usize)>) -> bool {
        let slot = self.links.pool.take();
        let Some((to, len)) = write(self.links.pool.room(slot)) else {
            self.links.pool.give_back(slot);
            return false;
        };
        debug_assert!(len <= MAX_DATAGRAM_LEN, "the room is that long");
        let label = Label {
            from: self.me,
            len: len as u32,
        };
        self.links.pool.set_label(slot, label);
        let len = len as u64 + HEADER_LEN;
        let held = &mut self.links.held[self.me as usize];
        let keeps = match held {
            _ if self.is_mute => false,
            None => return self.links.transmit(self.me, to, slot),
            Some(held) => held.send(to, slot, len),
        };
        if !keeps {
            self.links.pool.give_back(slot);
        }
        true
    }

    /// Asks over a reliable channel whether `to` is there. The token comes back if it is.
    pub fn reliable_ping(&mut self, to: u32, token: u64) {
        if !self.is_mute {
            self.links.ask(self.me, self.life, to, token, self.ledger);
        }
    }

    /// Tells that a member is there: new, or back.
    #[inline]
    pub fn up(&mut self, member: u32) {
        self.told(member, Belief::Up);
    }

    /// Tells that a member did not answer.
    #[inline]
    pub fn suspect(&mut self, member: u32) {
        self.told(member, Belief::Suspect);
    }

    /// Tells that a member is gone.
    #[inline]
    pub fn down(&mut self, member: u32) {
        self.told(member, Belief::Down);
    }

    /// Tells that a member is gone, in an incarnation.
    pub fn end(&mut self, member: u32, incarnation: u64) {
        let now = self.links.now;
        self.ledger.told_end(now, self.me, member, incarnation);
    }

    #[inline]
    fn told(&mut self, member: u32, what: Belief) {
        self.ledger.told(self.links.now, self.me, member, what);
    }
}

impl Links {
    /// Puts a datagram on its way, or loses it.
    #[inline]
    pub(super) fn transmit(&mut self, from: u32, to: u32, slot: u32) -> bool {
        let len = self.pool.label(slot).len;
        let traffic: &mut Traffic = &mut self.traffic[from as usize];
        traffic.datagrams += 1;
        traffic.bytes += u64::from(len) + HEADER_LEN;
        traffic.longest = traffic.longest.max(len);
        match self.network.carry(self.now, from, to, &mut self.rng) {
            Some(at) => self.queue.push(Entry {
                at,
                node: to,
                what: slot,
                kind: Kind::Arrival,
            }),
            None => self.pool.give_back(slot),
        }
        true
    }

    /// Asks for an answer that comes after two round trips, one of them for the connection, unless the other node is
    /// gone, stands still or cannot be reached.
    fn ask(&mut self, from: u32, life: u32, to: u32, token: u64, ledger: &Ledger) {
        self.traffic[from as usize].reliable_pings += 1;
        let both_ways = self.network.reaches(from, to) && self.network.reaches(to, from);
        let stands = |node: u32| self.held[node as usize].is_some();
        if !both_ways || !ledger.is_running(to) || stands(to) || stands(from) {
            return;
        }
        let answer = (token, life);
        let what = match self.free_answers.pop() {
            Some(what) => {
                self.answers[what as usize] = answer;
                what
            }
            None => {
                self.answers.push(answer);
                self.answers.len() as u32 - 1
            }
        };
        let at = self.now + self.network.round_trips(2, &mut self.rng);
        self.queue.push(Entry {
            at,
            node: from,
            what,
            kind: Kind::Answer,
        });
    }

    /// The token of an answer, if it is for this life of the node.
    pub(super) fn take_answer(&mut self, what: u32, life: u32) -> Option<u64> {
        self.free_answers.push(what);
        let (token, of) = self.answers[what as usize];
        (of == life).then_some(token)
    }
}
