//! The end that accepted.

use bytes::Bytes;
use shiome_wire::auth::{Challenge, ChallengeAck, ChallengeReply, ClientStatus, NameMessage};

use super::Handshake;
use super::state::State;
use crate::error::{HandshakeError, RefusedBy};
use crate::event::{Admission, Event};
use crate::name;

impl Handshake {
    /// Answers [`Event::NameReceived`]. After [`Admission::NotOk`] and [`Admission::NotAllowed`] the handshake
    /// [is refused](Self::is_refused).
    ///
    /// # Errors
    ///
    /// [`HandshakeError::NotAwaited`] when that question is not open. The handshake is unchanged.
    pub fn admit(&mut self, status: Admission) -> Result<(), HandshakeError> {
        if !matches!(self.state, State::AwaitAdmission) {
            return Err(HandshakeError::NotAwaited { call: "admit" });
        }
        self.send_status(status.into());
        self.state = match status {
            Admission::Ok | Admission::OkSimultaneous => self.send_challenge(),
            Admission::NotOk | Admission::NotAllowed => State::Refused,
            Admission::Alive => State::AwaitClientStatus,
        };
        Ok(())
    }

    pub(super) fn on_name(&mut self, peer: NameMessage) -> Result<State, HandshakeError> {
        name::check(&peer, &self.config.local)?;
        self.meet(&peer)?;
        self.peer = Some(peer.clone());
        self.events.push_back(Event::NameReceived(peer));
        Ok(State::AwaitAdmission)
    }

    pub(super) fn on_client_status(
        &mut self,
        answer: ClientStatus,
    ) -> Result<State, HandshakeError> {
        if !answer.status {
            return Err(HandshakeError::Refused(RefusedBy::ClientStatus));
        }
        Ok(self.send_challenge())
    }

    pub(super) fn send_challenge(&mut self) -> State {
        self.send(Challenge {
            name: self.config.local.name.clone(),
            flags: name::flags(self.own.as_ref()),
            challenge: self.entropy.challenge,
            connection_string: self.config.local.connection_string.clone(),
        });
        State::AwaitReply
    }

    pub(super) fn on_reply(&mut self, reply: &ChallengeReply) -> Result<State, HandshakeError> {
        // Our acknowledgement would be the digest that the peer has just sent: it would prove nothing to an honest
        // initiator, and an initiator that asks for it is passing on somebody else's answer.
        if reply.challenge == self.entropy.challenge {
            return Err(HandshakeError::Reflected);
        }
        if !self.digest(self.entropy.challenge).verify(&reply.digest) {
            return Err(HandshakeError::WrongDigest);
        }
        let digest = self.digest(reply.challenge);
        self.send(ChallengeAck {
            digest: Bytes::copy_from_slice(digest.as_ref()),
        });
        Ok(self.prove(reply.challenge))
    }
}
