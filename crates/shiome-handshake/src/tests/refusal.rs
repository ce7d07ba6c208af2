//! Peers that a node of shiome does not want, or does not believe.

use prost::Message as _;
use shiome_wire::auth::NodeFlags;
use shiome_wire::native::Hello;

use super::native::{flags, natives};
use super::pair::Pair;
use super::{config, native};
use crate::{Config, Cookie, Fault, HandshakeError, HelloError, RefusedBy, Side, read_hello};

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
