//! What nodes of shiome add: announcements, and the proof that both ends have seen the same handshake.

use shiome_wire::auth::NameMessage;
use shiome_wire::native::Proof;

use super::Handshake;
use super::state::State;
use crate::error::HandshakeError;
use crate::event::{Event, Peer, Side};
use crate::hello;
use crate::transcript::{End, ProofMac, Transcript};

impl Handshake {
    /// Reads what the peer announces.
    pub(super) fn meet(&mut self, peer: &NameMessage) -> Result<(), HandshakeError> {
        if let Some(own) = &self.own
            && let Some(theirs) = hello::read(peer.flags.as_ref())?
        {
            self.native = Some(own.agree(theirs)?);
        }
        if self.config.require_native && self.native.is_none() {
            return Err(HandshakeError::NativeRequired);
        }
        Ok(())
    }

    /// What follows when the peer, which issued the challenge `theirs`, has proven the cookie.
    ///
    /// The proof goes to peers that announced nothing, too: published nodes skip it, and a node of shiome whose
    /// announcement was taken away on the way learns so.
    pub(super) fn prove(&mut self, theirs: u32) -> State {
        if self.own.is_none() {
            return self.authenticated();
        }
        let mac = self.proof_of(self.side, theirs).to_bytes();
        self.send(Proof { mac });
        if self.native.is_none() {
            return self.authenticated();
        }
        State::AwaitProof {
            expected: self.proof_of(self.side.other(), theirs),
        }
    }

    pub(super) fn on_proof(
        &mut self,
        expected: &ProofMac,
        proof: &Proof,
    ) -> Result<State, HandshakeError> {
        if !expected.verify(&proof.mac) {
            return Err(HandshakeError::WrongProof);
        }
        Ok(self.authenticated())
    }

    fn authenticated(&mut self) -> State {
        self.events.push_back(Event::Authenticated(Peer {
            name: self.known_peer().clone(),
            side: self.side,
            native: self.native.clone(),
        }));
        State::Authenticated
    }

    fn proof_of(&self, role: Side, theirs: u32) -> ProofMac {
        let (local, peer) = (&self.config.local, self.known_peer());
        let ours = End {
            name: &local.name,
            connection_string: &local.connection_string,
            hello: self.own.as_ref().map_or(&[], |own| &own.encoded),
            challenge: self.entropy.challenge,
        };
        let theirs = End {
            name: &peer.name,
            connection_string: &peer.connection_string,
            hello: hello::raw(peer.flags.as_ref()),
            challenge: theirs,
        };
        let (client, server) = match self.side {
            Side::Client => (ours, theirs),
            Side::Server => (theirs, ours),
        };
        let binding = &self.config.channel_binding;
        let transcript = Transcript {
            client,
            server,
            connection_id: peer.connection_id,
            status: self.status,
            channel_binding: binding.as_ref().map_or(&[], |bytes| bytes),
        };
        transcript.prove(&self.config.cookie, role)
    }

    fn known_peer(&self) -> &NameMessage {
        let peer = self.peer.as_ref();
        peer.expect("both sides learn the peer's name before they verify a digest")
    }
}
