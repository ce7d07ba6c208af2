//! What each state makes of each message.

use std::mem;

use shiome_wire::auth::{AuthenticationMessage, authentication_message::Msg};
use shiome_wire::meta::{NetworkMessage, network_message::Message};
use shiome_wire::native::{NativeMessage, Proof, native_message};

use super::Handshake;
use super::state::State;
use crate::error::HandshakeError;

/// A message as the handshake sees it.
pub(super) enum Part {
    /// Of the cookie handshake; `None`: without known content.
    Auth(Option<Msg>),
    Proof(Proof),
    /// Of no handshake.
    Other,
}

impl From<NetworkMessage> for Part {
    fn from(message: NetworkMessage) -> Self {
        match message.message {
            Some(Message::Auth(AuthenticationMessage { msg })) => Self::Auth(msg),
            Some(Message::Native(NativeMessage {
                msg: Some(native_message::Msg::Proof(proof)),
            })) => Self::Proof(proof),
            _ => Self::Other,
        }
    }
}

impl Handshake {
    /// `kind` names what the part is of.
    pub(super) fn next_state(
        &mut self,
        kind: &'static str,
        part: Part,
    ) -> Result<State, HandshakeError> {
        // Put back by `enter`, whatever comes next.
        let state = mem::replace(&mut self.state, State::Failed);
        match (state, part) {
            (State::AwaitName, Part::Auth(Some(Msg::Name(name)))) => self.on_name(name),
            (State::AwaitClientStatus, Part::Auth(Some(Msg::ClientStatus(answer)))) => {
                self.on_client_status(answer)
            }
            (State::AwaitReply, Part::Auth(Some(Msg::ClientChallenge(reply)))) => {
                self.on_reply(&reply)
            }
            (State::AwaitStatus, Part::Auth(Some(Msg::ServerStatus(status)))) => {
                self.on_status(status)
            }
            (State::AwaitChallenge, Part::Auth(Some(Msg::ServerChallenge(challenge)))) => {
                self.on_challenge(challenge)
            }
            (State::AwaitAck { sent, challenge }, Part::Auth(Some(Msg::ServerAck(ack)))) => {
                self.on_ack(&ack, &sent, challenge)
            }
            (State::AwaitProof { expected }, Part::Proof(proof)) => {
                self.on_proof(&expected, &proof)
            }
            (state, _) => Err(HandshakeError::Unexpected {
                message: kind,
                awaited: state.awaited(),
            }),
        }
    }
}
