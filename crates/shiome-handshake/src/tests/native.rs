//! Nodes of shiome among themselves, and with nodes that announce nothing.

use bytes::Bytes;
use prost::Message as _;
use shiome_wire::auth::{NodeFlags, authentication_message::Msg};
use shiome_wire::meta::{NetworkMessage, network_message::Message};
use shiome_wire::native::{Hello, Proof, native_message};
use shiome_wire::{Capabilities, MAX_UNAUTHENTICATED_FRAME_LEN, encode};

use super::pair::Pair;
use super::{announce, auth, config, entropy, native};
use crate::{
    Announce, Config, Cookie, DEFAULT_TIMEOUT, Fault, Handshake, HandshakeError, HelloError,
    MAX_NAME_LEN, RefusedBy, Side, read_hello,
};

/// The announcement in a Name or a Challenge.
pub(super) fn flags(message: &mut NetworkMessage) -> &mut NodeFlags {
    let flags = match auth(message) {
        Msg::Name(name) => &mut name.flags,
        Msg::ServerChallenge(challenge) => &mut challenge.flags,
        other => panic!("no flags in {other:?}"),
    };
    flags.as_mut().unwrap()
}

pub(super) fn as_proof(message: &NetworkMessage) -> Option<&Proof> {
    match &message.message {
        Some(Message::Native(native)) => match &native.msg {
            Some(native_message::Msg::Proof(proof)) => Some(proof),
            _ => None,
        },
        _ => None,
    }
}

/// Two ends, after the Name was sent and changed.
fn with_name(mut pair: Pair, change: impl Fn(&mut NodeFlags)) -> Pair {
    pair.act();
    change(flags(&mut pair.to_server[0]));
    pair
}

/// Two ends, after the Challenge was sent and changed.
fn with_challenge(mut pair: Pair, change: impl Fn(&mut NodeFlags)) -> Pair {
    pair.step();
    pair.act();
    change(flags(&mut pair.to_client[1]));
    pair
}

fn natives() -> Pair {
    Pair::of(native("client"), native("server"))
}

#[test]
fn two_nodes_of_shiome_agree_on_what_both_can_take() {
    let client = Announce {
        capabilities: Capabilities::from_bits(Capabilities::STOP.bits() | 1 << 60),
        incarnation: 7,
        window: 1 << 20,
        ..announce()
    };
    let client = Config {
        native: Some(client),
        ..config("client")
    };
    let mut pair = Pair::of(client, native("server"));
    pair.drive();
    assert_eq!(pair.error, None);
    let [at_client, at_server] = pair
        .peers()
        .map(|peer| peer.unwrap().native.clone().unwrap());
    for end in [&at_client, &at_server] {
        assert_eq!(end.version, 1);
        assert_eq!(end.capabilities, Capabilities::STOP);
    }
    assert_eq!(at_client.hello.incarnation, 1);
    assert_eq!(at_client.hello.nonce, entropy(2, 0).nonce[..]);
    assert_eq!(
        (at_server.hello.incarnation, at_server.hello.window),
        (7, 1 << 20)
    );
    assert_eq!(at_server.hello.nonce, entropy(1, 0).nonce[..]);
    assert_eq!(at_server.hello.capabilities >> 60, 1, "kept as announced");
}

#[test]
fn neither_end_is_authenticated_before_the_proof_of_the_other_has_come() {
    let mut pair = natives();
    for _ in 0..3 {
        assert!(pair.step());
    }
    pair.act();
    assert_eq!(pair.authenticated(), [false, false]);
    let kinds: Vec<_> = pair.to_client.iter().map(NetworkMessage::kind).collect();
    assert_eq!(kinds, ["challenge ack", "proof"]);
    assert!(pair.step());
    pair.act();
    assert_eq!(pair.authenticated(), [true, false]);
    let kinds: Vec<_> = pair.to_server.iter().map(NetworkMessage::kind).collect();
    assert_eq!(kinds, ["proof"]);
    assert!(pair.step());
    pair.act();
    assert_eq!(pair.authenticated(), [true, true]);
    assert!(!pair.step());
}

