use std::{fmt, time::Instant};

use shiome_handshake::{
    Admission, Announce, Config, Cookie, DigestScheme, Entropy, Event, Handshake, HandshakeError,
    Local, MIN_ANNOUNCED_LIMIT, Peer,
};
use shiome_wire::{Capabilities, meta::NetworkMessage};

use super::world::Setting;

/// Messages that an end ever sends: the client a name, an answer to ALIVE, a reply and a proof; the server a status, a
/// challenge, an acknowledgement and a proof.
const MAX_SENT: usize = 4;

/// Question to the owner of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Admit,
    Alive,
}

/// One end of a connection, with what its owner knows.
pub(super) struct End {
    pub(super) node: usize,
    pub(super) handshake: Handshake,
    pub(super) challenge: u32,
    pub(super) nonce: [u8; 32],
    /// Whom it has met, once it is sure.
    pub(super) peer: Option<Peer>,
    /// The owner has closed the connection.
    pub(super) is_closed: bool,
    question: Option<Question>,
    sent: usize,
}

impl End {
    pub(super) fn open(
        now: Instant,
        setting: Setting,
        node: usize,
        number: u8,
        is_client: bool,
    ) -> Self {
        let entropy = Entropy {
            challenge: 0x51a7_3000 | u32::from(number),
            connection_id: 0x0b5e_5500 | u64::from(number),
            nonce: [number + 1; 32],
        };
        let config = config(setting, node, number);
        let handshake = match is_client {
            true => Handshake::client(now, config, entropy),
            false => Handshake::server(now, config, entropy),
        };
        Self {
            node,
            handshake,
            challenge: entropy.challenge,
            nonce: entropy.nonce,
            peer: None,
            is_closed: false,
            question: None,
            sent: 0,
        }
    }

    pub(super) fn local(&self) -> Local {
        local(self.node)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_closed || self.handshake.is_finished()
    }

    pub(super) fn receive(&mut self, now: Instant, message: NetworkMessage) {
        if self.is_closed {
            return;
        }
        if self.handshake.handle_message(now, message).is_err() {
            assert!(self.handshake.is_finished());
            self.is_closed = true;
        }
    }

    pub(super) fn tell_time(&mut self, now: Instant) {
        if self.handshake.handle_timeout(now).is_err() {
            self.is_closed = true;
        }
    }

    /// The owner says something, asked or not.
    pub(super) fn answer(&mut self, question: Question, number: usize) {
        if self.is_closed {
            return;
        }
        let asked = self.question == Some(question);
        let was_over = self.handshake.is_finished();
        let answered = match question {
            Question::Admit => self.handshake.admit(
                [
                    Admission::Ok,
                    Admission::OkSimultaneous,
                    Admission::Alive,
                    Admission::NotOk,
                    Admission::NotAllowed,
                ][number % 5],
            ),
            Question::Alive => self.handshake.answer_alive(number.is_multiple_of(2)),
        };
        if asked && !was_over {
            assert_eq!(answered, Ok(()));
            self.question = None;
        } else {
            assert!(matches!(answered, Err(HandshakeError::NotAwaited { .. })));
            assert_eq!(self.handshake.is_finished(), was_over);
        }
    }

    pub(super) fn question(&self) -> Option<Question> {
        self.question
    }

    /// What it has to say, and what its owner hears.
    pub(super) fn drain(&mut self) -> Vec<NetworkMessage> {
        let mut said = Vec::new();
        while let Some(message) = self.handshake.poll_transmit() {
            said.push(message);
        }
        self.sent += said.len();
        assert!(self.sent <= MAX_SENT);
        while let Some(event) = self.handshake.poll_event() {
            assert!(self.peer.is_none(), "{event:?} after the last");
            match event {
                Event::NameReceived(_) => self.question = Some(Question::Admit),
                Event::PeerAlive => self.question = Some(Question::Alive),
                Event::PeerNamed(name) => assert_eq!(self.handshake.peer(), Some(&name)),
                Event::Authenticated(peer) => self.peer = Some(peer),
                other => panic!("{other:?}"),
            }
        }
        said
    }

    /// What holds at all times.
    pub(super) fn check(&self) {
        assert_eq!(self.peer.is_some(), self.handshake.is_authenticated());
        assert_eq!(
            self.handshake.poll_timeout().is_none(),
            self.handshake.is_finished()
        );
    }
}

impl fmt::Debug for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("End")
            .field("node", &self.node)
            .field("handshake", &self.handshake)
            .field("is_closed", &self.is_closed)
            .finish_non_exhaustive()
    }
}

pub(super) fn local(node: usize) -> Local {
    Local {
        name: format!("node{node}@host"),
        connection_string: format!("host:{}", node + 1),
    }
}

fn config(setting: Setting, node: usize, number: u8) -> Config {
    let announce = Announce {
        capabilities: Capabilities::ALL,
        incarnation: 1,
        max_frame_len: MIN_ANNOUNCED_LIMIT,
        max_message_len: MIN_ANNOUNCED_LIMIT,
        max_reassembly_len: MIN_ANNOUNCED_LIMIT,
        window: MIN_ANNOUNCED_LIMIT,
    };
    let scheme = match setting.has(Setting::MD5) {
        true => DigestScheme::Md5,
        false => DigestScheme::Sha256,
    };
    let native = setting.has(Setting::NATIVE);
    Config {
        scheme,
        native: native.then_some(announce),
        require_native: native && !setting.has(Setting::LENIENT),
        channel_binding: setting.has(Setting::BOUND).then_some([number; 32]),
        ..Config::new(local(node), Cookie::new("7c1de9a4f0b85a3326c1f7d1"))
    }
}
