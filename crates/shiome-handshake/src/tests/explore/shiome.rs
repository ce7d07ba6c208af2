//! A node of ours: the loop that the crate's documentation asks for, and the rules for duplicates.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::tests::{announce, config, entropy, local};
use crate::{
    Announce, Candidate, Config, DialState, DialVerdict, Entropy, Event, Handshake, MAX_HOLD,
    NoncelessAdmission, SessionState, admit, admit_nonceless, elect, may_dial, read_hello,
};

use super::world::{Outbox, Packet, Wire};

#[derive(Clone, Debug)]
pub(super) struct Shiome {
    name: &'static str,
    now: Instant,
    ends: BTreeMap<usize, End>,
    /// Whether to heed the rules for peers without nonce.
    careful: bool,
    /// Which run of the node this is, if it announces anything.
    incarnation: Option<u64>,
}

#[derive(Clone, Debug)]
struct End {
    handshake: Handshake,
    target: Option<&'static str>,
    open: bool,
    /// A name without nonce waits for its status.
    pending: bool,
    /// The status has been sent.
    admitted: bool,
    /// Patience is over.
    expired: bool,
    /// Authenticated as one that announces what it can take.
    is_native: bool,
}

impl Shiome {
    pub(super) fn new(name: &'static str, now: Instant) -> Self {
        Self {
            name,
            now,
            ends: BTreeMap::new(),
            careful: true,
            incarnation: None,
        }
    }

    /// A node that announces what it can take.
    pub(super) fn native(name: &'static str, now: Instant, incarnation: u64) -> Self {
        Self {
            incarnation: Some(incarnation),
            ..Self::new(name, now)
        }
    }

    /// A node that takes peers without nonce for peers with.
    pub(super) fn careless(name: &'static str, now: Instant) -> Self {
        Self {
            careful: false,
            ..Self::new(name, now)
        }
    }

    /// What may be done with the established connection.
    pub(super) fn may_dial(&self, wire: &Wire, held: Duration) -> DialVerdict {
        if !self.careful {
            return DialVerdict::Go;
        }
        may_dial(wire.target, held, self.dials(), self.sessions())
    }

    pub(super) fn dial(&mut self, id: usize, wire: &Wire, out: &mut Outbox) {
        let handshake = Handshake::client(self.now, self.config(), entropy_of(0, id, wire));
        self.ends.insert(id, End::new(handshake, Some(wire.target)));
        self.pump(id, out);
    }

    pub(super) fn receive(&mut self, id: usize, wire: &Wire, packet: Packet, out: &mut Outbox) {
        let (config, now) = (self.config(), self.now);
        let end = self.ends.entry(id).or_insert_with(|| {
            End::new(
                Handshake::server(now, config, entropy_of(1, id, wire)),
                None,
            )
        });
        if !end.open {
            return;
        }
        match packet {
            Packet::Close => end.open = false,
            Packet::Message(message) => {
                if end.handshake.handle_message(now, message).is_err() {
                    self.close(id, out);
                }
            }
        }
        self.pump(id, out);
        self.reconsider(out);
    }

    pub(super) fn holds(&self, id: usize) -> bool {
        self.ends
            .get(&id)
            .is_some_and(|end| end.pending && end.open)
    }

    pub(super) fn expire(&mut self, id: usize, out: &mut Outbox) {
        self.ends.get_mut(&id).unwrap().expired = true;
        self.reconsider(out);
    }

    /// Whether all sessions are with a node that announces what it can take.
    pub(super) fn is_native(&self) -> bool {
        let mut live = self.ends.values().filter(|end| end.is_live());
        live.all(|end| end.is_native)
    }

    /// Wires with an authenticated end.
    pub(super) fn live(&self) -> Vec<usize> {
        let live = self.ends.iter().filter(|(_, end)| end.is_live());
        live.map(|(&id, _)| id).collect()
    }

    fn config(&self) -> Config {
        let native = self.incarnation.map(|incarnation| Announce {
            incarnation,
            ..announce()
        });
        Config {
            native,
            ..config(self.name)
        }
    }

