//! Rolling upgrades: nodes of this version with those of later ones, which announce what is not known here.

use std::time::Instant;

use bytes::Bytes;
use prost::Message as _;
use shiome_wire::Capabilities;
use shiome_wire::native::Hello;

use super::native::flags;
use super::pair::{NONCE, Pair};
use super::{announce, entropy, native};
use crate::hello::Own;
use crate::{Fault, Handshake, HandshakeError, RefusedBy, Side, Versions};

/// A varint, a fixed width, bytes and a group that no version has announced yet: fields 100 to 103.
const UNKNOWN_FIELDS: &[u8] = &[
    0xa0, 0x06, 0x07, //
    0xad, 0x06, 1, 2, 3, 4, //
    0xb2, 0x06, 3, b'n', b'e', b'w', //
    0xbb, 0x06, 0x08, 0x01, 0xbc, 0x06,
];

/// What a node of a later version announces, with everything that it may add.
fn later(oldest: u32, newest: u32, challenge: u32) -> Own {
    let Own { hello, .. } = Own::new(&announce(), entropy(challenge, 0).nonce);
    let hello = Hello {
        version: newest,
        oldest_version: oldest,
        capabilities: u64::MAX,
        ..hello
    };
    let encoded: Bytes = [&hello.encode_to_vec(), UNKNOWN_FIELDS].concat().into();
    assert_eq!(Hello::decode(encoded.clone()), Ok(hello.clone()));
    Own { hello, encoded }
}

/// A node of this version and one that speaks others, which plays `side`.
fn pair(side: Side, oldest: u32, newest: u32) -> Pair {
    let now = Instant::now();
    let (of_client, of_server) = (entropy(1, NONCE), entropy(2, 0));
    let (client, server) = (native("client"), native("server"));
    let (client, server) = match side {
        Side::Client => (
            Handshake::client_with(now, client, of_client, Some(later(oldest, newest, 1))),
            Handshake::server(now, server, of_server),
        ),
        Side::Server => (
            Handshake::client(now, client, of_client),
            Handshake::server_with(now, server, of_server, Some(later(oldest, newest, 2))),
        ),
    };
    Pair::between(now, client, server)
}

#[test]
fn a_later_node_that_still_speaks_this_version_is_understood_and_nothing_unknown_is_in_the_way() {
    for newest in [1, 2, 3, u32::MAX] {
        for side in [Side::Client, Side::Server] {
            let mut pair = pair(side, 1, newest);
            pair.drive();
            assert_eq!(pair.error, None);
            let natives = pair
                .peers()
                .map(|peer| peer.unwrap().native.clone().unwrap());
            for native in natives {
                assert_eq!(native.version, 1);
                assert_eq!(native.capabilities, Capabilities::ALL, "unknown bits fall");
            }
        }
    }
}

#[test]
fn what_is_unknown_here_is_proven_all_the_same() {
    let mut pair = pair(Side::Client, 1, 3);
    pair.act();
    let hello = &mut flags(&mut pair.to_server[0]).hello;
    let mut changed = hello.to_vec();
    // The last byte of the unknown text.
    let at = changed.len() - 7;
    assert_eq!(changed[at], b'w');
    changed[at] = b'x';
    *hello = changed.into();
    while pair.step() {}
    assert_eq!(pair.authenticated(), [false, false]);
    assert_eq!(pair.error.unwrap().1, HandshakeError::WrongProof);
}

const OURS: Versions = Versions {
    oldest: 1,
    newest: 1,
};
const THEIRS: Versions = Versions {
    oldest: 2,
    newest: 3,
};

#[test]
fn a_later_initiator_that_has_dropped_this_version_is_told_that_it_may_not_come() {
    let mut pair = pair(Side::Client, 2, 3);
    let name = pair.client.poll_transmit().unwrap();
    let error = pair.server.handle_message(pair.now, name).unwrap_err();
    let (ours, theirs) = (OURS, THEIRS);
    assert_eq!(error, HandshakeError::IncompatibleVersion { ours, theirs });
    assert_eq!(error.fault(), Fault::Incompatible);
    assert_eq!(
        error.to_string(),
        "peer speaks versions 2..=3 of the native protocol, this node 1..=1"
    );
    assert_eq!(
        pair.server.poll_event(),
        None,
        "nobody is asked to admit it"
    );
    let status = pair.server.poll_transmit().unwrap();
    assert_eq!(pair.server.poll_transmit(), None, "no challenge");
    let told = pair.client.handle_message(pair.now, status);
    assert_eq!(told, Err(HandshakeError::Refused(RefusedBy::NotAllowed)));
}

/// It would refuse us itself, at our Name.
#[test]
fn a_later_acceptor_that_has_dropped_this_version_gets_no_digest() {
    let mut pair = Pair::of(native("client"), native("server"));
    pair.step();
    flags(&mut pair.to_client[1]).hello = later(2, 3, 2).encoded;
    pair.drive();
    let (ours, theirs) = (OURS, THEIRS);
    let expected = HandshakeError::IncompatibleVersion { ours, theirs };
    assert_eq!(pair.error, Some((Side::Client, expected)));
    assert!(pair.to_server.is_empty());
    assert_eq!(pair.client.poll_transmit(), None);
    assert_eq!(pair.authenticated(), [false, false]);
}

#[test]
fn this_version_is_refused_by_a_later_acceptor_that_has_dropped_it() {
    let mut pair = pair(Side::Server, 2, 3);
    pair.drive();
    let (ours, theirs) = (THEIRS, OURS);
    let expected = HandshakeError::IncompatibleVersion { ours, theirs };
    assert_eq!(pair.error, Some((Side::Server, expected)));
    assert_eq!(pair.authenticated(), [false, false]);
}