#[test]
fn a_proof_that_does_not_come_is_waited_for_until_the_deadline_and_not_longer() {
    let mut pair = natives();
    let deadline = pair.now + DEFAULT_TIMEOUT;
    for _ in 0..3 {
        pair.step();
    }
    pair.act();
    assert!(as_proof(&pair.to_client.pop_back().unwrap()).is_some());
    assert!(pair.step());
    pair.act();
    pair.to_server.clear();
    for end in [&mut pair.client, &mut pair.server] {
        assert_eq!(end.poll_timeout(), Some(deadline));
        assert_eq!(end.handle_timeout(deadline), Err(HandshakeError::Deadline));
        assert!(!end.is_authenticated() && end.is_finished());
    }
}

#[test]
fn a_node_that_announces_nothing_gets_a_proof_to_skip_and_sends_none() {
    let mut pair = Pair::of(config("client"), native("server"));
    for _ in 0..3 {
        pair.step();
    }
    pair.act();
    assert_eq!(
        pair.authenticated(),
        [false, true],
        "no proof is waited for"
    );
    assert!(as_proof(pair.to_client.back().unwrap()).is_some());
    pair.drive();
    assert_eq!(pair.authenticated(), [true, true]);
    assert!(
        pair.peers()
            .iter()
            .all(|peer| peer.unwrap().native.is_none())
    );

    let mut pair = Pair::of(native("client"), config("server"));
    pair.drive();
    assert_eq!(
        (pair.error.clone(), pair.authenticated()),
        (None, [true, true])
    );
    assert!(
        pair.peers()
            .iter()
            .all(|peer| peer.unwrap().native.is_none())
    );

    // What is announced is not read by a node that announces nothing itself, be it malformed.
    let mut pair = with_name(Pair::of(native("client"), config("server")), |flags| {
        flags.hello = Bytes::from_static(&[0xff]);
    });
    pair.drive();
    assert_eq!(pair.authenticated(), [true, true]);
}

#[test]
fn a_published_initiator_is_told_that_it_may_not_come_when_native_is_required() {
    let server = Config {
        require_native: true,
        ..native("server")
    };
    let mut pair = Pair::of(config("client"), server);
    let name = pair.client.poll_transmit().unwrap();
    let error = pair.server.handle_message(pair.now, name).unwrap_err();
    assert_eq!(error, HandshakeError::NativeRequired);
    assert_eq!(error.fault(), Fault::Refused);
    assert!(pair.server.is_finished() && !pair.server.is_refused());
    assert_eq!(
        pair.server.poll_event(),
        None,
        "nobody is asked to admit it"
    );
    let status = pair.server.poll_transmit().unwrap();
    assert_eq!(
        pair.server.poll_transmit(),
        None,
        "no challenge goes with it"
    );
    let told = pair.client.handle_message(pair.now, status);
    assert_eq!(told, Err(HandshakeError::Refused(RefusedBy::NotAllowed)));
}

#[test]
fn a_published_acceptor_gets_no_digest_when_native_is_required() {
    let client = Config {
        require_native: true,
        ..native("client")
    };
    let mut pair = Pair::of(client, config("server"));
    pair.drive();
    let expected = (Side::Client, HandshakeError::NativeRequired);
    assert_eq!(pair.error, Some(expected));
    assert!(pair.to_server.is_empty());
    assert_eq!(pair.client.poll_transmit(), None);
    assert_eq!(pair.authenticated(), [false, false]);
}

#[test]
fn a_node_that_announces_nothing_and_requires_it_lets_nobody_in() {
    let deaf = |name| Config {
        require_native: true,
        ..config(name)
    };
    let mut pair = Pair::of(native("client"), deaf("server"));
    pair.drive();
    assert_eq!(pair.error.unwrap().1, HandshakeError::NativeRequired);
    let mut pair = Pair::of(deaf("client"), native("server"));
    pair.drive();
    assert_eq!(pair.error.unwrap().1, HandshakeError::NativeRequired);
}

