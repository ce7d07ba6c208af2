//! The end that dialled.

use bytes::Bytes;
use shiome_wire::auth::{
    Challenge, ChallengeAck, ChallengeReply, ClientStatus, NameMessage, ServerStatus,
    server_status::Status,
};

use super::Handshake;
use super::state::State;
use crate::digest::Digest;
use crate::error::{HandshakeError, RefusedBy};
use crate::event::Event;
use crate::name;

impl Handshake {
    /// Answers [`Event::PeerAlive`]. Unless `go_on`, the handshake [is refused](Self::is_refused).
    ///
    /// A published acceptor that has asked never goes on, whatever the answer: the deadline ends that.
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NotAwaited`] when that question is not open. The handshake is unchanged.
    pub fn answer_alive(&mut self, go_on: bool) -> Result<(), HandshakeError> {
        if !matches!(self.state, State::AwaitAliveAnswer) {
            return Err(HandshakeError::NotAwaited {
                call: "answer_alive",
            });
        }
        self.send(ClientStatus { status: go_on });
        self.state = if go_on {
            State::AwaitChallenge
        } else {
            State::Refused
        };
        Ok(())
    }

    pub(super) fn on_status(&mut self, status: ServerStatus) -> Result<State, HandshakeError> {
        self.status = status.status;
        match Status::try_from(status.status) {
            Ok(Status::Ok | Status::OkSimultaneous) => Ok(State::AwaitChallenge),
            Ok(Status::NotOk) => Err(HandshakeError::Refused(RefusedBy::NotOk)),
            Ok(Status::NotAllowed) => Err(HandshakeError::Refused(RefusedBy::NotAllowed)),
            Ok(Status::Alive) => {
                self.events.push_back(Event::PeerAlive);
                Ok(State::AwaitAliveAnswer)
            }
            Err(_) => Err(HandshakeError::UnknownStatus(status.status)),
        }
    }

    /// The weak spot of this protocol: we answer whoever we have dialled before it has proven anything.
    pub(super) fn on_challenge(&mut self, challenge: Challenge) -> Result<State, HandshakeError> {
        let peer = NameMessage {
            name: challenge.name,
            flags: challenge.flags,
            connection_string: challenge.connection_string,
            connection_id: self.entropy.connection_id,
        };
        name::check(&peer, &self.config.local)?;
        self.meet(&peer)?;
        // Our answer to our own challenge is all that the peer needs to pass for one that knows the cookie. Ours has
        // not been sent on this connection yet, so the peer has seen it elsewhere or guessed it; that an honest peer
        // draws the same number, once in 2³² connections, is not worth a second challenge that no other connection of
        // this node could recognize as ours.
        if challenge.challenge == self.entropy.challenge {
            return Err(HandshakeError::Reflected);
        }
        let sent = self.digest(challenge.challenge);
        self.send(ChallengeReply {
            challenge: self.entropy.challenge,
            digest: Bytes::copy_from_slice(sent.as_ref()),
        });
        self.peer = Some(peer.clone());
        self.events.push_back(Event::PeerNamed(peer));
        Ok(State::AwaitAck {
            sent,
            challenge: challenge.challenge,
        })
    }

    /// `sent` is the answer that we have given to the peer's challenge `theirs`.
    pub(super) fn on_ack(
        &mut self,
        ack: &ChallengeAck,
        sent: &Digest,
        theirs: u32,
    ) -> Result<State, HandshakeError> {
        // The peer would echo the digest that we gave away when it lacks the cookie.
        if sent.verify(&ack.digest) {
            return Err(HandshakeError::Reflected);
        }
        if !self.digest(self.entropy.challenge).verify(&ack.digest) {
            return Err(HandshakeError::WrongDigest);
        }
        Ok(self.prove(theirs))
    }
}
