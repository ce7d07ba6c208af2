use bytes::{Bytes, BytesMut};
use shiome_wire::{
    Frame, LENGTH_PREFIX_LEN,
    auth::{
        Challenge, ChallengeAck, ChallengeReply, ClientStatus, NameMessage, NodeFlags,
        ServerStatus, authentication_message::Msg,
    },
    encode,
    meta::NetworkMessage,
    native::{Proof, native_message},
    node::Cast,
};

use super::end::local;
use crate::script::Script;

/// What the attacker has seen, and what it starts with.
#[derive(Debug)]
pub(super) struct Knowledge {
    /// With the number of the end that said it.
    messages: Vec<(usize, NetworkMessage)>,
    hellos: Vec<Bytes>,
    challenges: Vec<u32>,
    ids: Vec<u64>,
    /// Digests and proofs.
    answers: Vec<Bytes>,
}

impl Knowledge {
    pub(super) fn new() -> Self {
        Self {
            messages: Vec::new(),
            hellos: vec![Bytes::new(), Bytes::from_static(b"\x08\x01")],
            challenges: vec![0, 7],
            ids: vec![0, 1],
            answers: vec![Bytes::new(), vec![0; 16].into(), vec![0; 32].into()],
        }
    }

    pub(super) fn learn(&mut self, by: usize, message: NetworkMessage) {
        match message.clone().into_auth() {
            Some(Msg::Name(name)) => {
                self.ids.push(name.connection_id);
                self.hellos.extend(name.flags.map(|flags| flags.hello));
            }
            Some(Msg::ServerChallenge(challenge)) => {
                self.challenges.push(challenge.challenge);
                self.hellos.extend(challenge.flags.map(|flags| flags.hello));
            }
            Some(Msg::ClientChallenge(reply)) => {
                self.challenges.push(reply.challenge);
                self.answers.push(reply.digest);
            }
            Some(Msg::ServerAck(ack)) => self.answers.push(ack.digest),
            _ => {}
        }
        if let Some(native_message::Msg::Proof(proof)) = message.clone().into_native() {
            self.answers.push(proof.mac);
        }
        self.messages.push((by, message));
    }

    /// One that was seen, if any was.
    pub(super) fn message(&self, script: &mut Script<'_>) -> Option<NetworkMessage> {
        (!self.messages.is_empty()).then(|| script.one_of(&self.messages).1)
    }

    /// The last that an end said.
    pub(super) fn last_of(&self, end: usize) -> Option<NetworkMessage> {
        let mut last = self.messages.iter().rev();
        let message = last.find(|(by, _)| *by == end);
        message.map(|(_, message)| message.clone())
    }

    /// One that was seen, with another bit or another end.
    pub(super) fn changed(&self, script: &mut Script<'_>) -> Option<NetworkMessage> {
        let mut frame = BytesMut::new();
        encode(&self.message(script)?, u64::MAX, &mut frame).expect("there is no limit");
        let mut body = frame.split_off(LENGTH_PREFIX_LEN);
        let at = usize::from(script.byte());
        match script.byte() {
            bit @ 0..8 => *body.get_mut(at)? ^= 1 << bit,
            8..16 => body.truncate(at),
            byte => *body.get_mut(at)? = byte,
        }
        Frame::from(body.freeze()).decode().ok()
    }

    /// One that is made up of what was seen.
    pub(super) fn forge(&self, script: &mut Script<'_>) -> NetworkMessage {
        match script.below(8) {
            0 => Msg::Name(NameMessage {
                name: name(script),
                connection_string: connection_string(script),
                flags: self.flags(script),
                connection_id: script.one_of_last(&self.ids),
            })
            .into(),
            1 => {
                let status = i32::from(script.byte()) % 7 - 1;
                ServerStatus { status }.into()
            }
            2 => {
                let status = script.flag();
                ClientStatus { status }.into()
            }
            3 => Challenge {
                name: name(script),
                connection_string: connection_string(script),
                flags: self.flags(script),
                challenge: script.one_of_last(&self.challenges),
            }
            .into(),
            4 => ChallengeReply {
                challenge: script.one_of_last(&self.challenges),
                digest: script.one_of_last(&self.answers),
            }
            .into(),
            5 => {
                let digest = script.one_of_last(&self.answers);
                ChallengeAck { digest }.into()
            }
            6 => {
                let mac = script.one_of_last(&self.answers);
                Proof { mac }.into()
            }
            _ => Cast::default().into(),
        }
    }

    fn flags(&self, script: &mut Script<'_>) -> Option<NodeFlags> {
        let version = script.byte().into();
        (version > 0).then(|| {
            let hello = script.one_of_last(&self.hellos);
            NodeFlags { version, hello }
        })
    }
}

fn name(script: &mut Script<'_>) -> String {
    script.one_of(&[
        "stranger@host".to_owned(),
        local(0).name,
        local(1).name,
        String::new(),
        "x".repeat(255),
        "x".repeat(256),
    ])
}

fn connection_string(script: &mut Script<'_>) -> String {
    script.one_of(&[
        "stranger:1".to_owned(),
        local(0).connection_string,
        local(1).connection_string,
        String::new(),
        "x".repeat(256),
    ])
}
