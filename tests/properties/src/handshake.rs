use std::time::Instant;

use bytes::Bytes;
use shiome_handshake::{
    Admission, Announce, Config, Cookie, Entropy, Event, Handshake, Local, MIN_ANNOUNCED_LIMIT,
};
use shiome_wire::{
    Capabilities, FrameDecoder, MAX_UNAUTHENTICATED_FRAME_LEN, meta::NetworkMessage, native::Proof,
};

use crate::memory::{PER_BYTE_OF_MESSAGE, within};

/// Memory for one end and what it answers, in bytes.
const MEMORY: usize = 64 * 1024;

/// Any stream of frames, at both ends of a handshake: nobody gets in without the cookie, the deadline ends it, and a
/// message takes no more memory than its length allows.
pub fn handshake(stream: &[u8]) {
    let messages = messages(stream);
    let now = Instant::now();
    let memory = MEMORY + PER_BYTE_OF_MESSAGE * stream.len();
    let suffer = |end, admission| {
        within(memory, || suffer(end, now, admission, &messages));
    };
    for announces in [false, true] {
        for require_native in [false, true] {
            for admission in [Admission::Ok, Admission::Alive, Admission::NotOk] {
                let config = || config("node", announces, require_native);
                let client = Handshake::client(now, config(), entropy(1));
                suffer(client, admission);
                let server = Handshake::server(now, config(), entropy(1));
                suffer(server, admission);
            }
        }
    }
    for end in unproven(now) {
        suffer(end, Admission::Ok);
    }
}

fn config(name: &str, announces: bool, require_native: bool) -> Config {
    let local = Local {
        name: format!("{name}@host"),
        connection_string: format!("{name}:1"),
    };
    let announce = Announce {
        capabilities: Capabilities::ALL,
        incarnation: 1,
        max_frame_len: MIN_ANNOUNCED_LIMIT,
        max_message_len: MIN_ANNOUNCED_LIMIT,
        max_reassembly_len: MIN_ANNOUNCED_LIMIT,
        window: MIN_ANNOUNCED_LIMIT,
    };
    Config {
        native: announces.then_some(announce),
        require_native,
        ..Config::new(local, Cookie::new("7c1de9a4f0b85a3326c1f7d1"))
    }
}

fn entropy(end: u8) -> Entropy {
    Entropy {
        challenge: 0x51a7_30c9 ^ u32::from(end),
        connection_id: 0x0b5e_55ed,
        nonce: [end; 32],
    }
}

/// Two ends that know the cookie and have everything of each other but the proof.
fn unproven(now: Instant) -> [Handshake; 2] {
    let mut client = Handshake::client(now, config("client", true, true), entropy(1));
    let mut server = Handshake::server(now, config("server", true, true), entropy(2));
    // Name, reply; the client's proof stays away.
    for _ in 0..2 {
        let message = client.poll_transmit().expect("it is the client's turn");
        server
            .handle_message(now, message)
            .expect("an honest client");
        if server.poll_event().is_some() {
            server.admit(Admission::Ok).expect("asked for");
        }
        // Status and challenge, acknowledgement; the server's proof stays away.
        let messages = if client.peer().is_none() { 2 } else { 1 };
        for _ in 0..messages {
            let message = server.poll_transmit().expect("it is the server's turn");
            client
                .handle_message(now, message)
                .expect("an honest server");
        }
        while client.poll_event().is_some() {}
    }
    [client, server]
}

/// Nothing that is not proven authenticates `end`.
fn suffer(mut end: Handshake, now: Instant, admission: Admission, messages: &[NetworkMessage]) {
    for message in messages {
        let refused = end.handle_message(now, message.clone()).is_err();
        assert!(!refused || end.is_finished());
        while let Some(event) = end.poll_event() {
            match event {
                Event::NameReceived(_) => end.admit(admission).expect("asked for"),
                Event::PeerAlive => end.answer_alive(true).expect("asked for"),
                _ => {}
            }
        }
        while end.poll_transmit().is_some() {}
    }
    assert!(!end.is_authenticated());
    if let Some(deadline) = end.poll_timeout() {
        assert!(end.handle_timeout(deadline).is_err());
    }
    assert!(end.is_finished());
    assert_eq!(end.poll_timeout(), None);
}

/// Every frame of the stream, and each as if it were a proof.
fn messages(stream: &[u8]) -> Vec<NetworkMessage> {
    let mut decoder = FrameDecoder::new(MAX_UNAUTHENTICATED_FRAME_LEN);
    decoder.extend(stream);
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = decoder.next_frame() {
        let mac = Bytes::copy_from_slice(frame.body());
        messages.push(frame.decode().unwrap_or_default());
        messages.push(Proof { mac }.into());
    }
    messages
}
