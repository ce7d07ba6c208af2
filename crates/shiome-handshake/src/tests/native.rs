//! Nodes of shiome among themselves, and with nodes that announce nothing.

use bytes::Bytes;
use shiome_wire::auth::{NodeFlags, authentication_message::Msg};
use shiome_wire::meta::{NetworkMessage, network_message::Message};
use shiome_wire::native::{Proof, native_message};
use shiome_wire::{Capabilities, MAX_UNAUTHENTICATED_FRAME_LEN, encode};

use super::pair::Pair;
use super::{announce, auth, config, entropy, native};
use crate::{Announce, Config, DEFAULT_TIMEOUT, Handshake, HandshakeError, MAX_NAME_LEN};

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

pub(super) fn natives() -> Pair {
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
    let mut pair = Pair::of(native("client"), config("server"));
    pair.act();
    flags(&mut pair.to_server[0]).hello = Bytes::from_static(&[0xff]);
    pair.drive();
    assert_eq!(pair.authenticated(), [true, true]);
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
