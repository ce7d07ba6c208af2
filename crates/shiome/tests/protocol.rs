//! The session that `docs/PROTOCOL.md` prints is the one that these crates speak.
#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::time::{Duration, Instant};

use bytes::BytesMut;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use shiome::{
    handshake::{
        Admission, Announce, Config, Cookie, Entropy, Event, Handshake, Local, MIN_ANNOUNCED_LIMIT,
    },
    session::{self, Session},
    wire::{
        Capabilities, FrameDecoder, MAX_FRAME_LEN, control, encode,
        meta::NetworkMessage,
        native::native_message,
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

/// What both nodes announce, in the example with announcements.
fn announce(incarnation: u64) -> Announce {
    Announce {
        // As in version 0.1.0, before there were channels.
        capabilities: Capabilities::from_bits(63),
        incarnation,
        max_frame_len: MIN_ANNOUNCED_LIMIT,
        max_message_len: MIN_ANNOUNCED_LIMIT,
        max_reassembly_len: MIN_ANNOUNCED_LIMIT,
        window: MIN_ANNOUNCED_LIMIT,
    }
}

fn handshake(now: Instant, announce: [Option<Announce>; 2]) -> Vec<Sent> {
    let config = |name: &str, connection_string: &str, native| {
        let (name, connection_string) = (name.to_owned(), connection_string.to_owned());
        let local = Local {
            name,
            connection_string,
        };
        Config {
            native,
            ..Config::new(local, Cookie::new("cookie"))
        }
    };
    let entropy = |challenge, nonce_from: u8| Entropy {
        challenge,
        connection_id: 7,
        nonce: std::array::from_fn(|i| nonce_from + i as u8),
    };
    let [at_a, at_b] = announce;
    let mut a = Handshake::client(now, config("a@h", "h:1", at_a), entropy(7, 0));
    let mut b = Handshake::server(now, config("b@h", "h:2", at_b), entropy(42, 32));
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

/// Two nodes on which a bus is linked.
#[cfg(feature = "bus")]
fn channel(now: Instant) -> Vec<Sent> {
    use shiome::bus::{
        CHANNEL, Envelope, Incarnation, Intent, Level, MessageId, PeerId,
        wire::{Batch, CloseReason, Encoding, Frame, Goodbye, Presence},
    };

    let life = |number| Incarnation::new(number).unwrap();
    let message = |frame: Frame| {
        let mut batch = Batch::new(Encoding::Binary);
        batch.push(&frame);
        bytes::Bytes::copy_from_slice(batch.finish().as_bytes())
    };
    let presence = |name: &str, of| {
        let mut presence = Presence::default();
        presence.all = true;
        presence
            .present
            .push((PeerId::new(name).unwrap(), life(of)));
        Frame::Presence(presence)
    };
    let mut pair = Pair::new(now);
    let mut config = session::ChannelConfig::default();
    config.max_message_len = MIN_ANNOUNCED_LIMIT;
    config.window = 1024 * 1024;
    let mut ends = Vec::new();
    for session in [&mut pair.a, &mut pair.b] {
        session.negotiated(session::Terms {
            version: 1,
            capabilities: Capabilities::CHANNELS,
            incarnation: 1,
            max_frame_len: MIN_ANNOUNCED_LIMIT,
            max_message_len: MIN_ANNOUNCED_LIMIT,
            max_reassembly_len: MIN_ANNOUNCED_LIMIT,
            window: MIN_ANNOUNCED_LIMIT,
        });
        ends.push(session.open_channel(CHANNEL, config).unwrap());
    }
    pair.exchange();
    let id = MessageId {
        incarnation: life(1),
        seq: 1,
    };
    let (alice, bob) = (PeerId::new("alice").unwrap(), PeerId::new("bob").unwrap());
    let intent = Intent::new("chat.message", "hello").unwrap();
    let mut hello = Envelope::new(id, alice, bob, intent);
    hello.sent_at = 1_763_112_349_000;
    hello.level = Level::Handled;
    let goodbye = || Frame::Goodbye(Goodbye::new(CloseReason::Closed));
    for (from, frame) in [
        ('a', presence("alice", 1)),
        ('b', presence("bob", 2)),
        ('a', Frame::Envelope(hello)),
        ('b', goodbye()),
        ('a', goodbye()),
    ] {
        let (session, end) = match from {
            'a' => (&mut pair.a, ends[0]),
            _ => (&mut pair.b, ends[1]),
        };
        session.send_on_channel(end, message(frame)).unwrap();
        pair.exchange();
    }
    pair.b.close_channel(ends[1]);
    pair.exchange();
    pair.said
}

const DOCUMENT: &str = include_str!("../../../docs/PROTOCOL.md");

/// What the document prints between fences with this label.
fn block(label: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("```{label}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// The frames in a block: a line that names sender and message, then lines of hex.
fn frames(block: &str) -> Vec<Sent> {
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

fn decode(frame: &str) -> NetworkMessage {
    let mut decoder = FrameDecoder::new(MAX_FRAME_LEN);
    decoder.extend(&hex::decode(frame).unwrap());
    let message = decoder.next_frame().unwrap().unwrap().decode().unwrap();
    assert_eq!(decoder.finish(), Ok(()));
    message
}

#[test]
fn the_documents_session_is_what_is_spoken() {
    let now = Instant::now();
    let mut expected = handshake(now, [None, None]);
    expected.extend(session(now));
    assert_eq!(frames(block("session")), expected);
}

#[test]
fn the_documents_native_handshake_is_what_is_spoken() {
    let announce = [3, 5].map(|incarnation| Some(announce(incarnation)));
    assert_eq!(frames(block("native")), handshake(Instant::now(), announce));
}

#[cfg(feature = "bus")]
#[test]
fn the_documents_channel_is_what_is_spoken() {
    assert_eq!(frames(block("channel")), channel(Instant::now()));
}

/// By the rules of the document, from the frames and the transcript that it prints.
#[test]
fn the_documents_transcript_is_what_its_proofs_prove() {
    let hex: String = block("transcript").split_whitespace().collect();
    let as_server = hex::decode(hex).unwrap();
    let printed: Vec<_> = frames(block("native"))
        .iter()
        .filter_map(|(_, frame)| match decode(frame).into_native()? {
            native_message::Msg::Proof(proof) => Some(proof.mac),
            _ => None,
        })
        .collect();

    let hmac = |key: &[u8], bytes: &[u8]| -> Vec<u8> {
        let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        mac.chain_update(bytes).finalize().into_bytes().to_vec()
    };
    let key = hmac(b"cookie", b"shiome native handshake 1");
    assert!(DOCUMENT.contains(&format!("The key is `{}`", hex::encode(&key))));
    assert!(DOCUMENT.contains(&format!("What b proves with it, {} bytes", as_server.len())));
    let (role, rest) = as_server.split_at(14);
    assert!(role.ends_with(b"server"));
    let as_client = [&role[..8], b"client", rest].concat();
    assert_eq!(printed, [hmac(&key, &as_server), hmac(&key, &as_client)]);
}

#[test]
fn every_frame_printed_is_one_message_with_known_content() {
    for label in ["session", "native", "channel"] {
        for (_, frame) in frames(block(label)) {
            assert!(decode(&frame).message.is_some());
        }
    }
}