#[test]
fn a_malformed_hello_ends_the_handshake_before_anything_is_answered() {
    let spoilt = |spoil: fn(&mut Hello)| {
        move |flags: &mut NodeFlags| {
            let mut hello = Hello::decode(flags.hello.clone()).unwrap();
            spoil(&mut hello);
            flags.hello = hello.encode_to_vec().into();
            assert_eq!(read_hello(Some(flags)), None);
        }
    };
    let no_incarnation = spoilt(|hello| hello.incarnation = 0);
    let short_nonce = spoilt(|hello| hello.nonce.truncate(31));
    type Spoil<'a> = &'a dyn Fn(&mut NodeFlags);
    let cases: [(Spoil<'_>, HelloError); 3] = [
        (&no_incarnation, HelloError::Incarnation),
        (&short_nonce, HelloError::Nonce { len: 31 }),
        (
            &|flags| flags.hello = vec![0xff; 40].into(),
            HelloError::Undecodable,
        ),
    ];
    for (spoil, expected) in cases {
        for side in [Side::Client, Side::Server] {
            let mut pair = match side {
                Side::Client => with_challenge(natives(), spoil),
                Side::Server => with_name(natives(), spoil),
            };
            pair.drive();
            let (at, error) = pair.error.clone().unwrap();
            assert_eq!((at, &error), (side, &HandshakeError::BadHello(expected)));
            assert_eq!(error.fault(), Fault::Protocol);
            assert_eq!(pair.authenticated(), [false, false]);
            assert!(pair.to_server.is_empty() && pair.client.poll_transmit().is_none());
            assert_eq!(pair.server.poll_transmit(), None);
        }
    }
}

#[test]
fn different_channels_at_the_two_ends_authenticate_neither() {
    let bound = |name, byte: Option<u8>| Config {
        channel_binding: byte.map(|byte| [byte; 32]),
        ..native(name)
    };
    for (client, server) in [
        (Some(1), Some(2)),
        (Some(1), None),
        (None, Some(1)),
        (Some(0), None),
    ] {
        let mut pair = Pair::of(bound("client", client), bound("server", server));
        while pair.step() {}
        assert_eq!(pair.authenticated(), [false, false]);
        let (_, error) = pair.error.unwrap();
        assert_eq!(error, HandshakeError::WrongProof);
        assert_eq!(error.fault(), Fault::NotAuthentic);
        assert!(pair.client.is_finished() && pair.server.is_finished());
    }
    let mut pair = Pair::of(bound("client", Some(1)), bound("server", Some(1)));
    pair.drive();
    assert_eq!(pair.authenticated(), [true, true]);
}

#[test]
fn a_wrong_cookie_gets_no_proof_at_all() {
    let stranger = Config {
        cookie: Cookie::new("another cookie"),
        ..native("client")
    };
    let mut pair = Pair::of(stranger, native("server"));
    pair.drive();
    assert_eq!(
        pair.error,
        Some((Side::Server, HandshakeError::WrongDigest))
    );
    assert_eq!(pair.server.poll_transmit(), None);
    assert_eq!(pair.authenticated(), [false, false]);
}

/// The longest Name and Challenge there are fit the frames that are taken before authentication.
#[test]
fn the_longest_messages_fit_the_limit_before_authentication() {
    let long = |letter: &str| {
        let mut long = native(letter);
        long.local.name = letter.repeat(MAX_NAME_LEN);
        long.local.connection_string = letter.repeat(MAX_NAME_LEN);
        long.native = Some(Announce {
            capabilities: Capabilities::from_bits(u64::MAX),
            incarnation: u64::MAX,
            max_frame_len: u64::MAX,
            max_message_len: u64::MAX,
            max_reassembly_len: u64::MAX,
            window: u64::MAX,
        });
        long
    };
    let mut pair = Pair::of(long("c"), long("s"));
    let mut sent = 0;
    loop {
        pair.act();
        for message in pair.to_client.iter().chain(&pair.to_server) {
            let mut frame = bytes::BytesMut::new();
            encode(message, MAX_UNAUTHENTICATED_FRAME_LEN, &mut frame).unwrap();
            sent += 1;
        }
        if !pair.step() {
            break;
        }
    }
    assert_eq!((sent, pair.authenticated()), (7, [true, true]));

    // And the longest Hello of a later version.
    let mut name = Handshake::client(pair.now, long("c"), entropy(1, u64::MAX))
        .poll_transmit()
        .unwrap();
    flags(&mut name).hello = vec![0; crate::MAX_HELLO_LEN].into();
    let mut frame = bytes::BytesMut::new();
    encode(&name, MAX_UNAUTHENTICATED_FRAME_LEN, &mut frame).unwrap();
}
