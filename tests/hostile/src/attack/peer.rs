//! An attacker that knows the cookie.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use shiome_handshake::{Announce, Config, Cookie, Entropy, Event, Handshake, Local};
use shiome_wire::{
    Capabilities, MAX_FRAME_LEN,
    control::{Ready, control_message},
    meta::NetworkMessage,
};
use tokio::time::timeout;

use super::{
    Arena,
    heard::Heard,
    raw::{PATIENCE, Raw, Reader, Writer},
};
use crate::{Problem, actor::TARGET, links::COOKIE};

/// What a peer says it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    Legacy,
    Native,
}

/// Both of them.
pub(crate) const TIERS: [Tier; 2] = [Tier::Legacy, Tier::Native];

/// Who a peer says it is.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) name: String,
    pub(crate) cookie: String,
    pub(crate) tier: Tier,
    /// Bytes that the victim may send before it is granted more.
    pub(crate) window: u64,
}

impl Claim {
    /// A name that nobody else has, and the right cookie.
    pub(crate) fn fresh(tier: Tier) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self {
            name: format!("attacker-{number}@hostile"),
            cookie: COOKIE.to_owned(),
            tier,
            window: shiome::session::WINDOW,
        }
    }

    /// The client's end of a handshake by it.
    pub(crate) fn handshake(&self, connection_string: String) -> Handshake {
        let local = Local {
            name: self.name.clone(),
            connection_string,
        };
        let run = SystemTime::now().duration_since(UNIX_EPOCH);
        let announce = Announce {
            capabilities: Capabilities::ALL,
            incarnation: run.map_or(1, |since| since.as_micros() as u64),
            max_frame_len: MAX_FRAME_LEN,
            max_message_len: shiome::session::MAX_MESSAGE_LEN,
            max_reassembly_len: shiome::session::MAX_REASSEMBLY_LEN,
            window: self.window,
        };
        let config = Config {
            native: (self.tier == Tier::Native).then_some(announce),
            ..Config::new(local, Cookie::new(self.cookie.clone()))
        };
        let entropy = Entropy {
            challenge: rand::random(),
            connection_id: rand::random(),
            nonce: rand::random(),
        };
        Handshake::client(Instant::now(), config, entropy)
    }
}

/// A peer that is in, and listens to all that the victim says.
pub(crate) struct Peer {
    pub(crate) writer: Writer,
    pub(crate) heard: Heard,
    /// The victim's actor.
    pub(crate) target: u64,
}

impl Peer {
    /// Gets in, tells nothing of itself, and listens.
    pub(crate) async fn join(arena: &Arena, from: Ipv4Addr, tier: Tier) -> Result<Self, Problem> {
        let mut deaf = Deaf::join(arena, from, &Claim::fresh(tier)).await?;
        deaf.ready().await?;
        Ok(deaf.listen())
    }
}

/// A peer that is in, and does not read unless it is told to.
pub(crate) struct Deaf {
    pub(crate) reader: Reader,
    pub(crate) writer: Writer,
    pub(crate) target: u64,
}

impl Deaf {
    pub(crate) async fn join(
        arena: &Arena,
        from: Ipv4Addr,
        claim: &Claim,
    ) -> Result<Self, Problem> {
        let raw = Raw::tcp(from, &arena.options.tcp).await?;
        let mut raw = shake_hands(raw, claim, from).await?;
        let target = timeout(PATIENCE, find_target(&mut raw.reader)).await?;
        Ok(Self {
            target: target.ok_or("the victim closed before it told its actors")?,
            reader: raw.reader,
            writer: raw.writer,
        })
    }

    /// Says that all is told.
    pub(crate) async fn ready(&mut self) -> Result<(), Problem> {
        Ok(self.writer.send(&[Ready {}.into()]).await?)
    }

    pub(crate) fn listen(self) -> Peer {
        Peer {
            writer: self.writer,
            heard: Heard::listen(self.reader),
            target: self.target,
        }
    }
}

/// Gets in over an open connection.
pub(crate) async fn shake_hands(
    mut raw: Raw,
    claim: &Claim,
    from: Ipv4Addr,
) -> Result<Raw, Problem> {
    // Nobody listens there, should the victim tell others of it.
    let mut handshake = claim.handshake(format!("{from}:1"));
    loop {
        while let Some(message) = handshake.poll_transmit() {
            raw.writer.send(&[message]).await?;
        }
        // There is more to say before there is more to hear.
        let mut answered = false;
        while let Some(event) = handshake.poll_event() {
            match event {
                Event::Authenticated(_) => return Ok(raw),
                Event::PeerAlive => {
                    handshake.answer_alive(true)?;
                    answered = true;
                }
                _ => {}
            }
        }
        if !answered {
            let message = timeout(PATIENCE, raw.reader.next()).await?;
            handshake.handle_message(Instant::now(), message.ok_or("closed")?)?;
        }
    }
}

/// Pid of the victim's actor, from what it tells at the beginning.
async fn find_target(reader: &mut Reader) -> Option<u64> {
    loop {
        let message: NetworkMessage = reader.next().await?;
        if let Some(control_message::Msg::Spawn(spawn)) = message.into_control() {
            let target = spawn
                .actors
                .iter()
                .find(|a| a.name.as_deref() == Some(TARGET));
            if let Some(target) = target {
                return Some(target.pid);
            }
        }
    }
}
