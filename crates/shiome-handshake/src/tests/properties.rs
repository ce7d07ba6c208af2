//! A peer without the cookie may send what it likes, in any order.

use std::time::{Duration, Instant};

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message as _;
use shiome_wire::auth::{
    AuthenticationMessage, Challenge, ChallengeAck, ChallengeReply, ClientStatus, NameMessage,
    NodeFlags, ServerStatus, authentication_message::Msg,
};
use shiome_wire::meta::NetworkMessage;
use shiome_wire::native::{Hello, Proof};

use super::{announce, config, entropy, native};
use crate::hello::Own;
use crate::{
    Admission, Config, DEFAULT_TIMEOUT, Event, Handshake, HandshakeError, MAX_HELLO_LEN,
    MIN_ANNOUNCED_LIMIT,
};

const OURS: u32 = 5;

#[derive(Debug, Clone)]
enum Input {
    Message(NetworkMessage),
    /// The last digest that we sent, sent back as a reply or an acknowledgement.
    Echo {
        ack: bool,
        challenge: u32,
    },
    Admit(Admission),
    AnswerAlive(bool),
    Elapse(Duration),
    Drain,
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-z]{1,8}@host",
        1 => Just("us@host".to_owned()),
        1 => ".{0,300}",
    ]
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![Just(OURS), Just(OURS + 1), any::<u32>()]
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 32),
        prop::collection::vec(any::<u8>(), 0..40),
    ]
    .prop_map(Bytes::from)
}

/// Nothing, anything, and what is almost right.
fn hello() -> impl Strategy<Value = Bytes> {
    let almost = (
        0..3_u32,
        0..3_u32,
        any::<u64>(),
        0..2_u64,
        31..34_usize,
        0..4_u64,
    )
        .prop_map(
            |(version, oldest_version, capabilities, incarnation, nonce_len, limit)| {
                let limit = limit * (MIN_ANNOUNCED_LIMIT / 2);
                let hello = Hello {
                    version,
                    oldest_version,
                    capabilities,
                    incarnation,
                    nonce: vec![0; nonce_len].into(),
                    max_frame_len: limit,
                    max_message_len: limit,
                    max_reassembly_len: limit,
                    window: limit,
                };
                hello.encode_to_vec().into()
            },
        );
    prop_oneof![
        2 => Just(Own::new(&announce(), [7; 32]).encoded),
        1 => Just(Bytes::new()),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from),
        1 => Just(vec![0; MAX_HELLO_LEN + 1].into()),
        2 => almost,
    ]
}

fn flags() -> impl Strategy<Value = Option<NodeFlags>> {
    prop::option::of(
        (any::<u32>(), hello()).prop_map(|(version, hello)| NodeFlags { version, hello }),
    )
}

fn msg() -> impl Strategy<Value = Option<Msg>> {
    prop_oneof![
        1 => Just(None),
        3 => (name(), flags(), name(), any::<u64>()).prop_map(
            |(name, flags, connection_string, connection_id)| {
                Some(Msg::Name(NameMessage { name, flags, connection_string, connection_id }))
            }
        ),
        3 => prop_oneof![4 => 0..5_i32, 1 => any::<i32>()]
            .prop_map(|status| Some(Msg::ServerStatus(ServerStatus { status }))),
        1 => any::<bool>().prop_map(|status| Some(Msg::ClientStatus(ClientStatus { status }))),
        3 => (name(), flags(), number(), name()).prop_map(
            |(name, flags, challenge, connection_string)| {
                Some(Msg::ServerChallenge(Challenge { name, flags, challenge, connection_string }))
            }
        ),
        1 => (number(), bytes()).prop_map(|(challenge, digest)| {
            Some(Msg::ClientChallenge(ChallengeReply { challenge, digest }))
        }),
        1 => bytes().prop_map(|digest| Some(Msg::ServerAck(ChallengeAck { digest }))),
    ]
}

fn admission() -> impl Strategy<Value = Admission> {
    prop_oneof![
        Just(Admission::Ok),
        Just(Admission::OkSimultaneous),
        Just(Admission::NotOk),
        Just(Admission::NotAllowed),
        Just(Admission::Alive),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        6 => msg().prop_map(|msg| Input::Message(AuthenticationMessage { msg }.into())),
        2 => (any::<bool>(), number()).prop_map(|(ack, challenge)| Input::Echo { ack, challenge }),
        3 => admission().prop_map(Input::Admit),
        1 => bytes().prop_map(|mac| Input::Message(Proof { mac }.into())),
        1 => Just(Input::Message(NetworkMessage::default())),
        1 => any::<bool>().prop_map(Input::AnswerAlive),
        1 => (0..3_000_u64).prop_map(|ms| Input::Elapse(Duration::from_millis(ms))),
        2 => Just(Input::Drain),
    ]
}

/// One end and the digest that it gave away last.
struct Target {
    end: Handshake,
    start: Instant,
    now: Instant,
    seen: Bytes,
}

impl Target {
    fn new(client: bool, config: Config) -> Self {
        let entropy = entropy(OURS, 1);
        let start = Instant::now();
        let make = if client {
            Handshake::client
        } else {
            Handshake::server
        };
        Self {
            end: make(start, config, entropy),
            start,
            now: start,
            seen: Bytes::new(),
        }
    }

    fn apply(&mut self, input: Input) -> Result<(), HandshakeError> {
        let over = self.end.is_finished();
        let result = match input {
            Input::Message(message) => self.end.handle_message(self.now, message),
            Input::Echo { ack, challenge } => {
                let digest = self.seen.clone();
                let msg = if ack {
                    Msg::ServerAck(ChallengeAck { digest })
                } else {
                    Msg::ClientChallenge(ChallengeReply { challenge, digest })
                };
                self.end.handle_message(self.now, super::message(msg))
            }
            Input::Admit(admission) => self.end.admit(admission),
            Input::AnswerAlive(go_on) => self.end.answer_alive(go_on),
            Input::Elapse(time) => {
                self.now += time;
                self.end.handle_timeout(self.now)
            }
            Input::Drain => Ok(()),
        };
        if over {
            assert!(self.end.is_finished(), "nothing revives a handshake");
        }
        self.drain();
        result
    }

    fn drain(&mut self) {
        let mut sent = 0;
        while let Some(message) = self.end.poll_transmit() {
            sent += 1;
            if let Some(Msg::ClientChallenge(reply)) = message.into_auth() {
                self.seen = reply.digest;
            }
        }
        assert!(sent <= 2, "a status and a challenge at most");
        while let Some(event) = self.end.poll_event() {
            assert!(
                !matches!(event, Event::Authenticated(_)),
                "without the cookie"
            );
        }
    }
}

proptest! {
    #[test]
    fn without_the_cookie_nothing_authenticates(
        client: bool,
        announces: bool,
        require_native: bool,
        inputs in prop::collection::vec(input(), 0..20),
    ) {
        let config = if announces { native("us") } else { config("us") };
        let mut target = Target::new(client, Config { require_native, ..config });
        for input in inputs {
            let open = !target.end.is_finished();
            let result = target.apply(input);
            prop_assert!(!target.end.is_authenticated());
            if let Err(HandshakeError::NotAwaited { .. }) = result {
                continue;
            }
            if open && result.is_err() {
                prop_assert!(target.end.is_finished());
                prop_assert_eq!(target.end.poll_timeout(), None);
            }
        }
        if !target.end.is_finished() {
            prop_assert_eq!(target.end.poll_timeout(), Some(target.start + DEFAULT_TIMEOUT));
        }
    }
}
