//! Each state against each kind of message and each answer of the owner.

use std::time::Instant;

use bytes::Bytes;
use shiome_wire::auth::{
    AuthenticationMessage, Challenge, ChallengeAck, ChallengeReply, ClientStatus, NameMessage,
    NodeFlags, ServerStatus, authentication_message::Msg,
};
use shiome_wire::meta::NetworkMessage;
use shiome_wire::native::{Goodbye, NativeMessage, Proof};
use shiome_wire::{control, node};

use super::{COOKIE, announce, config, entropy, message, native};
use crate::hello::Own;
use crate::transcript::{End, Transcript};
use crate::{Admission, DigestScheme, Event, Fault, Handshake, HandshakeError, NameError, Side};

const OURS: u32 = 5;
const THEIRS: u32 = 6;

/// The last kind of message that belongs to a handshake.
const PROOF: usize = 7;

/// A handshake driven into each state, with the kind of message that it awaits.
const STATES: [(&str, Option<usize>); 12] = [
    ("AwaitName", Some(0)),
    ("AwaitAdmission", None),
    ("AwaitClientStatus", Some(2)),
    ("AwaitReply", Some(4)),
    ("AwaitStatus", Some(1)),
    ("AwaitAliveAnswer", None),
    ("AwaitChallenge", Some(3)),
    ("AwaitAck", Some(5)),
    ("AwaitProof", Some(7)),
    ("Authenticated", None),
    ("Refused", None),
    ("Failed", None),
];

/// What a peer with the cookie sends, in the order of the schema, then a message without content, a proof, and
/// messages that belong to no handshake.
fn messages() -> Vec<NetworkMessage> {
    let messages = [
        Msg::Name(name()),
        Msg::ServerStatus(ServerStatus { status: 0 }),
        Msg::ClientStatus(ClientStatus { status: true }),
        Msg::ServerChallenge(challenge()),
        Msg::ClientChallenge(ChallengeReply {
            challenge: THEIRS,
            digest: digest(OURS),
        }),
        Msg::ServerAck(ChallengeAck {
            digest: digest(OURS),
        }),
    ];
    let empty = AuthenticationMessage { msg: None }.into();
    let mac = proof();
    let others = [
        empty,
        Proof { mac }.into(),
        control::Ready {}.into(),
        node::Cast::default().into(),
        Goodbye::default().into(),
        NativeMessage::default().into(),
        NetworkMessage::default(),
    ];
    messages.map(message).into_iter().chain(others).collect()
}

fn name() -> NameMessage {
    NameMessage {
        name: "peer@host".into(),
        flags: None,
        connection_string: "peer:1".into(),
        connection_id: 9,
    }
}

fn challenge() -> Challenge {
    Challenge {
        name: "peer@host".into(),
        flags: None,
        challenge: THEIRS,
        connection_string: "peer:1".into(),
    }
}

fn digest(challenge: u32) -> Bytes {
    let digest = DigestScheme::Sha256.digest(&COOKIE.into(), challenge);
    Bytes::copy_from_slice(digest.as_ref())
}

/// What the server proves to the client that is driven into AwaitProof.
fn proof() -> Bytes {
    let ours = native("us").local;
    let transcript = Transcript {
        client: End {
            name: &ours.name,
            connection_string: &ours.connection_string,
            hello: &hello(OURS),
            challenge: OURS,
        },
        server: End {
            name: "peer@host",
            connection_string: "peer:1",
            hello: &hello(THEIRS),
            challenge: THEIRS,
        },
        connection_id: 9,
        status: 0,
        channel_binding: &[],
    };
    transcript.prove(&COOKIE.into(), Side::Server).to_bytes()
}

/// What the end with this challenge announces.
fn hello(challenge: u32) -> Bytes {
    Own::new(&announce(), entropy(challenge, 9).nonce).encoded
}

fn in_state(state: &str, now: Instant) -> Handshake {
    let entropy = entropy(OURS, 9);
    let mut client = Handshake::client(now, config("us"), entropy);
    let mut server = Handshake::server(now, config("us"), entropy);
    let known = messages();
    let feed = |end: &mut Handshake, kinds: &[usize]| {
        for &kind in kinds {
            end.handle_message(now, known[kind].clone()).unwrap();
        }
    };
    let alive = message(Msg::ServerStatus(ServerStatus { status: 4 }));
    match state {
        "AwaitName" => return server,
        "AwaitAdmission" => feed(&mut server, &[0]),
        "AwaitClientStatus" => {
            feed(&mut server, &[0]);
            server.admit(Admission::Alive).unwrap();
        }
        "AwaitReply" => {
            feed(&mut server, &[0]);
            server.admit(Admission::Ok).unwrap();
        }
        "Refused" => {
            feed(&mut server, &[0]);
            server.admit(Admission::NotOk).unwrap();
        }
        "Failed" => {
            server.handle_message(now, known[6].clone()).unwrap_err();
        }
        "AwaitStatus" => return client,
        "AwaitAliveAnswer" => {
            client.handle_message(now, alive).unwrap();
            return client;
        }
        "AwaitChallenge" => {
            feed(&mut client, &[1]);
            return client;
        }
        "AwaitAck" => {
            feed(&mut client, &[1, 3]);
            return client;
        }
        "AwaitProof" => {
            let mut client = Handshake::client(now, native("us"), entropy);
            let announced = Challenge {
                flags: Some(NodeFlags {
                    version: 1,
                    hello: hello(THEIRS),
                }),
                ..challenge()
            };
            feed(&mut client, &[1]);
            let challenge = message(Msg::ServerChallenge(announced));
            client.handle_message(now, challenge).unwrap();
            feed(&mut client, &[5]);
            return client;
        }
        "Authenticated" => {
            feed(&mut client, &[1, 3, 5]);
            return client;
        }
        other => panic!("no state {other}"),
    }
    server
}

