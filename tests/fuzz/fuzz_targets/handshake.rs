//! Any stream of frames, at both ends of a handshake: nobody gets in without the cookie, and the deadline ends it.
#![no_main]

use std::time::Instant;

use libfuzzer_sys::fuzz_target;
use shiome_handshake::{Admission, Config, Cookie, Entropy, Event, Handshake, Local};
use shiome_wire::{FrameDecoder, MAX_UNAUTHENTICATED_FRAME_LEN, auth::AuthenticationMessage};

fuzz_target!(|stream: &[u8]| {
    let local = Local {
        name: "node@host".to_owned(),
        connection_string: "host:1".to_owned(),
    };
    let config = Config::new(local, Cookie::new("7c1de9a4f0b85a3326c1f7d1"));
    let entropy = Entropy {
        challenge: 0x51a7_30c9,
        connection_id: 0x0b5e_55ed,
    };
    let now = Instant::now();
    // The peer chooses the owner's answers, too: they follow from how long its stream is.
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

fn messages(stream: &[u8]) -> Vec<AuthenticationMessage> {
    let mut decoder = FrameDecoder::new(MAX_UNAUTHENTICATED_FRAME_LEN);
    decoder.extend(stream);
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = decoder.next_frame() {
        let msg = frame.decode().ok().and_then(|message| message.into_auth());
        messages.push(AuthenticationMessage { msg });
    }
    messages
}
