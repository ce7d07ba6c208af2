//! Today's handshake at one end of a recording.

use std::time::Instant;

use bytes::BytesMut;
use shiome_handshake::{
    Admission, Announce, Config, Cookie, Entropy, Event, Handshake, Local, Peer,
};
use shiome_wire::{
    Capabilities, FrameDecoder, MAX_UNAUTHENTICATED_FRAME_LEN, encode, meta::NetworkMessage,
};

use super::{Agreed, End, Entry, Frame, Speaker};
use crate::vectors::unhex;

/// Plays one end of the recording against the frames of the other.
pub(super) fn replay(entry: &Entry, played: Speaker) -> Result<(), String> {
    let now = Instant::now();
    let mut player = Player::new(entry, played, now)?;
    for (index, frame) in entry.frames.iter().enumerate() {
        let told = |problem| format!("frame {index}: {problem}");
        if frame.from != played {
            player.hear(frame).map_err(told)?;
            continue;
        }
        match player.say() {
            Some(said) if said == frame.hex => {}
            Some(said) => return Err(told(format!("says {said}"))),
            None => return Err(told("says nothing".to_owned())),
        }
    }
    if let Some(said) = player.say() {
        return Err(format!("says {said} in the end"));
    }
    let agreed = player.agreed.ok_or("is not authenticated")?;
    if agreed != entry.agreed {
        return Err(format!("agrees on {agreed:?}"));
    }
    Ok(())
}

/// One end, whose owner goes on with everything.
pub(super) struct Player {
    now: Instant,
    end: Handshake,
    status: i32,
    /// `None`: not authenticated yet.
    pub(super) agreed: Option<Option<Agreed>>,
}

impl Player {
    pub(super) fn new(entry: &Entry, played: Speaker, now: Instant) -> Result<Self, String> {
        let (make, end): (fn(_, _, _) -> _, _) = match played {
            Speaker::Client => (Handshake::client, &entry.client),
            Speaker::Server => (Handshake::server, &entry.server),
        };
        let (config, entropy) = (config(entry, end)?, entropy(end)?);
        Ok(Self {
            now,
            end: make(now, config, entropy),
            status: entry.status,
            agreed: None,
        })
    }

    /// The next frame that this end sends.
    pub(super) fn say(&mut self) -> Option<String> {
        let message = self.end.poll_transmit()?;
        let mut frame = BytesMut::new();
        encode(&message, MAX_UNAUTHENTICATED_FRAME_LEN, &mut frame).expect("it is short");
        Some(hex::encode(frame))
    }

    pub(super) fn hear(&mut self, frame: &Frame) -> Result<(), String> {
        let message = decode(frame)?;
        self.end
            .handle_message(self.now, message)
            .map_err(|error| error.to_string())?;
        while let Some(event) = self.end.poll_event() {
            match event {
                Event::NameReceived(_) => self.end.admit(admission(self.status)?),
                Event::PeerAlive => self.end.answer_alive(true),
                Event::Authenticated(peer) => {
                    self.agreed = Some(agreed(&peer));
                    Ok(())
                }
                _ => Ok(()),
            }
            .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

fn config(entry: &Entry, end: &End) -> Result<Config, String> {
    let local = Local {
        name: end.name.clone(),
        connection_string: end.connection_string.clone(),
    };
    let channel_binding = match entry.channel_binding.as_str() {
        "" => None,
        binding => Some(sized("channel_binding", binding)?),
    };
    let native = end.announce.as_ref().map(|announce| Announce {
        capabilities: Capabilities::from_bits(announce.capabilities),
        incarnation: announce.incarnation,
        max_frame_len: announce.max_frame_len,
        max_message_len: announce.max_message_len,
        max_reassembly_len: announce.max_reassembly_len,
        window: announce.window,
    });
    Ok(Config {
        native,
        channel_binding,
        ..Config::new(local, Cookie::new(entry.cookie.as_str()))
    })
}

fn entropy(end: &End) -> Result<Entropy, String> {
    let nonce = end.announce.as_ref().map(|announce| &announce.nonce);
    Ok(Entropy {
        challenge: end.challenge,
        connection_id: end.connection_id,
        nonce: nonce.map_or(Ok([0; 32]), |nonce| sized("nonce", nonce))?,
    })
}

fn sized(what: &str, hex: &str) -> Result<[u8; 32], String> {
    let bytes = unhex(what, hex)?;
    let len = bytes.len();
    bytes
        .try_into()
        .map_err(|_| format!("{what}: {len} bytes, not 32"))
}

fn decode(frame: &Frame) -> Result<NetworkMessage, String> {
    let mut decoder = FrameDecoder::new(MAX_UNAUTHENTICATED_FRAME_LEN);
    decoder.extend(&unhex("hex", &frame.hex)?);
    let cut = decoder.next_frame().map_err(|e| e.to_string())?;
    decoder.finish().map_err(|e| e.to_string())?;
    let cut = cut.ok_or("not a whole frame")?;
    cut.decode().map_err(|e| e.to_string())
}

fn admission(status: i32) -> Result<Admission, String> {
    match status {
        0 => Ok(Admission::Ok),
        1 => Ok(Admission::OkSimultaneous),
        4 => Ok(Admission::Alive),
        other => Err(format!("status {other} does not go on")),
    }
}

fn agreed(peer: &Peer) -> Option<Agreed> {
    peer.native.as_ref().map(|native| Agreed {
        version: native.version,
        capabilities: native.capabilities.bits(),
    })
}
