//! Models of published nodes, from what is known of their behaviour: none of the crate's rules are used.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use bytes::Bytes;
use shiome_wire::auth::{
    Challenge, ChallengeAck, ChallengeReply, NameMessage, ServerStatus,
    authentication_message::Msg, server_status::Status,
};
use shiome_wire::meta::{NetworkMessage, network_message::Message};

use crate::tests::{COOKIE, local, message};
use crate::{Cookie, DigestScheme, Side};

use super::world::{Outbox, Packet, Wire};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V0_15_12,
    V0_16_5,
}

#[derive(Clone, Debug)]
pub(super) struct Published {
    version: Version,
    name: &'static str,
    ends: BTreeMap<usize, End>,
    /// A check has stopped a session and refused the one that was checked.
    pub(super) lost_both: bool,
    /// There have been two authenticated sessions with one peer.
    pub(super) overlapped: bool,
}

#[derive(Clone, Debug)]
struct End {
    side: Side,
    state: State,
    peer: Option<String>,
    nonce: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    AwaitName,
    AwaitReply,
    AwaitStatus,
    AwaitChallenge,
    AwaitAck,
    Authenticated,
    Closed,
}

impl Published {
    pub(super) fn new(version: Version, name: &'static str) -> Self {
        Self {
            version,
            name,
            ends: BTreeMap::new(),
            lost_both: false,
            overlapped: false,
        }
    }

    pub(super) fn dial(&mut self, id: usize, wire: &Wire, out: &mut Outbox) {
        let nonce = match self.version {
            Version::V0_15_12 => 0,
            Version::V0_16_5 => wire.nonce,
        };
        let end = End::new(Side::Client, State::AwaitStatus, nonce);
        self.ends.insert(id, end);
        let local = local(self.name);
        let name = NameMessage {
            name: local.name,
            flags: None,
            connection_string: local.connection_string,
            connection_id: nonce,
        };
        send(id, Msg::Name(name), out);
    }

    pub(super) fn receive(&mut self, id: usize, packet: Packet, out: &mut Outbox) {
        let new = End::new(Side::Server, State::AwaitName, 0);
        let end = self.ends.entry(id).or_insert(new);
        if end.state == State::Closed {
            return;
        }
        match packet {
            Packet::Close => end.state = State::Closed,
            Packet::Message(message) => self.on_message(id, message, out),
        }
    }

    pub(super) fn live(&self) -> Vec<usize> {
        let live = self.ends.iter();
        live.filter(|(_, end)| end.state == State::Authenticated)
            .map(|(&id, _)| id)
            .collect()
    }

    fn on_message(&mut self, id: usize, message: NetworkMessage, out: &mut Outbox) {
        let own = own_challenge(id);
        let end = self.ends.get_mut(&id).unwrap();
        // What they do not know reads as a message without content, which they skip.
        let Some(Message::Auth(message)) = message.message else {
            return;
        };
        match (end.state, message.msg) {
            (State::AwaitName, Some(Msg::Name(name))) => {
                end.peer = Some(name.name);
                end.nonce = name.connection_id;
                self.on_name(id, out);
            }
            (State::AwaitReply, Some(Msg::ClientChallenge(reply))) if right(own, &reply.digest) => {
                let digest = digest(reply.challenge);
                send(id, Msg::ServerAck(ChallengeAck { digest }), out);
                self.on_authenticated(id, out);
            }
            (State::AwaitStatus, Some(Msg::ServerStatus(status))) => match status.status() {
                Status::Ok | Status::OkSimultaneous => end.state = State::AwaitChallenge,
                _ => self.close(id, out),
            },
            (State::AwaitChallenge, Some(Msg::ServerChallenge(challenge))) => {
                end.peer = Some(challenge.name);
                end.state = State::AwaitAck;
                let reply = ChallengeReply {
                    challenge: own,
                    digest: digest(challenge.challenge),
                };
                send(id, Msg::ClientChallenge(reply), out);
            }
            (State::AwaitAck, Some(Msg::ServerAck(ack))) if right(own, &ack.digest) => {
                self.on_authenticated(id, out);
            }
            (State::Authenticated, _) => {}
            _ => self.close(id, out),
        }
    }

