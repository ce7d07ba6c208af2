//! Peers without the cookie.

use bytes::Bytes;
use shiome_wire::auth::authentication_message::Msg;
use shiome_wire::meta::network_message::Message;

use super::pair::Pair;
use super::{auth, config, message};
use crate::{Config, Cookie, DigestScheme, Fault, HandshakeError, OutstandingChallenges, Side};

#[test]
fn a_wrong_cookie_or_scheme_authenticates_neither_end() {
    let other_cookie = Config {
        cookie: Cookie::new("another cookie"),
        ..config("client")
    };
    let other_scheme = Config {
        scheme: DigestScheme::Md5,
        ..config("client")
    };
    for client in [other_cookie, other_scheme] {
        let mut pair = Pair::of(client, config("server"));
        pair.drive();
        assert_eq!(
            pair.error,
            Some((Side::Server, HandshakeError::WrongDigest))
        );
        assert_eq!(pair.server.poll_transmit(), None, "no acknowledgement");
        assert_eq!(pair.authenticated(), [false, false]);
    }
}

#[test]
fn a_server_without_the_cookie_does_not_pass() {
    let server = Config {
        cookie: Cookie::new("guess"),
        ..config("server")
    };
    let mut pair = Pair::of(config("client"), server);
    pair.step();
    pair.step();
    pair.act();
    // It skips the check that it cannot make, and acknowledges with what it has.
    let Some(Msg::ClientChallenge(reply)) = pair.to_server.pop_front().unwrap().into_auth() else {
        panic!("not a reply");
    };
    let guess = DigestScheme::Sha256.digest(&"guess".into(), reply.challenge);
    let answers = [
        (
            Bytes::copy_from_slice(guess.as_ref()),
            HandshakeError::WrongDigest,
        ),
        (Bytes::new(), HandshakeError::WrongDigest),
        (reply.digest, HandshakeError::Reflected),
    ];
    for (digest, expected) in answers {
        let ack = Msg::ServerAck(shiome_wire::auth::ChallengeAck { digest });
        let mut client = pair.client.clone();
        let error = client.handle_message(pair.now, message(ack)).unwrap_err();
        assert_eq!(error.fault(), Fault::NotAuthentic);
        assert_eq!(error, expected);
        assert!(!client.is_authenticated());
        assert_eq!(client.poll_event(), None);
    }
}

#[test]
fn our_own_challenge_is_not_answered() {
    let mut pair = Pair::new();
    pair.step();
    pair.act();
    let Msg::ServerChallenge(challenge) = auth(&mut pair.to_client[1]) else {
        panic!("not a challenge");
    };
    challenge.challenge = 1;
    pair.drive();
    assert_eq!(pair.error, Some((Side::Client, HandshakeError::Reflected)));
    assert_eq!(pair.client.poll_transmit(), None);

    let mut pair = Pair::new();
    pair.step();
    pair.step();
    pair.act();
    let Msg::ClientChallenge(reply) = auth(&mut pair.to_server[0]) else {
        panic!("not a reply");
    };
    reply.challenge = 2;
    pair.drive();
    assert_eq!(pair.error, Some((Side::Server, HandshakeError::Reflected)));
    assert_eq!(pair.server.poll_transmit(), None);
}

/// A node dials a host without the cookie, which connects back and passes the challenges on.
#[test]
fn a_challenge_of_another_connection_of_ours_is_recognized() {
    let mut outstanding = OutstandingChallenges::new();
    let mut victim = Pair::new();
    outstanding.insert(1);
    outstanding.insert(2);
    victim.step();
    victim.act();
    let [status, challenge] = [0, 1].map(|i| match &victim.to_client[i].message {
        Some(Message::Auth(auth)) => auth,
        other => panic!("not a handshake message: {other:?}"),
    });
    assert!(outstanding.is_reflected(challenge));
    assert!(!outstanding.is_reflected(status));

    outstanding.insert(2);
    outstanding.remove(2);
    assert!(
        outstanding.is_reflected(challenge),
        "it is outstanding twice"
    );
    outstanding.remove(2);
    outstanding.remove(2);
    assert!(!outstanding.is_reflected(challenge));
}

#[test]
fn a_peer_that_says_everything_but_a_handshake_is_not_listened_to() {
    let empty = shiome_wire::meta::NetworkMessage::default;
    let mut pair = Pair::of(config("client"), config("server"));
    let server = &mut pair.server;
    for _ in 0..crate::MAX_SKIPPED {
        assert_eq!(server.handle_message(pair.now, empty()), Ok(()));
    }
    let mut patient = server.clone();
    let error = server.handle_message(pair.now, empty()).unwrap_err();
    assert_eq!(error, HandshakeError::TooManySkipped);
    assert_eq!(error.fault(), Fault::Protocol);
    assert!(server.is_finished() && !server.is_authenticated());
    // Those before it did no harm.
    std::mem::swap(&mut pair.server, &mut patient);
    pair.drive();
    assert_eq!(pair.authenticated(), [true, true]);
}
