//! The session that `docs/PROTOCOL.md` prints is the one that these crates speak.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::time::{Duration, Instant};

use bytes::BytesMut;
use shiome::{
    handshake::{Admission, Config, Cookie, Entropy, Event, Handshake, Local},
    session::{self, Session},
    wire::{
        FrameDecoder, MAX_FRAME_LEN, control, encode,
        meta::NetworkMessage,
        node::{Call, Cast},
    },
};

/// Who sends it, and the frame.
type Sent = (char, String);

fn sent(from: char, message: impl Into<NetworkMessage>) -> Sent {
    let mut frame = BytesMut::new();
    encode(&message.into(), MAX_FRAME_LEN, &mut frame).unwrap();
    (from, hex::encode(frame))
}

fn handshake(now: Instant) -> Vec<Sent> {
    let config = |name: &str, connection_string: &str| {
        let (name, connection_string) = (name.to_owned(), connection_string.to_owned());
        let local = Local {
            name,
            connection_string,
        };
        Config::new(local, Cookie::new("cookie"))
    };
    let entropy = |challenge| Entropy {
        challenge,
        connection_id: 7,
        nonce: [0; 32],
    };
    let mut a = Handshake::client(now, config("a@h", "h:1"), entropy(7));
    let mut b = Handshake::server(now, config("b@h", "h:2"), entropy(42));
    let mut said = Vec::new();
    while !(a.is_authenticated() && b.is_authenticated()) {
        while let Some(message) = a.poll_transmit() {
            said.push(sent('a', message.clone()));
            b.handle_message(now, message).unwrap();
        }
        while let Some(event) = b.poll_event() {
            if let Event::NameReceived(_) = event {
                b.admit(Admission::Ok).unwrap();
            }
        }
        while let Some(message) = b.poll_transmit() {
            said.push(sent('b', message.clone()));
            a.handle_message(now, message).unwrap();
        }
    }
    said
}

/// Both ends of a link, and all that was said on it.
struct Pair {
    now: Instant,
    a: Session<()>,
    b: Session<()>,
    said: Vec<Sent>,
}

impl Pair {
    fn new(began: Instant) -> Self {
        let session = |seed| Session::new(began, session::Config::default(), seed);
        Self {
            now: began + Duration::new(3, 5),
            a: session(1),
            b: session(2),
            said: Vec::new(),
        }
    }

    /// Delivers what `a` has to say, then what `b` has.
    fn exchange(&mut self) {
        while let Some(message) = self.a.poll_transmit() {
            self.said.push(sent('a', message.clone()));
            self.b.handle_message(self.now, message).unwrap();
        }
        while let Some(message) = self.b.poll_transmit() {
            self.said.push(sent('b', message.clone()));
            self.a.handle_message(self.now, message).unwrap();
        }
    }
}

fn session(began: Instant) -> Vec<Sent> {
    let mut pair = Pair::new(began);
    pair.a.start(pair.now, None);
    pair.a.synced();
    pair.exchange();
    let adder = control::Actor {
        pid: 3,
        name: Some("adder".to_owned()),
    };
    pair.b.announce([adder.clone()]);
    pair.b.join("__default_scope__", "g", vec![adder]);
    pair.b.synced();
    pair.exchange();

    let add = Cast {
        to: 3,
        what: hex::decode("000000000000000400000007").unwrap().into(),
        variant: "Add".to_owned(),
        metadata: None,
    };
    pair.a.cast(add).unwrap();
    let total = Call {
        to: 3,
        variant: "Total".to_owned(),
        ..Call::default()
    };
    let second = Some(Duration::from_secs(1));
    pair.a.call(pair.now, total, second, ()).unwrap();
    pair.exchange();
    pair.b
        .reply(pair.now, 3, 1, vec![0, 0, 0, 7].into())
        .unwrap();
    pair.b.terminate(pair.now, 3);
    pair.exchange();
    pair.b.handle_timeout(pair.now + session::REPLY_HEADSTART);
    pair.exchange();
    let replied = std::iter::from_fn(|| pair.a.poll_event())
        .any(|event| matches!(event, session::Event::Reply { what, .. } if *what == [0, 0, 0, 7]));
    assert!(replied);
    pair.said
}

/// The frames that the document prints: a line that names sender and message, then lines of hex.
fn printed(document: &str) -> Vec<Sent> {
    let (_, rest) = document.split_once("```session\n").unwrap();
    let (block, _) = rest.split_once("```").unwrap();
    let mut frames: Vec<Sent> = Vec::new();
    for line in block.lines() {
        if line.starts_with(' ') {
            let (_, hex) = frames.last_mut().expect("hex follows its sender");
            hex.extend(line.chars().filter(|c| !c.is_whitespace()));
        } else if let Some(from) = line.chars().next() {
            frames.push((from, String::new()));
        }
    }
    frames
}

#[test]
fn the_documents_session_is_what_is_spoken() {
    let now = Instant::now();
    let mut expected = handshake(now);
    expected.extend(session(now));
    let printed = printed(include_str!("../../../docs/PROTOCOL.md"));
    assert_eq!(printed, expected);
}

#[test]
fn every_frame_printed_is_one_message_with_known_content() {
    for (_, frame) in printed(include_str!("../../../docs/PROTOCOL.md")) {
        let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
        decoder.extend(&hex::decode(frame).unwrap());
        let message = decoder.next_frame().unwrap().unwrap().decode().unwrap();
        assert!(message.message.is_some());
        assert_eq!(decoder.finish(), Ok(()));
    }
}
