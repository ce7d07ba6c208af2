//! Any stream of frames, at both ends of a handshake: nobody gets in without the cookie, and the deadline ends it.
#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use shiome_handshake::{
    Admission, Announce, Config, Cookie, Entropy, Event, Handshake, Local, MIN_ANNOUNCED_LIMIT,
};
use shiome_wire::{
    Capabilities, FrameDecoder, MAX_UNAUTHENTICATED_FRAME_LEN, meta::NetworkMessage,
};

fuzz_target!(|stream: &[u8]| {
    let local = Local {
        name: "node@host".to_owned(),
        connection_string: "host:1".to_owned(),
    };
    // The peer chooses, too, from how long its stream is, whether the ends announce anything and want to hear it.
    let mut config = Config::new(local, Cookie::new("7c1de9a4f0b85a3326c1f7d1"));
    config.native = (stream.len() % 2 == 0).then_some(Announce {
        capabilities: Capabilities::ALL,
        incarnation: 1,
        max_frame_len: MIN_ANNOUNCED_LIMIT,
        max_message_len: MIN_ANNOUNCED_LIMIT,
        max_reassembly_len: MIN_ANNOUNCED_LIMIT,
        window: MIN_ANNOUNCED_LIMIT,
    });
    config.require_native = stream.len() % 5 == 0;
    let entropy = Entropy {
        challenge: 0x51a7_30c9,
        connection_id: 0x0b5e_55ed,
        nonce: [0x3c; 32],
    };
    let now = Instant::now();
    // And the owner's answers.
    let admission = [Admission::Ok, Admission::Alive, Admission::NotOk][stream.len() % 3];
    for mut end in [
        Handshake::client(now, config.clone(), entropy),
        Handshake::server(now, config, entropy),
    ] {
        for message in messages(stream) {
            let refused = end.handle_message(now, message).is_err();
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
});

fn messages(stream: &[u8]) -> Vec<NetworkMessage> {
    let mut decoder = FrameDecoder::new(MAX_UNAUTHENTICATED_FRAME_LEN);
    decoder.extend(stream);
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = decoder.next_frame() {
        messages.push(frame.decode().unwrap_or_default());
    }
    messages
}