    fn pump(&mut self, id: usize, out: &mut Outbox) {
        loop {
            let end = self.ends.get_mut(&id).unwrap();
            if !end.open {
                return;
            }
            while let Some(message) = end.handshake.poll_transmit() {
                out.push((id, Packet::Message(message)));
            }
            let Some(event) = end.handshake.poll_event() else {
                break;
            };
            match event {
                Event::NameReceived(name) if name.connection_id == 0 && self.careful => {
                    end.pending = true;
                }
                Event::NameReceived(_) => self.admit(id),
                Event::PeerAlive => end.handshake.answer_alive(true).unwrap(),
                Event::Authenticated(peer) => {
                    end.is_native = peer.native.is_some();
                    self.elect(id, out);
                }
                Event::PeerNamed(_) => {}
            }
        }
        if self.ends[&id].handshake.is_refused() {
            self.close(id, out);
        }
    }

    fn admit(&mut self, id: usize) {
        let peer = self.ends[&id].peer_name().to_owned();
        let newcomer = self.candidate(id);
        let rivals: Vec<_> = self.rivals(&peer);
        let status = admit(&local(self.name).name, &peer, &newcomer, &rivals);
        let end = self.ends.get_mut(&id).unwrap();
        end.admitted = true;
        end.handshake.admit(status).unwrap();
    }

    fn elect(&mut self, id: usize, out: &mut Outbox) {
        let peer = self.ends[&id].peer_name().to_owned();
        let candidates = self.rivals(&peer);
        let survivors = elect(&local(self.name).name, &peer, &candidates);
        for loser in candidates.iter().filter(|one| !survivors.contains(&one.id)) {
            self.close(loser.id, out);
        }
    }

    fn reconsider(&mut self, out: &mut Outbox) {
        let pending: Vec<_> = self
            .ends
            .keys()
            .copied()
            .filter(|&id| self.holds(id))
            .collect();
        for id in pending {
            let end = &self.ends[&id];
            let held = if end.expired {
                MAX_HOLD
            } else {
                Duration::ZERO
            };
            let name = end.handshake.peer().unwrap();
            let verdict = admit_nonceless(name, held, self.dials(), self.sessions());
            if let NoncelessAdmission::Admit(status) = verdict {
                let end = self.ends.get_mut(&id).unwrap();
                end.pending = false;
                end.admitted = true;
                end.handshake.admit(status).unwrap();
                self.pump(id, out);
            } else {
                assert!(!end.expired, "held without limit");
            }
        }
    }

    fn close(&mut self, id: usize, out: &mut Outbox) {
        self.ends.get_mut(&id).unwrap().open = false;
        out.push((id, Packet::Close));
    }

    fn rivals(&self, peer: &str) -> Vec<Candidate<usize>> {
        let rivals = self.ends.iter();
        rivals
            .filter(|(_, end)| end.is_live() && end.peer_name() == peer)
            .map(|(&id, _)| self.candidate(id))
            .collect()
    }

    fn candidate(&self, id: usize) -> Candidate<usize> {
        let handshake = &self.ends[&id].handshake;
        let peer = handshake.peer().unwrap();
        let hello = self
            .incarnation
            .and_then(|_| read_hello(peer.flags.as_ref()));
        Candidate {
            id,
            side: handshake.side(),
            connection_id: peer.connection_id,
            seniority: id as u64,
            incarnation: hello.map_or(0, |hello| hello.incarnation),
            suspect: false,
        }
    }

    fn dials(&self) -> impl Iterator<Item = DialState<'_>> {
        self.ends.values().filter_map(|end| {
            let target = end.target?;
            if !end.open || end.is_live() {
                return None;
            }
            Some(match end.handshake.peer() {
                None => DialState::NameSent { target },
                Some(peer) => DialState::Named { target, peer },
            })
        })
    }

    fn sessions(&self) -> impl Iterator<Item = SessionState<'_>> {
        self.ends.values().filter_map(|end| {
            let peer = end.handshake.peer()?;
            let side = end.handshake.side();
            if end.is_live() {
                Some(SessionState::Authenticated { peer, side })
            } else if end.open && end.admitted {
                Some(SessionState::Challenged { peer })
            } else {
                None
            }
        })
    }
}

impl End {
    fn new(handshake: Handshake, target: Option<&'static str>) -> Self {
        Self {
            handshake,
            target,
            open: true,
            pending: false,
            admitted: false,
            expired: false,
            is_native: false,
        }
    }

    fn is_live(&self) -> bool {
        self.open && self.handshake.is_authenticated()
    }

    fn peer_name(&self) -> &str {
        &self.handshake.peer().unwrap().name
    }
}

fn entropy_of(end: u32, id: usize, wire: &Wire) -> Entropy {
    entropy(1 + end + 2 * id as u32, wire.nonce)
}
