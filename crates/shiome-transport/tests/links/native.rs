//! Nodes that announce what they can take, on links that a relay can stand in.

use bytes::BytesMut;
use shiome_handshake::{
    Announce, Config, Handshake, HandshakeError, MIN_ANNOUNCED_LIMIT, Peer, RefusedBy, Side,
};
use shiome_transport::{AuthenticateError, BoxWrite, FrameReader, Link, authenticate};
use shiome_wire::{Capabilities, MAX_FRAME_LEN, encode};
use tokio::io::{AsyncWriteExt, copy};

use super::{
    endpoint::{Open, config, handshake},
    kinds::{memory, tls},
};

fn native(name: &str) -> Config {
    let announce = Announce {
        capabilities: Capabilities::ALL,
        incarnation: 1,
        max_frame_len: MAX_FRAME_LEN,
        max_message_len: MAX_FRAME_LEN,
        max_reassembly_len: MAX_FRAME_LEN,
        window: MIN_ANNOUNCED_LIMIT,
    };
    Config {
        native: Some(announce),
        ..config(name, "cookie")
    }
}

/// What one end makes of the other.
async fn shake(config: Config, side: Side, mut link: Link) -> Result<Peer, AuthenticateError> {
    let config = Config {
        channel_binding: link.channel_binding,
        ..config
    };
    let mut reader = FrameReader::new(link.reader, MAX_FRAME_LEN);
    let handshake = handshake(config, side);
    authenticate(&mut reader, &mut link.writer, handshake, &Open).await
}

async fn shake_both(
    (client, here): (Config, Link),
    (server, there): (Config, Link),
) -> [Result<Peer, AuthenticateError>; 2] {
    let (client, server) = tokio::join!(
        shake(client, Side::Client, here),
        shake(server, Side::Server, there),
    );
    [client, server]
}

fn error(result: Result<Peer, AuthenticateError>) -> Option<HandshakeError> {
    match result {
        Err(AuthenticateError::Handshake(error)) => Some(error),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn native_nodes_find_each_other_over_plain_links_that_have_no_binding() {
    let (here, there) = memory().await;
    assert_eq!((here.channel_binding, there.channel_binding), (None, None));
    for end in shake_both((native("a"), here), (native("b"), there)).await {
        let agreed = end.unwrap().native.unwrap();
        assert_eq!(agreed.capabilities, Capabilities::ALL);
    }
}

#[tokio::test]
async fn both_ends_of_a_tls_link_have_the_same_binding_and_no_two_links_share_one() {
    let (here, there) = tls().await;
    let binding = here.channel_binding;
    assert!(binding.is_some());
    assert_eq!(binding, there.channel_binding);
    assert_ne!(binding, tls().await.0.channel_binding);
    for end in shake_both((native("a"), here), (native("b"), there)).await {
        assert!(end.unwrap().native.is_some());
    }
}

/// It has certificates that both ends trust, and passes every byte on.
#[tokio::test]
async fn a_relay_between_two_tls_links_is_found_out_at_both_ends() {
    let ((here, relay_in), (relay_out, there)) = (tls().await, tls().await);
    let relay = tokio::spawn(async move {
        let (mut from_here, mut to_here) = (relay_in.reader, relay_in.writer);
        let (mut from_there, mut to_there) = (relay_out.reader, relay_out.writer);
        let there = copy(&mut from_here, &mut to_there);
        let here = copy(&mut from_there, &mut to_here);
        let _ = tokio::join!(there, here);
    });
    let ends = shake_both((native("a"), here), (native("b"), there)).await;
    let [client, server] = ends.map(error);
    assert_eq!(client, Some(HandshakeError::WrongProof));
    assert_eq!(server, Some(HandshakeError::WrongProof));
    relay.abort();
}

#[tokio::test(start_paused = true)]
async fn a_legacy_initiator_is_told_that_it_may_not_come_before_the_link_is_closed() {
    let (here, there) = memory().await;
    let required = Config {
        require_native: true,
        ..native("b")
    };
    let ends = shake_both((config("a", "cookie"), here), (required, there)).await;
    let [client, server] = ends.map(error);
    assert_eq!(server, Some(HandshakeError::NativeRequired));
    assert_eq!(client, Some(HandshakeError::Refused(RefusedBy::NotAllowed)));
}

async fn send(end: &mut Handshake, writer: &mut BoxWrite) {
    let mut frames = BytesMut::new();
    while let Some(message) = end.poll_transmit() {
        encode(&message, MAX_FRAME_LEN, &mut frames).unwrap();
    }
    writer.write_all(&frames).await.unwrap();
}

/// Part of the deadline of the whole handshake.
#[tokio::test(start_paused = true)]
async fn an_end_that_never_proves_what_it_has_seen_is_given_up() {
    let (here, there) = memory().await;
    let began = tokio::time::Instant::now();
    let client = async {
        // Everything up to the proof, and then silence.
        let mut end = handshake(native("a"), Side::Client);
        let now = began.into_std();
        let mut reader = FrameReader::new(here.reader, MAX_FRAME_LEN);
        let mut writer = here.writer;
        for _ in 0..2 {
            send(&mut end, &mut writer).await;
            // Status and challenge, then acknowledgement and proof.
            for _ in 0..2 {
                let frame = reader.next().await.unwrap().unwrap();
                end.handle_message(now, frame.decode().unwrap()).unwrap();
                let _ = end.poll_event();
            }
        }
        assert!(end.is_authenticated(), "the server has proven its part");
        std::future::pending::<()>().await;
    };
    let server = tokio::select! {
        server = shake(native("b"), Side::Server, there) => server,
        () = client => unreachable!("it waits"),
    };
    assert_eq!(error(server), Some(HandshakeError::Deadline));
    assert_eq!(began.elapsed(), shiome_handshake::DEFAULT_TIMEOUT);
}
