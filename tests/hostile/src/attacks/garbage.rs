//! Bytes that are no message, in every state.

use std::net::Ipv4Addr;

use rand::{Rng, RngExt, SeedableRng, rngs::SmallRng};
use shiome_wire::meta::NetworkMessage;
use tokio::time::timeout;

use crate::{
    Problem,
    attack::{
        Arena, Attack, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Deaf, Tier},
        raw::{PATIENCE, Raw, frame, frames},
    },
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "garbage-name",
        about: "random and mutated frames in place of the name, up to 2000 connections from 200 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, State::Name)),
    },
    Attack {
        name: "garbage-reply",
        about: "random and mutated frames in place of the challenge's answer, up to 2000 from 200 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, State::Reply)),
    },
    Attack {
        name: "garbage-proof",
        about: "random and mutated frames in place of the proof, up to 2000 from 200 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, State::Proof)),
    },
    Attack {
        name: "garbage-inside",
        about: "random and mutated frames from peers that are in, legacy and native, up to 2000 from 200 addresses within 4 s",
        bounds: USUAL,
        run: |arena| Box::pin(attack(arena, State::In)),
    },
];

/// What the victim awaits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Name,
    Reply,
    Proof,
    In,
}

const SOURCES: u64 = 200;
const EACH: u64 = 10;

/// Attackers at a time: more would wait for each other.
const AT_A_TIME: u64 = 16;

async fn attack(arena: Arena, state: State) -> Result<Tally, Problem> {
    crowd(&arena, AT_A_TIME, move |arena, number| async move {
        let mut random = SmallRng::seed_from_u64(arena.options.seed ^ number << 32);
        let mut tally = Tally::default();
        for turn in 0..arena.count(SOURCES * EACH / AT_A_TIME) {
            if arena.is_over(&tally) {
                break;
            }
            let from = arena.source((turn * AT_A_TIME + number) % SOURCES);
            tally.attempts += 1;
            tally.refused += u64::from(try_one(&arena, from, state, &mut random).await?);
        }
        Ok(tally)
    })
    .await
}

/// Whether the victim closed.
async fn try_one(
    arena: &Arena,
    from: Ipv4Addr,
    state: State,
    random: &mut SmallRng,
) -> Result<bool, Problem> {
    let tier = if random.random() {
        Tier::Native
    } else {
        Tier::Legacy
    };
    let claim = Claim::fresh(if state == State::Proof {
        Tier::Native
    } else {
        tier
    });
    let entered = match state {
        State::In => Deaf::join(arena, from, &claim).await.map(|peer| Raw {
            reader: peer.reader,
            writer: peer.writer,
        }),
        _ => enter(arena, from, state, &claim).await,
    };
    let Ok(mut raw) = entered else {
        // At the door, for what this address has done before.
        return Ok(true);
    };
    let sent = raw.writer.bytes(&garbage(&claim, random)).await;
    Ok(sent.is_err() || raw.reader.closed_within(LOOK).await)
}

/// Some garbage is a message that means nothing, after which the victim waits.
const LOOK: std::time::Duration = std::time::Duration::from_millis(20);

async fn enter(arena: &Arena, from: Ipv4Addr, state: State, claim: &Claim) -> Result<Raw, Problem> {
    let mut raw = Raw::tcp(from, &arena.options.tcp).await?;
    let mut handshake = claim.handshake("127.0.0.2:1".to_owned());
    let flights = match state {
        State::Name => 0,
        State::Reply => 1,
        _ => 2,
    };
    for flight in 0..flights {
        let message = handshake.poll_transmit().ok_or("nothing to say")?;
        raw.writer.send(&[message]).await?;
        // Status and challenge; acknowledgement and proof, after which our proof is due.
        for _ in 0..2 {
            let message = timeout(PATIENCE, raw.reader.next()).await?;
            let message = message.ok_or("closed")?;
            if flight == 0 {
                handshake.handle_message(std::time::Instant::now(), message)?;
            }
        }
        while handshake.poll_event().is_some() {}
    }
    Ok(raw)
}

/// Frames that are no message, or one that is not quite.
fn garbage(claim: &Claim, random: &mut SmallRng) -> Vec<u8> {
    let len = random.random_range(1..2000);
    let mut body = vec![0; len];
    random.fill_bytes(&mut body);
    if random.random() {
        return frame(len as u64, &body);
    }
    let mut handshake = claim.handshake("127.0.0.2:1".to_owned());
    let name: NetworkMessage = handshake.poll_transmit().unwrap_or_default();
    let mut bytes = frames(&[name]).to_vec();
    for _ in 0..random.random_range(1..8) {
        let at = random.random_range(8..bytes.len());
        bytes[at] = random.random();
    }
    bytes
}
