//! Somebody without the cookie between nodes that have it, one attack at a time.

use std::time::Instant;

use bytes::Bytes;
use shiome_wire::auth::{
    Challenge, ChallengeAck, NodeFlags, ServerStatus, authentication_message::Msg,
};

use super::native::{as_proof, flags};
use super::pair::Pair;
use super::{auth, config, entropy, native};
use crate::{Config, Handshake, HandshakeError, Side};

/// A relay takes both announcements out. Each end believes the other to be a published node, and has said so that the
/// other can know.
#[test]
fn two_stripped_hellos_never_go_unnoticed_if_what_follows_arrives() {
    let mut pair = Pair::of(native("client"), native("server"));
    pair.act();
    flags(&mut pair.to_server[0]).hello.clear();
    pair.step();
    flags(&mut pair.to_client[1]).hello.clear();
    pair.step();
    pair.step();
    let to_client: Vec<_> = pair.to_client.drain(..).collect();
    assert_eq!(to_client.len(), 2);
    assert!(as_proof(&to_client[1]).is_some());
    for message in to_client {
        pair.client.handle_message(pair.now, message).unwrap();
        pair.act();
    }
    assert_eq!(pair.authenticated(), [true, true]);
    assert!(
        pair.peers()
            .iter()
            .all(|peer| peer.unwrap().native.is_none())
    );
    assert!(as_proof(&pair.to_server[0]).is_some());
}

#[test]
fn one_stripped_hello_never_gets_past_the_end_whose_peer_still_announces() {
    // On its way to the server, which takes the client for a published node.
    let mut pair = Pair::of(native("client"), native("server"));
    pair.act();
    flags(&mut pair.to_server[0]).hello.clear();
    while pair.step() {}
    assert_eq!(pair.error, Some((Side::Client, HandshakeError::WrongProof)));
    assert_eq!(pair.authenticated(), [false, true]);
    assert!(pair.peers()[1].unwrap().native.is_none());

    // On its way to the client, which takes the server for a published node.
    let mut pair = Pair::of(native("client"), native("server"));
    pair.step();
    flags(&mut pair.to_client[1]).hello.clear();
    while pair.step() {}
    assert_eq!(pair.error, Some((Side::Server, HandshakeError::WrongProof)));
    assert_eq!(pair.authenticated(), [true, false]);
}

/// Two nodes dial the same host, which has one answer the other's challenge.
struct Swapped {
    now: Instant,
    victim: Handshake,
    other: Handshake,
    /// What the host makes the victim believe that it announces.
    hello: Bytes,
}

impl Swapped {
    fn new(victim: Config) -> Self {
        let now = Instant::now();
        let mut other = Handshake::client(now, native("other"), entropy(2, 8));
        let hello = flags(&mut other.poll_transmit().unwrap()).hello.clone();
        Self {
            now,
            victim: Handshake::client(now, victim, entropy(1, 9)),
            other,
            hello,
        }
    }

    /// Sends a status and a challenge to `end`; its answer, and the challenge that it issues.
    fn ask(
        now: Instant,
        end: &mut Handshake,
        challenge: u32,
        hello: Bytes,
    ) -> Result<(Bytes, u32), HandshakeError> {
        while end.poll_transmit().is_some() {}
        end.handle_message(now, ServerStatus { status: 0 }.into())?;
        let challenge = Challenge {
            name: "host@host".into(),
            flags: Some(NodeFlags { version: 1, hello }),
            challenge,
            connection_string: "host:1".into(),
        };
        end.handle_message(now, challenge.into())?;
        let mut reply = end.poll_transmit().unwrap();
        let Msg::ClientChallenge(reply) = auth(&mut reply) else {
            panic!("not a reply");
        };
        Ok((reply.digest.clone(), reply.challenge))
    }

    /// As far as the victim's acknowledgement, which the other node has computed.
    fn acknowledge(&mut self) -> Result<(), HandshakeError> {
        let (now, hello) = (self.now, self.hello.clone());
        let (_, theirs) = Self::ask(now, &mut self.victim, 77, hello.clone())?;
        let (digest, _) = Self::ask(now, &mut self.other, theirs, hello)?;
        self.victim
            .handle_message(now, ChallengeAck { digest }.into())
    }
}

#[test]
fn a_client_never_takes_another_client_for_a_server() {
    let mut swapped = Swapped::new(native("victim"));
    swapped.acknowledge().unwrap();
    assert!(
        !swapped.victim.is_authenticated(),
        "the digest is not enough"
    );
    let proof = swapped.victim.poll_transmit().unwrap();
    assert!(as_proof(&proof).is_some());
    // The other node is still without an acknowledgement, so all there is to send is the victim's own.
    assert_eq!(swapped.other.poll_transmit(), None);
    let error = swapped
        .victim
        .handle_message(swapped.now, proof)
        .unwrap_err();
    assert_eq!(error, HandshakeError::WrongProof);
    assert!(!swapped.victim.is_authenticated());
}

#[test]
fn a_client_that_requires_native_never_answers_a_host_that_announces_nothing() {
    let mut swapped = Swapped::new(Config {
        require_native: true,
        ..native("victim")
    });
    swapped.hello.clear();
    assert_eq!(swapped.acknowledge(), Err(HandshakeError::NativeRequired));
    assert_eq!(swapped.victim.poll_transmit(), None);
}

/// The weakness of the cookie handshake that the proof closes, shown to exist.
#[test]
fn without_an_announcement_or_the_requirement_the_digest_of_another_client_passes() {
    for victim in [config("victim"), native("victim")] {
        let mut swapped = Swapped::new(victim);
        swapped.hello.clear();
        swapped.acknowledge().unwrap();
        assert!(swapped.victim.is_authenticated());
    }
}

#[test]
fn a_proof_of_another_connection_of_the_same_nodes_never_serves_again() {
    let proofs = |challenges: [u32; 2]| {
        let now = Instant::now();
        let mut pair = Pair::between(
            now,
            Handshake::client(now, native("client"), entropy(challenges[0], 9)),
            Handshake::server(now, native("server"), entropy(challenges[1], 0)),
        );
        for _ in 0..3 {
            pair.step();
        }
        pair
    };
    let [mut earlier, mut later] = [proofs([1, 2]), proofs([3, 4])];
    let old = earlier.to_client.pop_back().unwrap();
    assert!(as_proof(&old).is_some());
    later.to_client.pop_back();
    later.to_client.push_back(old);
    while later.step() {}
    let expected = (Side::Client, HandshakeError::WrongProof);
    assert_eq!(later.error, Some(expected));
    assert!(!later.client.is_authenticated());
}