    fn on_name(&mut self, id: usize, out: &mut Outbox) {
        let status = match self.version {
            Version::V0_15_12 => self.check_0_15_12(id, out),
            Version::V0_16_5 => self.check_0_16_5(id),
        };
        send(
            id,
            Msg::ServerStatus(ServerStatus {
                status: status.into(),
            }),
            out,
        );
        if status == Status::NotOk {
            return self.close(id, out);
        }
        let local = local(self.name);
        let challenge = Challenge {
            name: local.name,
            flags: None,
            challenge: own_challenge(id),
            connection_string: local.connection_string,
        };
        send(id, Msg::ServerChallenge(challenge), out);
        self.ends.get_mut(&id).unwrap().state = State::AwaitReply;
    }

    /// Looks at the first session in any state, and may stop it.
    fn check_0_15_12(&mut self, id: usize, out: &mut Outbox) -> Status {
        let peer = self.ends[&id].peer.clone();
        let mut others = self
            .ends
            .iter()
            .filter(|(other, end)| **other != id && end.state != State::Closed && end.peer == peer);
        let Some((&existing, end)) = others.next() else {
            return Status::Ok;
        };
        let peer_is_greater = peer.unwrap() > local(self.name).name;
        if (end.side == Side::Server) == peer_is_greater {
            self.close(existing, out);
            self.lost_both = true;
            Status::NotOk
        } else {
            Status::OkSimultaneous
        }
    }

    fn check_0_16_5(&self, id: usize) -> Status {
        let rivals: Vec<_> = self.rivals(id).collect();
        if rivals.is_empty() {
            Status::Ok
        } else if rivals.iter().all(|&rival| self.rank(id) < self.rank(rival)) {
            Status::OkSimultaneous
        } else {
            Status::NotOk
        }
    }

    fn on_authenticated(&mut self, id: usize, out: &mut Outbox) {
        self.ends.get_mut(&id).unwrap().state = State::Authenticated;
        let rivals: Vec<_> = self.rivals(id).collect();
        self.overlapped |= !rivals.is_empty();
        if self.version == Version::V0_16_5 {
            let best = rivals.iter().chain([&id]).copied();
            let best = best.min_by_key(|&one| self.rank(one)).unwrap();
            for loser in rivals.into_iter().chain([id]).filter(|&one| one != best) {
                self.close(loser, out);
            }
        }
    }

    /// Authenticated sessions with the same peer.
    fn rivals(&self, id: usize) -> impl Iterator<Item = usize> {
        let peer = &self.ends[&id].peer;
        let others = self.ends.iter().filter(move |(other, end)| {
            **other != id && end.state == State::Authenticated && end.peer == *peer
        });
        others.map(|(&other, _)| other)
    }

    /// The lowest wins: dialled by the last name, a nonce, the smallest nonce, the oldest.
    fn rank(&self, id: usize) -> (Reverse<String>, bool, u64, usize) {
        let end = &self.ends[&id];
        let dialler = match end.side {
            Side::Client => local(self.name).name,
            Side::Server => end.peer.clone().unwrap(),
        };
        (Reverse(dialler), end.nonce == 0, end.nonce, id)
    }

    fn close(&mut self, id: usize, out: &mut Outbox) {
        self.ends.get_mut(&id).unwrap().state = State::Closed;
        out.push((id, Packet::Close));
    }
}

impl End {
    fn new(side: Side, state: State, nonce: u64) -> Self {
        let peer = None;
        Self {
            side,
            state,
            peer,
            nonce,
        }
    }
}

fn own_challenge(id: usize) -> u32 {
    1000 + id as u32
}

fn digest(challenge: u32) -> Bytes {
    let digest = DigestScheme::Sha256.digest(&Cookie::new(COOKIE), challenge);
    Bytes::copy_from_slice(digest.as_ref())
}

fn right(challenge: u32, received: &[u8]) -> bool {
    digest(challenge) == received
}

fn send(id: usize, msg: Msg, out: &mut Outbox) {
    out.push((id, Packet::Message(message(msg))));
}
