//! What two ends make of each other, by the rules that every node knows.

use std::time::Instant;

use shiome_wire::auth::{authentication_message::Msg, server_status::Status};

use super::pair::{NONCE, Pair};
use super::{auth, config, entropy, message};
use crate::{
    Admission, Config, DigestScheme, Event, Fault, Handshake, HandshakeError, Peer, RefusedBy, Side,
};

#[test]
fn both_ends_authenticate_and_know_each_other() {
    for admission in [Admission::Ok, Admission::OkSimultaneous, Admission::Alive] {
        let mut pair = Pair::new();
        pair.admission = admission;
        pair.drive();
        assert_eq!(pair.error, None);
        assert_eq!(pair.authenticated(), [true, true]);

        let Some(Event::Authenticated(server)) = pair.client_events.pop() else {
            unreachable!("checked above");
        };
        assert_eq!(server.side, Side::Client);
        assert_eq!(server.name.name, "server@host");
        assert_eq!(server.name.connection_string, "server:4697");
        assert_eq!(server.name.connection_id, NONCE);
        assert_eq!(
            server.name.flags.as_ref().map(|flags| flags.version),
            Some(1)
        );
        assert_eq!(
            pair.client_events.pop(),
            Some(Event::PeerNamed(server.name))
        );
        let asked = pair.client_events.pop() == Some(Event::PeerAlive);
        assert_eq!(asked, admission == Admission::Alive);

        let client = pair.server.peer().unwrap().clone();
        assert_eq!(client.name, "client@host");
        assert_eq!(client.connection_id, NONCE, "the same at both ends");
        let expected = [
            Event::NameReceived(client.clone()),
            Event::Authenticated(Peer {
                name: client,
                side: Side::Server,
                native: None,
            }),
        ];
        assert_eq!(pair.server_events, expected);
        assert_eq!(pair.client.poll_timeout(), None);
        assert_eq!(pair.server.poll_timeout(), None);
    }
}

#[test]
fn the_server_authenticates_a_flight_before_the_client() {
    let mut pair = Pair::new();
    for _ in 0..3 {
        assert!(pair.step());
    }
    pair.act();
    assert_eq!(pair.authenticated(), [false, true]);
    assert!(pair.step());
    pair.act();
    assert_eq!(pair.authenticated(), [true, true]);
    assert!(!pair.step());
}

#[test]
fn the_client_sends_only_its_name_at_first() {
    let mut pair = Pair::new();
    let Some(Msg::Name(name)) = pair.client.poll_transmit().unwrap().into_auth() else {
        panic!("not a name");
    };
    assert_eq!(name.name, "client@host");
    assert_eq!(name.connection_string, "client:4697");
    assert_eq!(name.connection_id, NONCE);
    assert_eq!(pair.client.poll_transmit(), None);
    assert_eq!(pair.server.poll_transmit(), None);
    assert_eq!(pair.client.peer(), None);
}

#[test]
fn a_nonce_is_never_zero() {
    let mut client = Handshake::client(Instant::now(), config("client"), entropy(1, 0));
    let Some(Msg::Name(name)) = client.poll_transmit().unwrap().into_auth() else {
        panic!("not a name");
    };
    assert_eq!(name.connection_id, u64::MAX);
}

#[test]
fn the_server_sends_nothing_before_its_owner_decides() {
    let mut pair = Pair::new();
    let name = pair.client.poll_transmit().unwrap();
    pair.server.handle_message(pair.now, name).unwrap();
    assert_eq!(pair.server.poll_transmit(), None);
    pair.server.admit(Admission::Ok).unwrap();
    let sent = std::iter::from_fn(|| pair.server.poll_transmit());
    let kinds: Vec<_> = sent.map(|message| message.kind()).collect();
    assert_eq!(kinds, ["server status", "challenge"]);
}

#[test]
fn a_refusal_reaches_the_client_and_no_challenge_goes_with_it() {
    let refusals = [
        (Admission::NotOk, RefusedBy::NotOk),
        (Admission::NotAllowed, RefusedBy::NotAllowed),
    ];
    for (admission, refused_by) in refusals {
        let mut pair = Pair::new();
        pair.admission = admission;
        pair.step();
        pair.act();
        assert!(pair.server.is_refused() && pair.server.is_finished());
        assert_eq!(pair.to_client.len(), 1);
        assert_eq!(pair.server.poll_timeout(), None);
        pair.drive();
        let (side, error) = pair.error.clone().unwrap();
        assert_eq!(side, Side::Client);
        assert_eq!(error, HandshakeError::Refused(refused_by));
        assert_eq!(error.fault(), Fault::Refused);
        assert_eq!(pair.authenticated(), [false, false]);
    }
}

#[test]
fn a_client_that_is_told_of_a_living_connection_can_give_up() {
    let mut pair = Pair::new();
    pair.admission = Admission::Alive;
    pair.go_on = false;
    pair.drive();
    assert!(pair.client.is_refused());
    let refused = HandshakeError::Refused(RefusedBy::ClientStatus);
    assert_eq!(pair.error, Some((Side::Server, refused)));
    assert_eq!(pair.authenticated(), [false, false]);
}

#[test]
fn md5_works_when_both_ends_choose_it() {
    let md5 = |name| Config {
        scheme: DigestScheme::Md5,
        ..config(name)
    };
    let mut pair = Pair::of(md5("client"), md5("server"));
    pair.drive();
    assert_eq!(pair.authenticated(), [true, true]);
}

#[test]
fn a_node_does_not_connect_to_itself() {
    let mut same_name = config("server");
    same_name.local.connection_string = "elsewhere:1".into();
    let mut same_address = config("server");
    same_address.local.name = "twin@host".into();
    for twin in [same_name, same_address] {
        let mut pair = Pair::of(twin.clone(), config("server"));
        pair.drive();
        assert_eq!(
            pair.error,
            Some((Side::Server, HandshakeError::SelfConnection))
        );
        assert!(pair.server_events.is_empty() && pair.to_client.is_empty());

        // The server says who it is in its challenge only.
        let mut pair = Pair::of(twin, config("other"));
        pair.step();
        pair.act();
        let Msg::ServerChallenge(challenge) = auth(&mut pair.to_client[1]) else {
            panic!("not a challenge");
        };
        challenge.name = "server@host".into();
        challenge.connection_string = "server:4697".into();
        pair.drive();
        assert_eq!(
            pair.error,
            Some((Side::Client, HandshakeError::SelfConnection))
        );
        assert_eq!(pair.client.poll_transmit(), None, "no digest for nothing");
    }
}

#[test]
fn nodes_that_cannot_be_dialled_are_not_the_same_for_it() {
    let mute = |name| {
        let mut config = config(name);
        config.local.connection_string.clear();
        config
    };
    let mut pair = Pair::of(mute("client"), mute("server"));
    pair.drive();
    assert_eq!(pair.authenticated(), [true, true]);
}

#[test]
fn unknown_statuses_are_not_read_as_ok() {
    for status in [5, 6, -1, i32::MAX, i32::MIN] {
        let mut pair = Pair::new();
        let status = shiome_wire::auth::ServerStatus { status };
        let error = pair
            .client
            .handle_message(pair.now, message(Msg::ServerStatus(status)))
            .unwrap_err();
        assert_eq!(error, HandshakeError::UnknownStatus(status.status));
        assert_eq!(error.fault(), Fault::Protocol);
    }
    assert!(Status::try_from(4).is_ok(), "the last that is known");
}