#[test]
fn each_state_takes_what_it_awaits_and_nothing_else() {
    let now = Instant::now();
    for (state, awaited) in STATES {
        assert!(format!("{:?}", in_state(state, now)).contains(state));
        for (kind, message) in messages().into_iter().enumerate() {
            let mut end = in_state(state, now);
            let before = format!("{end:?}");
            let result = end.handle_message(now, message);
            let case = format!("{state}, message {kind}: {result:?}");
            match state {
                "Authenticated" | "Refused" => {
                    assert_eq!(result, Ok(()), "{case}");
                    assert_eq!(format!("{end:?}"), before, "{case}");
                }
                "Failed" => assert_eq!(result.unwrap_err().fault(), Fault::Caller, "{case}"),
                _ if awaited == Some(kind) => {
                    assert_eq!(result, Ok(()), "{case}");
                    assert_ne!(format!("{end:?}"), before, "{case}");
                }
                _ if kind > PROOF && state != "AwaitProof" => {
                    assert_eq!(result, Ok(()), "{case}");
                    assert_eq!(format!("{end:?}"), before, "skipped: {case}");
                }
                _ => {
                    let Err(HandshakeError::Unexpected { .. }) = result else {
                        panic!("{case}");
                    };
                    assert_failed(&mut end);
                }
            }
        }
    }
}

fn assert_failed(end: &mut Handshake) {
    assert!(end.is_finished() && !end.is_authenticated() && !end.is_refused());
    assert_eq!(end.poll_transmit(), None);
    assert_eq!(end.poll_event(), None);
    assert_eq!(end.poll_timeout(), None);
}

#[test]
fn answers_that_were_not_asked_for_change_nothing() {
    let now = Instant::now();
    let admissions = [
        Admission::Ok,
        Admission::OkSimultaneous,
        Admission::NotOk,
        Admission::NotAllowed,
        Admission::Alive,
    ];
    for (state, _) in STATES {
        for admission in admissions {
            let mut end = in_state(state, now);
            let before = format!("{end:?}");
            let result = end.admit(admission);
            if state == "AwaitAdmission" {
                assert_eq!(result, Ok(()));
            } else {
                assert_eq!(result, Err(HandshakeError::NotAwaited { call: "admit" }));
                assert_eq!(format!("{end:?}"), before);
            }
        }
        for go_on in [true, false] {
            let mut end = in_state(state, now);
            let before = format!("{end:?}");
            let result = end.answer_alive(go_on);
            if state == "AwaitAliveAnswer" {
                assert_eq!(result, Ok(()));
                assert_eq!(end.is_refused(), !go_on);
            } else {
                assert_eq!(result.unwrap_err().fault(), Fault::Caller);
                assert_eq!(format!("{end:?}"), before);
            }
        }
    }
}

#[test]
fn names_are_bounded_at_either_end() {
    let long = |len: usize| "x".repeat(len);
    let cases = [
        (long(255), long(255), None),
        (long(1), String::new(), None),
        (String::new(), long(1), Some(NameError::Empty)),
        (
            long(256),
            long(1),
            Some(NameError::NameTooLong { len: 256 }),
        ),
        (
            long(1),
            long(256),
            Some(NameError::ConnectionStringTooLong { len: 256 }),
        ),
    ];
    let now = Instant::now();
    for (name, connection_string, error) in cases {
        let expected = error.map_or(Ok(()), |error| Err(HandshakeError::Name(error)));
        let claim = Msg::Name(NameMessage {
            name: name.clone(),
            connection_string: connection_string.clone(),
            ..self::name()
        });
        let mut server = in_state("AwaitName", now);
        assert_eq!(server.handle_message(now, message(claim)), expected);
        assert_eq!(server.poll_event().is_some(), error.is_none());

        let claim = Msg::ServerChallenge(Challenge {
            name,
            connection_string,
            ..challenge()
        });
        let mut client = in_state("AwaitChallenge", now);
        while client.poll_transmit().is_some() {}
        assert_eq!(client.handle_message(now, message(claim)), expected);
        let named = matches!(client.poll_event(), Some(Event::PeerNamed(_)));
        assert_eq!(named, error.is_none());
        assert_eq!(client.poll_transmit().is_some(), error.is_none());
    }
}
