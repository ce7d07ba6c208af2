//! Tests of two ends and more: the parts are tested beside their code.

mod attack;
mod cookie;
mod deadline;
mod explore;
mod native;
mod pair;
mod properties;
mod redaction;
mod refusal;
mod relay;
mod stranger;
mod table;
mod versions;

use shiome_wire::Capabilities;
use shiome_wire::auth::authentication_message::Msg;
use shiome_wire::meta::{NetworkMessage, network_message::Message};

use crate::{Announce, Config, Cookie, Entropy, Local, MIN_ANNOUNCED_LIMIT};

const COOKIE: &str = "the cookie of these tests";

fn config(name: &str) -> Config {
    Config::new(local(name), Cookie::new(COOKIE))
}

fn local(name: &str) -> Local {
    Local {
        name: format!("{name}@host"),
        connection_string: format!("{name}:4697"),
    }
}

/// A node of shiome that announces what it can take.
fn native(name: &str) -> Config {
    Config {
        native: Some(announce()),
        ..config(name)
    }
}

fn announce() -> Announce {
    Announce {
        capabilities: Capabilities::ALL,
        incarnation: 1,
        max_frame_len: MIN_ANNOUNCED_LIMIT,
        max_message_len: MIN_ANNOUNCED_LIMIT,
        max_reassembly_len: MIN_ANNOUNCED_LIMIT,
        window: MIN_ANNOUNCED_LIMIT,
    }
}

/// Of one end: another challenge is another nonce.
fn entropy(challenge: u32, connection_id: u64) -> Entropy {
    let mut nonce = [0xa5; 32];
    nonce[..4].copy_from_slice(&challenge.to_be_bytes());
    Entropy {
        challenge,
        connection_id,
        nonce,
    }
}

fn message(msg: Msg) -> NetworkMessage {
    msg.into()
}

/// The handshake message inside, to be changed.
fn auth(message: &mut NetworkMessage) -> &mut Msg {
    match &mut message.message {
        Some(Message::Auth(auth)) => auth.msg.as_mut().unwrap(),
        other => panic!("not a handshake message: {other:?}"),
    }
}
