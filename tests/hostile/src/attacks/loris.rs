//! Connections on which as little as possible is said, as slowly as possible.

use std::{net::Ipv4Addr, time::Duration};

use shiome_wire::native;
use tokio::time::{Instant, sleep};

use crate::{
    Problem,
    attack::{
        Arena, Attack, Bounds, Door, Tally, USUAL,
        crowd::crowd,
        peer::{Claim, Tier},
        raw::{Raw, frames},
    },
    links::HOST,
    victim::PATH,
};

pub(crate) const ATTACKS: &[Attack] = &[
    Attack {
        name: "loris-silent",
        about: "4 addresses with 24 connections each say nothing, and come back when they are closed, for 7 s",
        bounds: HANDSHAKE,
        run: |arena| Box::pin(attack(arena, Stage::Silent)),
    },
    Attack {
        name: "loris-prefix",
        about: "96 connections from 4 addresses drip the length of a frame, a byte a second, for 7 s",
        bounds: HANDSHAKE,
        run: |arena| Box::pin(attack(arena, Stage::Prefix)),
    },
    Attack {
        name: "loris-frame",
        about: "96 connections from 4 addresses drip the first frame, a byte every 50 ms, for 7 s",
        bounds: HANDSHAKE,
        run: |arena| Box::pin(attack(arena, Stage::Frame)),
    },
    Attack {
        name: "loris-named",
        about: "96 connections from 4 addresses give a name and leave the challenge without an answer, for 7 s",
        bounds: HANDSHAKE,
        run: |arena| Box::pin(attack(arena, Stage::Named)),
    },
    Attack {
        name: "loris-reply",
        about: "96 connections from 4 addresses drip the answer to the challenge, a byte a second, for 7 s",
        bounds: HANDSHAKE,
        run: |arena| Box::pin(attack(arena, Stage::Reply)),
    },
    Attack {
        name: "loris-tls",
        about: "96 connections from 4 addresses drip the first message of TLS, a byte every 50 ms, for 7 s",
        bounds: Bounds {
            door: Door::Tls,
            ..HANDSHAKE
        },
        run: |arena| Box::pin(attack(arena, Stage::Tls)),
    },
    Attack {
        name: "loris-upgrade",
        about: "96 connections from 4 addresses drip the head of an HTTP request, a byte every 50 ms, for 7 s",
        bounds: Bounds {
            door: Door::Ws,
            ..HANDSHAKE
        },
        run: |arena| Box::pin(attack(arena, Stage::Upgrade)),
    },
];

/// Longer than a handshake may take.
const HANDSHAKE: Bounds = Bounds {
    millis: 7000,
    ..USUAL
};

/// How long a handshake may take, the cluster's and what comes before it, and what a busy machine may add.
const LIMIT: Duration = Duration::from_millis(5000 + 1000);

const SOURCES: u64 = 4;
const EACH: u64 = 24;

/// Where it becomes slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Silent,
    Prefix,
    Frame,
    Named,
    Reply,
    Tls,
    Upgrade,
}

impl Stage {
    fn pace(self) -> Duration {
        match self {
            Self::Frame | Self::Tls | Self::Upgrade => Duration::from_millis(50),
            _ => Duration::from_secs(1),
        }
    }

    fn door(self) -> Door {
        match self {
            Self::Tls => Door::Tls,
            Self::Upgrade => Door::Ws,
            _ => Door::Tcp,
        }
    }
}

async fn attack(arena: Arena, stage: Stage) -> Result<Tally, Problem> {
    let many = arena.count(SOURCES * EACH);
    let mut tally = crowd(&arena, many, move |arena, number| {
        let from = arena.source(number % SOURCES);
        async move { hold(&arena, from, stage).await }
    })
    .await?;
    if tally.attempts == tally.refused {
        tally.note("all were closed before the attack was over");
    }
    Ok(tally)
}

/// Holds one connection after the other.
async fn hold(arena: &Arena, from: Ipv4Addr, stage: Stage) -> Result<Tally, Problem> {
    let mut tally = Tally::default();
    let mut longest = Duration::ZERO;
    while !arena.is_over(&tally) {
        tally.attempts += 1;
        let begun = Instant::now();
        let to = match stage.door() {
            Door::Tcp => &arena.options.tcp,
            Door::Tls => &arena.options.tls,
            Door::Ws => &arena.options.ws,
        };
        let Ok(raw) = Raw::tcp(from, to).await else {
            tally.refused += 1;
            sleep(REST).await;
            continue;
        };
        tally.refused += u64::from(drip(arena, raw, stage).await);
        longest = longest.max(begun.elapsed());
        sleep(REST).await;
    }
    tally.check("closed in time", longest <= LIMIT, format!("{longest:.1?}"));
    Ok(tally)
}

/// Between two connections: it is patience that is tried, not the door.
const REST: Duration = Duration::from_millis(100);

/// Whether the victim closed the connection.
async fn drip(arena: &Arena, mut raw: Raw, stage: Stage) -> bool {
    let Some(rest) = enter(&mut raw, stage).await else {
        return true;
    };
    for byte in rest {
        if raw.writer.bytes(&[byte]).await.is_err() {
            return true;
        }
        if raw
            .reader
            .closed_within(stage.pace().min(arena.left()))
            .await
        {
            return true;
        }
        if arena.left().is_zero() {
            return false;
        }
    }
    raw.reader.closed_within(arena.left()).await
}

/// Goes up to the stage; what is to be dripped there, unless the victim has closed.
async fn enter(raw: &mut Raw, stage: Stage) -> Option<Vec<u8>> {
    match stage {
        Stage::Tls => {
            // A handshake record of 512 bytes, in it a ClientHello of 508, and what it says first.
            let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
            raw.writer.bytes(&hello).await.ok()?;
            return Some(vec![7; 500]);
        }
        Stage::Upgrade => {
            let head = format!("GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n");
            raw.writer.bytes(head.as_bytes()).await.ok()?;
            return Some("X-Field: value\r\n".repeat(100).into_bytes());
        }
        _ => {}
    }
    let mut claim = Claim::fresh(Tier::Legacy);
    claim.name = format!("{}@{}", claim.name, "x".repeat(150));
    let mut handshake = claim.handshake("127.0.0.2:1".to_owned());
    let name = frames(&[handshake.poll_transmit()?]);
    let (now, later) = match stage {
        Stage::Silent | Stage::Tls | Stage::Upgrade => (0, 0),
        Stage::Prefix => (0, 8),
        Stage::Frame => (12, name.len()),
        Stage::Named | Stage::Reply => (name.len(), name.len()),
    };
    raw.writer.bytes(&name[..now]).await.ok()?;
    if stage == Stage::Reply {
        // The status, and the challenge.
        raw.reader.next().await?;
        raw.reader.next().await?;
        let reply = frames(&[native::Proof::default().into()]);
        return Some(reply.to_vec());
    }
    Some(name[now..later].to_vec())
}
